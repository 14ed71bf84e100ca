package schedule

import (
	"math"
	"slices"

	"github.com/flexnnc/flexnnc/compiler/cost"
	"github.com/flexnnc/flexnnc/ir/plan"
)

// shares are the parts of the widest gap that a slice may take: all of it gives
// the fewest steps, less lets the next slices load meanwhile.
func shares(level int) []plan.Bytes {
	if level == 1 {
		return []plan.Bytes{1, 2, 5}
	}
	return []plan.Bytes{1, 2, plan.Bytes(level + 1), plan.Bytes(3*level + 2)}
}

// way is a division of the network into units, with its lowest placement.
type way struct {
	t       *timeline
	low     placement
	compute int64 // of its steps if nothing is sliced: no plan takes less
	// tight is the plan for the smallest budget with which this way works.
	tight *draft
}

// floor is that budget.
func (w *way) floor() plan.Bytes { return w.tight.top }

// ways are the divisions that are worth planning; the last one has no bands.
func (n *network) ways(o Options) (ways []*way) {
	newCutter(n, o).offerCuttings(func(cut cutting) plan.Bytes {
		w := &way{}
		w.t, w.low = n.lowest(cut, o)
		for i := range w.t.units {
			w.compute += w.t.units[i].compute
		}
		w.tight = w.t.stream(shape{place: w.low, kept: make(keep, len(n.file.Items)), height: w.low.height, share: 1}, o)
		w.tight.loadAhead(w.t, o)
		ways = append(ways, w)
		return w.t.base + w.low.height
	})
	return ways
}

// lowest is a cutting's timeline with its lowest placement: with all outputs over
// inputs that can be there or, where packing loses by that, without those for which
// there is room.
func (n *network) lowest(cut cutting, o Options) (t *timeline, low placement) {
	t = newTimeline(n, cut, o)
	low = t.floor()
	peak := t.peak()
	for part := plan.Bytes(0); part <= 5 && low.height > peak; part++ {
		target := peak
		switch part {
		case 1, 2, 3, 4:
			target += (low.height - peak) >> (5 - part)
		case 5:
			target = math.MaxInt64
		}
		slack := make([]plan.Bytes, len(t.units))
		for i := range slack {
			slack[i] = target - t.least(i) - t.liveBytes(i)
		}
		loose := looseTimeline(n, cut, o, slack)
		if l := loose.floor(); l.height < low.height {
			t, low = loose, l
		}
	}
	return t, low
}

// searcher looks for the best plan within a budget.
type searcher struct {
	n      *network
	ways   []*way
	o      Options
	bounds *bounds
}

// live is the activations that are surely there during a node.
func (s *searcher) live(node int) plan.Bytes {
	if s.o.NoBands { // units are nodes
		return s.ways[0].t.liveBytes(node)
	}
	return 0
}

// rungs are the sizes, times powers of ten, for which candidates are made: those
// that people ask for. A level of effort puts level-1 sizes between two of them.
var rungs = []plan.Bytes{10, 11, 12, 13, 14, 15, 16, 18, 20, 22, 25, 28, 30, 32, 35, 37, 40, 45, 50, 55, 60, 65, 70, 75, 80, 85, 90, 95}

