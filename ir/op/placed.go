package op

import (
	"errors"
	"math/bits"
)

// CheckPlaced asserts, beyond what Check does, what holds once every tensor has
// its place: no Concat and no View is left, every tensor has strides, innermost
// elements are neighbours, and each element of a buffer is written exactly once,
// by one operation, before anything reads it.
func CheckPlaced(g *Graph) error {
	if err := Check(&Graph{Name: g.Name, Tensors: g.Tensors}); err != nil {
		return err
	}
	c := checker{produced: map[*Tensor]*Op{}, names: map[string]bool{}, placed: true}
	written := map[*Tensor]*cover{}
	for _, t := range g.Tensors {
		if t.Strides == nil {
			c.bugf("tensor %v has no strides", t)
		}
	}
	if len(c.errs) > 0 {
		return errors.Join(c.errs...)
	}
	for i, o := range g.Ops {
		c.op = o
		if o.Index != i || c.names[o.Name] || o.Name == "" {
			c.bugf("has index %d at position %d, or its name is not unique", o.Index, i)
		}
		c.names[o.Name] = true
		for _, t := range append(append([]*Tensor{}, o.In...), o.EpilogueIn...) {
			c.read(g, t)
			if t.Const == nil && !written[t.Root()].all(t) {
				c.bugf("reads %v before all of it is written", t)
			}
			if anyStride := o.Kind == Copy || o.Kind == Output || o.Kind == Call; !anyStride && !rowsAreDense(t) {
				c.bugf("reads %v, whose innermost elements are no neighbours", t)
			}
		}
		if o.Call != nil && o.Call.Custom != nil {
			for _, t := range append(append([]*Tensor{}, o.In...), o.Out...) {
				if !Dense(t.Dims, t.Strides) {
					c.bugf("hands %v to a Go function, which has gaps", t)
				}
			}
		}
		c.kind(o)
		if len(c.errs) == 0 {
			c.epilogue(o)
		}
		for _, t := range o.Out {
			c.write(g, t)
			root := t.Root()
			if written[root] == nil {
				written[root] = &cover{size: root.Len()}
			}
			if !written[root].set(t) {
				c.bugf("writes elements of %v that are written already", t)
			}
			if !rowsAreDense(t) {
				c.bugf("writes %v, whose innermost elements are no neighbours", t)
			}
		}
	}
	c.op = nil
	c.ends(g)
	return errors.Join(c.errs...)
}

func rowsAreDense(t *Tensor) bool {
	last := len(t.Dims) - 1
	return t.Dims[last] == 1 || t.Strides[last] == 1
}

// cover says which elements of a buffer are written: all of them, or those of a
// bitmap, which large buffers that are written at once do not need.
type cover struct {
	size int
	full bool
	some bitmap
}

// all reports whether all elements of a window are set.
func (c *cover) all(t *Tensor) bool { return c != nil && (c.full || c.some.all(t)) }

// set sets the elements of a window and reports whether none was set before.
func (c *cover) set(t *Tensor) bool {
	if c.full {
		return false
	}
	if c.some == nil {
		whole := false
		eachRun(t, func(at, n int) { whole = at == 0 && n == c.size })
		if whole {
			c.full = true
			return true
		}
		c.some = make(bitmap, (c.size+63)/64)
	}
	return c.some.set(t)
}

// bitmap has a bit per element of a buffer.
type bitmap []uint64

// all reports whether all elements of a window are set.
func (b bitmap) all(t *Tensor) bool {
	if b == nil {
		return false
	}
	ok := true
	eachRun(t, func(at, n int) { ok = ok && b.ones(at, n) == n })
	return ok
}

// set sets the elements of a window and reports whether none was set before.
func (b bitmap) set(t *Tensor) bool {
	fresh := true
	eachRun(t, func(at, n int) {
		fresh = fresh && b.ones(at, n) == 0
		b.words(at, n, func(w *uint64, mask uint64) { *w |= mask })
	})
	return fresh
}

func (b bitmap) ones(at, n int) int {
	count := 0
	b.words(at, n, func(w *uint64, mask uint64) { count += bits.OnesCount64(*w & mask) })
	return count
}

func (b bitmap) words(at, n int, visit func(w *uint64, mask uint64)) {
	for n > 0 {
		first := at % 64
		take := min(n, 64-first)
		visit(&b[at/64], ^uint64(0)>>(64-take)<<first)
		at, n = at+take, n-take
	}
}

// eachRun visits the contiguous runs of a window.
func eachRun(t *Tensor, visit func(at, n int)) {
	run, outer := 1, len(t.Dims)
	for outer > 0 && (t.Dims[outer-1] == 1 || t.Strides[outer-1] == run) {
		outer--
		run *= t.Dims[outer]
	}
	var walk func(axis, at int)
	walk = func(axis, at int) {
		if axis == outer {
			visit(at, run)
			return
		}
		for i := range t.Dims[axis] {
			walk(axis+1, at+i*t.Strides[axis])
		}
	}
	walk(0, t.Offset)
}
