package pack

import (
	"encoding/binary"
	"math"

	"github.com/flexnnc/flexnnc/ir/op"
)

// newInt8 prepares the packing of int8 panels: factors and biases.
func newInt8(p *op.Panels) (*Packer, error) {
	k := &Packer{p: p, bias: make([]float32, p.N), factor: make([]float32, p.N)}
	for i := range k.bias {
		k.bias[i] = float32(math.Copysign(0, -1))
	}
	if p.Bias != nil {
		if err := p.Bias.ReadFloat32(k.bias, p.BiasAt); err != nil {
			return nil, err
		}
	}
	scales := []float32{1}
	if p.Int8.Scales != nil {
		var err error
		if scales, err = p.Int8.Scales.Float32s(); err != nil {
			return nil, err
		}
	}
	for i := range k.factor {
		s := scales[min((p.Int8.First+i)/max(1, p.Int8.Per), len(scales)-1)]
		if s != 0 {
			k.factor[i] = 1 / float32(p.Int8.Input*s)
		}
	}
	return k, k.arrange()
}

// int8Panel writes panel i.
func (k *Packer) int8Panel(i int, dst []byte) error {
	p := k.p
	first := i * op.PanelWidth
	n := min(op.PanelWidth, p.N-first)
	K, fours := p.K(), op.Fours(p.Chans)
	clear(dst)
	if p.Order == op.OutChanTap {
		if err := p.Weight.ReadFloat32(k.rows[:n*K], p.First+first*K); err != nil {
			return err
		}
	}
	for j := range n {
		put(dst, j, k.factor[first+j])
		put(dst, op.PanelWidth+j, k.bias[first+j])
		sum := int32(0)
		for c := range p.Chans {
			for t := range p.Taps {
				w := int8(k.element(first, j, c, t))
				sum += int32(w)
				if p.Int8.Depthwise {
					dst[2*4*op.PanelWidth+t*op.PanelWidth+j] = byte(w)
					continue
				}
				at := t*fours + c
				dst[3*4*op.PanelWidth+at/4*4*op.PanelWidth+4*j+at%4] = byte(w)
			}
		}
		if !p.Int8.Depthwise {
			binary.LittleEndian.PutUint32(dst[4*(2*op.PanelWidth+j):], uint32(-128*sum))
		}
	}
	return nil
}
