package schedule

import (
	"slices"

	"github.com/flexnnc/flexnnc/ir/plan"
)

// piece is a part of a file item at a place in the arena: panels (or a const, with
// an empty range), live from step start, when its load may begin, to step last.
type piece struct {
	item        int
	panels      plan.Range
	size        plan.Bytes // of the load
	at          plan.Bytes
	start, last int
}

// ref names a piece of a draft.
type ref struct {
	resident bool
	index    int
}

var none = ref{index: -1}

// stepDraft is a step in the making.
type stepDraft struct {
	unit    int
	panels  plan.Range
	weights ref
	consts  []ref // in the order of unit.consts
	wait    int
}

// draft is a whole plan but for its form.
type draft struct {
	place    placement
	kept     keep
	resident []piece
	streamed []piece // in load order
	steps    []stepDraft
	top      plan.Bytes // arena size
	forecast
}

// shape is what the search varies.
type shape struct {
	place placement
	kept  keep
	// height is the arena below the resident weights, from timeline.base.
	height plan.Bytes
	// A slice takes at most 1/share of the widest gap.
	share plan.Bytes
}

// stream places the weights of all units in order, each piece where and as soon
// as there is room. It cannot fail where each unit has its least room: a piece
// that fits nowhere before its step takes the place of the one before it.
func (t *timeline) stream(sh shape, o Options) *draft {
	d := &draft{place: sh.place, kept: sh.kept}
	lo, hi := t.base, t.base+sh.height
	d.top = t.base
	index := t.keepResidents(d, hi)
	for k, s := range t.spans {
		d.top = max(d.top, t.base+sh.place.offsets[k]+s.size)
	}
	g := newGaps(lo, hi)
	begins, ends := t.events()
	now := 0
	for i := range t.units {
		for _, k := range begins[i] {
			at := t.base + sh.place.offsets[k]
			g.set(at, at+t.spans[k].size, never)
		}
		g.merge(now)
		f := feed{t: t, d: d, g: g, unit: i, resident: index, now: now, preload: !o.NoPreload}
		f.steps(sh.share)
		if !f.place() {
			f.undo()
			f.placeInTurn()
		}
		now = f.now
		for _, k := range ends[i] {
			at := t.base + sh.place.offsets[k]
			g.set(at, at+t.spans[k].size, len(d.steps))
		}
	}
	for i := range d.streamed {
		d.top = max(d.top, d.streamed[i].at+up(d.streamed[i].size))
	}
	d.forecast = d.predict(t, o.Speed)
	return d
}

// events lists the spans that begin and end at each unit.
func (t *timeline) events() (begins, ends [][]int) {
	begins = make([][]int, len(t.units))
	ends = make([][]int, len(t.units))
	for k, s := range t.spans {
		begins[s.first] = append(begins[s.first], k)
		ends[s.last] = append(ends[s.last], k)
	}
	return begins, ends
}

// keepResidents lays the kept weights out from at upward, in the order of the
// file, and returns the index of each item's piece in d.resident.
func (t *timeline) keepResidents(d *draft, at plan.Bytes) []int {
	index := make([]int, len(d.kept))
	for i, n := range d.kept {
		index[i] = -1
		if n == 0 {
			continue
		}
		_, each := t.parts(i)
		p := piece{item: i, size: plan.Bytes(n) * each, at: at}
		if t.file.Items[i].Panels != nil {
			p.panels = plan.Range{Lo: 0, Hi: n}
		}
		index[i] = len(d.resident)
		d.resident = append(d.resident, p)
		at += up(p.size)
		d.top = at
	}
	return index
}

// feed places the weights of one unit.
type feed struct {
	t        *timeline
	d        *draft
	g        *gaps
	unit     int
	resident []int
	now      int // no load may start before; the start of the last one
	preload  bool
	// state before the unit, for undo
	before           []seg
	beforeNow        int
	streamed, firstS int
	roomAt           plan.Bytes
}

