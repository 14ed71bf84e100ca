package lower

import (
	"fmt"

	"github.com/flexnnc/flexnnc/ir/op"
)

// editor changes a graph during one pass. Operations that a pass removes or adds
// take effect in finish; until then the numbering is the old one, and tells what
// comes before what.
type editor struct {
	g       *op.Graph
	readers map[*op.Tensor][]*op.Op // one entry per use
	removed map[*op.Op]bool
	before  map[*op.Op][]*op.Op // added ahead of an operation
	after   map[*op.Op][]*op.Op // added behind one
	names   map[string]bool
	half    bool // Options.Half
}

func newEditor(g *op.Graph) *editor {
	e := &editor{
		g: g, readers: map[*op.Tensor][]*op.Op{}, removed: map[*op.Op]bool{},
		before: map[*op.Op][]*op.Op{}, after: map[*op.Op][]*op.Op{}, names: map[string]bool{},
	}
	for _, o := range g.Ops {
		e.names[o.Name] = true
		for _, t := range o.In {
			e.readers[t] = append(e.readers[t], o)
		}
		for _, t := range o.EpilogueIn {
			e.readers[t] = append(e.readers[t], o)
		}
	}
	return e
}

// only returns the operation that is the single use of t, or nil.
func (e *editor) only(t *op.Tensor) *op.Op {
	if r := e.readers[t]; len(r) == 1 {
		return r[0]
	}
	return nil
}

// remove takes an operation out; its inputs lose a reader each.
func (e *editor) remove(o *op.Op) {
	e.removed[o] = true
	for _, t := range o.In {
		e.unread(t, o)
	}
	for _, t := range o.EpilogueIn {
		e.unread(t, o)
	}
}

func (e *editor) unread(t *op.Tensor, o *op.Op) {
	r := e.readers[t]
	for i := range r {
		if r[i] == o {
			e.readers[t] = append(r[:i:i], r[i+1:]...)
			return
		}
	}
}

// redirect makes the readers of from read to instead.
func (e *editor) redirect(from, to *op.Tensor) {
	for _, o := range e.readers[from] {
		for _, list := range [][]*op.Tensor{o.In, o.EpilogueIn} {
			for i := range list {
				if list[i] == from {
					list[i] = to
				}
			}
		}
	}
	e.readers[to] = append(e.readers[to], e.readers[from]...)
	delete(e.readers, from)
}

// produce makes o the producer of t, as its first output.
func produce(o *op.Op, t *op.Tensor) {
	o.Out[0] = t
	t.Producer = o
}

// tensor declares a new tensor like t.
func (e *editor) tensor(like *op.Tensor, suffix string, dims []int) *op.Tensor {
	t := &op.Tensor{ID: len(e.g.Tensors), Name: like.Name + suffix, Type: like.Type, Dims: append([]int{}, dims...)}
	e.g.Tensors = append(e.g.Tensors, t)
	return t
}

// newCopy makes a Copy of in to out, charged to the layers of the operation that
// needs it. The caller says where it goes.
func (e *editor) newCopy(in, out *op.Tensor, for_ *op.Op) *op.Op {
	c := &op.Op{Kind: op.Copy, Name: e.name(in.Name + "/copy"), Layers: for_.Layers, In: []*op.Tensor{in}, Out: []*op.Tensor{out}}
	out.Producer = c
	return c
}

func (e *editor) name(base string) string {
	name := base
	for n := 2; e.names[name]; n++ {
		name = fmt.Sprintf("%s/%d", base, n)
	}
	e.names[name] = true
	return name
}

// finish applies what was removed and added, numbers the operations anew and
// drops tensors that no operation names and that are nobody's base.
func (e *editor) finish() {
	var ops []*op.Op
	for _, o := range e.g.Ops {
		ops = append(ops, e.before[o]...)
		if !e.removed[o] {
			ops = append(ops, o)
		}
		ops = append(ops, e.after[o]...)
	}
	e.g.Ops = ops
	used := map[*op.Tensor]bool{}
	for i, o := range ops {
		o.Index = i
		for _, list := range [][]*op.Tensor{o.In, o.EpilogueIn, o.Out} {
			for _, t := range list {
				used[t] = true
				used[t.Root()] = true
			}
		}
	}
	var tensors []*op.Tensor
	for _, t := range e.g.Tensors {
		if used[t] {
			t.ID = len(tensors)
			tensors = append(tensors, t)
		}
	}
	e.g.Tensors = tensors
}

func product(dims []int) int {
	n := 1
	for _, d := range dims {
		n *= d
	}
	return n
}
