package layer

import (
	"fmt"
	"strconv"

	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/lane"
	"github.com/flexnnc/flexnnc/ir/op"
)

// Lowering collects the kernel operations of a whole network.
type Lowering struct {
	Graph     *op.Graph
	values    map[*ir.Blob]Value
	converted map[twin]Value
	quantized map[rounded]*op.Tensor
	names     map[string]int // op names taken
}

// rounded names a tensor times a scale as int8.
type rounded struct {
	tensor *op.Tensor
	scale  float32
}

// twin names the transposed copy of a tensor in another layout, made at most once.
type twin struct {
	tensor *op.Tensor
	layout Layout
}

// Builder lowers one layer: it knows the values of the layer's inputs, and its
// methods append operations that are charged to the layer.
type Builder struct {
	Layer *ir.Layer
	*Lowering
}

// NewLowering starts an empty op graph for g.
func NewLowering(g *ir.Graph) *Lowering {
	return &Lowering{
		Graph:  &op.Graph{Name: g.Name, Source: g},
		values: map[*ir.Blob]Value{}, converted: map[twin]Value{}, quantized: map[rounded]*op.Tensor{}, names: map[string]int{},
	}
}

// Layer returns the builder for one layer.
func (w *Lowering) Layer(l *ir.Layer) *Builder { return &Builder{l, w} }

// Value is the lowered form of a blob, after its producer was lowered. Blobs of
// rank 1 and 2 come in planar layout.
func (w *Lowering) Value(blob *ir.Blob) (Value, bool) {
	if _, ok := w.values[blob]; !ok {
		return Value{}, false
	}
	v := w.settle(blob)
	if v.Shape.Dims == 2 {
		b := &Builder{blob.Producer, w}
		v = b.Convert(v, Planar, blob.Name)
	}
	return v, true
}

// Counted reports whether only a run tells how many rows of a blob hold results.
func (w *Lowering) Counted(blob *ir.Blob) bool { return w.values[blob].Rows != nil }

// settle makes the tensor of a blob that was left lazily flattened.
func (w *Lowering) settle(blob *ir.Blob) Value {
	v := w.values[blob]
	if v.Tensor != nil {
		return v
	}
	b := &Builder{v.flat.layer, w}
	from := b.Convert(v.flat.from, Planar, v.flat.name)
	v.Tensor = b.View(from.Tensor, v.flat.name, []int{v.Shape.W})
	v.flat = nil
	w.values[blob] = v
	return v
}

// Any returns input i in whatever layout it has.
func (b *Builder) Any(i int) Value { return b.settle(b.Layer.Inputs[i]) }

// In returns input i in the wanted layout, adding a Copy that transposes it where
// it has another; blobs of rank 1 come as they are.
func (b *Builder) In(i int, want Layout) Value {
	return b.Convert(b.Any(i), want, b.Layer.Inputs[i].Name)
}

// Unflattened returns input i as it was before a Flatten, where it was, so that
// a reader that does not care for the order of elements saves the transposition.
func (b *Builder) Unflattened(i int) Value {
	if v := b.values[b.Layer.Inputs[i]]; v.Tensor == nil {
		return v.flat.from
	}
	return b.Any(i)
}

// Flattened sets output i to a value of rank 1 in ncnn's order (planar),
// transposing from's tensor only when somebody reads it as such.
func (b *Builder) Flattened(i int, from Value) {
	blob := b.Layer.Outputs[i]
	s := ir.Shape1(from.Shape.Len())
	if from.Layout == Planar {
		b.Set(i, Value{Tensor: b.View(from.Tensor, blob.Name, []int{s.W}), Shape: s, Int8: from.Int8})
		return
	}
	b.Set(i, Value{Shape: s, Int8: from.Int8, flat: &flat{from, b.Layer, blob.Name}})
}

// Alias makes output o the same value as input i.
func (b *Builder) Alias(o, i int) { b.Set(o, b.values[b.Layer.Inputs[i]]) }

