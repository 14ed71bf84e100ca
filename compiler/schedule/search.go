package schedule

import "github.com/flexnnc/flexnnc/ir/plan"

// shares are the parts of the widest gap that a slice may take: all of it gives
// the fewest steps, less lets the next slices load meanwhile.
var shares = []plan.Bytes{1, 2, 3, 5, 9}

// way is a division of the network into units, with its lowest placement.
type way struct {
	t   *timeline
	low placement
	// tight is the plan for the smallest budget with which this way works.
	tight *draft
}

// floor is that budget.
func (w *way) floor() plan.Bytes { return w.tight.top }

// ways are the divisions that are worth planning; the last one has no bands.
func (n *network) ways(o Options) (ways []*way) {
	for _, cut := range newCutter(n, o).cuttings() {
		w := &way{t: newTimeline(n, cut, o)}
		w.low = w.t.floor()
		w.tight = w.t.stream(shape{place: w.low, kept: make(keep, len(n.file.Items)), height: w.low.height, share: 1}, o)
		ways = append(ways, w)
	}
	return ways
}

// search makes the candidate plans and returns the best: least predicted cost,
// then fewest steps, then least memory, then the first. What fits a budget fits a
// larger one.
func search(ways []*way, o Options) (*timeline, *draft) {
	plain := ways[len(ways)-1]
	if d := plain.unlimited(o); d != nil {
		return plain.t, d
	}
	var best *draft
	var of *timeline
	for _, w := range ways {
		if w.floor() > o.Budget {
			continue
		}
		if d := w.search(o); best == nil || better(d, best) {
			best, of = d, w.t
		}
	}
	return of, best
}

// unlimited is the plan in which every weight has a place of its own, for good or,
// without residents, for the run; nil where the budget does not allow that.
func (w *way) unlimited(o Options) *draft {
	t := w.t
	compact := t.packWith(nil, true)
	all := t.everything()
	weights := all.bytes(t)
	if o.NoResidents {
		all = make(keep, len(t.n.file.Items))
	}
	if o.Budget != 0 && o.Budget < t.base+compact.height+weights {
		return nil
	}
	sh := shape{place: compact, kept: all, height: compact.height, share: 1}
	if o.NoResidents {
		sh.height += weights
	}
	return t.stream(sh, o)
}

// search is the best plan within the budget, which is at least the floor.
func (w *way) search(o Options) *draft {
	t, low := w.t, w.low
	if o.Budget < t.base+low.height {
		return w.tight // what the packing reserves at its top is not used
	}
	if o.NoSearch {
		none := make(keep, len(t.n.file.Items))
		return t.stream(shape{place: low, kept: none, height: (o.Budget - t.base) &^ (plan.Align - 1), share: 1}, o)
	}
	var best *draft
	space := (o.Budget - t.base) &^ (plan.Align - 1) // for activations, streams and residents
	for _, height := range heights(low.height, space, o.NoResidents) {
		places := []placement{low}
		if p, ok := t.roomy(height); ok {
			places = append(places, p)
		}
		for how := early; how <= large; how++ {
			kept := make(keep, len(t.n.file.Items))
			if !o.NoResidents {
				kept = t.residents(space-height, how, o.Speed)
			}
			used := kept.bytes(t)
			if how > early && used == 0 {
				break
			}
			for _, place := range places {
				for _, share := range shares {
					d := t.stream(shape{place: place, kept: kept, height: space - used, share: share}, o)
					if best == nil || better(d, best) {
						best = d
					}
				}
			}
		}
	}
	return best
}

// heights are parts of space to use for activations and streams, the rest being for residents.
func heights(low, space plan.Bytes, noResidents bool) []plan.Bytes {
	if noResidents {
		return []plan.Bytes{space}
	}
	hs := []plan.Bytes{low}
	for _, part := range []plan.Bytes{32, 8, 4, 2, 1} {
		h := low + (space-low)/part&^(plan.Align-1)
		if h > hs[len(hs)-1] {
			hs = append(hs, h)
		}
	}
	return hs
}

func better(a, b *draft) bool {
	switch {
	case a.cost() != b.cost():
		return a.cost() < b.cost()
	case len(a.steps) != len(b.steps):
		return len(a.steps) < len(b.steps)
	}
	return a.top < b.top
}
