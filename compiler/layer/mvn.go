package layer

import (
	"fmt"
	"math"

	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/lane"
)

func init() {
	Register(&Def{
		Type: "MVN", Index: 20, MinIn: 1, MaxIn: 1, MinOut: 1, MaxOut: 1,
		Params: []ParamDef{
			{0, "normalize_variance", Int, "1: divide by the deviation"},
			{1, "across_channels", Int, "1: one mean for all channels"},
			{2, "eps", Float, "added to the deviation, default 0.0001"},
		},
		Shape: func(c *ShapeCall) ([]ir.Shape, error) {
			if s := c.In[0]; s.Dims < 3 { // as ncnn makes it
				return one(ir.Shape3(s.W, s.H, s.C)), nil
			}
			return same(c)
		},
		Eval: func(c *EvalCall) error {
			n := mvnRun(c.Layer, c.In[0].Shape)
			x, y := c.In[0].Data, c.Out[0].Data
			for at := 0; at < len(x); at += n {
				mean, variance := moments(x[at : at+n])
				f := 1.0
				if c.Layer.Params.Int(0, 0) != 0 {
					f = 1 / (math.Sqrt(variance) + float64(c.Layer.Params.Float(2, 0.0001)))
				}
				for i := at; i < at+n; i++ {
					y[i] = (x[i] - mean) * f
				}
			}
			return nil
		},
		Lower: func(b *Builder) error {
			n := mvnRun(b.Layer, b.Layer.Inputs[0].Shape)
			eps := b.Layer.Params.Float(2, 0.0001)
			b.normRows(n, func(r *rows) {
				mean := r.mean(n)
				if b.Layer.Params.Int(0, 0) == 0 {
					r.store("difference", func(p *lane.Builder, v []lane.Reg) lane.Reg { return p.Sub(v[0], v[1]) }, r.x(), mean)
					return
				}
				sum := r.reduce("square_of_difference_sum", lane.ReduceSum, false, func(p *lane.Builder, v []lane.Reg) lane.Reg {
					d := p.Sub(v[0], v[1])
					return p.Mul(d, d)
				}, r.x(), mean)
				f := r.scalar(fmt.Sprintf("inverse_mvn_%s_%s", digits(float32(n)), digits(eps)), func(p *lane.Builder, v []lane.Reg) lane.Reg {
					return p.Div(p.F(1), p.Add(p.Sqrt(p.Div(v[0], p.F(float32(n)))), p.F(eps)))
				}, sum)
				r.store("standardize", func(p *lane.Builder, v []lane.Reg) lane.Reg {
					return p.Mul(p.Sub(v[0], v[1]), v[2])
				}, r.x(), mean, f)
			})
			return nil
		},
	})
}

// mvnRun is how many elements share a mean: a channel's, or all.
func mvnRun(l *ir.Layer, s ir.Shape) int {
	if l.Params.Int(1, 0) != 0 || s.Dims < 3 {
		return s.Len()
	}
	return s.Len() / s.C
}
