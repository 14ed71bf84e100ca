package schedule

import (
	"fmt"
	"math"
	"slices"

	"github.com/flexnnc/flexnnc/ir/plan"
)

// segment is nodes [lo,hi) that are planned together. With bands they take turns
// by rows; with width the first one's output channels are made in slices of so
// many panels, each of which passes through all of them; without either there is
// one node, whose panels may be sliced.
// Of a braid, flows nodes load their weights at every turn.
type segment struct{ lo, hi, bands, width, flows int }

// cutting is how a network is divided into segments.
type cutting []segment

const (
	maxTurns = 8000  // of a braid
	longest  = 32    // ops of a braid, times the level of effort
	maxSteps = 20000 // of a plan, about

	// maxLaid, times the level of effort, bounds the turns of all braids that are
	// laid out to choose from. It is a count and not a time, so that plans do not
	// depend on the machine.
	maxLaid = 8_000_000
)

// cutter finds cuttings.
type cutter struct {
	n                *network
	o                Options
	need             []plan.Bytes // per file item, its size in the arena
	plain            []plan.Bytes // per node, the least arena while it runs alone
	parts            []plan.Bytes // per node, how much of that is one panel and consts
	few              []int        // per root, see network.fewestRows
	thrift           uint         // halvings of mostAgain
	steady           bool         // outputs of braids lie beside inputs that they would follow at a distance
	shapes, steadies map[segment]outline
	needs            map[[2]int]plan.Bytes
	spare            *braid // the one before, which is looked at no more
}

// outline is what the choice of segments needs to know of one.
type outline struct {
	peak   plan.Bytes // least arena; math.MaxInt64 where the segment is not possible
	turns  int
	counts []int // turns of each node, of a braid
	flows  int   // nodes whose weights flow, of a braid
	cost   int64 // of that
}

const impossible = plan.Bytes(math.MaxInt64)

func newCutter(n *network, o Options) *cutter {
	c := &cutter{n: n, o: o, few: n.fewestRows(), shapes: map[segment]outline{}, steadies: map[segment]outline{}, needs: map[[2]int]plan.Bytes{}}
	for _, it := range n.file.Items {
		c.need = append(c.need, up(it.Bytes))
	}
	for i := range n.nodes {
		d := &n.nodes[i]
		p := n.leastWeights(i, o.NoSlices)
		c.parts = append(c.parts, p)
		c.plain = append(c.plain, n.base+c.across(i, i+1)-n.saved(i, o)+d.scratch+p)
	}
	return c
}

// across is the size of all roots that are live while nodes [lo,hi) run, but for
// those that only they touch.
func (c *cutter) across(lo, hi int) (bytes plan.Bytes) {
	for i := range c.n.roots {
		r := &c.n.roots[i]
		if r.first < hi && r.last >= lo && (hi == lo+1 || !c.n.private(i, lo, hi)) {
			bytes += r.size
		}
	}
	return bytes
}

// saved is what a node that runs alone need not have because its output lies over
// an input.
func (n *network) saved(node int, o Options) plan.Bytes {
	if in := n.overwritten(node); in >= 0 && !o.NoInPlace {
		return n.roots[in].size
	}
	return 0
}

// overwritten is the root over which the output of a node that runs alone may lie.
func (n *network) overwritten(node int) int {
	d := &n.nodes[node]
	for _, in := range d.over {
		a, b := &n.roots[in], &n.roots[d.writes]
		if a.last == node && b.first == node && len(b.writers) == 1 && a.size == b.size {
			return in
		}
	}
	return -1
}

// leastWeights is the room that a node cannot do without while its weights are
// streamed: its consts and one panel, or all of them.
func (n *network) leastWeights(node int, whole bool) (bytes plan.Bytes) {
	d := &n.nodes[node]
	for _, k := range d.consts {
		bytes += up(n.file.Items[k].Bytes)
	}
	if d.panels >= 0 {
		if whole {
			return bytes + up(n.file.Items[d.panels].Bytes)
		}
		return bytes + up(plan.Bytes(d.op.Panels.PanelBytes()))
	}
	return bytes
}

// weights is the size of all weights of nodes [lo,hi), each once.
func (n *network) weights(lo, hi int) (items []int) {
	for i := lo; i < hi; i++ {
		for _, k := range n.nodes[i].items() {
			if !slices.Contains(items, k) {
				items = append(items, k)
			}
		}
	}
	return items
}

