package schedule

import (
	"fmt"
	"math"

	"github.com/flexnnc/flexnnc/compiler/arena"
	"github.com/flexnnc/flexnnc/ir/op"
	"github.com/flexnnc/flexnnc/ir/plan"
)

// packNodes, times the level of effort, bounds the exact search for the floor;
// beyond it the best so far is taken. It is a count and not a time, so that plans do not depend on the machine.
const packNodes = 100_000

// placement is an offset for each span, above timeline.base, and the height
// within which they and the room they were packed with lie.
type placement struct {
	offsets []plan.Bytes
	height  plan.Bytes
	rooms   [][]room // per unit, in the order of timeline.rooms
}

// room is a place that packing keeps free for weights of a unit.
type room struct{ at, size plan.Bytes }

// rooms are the sizes of the places that unit i needs while its weights are
// streamed, with room for about so many bytes more than it cannot do without: one
// for an op's consts and a slice of its panels, or for a slice of a chain; for each
// item that a braid holds, and one for what flows.
func (t *timeline) rooms(i int, more plan.Bytes) (sizes []plan.Bytes) {
	u := &t.units[i]
	if !u.braid {
		least, all := t.n.leastWeights(u.lo, t.whole), plan.Bytes(0)
		for _, k := range u.items {
			all += up(t.n.file.Items[k].Bytes)
		}
		if u.width > 0 {
			least = t.n.chainWeights(u.lo, u.width)
		}
		return append(sizes, max(least, min(all, more)))
	}
	for _, k := range u.items {
		sizes = append(sizes, up(t.n.file.Items[k].Bytes))
	}
	if len(u.flows) > 0 {
		least, all := plan.Bytes(0), plan.Bytes(0)
		for _, k := range u.flows {
			p := t.n.nodes[k].panels
			least = max(least, up(plan.Bytes(t.n.file.Items[p].Panels.PanelBytes())))
			all = max(all, up(t.n.file.Items[p].Bytes))
		}
		sizes = append(sizes, max(least, min(all, more)))
	}
	return sizes
}

// least is the room that unit i cannot do without.
func (t *timeline) least(i int) (n plan.Bytes) {
	for _, size := range t.rooms(i, 0) {
		n += size
	}
	return n
}

// all is the largest room for slices of unit i that is of use.
func (t *timeline) all(i int) plan.Bytes {
	if u := &t.units[i]; u.braid && len(u.flows) == 0 {
		return 0
	}
	sizes := t.rooms(i, math.MaxInt64)
	return sizes[len(sizes)-1]
}

// floor is the lowest placement that leaves each unit its least room. Whatever
// budget is at least that high can be planned for, and no other.
func (t *timeline) floor() placement {
	p := t.packWith(func(i int) []plan.Bytes { return t.rooms(i, 0) }, true)
	// The spans alone, with the largest room above them, is a way too.
	c := t.packWith(nil, true)
	c.rooms = make([][]room, len(t.units))
	for i := range t.units {
		at := c.live(t, i)
		for _, size := range t.rooms(i, 0) {
			c.rooms[i] = append(c.rooms[i], room{at, size})
			at += size
		}
		c.height = max(c.height, at)
	}
	if c.height < p.height {
		return c
	}
	return p
}

// liveBytes is the size of all that is live during unit i, weights apart.
func (t *timeline) liveBytes(i int) plan.Bytes { return t.alive[i] }

// live is the top of what lies in the arena during unit i.
func (p *placement) live(t *timeline, i int) (top plan.Bytes) {
	for k := range t.spans {
		if lo, hi := t.spans[k].during(i); lo < hi {
			top = max(top, p.offsets[k]+hi)
		}
	}
	return top
}

// roomy is a placement within height that leaves every unit as large a contiguous
// room as can be found, up to that of all its weights; fits is false where none does.
func (t *timeline) roomy(height plan.Bytes) (best placement, fits bool) {
	lo, hi := plan.Bytes(0), plan.Bytes(0)
	for i := range t.units {
		hi = max(hi, t.all(i))
	}
	for tries := 0; tries < 12 && lo <= hi; tries++ {
		mid := (lo + hi) / 2 &^ (plan.Align - 1)
		if tries == 0 {
			mid = hi
		}
		if t.crowd(mid) > height { // no packing can be lower
			hi = mid - plan.Align
			continue
		}
		p, ok := t.packed[mid]
		if !ok {
			p = t.packWith(func(i int) []plan.Bytes { return t.rooms(i, mid) }, false)
			t.packed[mid] = p
		}
		if p.height <= height {
			best, fits, lo = p, true, mid+plan.Align
		} else {
			hi = mid - plan.Align
		}
	}
	return best, fits
}

