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
	ahead       int        // step of the run before from which on its place is free to the end
	expanded    plan.Bytes // where it is kept expanded: what it takes
}

// room is what a piece takes in the arena.
func (p *piece) room() plan.Bytes { return up(max(p.size, p.expanded)) }

// ref names a piece of a draft.
type ref struct {
	resident bool
	index    int
}

var none = ref{index: -1}

// stepDraft is a step in the making.
type stepDraft struct {
	unit    int
	node    int
	rows    plan.Range // {0,0}: all
	panels  plan.Range
	weights ref
	consts  []ref // in the order of node.consts
	table   ref   // of the node's table; none where its rows are picked
	wait    int
}

// draft is a whole plan but for its form.
type draft struct {
	place    placement
	kept     keep
	expanded []bool // of items that are kept; nil: none
	resident []piece
	streamed []piece // in load order
	ahead    int     // so many of them are made at the end of the run before
	steps    []stepDraft
	refs     []ref      // of their consts
	top      plan.Bytes // arena size
	// loadedAt and doneAt are when each streamed load, and so many steps, are complete,
	// if no load is made ahead.
	loadedAt, doneAt []int64
	forecast
}

// shape is what the search varies.
type shape struct {
	place    placement
	kept     keep
	expanded []bool // of items that are kept; nil: none
	// height is the arena below the resident weights, from timeline.base.
	height plan.Bytes
	// A slice takes at most 1/share of the widest gap.
	share plan.Bytes
	// limit, where it is not 0, is picoseconds that are too many, and saved those that
	// expanded weights save at most of a timeline's compute.
	limit, saved int64
}

// stream places the weights of all units in order, each piece where and as soon
// as there is room. It cannot fail where each unit has its least room: a piece
// that fits nowhere before its step takes the place of the one before it. It is nil
// where the draft takes the shape's limit at least.
func (t *timeline) stream(sh shape, o Options) *draft {
	d := t.spare
	if t.spare = nil; d == nil {
		d = &draft{}
	}
	*d = draft{place: sh.place, kept: sh.kept, expanded: sh.expanded, steps: d.steps[:0], streamed: d.streamed[:0], resident: d.resident[:0], refs: d.refs[:0], loadedAt: d.loadedAt[:0], doneAt: append(d.doneAt[:0], 0)}
	lo, hi := t.base, t.base+sh.height
	d.top = t.base
	index := t.keepResidents(d, hi)
	for i := range t.blocks {
		b := &t.blocks[i]
		d.top = max(d.top, t.base+sh.place.offsets[b.span]+b.at+b.size)
	}
	g := newGaps(lo, hi)
	begins, ends := t.events()
	set := func(k, from int) {
		b := &t.blocks[k]
		at := t.base + sh.place.offsets[b.span] + b.at
		g.set(at, at+b.size, from)
	}
	now := 0
	// Loads that may be made at the end of the run before lie in the arena together.
	ahead, space, counted := int64(0), sh.height, 0
	for i := range t.units {
		for _, k := range begins[i] {
			set(k, never)
		}
		g.merge(now - remembered)
		f := feed{t: t, d: d, g: g, unit: i, resident: index, now: now, preload: !o.NoPreload, speed: o.Speed}
		f.begin()
		f.list(f.sliceRoom(sh.share))
		if !f.place() {
			f.undo()
			f.list(f.sureRoom(sh.share))
			f.placeInTurn()
		}
		now = f.now
		if sh.limit > 0 {
			for ; counted < len(d.streamed) && space >= d.streamed[counted].size; counted++ {
				space -= d.streamed[counted].size
				ahead += o.Speed.read(d.streamed[counted].size)
			}
			if d.doneAt[len(d.steps)]-ahead+t.after[i]-sh.saved >= sh.limit {
				t.spare = d
				return nil
			}
		}
		for _, k := range ends[i] {
			set(k, len(d.steps))
		}
		for _, k := range ends[i] {
			// What lies over it may go on.
			for j := range t.over[k] {
				if b := &t.blocks[t.over[k][j]]; b.first <= i && i < b.last {
					set(t.over[k][j], never)
				}
			}
		}
	}
	for i := range d.streamed {
		d.top = max(d.top, d.streamed[i].at+up(d.streamed[i].size))
	}
	d.forecast = d.predict(t, o.Speed)
	return d
}