// Convert transposes a value of rank 2 to 4 to another layout. Where one of the
// two axes groups has length one this is a View, which costs nothing.
func (b *Builder) Convert(v Value, want Layout, name string) Value {
	if v.Layout == want || v.Shape.Dims < 2 {
		return v
	}
	if c, ok := b.converted[twin{v.Tensor, want}]; ok {
		return c
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
	c := v
	c.Tensor, c.Layout = b.Transpose(v.Tensor, name+"/"+suffix(want), perm), want
	b.converted[twin{v.Tensor, want}] = c
	return c
}

func suffix(l Layout) string {
	if l == ChannelsLast {
		return "channels_last"
	}
	return "planar"
}

// Transpose reorders axes: output axis i is input axis perm[i]. Where only axes
// of length one move this is a View.
func (b *Builder) Transpose(t *op.Tensor, name string, perm []int) *op.Tensor {
	dims := make([]int, len(perm))
	last, moved := -1, false
	for i, p := range perm {
		dims[i] = t.Dims[p]
		if dims[i] != 1 {
			moved = moved || p < last
			last = p
		}
	}
	if !moved {
		return b.View(t, name, dims)
	}
	out := b.NewTensor(name, t.Type, dims)
	b.Add(&op.Op{Kind: op.Copy, Name: name, In: []*op.Tensor{t}, Out: []*op.Tensor{out}, Perm: append([]int{}, perm...)})
	return out
}

// Set gives output i its value.
func (b *Builder) Set(i int, v Value) { b.values[b.Layer.Outputs[i]] = v }

// Dims are the physical dims of a shape in a layout.
func Dims(s ir.Shape, l Layout) []int {
	a := s.Axes()
	if l == ChannelsLast && s.Dims >= 2 {
		return append(append([]int{}, a[1:]...), a[0])
	}
	return a
}

// NewTensor declares a tensor with a buffer of its own.
func (b *Builder) NewTensor(name string, t op.Type, dims []int) *op.Tensor {
	n := &op.Tensor{ID: len(b.Graph.Tensors), Name: name, Type: t, Dims: append([]int{}, dims...)}
	b.Graph.Tensors = append(b.Graph.Tensors, n)
	return n
}

// Output declares output i in a layout, with the shape that inference found, and
// sets it.
func (b *Builder) Output(i int, l Layout) *op.Tensor {
	blob := b.Layer.Outputs[i]
	if blob.Shape.Dims < 2 {
		l = Planar
	}
	t := b.NewTensor(blob.Name, op.F32, Dims(blob.Shape, l))
	b.Set(i, Value{Tensor: t, Shape: blob.Shape, Layout: l})
	return t
}

// Reshaped sets output i to v's elements in planar order, seen with i's shape.
func (b *Builder) Reshaped(i int, v Value) {
	blob := b.Layer.Outputs[i]
	v.Tensor = b.View(b.Convert(v, Planar, blob.Name).Tensor, blob.Name, Dims(blob.Shape, Planar))
	v.Shape, v.Layout = blob.Shape, Planar
	b.Set(i, v)
}

// Const declares an array in the weights file.
func (b *Builder) Const(name string, dims []int, fill func(dst []float32) error) *op.Tensor {
	t := b.NewTensor(name, op.F32, dims)
	t.Const = &op.Const{Name: name, Type: op.F32, Len: t.Len(), Fill: fill}
	return t
}

// Packed declares a const tensor that holds panels, for a Call that multiplies by
// them. halfInt is the call's integer that tells whether they are float16.
func (b *Builder) Packed(p *op.Panels, halfInt int) *op.Tensor {
	n := p.Count() * p.PanelBytes()
	t := b.NewTensor(p.Name, op.I8, []int{n})
	t.Const = &op.Const{Name: p.Name, Type: op.I8, Len: n, Packed: p, HalfInt: halfInt}
	return t
}

// WeightConst declares a const tensor holding a weight blob of the layer.
func (b *Builder) WeightConst(weight string, dims []int) *op.Tensor {
	w := b.Layer.Weight(weight)
	return b.Const(b.Layer.Name+"/"+weight, dims, func(dst []float32) error { return w.ReadFloat32(dst, 0) })
}

// FixedConst declares a const tensor with values known now.
func (b *Builder) FixedConst(name string, dims []int, values []float32) *op.Tensor {
	return b.Const(b.Layer.Name+"/"+name, dims, func(dst []float32) error { copy(dst, values); return nil })
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

// Window is a View of the part of t that starts at start and has the given dims.
func (b *Builder) Window(t *op.Tensor, name string, start, dims []int) *op.Tensor {
	out := b.NewTensor(name, t.Type, dims)
	b.Add(&op.Op{Kind: op.View, Name: name, In: []*op.Tensor{t}, Out: []*op.Tensor{out}, Start: append([]int{}, start...)})
	return out
}

// Add appends an operation. Name defaults to the layer's where the operation makes
// one of its outputs, else to the tensor's, and gets a number where it is taken.
func (b *Builder) Add(o *op.Op) *op.Op {
	o.Index = len(b.Graph.Ops)
	if o.Name == "" {
		o.Name = o.Out[0].Name
		for _, blob := range b.Layer.Outputs {
			if b.values[blob].Tensor == o.Out[0] {
				o.Name = b.Layer.Name
			}
		}
	}
	for base := o.Name; ; {
		b.names[base]++
		if b.names[base] == 1 && o.Name == base {
			break
		}
		o.Name = base + "/" + strconv.Itoa(b.names[base])
		if b.names[o.Name] == 0 {
			b.names[o.Name] = 1
			break
		}
	}
	if o.Layers == nil {
		o.Layers = []*ir.Layer{b.Layer}
	}
	for _, t := range o.Out {
		t.Producer = o
	}
	b.Graph.Ops = append(b.Graph.Ops, o)
	switch o.Kind {
	case op.Input:
		b.Graph.Inputs = append(b.Graph.Inputs, o)
	case op.Output:
		b.Graph.Outputs = append(b.Graph.Outputs, o)
	}
	return o
}

// Map appends an element-wise operation over out's dims.
func (b *Builder) Map(p *lane.Program, out *op.Tensor, in ...*op.Tensor) *op.Op {
	return b.Add(&op.Op{Kind: op.Map, Map: &op.MapAttr{Program: p}, In: in, Out: []*op.Tensor{out}})
}

// Call appends a call of a portable kernel; see calls.go for their meanings.
func (b *Builder) Call(fn string, ints []int, floats []float32, out []*op.Tensor, in ...*op.Tensor) *op.Op {
	return b.Add(&op.Op{Kind: op.Call, Call: &op.CallAttr{Func: fn, Ints: ints, Floats: floats}, In: in, Out: out})
}

// operand declares t as the next input of a Map program with result out: a
// vector where it has out's innermost length, else one value per row. The
// letter v or s belongs into the program's name.
func operand(p *lane.Builder, t, out *op.Tensor) lane.Reg {
	if operandKind(t, out) == "s" {
		return p.Splat()
	}
	return p.Vec()
}

func operandKind(t, out *op.Tensor) string {
	if t.Len() == 1 || (t.Dims[len(t.Dims)-1] == 1 && out.Dims[len(out.Dims)-1] != 1) {
		return "s"
	}
	return "v"
}

// digits writes a number so that it can be part of a program's name and says
// its bits: short decimals as m0p5, others as hex bits.
func digits(v float32) string {
	s := []byte(strconv.FormatFloat(float64(v), 'f', -1, 32))
	if len(s) > 6 || v-v != 0 { // long, infinite or not a number
		return fmt.Sprintf("x%08x", ir.FloatScalar(v).Bits)
	}
	for i, c := range s {
		switch c {
		case '-':
			s[i] = 'm'
		case '.':
			s[i] = 'p'
		}
	}
	return string(s)
}

// mapOf starts a Map program of two operands, whose name says how they are read.
func mapOf(name string, out, x, y *op.Tensor) (p *lane.Builder, a, b lane.Reg) {
	p = lane.New(name + "_" + operandKind(x, out) + operandKind(y, out))
	a = operand(p, x, out)
	return p, a, operand(p, y, out)
}
