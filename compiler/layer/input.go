package layer

import (
	"fmt"

	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/op"
)

func init() {
	Register(&Def{
		Type: "Input", Index: 16, MinIn: 0, MaxIn: 0, MinOut: 1, MaxOut: 1,
		Params: sizeParams,
		Shape: func(c *ShapeCall) ([]ir.Shape, error) {
			if s := c.Layer.Outputs[0].Shape; s.Known() { // given by the user
				return one(s), nil
			}
			s := sizeOf(c.Layer)
			if s.Len() == 0 {
				return nil, fmt.Errorf("input %q has no shape in the file: it has to be given", c.Layer.Outputs[0].Name)
			}
			return one(s), nil
		},
		Eval: func(c *EvalCall) error { return fmt.Errorf("BUG: an Input layer was evaluated") },
		Lower: func(b *Builder) error {
			blob := b.Layer.Outputs[0]
			layout := ChannelsLast
			if blob.Shape.Dims == 2 {
				layout = Planar // rows, as they come
			}
			t := b.Output(0, layout)
			if blob.Ints || WantsWords(blob) {
				t.Type = op.I32
			}
			perm := make([]int, blob.Shape.Dims)
			for i := range perm {
				perm[physicalAxis(b.values[blob], i)] = i
			}
			b.Add(&op.Op{Kind: op.Input, Out: []*op.Tensor{t}, Port: &op.Port{Blob: blob, Shape: blob.Shape, Perm: perm}})
			return nil
		},
	})
}

var sizeParams = []ParamDef{
	{0, "w", Int, "width, 0 for none"},
	{1, "h", Int, "height"},
	{11, "d", Int, "depth"},
	{2, "c", Int, "channels"},
}

// sizeOf reads the four sizes of Input and MemoryData; those that are 0 are
// absent. The zero Shape is "none".
func sizeOf(l *ir.Layer) ir.Shape {
	w, h, d, c := l.Params.Int(0, 0), l.Params.Int(1, 0), l.Params.Int(11, 0), l.Params.Int(2, 0)
	switch {
	case w < 0 || h < 0 || d < 0 || c < 0:
		return ir.Shape{}
	case d != 0:
		return ir.Shape4(w, h, d, c)
	case c != 0:
		return ir.Shape3(w, h, c)
	case h != 0:
		return ir.Shape2(w, h)
	case w != 0:
		return ir.Shape1(w)
	}
	return ir.Shape{}
}
