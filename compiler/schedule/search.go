package schedule

import "github.com/flexnnc/flexnnc/ir/plan"

// shares are the parts of the widest gap that a slice may take: all of it gives
// the fewest steps, less lets the next slices load meanwhile.
var shares = []plan.Bytes{1, 2, 3, 5, 9}

// search makes the candidate plans and returns the best: least predicted cost,
// then fewest steps, then least memory, then the first. The budget is at least
// the height of low (and unlimited if 0), and low is always among the candidates:
// what fits a budget fits a larger one.
func (t *timeline) search(o Options, low placement) *draft {
	compact := t.packWith(nil, true)
	all := t.everything()
	weights := all.bytes(t)
	if o.NoResidents {
		all = make(keep, len(t.file.Items))
	}
	top := t.base + compact.height + weights
	if o.Budget == 0 || o.Budget >= top {
		// Every weight has a place of its own, for good or, without residents, for the run.
		sh := shape{place: compact, kept: all, height: compact.height, share: 1}
		if o.NoResidents {
			sh.height += weights
		}
		return t.stream(sh, o)
	}
	if o.NoSearch {
		none := make(keep, len(t.file.Items))
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
			kept := make(keep, len(t.file.Items))
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

// and streams, the rest being for residents.
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
