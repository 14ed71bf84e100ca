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
}

// least is the room that unit i cannot do without while its weights are streamed:
// its consts and one panel.
func (t *timeline) least(i int) plan.Bytes {
	if t.whole {
		return t.all(i)
	}
	u := &t.units[i]
	n := t.constBytes(u)
	if u.panels >= 0 {
		n += up(plan.Bytes(u.op.Panels.PanelBytes()))
	}
	return n
}

func (t *timeline) constBytes(u *unit) (n plan.Bytes) {
	for _, c := range u.consts {
		n += up(t.file.Items[c].Bytes)
	}
	return n
}

// all is the room for all weights of unit i.
func (t *timeline) all(i int) plan.Bytes {
	u := &t.units[i]
	n := t.constBytes(u)
	if u.panels >= 0 {
		n += up(t.file.Items[u.panels].Bytes)
	}
	return n
}

// floor is the lowest placement that leaves each unit its least room. Whatever
// budget is at least that high can be planned for, and no other.
func (t *timeline) floor() placement {
	p := t.packWith(t.least, true)
	// The spans alone, with the largest room above them, is a way too.
	c := t.packWith(nil, true)
	for i := range t.units {
		c.height = max(c.height, c.live(t, i)+t.least(i))
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

// packWith places spans together with room(i) bytes of room in each unit.
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
			if n := room(i); n > 0 {
				add(t.units[i].op.Name, i, i, n)
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
	for _, at := range sol.Offsets[:len(t.spans)] {
		p.offsets = append(p.offsets, plan.Bytes(at))
	}
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
		if b.first <= worst && worst <= b.last && (b.shares < 0 || t.blocks[b.shares].last < worst) {
			add(b.size, b.name, b.kind.String())
		}
	}
	u := &t.units[worst]
	for _, c := range u.consts {
		add(up(t.file.Items[c].Bytes), t.file.Items[c].Name, "weights")
	}
	if u.panels >= 0 {
		p := u.op.Panels
		n := min(op.PanelWidth, p.N)
		if t.whole {
			n = p.N
		}
		add(t.least(worst)-t.constBytes(u), p.Name, fmt.Sprintf("weights of %d channels", n))
	}
	add(t.zeros, "padding", plan.Zeros.String())
	add(t.threads, "all ops", plan.ThreadScratch.String())
	slices.SortStableFunc(items, func(a, b item) int { return cmp.Compare(b.size, a.size) })
	for _, i := range items {
		what = append(what, i.text)
	}
	return u.op.Name, what
}
