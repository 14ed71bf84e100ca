package layer

import (
	"fmt"

	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/lane"
)

func init() {
	Register(&Def{
		Type: "GLU", Index: 94, MinIn: 1, MaxIn: 1, MinOut: 1, MaxOut: 1,
		Params: []ParamDef{{0, "axis", Int, "the axis whose second half gates the first, default 0"}},
		Shape: func(c *ShapeCall) ([]ir.Shape, error) {
			ax, err := softmaxAxis(c.Layer, c.In[0])
			if err != nil {
				return nil, err
			}
			axes := c.In[0].Axes()
			if axes[ax]%2 != 0 {
				return nil, fmt.Errorf("%d elements on axis %d have no halves", axes[ax], ax)
			}
			axes[ax] /= 2
			return one(ir.FromAxes(axes)), nil
		},
		Eval: func(c *EvalCall) error {
			ax, err := softmaxAxis(c.Layer, c.In[0].Shape)
			if err != nil {
				return err
			}
			outer, n, inner := around(c.In[0].Shape, ax)
			half := n / 2 * inner
			for o := range outer {
				for i := range half {
					c.Out[0].Data[o*half+i] = c.In[0].Data[2*o*half+i] * sigmoid64(c.In[0].Data[(2*o+1)*half+i])
				}
			}
			return nil
		},
		Lower: func(b *Builder) error {
			v := b.Any(0)
			ax, err := softmaxAxis(b.Layer, v.Shape)
			if err != nil {
				return err
			}
			out := b.Output(0, v.Layout)
			start := make([]int, len(out.Dims))
			x := b.Window(v.Tensor, b.Layer.Name+"/value", start, out.Dims)
			start[physicalAxis(v, ax)] = out.Dims[physicalAxis(v, ax)]
			gate := b.Window(v.Tensor, b.Layer.Name+"/gate", start, out.Dims)
			p := lane.New("gated")
			r := p.Vec()
			b.Map(p.Return(p.Mul(r, p.Sigmoid(p.Vec()))), out, x, gate)
			return nil
		},
	})
}
