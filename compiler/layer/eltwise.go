package layer

import (
	"fmt"
	"math"

	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/diag"
	"github.com/flexnnc/flexnnc/ir/lane"
	"github.com/flexnnc/flexnnc/ir/op"
)

func init() {
	Register(&Def{
		Type: "Eltwise", Index: 10, MinIn: 2, MaxIn: -1, MinOut: 1, MaxOut: 1,
		Params: []ParamDef{
			{0, "op_type", Int, "0 product, 1 sum, 2 maximum"},
			{1, "coeffs", FloatArray, "sum: a factor per input"},
		},
		Check: func(l *ir.Layer, d *diag.List) {
			if t := l.Params.Int(0, 0); t < 0 || t > 2 {
				d.Layerf(l, "unknown op_type %d", t)
			}
			if c := l.Params.Floats(1); len(c) != 0 && len(c) < len(l.Inputs) && l.Params.Int(0, 0) == 1 {
				d.Layerf(l, "%d coeffs for %d inputs", len(c), len(l.Inputs))
			}
		},
		Shape: func(c *ShapeCall) ([]ir.Shape, error) {
			for _, s := range c.In[1:] {
				if s != c.In[0] {
					return nil, fmt.Errorf("inputs %v and %v differ in shape", c.In[0], s)
				}
			}
			return same(c)
		},
		Eval: func(c *EvalCall) error {
			y, coeffs := c.Out[0].Data, c.Layer.Params.Floats(1)
			for i := range y {
				v := 0.0
				for k, in := range c.In {
					x := in.Data[i]
					if c.Layer.Params.Int(0, 0) == 1 && len(coeffs) > 0 {
						x *= float64(coeffs[k])
					}
					switch {
					case k == 0:
						v = x
					case c.Layer.Params.Int(0, 0) == 0:
						v *= x
					case c.Layer.Params.Int(0, 0) == 1:
						v += x
					default:
						v = math.Max(v, x)
					}
				}
				y[i] = v
			}
			return nil
		},
		Lower: lowerEltwise,
	})
}

func lowerEltwise(b *Builder) error {
	l := b.Layer
	coeffs := l.Params.Floats(1)
	kind := l.Params.Int(0, 0)
	if kind != 1 {
		coeffs = nil
	}
	layout := b.commonLayout()
	var in []*op.Tensor
	for i := range l.Inputs {
		in = append(in, b.In(i, layout).Tensor)
	}
	out := b.Output(0, layout)
	if len(in) == 2 && len(coeffs) == 0 {
		binaryMap(b, binaryOps[[]int{2, 0, 4}[kind]], out, in[0], in[1])
		return nil
	}
	name := fmt.Sprintf("eltwise_%s_%d", []string{"product", "sum", "max"}[kind], len(in))
	for _, c := range coeffs {
		name += "_" + digits(c)
	}
	p := lane.New(name)
	var v lane.Reg
	for k := range in {
		x := p.Vec()
		switch {
		case k == 0 && len(coeffs) > 0:
			v = p.Mul(x, p.F(coeffs[0]))
		case k == 0:
			v = x
		case len(coeffs) > 0:
			v = p.FMA(x, p.F(coeffs[k]), v)
		case kind == 0:
			v = p.Mul(v, x)
		case kind == 1:
			v = p.Add(v, x)
		default:
			v = p.Max(x, v)
		}
	}
	b.Map(p.Return(v), out, in...)
	return nil
}
