package schedule

import "github.com/flexnnc/flexnnc/ir/plan"

// loadAhead has the first loads of a run be made at the end of the run before,
// where their places are free by then, as far as that makes runs shorter.
func (d *draft) loadAhead(t *timeline, o Options) {
	if o.NoAhead || o.NoPreload || len(d.streamed) == 0 {
		return
	}
	most := d.mayAhead(t)
	best := d.forecast
	kept := 0
	for n := most; n > 0; n /= 2 {
		d.ahead = n
		if f := d.predict(t, o.Speed); f.span < best.span {
			best, kept = f, n
		}
	}
	d.ahead, d.forecast = kept, best
}

// mayAhead finds the loads that start their run's row of loads and have a place
// that nothing else uses from some step on to the end, nor before they are used.
// It notes those steps in the pieces, and returns the number.
func (d *draft) mayAhead(t *timeline) int {
	type life struct {
		lo, hi      plan.Bytes
		first, last int // steps
	}
	if d.streamed[0].start > 0 {
		return 0
	}
	begin := make([]int, len(t.units)+1)
	for i := len(d.steps) - 1; i >= 0; i-- {
		begin[d.steps[i].unit] = i
	}
	begin[len(t.units)] = len(d.steps)
	var lives []life
	for i := range t.blocks {
		b := &t.blocks[i]
		at := t.base + d.place.offsets[b.span] + b.at
		lives = append(lives, life{at, at + b.size, begin[b.first], begin[b.last+1] - 1})
	}
	for i := range d.streamed {
		p := &d.streamed[i]
		lives = append(lives, life{p.at, p.at + up(p.size), p.start, p.last})
	}
	n := 0
	for i := range d.streamed {
		p := &d.streamed[i]
		lo, hi := p.at, p.at+up(p.size)
		free := p.last + 1
		for _, l := range lives {
			if l.lo >= hi || l.hi <= lo || l == (life{lo, hi, p.start, p.last}) {
				continue
			}
			if l.first <= p.last {
				return n
			}
			free = max(free, l.last+1)
		}
		if free >= len(d.steps) {
			return n
		}
		// Loads keep their order: none may start before the one before it.
		if n > 0 {
			free = max(free, d.streamed[n-1].ahead)
		}
		p.ahead = free
		n++
	}
	return n
}
