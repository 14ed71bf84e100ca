package verify

import (
	"slices"

	"github.com/flexnnc/flexnnc/ir/lane"
	"github.com/flexnnc/flexnnc/ir/op"
)

// overlap checks that no two buffers that are live in the same step share a byte,
// but for legal in-place outputs.
func (c *checker) overlap() {
	p := c.p
	for i := range p.Buffers {
		if b := &p.Buffers[i]; b.SharesWith >= 0 {
			if why := c.inPlace(b.SharesWith, i); why != "" {
				c.fault("%s may not lie over %s: %s", c.name(i), c.name(b.SharesWith), why)
			}
		}
	}
	for i := range p.Buffers {
		a := &p.Buffers[i]
		for j := range p.Buffers[:i] {
			b := &p.Buffers[j]
			if a.First > b.Last || b.First > a.Last || a.Offset >= b.Offset+b.Size || b.Offset >= a.Offset+a.Size {
				continue
			}
			if a.SharesWith != j && b.SharesWith != i {
				c.fault("%s (bytes %d to %d, steps %d to %d) overlaps %s (bytes %d to %d, steps %d to %d)",
					c.name(i), a.Offset, a.Offset+a.Size, a.First, a.Last, c.name(j), b.Offset, b.Offset+b.Size, b.First, b.Last)
			}
		}
	}
}

// inPlace says why the tensor of buffer out may not lie over that of buffer in, or "".
func (c *checker) inPlace(in, out int) string {
	p := c.p
	a, b := &p.Buffers[in], &p.Buffers[out]
	x, y := a.Tensor, b.Tensor
	switch {
	case x == nil || y == nil || x == y:
		return "both must hold activations"
	case a.RingRows != b.RingRows:
		return "one is a ring"
	case a.Offset != b.Offset || a.Size != b.Size:
		return "their places differ"
	}
	// Every step that touches either must be of the same op from the first write
	// of y on, and all reads of x must be over by then or happen in that op.
	var writer *op.Op
	for i := range p.Steps {
		for _, t := range p.Steps[i].Op.Out {
			if t.Root() == y {
				if writer != nil && writer != p.Steps[i].Op {
					return "several ops write it"
				}
				writer = p.Steps[i].Op
			}
		}
	}
	if writer == nil || writer.Kind != op.Map || writer.Map.Program.Reduce != lane.Store {
		return "it is not written element by element"
	}
	first, last := -1, -1
	for i := range p.Steps {
		if p.Steps[i].Op == writer {
			if first < 0 {
				first = i
			}
			last = i
		}
	}
	for i := range p.Steps {
		s := &p.Steps[i]
		for _, list := range [][]*op.Tensor{s.Op.In, s.Op.EpilogueIn, s.Op.Out} {
			for _, t := range list {
				if t.Root() == x && i >= first && s.Op != writer {
					return "the input is used later, or in between"
				}
			}
		}
	}
	if a.Last > last || b.First < first {
		return "their lives overlap outside of the op"
	}
	if len(writer.Out) != 1 || writer.Out[0] != y {
		return "the output is a window"
	}
	reads := 0
	for _, list := range [][]*op.Tensor{writer.In, writer.EpilogueIn} {
		for _, t := range list {
			if t.Root() != x {
				continue
			}
			reads++
			if t.Offset != 0 || !slices.Equal(t.Dims, y.Dims) || !slices.Equal(t.Strides, y.Strides) ||
				t.Type.Bytes() != y.Type.Bytes() || x.Len() != y.Len() {
				return "an element would be read after it was overwritten"
			}
		}
	}
	if reads == 0 {
		return "the op does not read it"
	}
	return ""
}
