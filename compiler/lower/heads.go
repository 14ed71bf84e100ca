package lower

import (
	"slices"

	"github.com/flexnnc/flexnnc/compiler/layer"
	"github.com/flexnnc/flexnnc/ir/lane"
	"github.com/flexnnc/flexnnc/ir/op"
)

// strided is an operand of a kernel that takes element strides: those among its
// numbers, and whether the last but one may be that of the innermost axis, too.
type strided struct {
	from, to int
	anyAxis  bool
}

// stridedCalls are those kernels: their inputs, and then their output.
var stridedCalls = map[string][]strided{
	"attention": {{6, 8, false}, {8, 10, false}, {10, 12, false}, {12, 14, false}},
	"matmul":    {{5, 9, false}, {9, 13, true}, {13, 17, false}},
}

// foldHeads lets attention and products read and write matrices whose heads lie side
// by side in rows, where a transposition puts them one below the other for it, or back.
func foldHeads(e *editor) error {
	for _, o := range e.g.Ops {
		if o.Kind != op.Call || e.removed[o] {
			continue
		}
		operands := stridedCalls[o.Call.Func]
		if operands == nil {
			continue
		}
		changed := false
		last := len(operands) - 1
		for i, s := range operands[:last] {
			t := o.In[i]
			c := t.Producer
			if c == nil || c.Kind != op.Copy || c.Perm == nil || c.In[0].Const != nil || c.In[0].Type != t.Type || count(o.In, t) != 1 {
				continue
			}
			from := c.In[0]
			if !s.restride(o.Call, t.Dims, from.Dims, c.Perm) {
				continue
			}
			e.unread(t, o)
			if len(e.readers[t]) == 0 {
				e.remove(c)
			}
			o.In[i] = from
			e.readers[from] = append(e.readers[from], o)
			changed = true
		}
		y := o.Out[0]
		if c := e.only(y); c != nil && c.Kind == op.Copy && c.Perm != nil && c.Out[0].Type == y.Type {
			// Axis i of the copy is axis Perm[i] of y: seen from the copy, y is transposed back.
			back := make([]int, len(c.Perm))
			for i, p := range c.Perm {
				back[p] = i
			}
			if operands[last].restride(o.Call, y.Dims, c.Out[0].Dims, back) {
				e.remove(c)
				produce(o, c.Out[0])
				changed = true
			}
		}
		if changed && o.Call.Func == "attention" {
			layer.RangeOfAttention(o)
		}
	}
	return nil
}

func count(list []*op.Tensor, t *op.Tensor) (n int) {
	for _, x := range list {
		if x == t {
			n++
		}
	}
	return n
}

// restride changes the numbers of a kernel from strides in a dense tensor of dims to
// those in one of dims from, axis i of the first being axis perm[i] of the second.
func (s strided) restride(c *op.CallAttr, dims, from, perm []int) bool {
	if last := len(perm) - 1; !s.anyAxis && perm[last] != last {
		return false
	}
	old, now := denseStrides(dims), denseStrides(from)
	strides := slices.Clone(c.Ints[s.from:s.to])
	for k, stride := range strides {
		if stride == 0 || stride == product(dims) { // of a loop of length one
			continue
		}
		axis := -1
		for i, d := range dims {
			if d > 1 && old[i] == stride {
				axis = i
			}
		}
		if axis < 0 {
			return false
		}
		strides[k] = now[perm[axis]]
	}
	if n := len(strides); s.anyAxis && strides[n-1] != 1 && strides[n-2] != 1 {
		return false // each element by itself
	}
	copy(c.Ints[s.from:s.to], strides)
	if c.LeanInts != nil {
		copy(c.LeanInts[s.from:s.to], strides)
	}
	return true
}

// liftView has a transposition of a view read what the view sees, and turns its result
// back into the view, where that joins axes that the transposition leaves side by side,
// so that it can be made one with a transposition before the view.
func (e *editor) liftView(o *op.Op) {
	if o.Kind != op.Copy || o.Perm == nil {
		return
	}
	mid := o.In[0]
	v := mid.Producer
	if v == nil || v.Kind != op.View || v.Start != nil || e.only(mid) != o {
		return
	}
	x := v.In[0]
	if first := x.Producer; first == nil || first.Kind != op.Copy || first.Perm == nil {
		return
	}
	groups := joinedAxes(x.Dims, mid.Dims) // of x, per axis of mid
	if groups == nil {
		return
	}
	var perm, dims []int
	for _, p := range o.Perm {
		for axis := groups[p][0]; axis < groups[p][1]; axis++ {
			perm = append(perm, axis)
			dims = append(dims, x.Dims[axis])
		}
	}
	out := o.Out[0]
	moved := e.tensor(out, "/apart", dims)
	e.unread(mid, o)
	e.remove(v)
	o.In[0], o.Perm = x, perm
	e.readers[x] = append(e.readers[x], o)
	produce(o, moved)
	view := &op.Op{Kind: op.View, Name: e.name(out.Name + "/joined"), Layers: o.Layers, In: []*op.Tensor{moved}, Out: []*op.Tensor{out}}
	out.Producer = view
	e.readers[moved] = append(e.readers[moved], view)
	e.after[o] = append(e.after[o], view)
}

// joinedAxes says which axes of dims are those of to, each some that lie side by side;
// nil where they are not.
func joinedAxes(dims, to []int) (groups [][2]int) {
	at := 0
	for k, d := range to {
		first, n := at, 1
		for at < len(dims) && (n < d || n*dims[at] == d && (k == len(to)-1 || dims[at] == 1 && to[k+1] != 1)) {
			n *= dims[at]
			at++
		}
		if n != d {
			return nil
		}
		groups = append(groups, [2]int{first, at})
	}
	if at != len(dims) {
		return nil
	}
	return groups
}

