package layer

import (
	"io"
	"sync"

	"fmt"
	"math"

	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/lane"
	"github.com/flexnnc/flexnnc/ir/op"
)

// quantized is v*scale as ncnn makes an int8 of it: the product in float32,
// rounded half away from zero, clamped to ±127.
func quantized(v, scale float64) float64 {
	r := math.Round(float64(float32(v) * float32(scale)))
	return math.Max(-127, math.Min(127, r))
}

// quantizeAll quantises n runs of equal length, run i by scales[i], or all by
// scales[0] where there is only one.
func quantizeAll(x, scales []float64) []float64 {
	q := make([]float64, len(x))
	run := max(len(x)/len(scales), 1)
	for i, v := range x {
		q[i] = quantized(v, scales[min(i/run, len(scales)-1)])
	}
	return q
}

// int8Weights gives a layer's weights as integers: as stored, or quantised at load
// with one scale per run of outputs where the file holds floats.
func int8Weights(l *ir.Layer, weight, scales []float64) []float64 {
	if w := l.Weight("weight"); w != nil && w.Storage == ir.StoreI8 {
		return weight
	}
	return quantizeAll(weight, scales)
}

// dequantScale is the factor from int32 accumulators back to float32.
func dequantScale(input, weight float64) float64 {
	if weight == 0 {
		return 0
	}
	return float64(1 / (float32(input) * float32(weight)))
}

// evalConvInt8 computes in integers: quantised input times quantised weights, then
// back to float for bias and activation, then to int8 for int8_scale_term > 100.
func evalConvInt8(c *EvalCall, g conv, weight, bias []float64, act func(float64) float64) error {
	scales, err := c.Weight("weight_scales")
	if err != nil {
		return err
	}
	input, err := c.Weight("input_scale")
	if err != nil {
		return err
	}
	var output []float64
	if c.Layer.Params.Int(8, 0) > 100 {
		if output, err = c.Weight("output_scale"); err != nil {
			return err
		}
		c.Out[0].Type = op.I8
	}
	x := c.In[0].Data
	if c.In[0].Type != op.I8 {
		x = quantizeAll(x, input)
	}
	y := c.Out[0].Data
	g.eval(x, int8Weights(c.Layer, weight, scales), nil, y)
	if len(scales) < 1 {
		return fmt.Errorf("no weight scales")
	}
	size := len(y) / g.outC
	per := max(g.outC/len(scales), 1) // outputs per scale
	for o := range g.outC {
		s := dequantScale(input[0], scales[min(o/per, len(scales)-1)])
		for i := range size {
			// In float32, because the rounding to int8 shows its last bit.
			v32 := float32(float32(y[o*size+i]) * float32(s)) // the conversion forbids fusing
			if bias != nil {
				v32 = v32 + float32(bias[o])
			}
			v := act(float64(v32))
			if output != nil {
				v = quantized(v, output[0])
			}
			y[o*size+i] = v
		}
	}
	return nil
}

// quantize appends the Map that makes integers (held as float32) of x: float32
// sums of their products are exact up to 2^24.
func quantize(b *Builder, x *op.Tensor, name string, scale float32) *op.Tensor {
	p := lane.New("quantize_" + digits(scale))
	q := b.NewTensor(name, op.F32, x.Dims)
	b.Map(p.Return(roundInt8(p, p.Mul(p.Vec(), p.F(scale)))), q, x)
	return q
}

// roundInt8 rounds half away from zero and clamps to ±127.
func roundInt8(p *lane.Builder, x lane.Reg) lane.Reg {
	x = p.Min(p.F(127), p.Max(p.F(-127), x))
	a := p.Abs(x)
	t := p.Trunc(a)
	up := p.Sel(p.Lt(p.Sub(a, t), p.F(0.5)), p.F(0), p.F(1))
	return p.Or(p.Add(t, up), p.And(x, p.I(1<<31)))
}

// int8Panels makes p hold a layer's weights as integers, and no bias.
func int8Panels(l *ir.Layer, p *op.Panels) {
	if p.Weight.Storage != ir.StoreI8 {
		p.Weight = quantizedWeight(p.Weight, l.Weight("weight_scales"))
	}
	p.Bias = nil
}

// dequantize appends the Map from exact integer sums to the layer's output: times
// the scale of the output channel, plus bias, activation, and for an int8 output
// the rounding. The steps are those of ncnn, in float32, because a rounding to
// int8 shows their last bits; so the scales must not be folded into weights.
func dequantize(b *Builder, sum, out *op.Tensor, n int, activationID int) error {
	l := b.Layer
	act, ok, err := activation(l, activationID, activationID+1)
	if err != nil {
		return err
	}
	input, err := l.Weight("input_scale").Float32s()
	if err != nil {
		return err
	}
	ws := l.Weight("weight_scales")
	per := max(n/ws.Count, 1)
	scale := b.Const(l.Name+"/scale", []int{n}, func(dst []float32) error {
		v, err := ws.Float32s()
		if err != nil {
			return err
		}
		for i := range dst {
			dst[i] = float32(dequantScale(float64(input[0]), float64(v[min(i/per, len(v)-1)])))
		}
		return nil
	})
	in := []*op.Tensor{sum, scale}
	name := "dequantize_" + operandKind(scale, out)
	if l.Weight("bias") != nil {
		in = append(in, b.WeightConst("bias", []int{n}))
		name += operandKind(in[2], out)
	}
	if ok {
		name += "_" + act.name
	}
	var output []float32
	if w := l.Weight("output_scale"); w != nil {
		if output, err = w.Float32s(); err != nil {
			return err
		}
		name += "_quantize_" + digits(output[0])
		b.markInt8(0)
	}
	p := lane.New(name)
	v := p.Vec()
	v = p.Mul(v, operand(p, scale, out))
	if len(in) > 2 {
		v = p.Add(v, operand(p, in[2], out))
	}
	if ok {
		v = act.lane(p, v)
	}
	if output != nil {
		v = roundInt8(p, p.Mul(v, p.F(output[0])))
	}
	b.Map(p.Return(v), out, in...)
	return nil
}

// quantizedWeight is a float weight blob quantised at load, as a blob of int8.
func quantizedWeight(w, scales *ir.Weight) *ir.Weight {
	return computedWeight(w.Name, w.Count, ir.StoreI8, func() ([]byte, error) {
		v, err := w.Float32s()
		if err != nil {
			return nil, err
		}
		s, err := scales.Float32s()
		if err != nil {
			return nil, err
		}
		b := make([]byte, len(v))
		run := max(len(v)/len(s), 1)
		for i := range v {
			b[i] = byte(int8(quantized(float64(v[i]), float64(s[min(i/run, len(s)-1)]))))
		}
		return b, nil
	})
}

// computedWeight is a weight blob that is not in the file as such: its bytes are
// made when they are first read.
func computedWeight(name string, count int, storage ir.Storage, bytes func() ([]byte, error)) *ir.Weight {
	return &ir.Weight{Name: name, Count: count, Storage: storage, Source: &computed{make: bytes}}
}

type computed struct {
	make func() ([]byte, error)
	once sync.Once
	data []byte
	err  error
}

// ReadAt implements io.ReaderAt.
func (c *computed) ReadAt(p []byte, at int64) (int, error) {
	c.once.Do(func() { c.data, c.err = c.make() })
	if c.err != nil {
		return 0, c.err
	}
	n := copy(p, c.data[min(at, int64(len(c.data))):])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}
