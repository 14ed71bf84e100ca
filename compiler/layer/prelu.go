package layer

import (
	"fmt"

	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/lane"
)

func init() {
	Register(&Def{
		Type: "PReLU", Index: 23, MinIn: 1, MaxIn: 1, MinOut: 1, MaxOut: 1,
		Params:  []ParamDef{{0, "num_slope", Int, "1, or one per channel"}},
		Weights: func(l *ir.Layer) []WeightDef { return []WeightDef{{Name: "slope", Count: l.Params.Int(0, 0)}} },
		Shape: func(c *ShapeCall) ([]ir.Shape, error) {
			if n := c.Layer.Params.Int(0, 0); n != 1 && n != channels(c.In[0]) {
				return nil, fmt.Errorf("%d slopes for %d channels", n, channels(c.In[0]))
			}
			return same(c)
		},
		Eval: func(c *EvalCall) error {
			slope, err := c.Weight("slope")
			if err != nil {
				return err
			}
			_, _, inner := around(c.In[0].Shape, 0)
			for i, x := range c.In[0].Data {
				if x < 0 {
					x *= slope[min(i/inner, len(slope)-1)]
				}
				c.Out[0].Data[i] = x
			}
			return nil
		},
		Lower: func(b *Builder) error {
			v := b.Any(0)
			out := b.Output(0, v.Layout)
			dims := []int{1}
			if b.Layer.Params.Int(0, 0) > 1 {
				dims = channelDims(v)
			}
			slope := b.WeightConst("slope", dims)
			p := lane.New("prelu_" + operandKind(slope, out))
			x := p.Vec()
			s := operand(p, slope, out)
			b.Map(p.Return(p.Sel(p.Lt(x, p.F(0)), p.Mul(x, s), x)), out, v.Tensor, slope)
			return nil
		},
	})
}
