package verify

import (
	"slices"

	"github.com/flexnnc/flexnnc/ir/lane"
	"github.com/flexnnc/flexnnc/ir/op"
	"github.com/flexnnc/flexnnc/ir/plan"
)

// overlap checks that no two buffers that are live in the same step share a byte,
// but for activations that say so: those are a family, and replay decides whether
// what one of them overwrites of another is still needed.
func (c *checker) overlap() {
	p := c.p
	c.families()
	for i := range p.Buffers {
		a := &p.Buffers[i]
		for j := range p.Buffers[:i] {
			b := &p.Buffers[j]
			apart := a.First > b.Last || b.First > a.Last
			// What is loaded for the next run lives to the end too.
			if a.Ahead > 0 && b.Last >= a.Ahead || b.Ahead > 0 && a.Last >= b.Ahead || a.Ahead > 0 && b.Ahead > 0 {
				apart = false
			}
			if apart || a.Offset >= b.Offset+b.Size || b.Offset >= a.Offset+a.Size {
				continue
			}
			if c.family[i] != c.family[j] {
				c.fault("%s (bytes %d to %d, steps %d to %d) overlaps %s (bytes %d to %d, steps %d to %d)",
					c.name(i), a.Offset, a.Offset+a.Size, a.First, a.Last, c.name(j), b.Offset, b.Offset+b.Size, b.First, b.Last)
			}
		}
	}
}

// families joins buffers by SharesWith.
func (c *checker) families() {
	p := c.p
	c.family = make([]int, len(p.Buffers))
	for i := range c.family {
		c.family[i] = i
	}
	for i := range p.Buffers {
		j := p.Buffers[i].SharesWith
		if j < 0 {
			continue
		}
		if p.Buffers[i].Kind != plan.Activation || p.Buffers[j].Kind != plan.Activation || p.Buffers[j].RingPanels != 0 {
			c.fault("%s may not lie over %s: both must hold activations, and all channels of them", c.name(i), c.name(j))
			continue
		}
		from, to := c.family[i], c.family[j]
		for k, f := range c.family {
			if f == from {
				c.family[k] = to
			}
		}
	}
}

// inPlace says whether an op reads each element of x before it writes the element
// of y at the same address, and no other: x is an operand of an element-wise
// program, or of the epilogue of a convolution, which makes its tiles
// elsewhere then, and lies exactly where y does.
func (c *checker) inPlace(o *op.Op, x *op.Tensor, epilogue bool) bool {
	switch {
	case o.Kind == op.Map && o.Map.Program.Reduce == lane.Store:
	case epilogue && o.Kind == op.Conv && o.Panels.Type != op.I8:
	default:
		return false
	}
	if len(o.Out) != 1 {
		return false
	}
	y := o.Out[0]
	i, ok := c.bufferOf[x.Root()]
	j, also := c.bufferOf[y.Root()]
	if !ok || !also {
		return false
	}
	a, b := &c.p.Buffers[i], &c.p.Buffers[j]
	size := y.Type.Bytes()
	row := func(t *op.Tensor) int { return t.Root().Len() / t.Root().Dims[0] }
	return x.Type.Bytes() == size && slices.Equal(x.Dims, y.Dims) && slices.Equal(x.Strides, y.Strides) &&
		a.Offset+plan.Bytes(x.Offset*size) == b.Offset+plan.Bytes(y.Offset*size) &&
		a.RingRows == b.RingRows && (a.RingRows == 0 || a.Offset == b.Offset && row(x) == row(y))
}