// crowd is the most that activations and rooms for about so many bytes more take in
// any unit.
func (t *timeline) crowd(more plan.Bytes) (most plan.Bytes) {
	for i := range t.units {
		n := t.alive[i]
		for _, size := range t.rooms(i, more) {
			n += size
		}
		most = max(most, n)
	}
	return most
}

// packWith places spans together with rooms of the given sizes in each unit.
// thorough spends time on the lowest result.
func (t *timeline) packWith(rooms func(int) []plan.Bytes, thorough bool) placement {
	var bs []arena.Buffer
	add := func(id string, first, last int, size plan.Bytes) {
		bs = append(bs, arena.Buffer{ID: id, Lower: first, Upper: last + 1, Size: int64(size), Align: int64(plan.Align)})
	}
	for _, s := range t.spans {
		add(s.name, s.first, s.last, s.size)
		b := &bs[len(bs)-1]
		for _, e := range s.shape {
			b.Shape = append(b.Shape, arena.Extent{Lower: e.first, Upper: e.last + 1, From: int64(e.lo), To: int64(e.hi)})
		}
	}
	if rooms != nil {
		for i := range t.units {
			for _, size := range rooms(i) {
				add("", i, i, size)
			}
		}
	}
	var sol arena.Solution
	if thorough && t.nodes > 0 {
		sol = arena.Minimize(bs, arena.Options{Nodes: t.nodes})
	} else {
		sol = arena.Greedy(bs)
	}
	p := placement{height: plan.Bytes(sol.Height)}
	for _, at := range sol.Offsets {
		p.offsets = append(p.offsets, plan.Bytes(at))
	}
	if rooms != nil {
		rest := p.offsets[len(t.spans):]
		for i := range t.units {
			var have []room
			for k, size := range rooms(i) {
				have = append(have, room{rest[k], size})
			}
			p.rooms, rest = append(p.rooms, have), rest[len(have):]
		}
	}
	p.offsets = p.offsets[:len(t.spans)]
	return p
}

// peak is the most bytes that must be live at once, above base.
func (t *timeline) peak() (n plan.Bytes) {
	for i := range t.units {
		n = max(n, t.least(i)+t.liveBytes(i))
	}
	return n
}

// blocking names the op at which the most bytes must be live at once, and them.
func (t *timeline) blocking() (at string, what []string) {
	var l ledger
	worst, peak := 0, plan.Bytes(-1)
	for i := range t.units {
		if n := t.least(i) + t.liveBytes(i); n > peak {
			worst, peak = i, n
		}
	}
	add := func(size plan.Bytes, name, kind string) { l.add(size, "%s (%s)", name, kind) }
	for _, b := range t.blocks {
		if b.first > worst || worst > b.last || b.shares >= 0 && t.blocks[b.shares].last >= worst {
			continue
		}
		name := b.name
		if b.ring > 0 {
			name = fmt.Sprintf("%d rows of %s", b.ring, name)
		}
		if b.panels > 0 {
			name = fmt.Sprintf("%d channels of %s", b.panels*op.PanelWidth, name)
		}
		add(b.size, name, b.kind.String())
	}
	u := &t.units[worst]
	d := t.node(u)
	if len(u.flows) > 0 {
		sizes := t.rooms(worst, 0)
		add(sizes[len(sizes)-1], "16 channels at a time", "weights")
	}
	if u.width > 0 {
		add(t.n.chainWeights(u.lo, u.width), fmt.Sprintf("%d channels, consts", u.width*op.PanelWidth), "weights")
	}
	for _, k := range u.items {
		it := &t.n.file.Items[k]
		if u.width > 0 {
			break
		}
		if k != d.panels || u.braid {
			add(up(it.Bytes), it.Name, "weights")
			continue
		}
		p := d.op.Panels
		n, bytes := min(op.PanelWidth, p.N), p.PanelBytes()
		if t.whole {
			n, bytes = p.N, int(it.Bytes)
		}
		add(up(plan.Bytes(bytes)), p.Name, fmt.Sprintf("weights of %d channels", n))
	}
	add(t.n.zeros, "padding", plan.Zeros.String())
	add(t.n.threads, "all ops", plan.ThreadScratch.String())
	at = d.op.Name
	if u.hi > u.lo+1 {
		at += " to " + t.n.nodes[u.hi-1].op.Name
	}
	return at, l.texts()
}
