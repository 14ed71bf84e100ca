package lower

import (
	"github.com/flexnnc/flexnnc/ir/op"
)

// slot is the place of a tensor: a window of a root tensor's buffer.
type slot struct {
	root    *op.Tensor
	offset  int
	strides []int
}

// placer decides the slots. It goes over the operations twice. Backwards, what a
// Concat joins is given windows of the result, so that nested ones end in the
// outermost, and a View hands the window of its result on to its source.
// Forwards, all other tensors get buffers of their own, and the results of other
// Views become windows of their sources. A tensor lies in one place only: where
// two are wanted, or where an order of elements is wanted that strides cannot
// say, a Copy is added.
type placer struct {
	*editor
	slots map[*op.Tensor]slot
	order map[*op.Op]int // before anything is added
}

func place(e *editor) error {
	p := &placer{e, map[*op.Tensor]slot{}, map[*op.Op]int{}}
	for i, o := range e.g.Ops {
		p.order[o] = i
	}
	for i := len(e.g.Ops) - 1; i >= 0; i-- {
		switch o := e.g.Ops[i]; o.Kind {
		case op.Concat:
			p.placeConcat(o)
		case op.View:
			p.handOn(o)
		}
	}
	for _, o := range e.g.Ops {
		if o.Kind == op.View {
			p.placeView(o)
		}
		if isCustom(o) {
			p.close(o)
		}
		for _, t := range o.Out {
			p.settle(t)
		}
	}
	for _, t := range e.g.Tensors {
		if t.Const != nil {
			p.settle(t)
		}
	}
	p.apply()
	return nil
}

// claim gives t a slot, unless it has one, or its elements could not be stored
// that way. A window of another tensor is part of that one's buffer; it is copied.
func (p *placer) claim(t *op.Tensor, s slot) bool {
	if _, ok := p.slots[t]; ok || t.Const != nil || !rowsAreDense(t.Dims, s.strides) {
		return false
	}
	if t.Producer.Kind == op.View && t.Producer.Start != nil || isCustom(t.Producer) && !op.Dense(t.Dims, s.strides) {
		return false
	}
	p.slots[t] = s
	return true
}

// settle gives t a dense buffer of its own, unless it has a slot.
func (p *placer) settle(t *op.Tensor) {
	if _, ok := p.slots[t]; !ok {
		p.slots[t] = slot{t, 0, denseStrides(t.Dims)}
	}
}

// placeConcat gives each input a window of the result.
func (p *placer) placeConcat(o *op.Op) {
	out := o.Out[0]
	p.settle(out)
	s := p.slots[out]
	at := s.offset
	for k, t := range o.In {
		window := slot{s.root, at, s.strides}
		at += t.Dims[o.Axis] * s.strides[o.Axis]
		if !p.skips(t, o) && p.claim(t, window) {
			continue
		}
		c := p.tensor(t, "/copy", t.Dims)
		p.slots[c] = window
		p.before[o] = append(p.before[o], p.newCopy(t, c, o))
		o.In[k] = c
	}
}

// skips says that an input of a Concat of channels waits for the others while smaller
// images are made, as in a network that goes down to a coarse image and up again. A
// window of the result would hold all of that meanwhile, most of it empty; so such an
// input has a buffer of its own, and is copied when its time comes, row by row.
func (p *placer) skips(t *op.Tensor, o *op.Op) bool {
	if len(t.Dims) != 3 || o.Axis != 2 || t.Producer == nil || 4*t.Len() > 3*p.slots[o.Out[0]].root.Len() {
		return false
	}
	from, to := p.order[t.Producer], p.order[o]
	for _, other := range o.In {
		if q := other.Producer; q != nil && p.order[q] > from {
			to = min(to, p.order[q])
		}
	}
	for i := from + 1; i < to; i++ {
		for _, x := range p.g.Ops[i].Out {
			if len(x.Dims) == 3 && 1 < x.Dims[0] && x.Dims[0] < t.Dims[0] {
				return true
			}
		}
	}
	return false
}

