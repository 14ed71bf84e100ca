package layer

import (
	"fmt"

	"github.com/flexnnc/flexnnc/ir"
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
			v, s := b.In(0, Planar), b.Layer.Outputs[0].Shape
			k := b.Layer.Params.Int(0, 0)
			row, column := max(-k, 0), max(k, 0)
			index := make([]int, s.Len())
			for i := range index {
				if v.Shape.Dims == 2 {
					index[i] = (row+i)*v.Shape.W + column + i
				} else if y, x := i/s.W, i%s.W; y-row == x-column && y >= row && y-row < v.Shape.W {
					index[i] = y - row
				} else {
					index[i] = -1
				}
			}
			b.gather("diagonal", 1, index, 0, b.Output(0, Planar), v.Tensor)
			return nil
		},
	})
}
