package verify

import (
	"math/bits"

	"github.com/flexnnc/flexnnc/ir/op"
	"github.com/flexnnc/flexnnc/ir/plan"
)

// content is which elements of a tensor its buffer holds: a bit per element that
// fits in, and, where the buffer is a ring, the tensor row that lies in each slot.
// A buffer that holds nothing or everything has no bits, which of the largest
// tensors take long to make and to walk over.
type content struct {
	t     *op.Tensor
	bits  []uint64
	size  int // elements that fit in
	count int
	row   int   // elements per row of the outermost axis
	slots []int // nil unless a ring of rows
	// Of a ring of channels: how many there are and exist at a time, and for each
	// pixel and place the channel that lies there, -1 where none.
	channels, width int
	owner           []int
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
	if b.RingPanels > 0 {
		k.channels = t.Dims[len(t.Dims)-1]
		k.width = min(k.channels, b.RingPanels*op.PanelWidth)
		n = n / k.channels * k.width
		k.owner = make([]int, n)
		for i := range k.owner {
			k.owner[i] = -1
		}
	}
	k.size = n
	return k
}

// some makes the bits where there are none.
func (k *content) some() {
	if k.bits != nil {
		return
	}
	k.bits = make([]uint64, (k.size+63)/64)
	if k.count > 0 {
		each(0, k.size, func(w int, m uint64) bool { k.bits[w] = m; return true })
	}
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
		k.some()
		each(slot*k.row, (slot+1)*k.row, func(w int, m uint64) bool {
			k.count -= bits.OnesCount64(k.bits[w] & m)
			k.bits[w] &^= m
			return true
		})
	}
	return lo%k.row + slot*k.row, true
}

// cell is where element i of a ring of channels lies, and its channel.
func (k *content) cell(i int) (at, channel int) {
	channel = i % k.channels
	return i/k.channels*k.width + channel%k.width, channel
}

// write notes elements [lo,hi) of one row; false where one is there already.
func (k *content) write(lo, hi int) bool {
	if k.owner != nil {
		for i := lo; i < hi; i++ {
			at, channel := k.cell(i)
			if k.owner[at] >= channel {
				return false
			}
			k.owner[at] = channel
		}
		return true
	}
	at, ok := k.place(lo, true)
	if ok && k.count == 0 && at == 0 && hi-lo == k.size {
		k.bits, k.count = nil, k.size
		return true
	}
	k.some()
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
	if k.owner != nil {
		for i := lo; i < hi; i++ {
			if at, channel := k.cell(i); k.owner[at] != channel {
				return false
			}
		}
		return true
	}
	at, ok := k.place(lo, false)
	if ok && k.count == k.size {
		return at+hi-lo <= k.size
	}
	k.some()
	return ok && each(at, at+hi-lo, func(w int, m uint64) bool { return k.bits[w]&m == m })
}

// evict forgets the rows of a ring whose slots the rows of elements [lo,hi) take.
func (k *content) evict(lo, hi int) bool {
	_, ok := k.place(lo, true)
	return ok
}

// forget drops what lies in bytes [lo,hi) of the buffer.
func (k *content) forget(lo, hi int) {
	size := k.t.Type.Bytes()
	lo, hi = max(0, lo)/size, min((max(0, hi)+size-1)/size, k.size)
	if k.count == 0 || lo >= hi {
		return
	}
	if lo == 0 && hi == k.size {
		k.bits, k.count = nil, 0
		return
	}
	k.some()
	each(lo, hi, func(w int, m uint64) bool {
		k.count -= bits.OnesCount64(k.bits[w] & m)
		k.bits[w] &^= m
		return true
	})
}

// access is what a step reads or writes of a tensor.
type access struct {
	x       *op.Tensor
	buffer  int
	k       *content
	rows    plan.Range
	lo, hi  int // of the innermost axis
	inPlace bool
}

func (a *access) each(f func(lo, hi int) bool) bool {
	if a.k.slots == nil && a.k.owner == nil { // there are no rows to keep apart
		return window(a.x, a.rows, a.lo, a.hi, a.k.t.Len(), a.k.t.Len(), f)
	}
	return window(a.x, a.rows, a.lo, a.hi, a.k.row, a.k.t.Len(), f)
}

func (a *access) there() bool {
	if a.k.slots == nil && a.k.count == a.k.t.Len() && inside(a.x) {
		return true
	}
	return a.each(a.k.holds)
}

