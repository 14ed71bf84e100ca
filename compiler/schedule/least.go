package schedule

import (
	"slices"

	"github.com/flexnnc/flexnnc/ir/op"
	"github.com/flexnnc/flexnnc/ir/plan"
)

// least bounds the arena of every plan that the planner may make from below, more
// tightly than what single ops need (bounds.memory), with which it shares the form.
//
// Every plan divides the nodes into segments. A node that runs alone needs
// cutter.plain and a chain cutter.chainOutline, which are exact but for packing. A
// braid of nodes [lo,hi) needs at least the sum of
//   - what is reserved, and the largest scratch of its nodes;
//   - every root that is there before it and after it;
//   - the larger of those that it lets go and those that it leaves behind: the former
//     are whole when it begins, the latter when it ends, and the bytes of one may be
//     bytes of the other meanwhile;
//   - of every root that only it touches, the rows of network.fewest, or all where drivers
//     know no ring of it; where the output of an op that reads it element by element may
//     lie over it, the more of both;
//   - all consts of nodes that have rows to make yet when half of what the braid is for
//     is made, and those of any one node, and panels likewise but those that flow: a
//     braid has two bands at least, and no node makes more than the rows of one in a
//     turn, rounded up to a grain, so that the panels of all nodes with two grains are
//     read twice or more if they flow, of which cutter.mostAgain bounds the bytes. What
//     flows has room for one panel at least.
//
// The largest need of the segments of the best division is a bound, since segments
// are planned one by one: best[hi] is the least over lo of the larger of best[lo]
// and the need of [lo,hi).
func (c *cutter) least() (bytes plan.Bytes, by segment) {
	n := c.n
	type state struct {
		peak plan.Bytes
		last segment
		by   segment // that needs peak
	}
	best := make([]state, len(n.nodes)+1)
	for hi := 1; hi <= len(n.nodes); hi++ {
		b := &best[hi]
		b.peak = impossible
		offer := func(lo int, s segment, need plan.Bytes) {
			before := &best[lo]
			if peak := max(before.peak, need); peak < b.peak {
				*b = state{peak: peak, last: s, by: before.by}
				if need >= before.peak {
					b.by = s
				}
			}
		}
		offer(hi-1, segment{lo: hi - 1, hi: hi}, c.plain[hi-1])
		if c.o.NoBands {
			continue
		}
		for lo := hi - 2; lo >= max(0, hi-4) && !c.o.NoSlices; lo-- {
			if ch, ok := n.chained(lo); ok && ch.hi == hi {
				s := segment{lo: lo, hi: hi, width: ch.unit}
				offer(lo, s, c.chainOutline(s).peak)
			}
		}
		for lo := hi - 1; lo >= 0 && n.bandable(lo, hi); lo-- {
			if best[lo].peak < b.peak {
				s := segment{lo: lo, hi: hi, bands: 2}
				offer(lo, s, c.braidNeeds(lo, hi, b.peak, nil))
			}
		}
	}
	return best[len(n.nodes)].peak, best[len(n.nodes)].by
}

