package layer

import (
	"fmt"

	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/diag"
)

func init() {
	Register(&Def{
		Type: "MemoryData", Index: 19, MinIn: 0, MaxIn: 0, MinOut: 1, MaxOut: 1,
		Params: append([]ParamDef{{21, "load_type", Int, "1 (default): float32 without a tag, 0: tagged"}}, sizeParams...),
		Check: func(l *ir.Layer, d *diag.List) {
			if sizeOf(l).Len() <= 0 {
				d.Layerf(l, "has no elements")
			}
		},
		Weights: func(l *ir.Layer) []WeightDef {
			return []WeightDef{{Name: "data", Count: sizeOf(l).Len(), Tagged: l.Params.Int(21, 1) == 0}}
		},
		Shape: func(c *ShapeCall) ([]ir.Shape, error) {
			s := sizeOf(c.Layer)
			if s.Len() == 0 {
				return nil, fmt.Errorf("has no elements")
			}
			return one(s), nil
		},
		Eval: func(c *EvalCall) error {
			v, err := c.Weight("data")
			copy(c.Out[0].Data, v)
			return err
		},
		Lower: func(b *Builder) error {
			s := b.Layer.Outputs[0].Shape
			b.Set(0, Value{Tensor: b.WeightConst("data", s.Axes()), Shape: s, Layout: Planar})
			return nil
		},
	})
}
