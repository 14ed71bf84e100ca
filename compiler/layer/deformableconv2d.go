package layer

import (
	"fmt"
	"math"

	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/op"
)

func init() {
	Register(&Def{
		Type: "DeformableConv2D", Index: 93, MinIn: 2, MaxIn: 3, MinOut: 1, MaxOut: 1,
		Params:  convParams(2),
		Check:   checkConv(2),
		Weights: func(l *ir.Layer) []WeightDef { return convWeights(l, false) },
		Shape: func(c *ShapeCall) ([]ir.Shape, error) {
			g, err := convOf(c.Layer, c.In[0], 2, 1, nil)
			if err != nil {
				return nil, err
			}
			for i, per := range []int{2, 1}[:len(c.In)-1] {
				if want := ir.Shape3(g.out[0], g.out[1], per*g.taps()); c.In[1+i] != want {
					return nil, fmt.Errorf("input %d is %v, needs %v", 1+i, c.In[1+i], want)
				}
			}
			return one(ir.Shape3(g.out[0], g.out[1], g.outC)), nil
		},
		Eval: func(c *EvalCall) error {
			g, err := convOf(c.Layer, c.In[0].Shape, 2, 1, nil)
			if err != nil {
				return err
			}
			weight, bias, err := convOperands(c)
			if err != nil {
				return err
			}
			act, err := activationEval(c.Layer, 9, 10)
			if err != nil {
				return err
			}
			x, offset := c.In[0], c.In[1]
			for y := range g.out[1] {
				for w := range g.out[0] {
					for o := range g.outC {
						sum := 0.0
						if bias != nil {
							sum = bias[o]
						}
						for k := range g.taps() {
							iy := float64(y*g.stride[1]-g.before[1]+k/g.kernel[0]*g.dilation[1]) + *offset.At(2*k, 0, y, w)
							ix := float64(w*g.stride[0]-g.before[0]+k%g.kernel[0]*g.dilation[0]) + *offset.At(2*k+1, 0, y, w)
							mask := 1.0
							if len(c.In) > 2 {
								mask = *c.In[2].At(k, 0, y, w)
							}
							for q := range g.inC {
								sum += bilinear(x, q, 0, iy, ix) * mask * weight[(o*g.inC+q)*g.taps()+k]
							}
						}
						*c.Out[0].At(o, 0, y, w) = act(sum)
					}
				}
			}
			return nil
		},
		// The interpolated cells are gathered to rows, which the weights then multiply.
		Lower: func(b *Builder) error {
			l := b.Layer
			v := b.In(0, ChannelsLast)
			g, err := convOf(l, v.Shape, 2, 1, nil)
			if err != nil {
				return err
			}
			finish, err := convEpilogue(b)
			if err != nil {
				return err
			}
			in := []*op.Tensor{v.Tensor}
			for i := 1; i < len(l.Inputs); i++ {
				in = append(in, b.In(i, ChannelsLast).Tensor)
			}
			pixels, k := g.out[0]*g.out[1], g.taps()*g.inC
			columns := b.NewTensor(l.Name+"/columns", op.F32, []int{pixels, k})
			b.Call("deform", []int{g.in[1], g.in[0], g.inC, g.out[1], g.out[0], g.kernel[1], g.kernel[0], g.stride[1], g.stride[0],
				g.dilation[1], g.dilation[0], g.before[1], g.before[0]}, nil, []*op.Tensor{columns}, in...).ThreadScratch = blendScratch(g.taps(), 4, g.inC)
			y := b.NewTensor(l.Name+"/pixels", op.F32, []int{pixels, g.outC})
			b.Add(&op.Op{Kind: op.Conv, Name: l.Name, In: []*op.Tensor{columns}, Out: []*op.Tensor{y}, Epilogue: finish,
				Panels: convPanels(b, l.Name, g.outC, g.taps(), g.inC, 0),
				Conv:   &op.ConvAttr{InH: 1, InW: pixels, InC: k, OutH: 1, OutW: pixels, OutC: g.outC, KH: 1, KW: 1, SH: 1, SW: 1, DH: 1, DW: 1},
			})
			blob := l.Outputs[0]
			b.Set(0, Value{Tensor: b.View(y, blob.Name, Dims(blob.Shape, ChannelsLast)), Shape: blob.Shape, Layout: ChannelsLast})
			return nil
		},
	})
}

// bilinear reads a plane between its cells, zero outside.
func bilinear(x Tensor, c, d int, y, w float64) float64 {
	y0, x0 := math.Floor(y), math.Floor(w)
	at := func(y, w float64) float64 {
		if y < 0 || w < 0 || y >= float64(x.Shape.H) || w >= float64(x.Shape.W) {
			return 0
		}
		return *x.At(c, d, int(y), int(w))
	}
	fy, fx := y-y0, w-x0
	return (1-fy)*((1-fx)*at(y0, x0)+fx*at(y0, x0+1)) + fy*((1-fx)*at(y0+1, x0)+fx*at(y0+1, x0+1))
}
