package layer

import (
	"fmt"

	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/op"
)

// Lowering collects the kernel operations of a whole network.
type Lowering struct {
	Graph             *op.Graph
	values, converted map[*ir.Blob]Value
}

// NewLowering starts an empty op graph for g.
func NewLowering(g *ir.Graph) *Lowering {
	return &Lowering{
		Graph:  &op.Graph{Name: g.Name, Source: g},
		values: map[*ir.Blob]Value{}, converted: map[*ir.Blob]Value{},
	}
}

// Layer returns the builder for one layer.
func (w *Lowering) Layer(l *ir.Layer) *Builder {
	return &Builder{Layer: l, graph: w.Graph, values: w.values, converted: w.converted}
}

// Value is the lowered form of a blob, after its producer was lowered.
func (w *Lowering) Value(b *ir.Blob) (Value, bool) { v, ok := w.values[b]; return v, ok }

// Any returns input i in whatever layout it has.
func (b *Builder) Any(i int) Value { return b.values[b.Layer.Inputs[i]] }

// In returns input i in the wanted layout, adding a Copy that transposes it where
// it has another; blobs of rank 1 and 2 come as they are.
func (b *Builder) In(i int, want Layout) Value {
	blob := b.Layer.Inputs[i]
	v := b.values[blob]
	if v.Layout == want || v.Shape.Dims < 3 {
		return v
	}
	if c, ok := b.converted[blob]; ok {
		return c
	}
	c := b.Convert(v, want, blob.Name)
	b.converted[blob] = c
	return c
}

// Convert transposes a value of rank 3 or 4 to another layout. Where one of the
// two axes groups has length one this is a View, which costs nothing.
func (b *Builder) Convert(v Value, want Layout, name string) Value {
	if v.Layout == want || v.Shape.Dims < 3 {
		return v
	}
	r := v.Shape.Dims
	perm := make([]int, r) // output axis i is input axis perm[i]
	for i := range perm {
		if want == ChannelsLast {
			perm[i] = (i + 1) % r
		} else {
			perm[i] = (i + r - 1) % r
		}
	}
	dims := make([]int, r)
	for i, p := range perm {
		dims[i] = v.Tensor.Dims[p]
	}
	if v.Shape.C == 1 || v.Shape.Len() == v.Shape.C {
		return Value{b.View(v.Tensor, name+"/"+suffix(want), dims), v.Shape, want}
	}
	out := b.NewTensor(name+"/"+suffix(want), v.Tensor.Type, dims)
	b.Add(&op.Op{Kind: op.Copy, Name: name + "/" + suffix(want), In: []*op.Tensor{v.Tensor}, Out: []*op.Tensor{out}, Perm: perm})
	return Value{out, v.Shape, want}
}

func suffix(l Layout) string {
	if l == ChannelsLast {
		return "channels_last"
	}
	return "planar"
}

// Set gives output i its value.
func (b *Builder) Set(i int, v Value) { b.values[b.Layer.Outputs[i]] = v }

// Dims are the physical dims of a shape in a layout.
func Dims(s ir.Shape, l Layout) []int {
	a := s.Axes()
	if l == ChannelsLast && s.Dims >= 3 {
		return append(append([]int{}, a[1:]...), a[0])
	}
	return a
}

// NewTensor declares a tensor with a buffer of its own.
func (b *Builder) NewTensor(name string, t op.Type, dims []int) *op.Tensor {
	n := &op.Tensor{ID: len(b.graph.Tensors), Name: name, Type: t, Dims: append([]int{}, dims...)}
	b.graph.Tensors = append(b.graph.Tensors, n)
	return n
}

// Output declares output i in a layout, with the shape that inference found, and
// sets it.
func (b *Builder) Output(i int, l Layout) *op.Tensor {
	blob := b.Layer.Outputs[i]
	if blob.Shape.Dims < 3 {
		l = Planar
	}
	t := b.NewTensor(blob.Name, op.F32, Dims(blob.Shape, l))
	b.Set(i, Value{t, blob.Shape, l})
	return t
}

// Const declares an array in the weights file.
func (b *Builder) Const(name string, dims []int, fill func(dst []float32) error) *op.Tensor {
	t := b.NewTensor(name, op.F32, dims)
	t.Const = &op.Const{Name: name, Type: op.F32, Len: t.Len(), Fill: fill}
	return t
}

// WeightConst declares a const tensor holding a weight blob of the layer.
func (b *Builder) WeightConst(weight string, dims []int) *op.Tensor {
	w := b.Layer.Weight(weight)
	return b.Const(b.Layer.Name+"/"+weight, dims, func(dst []float32) error { return w.ReadFloat32(dst, 0) })
}

// View reinterprets a dense tensor with other dims of the same length.
func (b *Builder) View(t *op.Tensor, name string, dims []int) *op.Tensor {
	out := b.NewTensor(name, t.Type, dims)
	if out.Len() != t.Len() {
		panic(fmt.Sprintf("BUG: view of %v as %v", t.Dims, dims))
	}
	b.Add(&op.Op{Kind: op.View, Name: name, In: []*op.Tensor{t}, Out: []*op.Tensor{out}})
	return out
}

// Add appends an operation; Name defaults to the layer's.
func (b *Builder) Add(o *op.Op) *op.Op {
	o.Index = len(b.graph.Ops)
	if o.Name == "" {
		o.Name = b.Layer.Name
	}
	if o.Layers == nil {
		o.Layers = []*ir.Layer{b.Layer}
	}
	for _, t := range o.Out {
		t.Producer = o
	}
	b.graph.Ops = append(b.graph.Ops, o)
	switch o.Kind {
	case op.Input:
		b.graph.Inputs = append(b.graph.Inputs, o)
	case op.Output:
		b.graph.Outputs = append(b.graph.Outputs, o)
	}
	return o
}

// Map appends an element-wise operation over out's dims.
func (b *Builder) Map(m *op.MapAttr, out *op.Tensor, in ...*op.Tensor) *op.Op {
	return b.Add(&op.Op{Kind: op.Map, Map: m, In: in, Out: []*op.Tensor{out}})
}
