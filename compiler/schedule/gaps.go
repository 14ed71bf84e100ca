package schedule

import (
	"cmp"
	"slices"

	"github.com/flexnnc/flexnnc/ir/plan"
)

// never is the time at which an address becomes free that holds a live activation.
const never = int(^uint(0) >> 1)

// gaps says from which step on each address of the arena is free, as seen from
// the unit that is being placed. Weights are placed in the order of their steps,
// so whatever holds an address at present is gone before anything placed later
// is used: one number per address describes all of the past.
type gaps struct {
	segs  []seg
	saved []seg // as they were, for feed.undo
}

// seg is a range of addresses up to the next seg's lo (the last one ends the arena).
type seg struct {
	lo   plan.Bytes
	from int
}

func newGaps(lo, hi plan.Bytes) *gaps {
	return &gaps{segs: []seg{{lo, 0}, {hi, never}}}
}

// set says that [lo,hi) is free from a step on.
func (g *gaps) set(lo, hi plan.Bytes, from int) {
	if lo == hi {
		return
	}
	i := g.split(lo)
	j := g.split(hi)
	g.segs[i].from = from
	g.segs = slices.Delete(g.segs, i+1, j)
}

// split makes a seg begin at lo and returns its index.
func (g *gaps) split(lo plan.Bytes) int {
	i, found := slices.BinarySearchFunc(g.segs, lo, func(s seg, lo plan.Bytes) int { return cmp.Compare(s.lo, lo) })
	if !found {
		g.segs = slices.Insert(g.segs, i, seg{lo, g.segs[i-1].from})
	}
	return i
}

// merge forgets differences among times before step now.
func (g *gaps) merge(now int) {
	out := g.segs[:1]
	out[0].from = max(out[0].from, now)
	for _, s := range g.segs[1:] {
		s.from = max(s.from, now)
		if s.from != out[len(out)-1].from || s.lo == g.segs[len(g.segs)-1].lo {
			out = append(out, s)
		}
	}
	g.segs = out
}

// earliest finds size contiguous bytes that are free from the earliest step, at
// the lowest address among equals. No step before now counts, none after by does.
// ok is false where nothing is free in time.
func (g *gaps) earliest(size plan.Bytes, now, by int) (at plan.Bytes, from int, ok bool) {
	n := len(g.segs) - 1
	best := by + 1
	end := func(i int) plan.Bytes { return g.segs[i+1].lo }
	// A best range begins where a seg begins or ends where one ends.
	for i := 0; i < n; i++ {
		if g.segs[i].from >= best {
			continue
		}
		lo := g.segs[i].lo
		m := now
		for j := i; j < n && g.segs[j].from < best; j++ {
			m = max(m, g.segs[j].from)
			if end(j)-lo >= size {
				at, from, ok, best = lo, m, true, m
				break
			}
		}
		if ok && best == now {
			return at, from, true
		}
		hi := end(i)
		m = now
		for j := i; j >= 0 && g.segs[j].from < best; j-- {
			m = max(m, g.segs[j].from)
			if hi-g.segs[j].lo >= size {
				at, from, ok, best = hi-size, m, true, m
				break
			}
		}
	}
	return at, from, ok
}

// hottest finds size contiguous bytes that are free by a step, those that became
// free last: what lay there is most likely in a cache still. ok is false where
// nothing is free by then.
func (g *gaps) hottest(size plan.Bytes, by int) (at plan.Bytes, from int, ok bool) {
	n := len(g.segs) - 1
	coldest := -1
	for i := 0; i < n; i++ {
		lo, hi := g.segs[i].lo, g.segs[i+1].lo
		cold, last := g.segs[i].from, g.segs[i].from
		for j := i; j < n && g.segs[j].from <= by; j++ {
			cold, last = min(cold, g.segs[j].from), max(last, g.segs[j].from)
			if cold <= coldest {
				break
			}
			if g.segs[j+1].lo-lo >= size {
				at, from, ok, coldest = lo, last, true, cold
				break
			}
		}
		cold, last = g.segs[i].from, g.segs[i].from
		for j := i; j >= 0 && g.segs[j].from <= by; j-- {
			cold, last = min(cold, g.segs[j].from), max(last, g.segs[j].from)
			if cold <= coldest {
				break
			}
			if hi-g.segs[j].lo >= size {
				at, from, ok, coldest = hi-size, last, true, cold
				break
			}
		}
	}
	return at, from, ok
}

// widest is the largest contiguous range that holds no activation.
func (g *gaps) widest() (at, size plan.Bytes) {
	for i := 0; i < len(g.segs)-1; i++ {
		if g.segs[i].from == never {
			continue
		}
		lo := g.segs[i].lo
		for g.segs[i].from != never {
			i++
		}
		if n := g.segs[i].lo - lo; n > size {
			at, size = lo, n
		}
	}
	return at, size
}