// steps appends the unit's steps, with resident weights filled in.
func (f *feed) steps(share plan.Bytes) {
	u := &f.t.units[f.unit]
	f.before, f.beforeNow = slices.Clone(f.g.segs), f.now
	f.streamed, f.firstS = len(f.d.streamed), len(f.d.steps)
	consts := make([]ref, len(u.consts))
	streamed := plan.Bytes(0)
	for i, c := range u.consts {
		consts[i] = none
		if r := f.resident[c]; r >= 0 {
			consts[i] = ref{true, r}
		} else {
			streamed += up(f.t.file.Items[c].Bytes)
		}
	}
	add := func(panels plan.Range, w ref) {
		f.d.steps = append(f.d.steps, stepDraft{unit: f.unit, panels: panels, weights: w, consts: slices.Clone(consts)})
	}
	at, room := f.g.widest()
	f.roomAt = at
	if u.panels < 0 {
		add(plan.Range{}, none)
		return
	}
	kept := f.d.kept[u.panels]
	if kept > 0 {
		add(plan.Range{Lo: 0, Hi: kept}, ref{true, f.resident[u.panels]})
	}
	n, each := f.t.parts(u.panels)
	room -= streamed
	if !f.t.whole {
		room /= share
	}
	for _, r := range slice(kept, n, each, room) {
		add(r, none)
	}
}

// place gives each missing weight a piece that loads as early as it can.
func (f *feed) place() bool {
	return f.each(func(p piece, step int) (plan.Bytes, int, bool) {
		now := f.now
		if !f.preload {
			now = step
		}
		return f.g.earliest(up(p.size), now, step)
	})
}

// undo takes back what place did.
func (f *feed) undo() {
	f.g.segs, f.now = f.before, f.beforeNow
	f.d.streamed = f.d.streamed[:f.streamed]
	u := &f.t.units[f.unit]
	for i := f.firstS; i < len(f.d.steps); i++ {
		s := &f.d.steps[i]
		if !s.weights.resident {
			s.weights = none
		}
		for c := range u.consts {
			if !s.consts[c].resident {
				s.consts[c] = none
			}
		}
		s.wait = 0
	}
}

// placeInTurn puts consts at the bottom of the widest gap and each slice above
// them, loaded when the one before it is done with.
func (f *feed) placeInTurn() {
	at := f.roomAt
	ok := f.each(func(p piece, step int) (plan.Bytes, int, bool) {
		here := at
		if p.panels.Len() == 0 { // a const: it stays for the unit, slices come above
			at += up(p.size)
		}
		return here, step, true
	})
	if !ok {
		panic("BUG: weights without a place")
	}
}

// each calls find for every piece that the unit's steps miss, consts first, and
// enters what it finds.
func (f *feed) each(find func(p piece, step int) (at plan.Bytes, from int, ok bool)) bool {
	t, d := f.t, f.d
	u := &t.units[f.unit]
	last := len(d.steps) - 1
	add := func(p piece, step int) (ref, bool) {
		at, from, ok := find(p, step)
		if !ok {
			return none, false
		}
		p.at, p.start = at, from
		f.now = max(f.now, from)
		f.g.set(at, at+up(p.size), p.last+1)
		d.streamed = append(d.streamed, p)
		return ref{false, len(d.streamed) - 1}, true
	}
	for c, item := range u.consts {
		if d.steps[f.firstS].consts[c] != none {
			continue
		}
		r, ok := add(piece{item: item, size: t.file.Items[item].Bytes, last: last}, f.firstS)
		if !ok {
			return false
		}
		for i := f.firstS; i <= last; i++ {
			d.steps[i].consts[c] = r
		}
	}
	for i := f.firstS; i <= last; i++ {
		s := &d.steps[i]
		if u.panels >= 0 && s.weights == none {
			_, each := t.parts(u.panels)
			r, ok := add(piece{item: u.panels, panels: s.panels, size: plan.Bytes(s.panels.Len()) * each, last: i}, i)
			if !ok {
				return false
			}
			s.weights = r
		}
		for _, r := range append(s.consts[:len(s.consts):len(s.consts)], s.weights) {
			if !r.resident {
				s.wait = max(s.wait, r.index+1)
			}
		}
	}
	return true
}
