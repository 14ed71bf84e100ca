package layer_test

import (
	"fmt"
	"math"

	"github.com/flexnnc/flexnnc/ir/op"
)

// runQuantize rounds rows and pads them with zeros.
func runQuantize(o *op.Op, x, y []float32) {
	n, wide := o.In[0].Dims[len(o.In[0].Dims)-1], o.Out[0].Dims[len(o.Out[0].Dims)-1]
	for i, v := range x {
		r := math.Round(float64(v * o.Quantize))
		y[i/n*wide+i%n] = float32(math.Max(-127, math.Min(127, r)))
	}
}

// runInt8 is a convolution of integers with int8 panels, in integers.
func runInt8(o *op.Op, x, y []float32) error {
	a, p := o.Conv, o.Panels
	k := p.K()
	weight := make([]float32, p.N*k)
	if err := p.Weight.ReadFloat32(weight, p.First); err != nil {
		return err
	}
	bias := make([]float32, p.N)
	if p.Bias != nil {
		if err := p.Bias.ReadFloat32(bias, p.BiasAt); err != nil {
			return err
		}
	}
	scales := []float32{1}
	if p.Int8.Scales != nil {
		var err error
		if scales, err = p.Int8.Scales.Float32s(); err != nil {
			return err
		}
	}
	if a.InC%4 != 0 || o.In[0].Type != op.I8 {
		return fmt.Errorf("int8 convolution of %v", o.In[0])
	}
	fours := op.Fours(p.Chans)
	for oy := range a.OutH {
		for ox := range a.OutW {
			for n := range p.N {
				sum := 0
				for t := range p.Taps {
					iy, ix, first := oy*a.SH-a.PadT+t/a.KW*a.DH, ox*a.SW-a.PadL+t%a.KW*a.DW, 0
					if p.Taps != a.KH*a.KW { // the taps of an inner product lie in one pixel
						iy, ix, first = oy, ox, t*fours
					}
					if iy < 0 || ix < 0 || iy >= a.InH || ix >= a.InW {
						continue
					}
					pixel := x[(iy*a.InW+ix)*a.InC+first:]
					for c := range p.Chans {
						at := c
						if o.Kind == op.Depthwise {
							at = n / a.Mult
						}
						sum += int(pixel[at]) * int(weight[weightAt(p, n, c, t)])
					}
				}
				factor := float32(0)
				if s := scales[min((p.Int8.First+n)/max(1, p.Int8.Per), len(scales)-1)]; s != 0 {
					factor = 1 / (p.Int8.Input * s)
				}
				v := float32(float32(sum) * factor)
				if p.Bias != nil {
					v += bias[n]
				}
				y[(oy*a.OutW+ox)*a.OutC+n] = v
			}
		}
	}
	return nil
}
