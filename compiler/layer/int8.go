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
	return 1 / float64(float32(input)*float32(weight))
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
			v := y[o*size+i] * s
			if bias != nil {
				v += bias[o]
			}
			v = act(v)
			if output != nil {
				v = quantized(v, output[0])
			}
			y[o*size+i] = v
		}
	}
	return nil
}

// quantize appends the Map that makes integers (held as float32) of x: exact
// sums up to 2^24 follow from float32 arithmetic on them.
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

// int8Panels makes p hold dequantised int8 weights, input scale included, for the
// output channels from the first-th on, and the bias.
func int8Panels(l *ir.Layer, p *op.Panels, first int) error {
	ws := l.Weight("weight_scales")
	is, err := l.Weight("input_scale").Float32s()
	if err != nil {
		return err
	}
	if p.Weight.Storage != ir.StoreI8 {
		p.Weight = quantizedWeight(p.Weight, ws)
	}
	total := l.Params.Int(0, 0)
	p.Fold = []op.Affine{func() (scale, shift []float64, err error) {
		scales, err := ws.Float32s()
		if err != nil {
			return nil, nil, err
		}
		scale, shift = make([]float64, p.N), make([]float64, p.N)
		per := max(total/len(scales), 1)
		for i := range scale {
			scale[i] = dequantScale(float64(is[0]), float64(scales[min((first+i)/per, len(scales)-1)]))
		}
		if bias := l.Weight("bias"); bias != nil {
			v := make([]float32, p.N)
			if err := bias.ReadFloat32(v, first); err != nil {
				return nil, nil, err
			}
			for i := range v {
				shift[i] = float64(v[i])
			}
		}
		return scale, shift, nil
	}}
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