// replay runs the steps in order on sets of elements: all that a step reads must
// be there, and nothing may be written twice. A step's reads and writes come in
// any order, so what it overwrites must be gone before it reads, but for elements
// that it reads only where and when it writes.
func (c *checker) replay() {
	contents := make([]*content, len(c.p.Buffers))
	relatives := make([][]int, len(c.p.Buffers))
	for i := range c.p.Buffers {
		if c.p.Buffers[i].Kind != plan.Activation {
			continue
		}
		contents[i] = newContent(&c.p.Buffers[i])
		for j := range c.p.Buffers {
			if j != i && c.family[j] == c.family[i] {
				relatives[i] = append(relatives[i], j)
			}
		}
	}
	for i := range c.p.Steps {
		s := &c.p.Steps[i]
		reads, writes := c.accesses(s, contents)
		for _, a := range reads {
			if a.inPlace && !a.there() {
				c.fault("%s reads elements of %s that are not there", stepName(s), a.x.Name)
			}
		}
		for _, a := range writes {
			if a.k.slots != nil && !a.each(a.k.evict) {
				c.fault("%s writes elements of %s that are there already, or outside of it", stepName(s), a.x.Name)
			}
			if len(relatives[a.buffer]) == 0 {
				continue
			}
			b, size := &c.p.Buffers[a.buffer], a.x.Type.Bytes()
			a.each(func(lo, hi int) bool {
				at, ok := a.k.place(lo, false)
				for _, j := range relatives[a.buffer] {
					from := int(b.Offset-c.p.Buffers[j].Offset) + at*size
					contents[j].forget(from, from+(hi-lo)*size)
				}
				return ok
			})
		}
		for _, a := range reads {
			if !a.inPlace && !a.there() {
				c.fault("%s reads elements of %s that are not there", stepName(s), a.x.Name)
			}
		}
		for _, a := range writes {
			if !a.each(a.k.write) {
				c.fault("%s writes elements of %s that are there already, or outside of it", stepName(s), a.x.Name)
			}
		}
	}
}

// accesses lists what a step reads and writes, consts and panels apart.
func (c *checker) accesses(s *plan.Step, contents []*content) (reads, writes []access) {
	o := s.Op
	find := func(x *op.Tensor) (access, bool) {
		b, ok := c.bufferOf[x.Root()]
		if !ok {
			c.fault("%s uses %s, which has no buffer", stepName(s), x.Name)
			return access{}, false
		}
		if life := &c.p.Buffers[b]; s.Index < life.First || s.Index > life.Last {
			c.fault("%s uses %s, which is live in steps %d to %d", stepName(s), c.name(b), life.First, life.Last)
		}
		k := contents[b]
		if k.slots != nil && !(ringed(x, len(k.slots)) && (banded(o) || o.Kind == op.Call && x.Dims[0] == 1)) {
			c.fault("%s uses %s, whose rows are not those of the ring", stepName(s), x.Name)
		}
		return access{x: x, buffer: b, k: k, hi: x.Dims[len(x.Dims)-1]}, true
	}
	// channels narrows an access to those of the step's slice.
	channels := func(a *access) {
		if s.Panels != (plan.Range{}) {
			a.lo, a.hi = s.Panels.Lo*op.PanelWidth, min(a.hi, s.Panels.Hi*op.PanelWidth)
		}
		if a.k.owner != nil && (a.x.Root() != a.x || a.lo/a.k.width != (a.hi-1)/a.k.width) {
			c.fault("%s uses channels %d to %d of %s, of which %d exist at a time", stepName(s), a.lo, a.hi, a.x.Name, a.k.width)
		}
	}
	byHeads := heads(o) > 0 && s.Panels != plan.Range{}
	if byHeads && (s.Rows != plan.Range{} || s.Panels.Lo*op.PanelWidth%o.Call.HeadWidth != 0 ||
		s.Panels.Hi*op.PanelWidth%o.Call.HeadWidth != 0 && s.Panels.Hi*op.PanelWidth < heads(o)*o.Call.HeadWidth) {
		c.fault("%s makes panels %v of rows %v, and heads of %d channels", stepName(s), s.Panels, s.Rows, o.Call.HeadWidth)
	}
	all := s.Rows == plan.Range{}
	rows := s.Rows
	if all {
		rows = plan.Range{Lo: 0, Hi: outRows(o)}
	}
	for n, x := range append(o.In[:len(o.In):len(o.In)], o.EpilogueIn...) {
		if x.Root().Const != nil {
			continue
		}
		if byHeads && n < 3 {
			x = c.sideBySide(s, x)
		}
		a, ok := find(x)
		if !ok {
			continue
		}
		epilogue := n >= len(o.In)
		a.inPlace = c.inPlace(o, x, epilogue)
		a.rows = plan.Range{Lo: 0, Hi: x.Dims[0]}
		if !all && (o.Kind != op.Call || n == 0) { // a kernel reads all of the others
			a.rows = inputRows(o, x, epilogue, rows)
		}
		switch {
		case byHeads && n < 3, epilogue && o.Panels != nil && a.hi == o.Panels.N, n == 0 && o.Kind == op.Pool, n == 0 && o.Kind == op.Depthwise && o.Conv.Mult <= 1:
			if channels(&a); epilogue && a.k.owner != nil {
				c.fault("%s reads %s, a ring of channels, in its epilogue", stepName(s), x.Name)
			}
		case a.k.owner != nil:
			c.fault("%s reads all channels of %s, of which %d exist at a time", stepName(s), x.Name, a.k.width)
		}
		reads = append(reads, a)
	}
	for _, x := range o.Out {
		if byHeads {
			x = c.sideBySide(s, x)
		}
		a, ok := find(x)
		if !ok {
			continue
		}
		a.rows = rows
		if o.Panels != nil {
			if a.hi != o.Panels.N {
				c.fault("%s has %d output channels, and an output %v", stepName(s), o.Panels.N, x.Dims)
				continue
			}
		}
		channels(&a)
		writes = append(writes, a)
	}
	return reads, writes
}