// keepResidents lays the kept weights out from at upward, in the order of the
// file, and returns the index of each item's first piece in d.resident.
func (t *timeline) keepResidents(d *draft, at plan.Bytes) []int {
	index := make([]int, len(d.kept))
	for i, n := range d.kept {
		index[i] = -1
		if n == 0 {
			continue
		}
		_, each := t.parts(i)
		p := piece{item: i, size: plan.Bytes(n) * each, at: at}
		index[i] = len(d.resident)
		items := t.n.file.Items[i].Panels
		if items == nil {
			d.resident = append(d.resident, p)
			at += up(p.size)
			d.top = at
			continue
		}
		if t.atomic[i] {
			n = items.Count()
		}
		each = plan.Bytes(items.PanelBytes())
		width := n
		if w := t.units[t.first[i]].width; w > 0 {
			width = w // one buffer per step
		}
		for lo := 0; lo < n; lo += width {
			p.panels = plan.Range{Lo: lo, Hi: min(n, lo+width)}
			p.size, p.at = plan.Bytes(p.panels.Len())*each, at
			if d.expanded != nil && d.expanded[i] {
				p.expanded = plan.Bytes(t.opOf(i).ExpandedBytes(p.panels.Len()))
			}
			d.resident = append(d.resident, p)
			at += p.room()
		}
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
	speed    Speed
	// state before the unit, for undo
	beforeNow        int
	streamed, firstS int
	residents        int
	whole            piece      // a resident that is in parts since
	roomAt, room     plan.Bytes // the widest gap
}

// begin notes the state before the unit.
func (f *feed) begin() {
	f.g.saved, f.beforeNow = append(f.g.saved[:0], f.g.segs...), f.now
	f.streamed, f.firstS, f.residents = len(f.d.streamed), len(f.d.steps), len(f.d.resident)
	f.roomAt, f.room = f.g.widest()
}

// add appends a step, with its resident consts filled in.
func (f *feed) add(node int, rows, panels plan.Range, w ref) {
	d := &f.t.n.nodes[node]
	s := stepDraft{unit: f.unit, node: node, rows: rows, panels: panels, weights: w, table: none}
	if d.table >= 0 {
		s.table = f.kept(d.table)
	}
	from := len(f.d.refs)
	for _, c := range d.consts {
		f.d.refs = append(f.d.refs, f.kept(c))
	}
	s.consts = f.d.refs[from:len(f.d.refs):len(f.d.refs)]
	f.d.steps = append(f.d.steps, s)
}

// kept is the resident piece of an item, or none.
func (f *feed) kept(item int) ref {
	if r := f.resident[item]; r >= 0 {
		return ref{true, r}
	}
	return none
}

// sliceRoom is the size of slices to aim at: a share of the widest gap, beside what
// else the unit needs.
func (f *feed) sliceRoom(share plan.Bytes) plan.Bytes {
	u := &f.t.units[f.unit]
	room := f.room
	for _, k := range u.items {
		if d := f.t.node(u); (u.braid || k != d.panels) && f.kept(k) == none {
			room -= up(f.t.n.file.Items[k].Bytes)
		}
	}
	if !f.t.whole {
		room /= share
	}
	return room
}

// sureRoom is the size of slices that surely have a place.
func (f *feed) sureRoom(share plan.Bytes) plan.Bytes {
	if u := &f.t.units[f.unit]; len(u.flows) > 0 {
		rooms := f.d.place.rooms[f.unit]
		return rooms[len(rooms)-1].size
	}
	return f.sliceRoom(share)
}

// list appends the unit's steps, with resident weights filled in, and others in
// slices of about room bytes.
func (f *feed) list(room plan.Bytes) {
	u := &f.t.units[f.unit]
	if u.turns == nil {
		f.slices(u.lo, plan.Range{}, room)
		return
	}
	for _, t := range u.turns {
		d := &f.t.n.nodes[t.node]
		if slices.Contains(u.flows, t.node) {
			f.slices(t.node, t.rows, room)
			continue
		}
		if d.panels < 0 {
			f.add(t.node, t.rows, t.panels, none)
			continue
		}
		w := f.kept(d.panels)
		if u.width > 0 {
			if w != none {
				w.index += t.panels.Lo / u.width
			}
		} else {
			t.panels = plan.Range{Lo: 0, Hi: d.op.Panels.Count()}
		}
		f.add(t.node, t.rows, t.panels, w)
	}
}

// slices appends the steps of a node, or of rows of it, one for what stays of its
// panels and others for slices of the rest.
func (f *feed) slices(node int, rows plan.Range, room plan.Bytes) {
	d := &f.t.n.nodes[node]
	if d.panels < 0 {
		f.add(node, rows, plan.Range{}, none)
		return
	}
	n, each := d.op.Panels.Count(), plan.Bytes(d.op.Panels.PanelBytes())
	kept := f.d.kept[d.panels]
	if kept > 0 && f.t.atomic[d.panels] {
		kept = n
	}
	rest := slice(kept, n, each, room)
	parts := 0
	if kept > 0 {
		parts = f.part(d, kept, min(len(rest), f.worthParting(d, kept)))
	}
	if parts == 1 {
		f.add(node, rows, plan.Range{Lo: 0, Hi: kept}, f.kept(d.panels))
		parts = 0
	}
	// What is there already comes between what must come: the loader goes on meanwhile.
	for i, r := range rest {
		f.add(node, rows, r, none)
		for k := i * parts / len(rest); k < (i+1)*parts/len(rest); k++ {
			w := f.kept(d.panels)
			if k > 0 {
				w.index = f.residents + k - 1
			}
			f.add(node, rows, f.d.resident[w.index].panels, w)
		}
	}
}

// partWork is how much of what stays of a node's weights there is to compute, in
// steps more, for them to be worth their time.
const partWork = 16

// worthParting is the number of steps that what stays of a node's panels may be
// computed in.
func (f *feed) worthParting(d *node, kept int) int {
	item := d.panels
	if f.t.units[f.unit].turns != nil || f.t.atomic[item] || f.t.n.uses[item] != 1 || d.op.Panels.PanelBytes()%plan.Align != 0 {
		return 1
	}
	if f.d.expanded != nil && f.d.expanded[item] {
		return 1
	}
	work := f.speed.step(d, kept, d.op.Panels.Count(), 0, d.own, false, d.near)
	return int(min(int64(kept), work/(partWork*(f.speed.Step+d.cost.Again()))))
}

// part makes about n pieces of what stays of a node's panels, and returns how many.
func (f *feed) part(d *node, kept, n int) int {
	if n < 2 {
		return 1
	}
	at := f.resident[d.panels]
	f.whole = f.d.resident[at]
	each := plan.Bytes(d.op.Panels.PanelBytes())
	rs := slice(0, kept, each, (plan.Bytes(kept)*each+plan.Bytes(n)-1)/plan.Bytes(n))
	for i, r := range rs {
		p := f.whole
		p.panels, p.size, p.at = r, plan.Bytes(r.Len())*each, p.at+plan.Bytes(r.Lo)*each
		if i == 0 {
			f.d.resident[at] = p
		} else {
			f.d.resident = append(f.d.resident, p)
		}
	}
	return len(rs)
}

const (
	// remembered is the number of steps for which it is known what became free when.
	remembered = 8
	// ahead is the number of steps by which a place should be free before the loader
	// comes to need it: neither it nor the steps may be as fast as predicted.
	ahead = 1
)

// place gives each missing weight a piece that loads as early as the loader gets to
// it, or else as early as there is a place. Of places that are free by then it takes
// the one that was in use last.
func (f *feed) place() bool {
	return f.each(func(p piece, step int) (plan.Bytes, int, bool) {
		now := f.now
		if !f.preload {
			now = step
		} else if d := f.d; len(d.loadedAt) > 0 {
			complete, _ := slices.BinarySearch(d.doneAt, d.loadedAt[len(d.loadedAt)-1]+1)
			if by := min(step, complete-1-ahead); by > now {
				if at, from, ok := f.g.hottest(up(p.size), by); ok {
					return at, max(now, from), true
				}
			}
		}
		return f.g.earliest(up(p.size), now, step)
	})
}

// undo takes the unit's steps back and what place did.
func (f *feed) undo() {
	f.g.segs, f.g.saved, f.now = f.g.saved, f.g.segs, f.beforeNow
	if len(f.d.resident) > f.residents {
		f.d.resident[f.resident[f.whole.item]] = f.whole
		f.d.resident = f.d.resident[:f.residents]
	}
	f.d.streamed = f.d.streamed[:f.streamed]
	f.d.steps = f.d.steps[:f.firstS]
	f.d.loadedAt, f.d.doneAt = f.d.loadedAt[:f.streamed], f.d.doneAt[:f.firstS+1]
}

// placeInTurn fills the widest gap from below: consts stay there, and each slice
// comes above them, loaded when the one before it is done with. The weights of a
// braid take the places that packing has kept free: what is held from its first
// step on, what flows one slice after another.
func (f *feed) placeInTurn() {
	at := f.roomAt
	u := &f.t.units[f.unit]
	ok := f.each(func(p piece, step int) (plan.Bytes, int, bool) {
		if u.braid {
			rooms := f.d.place.rooms[f.unit]
			if k := slices.Index(u.items, p.item); k >= 0 {
				return f.t.base + rooms[k].at, max(f.now, f.firstS), true
			}
			return f.t.base + rooms[len(rooms)-1].at, step, true
		}
		here := at
		if p.panels.Len() == 0 {
			at += up(p.size)
		}
		return here, step, true
	})
	if !ok {
		panic("BUG: weights without a place")
	}
}

// each calls find for every piece that the unit's steps miss, in the order in
// which they need it, consts before panels, and enters what it finds. Pieces of
// a braid live from their first step to their last, consts of a single op for all
// of its steps.
func (f *feed) each(find func(p piece, step int) (at plan.Bytes, from int, ok bool)) bool {
	t, d := f.t, f.d
	braid := t.units[f.unit].braid
	end := len(d.steps) - 1
	found := map[int]ref{} // of items that serve several steps
	var last map[int]int   // step
	flows := t.units[f.unit].flows
	if braid {
		last = map[int]int{}
		for i := f.firstS; i <= end; i++ {
			for _, k := range t.n.nodes[d.steps[i].node].items() {
				last[k] = i
			}
		}
	}
	add := func(p piece, step int) (ref, bool) {
		at, from, ok := find(p, step)
		if !ok {
			return none, false
		}
		p.at, p.start = at, from
		f.now = max(f.now, from)
		f.g.set(at, at+up(p.size), p.last+1)
		d.streamed = append(d.streamed, p)
		begin := d.doneAt[from]
		if n := len(d.loadedAt); n > 0 {
			begin = max(begin, d.loadedAt[n-1])
		}
		d.loadedAt = append(d.loadedAt, begin+f.speed.read(p.size))
		return ref{false, len(d.streamed) - 1}, true
	}
	// lasting is a whole item for as long as the unit needs it.
	lasting := func(item, step int) (ref, bool) {
		if r, ok := found[item]; ok {
			return r, true
		}
		p := piece{item: item, size: t.n.file.Items[item].Bytes, last: end}
		if c := t.n.file.Items[item].Panels; c != nil {
			p.panels = plan.Range{Lo: 0, Hi: c.Count()}
		}
		if braid {
			p.last = last[item]
		}
		r, ok := add(p, step)
		found[item] = r
		return r, ok
	}
	for i := f.firstS; i <= end; i++ {
		s := &d.steps[i]
		node := &t.n.nodes[s.node]
		var ok bool
		for c, item := range node.consts {
			if s.consts[c] == none {
				if s.consts[c], ok = lasting(item, i); !ok {
					return false
				}
			}
		}
		if node.panels >= 0 && s.weights == none {
			if braid && !slices.Contains(flows, s.node) {
				s.weights, ok = lasting(node.panels, i)
			} else {
				each := plan.Bytes(node.op.Panels.PanelBytes())
				s.weights, ok = add(piece{item: node.panels, panels: s.panels, size: plan.Bytes(s.panels.Len()) * each, last: i}, i)
			}
			if !ok {
				return false
			}
		}
		if !s.weights.resident {
			s.wait = max(s.wait, s.weights.index+1)
		}
		for _, r := range s.consts {
			if !r.resident {
				s.wait = max(s.wait, r.index+1)
			}
		}
		ready := d.doneAt[i]
		if s.wait > 0 {
			ready = max(ready, d.loadedAt[s.wait-1])
		}
		d.doneAt = append(d.doneAt, ready+d.stepTime(t, i, f.speed))
	}
	return true
}
