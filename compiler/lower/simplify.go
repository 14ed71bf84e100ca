package lower

import (
	"math"
	"slices"

	"github.com/flexnnc/flexnnc/ir/lane"
	"github.com/flexnnc/flexnnc/ir/op"
)

// removeIdentity makes one transposition of two, and removes operations whose
// result is their input. A constant stays copied: as an activation it may be what
// a kernel wants.
func removeIdentity(e *editor) error {
	for _, o := range e.g.Ops {
		e.liftView(o)
		e.joinTransposes(o)
		if isIdentity(o) {
			e.remove(o)
			e.redirect(o.Out[0], o.In[0])
		}
	}
	return nil
}

// joinTransposes has o read what the transposition before it reads, where that
// has no other reader, or where the two together keep the order: then o is a View.
func (e *editor) joinTransposes(o *op.Op) {
	if o.Kind != op.Copy || o.Perm == nil {
		return
	}
	mid := o.In[0]
	first := mid.Producer
	if first == nil || first.Kind != op.Copy || first.Perm == nil || first.In[0].Const != nil {
		return
	}
	from := first.In[0]
	perm := make([]int, len(o.Perm))
	for i, p := range o.Perm {
		perm[i] = first.Perm[p]
	}
	keeps := keepsOrder(perm, from.Dims)
	if !keeps && e.only(mid) != o {
		return
	}
	e.unread(mid, o)
	if len(e.readers[mid]) == 0 {
		e.remove(first)
	}
	o.In[0], o.Perm = from, perm
	e.readers[from] = append(e.readers[from], o)
	if keeps {
		o.Kind, o.Perm = op.View, nil
	}
}

func isIdentity(o *op.Op) bool {
	if len(o.In) == 0 || len(o.Out) != 1 || o.In[0].Const != nil || o.In[0].Type != o.Out[0].Type || !slices.Equal(o.In[0].Dims, o.Out[0].Dims) {
		return false
	}
	switch o.Kind {
	case op.View:
		return true // a window with all of its source's dims starts at its origin
	case op.Copy:
		return keepsOrder(o.Perm, o.In[0].Dims)
	case op.Map:
		p := o.Map.Program
		r := p.Insts[p.Result]
		return len(o.In) == 1 && r.Code == lane.In && p.Inputs[0] == lane.Vector
	case op.Concat:
		return len(o.In) == 1
	}
	return false
}

// keepsOrder reports whether a transposition moves only axes of length one.
func keepsOrder(perm, dims []int) bool {
	last := -1
	for _, p := range perm {
		if dims[p] == 1 {
			continue
		}
		if p < last {
			return false
		}
		last = p
	}
	return true
}

// foldPadding makes zeros that only one convolution reads, around the height and
// width of its image, part of that: cells outside an image count as zero.
func foldPadding(e *editor) error {
	for _, o := range e.g.Ops {
		if o.Kind != op.Call || o.Call.Func != "pad" || e.removed[o] {
			continue
		}
		// Ints: mode, then dims, cells before and cells after of four axes, axis of values.
		n := o.Call.Ints
		x, y := o.In[0], o.Out[0]
		r := e.only(y)
		zeros := n[0] == 0 && n[13] < 0 && o.Call.Floats[0] == 0 && !math.Signbit(float64(o.Call.Floats[0]))
		if !zeros || len(x.Dims) != 3 || n[8] != 0 || n[12] != 0 || r == nil || r.Conv == nil || r.In[0] != y {
			continue
		}
		e.remove(o)
		r.In[0] = x
		e.readers[x] = append(e.readers[x], r)
		r.Conv.InH, r.Conv.InW = x.Dims[0], x.Dims[1]
		r.Conv.PadT += n[6]
		r.Conv.PadL += n[7]
	}
	return nil
}

// foldPorts removes transpositions right behind an input or right before an
// output. Tensor axis i of a port is user axis Perm[i].
func foldPorts(e *editor) error {
	for _, o := range e.g.Ops {
		if o.Kind != op.Copy || o.Perm == nil || e.removed[o] {
			continue
		}
		from, to := o.In[0], o.Out[0]
		if p := from.Producer; p != nil && p.Kind == op.Input && e.only(from) == o {
			perm := make([]int, len(o.Perm))
			for i, axis := range o.Perm {
				perm[i] = p.Port.Perm[axis]
			}
			e.remove(o)
			p.Port.Perm = perm
			produce(p, to)
			continue
		}
		if r := e.only(to); r != nil && r.Kind == op.Output && from.Const == nil {
			perm := make([]int, len(o.Perm))
			for i, axis := range o.Perm {
				perm[axis] = r.Port.Perm[i]
			}
			r.Port.Perm = perm
			e.remove(o)
			e.redirect(to, from)
		}
	}
	return nil
}

// foldConstants replaces views and transposed copies of constants by constants.
func foldConstants(e *editor) error {
	for _, o := range e.g.Ops {
		moves := o.Kind == op.View || o.Kind == op.Copy && o.Perm != nil
		if !moves || o.In[0].Const == nil {
			continue
		}
		from, to := o.In[0], o.Out[0]
		e.remove(o)
		to.Producer = nil
		if o.Kind == op.View && o.Start == nil {
			to.Const = from.Const // the same elements in the same order: one item in the weights file
			continue
		}
		strides := denseStrides(from.Dims)
		offset := 0
		if o.Kind == op.View {
			for i, s := range o.Start {
				offset += s * strides[i]
			}
		} else {
			moved := make([]int, len(strides))
			for i, axis := range o.Perm {
				moved[i] = strides[axis]
			}
			strides = moved
		}
		to.Const = gather(from.Const, to, offset, strides)
	}
	return nil
}

// gather is the constant of to's dims whose element (i,j,..) is element
// offset + i*strides[0] + j*strides[1] + .. of c.
func gather(c *op.Const, to *op.Tensor, offset int, strides []int) *op.Const {
	dims := to.Dims
	return &op.Const{Name: to.Name, Type: c.Type, Len: to.Len(), Fill: func(dst []float32) error {
		all := make([]float32, c.Len)
		if err := c.Fill(all); err != nil {
			return err
		}
		next := 0
		var walk func(axis, at int)
		walk = func(axis, at int) {
			if axis == len(dims) {
				dst[next] = all[at]
				next++
				return
			}
			for i := range dims[axis] {
				walk(axis+1, at+i*strides[axis])
			}
		}
		walk(0, offset)
		return nil
	}}
}

// removeDead removes operations whose results nothing reads. Inputs stay: they
// are part of the emitted package's interface.
func removeDead(e *editor) error {
	for i := len(e.g.Ops) - 1; i >= 0; i-- {
		o := e.g.Ops[i]
		if o.Kind == op.Input || o.Kind == op.Output {
			continue
		}
		read := false
		for _, t := range o.Out {
			read = read || len(e.readers[t]) > 0
		}
		if !read {
			e.remove(o)
		}
	}
	return nil
}