// outline examines a segment; the answer is remembered.
func (c *cutter) outline(s segment) outline {
	if s.bands == 0 && s.width == 0 {
		return outline{peak: c.plain[s.lo], turns: 1}
	}
	s.flows = 0
	shapes := c.shapes
	if c.steady {
		shapes = c.steadies
	}
	if o, ok := shapes[s]; ok {
		return o
	}
	o := outline{peak: impossible}
	if s.width > 0 {
		o = c.chainOutline(s)
	} else if r, ok := c.n.braid(s.lo, s.hi, s.bands, maxTurns, !c.o.NoInPlace, c.spare); ok {
		if c.steady {
			r.loosen(c.n, math.MaxInt64)
		}
		o = outline{peak: c.n.peak(r), turns: len(r.turns), counts: r.counted()}
		c.spare = r
	}
	shapes[s] = o
	return o
}

// peak is the least arena in which a braid can run, if nothing is lost in packing.
func (n *network) peak(r *braid) plan.Bytes {
	p := n.base + n.scratch(r.lo, r.hi)
	for _, k := range n.weights(r.lo, r.hi) {
		p += up(n.file.Items[k].Bytes)
	}
	for i := range n.roots {
		a := &n.roots[i]
		if a.first >= r.hi || a.last < r.lo {
			continue
		}
		if rows := r.rings[i]; rows > 0 {
			p += up(plan.Bytes(rows) * a.row)
		} else {
			p += a.size
		}
	}
	for _, j := range r.joins {
		if rows := r.rings[j.in]; rows > 0 {
			p -= up(plan.Bytes(rows) * n.roots[j.in].row)
			continue
		}
		a, b := n.roots[j.in].size, n.roots[j.out].size
		p -= a + b - max(j.shift+a, b)
	}
	return p
}

// scratch is what nodes [lo,hi) need of it, one at a time.
func (n *network) scratch(lo, hi int) (bytes plan.Bytes) {
	for i := lo; i < hi; i++ {
		bytes = max(bytes, n.nodes[i].scratch)
	}
	return bytes
}

// plainCutting leaves every node alone.
func (n *network) plainCutting() cutting {
	var c cutting
	for i := range n.nodes {
		c = append(c, segment{lo: i, hi: i + 1})
	}
	return c
}

// fewBands are so few that all lower numbers are tried too.
const fewBands = 6

// bandCounts are the numbers of bands to try for nodes [lo,hi), the fewest first.
func (n *network) bandCounts(lo, hi int) (counts []int) {
	tallest := 0
	for i := lo; i < hi; i++ {
		tallest = max(tallest, n.nodes[i].grains())
	}
	for k := tallest; k > 1; {
		counts = append(counts, k)
		if tallest <= fewBands {
			k--
		} else {
			k = (k + 1) / 2
		}
	}
	slices.Reverse(counts)
	return counts
}

// state is the best way found so far to run all nodes before some node.
type state struct {
	peak plan.Bytes
	cost int64
	by   segment // the last one
}

// choose finds the cutting of the least peak or, where limit is not 0, that of
// the least cost among those within limit; nil where there is none.
func (c *cutter) choose(limit plan.Bytes) cutting {
	n := c.n
	best := make([]state, len(n.nodes)+1)
	for hi := 1; hi <= len(n.nodes); hi++ {
		best[hi] = state{peak: impossible, cost: math.MaxInt64}
		b := &best[hi]
		for lo := hi - 2; lo >= max(0, hi-4) && !c.o.NoSlices; lo-- {
			if ch, ok := n.chained(lo); ok && ch.hi == hi {
				c.offerChain(b, &best[lo], ch, limit)
			}
		}
		// Of each node the shortest braids that end with it are tried, to its share.
		laid := maxLaid * max(1, c.o.level) / len(n.nodes)
		for lo := hi - 1; lo >= 0 && laid >= 0; lo-- {
			before := &best[lo]
			if lo == hi-1 {
				s := segment{lo: lo, hi: hi}
				c.offer(b, before, s, c.outline(s), limit)
			}
			ceiling := b.peak
			if limit > 0 {
				ceiling = limit
			}
			if hi-lo > longest*max(1, c.o.level) || !n.bandable(lo, hi) || (limit > 0 || c.o.rough) && c.tooHeavy(lo, hi, ceiling) {
				break
			}
			if before.peak == impossible || before.peak > ceiling || c.needed(lo, hi) > ceiling {
				continue
			}
			laid -= c.offerBraid(b, before, lo, hi, ceiling, limit)
		}
	}
	if best[len(n.nodes)].peak == impossible {
		return nil
	}
	var cut cutting
	for hi := len(n.nodes); hi > 0; hi = best[hi].by.lo {
		cut = append(cut, best[hi].by)
	}
	slices.Reverse(cut)
	return cut
}

