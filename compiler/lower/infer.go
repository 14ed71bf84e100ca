package lower

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/flexnnc/flexnnc/compiler/layer"
	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/diag"
)

// MaxElements bounds the elements of a blob; offsets and counts then fit in 32
// bits everywhere.
const MaxElements = 1 << 30

// Infer fills the shapes of all blobs, from the Input layers down. inputs gives
// shapes for input blobs, by name, in place of those in the file; it is the
// user's --input. Faults come back as a *diag.Error with all that were found.
func Infer(g *ir.Graph, inputs map[string]ir.Shape) error {
	var faults diag.List
	for _, b := range g.Blobs {
		b.Shape, b.Ints = ir.Shape{}, false
	}
	given(g, inputs, &faults)
	for _, l := range g.Layers {
		before := len(faults.Found)
		inferLayer(l, &faults)
		if before == 0 && len(faults.Found) == 1 && l.Type != "Input" && faults.Found[0].Hint == "" {
			faults.Found[0].Hint = otherShapes(g, inputs)
		}
	}
	if err := faults.Err(); err != nil {
		return err
	}
	markInts(g)
	return nil
}

// otherShapes is the way round where shapes do not fit and some come from the file,
// which ncnn does not look at for them.
func otherShapes(g *ir.Graph, inputs map[string]ir.Shape) string {
	var flags []string
	for _, b := range g.Inputs {
		if _, ok := givenFor(b.Name, inputs); !ok && b.Shape.Known() {
			flags = append(flags, fmt.Sprintf("--input %s=W,H,C in place of %v", b.Name, b.Shape))
		}
	}
	if len(flags) == 0 {
		return ""
	}
	return "ncnn takes no shapes of inputs from the file: pass those of the program, " + strings.Join(flags, " ")
}

// given sets the shapes that the user chose.
func given(g *ir.Graph, inputs map[string]ir.Shape, faults *diag.List) {
	var known []string
	used := map[string]bool{}
	for _, b := range g.Inputs {
		known = append(known, b.Name)
		name, ok := givenFor(b.Name, inputs)
		if !ok {
			continue
		}
		used[name] = true
		s := inputs[name]
		if text := invalid(s); text != "" {
			faults.Add(diag.Diagnostic{Pos: b.Pos, Layer: b.Producer.Name, Text: fmt.Sprintf("--input %s=%v: %s", b.Name, s, text)})
			continue
		}
		b.Shape = s
	}
	var names []string
	for name := range inputs {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		if !used[name] && !slices.Contains(known, name) {
			faults.Add(diag.Diagnostic{Text: fmt.Sprintf("--input %s: the network has no such input", name), Hint: "its inputs are " + strings.Join(known, ", ")})
		}
	}
}

// givenFor is the key of inputs that stands for an input: its name or, where that
// is not there, the longest of those that end in a star and begin as it does.
func givenFor(name string, inputs map[string]ir.Shape) (key string, ok bool) {
	if _, ok := inputs[name]; ok {
		return name, true
	}
	for k := range inputs {
		if head, star := strings.CutSuffix(k, "*"); star && strings.HasPrefix(name, head) && (!ok || len(k) > len(key)) {
			key, ok = k, true
		}
	}
	return key, ok
}

func inferLayer(l *ir.Layer, faults *diag.List) {
	def := layer.Of(l)
	if def == nil {
		faults.Layerf(l, "layer type %q is not supported", l.Type)
		return
	}
	c := layer.ShapeCall{Layer: l, Const: func(i int) []float32 { return constant(l.Inputs[i]) }}
	for _, b := range l.Inputs {
		if !b.Shape.Known() {
			return // what it comes from was reported
		}
		c.In = append(c.In, b.Shape)
	}
	out, err := def.Shape(&c)
	if err != nil {
		d := diag.Diagnostic{Pos: l.Pos, Layer: l.Name, Text: err.Error()}
		if l.Type == "Input" && len(l.Outputs) > 1 {
			d.Hint = "pass --input NAME=W,H,C for each; NAME* stands for all whose names begin so"
		} else if l.Type == "Input" {
			d.Hint = fmt.Sprintf("pass --input %s=W,H,C", l.Outputs[0].Name)
			if len(l.Hints) == 1 && l.Hints[0].Known() {
				d.Hint = fmt.Sprintf("the file's own hint would be --input %s=%v", l.Outputs[0].Name, l.Hints[0])
			}
		}
		faults.Add(d)
		return
	}
	if len(out) != len(l.Outputs) {
		faults.Layerf(l, "%s makes %d outputs of its inputs, not %d", l.Type, len(out), len(l.Outputs))
		return
	}
	for i, s := range out {
		if text := invalid(s); text != "" {
			faults.Layerf(l, "output %q would have shape %v: %s", l.Outputs[i].Name, s, text)
			continue
		}
		l.Outputs[i].Shape = s
	}
}

// invalid says what is wrong with a shape, "" where nothing is.
func invalid(s ir.Shape) string {
	if s.Dims < 1 || s.Dims > 4 {
		return fmt.Sprintf("rank %d", s.Dims)
	}
	n := int64(1)
	for _, d := range []int{s.W, s.H, s.D, s.C} {
		if d < 1 {
			return "an axis is empty"
		}
		if int64(d) > MaxElements/n {
			return fmt.Sprintf("more than %d elements", MaxElements)
		}
		n *= int64(d)
	}
	return ""
}

// constant is the value of a blob that MemoryData makes, nil for others and where
// the weights cannot be read.
func constant(b *ir.Blob) []float32 {
	l := b.Producer
	for l.Type == "Split" && len(l.Inputs) == 1 {
		l = l.Inputs[0].Producer
	}
	if l.Type != "MemoryData" || len(l.Weights) != 1 || l.Weights[0].Source == nil {
		return nil
	}
	v, err := l.Weights[0].Float32s()
	if err != nil {
		return nil
	}
	return v
}

// passesOn are the layer types that hand the elements of their inputs on without
// looking at them.
var passesOn = map[string]bool{
	"Split": true, "Noop": true, "DeepCopy": true, "Reshape": true, "Flatten": true, "Squeeze": true, "ExpandDims": true,
	"Slice": true, "Crop": true, "Concat": true, "Permute": true,
}

// markInts marks the blobs that hold int32 words: those that Embed looks its
// rows up by, and what they are made of.
func markInts(g *ir.Graph) {
	for i := len(g.Layers) - 1; i >= 0; i-- {
		l := g.Layers[i]
		if l.Type == "Embed" && len(l.Inputs) > 0 {
			l.Inputs[0].Ints = true
			continue
		}
		if !passesOn[l.Type] {
			continue
		}
		for _, out := range l.Outputs {
			if out.Ints {
				for _, in := range l.Inputs {
					in.Ints = true
				}
			}
		}
	}
	for _, l := range g.Layers {
		if !passesOn[l.Type] || len(l.Inputs) == 0 || !l.Inputs[0].Ints {
			continue
		}
		for _, out := range l.Outputs {
			out.Ints = true
		}
	}
}
