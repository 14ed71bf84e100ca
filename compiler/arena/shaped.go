package arena

import (
	"cmp"
	"math"
	"slices"
)

// Extent is what of a buffer is in use during [Lower, Upper): bytes [From, To) above
// its offset.
type Extent struct {
	Lower, Upper int
	From, To     int64
}

// extents is what a buffer takes when.
func (b *Buffer) extents() []Extent {
	if b.Shape != nil {
		return b.Shape
	}
	return []Extent{{b.Lower, b.Upper, 0, b.Size}}
}

func shaped(bs []Buffer) bool {
	return slices.ContainsFunc(bs, func(b Buffer) bool { return b.Shape != nil })
}

// boxes are the buffers with all of their bytes in use all the time.
func boxes(bs []Buffer) []Buffer {
	bs = slices.Clone(bs)
	for i := range bs {
		bs[i].Shape = nil
	}
	return bs
}

// shaper packs buffers with shapes, each at the lowest offset at which none of its
// extents meets those placed before it.
type shaper struct {
	bs      []Buffer
	extents [][]Extent // in compressed time
	at      [][]held   // by time, what is placed
	offsets []int64
	order   []int
}

type held struct{ lo, hi int64 }

// packShaped packs in several orders, and then moves what ends highest forward in
// the best order so often.
func packShaped(bs []Buffer, tries int64) Solution {
	sol := Solution{Offsets: make([]int64, len(bs)), Height: math.MaxInt64, LowerBound: LowerBound(bs)}
	s := &shaper{bs: bs, offsets: make([]int64, len(bs)), extents: make([][]Extent, len(bs))}
	var times []int
	for i := range bs {
		if bs[i].live() {
			s.order = append(s.order, i)
			for _, e := range bs[i].extents() {
				times = append(times, e.Lower, e.Upper)
			}
		}
	}
	slices.Sort(times)
	times = slices.Compact(times)
	for _, i := range s.order {
		for _, e := range bs[i].extents() {
			e.Lower, _ = slices.BinarySearch(times, e.Lower)
			e.Upper, _ = slices.BinarySearch(times, e.Upper)
			s.extents[i] = append(s.extents[i], e)
		}
	}
	s.at = make([][]held, len(times))
	var best []int
	keep := func() bool {
		h, _ := s.pack(sol.Height)
		if h < sol.Height {
			sol.Height = h
			copy(sol.Offsets, s.offsets)
			best = append(best[:0], s.order...)
		}
		return sol.Height == sol.LowerBound
	}
	for _, less := range greedyOrders {
		slices.SortFunc(s.order, func(x, y int) int {
			if c := less(&bs[x], &bs[y]); c != 0 {
				return c
			}
			return cmp.Compare(x, y)
		})
		if keep() {
			sol.Optimal = true
			return sol
		}
	}
	copy(s.order, best)
	for n := int64(0); n < tries; n++ {
		// Something that reaches the height, or beyond, comes earlier.
		_, at := s.pack(sol.Height)
		if at == 0 {
			break
		}
		to := at / 2
		if n%3 == 1 {
			to = 0
		} else if n%3 == 2 {
			to = at - 1
		}
		i := s.order[at]
		copy(s.order[to+1:at+1], s.order[to:at])
		s.order[to] = i
		if keep() {
			sol.Optimal = true
			break
		}
		if n%32 == 31 {
			copy(s.order, best)
		}
	}
	return sol
}

// pack places the buffers in order, and returns the height and the number in the
// order of the one that ends highest. It stops at the first one that reaches limit.
func (s *shaper) pack(limit int64) (height int64, highest int) {
	for t := range s.at {
		s.at[t] = s.at[t][:0]
	}
	for k, i := range s.order {
		b := &s.bs[i]
		o := int64(0)
		if b.Fixed != nil {
			o = *b.Fixed
		} else {
			o = s.lowest(s.extents[i], b.align())
		}
		s.offsets[i] = o
		for _, e := range s.extents[i] {
			if top := o + e.To; top > height {
				height, highest = top, k
			}
			for t := e.Lower; t < e.Upper; t++ {
				s.at[t] = append(s.at[t], held{o + e.From, o + e.To})
			}
		}
		if height >= limit {
			return height, highest
		}
	}
	return height, highest
}

func (s *shaper) lowest(extents []Extent, align int64) (o int64) {
	for again := true; again; {
		again = false
		for _, e := range extents {
			for t := e.Lower; t < e.Upper; t++ {
				for _, h := range s.at[t] {
					if o+e.From < h.hi && h.lo < o+e.To {
						o, again = alignUp(h.hi-e.From, align), true
					}
				}
			}
		}
	}
	return o
}
