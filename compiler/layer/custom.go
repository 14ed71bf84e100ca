package layer

import (
	"errors"
	"fmt"

	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/diag"
	"github.com/flexnnc/flexnnc/ir/op"
)

// custom defines the layers that a Go function of the user's computes. They have
// no weights in the .bin, and no reference.
var custom = &Def{
	MinIn: 1, MaxIn: -1, MinOut: 1, MaxOut: -1,
	Check: func(l *ir.Layer, d *diag.List) {
		for _, p := range l.Params {
			if p.Kind == ir.ParamString {
				d.Add(diag.Diagnostic{Pos: p.Pos, Layer: l.Name, Text: fmt.Sprintf("parameter %d is the string %q; a Go function is given numbers only", p.ID, p.Str)})
			}
		}
	},
	Shape: customShape,
	Eval: func(*EvalCall) error {
		return errors.New("a Go function of the user's computes it, which the float64 interpreter cannot call")
	},
	Lower: func(b *Builder) error {
		var in, out []*op.Tensor
		for i := range b.Layer.Inputs {
			t := b.In(i, Planar).Tensor
			if t.Type != op.F32 {
				return fmt.Errorf("input %q holds %s, and a Go function is given f32", b.Layer.Inputs[i].Name, t.Type)
			}
			in = append(in, t)
		}
		for i := range b.Layer.Outputs {
			out = append(out, b.Output(i, Planar))
		}
		b.Add(&op.Op{Kind: op.Call, Name: b.Layer.Name, Call: &op.CallAttr{Func: "custom", Custom: b.Layer}, In: in, Out: out})
		return nil
	},
}

// customShape follows the rule that the user gave, and where he gave none takes
// the first input's shape, unless the file has hints that say otherwise.
func customShape(c *ShapeCall) ([]ir.Shape, error) {
	l, out := c.Layer, make([]ir.Shape, len(c.Layer.Outputs))
	for i := range out {
		hint := ir.Shape{}
		if i < len(l.Hints) {
			hint = l.Hints[i]
		}
		switch rule := l.Custom.Rule; {
		case rule == ir.CustomFixed:
			out[i] = l.Custom.Shape
		case rule == ir.CustomHint && !hint.Known():
			return nil, fmt.Errorf("the file has no shape hint for output %q; give --custom-shape %s=same or %[2]s=W,H,C", l.Outputs[i].Name, l.Type)
		case rule == ir.CustomHint:
			out[i] = hint
		case rule == ir.CustomUnsaid && hint.Known() && hint != c.In[0]:
			return nil, fmt.Errorf("the shape of output %q is not known: the file's hint is %v, and the first input has %v; give --custom-shape %s=same, %[4]s=hint or %[4]s=W,H,C",
				l.Outputs[i].Name, hint, c.In[0], l.Type)
		default:
			out[i] = c.In[0]
		}
	}
	return out, nil
}

// Of finds the definition of a layer, its type being ncnn's own or custom; nil
// where there is none.
func Of(l *ir.Layer) *Def {
	if l.Custom != nil {
		return custom
	}
	return byType[l.Type]
}
