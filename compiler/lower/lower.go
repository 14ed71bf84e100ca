// Package lower turns an ir.Graph into the op.Graph that is scheduled and
// emitted: it infers shapes, has each layer's definition append its kernel
// operations, and then runs a table of passes that fuse, remove and place. It
// knows nothing of the memory budget or the instruction set, so its result is the
// same for all of them.
package lower

import (
	"fmt"

	"github.com/flexnnc/flexnnc/compiler/layer"
	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/diag"
	"github.com/flexnnc/flexnnc/ir/op"
)

// Options are switches of the lowering. The zero Options is what users get.
type Options struct {
	// Dump is called with the graph after the pass of that name, "lower" being
	// the state before the first one. It must not change the graph.
	Dump func(pass string, g *op.Graph)
	// Without names optional passes to leave out, to measure what they bring.
	Without []string
	// Half has all weights of convolutions and embeddings rounded to float16.
	Half bool
}

// Lower lowers a graph with inferred shapes. Faults of layers come back as a
// *diag.Error; a broken invariant after a pass is an error that names the pass.
func Lower(g *ir.Graph, options Options) (*op.Graph, error) {
	if err := checkOptions(options); err != nil {
		return nil, err
	}
	lowered, err := lowerLayers(g)
	if err != nil {
		return nil, err
	}
	if err := op.Check(lowered); err != nil {
		return nil, fmt.Errorf("after lowering the layers: %w", err)
	}
	if options.Dump != nil {
		options.Dump("lower", lowered)
	}
	return lowered, runPasses(lowered, options)
}

func lowerLayers(g *ir.Graph) (*op.Graph, error) {
	var faults diag.List
	w := layer.NewLowering(g)
	made := map[*ir.Blob]bool{}
	for _, l := range g.Layers {
		if !ready(l, made) {
			continue // what it reads was reported
		}
		def := layer.Of(l)
		switch {
		case def == nil || def.Lower == nil:
			faults.Layerf(l, "layer type %q cannot be compiled yet", l.Type)
			continue
		case !shapesKnown(l):
			faults.Layerf(l, "BUG: lowered before its shapes were inferred")
			continue
		}
		if b := counted(w, l); b != nil {
			faults.Add(diag.Diagnostic{
				Pos: l.Pos, Layer: l.Name,
				Text: fmt.Sprintf("%s reads %q, of which only the run tells how many rows it has", l.Type, b.Name),
				Hint: fmt.Sprintf("end the network at %q, and do in Go what follows", b.Name),
			})
			continue
		}
		if err := def.Lower(w.Layer(l)); err != nil {
			faults.Layerf(l, "%v", err)
			continue
		}
		for _, b := range l.Outputs {
			made[b] = true
		}
	}
	for _, b := range g.Outputs {
		if made[b] {
			output(w, b)
		}
	}
	return w.Graph, faults.Err()
}

// takesCounted are the layer types that hand counted rows on, or read the first
// row only.
var takesCounted = map[string]bool{"Split": true, "Noop": true, "ROIPooling": true, "PSROIPooling": true, "ROIAlign": true}

// counted finds an input whose rows are counted and that l is not made for.
func counted(w *layer.Lowering, l *ir.Layer) *ir.Blob {
	for _, b := range l.Inputs {
		if w.Counted(b) && !takesCounted[l.Type] {
			return b
		}
	}
	return nil
}

func ready(l *ir.Layer, made map[*ir.Blob]bool) bool {
	for _, b := range l.Inputs {
		if !made[b] {
			return false
		}
	}
	return true
}

func shapesKnown(l *ir.Layer) bool {
	for _, b := range append(append([]*ir.Blob{}, l.Inputs...), l.Outputs...) {
		if !b.Shape.Known() {
			return false
		}
	}
	return true
}

// output appends the operation that hands a blob to the user, from the layout it
// has.
func output(w *layer.Lowering, b *ir.Blob) {
	v, ok := w.Value(b)
	if !ok {
		panic(fmt.Sprintf("BUG: lowering layer %q set no value for %q", b.Producer.Name, b.Name))
	}
	rank := v.Shape.Dims
	perm := make([]int, rank)
	for i := range perm {
		perm[i] = i
		if v.Layout == layer.ChannelsLast && rank >= 3 {
			perm[i] = (i + 1) % rank
		}
	}
	w.Layer(b.Producer).Add(&op.Op{
		Kind: op.Output, Name: b.Name + "/out", In: []*op.Tensor{v.Tensor},
		Port: &op.Port{Blob: b, Shape: v.Shape, Perm: perm},
	})
	if v.Rows != nil {
		w.Layer(b.Producer).Add(&op.Op{
			Kind: op.Output, Name: b.Name + "/rows_out", In: []*op.Tensor{v.Rows},
			Port: &op.Port{Blob: b, Shape: ir.Shape1(1), Perm: []int{0}, Count: true},
		})
	}
}
