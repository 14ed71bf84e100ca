package layer

import (
	"fmt"

	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/op"
)

func init() {
	Register(&Def{
		Type: "Diag", Index: 101, MinIn: 1, MaxIn: 1, MinOut: 1, MaxOut: 1,
		Params: []ParamDef{{0, "diagonal", Int, "0 the main one, positive above, negative below"}},
		Shape: func(c *ShapeCall) ([]ir.Shape, error) {
			k, s := c.Layer.Params.Int(0, 0), c.In[0]
			switch s.Dims {
			case 1:
				n := s.W + max(k, -k)
				return one(ir.Shape2(n, n)), nil
			case 2:
				n := min(s.H+min(k, 0), s.W-max(k, 0))
				if n < 1 {
					return nil, fmt.Errorf("%v has no diagonal %d", s, k)
				}
				return one(ir.Shape1(n)), nil
			}
			return nil, fmt.Errorf("input of rank %d", s.Dims)
		},
		Eval: func(c *EvalCall) error {
			k := c.Layer.Params.Int(0, 0)
			row, column := max(-k, 0), max(k, 0)
			vector, matrix := c.In[0], c.Out[0]
			if vector.Shape.Dims == 2 {
				vector, matrix = matrix, vector
			}
			for i := range vector.Data {
				m, v := matrix.At(0, 0, row+i, column+i), &vector.Data[i]
				if c.In[0].Shape.Dims == 2 {
					m, v = v, m
				}
				*m = *v
			}
			return nil
		},
		Lower: func(b *Builder) error {
			v := b.In(0, Planar)
			k, toMatrix := b.Layer.Params.Int(0, 0), 0
			if v.Shape.Dims == 1 {
				toMatrix = 1
			}
			b.Call("diagonal", []int{max(-k, 0), max(k, 0), toMatrix}, nil, []*op.Tensor{b.Output(0, Planar)}, v.Tensor)
			return nil
		},
	})
}
