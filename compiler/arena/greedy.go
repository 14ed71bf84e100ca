package arena

import (
	"cmp"
	"math"
	"slices"
)

// LowerBound is the largest sum of live sizes over all steps, in bytes. No
// placement is lower.
func LowerBound(bs []Buffer) int64 {
	type event struct {
		t int
		d int64
	}
	events := make([]event, 0, 2*len(bs))
	for i := range bs {
		if b := &bs[i]; b.live() {
			for _, e := range b.extents() {
				events = append(events, event{e.Lower, e.To - e.From}, event{e.Upper, e.From - e.To})
			}
		}
	}
	slices.SortFunc(events, func(a, b event) int {
		if c := cmp.Compare(a.t, b.t); c != 0 {
			return c
		}
		return cmp.Compare(a.d, b.d) // ends first
	})
	var sum, best int64
	for _, e := range events {
		sum += e.d
		best = max(best, sum)
	}
	return best
}

// Greedy packs with simple heuristics: buffers sorted by size, area, lifetime,
// start and end, each placed into the lowest (first fit) or the tightest (best
// fit) gap left by those before. It returns the lowest result. It fails only
// where no placement exists, if fixed offsets contradict each other; the result
// then fails Check.
func Greedy(bs []Buffer) Solution {
	if shaped(bs) {
		return packShaped(bs, 0)
	}
	sol, _ := greedy(bs)
	return sol
}

// span is the part of a buffer that packing needs, kept small for the cache.
type span struct {
	lower, upper int
	offset, top  int64
}

// packer is the scratch memory of Greedy.
type packer struct {
	bs      []Buffer
	placed  []span // by offset
	fixed   []span // by offset
	offsets []int64
	order   []int32
}

func greedy(bs []Buffer) (Solution, bool) {
	g := &packer{bs: bs, offsets: make([]int64, len(bs))}
	sol := Solution{Offsets: make([]int64, len(bs)), Height: math.MaxInt64, LowerBound: LowerBound(bs)}
	ok := true
	g.order = make([]int32, 0, len(bs))
	for i := range bs {
		b := &bs[i]
		switch {
		case b.Fixed != nil:
			g.offsets[i] = *b.Fixed
			if b.live() {
				f := span{b.Lower, b.Upper, *b.Fixed, *b.Fixed + b.Size}
				for _, x := range g.fixed {
					if x.lower < f.upper && f.lower < x.upper && x.offset < f.top && f.offset < x.top {
						ok = false
					}
				}
				g.fixed = append(g.fixed, f)
				sol.LowerBound = max(sol.LowerBound, f.top)
				ok = ok && f.offset >= 0 && f.offset%b.align() == 0
			}
		case b.live():
			g.order = append(g.order, int32(i))
		}
	}
	slices.SortFunc(g.fixed, func(a, b span) int { return cmp.Compare(a.offset, b.offset) })
	g.placed = make([]span, 0, len(bs))
	for _, less := range greedyOrders {
		slices.SortFunc(g.order, func(x, y int32) int {
			if c := less(&bs[x], &bs[y]); c != 0 {
				return c
			}
			return int(x - y)
		})
		for _, tight := range []bool{false, true} {
			if h := g.pack(tight, sol.Height); h < sol.Height {
				sol.Height = h
				copy(sol.Offsets, g.offsets)
			}
			if sol.Height == sol.LowerBound {
				sol.Optimal = ok
				return sol, ok
			}
		}
	}
	return sol, ok
}

var greedyOrders = [...]func(a, b *Buffer) int{
	func(a, b *Buffer) int { return cmp.Compare(b.Size, a.Size) },
	func(a, b *Buffer) int {
		return cmp.Compare(float64(b.Size)*float64(b.Upper-b.Lower), float64(a.Size)*float64(a.Upper-a.Lower))
	},
	func(a, b *Buffer) int {
		if c := cmp.Compare(b.Upper-b.Lower, a.Upper-a.Lower); c != 0 {
			return c
		}
		return cmp.Compare(b.Size, a.Size)
	},
	func(a, b *Buffer) int {
		if c := cmp.Compare(a.Lower, b.Lower); c != 0 {
			return c
		}
		return cmp.Compare(b.Size, a.Size)
	},
	func(a, b *Buffer) int {
		if c := cmp.Compare(b.Upper, a.Upper); c != 0 {
			return c
		}
		return cmp.Compare(b.Size, a.Size)
	},
}

// pack places the buffers in the current order and returns the height. It gives
// up, returning limit, as soon as the height reaches limit.
func (g *packer) pack(tight bool, limit int64) int64 {
	g.placed = append(g.placed[:0], g.fixed...)
	height := int64(0)
	for _, f := range g.fixed {
		height = max(height, f.top)
	}
	for _, i := range g.order {
		b := &g.bs[i]
		o := g.gap(b, tight, height)
		top := o + b.Size
		if top >= limit {
			return limit
		}
		height = max(height, top)
		g.offsets[i] = o
		at, _ := slices.BinarySearchFunc(g.placed, o, func(s span, o int64) int { return cmp.Compare(s.offset, o) })
		g.placed = slices.Insert(g.placed, at, span{b.Lower, b.Upper, o, top})
	}
	return height
}

// gap is the offset of the first or of the tightest hole for b; the space above
// everything is a hole up to the present height, so that filling it beats a
// wider hole below but growing the height never does.
func (g *packer) gap(b *Buffer, tight bool, height int64) int64 {
	lower, upper, size, align := b.Lower, b.Upper, b.Size, b.align()
	best, bestRoom := int64(-1), int64(math.MaxInt64)
	o := int64(0) // lowest aligned offset above what was passed
	for k := range g.placed {
		s := &g.placed[k]
		if s.lower >= upper || s.upper <= lower {
			continue
		}
		if room := s.offset - o; room >= size && room < bestRoom {
			if !tight {
				return o
			}
			best, bestRoom = o, room
		}
		if s.top > o {
			o = alignUp(s.top, align)
		}
	}
	if best < 0 || o+size <= height && height-o < bestRoom {
		best = o
	}
	return best
}
