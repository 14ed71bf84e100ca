// Package tap makes blobs in the middle of a network into outputs of it. It
// edits the graph before anything else has seen it, and knows nothing of shapes
// or of how the network will run.
package tap

import (
	"strings"

	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/diag"
)

// Outputs hands out the named blobs beside those that no layer consumes: a Split
// behind the producer of each makes the copy. A name that is an output already is
// left alone; one that the network does not have is reported as a *diag.Error.
func Outputs(g *ir.Graph, names []string) error {
	var faults diag.List
	for _, name := range names {
		b := find(g, name)
		switch {
		case b == nil:
			faults.Add(diag.Diagnostic{Pos: ir.Pos{File: g.Name}, Text: "there is no blob " + name + " to hand out",
				Hint: "its outputs are " + strings.Join(outputNames(g), ", ")})
		case b.Producer.Type == "Input" && b.Consumer != nil:
			faults.Add(diag.Diagnostic{Pos: b.Pos, Layer: b.Producer.Name, Text: name + " is an input, there is nothing to hand out"})
		case b.Consumer != nil:
			split(g, b)
		}
	}
	return faults.Err()
}

func find(g *ir.Graph, name string) *ir.Blob {
	for _, b := range g.Blobs {
		if b.Name == name {
			return b
		}
	}
	return nil
}

func outputNames(g *ir.Graph) []string {
	var names []string
	for _, b := range g.Outputs {
		names = append(names, b.Name)
	}
	return names
}

// split puts a layer between b and its consumer. The blob that is handed out
// takes b's name; what the producer makes and what the consumer reads are renamed.
func split(g *ir.Graph, b *ir.Blob) {
	name := b.Name
	l := &ir.Layer{Type: "Split", Name: unused(g, name+"/tap"), Pos: b.Producer.Pos, Inputs: []*ir.Blob{b}}
	out := &ir.Blob{Index: len(g.Blobs), Pos: b.Pos, Producer: l}
	on := &ir.Blob{Index: len(g.Blobs) + 1, Name: unused(g, name+"/on"), Pos: b.Pos, Producer: l, Consumer: b.Consumer}
	b.Name, out.Name = unused(g, name+"/whole"), name
	l.Outputs = []*ir.Blob{out, on}
	for i, in := range b.Consumer.Inputs {
		if in == b {
			b.Consumer.Inputs[i] = on
		}
	}
	b.Consumer = l
	g.Blobs = append(g.Blobs, out, on)
	g.Outputs = append(g.Outputs, out)

	at := b.Producer.Index + 1
	g.Layers = append(g.Layers, nil)
	copy(g.Layers[at+1:], g.Layers[at:])
	g.Layers[at] = l
	for i := at; i < len(g.Layers); i++ {
		g.Layers[i].Index = i
	}
}

// unused is the name, with as many strokes behind it as make it new.
func unused(g *ir.Graph, name string) string {
	for taken(g, name) {
		name += "'"
	}
	return name
}

func taken(g *ir.Graph, name string) bool {
	for _, l := range g.Layers {
		if l.Name == name {
			return true
		}
	}
	return find(g, name) != nil
}
