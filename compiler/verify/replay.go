package verify

import (
	"math/bits"

	"github.com/flexnnc/flexnnc/ir/op"
	"github.com/flexnnc/flexnnc/ir/plan"
)

// content is which elements of a tensor its buffer holds: a bit per element that
// fits in, and, where the buffer is a ring, the tensor row that lies in each slot.
type content struct {
	t     *op.Tensor
	bits  []uint64
	count int
	row   int   // elements per row of the outermost axis
	slots []int // nil unless a ring
}

func newContent(b *plan.Buffer) *content {
	t := b.Tensor
	k := &content{t: t, row: t.Len() / t.Dims[0]}
	n := t.Len()
	if b.RingRows > 0 {
		n = k.row * b.RingRows
		k.slots = make([]int, b.RingRows)
		for i := range k.slots {
			k.slots[i] = -1
		}
	}
	k.bits = make([]uint64, (n+63)/64)
	return k
}

// each calls f for the bits of elements [lo,hi) word by word, until it returns false.
func each(lo, hi int, f func(word int, mask uint64) bool) bool {
	for lo < hi {
		w := lo / 64
		end := min(hi, (w+1)*64)
		mask := ^uint64(0) << (lo % 64)
		if end%64 != 0 {
			mask &= ^uint64(0) >> (64 - end%64)
		}
		if !f(w, mask) {
			return false
		}
		lo = end
	}
	return true
}

// place maps elements of one tensor row to bits; write says that they are about
// to be written, which makes a ring forget the row that it held there.
func (k *content) place(lo int, write bool) (int, bool) {
	if k.slots == nil {
		return lo, true
	}
	y := lo / k.row
	slot := y % len(k.slots)
	if k.slots[slot] != y {
		if !write || k.slots[slot] > y {
			return 0, false
		}
		k.slots[slot] = y
		each(slot*k.row, (slot+1)*k.row, func(w int, m uint64) bool {
			k.count -= bits.OnesCount64(k.bits[w] & m)
			k.bits[w] &^= m
			return true
		})
	}
	return lo%k.row + slot*k.row, true
}

// write notes elements [lo,hi) of one row; false where one is there already.
func (k *content) write(lo, hi int) bool {
	at, ok := k.place(lo, true)
	return ok && each(at, at+hi-lo, func(w int, m uint64) bool {
		if k.bits[w]&m != 0 {
			return false
		}
		k.bits[w] |= m
		k.count += bits.OnesCount64(m)
		return true
	})
}

// holds says whether elements [lo,hi) of one row are all there.
func (k *content) holds(lo, hi int) bool {
	at, ok := k.place(lo, false)
	return ok && each(at, at+hi-lo, func(w int, m uint64) bool { return k.bits[w]&m == m })
}

// replay runs the steps in order on sets of elements: all that a step reads must
// be there, and nothing may be written twice.
func (c *checker) replay() {
	contents := make([]*content, len(c.p.Buffers))
	for i := range c.p.Buffers {
		if c.p.Buffers[i].Kind == plan.Activation {
			contents[i] = newContent(&c.p.Buffers[i])
		}
	}
	for i := range c.p.Steps {
		s := &c.p.Steps[i]
		find := func(x *op.Tensor) *content {
			b, ok := c.bufferOf[x.Root()]
			if !ok {
				c.fault("%s uses %s, which has no buffer", stepName(s), x.Name)
				return nil
			}
			if life := &c.p.Buffers[b]; i < life.First || i > life.Last {
				c.fault("%s uses %s, which is live in steps %d to %d", stepName(s), c.name(b), life.First, life.Last)
			}
			return contents[b]
		}
		rows := s.Rows
		if rows == (plan.Range{}) {
			rows = plan.Range{Lo: 0, Hi: outRows(s.Op)}
		}
		for n, x := range append(s.Op.In[:len(s.Op.In):len(s.Op.In)], s.Op.EpilogueIn...) {
			if x.Root().Const != nil {
				continue
			}
			k := find(x)
			if k == nil || k.slots == nil && k.count == k.t.Len() && inside(x) {
				continue
			}
			if !window(x, inputRows(s.Op, x, n >= len(s.Op.In), rows), 0, x.Dims[len(x.Dims)-1], k.row, k.t.Len(), k.holds) {
				c.fault("%s reads elements of %s that are not there", stepName(s), x.Name)
			}
		}
		for _, x := range s.Op.Out {
			lo, hi := 0, x.Dims[len(x.Dims)-1]
			if s.Op.Panels != nil {
				if hi != s.Op.Panels.N {
					c.fault("%s has %d output channels, and an output %v", stepName(s), s.Op.Panels.N, x.Dims)
					continue
				}
				lo, hi = s.Panels.Lo*op.PanelWidth, min(hi, s.Panels.Hi*op.PanelWidth)
			}
			k := find(x)
			if k != nil && !window(x, rows, lo, hi, k.row, k.t.Len(), k.write) {
				c.fault("%s writes elements of %s that are there already, or outside of it", stepName(s), x.Name)
			}
		}
	}
}

