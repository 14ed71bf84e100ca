package schedule

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/flexnnc/flexnnc/compiler/arena"
	"github.com/flexnnc/flexnnc/ir/op"
	"github.com/flexnnc/flexnnc/ir/plan"
)

// packNodes bounds the exact search for the floor; beyond it the best so far is
// taken. It is a count and not a time, so that plans do not depend on the machine.
const packNodes = 100_000

// placement is an offset for each span, above timeline.base, and the height
// within which they and the room they were packed with lie.
type placement struct {
	offsets []plan.Bytes
	height  plan.Bytes
	rooms   [][]plan.Bytes // per unit, where the rooms are
}

// least is the room that unit i cannot do without while its weights are streamed:
// for one op its consts and one panel, for a chain one slice, for a braid everything.
func (t *timeline) least(i int) plan.Bytes {
	u := &t.units[i]
	switch {
	case u.braid:
		return t.all(i)
	case u.width > 0:
		return t.n.chainWeights(u.lo, u.width)
	}
	return t.n.leastWeights(u.lo, t.whole)
}

// all is the room for all weights of unit i.
func (t *timeline) all(i int) (n plan.Bytes) {
	for _, k := range t.units[i].items {
		n += up(t.n.file.Items[k].Bytes)
	}
	return n
}

// floor is the lowest placement that leaves each unit its least room. Whatever
// budget is at least that high can be planned for, and no other.
func (t *timeline) floor() placement {
	p := t.packWith(t.least, true)
	// The spans alone, with the largest room above them, is a way too.
	c := t.packWith(nil, true)
	c.rooms = make([][]plan.Bytes, len(t.units))
	for i := range t.units {
		at := c.live(t, i)
		c.height = max(c.height, at+t.least(i))
		for _, k := range t.units[i].items {
			c.rooms[i] = append(c.rooms[i], at)
			at += up(t.n.file.Items[k].Bytes)
		}
	}
	if c.height < p.height {
		return c
	}
	return p
}

// liveBytes is the size of all that is live during unit i, weights apart.
func (t *timeline) liveBytes(i int) (n plan.Bytes) {
	for _, s := range t.spans {
		if s.first <= i && i <= s.last {
			n += s.size
		}
	}
	return n
}

// live is the top of what lies in the arena during unit i.
func (p *placement) live(t *timeline, i int) (top plan.Bytes) {
	for k, s := range t.spans {
		if s.first <= i && i <= s.last {
			top = max(top, p.offsets[k]+s.size)
		}
	}
	return top
}

// roomy is a placement within height that leaves every unit as large a contiguous
// room as can be found, up to that of all its weights; ok is false where none fits.
func (t *timeline) roomy(height plan.Bytes) (best placement, ok bool) {
	lo, hi := plan.Bytes(0), plan.Bytes(0)
	for i := range t.units {
		hi = max(hi, t.all(i))
	}
	for tries := 0; tries < 12 && lo <= hi; tries++ {
		mid := (lo + hi) / 2 &^ (plan.Align - 1)
		if tries == 0 {
			mid = hi
		}
		p := t.packWith(func(i int) plan.Bytes {
			return max(t.least(i), min(t.all(i), mid))
		}, false)
		if p.height <= height {
			best, ok, lo = p, true, mid+plan.Align
		} else {
			hi = mid - plan.Align
		}
	}
	return best, ok
}

// packWith places spans together with room(i) bytes of room in each unit, which
// a braid may have in one part per item.
// thorough spends time on the lowest result.
func (t *timeline) packWith(room func(int) plan.Bytes, thorough bool) placement {
	var bs []arena.Buffer
	add := func(id string, first, last int, size plan.Bytes) {
		bs = append(bs, arena.Buffer{ID: id, Lower: first, Upper: last + 1, Size: int64(size), Align: int64(plan.Align)})
	}
	for _, s := range t.spans {
		add(s.name, s.first, s.last, s.size)
	}
	if room != nil {
		for i := range t.units {
			u := &t.units[i]
			if !u.braid {
				add("", i, i, room(i))
				continue
			}
			for _, k := range u.items {
				add("", i, i, up(t.n.file.Items[k].Bytes))
			}
		}
	}
	var sol arena.Solution
	if thorough {
		sol = arena.Minimize(bs, arena.Options{Nodes: packNodes})
	} else {
		sol = arena.Greedy(bs)
	}
	p := placement{height: plan.Bytes(sol.Height)}
	for _, at := range sol.Offsets {
		p.offsets = append(p.offsets, plan.Bytes(at))
	}
	if room != nil {
		rest := p.offsets[len(t.spans):]
		for i := range t.units {
			k := 1
			if u := &t.units[i]; u.braid {
				k = len(u.items)
			}
			p.rooms, rest = append(p.rooms, rest[:k]), rest[k:]
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
	type item struct {
		size plan.Bytes
		text string
	}
	var items []item
	worst, peak := 0, plan.Bytes(-1)
	for i := range t.units {
		if n := t.least(i) + t.liveBytes(i); n > peak {
			worst, peak = i, n
		}
	}
	add := func(size plan.Bytes, name, kind string) {
		if size > 0 {
			items = append(items, item{size, fmt.Sprintf("%s (%s) %d bytes", name, kind, size)})
		}
	}
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
	for _, k := range u.items {
		it := &t.n.file.Items[k]
		if k != d.panels || u.braid {
			add(up(it.Bytes), it.Name, "weights")
			continue
		}
		p := d.op.Panels
		n, bytes := min(op.PanelWidth, p.N), p.PanelBytes()
		if t.whole {
			n, bytes = p.N, int(it.Bytes)
		} else if u.width > 0 {
			n, bytes = u.width*op.PanelWidth, u.width*bytes
		}
		add(up(plan.Bytes(bytes)), p.Name, fmt.Sprintf("weights of %d channels", n))
	}
	add(t.n.zeros, "padding", plan.Zeros.String())
	add(t.n.threads, "all ops", plan.ThreadScratch.String())
	slices.SortStableFunc(items, func(a, b item) int { return cmp.Compare(b.size, a.size) })
	for _, i := range items {
		what = append(what, i.text)
	}
	at = d.op.Name
	if u.hi > u.lo+1 {
		at += " to " + t.n.nodes[u.hi-1].op.Name
	}
	return at, what
}
