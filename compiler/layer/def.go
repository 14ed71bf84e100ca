// Package layer says everything flexnnc knows about each ncnn layer type, one
// file per type: parameters, weights, shape rule, float64 reference semantics
// and lowering to kernel operations. Adding a layer is adding a file with a
// Register call. The package knows nothing of budgets, plans or instruction sets.
package layer

import (
	"fmt"
	"sort"

	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/diag"
	"github.com/flexnnc/flexnnc/ir/op"
)

// Def defines a layer type.
type Def struct {
	Type string // ncnn's name
	// Index is ncnn's type number in binary .param files.
	Index int
	// MinIn to MaxOut bound the blob counts; MaxIn and MaxOut of -1 mean any.
	MinIn, MaxIn, MinOut, MaxOut int
	Params                       []ParamDef
	// Check reports contradictory or unsupported parameters, beyond what Params
	// say. Optional.
	Check func(l *ir.Layer, d *diag.List)
	// Weights lists what ncnn's load_model reads, in file order. Sizes come from
	// the layer's parameters alone. nil: no weights.
	Weights func(l *ir.Layer) []WeightDef
	// Words tells whether input i holds int32 words (token ids, accumulators) and not
	// floats. nil: none does.
	Words func(l *ir.Layer, i int) bool
	// Shape infers the outputs' shapes from the inputs'.
	Shape func(c *ShapeCall) ([]ir.Shape, error)
	// Eval computes the outputs in float64: ncnn's semantics, written plainly.
	Eval func(c *EvalCall) error
	// Lower appends kernel operations.
	Lower func(b *Builder) error
}

// ParamDef documents one parameter.
type ParamDef struct {
	ID   int
	Name string
	Kind ParamKind
	Doc  string
}

// ParamKind is the type ncnn reads a parameter as.
type ParamKind int

// Parameter kinds.
const (
	Int ParamKind = iota
	Float
	IntArray
	FloatArray
	String
)

// WeightDef is one blob of load_model.
type WeightDef struct {
	Name   string
	Count  int
	Tagged bool // a 4-byte storage tag precedes it (ncnn's load type 0)
}

// ShapeCall is what a shape rule sees.
type ShapeCall struct {
	Layer *ir.Layer
	In    []ir.Shape
	// Const gives the value of an input known at compile time (MemoryData), else nil.
	Const func(i int) []float32
}

// Tensor is a dense float64 array in ncnn's order C, D, H, W (W innermost).
// int32 words are held as their numeric value.
type Tensor struct {
	Shape ir.Shape
	Data  []float64
	// Type is I8 or I32 for the integers that pass between quantised layers, and F32
	// otherwise.
	Type op.Type
}

// NewTensor makes a zero tensor.
func NewTensor(s ir.Shape) Tensor { return Tensor{Shape: s, Data: make([]float64, s.Len())} }

// At returns a pointer to element (c,d,h,w).
func (t Tensor) At(c, d, h, w int) *float64 {
	return &t.Data[((c*t.Shape.D+d)*t.Shape.H+h)*t.Shape.W+w]
}

// EvalCall is what a reference evaluation sees. Out is sized by Shape before the
// call; a layer whose output size depends on values (detections) may replace it.
type EvalCall struct {
	Layer *ir.Layer
	In    []Tensor
	Out   []Tensor
	// Weight returns the named weight blob widened to float64.
	Weight func(name string) ([]float64, error)
}

var (
	byType  = map[string]*Def{}
	byIndex = map[int]*Def{}
)

// Register adds a definition; it panics on a clash, which is a bug.
func Register(d *Def) {
	if byType[d.Type] != nil || byIndex[d.Index] != nil {
		panic(fmt.Sprintf("BUG: layer %s (%d) registered twice", d.Type, d.Index))
	}
	byType[d.Type], byIndex[d.Index] = d, d
}

// Lookup finds a definition by type name, LookupIndex by binary type number; nil
// where flexnnc does not know it.
func Lookup(typ string) *Def     { return byType[typ] }
func LookupIndex(index int) *Def { return byIndex[index] }

// All lists the definitions by name.
func All() []*Def {
	ds := make([]*Def, 0, len(byType))
	for _, d := range byType {
		ds = append(ds, d)
	}
	sort.Slice(ds, func(i, j int) bool { return ds[i].Type < ds[j].Type })
	return ds
}

// WantsWords tells whether a blob is read as int32 words: by its consumer, or by
// those of the blobs that the consumer merely hands on.
func WantsWords(b *ir.Blob) bool {
	l := b.Consumer
	if l == nil {
		return false
	}
	switch l.Type {
	case "Split", "Noop", "Reshape", "Flatten", "Squeeze", "ExpandDims", "Crop", "Slice", "Permute":
		for _, o := range l.Outputs {
			if WantsWords(o) {
				return true
			}
		}
		return false
	}
	d := Lookup(l.Type)
	if d == nil || d.Words == nil {
		return false
	}
	for i, in := range l.Inputs {
		if in == b && d.Words(l, i) {
			return true
		}
	}
	return false
}

// Layout says how a blob's axes lie in its tensor; a blob of rank 1 is Planar.
type Layout int

// Layouts of a rank 3 blob: [C,H,W] or [H,W,C]; of rank 4: [C,D,H,W] or [D,H,W,C];
// of rank 2: [H,W] or, between layers that take rows for channels, [W,H].
const (
	Planar Layout = iota
	ChannelsLast
)

// Value is a blob during lowering.
type Value struct {
	Tensor *op.Tensor
	Shape  ir.Shape
	Layout Layout
	// Int8 says that the float32 elements are integers that a layer quantised, to be
	// taken as they are by int8 layers.
	Int8 bool
	// Rows, where not nil, is one int32: how many entries of the outermost axis hold
	// results (detections); the others are zero.
	Rows *op.Tensor
	flat *flat // where Tensor is nil
}

// flat is a channels-last value that is to be read as rank 1.
type flat struct {
	from  Value
	layer *ir.Layer
	name  string
}