// tooHeavy says of nodes [lo,hi) that no braid of them is worth trying within a limit:
// what cannot flow is too much or, of more than a few nodes, all is many times what there
// is room for.
func (c *cutter) tooHeavy(lo, hi int, limit plan.Bytes) bool {
	const few, flowing = 6, 3
	weights := plan.Bytes(0)
	for _, k := range c.n.weights(lo, hi) {
		weights += c.need[k]
	}
	if hi-lo > few {
		return weights/flowing+c.n.base > limit
	}
	return weights-c.mostAgain(segment{lo: lo, hi: hi})+c.n.base > limit
}

// needed is braidNeeds, remembered, with as much read again as any cutting may.
func (c *cutter) needed(lo, hi int) plan.Bytes {
	k := [2]int{lo, hi}
	bytes, ok := c.needs[k]
	if !ok {
		thrift := c.thrift
		c.thrift = 0
		bytes = c.braidNeeds(lo, hi, impossible, nil)
		c.thrift = thrift
		c.needs[k] = bytes
	}
	return bytes
}

// offerBraid offers nodes [lo,hi) in the fewest bands within limit or, where there
// is none, in the most. It returns the turns of the braid with the most.
func (c *cutter) offerBraid(b, before *state, lo, hi int, ceiling, limit plan.Bytes) (laid int) {
	counts := c.n.bandCounts(lo, hi)
	if len(counts) == 0 {
		return 0
	}
	// What does not fit in the most bands fits in none.
	finest := segment{lo: lo, hi: hi, bands: counts[len(counts)-1]}
	o := c.outline(finest)
	for o.peak == impossible && len(counts) > 1 { // too many turns
		laid += maxTurns
		counts = counts[:len(counts)-1]
		finest.bands = counts[len(counts)-1]
		o = c.outline(finest)
	}
	if o.peak == impossible {
		return laid + maxTurns
	}
	f, ok := c.flow(finest, o, limit)
	if low := len(counts) <= 3 || finest.bands <= fewBands; limit == 0 && (f.cut || low) {
		// Fewer bands read less again, which may leave room for less to be held.
		for k := len(counts) - 2; k >= 0; k-- {
			s := segment{lo: lo, hi: hi, bands: counts[k]}
			if p := c.outline(s); p.peak != impossible {
				if g, can := c.flow(s, p, 0); can && (!ok || g.peak < f.peak) {
					finest, o, f, ok = s, p, g, true
				} else if can && !g.cut && !low {
					break
				}
			}
		}
	}
	if !ok || f.peak > ceiling {
		return laid + o.turns
	}
	laid += o.turns
	offer := func(s segment, o outline, f flow) {
		s.flows, o.flows, o.peak, o.cost = f.nodes, f.nodes, f.peak, f.cost
		c.offer(b, before, s, o, limit)
	}
	if limit == 0 {
		offer(finest, o, f)
		return laid
	}
	tries := 2 // more bands need fewer rows, which may leave weights where they are
	for _, bands := range counts {
		s := segment{lo: lo, hi: hi, bands: bands}
		o := c.outline(s)
		if o.peak == impossible {
			continue
		}
		if f, ok := c.flow(s, o, limit); ok {
			offer(s, o, f)
			if tries--; tries == 0 || f.nodes == 0 {
				break
			}
		}
	}
	return laid
}

// offerChain offers a chain at the widest slices within limit,
// or at the narrowest.
func (c *cutter) offerChain(b, before *state, ch chain, limit plan.Bytes) {
	var best segment
	for _, w := range c.n.chainWidths(ch.lo) {
		best = segment{lo: ch.lo, hi: ch.hi, width: w}
		if limit > 0 && c.outline(best).peak <= limit {
			break
		}
	}
	c.offer(b, before, best, c.outline(best), limit)
}

// offer takes segment s after the best way to its start, if that is better.
func (c *cutter) offer(b, before *state, s segment, o outline, limit plan.Bytes) {
	if o.peak == impossible || before.peak == impossible || limit > 0 && o.peak > limit {
		return
	}
	peak, cost := max(before.peak, o.peak), before.cost+c.cost(s, o, limit)
	better := peak < b.peak || peak == b.peak && cost < b.cost
	if limit > 0 {
		better = cost < b.cost || cost == b.cost && peak < b.peak
	}
	if better {
		*b = state{peak, cost, s}
	}
}

