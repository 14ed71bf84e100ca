// Package ir holds an ncnn network as a printable value: layers, blobs, shapes,
// parameters and references to weights, each with its position in the source
// file. It says what the network is and knows nothing of how it will run: kernel
// level operations are in ir/op, plans in ir/plan.
package ir

import "fmt"

// Pos is a place in a .param file; Line and Col count from 1, and are 0 where
// a binary file has none (Offset is then the byte).
type Pos struct {
	File      string
	Line, Col int
	Offset    int64
}

func (p Pos) String() string {
	switch {
	case p.Line > 0:
		return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Col)
	case p.Offset > 0:
		return fmt.Sprintf("%s:+%d", p.File, p.Offset)
	}
	return p.File
}

// Graph is a network in ncnn's own terms, layers in file order. File order is a
// valid execution order: a blob is produced before it is consumed.
type Graph struct {
	Name   string // base name of the .param file without extension
	Layers []*Layer
	Blobs  []*Blob
	Inputs []*Blob // outputs of Input layers, in file order
	// Outputs are the blobs nobody consumes, in file order.
	Outputs []*Blob
	// ParamHash and BinHash are the SHA-256 of the files; BinHash is zero where
	// the graph was read without weights.
	ParamHash, BinHash [32]byte
}

// Layer is one line of a .param file.
type Layer struct {
	Index   int // position in Graph.Layers
	Type    string
	Name    string
	Pos     Pos
	Inputs  []*Blob
	Outputs []*Blob
	Params  Params
	Weights []*Weight // in .bin order, as the layer's definition lists them
	Hints   []Shape   // -23330 shape hints for the outputs; never semantics but where Custom says so
	Custom  *Custom   // nil where the type is ncnn's own
}

// Weight returns the named weight blob, or nil.
func (l *Layer) Weight(name string) *Weight {
	for _, w := range l.Weights {
		if w.Name == name {
			return w
		}
	}
	return nil
}

// Blob is a named value between layers. In ncnn every blob has one producer and
// at most one consumer (Split makes more).
type Blob struct {
	Index    int
	Name     string
	Pos      Pos
	Producer *Layer
	Consumer *Layer // nil for outputs
	Shape    Shape  // filled by shape inference
	// Ints says that the values are int32 words and not float32 (token ids).
	Ints bool
}
