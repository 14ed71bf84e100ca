package layer

import (
	"fmt"
	"sort"

	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/op"
)

func init() {
	Register(&Def{
		Type: "ArgMax", Index: 1, MinIn: 1, MaxIn: 1, MinOut: 1, MaxOut: 1,
		Params: []ParamDef{{0, "out_max_val", Int, "1: values in a row above the indices"}, {1, "topk", Int, "default 1"}},
		Shape: func(c *ShapeCall) ([]ir.Shape, error) {
			k := c.Layer.Params.Int(1, 1)
			if k < 1 || k > c.In[0].Len() {
				return nil, fmt.Errorf("the %d largest of %d", k, c.In[0].Len())
			}
			if c.Layer.Params.Int(0, 0) != 0 {
				return one(ir.Shape2(k, 2)), nil
			}
			return one(ir.Shape2(k, 1)), nil
		},
		Eval: func(c *EvalCall) error {
			x, k := c.In[0].Data, c.Out[0].Shape.W
			order := make([]int, len(x))
			for i := range order {
				order[i] = i
			}
			// Of equal values the one with the larger index comes first.
			sort.Slice(order, func(i, j int) bool {
				a, b := order[i], order[j]
				return x[a] > x[b] || x[a] == x[b] && a > b
			})
			for i := range k {
				if c.Out[0].Shape.H == 2 {
					c.Out[0].Data[i], c.Out[0].Data[k+i] = x[order[i]], float64(order[i])
				} else {
					c.Out[0].Data[i] = float64(order[i])
				}
			}
			return nil
		},
		Lower: func(b *Builder) error {
			s := b.Layer.Outputs[0].Shape
			b.Call("argmax", []int{b.Layer.Inputs[0].Shape.Len(), s.W, s.H - 1}, nil, []*op.Tensor{b.Output(0, Planar)}, b.In(0, Planar).Tensor)
			return nil
		},
	})
}