// best is the best plan within the budget, which is at least the floor: least
// predicted time, then least reading, then fewest steps, then least memory. The
// candidates are made for sizes on a ladder that does not depend on the budget,
// from the largest within it downward until none can be better: so more memory
// never predicts more time. Where it finds none better than some plan, it returns
// that one or nil.
func (s *searcher) best(best *draft) (of *timeline, _ *draft) {
	plain := s.ways[len(s.ways)-1]
	quick := plain
	for _, w := range s.ways {
		if w.fastest() < quick.fastest() {
			quick = w
		}
	}
	asked, settled := s.o, false
	for _, w := range slices.Compact([]*way{quick, plain}) {
		d, all := w.unlimited(asked)
		if d == nil {
			continue
		}
		if best == nil || better(d, best) {
			of, best = w.t, d
		}
		settled = settled || all && w == quick
		if asked.Budget == 0 {
			s.o.Budget = max(s.o.Budget, d.top)
		}
	}
	if settled {
		return of, best
	}
	if s.o.NoSearch {
		if of != nil {
			return of, best
		}
		return s.within(s.o.Budget, best)
	}
	for _, size := range s.ladder() {
		if best != nil {
			if _, bound := s.bounds.time(size, s.o, s.live); max(bound, s.atLeast(size)) >= best.span {
				break
			}
		}
		if t, d := s.within(size, best); d != nil && (best == nil || better(d, best)) {
			of, best = t, d
		}
	}
	return of, best
}

// ladder is the sizes up to the budget, the largest first: the floors of all ways,
// and round numbers.
func (s *searcher) ladder() (sizes []plan.Bytes) {
	least := plan.Bytes(math.MaxInt64)
	for _, w := range s.ways {
		least = min(least, w.floor())
		sizes = append(sizes, w.floor())
	}
	for unit := plan.Bytes(10); unit <= s.o.Budget; unit *= 10 {
		for i, r := range rungs {
			next := plan.Bytes(100)
			if i+1 < len(rungs) {
				next = rungs[i+1]
			}
			level := plan.Bytes(s.o.level)
			for k := range level {
				if size := unit*r + unit*(next-r)*k/level; size > least {
					sizes = append(sizes, size)
				}
			}
		}
	}
	slices.Sort(sizes)
	sizes = slices.Compact(sizes)
	sizes = slices.DeleteFunc(sizes, func(size plan.Bytes) bool { return size > s.o.Budget })
	slices.Reverse(sizes)
	return sizes
}

// within is the best candidate of a size, if there is one better than some plan.
func (s *searcher) within(size plan.Bytes, than *draft) (of *timeline, best *draft) {
	o := s.o
	o.Budget = size
	best = than
	for _, w := range slices.Backward(s.ways) { // those with the fewest steps first
		if w.floor() > size || best != nil && w.atLeast(size, o) >= best.span {
			continue
		}
		if d := w.search(o, best); d != nil && (best == nil || better(d, best)) {
			best, of = d, w.t
		}
	}
	if of == nil {
		return nil, nil
	}
	return of, best
}

// fastest is the compute of its steps with all weights expanded that are worth it.
func (w *way) fastest() int64 { return w.compute - mostSaved(w.t.expansions, math.MaxInt64) }

// atLeast is picoseconds that no candidate of a size, or of less, takes less than.
func (s *searcher) atLeast(size plan.Bytes) int64 {
	least := int64(math.MaxInt64)
	for _, w := range s.ways {
		if w.floor() <= size {
			least = min(least, w.atLeast(size, s.o))
		}
	}
	return least
}

// atLeast is picoseconds that no plan of a size takes less than, see bounds.time: when
// a unit starts, the arena holds at most what is free beside its activations.
func (w *way) atLeast(size plan.Bytes, o Options) int64 {
	t := w.t
	compute := w.compute
	if !o.NoResidents {
		compute -= mostSaved(t.expansions, size-t.base)
	}
	saved := w.compute - compute
	read := o.Speed.Read * int64(t.leastReads(size-t.base))
	longest := max(compute, read)
	later := int64(math.MinInt64) // reads up to the end of some later unit less the compute up to there
	for i := len(t.units) - 1; i >= 0; i-- {
		later = max(later, o.Speed.Read*int64(t.reading[i+1])-(w.compute-t.after[i]))
		before := w.compute - t.after[i] - t.units[i].compute
		free := o.Speed.Read * int64(size-t.base-t.alive[i])
		longest = max(longest, before+later-o.Speed.Read*int64(t.reading[i])-free+w.compute-saved)
	}
	return cost.Slowed(longest, compute, read)
}

