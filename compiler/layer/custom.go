package layer

import (
	"errors"
	"fmt"

	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/diag"
	"github.com/flexnnc/flexnnc/ir/op"
)

// custom defines the layers that a Go function of the user's computes. They have
// no reference.
var custom = &Def{
	MinIn: 1, MaxIn: -1, MinOut: 1, MaxOut: -1,
	Check: func(l *ir.Layer, d *diag.List) {
		if _, err := customWeights(l); err != nil {
			d.Layerf(l, "%v", err)
		}
	},
	Weights: func(l *ir.Layer) []WeightDef {
		list, err := customWeights(l)
		if err != nil {
			return nil // reported by Check
		}
		return list
	},
	Shape: customShapes,
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
		for _, w := range b.Layer.Weights {
			if w.Count > 0 { // the function is given an empty slice where not
				in = append(in, b.WeightConst(w.Name, []int{w.Count}))
			}
		}
		for i := range b.Layer.Outputs {
			out = append(out, b.Output(i, Planar))
		}
		b.Add(&op.Op{Kind: op.Call, Name: b.Layer.Name, Call: &op.CallAttr{Func: "custom", Custom: b.Layer}, In: in, Out: out})
		return nil
	},
}

// customWeights evaluates what the user says of the layer's weights.
func customWeights(l *ir.Layer) ([]WeightDef, error) {
	var list []WeightDef
	for i, w := range l.Custom.Weights {
		f, err := ParseFormula(w.Count, false)
		if err != nil {
			return nil, err
		}
		n, err := f.Eval(l, nil)
		if err != nil {
			return nil, fmt.Errorf("--custom-weights: %w", err)
		}
		if n < 0 || n > maxCustomWeights {
			return nil, fmt.Errorf("--custom-weights: formula %q is %d", w.Count, n)
		}
		list = append(list, WeightDef{Name: fmt.Sprintf("weight%d", i), Count: n, Tagged: w.Tagged && n > 0})
	}
	return list, nil
}

// maxCustomWeights bounds the elements of an array of weights, as of a blob.
const maxCustomWeights = 1 << 30

// customShapes follows the rules that the user gave, and where he gave none takes
// the first input's shape, unless the file has hints that say otherwise.
func customShapes(c *ShapeCall) ([]ir.Shape, error) {
	l, out := c.Layer, make([]ir.Shape, len(c.Layer.Outputs))
	for i := range out {
		hint := ir.Shape{}
		if i < len(l.Hints) {
			hint = l.Hints[i]
		}
		rule := l.Custom.Shape(i)
		switch rule.Rule {
		case ir.CustomSizes:
			s, err := customSizes(c, rule.Sizes)
			if err != nil {
				return nil, fmt.Errorf("--custom-shape: %w", err)
			}
			out[i] = s
		case ir.CustomHint:
			if !hint.Known() {
				return nil, fmt.Errorf("the file has no shape hint for output %q; give --custom-shape %s=same or %[2]s=W,H,C", l.Outputs[i].Name, l.Type)
			}
			out[i] = hint
		case ir.CustomUnsaid:
			if hint.Known() && hint != c.In[0] {
				return nil, fmt.Errorf("the shape of output %q is not known: the file's hint is %v, and the first input has %v; give --custom-shape %s=same, %[4]s=hint or %[4]s=W,H,C",
					l.Outputs[i].Name, hint, c.In[0], l.Type)
			}
			out[i] = c.In[0]
		default:
			out[i] = c.In[0]
		}
	}
	return out, nil
}

// customSizes evaluates W / W,H / W,H,C / W,H,D,C.
func customSizes(c *ShapeCall, sizes []string) (ir.Shape, error) {
	axes := make([]int, len(sizes)) // outermost first
	for i, text := range sizes {
		f, err := ParseFormula(text, true)
		if err != nil {
			return ir.Shape{}, err
		}
		if axes[len(axes)-1-i], err = f.Eval(c.Layer, c.In); err != nil {
			return ir.Shape{}, err
		}
	}
	return ir.FromAxes(axes), nil
}

// Of finds the definition of a layer, its type being ncnn's own or custom; nil
// where there is none.
func Of(l *ir.Layer) *Def {
	if l.Custom != nil {
		return custom
	}
	return byType[l.Type]
}
