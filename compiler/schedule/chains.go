package schedule

import (
	"github.com/flexnnc/flexnnc/ir/op"
	"github.com/flexnnc/flexnnc/ir/plan"
)

// A chain is a convolution and the pooling that alone reads it. Each channel of
// the pooling is made of that channel alone, so both can be made slice by slice
// of the output channels, and of the image between them one slice exists at a time.

// chained says whether nodes lo and lo+1 are a chain, and between is the root
// between them.
func (n *network) chained(lo int) (between int, ok bool) {
	if lo+1 >= len(n.nodes) {
		return 0, false
	}
	a, b := &n.nodes[lo], &n.nodes[lo+1]
	if a.op.Kind != op.Conv || b.op.Kind != op.Pool || a.op.Panels.Count() < 2 {
		return 0, false
	}
	x, y := a.op.Out[0], b.op.In[0]
	between = a.writes
	r := &n.roots[between]
	dense := func(t *op.Tensor) bool { return t.Root() == t }
	if x.Root() != y.Root() || !dense(x) || !dense(y) || len(r.writers) != 1 || r.first != lo || r.last != lo+1 {
		return 0, false
	}
	return between, true
}

// chainTurns are the steps of a chain in slices of width panels.
func (n *network) chainTurns(lo, width int) (turns []turn) {
	count := n.nodes[lo].op.Panels.Count()
	for p := 0; p < count; p += width {
		r := plan.Range{Lo: p, Hi: min(p+width, count)}
		turns = append(turns, turn{node: lo, panels: r}, turn{node: lo + 1, panels: r})
	}
	return turns
}

// panels is the number of panels of channels that a node makes.
func (n *network) panels(node int) int {
	out := n.nodes[node].op.Out[0]
	return (out.Dims[len(out.Dims)-1] + op.PanelWidth - 1) / op.PanelWidth
}

// sliceBytes is the size of width panels of channels of the root between.
func (n *network) sliceBytes(between, width int) plan.Bytes {
	t := n.roots[between].tensor
	c := t.Dims[len(t.Dims)-1]
	return up(plan.Bytes(t.Len() / c * min(c, width*op.PanelWidth) * t.Type.Bytes()))
}

// chainWeights is the room for consts and one slice of panels.
func (n *network) chainWeights(lo, width int) (bytes plan.Bytes) {
	for i := lo; i < lo+2; i++ {
		for _, k := range n.nodes[i].consts {
			bytes += up(n.file.Items[k].Bytes)
		}
	}
	p := n.nodes[lo].op.Panels
	return bytes + up(plan.Bytes(min(width, p.Count())*p.PanelBytes()))
}

// chainWidths are the slices to try, the widest first.
func (n *network) chainWidths(lo int) (widths []int) {
	count := n.nodes[lo].op.Panels.Count()
	for _, w := range []int{24, 12, 6, vectorPanels, 1} {
		if w < count {
			widths = append(widths, w)
		}
	}
	return widths
}

// chainOutline is what the choice of segments needs to know of a chain.
func (c *cutter) chainOutline(s segment) outline {
	n := c.n
	between, ok := n.chained(s.lo)
	if !ok {
		return outline{peak: impossible}
	}
	return outline{
		peak: n.base + c.across(s.lo, s.hi) + n.scratch(s.lo, s.hi) +
			n.sliceBytes(between, s.width) + n.chainWeights(s.lo, s.width),
		turns: len(n.chainTurns(s.lo, s.width)),
	}
}