// unlimited is the plan in which every weight has a place of its own, for good or,
// without residents, for the run; nil where the budget does not allow that. all says
// that whatever is worth it is kept expanded too: no plan is faster.
func (w *way) unlimited(o Options) (d *draft, all bool) {
	t := w.t
	compact := t.packWith(nil, true)
	kept := t.everything()
	weights := kept.bytes(t)
	if o.NoResidents {
		kept = make(keep, len(t.n.file.Items))
	}
	if o.Budget != 0 && o.Budget < t.base+compact.height+weights {
		return nil, false
	}
	sh := shape{place: compact, kept: kept, height: compact.height, share: 1}
	if o.NoResidents {
		sh.height += weights // loads remain, and others may come at better times
		d = t.stream(sh, o)
		d.loadAhead(t, o)
		return d, false
	}
	room := plan.Bytes(math.MaxInt64)
	if o.Budget != 0 {
		room = o.Budget - t.base - compact.height - weights
	}
	sh.expanded, _ = t.expand(room, kept, false)
	left := slices.ContainsFunc(t.expansions, func(x expansion) bool { return !sh.expanded[x.item] })
	return t.stream(sh, o), !left
}

// search is the best plan within the budget, which is at least the floor, if there
// is one better than some plan.
func (w *way) search(o Options, than *draft) *draft {
	t, low := w.t, w.low
	if o.Budget < t.base+low.height {
		return w.tight // what the packing reserves at its top is not used
	}
	if o.NoSearch {
		none := make(keep, len(t.n.file.Items))
		d := t.stream(shape{place: low, kept: none, height: (o.Budget - t.base) &^ (plan.Align - 1), share: 1}, o)
		d.loadAhead(t, o)
		return d
	}
	best := than
	space := (o.Budget - t.base) &^ (plan.Align - 1) // for activations, streams and residents
	for _, height := range heights(low.height, space, o) {
		places := []placement{low}
		if p, ok := t.roomy(height); ok {
			places = append(places, p)
		}
		for _, r := range t.choices(space-height, o) {
			// Nothing to be had with so much to read?
			read := o.Speed.Read * int64(t.reads(r.kept))
			compute := w.compute - r.saved
			if best != nil && cost.Slowed(max(compute, read), compute, read) >= best.span {
				continue
			}
			for _, place := range places {
				for _, share := range shares(o.level) {
					sh := shape{place: place, kept: r.kept, expanded: r.expanded, height: space - r.used, share: share, saved: r.saved}
					if best != nil {
						sh.limit = best.span
					}
					d := t.stream(sh, o)
					if d == nil {
						continue
					}
					if best != nil && cost.Slowed(max(d.compute, d.read), d.compute, d.read) >= best.span {
						t.spare = d
						continue
					}
					if d.loadAhead(t, o); best == nil || better(d, best) {
						best = d
					} else {
						t.spare = d
					}
				}
			}
		}
	}
	return best
}

// heights are parts of space to use for activations and streams, the rest being for residents.
func heights(low, space plan.Bytes, o Options) []plan.Bytes {
	if o.NoResidents {
		return []plan.Bytes{space}
	}
	hs := []plan.Bytes{low}
	parts := []plan.Bytes{32, 8, 2, 1}
	if o.level > 1 {
		parts = []plan.Bytes{64, 16, 8, 4, 2, 1}
	}
	for _, part := range parts {
		h := low + (space-low)/part&^(plan.Align-1)
		if h > hs[len(hs)-1] {
			hs = append(hs, h)
		}
	}
	return hs
}

func better(a, b *draft) bool {
	switch {
	case a.span != b.span:
		return a.span < b.span
	case a.read != b.read:
		return a.read < b.read
	case len(a.steps) != len(b.steps):
		return len(a.steps) < len(b.steps)
	}
	return a.top < b.top
}
