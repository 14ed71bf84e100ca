package layer

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"sync"

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

// int8Conv is what makes a convolution one of int8.
type int8Conv struct {
	scale    float32 // of its input
	integers bool    // a layer before it has made integers of the input already
	rounded  *op.Rounded
}

// int8Of reads a layer's input scale.
func (b *Builder) int8Of(integers bool) (*int8Conv, error) {
	s, err := b.Layer.Weight("input_scale").Float32s()
	if err != nil {
		return nil, err
	}
	if s[0] == 0 || s[0]-s[0] != 0 {
		return nil, fmt.Errorf("input scale %v", s[0])
	}
	return &int8Conv{scale: s[0], integers: integers}, nil
}

// int8Input is x as an int8 tensor whose channels, its innermost axis, are padded to
// a multiple of four. A tensor is quantised once for all that read it so.
func (b *Builder) int8Input(x *op.Tensor, c *int8Conv) *op.Tensor {
	scale := c.scale
	if c.integers {
		scale = 1
	}
	key := rounded{x, scale}
	if q := b.quantized[key]; q != nil {
		return q
	}
	dims := append([]int{}, x.Dims...)
	dims[len(dims)-1] = op.Fours(dims[len(dims)-1])
	q := b.NewTensor(x.Name+"/int8", op.I8, dims)
	b.Add(&op.Op{Kind: op.Quantize, In: []*op.Tensor{x}, Out: []*op.Tensor{q}, Quantize: scale})
	b.quantized[key] = q
	return q
}

// quantize appends the Map that makes integers, held as float32, of x.
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

// panels makes p hold a layer's weights as int8: n output channels of all.
func (c *int8Conv) panels(l *ir.Layer, p *op.Panels, all int, depthwise bool) {
	scales := l.Weight("weight_scales")
	if p.Weight.Storage != ir.StoreI8 {
		p.Weight = quantizedWeight(p.Weight, scales)
	}
	p.Type = op.I8
	p.Int8 = &op.Int8{Input: c.scale, Scales: scales, Per: max(all/scales.Count, 1), First: p.First / p.K(), Depthwise: depthwise}
}

// int8Epilogue is what an int8 convolution does to each result: its activation, and
// for an int8 output the rounding, to integers that stay float32 here.
func int8Epilogue(b *Builder) (*lane.Program, *op.Rounded, error) {
	before, err := convEpilogue(b)
	w := b.Layer.Weight("output_scale")
	if err != nil || w == nil {
		return before, nil, err
	}
	scale, err := w.Float32s()
	if err != nil {
		return nil, nil, err
	}
	p := lane.New("quantize_" + digits(scale[0]))
	whole := p.Return(roundInt8(p, p.Mul(p.Vec(), p.F(scale[0]))))
	if before != nil {
		whole = lane.Compose(whole, 0, before)
	}
	b.markInt8(0)
	return whole, &op.Rounded{Whole: whole, Before: before, Scale: scale[0]}, nil
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

// rearranged is a weight blob of numbers that w holds, in another order or with
// zeros among them: fill gets w's and zeros to overwrite. It is float16 where w is.
func rearranged(w *ir.Weight, name string, count int, fill func(from, to []float32)) *ir.Weight {
	storage := ir.StoreF32
	if w.Storage == ir.StoreF16 {
		storage = ir.StoreF16
	}
	return computedWeight(name, count, storage, func() ([]byte, error) {
		from, err := w.Float32s()
		if err != nil {
			return nil, err
		}
		to := make([]float32, count)
		fill(from, to)
		data := make([]byte, 0, 4*count)
		for _, v := range to {
			if storage == ir.StoreF16 {
				data = binary.LittleEndian.AppendUint16(data, ir.FloatToHalf(v))
			} else {
				data = binary.LittleEndian.AppendUint32(data, math.Float32bits(v))
			}
		}
		return data, nil
	})
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