// pinned is the part of the time to read a braid's weights that counts as lost,
// since they must all be there before its first rows are done.
const pinned = 4

// cost is what a segment adds to the time that every cutting needs, about.
func (c *cutter) cost(s segment, o outline, limit plan.Bytes) int64 {
	speed := c.o.Speed
	if s.bands > 0 {
		read := plan.Bytes(0)
		for _, k := range c.n.weights(s.lo, s.hi) {
			read += c.need[k]
		}
		return int64(o.turns)*speed.Step + speed.Read*int64(read)/pinned + o.cost
	}
	// Every slice reads the input again.
	d := &c.n.nodes[s.lo]
	slices := int64(1)
	if s.width > 0 {
		return int64(o.turns)*speed.Step + int64(o.turns/(s.hi-s.lo)-1)*c.chainAgain(s)
	}
	if d.panels >= 0 && limit > 0 {
		room := limit - o.peak + c.parts[s.lo]
		slices = int64((c.need[d.panels] + room - 1) / room)
	}
	return slices*speed.Step + (slices-1)*(d.cost.Again()+speed.Load)
}

// offerCuttings hands out the ways to divide the network that are worth planning: from
// the one with the least peak to the fastest and that without bands. take says how high one is packed.
func (c *cutter) offerCuttings(take func(cutting) plan.Bytes) {
	plain := c.n.plainCutting()
	if c.o.NoBands {
		take(plain)
		return
	}
	least := c.leastPeak()
	low, high := c.height(least), c.height(plain)
	seen := map[string]plan.Bytes{}
	quick := func() {
		cut := c.fastest()
		if _, known := seen[fmt.Sprint(cut)]; cut != nil && c.steps(cut) <= maxSteps && !known {
			take(cut)
		}
	}
	if low >= high {
		quick()
		take(plain)
		return
	}
	// Where packing loses much, outputs that follow their inputs downward, unit by unit,
	// are why: a cutting that does with less of that may come off better.
	offer := func(limit plan.Bytes, cut cutting) {
		known := func(cut cutting) bool { _, ok := seen[fmt.Sprint(cut)]; return ok }
		if cut == nil || c.steps(cut) > maxSteps || known(cut) {
			return
		}
		packed := take(cut)
		seen[fmt.Sprint(cut)] = packed
		if peak := c.height(cut); packed <= peak+peak/lossy {
			return
		}
		c.steady = true
		cut = c.choose(limit)
		c.steady = false
		if cut != nil && c.steps(cut) <= maxSteps && !known(cut) {
			seen[fmt.Sprint(cut)] = take(cut)
		}
	}
	both := func(limit plan.Bytes) {
		thrift := c.thrift
		offer(limit, c.choose(limit))
		if c.thrift = spared; thrift != spared {
			offer(limit, c.choose(limit))
		}
		c.thrift = thrift
	}
	offer(0, least)
	both(0)
	offer(low, c.choose(low))
	step := low / 32
	for h := low + step; h < high; h += step {
		both(h)
		step = min(2*step, h/plan.Bytes(4+max(1, c.o.level)))
	}
	quick()
	take(plain)
}

// lossy is the part of a peak by which packing may exceed it without more ado.
const lossy = 64

// height is the least arena for a cutting, if nothing is lost in packing.
func (c *cutter) height(cut cutting) (peak plan.Bytes) {
	for _, s := range cut {
		peak = max(peak, c.peakOf(s))
	}
	return peak
}

// peakOf is the least arena of a segment with the flows that it has.
func (c *cutter) peakOf(s segment) plan.Bytes {
	o := c.outline(s)
	if s.bands == 0 {
		return o.peak
	}
	peak, room := o.peak, plan.Bytes(0)
	for _, i := range c.n.flowOrder(s.lo, s.hi, o.counts)[:s.flows] {
		d := &c.n.nodes[i]
		peak -= c.need[d.panels]
		room = max(room, up(plan.Bytes(d.op.Panels.PanelBytes())))
	}
	return peak + room
}

// steps is the number of steps of a cutting, slices apart.
func (c *cutter) steps(cut cutting) (steps int) {
	for _, s := range cut {
		steps += c.outline(s).turns
	}
	return steps
}
