package op

import (
	"errors"
	"fmt"
	"slices"
)

// Check asserts the invariants that hold between any two passes: numbering,
// unique names, one producer before all readers, and attributes that agree with
// the dims of the tensors. What it finds is a mistake of a pass, or of the
// lowering of a layer.
func Check(g *Graph) error {
	c := checker{produced: map[*Tensor]*Op{}, names: map[string]bool{}}
	c.tensors(g)
	for i, o := range g.Ops {
		c.op = o
		if o.Index != i {
			c.bugf("has index %d at position %d", o.Index, i)
		}
		if c.names[o.Name] || o.Name == "" {
			c.bugf("its name is empty or not unique")
		}
		c.names[o.Name] = true
		for _, t := range append(append([]*Tensor{}, o.In...), o.EpilogueIn...) {
			c.read(g, t)
		}
		if min(o.Scratch, o.WorkScratch, o.ThreadScratch, o.LeanScratch, o.LeanWorkScratch, o.RowGrain) < 0 {
			c.bugf("scratch %d, %d, %d, by %d rows", o.Scratch, o.WorkScratch, o.ThreadScratch, o.RowGrain)
		}
		before := len(c.errs)
		c.kind(o)
		if len(c.errs) == before {
			c.epilogue(o)
		}
		for _, t := range o.Out {
			c.write(g, t)
		}
	}
	c.op = nil
	c.ends(g)
	return errors.Join(c.errs...)
}

type checker struct {
	op       *Op
	produced map[*Tensor]*Op
	names    map[string]bool
	placed   bool
	errs     []error
}

func (c *checker) bugf(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if c.op != nil {
		text = fmt.Sprintf("%s %q: %s", c.op.Kind, c.op.Name, text)
	}
	c.errs = append(c.errs, errors.New("BUG: lowered graph: "+text))
}

func owned(g *Graph, t *Tensor) bool {
	return t.ID >= 0 && t.ID < len(g.Tensors) && g.Tensors[t.ID] == t
}

func (c *checker) tensors(g *Graph) {
	for i, t := range g.Tensors {
		if t.ID != i {
			c.bugf("tensor %v has id %d at position %d", t, t.ID, i)
		}
		if len(t.Dims) == 0 {
			c.bugf("tensor %v has no dims", t)
		}
		for _, d := range t.Dims {
			if d < 1 {
				c.bugf("tensor %v has an empty axis", t)
			}
		}
		if t.Const != nil && (t.Const.Len != t.Len() || t.Const.Type != t.Type || t.Producer != nil || t.Base != nil) {
			c.bugf("const tensor %v has a producer, a base, or %d elements of %s", t, t.Const.Len, t.Const.Type)
		}
		if t.Strides != nil || t.Base != nil {
			c.window(g, t)
		}
	}
}

// window checks that every element of t lies inside its base.
func (c *checker) window(g *Graph, t *Tensor) {
	if len(t.Strides) != len(t.Dims) {
		c.bugf("tensor %v has %d strides", t, len(t.Strides))
		return
	}
	root := t.Root()
	if !owned(g, root) || root.Base != nil || root.Const != nil && root != t {
		c.bugf("tensor %v has a base that is itself a window, a const or not in the graph", t)
		return
	}
	if t.Base == nil && t.Offset != 0 {
		c.bugf("tensor %v has an offset without a base", t)
	}
	last := t.Offset
	for i, d := range t.Dims {
		if t.Strides[i] < 0 {
			c.bugf("tensor %v has a negative stride", t)
		}
		last += (d - 1) * t.Strides[i]
	}
	if t.Offset < 0 || last >= root.Len() {
		c.bugf("tensor %v reaches element %d of a base with %d", t, last, root.Len())
	}
	if t.Type != root.Type {
		c.bugf("tensor %v has a base of type %s", t, root.Type)
	}
}

func (c *checker) read(g *Graph, t *Tensor) {
	switch {
	case !owned(g, t):
		c.bugf("reads %v, which is not in the graph", t)
	case t.Const != nil || c.placed:
	case c.produced[t] == nil:
		c.bugf("reads %v before it is produced", t)
	}
}

func (c *checker) write(g *Graph, t *Tensor) {
	switch {
	case !owned(g, t):
		c.bugf("writes %v, which is not in the graph", t)
	case t.Const != nil:
		c.bugf("writes the const %v", t)
	case c.produced[t] != nil:
		c.bugf("writes %v, as does %q", t, c.produced[t].Name)
	case t.Producer != c.op:
		c.bugf("writes %v, which names another producer", t)
	}
	c.produced[t] = c.op
}

// ends compares the lists of inputs and outputs with the operations, whose order may
// be another one once tensors have their places.
func (c *checker) ends(g *Graph) {
	var in, out []*Op
	for _, o := range g.Ops {
		switch o.Kind {
		case Input:
			in = append(in, o)
		case Output:
			out = append(out, o)
		}
	}
	sorted := func(ops []*Op) []*Op {
		ops = slices.Clone(ops)
		if c.placed {
			slices.SortStableFunc(ops, func(a, b *Op) int { return a.Index - b.Index })
		}
		return ops
	}
	if !slices.Equal(in, sorted(g.Inputs)) || !slices.Equal(out, sorted(g.Outputs)) {
		c.bugf("the lists of inputs and outputs are not those of the operations")
	}
}

// count checks the numbers of tensors; most of -1 means any.
func (c *checker) count(o *Op, least, most, outs int) bool {
	if len(o.In) < least || most >= 0 && len(o.In) > most || len(o.Out) != outs {
		c.bugf("has %d inputs and %d outputs", len(o.In), len(o.Out))
		return false
	}
	return true
}
