// Package pack turns the weights of an op graph into the bytes that kernels read:
// panels of op.PanelWidth output channels and const arrays, with batch norms and
// scales folded in. It streams: no more than one panel is held. It knows the
// packed form and nothing of plans or of the code that is emitted.
package pack

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/op"
)

// Packer packs the panels of one operation, in any order.
type Packer struct {
	p            *op.Panels
	scale, shift []float64 // per output channel, with Fold and WeightScale applied
	bias         []float32
	rows         []float32 // op.PanelWidth output channels in file order
	whole        []float32 // the weight blob, for orders that scatter an output's elements
	factor       []float32 // of int8 panels, per output channel
}

// New prepares the packing of p: it reads biases and folded factors.
func New(p *op.Panels) (*Packer, error) {
	if p.Int8 != nil {
		return newInt8(p)
	}
	if p.Type != op.F32 && p.Type != op.F16 {
		return nil, fmt.Errorf("BUG: panels of %q have element type %s, which has no packing", p.Name, p.Type)
	}
	k := &Packer{p: p, scale: make([]float64, p.N), shift: make([]float64, p.N), bias: make([]float32, p.N)}
	ws, bs := factor(p.WeightScale), factor(p.BiasScale)
	if p.Bias != nil {
		if err := p.Bias.ReadFloat32(k.bias, p.BiasAt); err != nil {
			return nil, err
		}
	}
	for i := range k.scale {
		k.scale[i] = ws
		k.shift[i] = float64(k.bias[i]) * bs
	}
	for _, affine := range p.Fold {
		scale, shift, err := affine()
		if err != nil {
			return nil, err
		}
		if len(scale) != p.N || len(shift) != p.N {
			return nil, fmt.Errorf("BUG: %q folds %d factors and %d shifts into %d channels", p.Name, len(scale), len(shift), p.N)
		}
		for i := range scale {
			k.scale[i] *= scale[i]
			k.shift[i] = k.shift[i]*scale[i] + shift[i]
		}
	}
	return k, k.arrange()
}

// arrange makes room for weights, and reads all of them where a panel's are scattered.
func (k *Packer) arrange() error {
	p := k.p
	if p.Order == op.OutChanTap {
		k.rows = make([]float32, op.PanelWidth*p.K())
		return nil
	}
	k.whole = make([]float32, p.N*p.K())
	return p.Weight.ReadFloat32(k.whole, p.First)
}

func factor(f float64) float64 {
	if f == 0 {
		return 1
	}
	return f
}

// Panel writes panel i to dst, which has PanelBytes bytes.
func (k *Packer) Panel(i int, dst []byte) error {
	p := k.p
	if p.Int8 != nil {
		return k.int8Panel(i, dst)
	}
	first := i * op.PanelWidth
	n := min(op.PanelWidth, p.N-first)
	K := p.K()
	clear(dst)
	for j := range n {
		put(dst, j, float32(k.shift[first+j]))
	}
	weights := dst[4*op.PanelWidth:]
	if p.Order == op.OutChanTap {
		if err := p.Weight.ReadFloat32(k.rows[:n*K], p.First+first*K); err != nil {
			return err
		}
	}
	for j := range n {
		scale := k.scale[first+j]
		for c := range p.Chans {
			for t := range p.Taps {
				w := k.element(first, j, c, t)
				if scale != 1 {
					w = float32(float64(w) * scale)
				}
				at := op.PanelWidth*(t*p.Chans+c) + j
				if p.Type == op.F32 {
					put(weights, at, w)
				} else if err := putHalf(weights, at, w); err != nil {
					return fmt.Errorf("%w (output channel %d, input channel %d, tap %d)", err, first+j, c, t)
				}
			}
		}
	}
	return nil
}

// element is the weight of output channel first+j, input channel c, tap t.
func (k *Packer) element(first, j, c, t int) float32 {
	p := k.p
	switch p.Order {
	case op.ChanTapOut:
		return k.whole[(c*p.Taps+t)*p.N+first+j]
	case op.ChanOutTap:
		return k.whole[(c*p.N+first+j)*p.Taps+t]
	}
	return k.rows[j*p.K()+c*p.Taps+t]
}

func put(dst []byte, i int, v float32) {
	binary.LittleEndian.PutUint32(dst[4*i:], math.Float32bits(v))
}

// putHalf rounds to the nearest float16; what the file holds as such stays as it is.
func putHalf(dst []byte, i int, v float32) error {
	h := ir.FloatToHalf(v)
	if h&0x7fff == 0x7c00 && math.Abs(float64(v)) <= math.MaxFloat32 {
		return fmt.Errorf("%g is beyond the range of fp16, which ends at %d", v, ir.MaxHalf)
	}
	binary.LittleEndian.PutUint16(dst[2*i:], h)
	return nil
}

// Const writes a const array to dst, which has c.Bytes() bytes.
func Const(c *op.Const, dst []byte) error {
	clear(dst)
	if c.Packed != nil {
		k, err := New(c.Packed)
		if err != nil {
			return err
		}
		size := c.Packed.PanelBytes()
		for i := range c.Packed.Count() {
			if err := k.Panel(i, dst[i*size:][:size]); err != nil {
				return err
			}
		}
		return nil
	}
	v := make([]float32, c.Len)
	if err := c.Fill(v); err != nil {
		return err
	}
	for i, f := range v {
		switch c.Type {
		case op.I8:
			dst[i] = byte(int8(f))
		case op.F16:
			if err := putHalf(dst, i, f); err != nil {
				return fmt.Errorf("%w (element %d)", err, i)
			}
		default:
			put(dst, i, f)
		}
	}
	return nil
}