// inside says whether the last element of a window is inside its root.
func inside(x *op.Tensor) bool {
	at := x.Offset
	for i, d := range x.Dims {
		at += (d - 1) * x.Strides[i]
	}
	return x.Offset >= 0 && at < x.Root().Len()
}

// window calls f for runs of elements of x's root, none of which crosses a root
// row: rows of the outermost axis, and [lo,hi) of the innermost one.
func window(x *op.Tensor, rows plan.Range, lo, hi, rootRow, rootLen int, f func(lo, hi int) bool) bool {
	last := len(x.Dims) - 1
	var walk func(axis, at int) bool
	run := func(at, n int) bool {
		for n > 0 {
			k := min(n, rootRow-at%rootRow)
			if at < 0 || at+k > rootLen || !f(at, at+k) {
				return false
			}
			at, n = at+k, n-k
		}
		return true
	}
	walk = func(axis, at int) bool {
		a, b := 0, x.Dims[axis]
		if axis == last {
			a, b = lo, hi
		}
		if axis == 0 {
			a, b = max(a, rows.Lo), min(b, rows.Hi)
			if last == 0 { // a vector is one row of channels, not rows of one
				a, b = lo, hi
			}
		}
		s := x.Strides[axis]
		if axis == last && s == 1 {
			return run(at+a, b-a)
		}
		for i := a; i < b; i++ {
			if axis == last {
				if !run(at+i*s, 1) {
					return false
				}
			} else if !walk(axis+1, at+i*s) {
				return false
			}
		}
		return true
	}
	return walk(0, x.Offset)
}

// inputRows is which rows of input x an op reads to make the given rows of its
// output; all of them where nothing better is known.
func inputRows(o *op.Op, x *op.Tensor, epilogue bool, out plan.Range) plan.Range {
	all := plan.Range{Lo: 0, Hi: x.Dims[0]}
	if len(o.Out) == 0 || len(x.Dims) == 1 || out.Len() == outRows(o) {
		return all
	}
	same := func() plan.Range {
		if len(x.Dims) == len(o.Out[0].Dims) && x.Dims[0] == o.Out[0].Dims[0] {
			return out
		}
		return all
	}
	reach := func(stride, pad, span int) plan.Range {
		return plan.Range{Lo: max(0, out.Lo*stride-pad), Hi: min(x.Dims[0], (out.Hi-1)*stride-pad+span)}
	}
	switch {
	case epilogue:
		return same()
	case o.Kind == op.Map || o.Kind == op.Rows || o.Kind == op.Copy && o.Perm == nil:
		return same()
	case o.Conv != nil && len(x.Dims) == 3 && x.Dims[0] == o.Conv.InH:
		return reach(o.Conv.SH, o.Conv.PadT, (o.Conv.KH-1)*o.Conv.DH+1)
	case o.Pool != nil && !o.Pool.Adaptive && len(x.Dims) == 3:
		return reach(o.Pool.SH, o.Pool.PadT, o.Pool.KH)
	}
	return all
}