// braidNeeds is a bound on the arena of any braid of nodes [lo,hi), see least, where
// that is below limit; else it is some number of bytes from limit on. It tells note,
// if there is one, of what there is.
func (c *cutter) braidNeeds(lo, hi int, limit plan.Bytes, note func(bytes plan.Bytes, format string, args ...any)) plan.Bytes {
	n := c.n
	if note == nil {
		note = func(plan.Bytes, string, ...any) {}
	}
	scratch := n.scratch(lo, hi)
	note(scratch, "scratch")
	need := n.base + scratch
	var gone, left plan.Bytes
	shared := map[int]int{} // rows of what lies under a root, which count there
	for i := range n.roots {
		r := &n.roots[i]
		switch {
		case r.first >= hi || r.last < lo:
		case n.private(i, lo, hi):
			rows := max(c.few[i], shared[i])
			if over := n.mayLieOver(i, c.o); over != nil {
				if len(over) == 1 {
					shared[over[0]] = max(shared[over[0]], rows)
				}
				continue
			}
			need += plan.Bytes(r.ring(rows)) * r.row
			note(plan.Bytes(r.ring(rows))*r.row, "%d rows of %s (activation)", r.ring(rows), r.tensor.Name)
		case r.first < lo && r.last < hi:
			gone += r.size
		case r.first >= lo && r.last >= hi:
			left += r.size
		default:
			need += r.size
			note(r.size, "%s (activation)", r.tensor.Name)
		}
	}
	if c.o.NoInPlace {
		need += gone + left
		note(gone, "what it lets go")
		note(left, "what it leaves behind")
	} else {
		need += max(gone, left)
		note(max(gone, left), "the larger of what it lets go and leaves behind")
	}
	if need >= limit {
		return need
	}
	held, one, flows, panel := plan.Bytes(0), plan.Bytes(0), plan.Bytes(0), plan.Bytes(0)
	once := map[int]bool{}    // panels of nodes that make their rows in one turn
	halfway := map[int]bool{} // items that are there then
	for i, rows := range n.halfway(lo, hi) {
		d := &n.nodes[lo+i]
		if d.panels >= 0 && d.grains() < 2 {
			once[d.panels] = true
		}
		if rows < d.height {
			for _, k := range d.items() {
				halfway[k] = true
			}
		}
	}
	for _, k := range n.weights(lo, hi) {
		if it := &n.file.Items[k]; it.Panels != nil && n.uses[k] == 1 && !c.o.NoFlow && !c.o.NoSlices {
			if !once[k] && halfway[k] {
				flows += c.need[k]
			}
			size := up(plan.Bytes(it.Panels.PanelBytes()))
			if one = max(one, size); panel == 0 || size < panel {
				panel = size
			}
			continue
		}
		if one = max(one, c.need[k]); halfway[k] {
			held += c.need[k]
		}
	}
	weights := max(held+max(panel, flows-c.mostAgain(segment{lo: lo, hi: hi})), one)
	note(weights, "weights")
	return need + weights
}

// halfway is how many rows nodes [lo,hi) have made, at most, when they have made half
// of what none of them reads, as a braid of two bands does in its first.
func (n *network) halfway(lo, hi int) (rows []int) {
	rows = make([]int, hi-lo)
	for _, i := range n.drains(lo, hi) {
		rows[i-lo] = (n.nodes[i].height + 1) / 2
	}
	for i := hi - 1; i >= lo; i-- {
		d := &n.nodes[i]
		made := min(d.height, (rows[i-lo]+d.grain-1)/d.grain*d.grain)
		rows[i-lo] = made
		if made == 0 {
			continue
		}
		for k := range d.reads {
			in := d.reads[k].of(plan.Range{Hi: made})
			for _, w := range n.roots[d.reads[k].root].writers {
				if lo <= w && w < i {
					rows[w-lo] = max(rows[w-lo], n.nodes[w].made.until(in.Hi))
				}
			}
		}
	}
	return rows
}

// mayLieOver are the roots of which rows may lie over those of a root in a braid; those of
// one of them at most will.
func (n *network) mayLieOver(root int, o Options) (over []int) {
	if o.NoInPlace {
		return nil
	}
	r := &n.roots[root]
	for i := r.first; i <= r.last; i++ {
		d := &n.nodes[i]
		if !slices.Contains(d.over, root) {
			continue
		}
		if out := &n.roots[d.writes]; out.rows == r.rows && out.fold == r.fold { // as joinRows asks
			over = append(over, d.writes)
		}
	}
	return over
}

