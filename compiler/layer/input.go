package layer

import (
	"fmt"
	"strings"

	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/op"
)

func init() {
	Register(&Def{
		Type: "Input", Index: 16, MinIn: 0, MaxIn: 0, MinOut: 1, MaxOut: -1,
		Params: sizeParams,
		// Each output is an input of the network. Their shapes are those that the user
		// gave, or else the one in the file.
		Shape: func(c *ShapeCall) ([]ir.Shape, error) {
			var shapes []ir.Shape
			var missing []string
			for _, blob := range c.Layer.Outputs {
				s := blob.Shape
				if !s.Known() {
					s = sizeOf(c.Layer)
				}
				if s.Len() == 0 {
					missing = append(missing, fmt.Sprintf("%q", blob.Name))
				}
				shapes = append(shapes, s)
			}
			switch n := len(missing); {
			case n == 1:
				return nil, fmt.Errorf("input %s has no shape in the file: it has to be given", missing[0])
			case n > 1:
				return nil, fmt.Errorf("inputs %s have no shape in the file: they have to be given", strings.Join(missing, ", "))
			}
			return shapes, nil
		},
		Eval: func(c *EvalCall) error { return fmt.Errorf("BUG: an Input layer was evaluated") },
		Lower: func(b *Builder) error {
			for i := range b.Layer.Outputs {
				lowerInput(b, i)
			}
			return nil
		},
	})
}

// lowerInput makes output i a port.
func lowerInput(b *Builder, i int) {
	blob := b.Layer.Outputs[i]
	layout := ChannelsLast
	if blob.Shape.Dims == 2 {
		layout = Planar // rows, as they come
	}
	t := b.Output(i, layout)
	if blob.Ints || WantsWords(blob) {
		t.Type = op.I32
	}
	perm := make([]int, blob.Shape.Dims)
	for k := range perm {
		perm[physicalAxis(b.values[blob], k)] = k
	}
	b.Add(&op.Op{Kind: op.Input, Out: []*op.Tensor{t}, Port: &op.Port{Blob: blob, Shape: blob.Shape, Perm: perm}})
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
