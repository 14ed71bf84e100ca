package schedule

import (
	"math"
	"slices"
)

// Where there is memory for everything, ops still take turns if that saves time: of an
// image that no cache holds a ring of rows may be in one from the turn that makes it to
// the last that reads it. What that costs is steps, and Winograd's weights expanded in
// each.

const (
	quickOps  = 16 // most ops of a braid that is for speed
	quickLaid = 3  // numbers of bands that are tried for each
	quickLast = 4  // ops beyond one whose output is worth it

	// The part of a braid's time that it must save: turns divide work among threads less
	// evenly, which predictions know nothing of.
	quickHurdle = 16
)

// fastest is the cutting of the least time to compute, whatever memory it takes, nil
// where it has no braids.
func (c *cutter) fastest() cutting {
	n, s := c.n, c.o.Speed
	if s.Cache == 0 {
		return nil
	}
	type state struct {
		cost int64
		by   segment
	}
	expands := make([]bool, len(n.nodes))
	for _, x := range n.expansions {
		for i := range n.nodes {
			expands[i] = expands[i] || n.nodes[i].panels == x.item
		}
	}
	best := make([]state, len(n.nodes)+1)
	braids := false
	for hi := 1; hi <= len(n.nodes); hi++ {
		d := &n.nodes[hi-1]
		alone := s.step(d, 1, 1, 0, d.scratch, false, d.near)
		if expands[hi-1] {
			alone = min(alone, s.step(d, 1, 1, 0, d.scratch, true, d.near))
		}
		best[hi] = state{best[hi-1].cost + alone, segment{lo: hi - 1, hi: hi}}
		last := hi // the first of the ops beyond which nothing has been gained
		for lo := hi - 2; lo >= 0 && hi-lo <= quickOps && last-lo <= quickLast; lo-- {
			if !n.bandable(lo, hi) || !s.Holds(n.panelsBytes(lo, hi)) {
				break
			}
			w := n.nodes[lo].writes
			if w < 0 || !n.private(w, lo, hi) || n.nodes[lo].near != 0 && n.nodes[lo+1].near != 0 {
				continue
			}
			last = lo
			for _, bands := range c.quickBands(lo, hi) {
				b, ok := n.braid(lo, hi, bands, maxTurns, !c.o.NoInPlace, c.spare)
				if !ok {
					break
				}
				c.spare = b
				time := c.timeOf(b, expands)
				if cost := best[lo].cost + time + time/quickHurdle; cost < best[hi].cost {
					best[hi] = state{cost, segment{lo: lo, hi: hi, bands: bands}}
				}
			}
		}
	}
	var cut cutting
	for hi := len(n.nodes); hi > 0; hi = best[hi].by.lo {
		cut = append(cut, best[hi].by)
		braids = braids || best[hi].by.bands > 0
	}
	if !braids {
		return nil
	}
	slices.Reverse(cut)
	return cut
}

// quickBands are the numbers of bands to try: the fewest with which the cache may hold
// what lies between nodes [lo,hi), and a few more.
func (c *cutter) quickBands(lo, hi int) []int {
	n := c.n
	between := int64(0)
	for i := range n.roots {
		if r := &n.roots[i]; r.first >= lo && r.last < hi {
			between += int64(r.size)
		}
	}
	counts := n.bandCounts(lo, hi)
	weights := n.panelsBytes(lo, hi)
	for k, bands := range counts {
		if c.o.Speed.Holds(weights + between/int64(bands)) {
			return counts[k:min(k+quickLaid, len(counts))]
		}
	}
	return nil
}

// timeOf is the time of a braid's steps, with weights expanded where that is faster.
func (c *cutter) timeOf(b *braid, expands []bool) (time int64) {
	n, s := c.n, c.o.Speed
	near := n.nearInBraid(b, s)
	if near == nil {
		return math.MaxInt64 / 4
	}
	scratch := n.scratch(b.lo, b.hi)
	for i := b.lo; i < b.hi; i++ {
		d := &n.nodes[i]
		raw, expanded := int64(0), int64(0)
		for _, t := range b.turns {
			if t.node != i {
				continue
			}
			raw += s.step(d, 1, 1, t.rows.Len(), scratch, false, near[i-b.lo])
			if expands[i] {
				expanded += s.step(d, 1, 1, t.rows.Len(), scratch, true, near[i-b.lo])
			}
		}
		if expands[i] {
			raw = min(raw, expanded)
		}
		time += raw
	}
	return time
}
