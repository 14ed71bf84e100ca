package schedule

import (
	"slices"

	"github.com/flexnnc/flexnnc/ir/op"
	"github.com/flexnnc/flexnnc/ir/plan"
)

// chain is nodes [lo,hi) that are made slice by slice of the output channels, so that
// of the tensors between them one slice exists at a time: convolutions, and the node
// that alone reads them, each of whose channels, or heads, is made of theirs alone. It
// is a pooling behind one convolution, or an attention behind those that make its
// queries, keys and values.
type chain struct {
	lo, hi  int
	between []int // roots
	count   int   // panels of channels
	unit    int   // that a slice must be a multiple of
}

// chained is the chain that begins at node lo.
func (n *network) chained(lo int) (c chain, ok bool) {
	if c, ok = n.pooled(lo); !ok {
		c, ok = n.headed(lo)
	}
	return c, ok
}

// pooled is a convolution and the pooling behind it, which reads the image as it was
// made: slices of a reshaped one have other places.
func (n *network) pooled(lo int) (c chain, ok bool) {
	if lo+1 >= len(n.nodes) {
		return c, false
	}
	a, b := &n.nodes[lo], &n.nodes[lo+1]
	if a.op.Kind != op.Conv || b.op.Kind != op.Pool || a.op.Panels.Count() < 2 || b.op.In[0] != a.op.Out[0] || !n.hands(lo, lo+1, b.op.In[0]) {
		return c, false
	}
	return chain{lo: lo, hi: lo + 2, between: []int{a.writes}, count: a.op.Panels.Count(), unit: 1}, true
}

// headed is some convolutions and the attention behind them, by heads.
func (n *network) headed(lo int) (c chain, ok bool) {
	hi := lo
	for hi < len(n.nodes) && hi < lo+3 && n.nodes[hi].op.Kind == op.Conv {
		hi++
	}
	if hi == lo || hi == len(n.nodes) {
		return c, false
	}
	o := n.nodes[hi].op
	width := headWidth(o)
	if width == 0 {
		return c, false
	}
	c = chain{lo: lo, hi: hi + 1, count: n.panels(hi)}
	c.unit = lcm(width, op.PanelWidth) / op.PanelWidth // whole heads
	for i := lo; i < hi; i++ {
		x := slices.IndexFunc(o.In[:3], func(x *op.Tensor) bool { return n.hands(i, hi, x) })
		if x < 0 || n.nodes[i].op.Panels.Count() != c.count {
			return c, false
		}
		c.between = append(c.between, n.nodes[i].writes)
	}
	return c, c.count > c.unit
}

// headWidth is the channels of a head of an attention that can be made by heads.
func headWidth(o *op.Op) int {
	if o.Call == nil {
		return 0
	}
	return o.Call.HeadWidth
}

// hands says whether node from makes all of what node to reads as x, and to alone.
func (n *network) hands(from, to int, x *op.Tensor) bool {
	y := n.nodes[from].op.Out[0]
	r := &n.roots[n.nodes[from].writes]
	return y.Root() == y && x.Root() == y && x.Offset == 0 && x.Len() == y.Len() && op.Dense(x.Dims, x.Strides) &&
		len(r.writers) == 1 && r.first == from && r.last == to
}

// chainTurns are the steps of a chain in slices of width panels.
func (n *network) chainTurns(lo, width int) (turns []turn) {
	c, _ := n.chained(lo)
	for p := 0; p < c.count; p += width {
		r := plan.Range{Lo: p, Hi: min(p+width, c.count)}
		for i := lo; i < c.hi; i++ {
			turns = append(turns, turn{node: i, panels: r})
		}
	}
	return turns
}

// panels is the number of panels of channels that a node makes.
func (n *network) panels(node int) int {
	out := n.nodes[node].op.Out[0]
	channels := out.Dims[len(out.Dims)-1]
	if headWidth(n.nodes[node].op) > 0 {
		channels = out.Len() / out.Dims[0]
	}
	return (channels + op.PanelWidth - 1) / op.PanelWidth
}

// sliceBytes is the size of width panels of channels of the root between.
func (n *network) sliceBytes(between, width int) plan.Bytes {
	t := n.roots[between].tensor
	c := t.Dims[len(t.Dims)-1]
	return up(plan.Bytes(t.Len() / c * min(c, width*op.PanelWidth) * t.Type.Bytes()))
}

// leastSlice is the least that there may be of a root while node i runs, where some
// chain may hold slices of it.
func (n *network) leastSlice(root, i int) (bytes plan.Bytes, ok bool) {
	for lo := max(0, i-3); lo <= i; lo++ {
		if c, is := n.chained(lo); is && i < c.hi && slices.Contains(c.between, root) {
			return n.sliceBytes(root, c.unit), true
		}
	}
	return 0, false
}

// chainWeights is the room for consts and one slice of panels.
func (n *network) chainWeights(lo, width int) (bytes plan.Bytes) {
	c, _ := n.chained(lo)
	slice := plan.Bytes(0)
	for i := lo; i < c.hi; i++ {
		for _, k := range n.nodes[i].consts {
			bytes += up(n.file.Items[k].Bytes)
		}
		if p := n.nodes[i].op.Panels; p != nil {
			slice = max(slice, up(plan.Bytes(min(width, p.Count())*p.PanelBytes())))
		}
	}
	return bytes + slice
}

// chainWidths are the slices to try, the widest first.
func (n *network) chainWidths(lo int) (widths []int) {
	c, _ := n.chained(lo)
	for _, w := range []int{24, 12, 6, vectorPanels, 1} {
		if w = (w + c.unit - 1) / c.unit * c.unit; w < c.count && !slices.Contains(widths, w) {
			widths = append(widths, w)
		}
	}
	return widths
}

// chainOutline is what the choice of segments needs to know of a chain.
func (c *cutter) chainOutline(s segment) outline {
	n := c.n
	ch, ok := n.chained(s.lo)
	if !ok || ch.hi != s.hi {
		return outline{peak: impossible}
	}
	o := outline{
		peak:  n.base + c.across(s.lo, s.hi) + n.scratch(s.lo, s.hi) + n.chainWeights(s.lo, s.width),
		turns: len(n.chainTurns(s.lo, s.width)),
	}
	for _, r := range ch.between {
		o.peak += n.sliceBytes(r, s.width)
	}
	return o
}

// chainAgain is what every slice of a chain adds to the time of its first: it reads
// the inputs again, and loads its own weights.
func (c *cutter) chainAgain(s segment) (picoseconds int64) {
	for i := s.lo; i < s.hi; i++ {
		if d := &c.n.nodes[i]; d.panels >= 0 {
			picoseconds += d.cost.Again() + c.o.Speed.Load
		}
	}
	return picoseconds
}