// ringed says whether a driver finds the rows of x in a ring of so many rows of its
// root. It supposes that row y lies at offset at of slot (first+y) mod n, for slots of
// any one size that the ring is a whole number of and that is a multiple or a part
// of the root's row.
func ringed(x *op.Tensor, rows int) bool {
	row := x.Root().Len() / x.Root().Dims[0]
	end := 1 // of the first row of x, from its first element
	for i, d := range x.Dims[1:] {
		end += (d - 1) * x.Strides[i+1]
	}
	slot := row
	if x.Dims[0] > 1 {
		slot = x.Strides[0]
	}
	if len(x.Dims) < 2 || x.Offset < 0 || slot < 1 || rows*row%slot != 0 || row%slot != 0 && slot%row != 0 {
		return false
	}
	at := x.Offset % slot
	return at+end <= slot
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
	// Whole rows that lie one after the other are one run.
	inner := 1
	for axis := last; axis > 0 && lo == 0 && hi == x.Dims[last]; axis-- {
		if x.Strides[axis] != inner && x.Dims[axis] != 1 {
			break
		}
		if inner *= x.Dims[axis]; axis == 1 && x.Strides[0] == inner && rows.Lo >= 0 && rows.Lo < rows.Hi && rows.Hi <= x.Dims[0] {
			return runs(x.Offset+rows.Lo*inner, rows.Len()*inner, rootRow, rootLen, f)
		}
	}
	var walk func(axis, at int) bool
	run := func(at, n int) bool { return runs(at, n, rootRow, rootLen, f) }
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

// runs calls f for n elements from at on, cut where a root row ends.
func runs(at, n, rootRow, rootLen int, f func(lo, hi int) bool) bool {
	for n > 0 {
		k := min(n, rootRow-at%rootRow)
		if at < 0 || at+k > rootLen || !f(at, at+k) {
			return false
		}
		at, n = at+k, n-k
	}
	return true
}

// inputRows is which rows of input x an op reads to make the given rows of its
// output; all of them where nothing better is known.
func inputRows(o *op.Op, x *op.Tensor, epilogue bool, out plan.Range) plan.Range {
	all := plan.Range{Lo: 0, Hi: x.Dims[0]}
	if len(x.Dims) == 1 || outRows(o) == 1 {
		return all
	}
	reach := func(stride, pad, span int) plan.Range {
		return plan.Range{Lo: max(0, out.Lo*stride-pad), Hi: min(x.Dims[0], (out.Hi-1)*stride-pad+span)}
	}
	switch {
	case o.Kind == op.Output:
		return out
	case epilogue || o.Kind == op.Map || o.Kind == op.Rows || o.Kind == op.Quantize:
		if len(x.Dims) == len(o.Out[0].Dims) && x.Dims[0] == o.Out[0].Dims[0] {
			return out
		}
	case o.Kind == op.Copy:
		// Elements are in the same order, or the axes inside the outermost one change places.
		if (o.Perm == nil || o.Perm[0] == 0) && x.Dims[0] == o.Out[0].Dims[0] {
			return out
		}
	case o.Pool != nil && len(x.Dims) == 2 && o.Pool.InH == 1 && x.Dims[0] == o.Pool.InW:
		if o.Pool.Adaptive {
			n, m := o.Pool.InW, o.Pool.OutW
			return plan.Range{Lo: out.Lo * n / m, Hi: (out.Hi*n + m - 1) / m}
		}
		return reach(o.Pool.SW, o.Pool.PadL, o.Pool.KW)
	case o.Conv != nil && len(x.Dims) == 2 && o.Conv.InH == 1 && x.Dims[0] == o.Conv.InW: // pixels
		return reach(o.Conv.SW, o.Conv.PadL, (o.Conv.KW-1)*o.Conv.DW+1)
	case o.Conv != nil && len(x.Dims) == 3 && x.Dims[0] == o.Conv.InH:
		return reach(o.Conv.SH, o.Conv.PadT, (o.Conv.KH-1)*o.Conv.DH+1)
	case o.Kind == op.Call && o.Call.Rows != nil:
		first, end := x.Dims[0], 0
		for _, r := range o.Call.Rows[out.Lo:out.Hi] {
			if r[0] < r[1] {
				first, end = min(first, r[0]), max(end, r[1])
			}
		}
		return plan.Range{Lo: min(first, end), Hi: end}
	case o.Pool != nil && len(x.Dims) == 3 && o.Pool.Adaptive:
		first := out.Lo * o.Pool.InH / o.Pool.OutH
		last := (out.Hi*o.Pool.InH + o.Pool.OutH - 1) / o.Pool.OutH
		return plan.Range{Lo: first, Hi: last}
	case o.Pool != nil && len(x.Dims) == 3:
		return reach(o.Pool.SH, o.Pool.PadT, o.Pool.KH)
	}
	return all
}
