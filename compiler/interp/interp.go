// Package interp runs an ir.Graph in float64 by each layer's reference Eval,
// slowly and plainly. It is what compiled networks are judged by, and must not
// know of lowering, plans or kernels.
package interp

import (
	"fmt"

	"github.com/flexnnc/flexnnc/compiler/layer"
	"github.com/flexnnc/flexnnc/ir"
)

// Options choose what Run keeps.
type Options struct {
	// KeepAll returns every blob and not only the graph's outputs.
	KeepAll bool
	// Weights, where not nil, may change each blob of weights as it is read.
	Weights func(l *ir.Layer, name string, v []float64) error
	// Blob, where not nil, may change the values of each blob that a layer makes.
	Blob func(b *ir.Blob, v []float64)
}

// Run evaluates g for inputs by blob name and returns the outputs by blob name.
// Shapes follow from the inputs' own: g's inferred shapes are not read or
// changed.
func Run(g *ir.Graph, inputs map[string]layer.Tensor, opts Options) (map[string]layer.Tensor, error) {
	values := map[*ir.Blob]layer.Tensor{}
	kept := map[string]layer.Tensor{}
	for _, l := range g.Layers {
		out, err := runLayer(l, values, inputs, opts)
		if err != nil {
			return nil, fmt.Errorf("%s: layer %q (%s): %w", l.Pos, l.Name, l.Type, err)
		}
		for i, b := range l.Outputs {
			if values[b] = out[i]; opts.Blob != nil && l.Type != "Input" {
				opts.Blob(b, out[i].Data)
			}
			if opts.KeepAll || b.Consumer == nil {
				kept[b.Name] = out[i]
			}
		}
		if !opts.KeepAll {
			for _, b := range l.Inputs {
				delete(values, b) // its only consumer has run
			}
		}
	}
	return kept, nil
}

func runLayer(l *ir.Layer, values map[*ir.Blob]layer.Tensor, inputs map[string]layer.Tensor, opts Options) ([]layer.Tensor, error) {
	if l.Type == "Input" {
		var given []layer.Tensor
		for _, b := range l.Outputs {
			t, ok := inputs[b.Name]
			if !ok {
				return nil, fmt.Errorf("no value was given for input %q", b.Name)
			}
			if len(t.Data) != t.Shape.Len() {
				return nil, fmt.Errorf("input %q has %d elements for shape %v", b.Name, len(t.Data), t.Shape)
			}
			given = append(given, t)
		}
		return given, nil
	}
	def := layer.Of(l)
	if def == nil || def.Eval == nil || def.Shape == nil {
		return nil, fmt.Errorf("layer type %q has no reference", l.Type)
	}
	in := make([]layer.Tensor, len(l.Inputs))
	shapes := make([]ir.Shape, len(l.Inputs))
	for i, b := range l.Inputs {
		in[i] = values[b]
		shapes[i] = in[i].Shape
	}
	out, err := def.Shape(&layer.ShapeCall{Layer: l, In: shapes, Const: func(i int) []float32 {
		if p := l.Inputs[i].Producer; p == nil || p.Type != "MemoryData" {
			return nil
		}
		v := make([]float32, len(in[i].Data))
		for k, x := range in[i].Data {
			v[k] = float32(x)
		}
		return v
	}})
	if err != nil {
		return nil, err
	}
	if len(out) != len(l.Outputs) {
		return nil, fmt.Errorf("BUG: %d shapes for %d outputs", len(out), len(l.Outputs))
	}
	c := &layer.EvalCall{Layer: l, In: in, Out: make([]layer.Tensor, len(out)), Weight: weights(l, opts)}
	for i, s := range out {
		c.Out[i] = layer.NewTensor(s)
	}
	if err := def.Eval(c); err != nil {
		return nil, err
	}
	return c.Out, nil
}

// weights reads a layer's blobs widened to float64.
func weights(l *ir.Layer, opts Options) func(name string) ([]float64, error) {
	return func(name string) ([]float64, error) {
		w := l.Weight(name)
		if w == nil {
			return nil, fmt.Errorf("weights of %q were not given", name)
		}
		v := make([]float64, w.Count)
		buf := make([]float32, min(w.Count, 1<<16))
		for at := 0; at < w.Count; at += len(buf) {
			buf = buf[:min(len(buf), w.Count-at)]
			if err := w.ReadFloat32(buf, at); err != nil {
				return nil, err
			}
			for i, x := range buf {
				v[at+i] = float64(x)
			}
		}
		if opts.Weights != nil {
			return v, opts.Weights(l, name, v)
		}
		return v, nil
	}
}