// joinAttention makes one attention of two products and what stands between them: a
// scale and a mask or neither, and passes over rows of scores, as those of a softmax.
// Scores of a few rows then exist at a time, and never lie in memory as a tensor.
func joinAttention(e *editor) error {
	for _, o := range e.g.Ops {
		if o.Kind != op.Call || o.Call.Func != "matmul" || e.removed[o] {
			continue
		}
		softmax := e.maker(o.In[0], o, op.Rows)
		if softmax == nil || len(softmax.In) != 1 {
			continue
		}
		user, s := softmax, softmax.In[0]
		var passes []op.Pass
		var mask *op.Tensor
		if m := e.maker(s, softmax, op.Map); m != nil {
			if passes, s, mask = e.scorePass(m); s == nil {
				continue
			}
			user = m
		}
		qk := e.maker(s, user, op.Call)
		if qk == nil || qk.Call.Func != "matmul" {
			continue
		}
		a, ok := attentionOf(qk.Call, o.Call)
		if !ok || mask != nil && !a.masked(mask) {
			continue
		}
		for _, p := range softmax.Rows.Passes {
			p.In = slices.Clone(p.In)
			for i := range p.In {
				if p.In[i].Kind == op.FromInput {
					p.In[i] = op.Source{Kind: op.FromOutput}
				}
			}
			passes = append(passes, p)
		}
		in := []*op.Tensor{qk.In[0], qk.In[1], o.In[1]}
		if mask != nil {
			in = append(in, mask)
		}
		var layers = slices.Clone(qk.Layers)
		if user != softmax {
			layers = append(layers, user.Layers...)
			e.remove(user)
		}
		layers = append(append(layers, softmax.Layers...), o.Layers...)
		for _, p := range []*op.Op{qk, softmax, o} {
			e.remove(p)
		}
		joined := a.Op(o.Name, in, o.Out[0], passes)
		joined.Layers = layers
		o.Out[0].Producer = joined
		for _, t := range in {
			e.readers[t] = append(e.readers[t], joined)
		}
		e.before[o] = append(e.before[o], joined)
	}
	return nil
}

// maker is the op of a kind that makes t for user alone.
func (e *editor) maker(t *op.Tensor, user *op.Op, kind op.Kind) *op.Op {
	if p := t.Producer; p != nil && p.Kind == kind && !e.removed[p] && e.only(t) == user && p.Epilogue == nil {
		return p
	}
	return nil
}

// scorePass is a Map over scores as a pass over their rows, with the scores and what
// else it reads, a row for each of theirs, if it does. Scores are nil where it is
// something else.
func (e *editor) scorePass(m *op.Op) (passes []op.Pass, scores, mask *op.Tensor) {
	p := m.Map.Program
	if p.Reduce != lane.Store {
		return nil, nil, nil
	}
	pass := op.Pass{Program: p, To: -1, Out: true}
	for i, t := range m.In {
		made := t.Producer
		switch {
		case p.Inputs[i] != lane.Vector:
			return nil, nil, nil
		case scores == nil && made != nil && made.Kind == op.Call && made.Call.Func == "matmul" && e.only(t) == m && slices.Equal(t.Dims, m.Out[0].Dims):
			scores = t
			pass.In = append(pass.In, op.Source{Kind: op.FromOutput})
		case mask == nil:
			mask = t
			pass.In = append(pass.In, op.Source{Kind: op.FromInput, Index: 1})
		default:
			return nil, nil, nil
		}
	}
	return []op.Pass{pass}, scores, mask
}

// shape is that of an attention in the making.
type shape struct{ layer.Attention }

// attentionOf is the shape of the attention that two products make: q times k' and
// weights times v. Ints: outer inner M N K, then strides of a and b and y.
func attentionOf(qk, pv *op.CallAttr) (a shape, ok bool) {
	n, m := qk.Ints, pv.Ints
	heads, rows, keys, width, vWidth := n[1], n[2], n[3], n[4], m[3]
	one := func(stride, length int) bool { return stride == 1 || length == 1 }
	dense := func(s []int) bool { // scores
		return (s[1] == rows*keys || heads == 1) && (s[2] == keys || rows == 1) && one(s[3], keys)
	}
	switch {
	case qk.Floats[0] != 1 || pv.Floats[0] != 1 || n[0] != 1 || m[0] != 1 || m[1] != heads || m[2] != rows || m[4] != keys:
	case !dense(n[13:17]) || !dense(m[5:9]):
	case !one(n[8], width) || !one(n[11], width) || !one(m[12], vWidth) || !one(m[16], vWidth):
	default:
		a.Attention = layer.Attention{
			Heads: heads, Rows: rows, Keys: keys, Width: width, VWidth: vWidth,
			Q: [2]int{n[6], n[7]}, K: [2]int{n[10], n[12]}, V: [2]int{m[10], m[11]}, Y: [2]int{m[14], m[15]},
		}
		return a, true
	}
	return a, false
}

// masked sets the strides of a mask of [heads, rows, keys], of which heads and rows may
// be one or missing, and tells whether it is one.
func (a *shape) masked(mask *op.Tensor) bool {
	d := mask.Dims
	for len(d) > 3 && d[0] == 1 {
		d = d[1:]
	}
	for len(d) < 3 {
		d = append([]int{1}, d...)
	}
	if len(d) != 3 || d[2] != a.Keys || d[1] != 1 && d[1] != a.Rows || d[0] != 1 && d[0] != a.Heads {
		return false
	}
	if d[1] > 1 {
		a.Mask[1] = a.Keys
	}
	if d[0] > 1 {
		a.Mask[0] = d[1] * a.Keys
	}
	return true
}