// fewestRows is, of every root, the rows that exist at a time in any braid that alone
// touches it: when a node makes some rows, those that it reads, and all behind them that
// have been made by then, since what it reads besides is made of them. No row is made
// before another one needs it, but for grains, which are made whole.
func (n *network) fewestRows() []int {
	few := make([]int, len(n.roots))
	for i := range few {
		few[i] = 1
	}
	made := make([]int, len(n.nodes)) // rows of each that some rows of a node need
	for i := range n.nodes {
		d := &n.nodes[i]
		from := i
		for k := range d.reads {
			if r := &d.reads[k]; !r.whole {
				from = min(from, n.roots[r.root].first)
			}
		}
		if from == i || !n.bandable(from, i+1) {
			continue
		}
		for y := 0; y < d.height; y += d.grain {
			clear(made[from:i])
			made[i] = min(y+d.grain, d.height)
			for k := i; k > from; k-- {
				if made[k] > 0 {
					n.ask(made, from, k)
				}
			}
			rows := plan.Range{Lo: y, Hi: made[i]}
			for k := range d.reads {
				r := &d.reads[k]
				if r.whole {
					continue
				}
				for _, w := range n.roots[r.root].writers {
					if w < i && made[w] > 0 {
						hi := n.nodes[w].made.of(plan.Range{Lo: 0, Hi: made[w]}).Hi
						few[r.root] = max(few[r.root], hi-r.of(rows).Lo)
					}
				}
			}
		}
	}
	return few
}

// ask raises made of the nodes from some one on that a node's rows are made of.
func (n *network) ask(made []int, from, node int) {
	d := &n.nodes[node]
	for k := range d.reads {
		r := &d.reads[k]
		if r.whole {
			continue
		}
		in := r.of(plan.Range{Lo: 0, Hi: made[node]})
		for _, w := range n.roots[r.root].writers {
			if from <= w && w < node {
				g := &n.nodes[w]
				made[w] = max(made[w], min(g.height, (g.made.until(in.Hi)+g.grain-1)/g.grain*g.grain))
			}
		}
	}
}

// fewest is the least number of rows that some row of an output of so many needs.
func (r *reach) fewest(height int) int {
	few := r.rows
	for y := range height {
		few = min(few, max(0, r.of(plan.Range{Lo: y, Hi: y + 1}).Len()))
	}
	return few
}

// leastBound is the larger of the two bounds on memory, with what makes it.
func (n *network) leastBound(o Options) plan.MemoryBound {
	bound := newBounds(n, o.Speed).memory(o)
	c := newCutter(n, o)
	bytes, by := c.least()
	if bytes <= bound.Bytes || bytes == impossible {
		return bound
	}
	bound = plan.MemoryBound{Bytes: bytes, At: n.nodes[by.lo].op.Name}
	if by.hi > by.lo+1 {
		bound.At += " to " + n.nodes[by.hi-1].op.Name
	}
	var l ledger
	add := l.add
	add(n.zeros, "padding (zeros)")
	add(n.threads, "all ops (threads)")
	if by.bands > 0 {
		c.braidNeeds(by.lo, by.hi, impossible, add)
	} else {
		ch, _ := n.chained(by.lo)
		for i := range n.roots {
			r := &n.roots[i]
			switch {
			case r.first >= by.hi || r.last < by.lo:
			case by.width > 0 && slices.Contains(ch.between, i):
				add(n.sliceBytes(i, by.width), "%d channels of %s (activation)", by.width*op.PanelWidth, r.tensor.Name)
			case by.width == 0 && i == n.nodes[by.lo].writes && n.saved(by.lo, o) > 0: // lies over an input
			default:
				add(r.size, "%s (activation)", r.tensor.Name)
			}
		}
		add(n.scratch(by.lo, by.hi), "scratch")
		if by.width > 0 {
			add(n.chainWeights(by.lo, by.width), "weights of %d channels, consts", by.width*op.PanelWidth)
		} else {
			add(n.leastWeights(by.lo, o.NoSlices), "weights of 16 channels, consts")
		}
	}
	bound.Blocking = l.texts()
	return bound
}
