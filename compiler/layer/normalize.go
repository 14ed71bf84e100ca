package layer

import (
	"fmt"
	"math"

	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/lane"
	"github.com/flexnnc/flexnnc/ir/op"
)

func init() {
	Register(&Def{
		Type: "Normalize", Index: 46, MinIn: 1, MaxIn: 1, MinOut: 1, MaxOut: 1,
		Params: []ParamDef{
			{0, "across_spatial", Int, "1: one norm over all pixels"},
			{4, "across_channel", Int, "1 (default): one norm over all channels"},
			{1, "channel_shared", Int, "1: one factor for all channels"},
			{2, "eps", Float, "default 0.0001"},
			{9, "eps_mode", Int, "0 sqrt(s+eps), 1 max(sqrt(s),eps), 2 sqrt(max(s,eps))"},
			{3, "scale_data_size", Int, ""},
		},
		Weights: func(l *ir.Layer) []WeightDef { return []WeightDef{{Name: "scale", Count: l.Params.Int(3, 0)}} },
		Shape: func(c *ShapeCall) ([]ir.Shape, error) {
			p := c.Layer.Params
			if mode := p.Int(9, 0); mode < 0 || mode > 2 {
				return nil, fmt.Errorf("unknown eps_mode %d", mode)
			}
			if n := p.Int(3, 0); c.In[0].Dims < 3 || n != c.In[0].C && !(n >= 1 && p.Int(1, 0) != 0) {
				return nil, fmt.Errorf("%d factors for %v", n, c.In[0])
			}
			return same(c)
		},
		Eval:  evalNormalize,
		Lower: lowerNormalize,
	})
}

func evalNormalize(c *EvalCall) error {
	p, s := c.Layer.Params, c.In[0].Shape
	scale, err := c.Weight("scale")
	if err != nil {
		return err
	}
	size := s.Len() / s.C
	spatial, across := p.Int(0, 0) != 0, p.Int(4, 1) != 0
	// Elements with the same key share a norm.
	key := func(q, i int) int {
		switch {
		case spatial && across:
			return 0
		case spatial:
			return q
		case across:
			return i
		}
		return -1
	}
	sums := make([]float64, max(size, s.C))
	for k, x := range c.In[0].Data {
		if g := key(k/size, k%size); g >= 0 {
			sums[g] += x * x
		}
	}
	eps := float64(p.Float(2, 0.0001))
	for k, x := range c.In[0].Data {
		q := k / size
		g := key(q, k%size)
		if g < 0 { // neither: ncnn leaves the blob alone
			c.Out[0].Data[k] = x
			continue
		}
		norm := math.Sqrt(sums[g] + eps)
		switch p.Int(9, 0) {
		case 1:
			norm = math.Max(math.Sqrt(sums[g]), eps)
		case 2:
			norm = math.Sqrt(math.Max(sums[g], eps))
		}
		f := scale[0]
		if p.Int(1, 0) == 0 {
			f = scale[q]
		}
		c.Out[0].Data[k] = x / norm * f
	}
	return nil
}

func lowerNormalize(b *Builder) error {
	l := b.Layer
	p, s := l.Params, l.Inputs[0].Shape
	spatial, across := p.Int(0, 0) != 0, p.Int(4, 1) != 0
	if !spatial && !across {
		b.Alias(0, 0)
		return nil
	}
	eps, mode := p.Float(2, 0.0001), p.Int(9, 0)
	factor := func(r *rows) op.Source {
		sum := r.reduce("square_sum", lane.ReduceSum, false, square, r.x())
		return r.scalar(fmt.Sprintf("inverse_norm_%d_%s", mode, digits(eps)), func(p *lane.Builder, v []lane.Reg) lane.Reg {
			var norm lane.Reg
			switch mode {
			case 1:
				norm = p.Max(p.F(eps), p.Sqrt(v[0]))
			case 2:
				norm = p.Sqrt(p.Max(p.F(eps), v[0]))
			default:
				norm = p.Sqrt(p.Add(v[0], p.F(eps)))
			}
			return p.Div(p.F(1), norm)
		}, sum)
	}
	scale := func(dims []int) *op.Tensor {
		w := l.Weight("scale")
		return b.Const(l.Name+"/scale", dims, func(dst []float32) error {
			if p.Int(1, 0) == 0 {
				return w.ReadFloat32(dst, 0)
			}
			if err := w.ReadFloat32(dst[:1], 0); err != nil {
				return err
			}
			for i := range dst {
				dst[i] = dst[0]
			}
			return nil
		})
	}
	if !spatial {
		r := newRows(b, b.In(0, ChannelsLast).Tensor)
		f := factor(r)
		r.store("product_of_three", func(p *lane.Builder, v []lane.Reg) lane.Reg {
			return p.Mul(p.Mul(v[0], v[1]), v[2])
		}, r.x(), f, r.vector(scale([]int{s.C})))
		r.end(l.Name, b.Output(0, ChannelsLast))
		return nil
	}
	n := s.Len()
	if !across {
		n /= s.C
	}
	b.normRows(n, func(r *rows) { r.store("product", times, r.x(), factor(r)) })
	v := b.values[l.Outputs[0]]
	binaryMap(b, binaryOps[2], b.Output(0, v.Layout), v.Tensor, scale(channelDims(v)))
	return nil
}