// handOn gives the source of a View the window that was claimed for its result.
// Where that cannot be, the result is filled by a Copy.
func (p *placer) handOn(o *op.Op) {
	in, out := o.In[0], o.Out[0]
	s, claimed := p.slots[out]
	if !claimed {
		return
	}
	if o.Start == nil {
		if strides, ok := reshapeStrides(out.Dims, s.strides, in.Dims); ok && p.claim(in, slot{s.root, s.offset, strides}) {
			return
		}
	}
	seen := p.tensor(out, "/view", out.Dims)
	produce(o, seen)
	p.after[o] = append(p.after[o], p.newCopy(seen, out, o))
}

// placeView makes the result of a View a window of its source's buffer, which
// has its slot by now.
func (p *placer) placeView(o *op.Op) {
	in, out := o.In[0], o.Out[0]
	if _, ok := p.slots[out]; ok {
		return // claimed, and handed on
	}
	s := p.slots[in]
	if o.Start != nil {
		for i, start := range o.Start {
			s.offset += start * s.strides[i]
		}
		p.slots[out] = s
		return
	}
	strides, ok := reshapeStrides(in.Dims, s.strides, out.Dims)
	if ok && rowsAreDense(out.Dims, strides) {
		p.slots[out] = slot{s.root, s.offset, strides}
		return
	}
	dense := p.tensor(in, "/dense", in.Dims)
	p.settle(dense)
	p.slots[out] = slot{dense, 0, denseStrides(out.Dims)}
	p.after[o] = append([]*op.Op{p.newCopy(in, dense, o)}, p.after[o]...)
	o.In[0] = dense // which is out's producer from here on
}

func isCustom(o *op.Op) bool { return o.Call != nil && o.Call.Custom != nil }

// close has a Go function of the user's read copies of what has gaps.
func (p *placer) close(o *op.Op) {
	for k, t := range o.In {
		s, ok := p.slots[t]
		if !ok || op.Dense(t.Dims, s.strides) {
			continue // a constant has no slot yet, and no gaps
		}
		c := p.tensor(t, "/dense", t.Dims)
		p.settle(c)
		p.before[o] = append(p.before[o], p.newCopy(t, c, o))
		o.In[k] = c
	}
}

// apply writes the slots to the tensors, removes Concats and Views, and names as
// producer of a tensor that no operation writes as a whole the last that writes
// a part of it.
func (p *placer) apply() {
	for t, s := range p.slots {
		t.Base, t.Offset, t.Strides = s.root, s.offset, s.strides
		if s.root == t {
			t.Base = nil
		}
	}
	for _, o := range p.g.Ops {
		if o.Kind == op.Concat || o.Kind == op.View {
			p.removed[o] = true
		}
	}
	order := map[*op.Op]int{}
	all := p.g.Ops
	for _, o := range all {
		for _, c := range p.before[o] {
			order[c] = len(order)
		}
		order[o] = len(order)
		for _, c := range p.after[o] {
			order[c] = len(order)
		}
	}
	for _, o := range all {
		if !p.removed[o] {
			continue
		}
		last := o.In[0].Producer
		for _, t := range o.In {
			if order[t.Producer] > order[last] {
				last = t.Producer
			}
		}
		o.Out[0].Producer = last
	}
}

// denseStrides are the strides of a buffer without gaps, in elements.
func denseStrides(dims []int) []int {
	s := make([]int, len(dims))
	n := 1
	for i := len(dims) - 1; i >= 0; i-- {
		s[i] = n
		n *= dims[i]
	}
	return s
}

func rowsAreDense(dims, strides []int) bool {
	last := len(dims) - 1
	return dims[last] == 1 || strides[last] == 1
}

// reshapeStrides are the strides with which a window of dims and strides is seen
// as having the dims to, its elements in the same order; false where no strides
// do that.
func reshapeStrides(dims, strides, to []int) ([]int, bool) {
	if product(dims) == 1 {
		return denseStrides(to), true
	}
	out := make([]int, len(to))
	next := len(to) - 1 // axis of to that is to be covered next, from the innermost
	for i := len(dims) - 1; i >= 0; {
		// Axes i, i-1, .. that follow each other without gaps are one run.
		step, run := strides[i], 1
		if dims[i] == 1 {
			i--
			continue
		}
		for ; i >= 0 && (dims[i] == 1 || strides[i] == step*run); i-- {
			run *= dims[i]
		}
		covered := 1
		for next >= 0 && (covered < run || to[next] == 1) {
			out[next] = step * covered
			covered *= to[next]
			next--
		}
		if covered != run {
			return nil, false
		}
	}
	return out, next < 0
}
