package schedule

import (
	"cmp"
	"math"
	"slices"

	"github.com/flexnnc/flexnnc/ir/plan"
)

// The weights of a braid are held, in the arena from their first turn to their
// last, or they flow: every turn loads them again, in slices, and all that flow
// share one room. What takes the fewest turns flows first, since a byte of room
// then costs the fewest bytes of reads.

// flowOrder lists the nodes of [lo,hi) whose panels may flow, those that do first.
// turns counts the turns of each.
func (n *network) flowOrder(lo, hi int, turns []int) (order []int) {
	for i := lo; i < hi; i++ {
		if p := n.nodes[i].panels; p >= 0 && n.uses[p] == 1 {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int {
		if c := cmp.Compare(turns[a-lo], turns[b-lo]); c != 0 {
			return c
		}
		return cmp.Compare(n.file.Items[n.nodes[b].panels].Bytes, n.file.Items[n.nodes[a].panels].Bytes)
	})
	return order
}

// counted is the number of turns of each node of a braid.
func (r *braid) counted() []int {
	turns := make([]int, r.hi-r.lo)
	for _, t := range r.turns {
		turns[t.node-r.lo]++
	}
	return turns
}

// flow is what comes of letting the weights of some nodes of a braid flow.
type flow struct {
	nodes int        // how many, of flowOrder
	peak  plan.Bytes // least arena
	cost  int64
	cut   bool // more nodes would read too much again
}

// flow chooses as few nodes as bring the peak within limit or, where limit is 0,
// as many as lower it; ok is false where that is impossible.
func (c *cutter) flow(s segment, o outline, limit plan.Bytes) (best flow, ok bool) {
	n := c.n
	order := n.flowOrder(s.lo, s.hi, o.counts)
	if c.o.NoFlow || c.o.NoSlices {
		order = nil
	}
	held, room, again := o.peak, plan.Bytes(0), plan.Bytes(0)
	most := c.mostAgain(s)
	best = flow{peak: impossible}
	for k := 0; ; k++ {
		if peak := held + room; peak < best.peak {
			best.nodes, best.peak = k, peak
			if limit > 0 && peak <= limit {
				break
			}
		}
		if k == len(order) {
			break
		}
		i := order[k]
		size := c.need[n.nodes[i].panels]
		again += size * plan.Bytes(o.counts[i-s.lo]-1)
		if again > most {
			best.cut = true
			break
		}
		held -= size
		room = max(room, up(plan.Bytes(n.nodes[i].op.Panels.PanelBytes())))
	}
	if best.peak == impossible || limit > 0 && best.peak > limit {
		return best, false
	}
	best.cost = c.flowCost(s, o, order[:best.nodes], best.peak, room, limit)
	return best, true
}

// mostAgain bounds the bytes that a braid may read more than once: 8 MiB, those of the
// file, or what a slow disk reads in four times the time in which a slow core does the
// braid's work; of that a part where not only memory counts.
func (c *cutter) mostAgain(s segment) plan.Bytes {
	work := 0
	for i := s.lo; i < s.hi; i++ {
		if o := c.n.nodes[i].op; o.Conv != nil && o.Panels != nil {
			work += o.Conv.OutH * o.Conv.OutW * o.Panels.N * o.Panels.K()
		}
	}
	return max(8<<20, c.n.file.Bytes, plan.Bytes(work/macsPerByte*4)) >> c.thrift
}

// again is the bytes that a cutting reads more than once.
func (c *cutter) again(cut cutting) (bytes plan.Bytes) {
	for _, s := range cut {
		if s.flows == 0 {
			continue
		}
		counts := c.outline(s).counts
		for _, i := range c.n.flowOrder(s.lo, s.hi, counts)[:s.flows] {
			bytes += c.need[c.n.nodes[i].panels] * plan.Bytes(counts[i-s.lo]-1)
		}
	}
	return bytes
}

// leastPeak is the cutting of the least peak that reads for no more than some times
// what a run takes at least. It sets thrift by that.
func (c *cutter) leastPeak() (least cutting) {
	time := c.o.Speed.Read * int64(c.n.file.Bytes)
	for i := range c.n.nodes {
		d := &c.n.nodes[i]
		time += c.o.Speed.step(d, 1, 1, 0, d.own, false, d.near)
	}
	const times = 3
	if c.thrift = 0; c.o.rough {
		c.thrift = spared
	}
	for ; ; c.thrift++ {
		least = c.choose(0)
		if c.thrift == spared || c.o.Speed.Read*int64(c.again(least)) <= times*time {
			return least
		}
	}
}

// spared is the thrift of cuttings that are tried besides.
const spared = 2

// macsPerByte is the multiply-adds of a core in the time that a byte takes to read,
// about: 15 thousand million to 400 million a second.
const macsPerByte = 40

// flowCost is what flowing nodes add to the time of a braid: reads, steps, and the
// inputs that every slice reads again.
func (c *cutter) flowCost(s segment, o outline, nodes []int, peak, room, limit plan.Bytes) (cost int64) {
	speed := c.o.Speed
	if limit > 0 {
		room += limit - peak
	}
	for _, i := range nodes {
		d := &c.n.nodes[i]
		turns := int64(o.counts[i-s.lo])
		size := c.need[d.panels]
		parts := int64((size + room - 1) / max(1, room))
		cost += (turns-1)*(parts*speed.Load+speed.Read*int64(size)) + turns*(parts-1)*speed.Step + (parts-1)*d.cost.Again()
		if cost > math.MaxInt64/4 {
			return cost
		}
	}
	return cost
}
