package lower

import (
	"slices"

	"github.com/flexnnc/flexnnc/ir/op"
)

// splitRows gives copies that count the pixels of an image as one axis, as those
// between two reshapes do, the image's rows as outermost axis, so that they can be
// planned by rows like what is around them.
func splitRows(e *editor) error {
	windows := map[*op.Tensor][]*op.Tensor{}
	made := map[*op.Tensor]bool{}
	for _, t := range e.g.Tensors {
		windows[t.Root()] = append(windows[t.Root()], t)
	}
	for _, o := range e.g.Ops {
		for _, t := range o.Out {
			made[t] = true
		}
	}
	for _, o := range e.g.Ops {
		if o.Kind != op.Copy || o.Perm != nil && o.Perm[0] != 0 || len(o.Out[0].Dims) > 4 {
			continue
		}
		in, out := o.In[0], o.Out[0]
		n := out.Dims[0]
		if len(in.Dims) < 2 || in.Dims[0] != n || len(e.readers[out]) > 0 {
			continue
		}
		height := n
		for _, t := range []*op.Tensor{in, out} {
			for _, x := range windows[t.Root()] {
				// Some neighbouring rows of t are one row of the image x.
				if h := x.Dims[0]; len(x.Dims) == 3 && h > 1 && h < height && n%h == 0 && x.Strides[0] == n/h*t.Strides[0] {
					height = h
				}
			}
		}
		if height == n {
			continue
		}
		if made[in] || len(e.readers[in]) > 1 {
			x := e.tensor(in, "/rows", in.Dims)
			x.Base, x.Offset, x.Strides, x.Producer = in.Root(), in.Offset, in.Strides, in.Producer
			o.In[0], in = x, x
		}
		for _, t := range []*op.Tensor{in, out} {
			t.Dims = slices.Concat([]int{height, n / height}, t.Dims[1:])
			t.Strides = slices.Concat([]int{n / height * t.Strides[0], t.Strides[0]}, t.Strides[1:])
		}
		if o.Perm != nil {
			perm := []int{0}
			for _, a := range o.Perm {
				perm = append(perm, a+1)
			}
			o.Perm = perm
		}
	}
	return nil
}
