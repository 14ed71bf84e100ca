package arena

import "math"

type verdict uint8

const (
	refuted verdict = iota
	solved
	limited
)

// change restores the floors of one buffer.
type change struct {
	i    int32
	m, e int64
}

// search is a depth-first search over canonical placements of one part: buffers
// are placed in order of increasing offset, each at the lowest offset above the
// placed buffers it overlaps.
//
// For an unplaced buffer i, m[i] is that lowest offset and e[i] ≥ m[i] a proven
// lower bound on its offset in this subtree. If e[i] > m[i] the buffer waits for
// a neighbour to be placed under it.
type search struct {
	*part
	without Technique
	cap     int64 // units
	limit   int64 // nodes left in this run
	nodes   int64

	order  branching
	m, e   []int64
	placed []bool
	off    []int64
	total  []int64   // unplaced size per section
	secb   [][]int32 // unplaced buffers per section are the first count
	count  []int32
	cut    []int32 // unplaced buffers crossing from section t to t+1
	dirty  []uint64
	trail  []change
	stack  []int32
	memo   table
	fails  []float64 // how often a section was overfull, halved with every run
	prop   []int32   // a neighbour that recently could carry the buffer
}

func newSearch(p *part, without Technique) *search {
	n := len(p.idx)
	s := &search{part: p, without: without}
	s.m = make([]int64, n)
	s.e = make([]int64, n)
	s.placed = make([]bool, n)
	s.prop = make([]int32, n)
	s.fails = make([]float64, p.secs)
	for i := range s.prop {
		s.prop[i] = int32(i)
	}
	s.off = make([]int64, n)
	s.total = make([]int64, p.secs)
	s.secb = make([][]int32, p.secs)
	s.count = make([]int32, p.secs)
	s.cut = make([]int32, p.secs)
	s.dirty = make([]uint64, (p.secs+63)/64)
	return s
}

// run searches at capacity c (units above the lift) with the order of branching
// set before and at most limit nodes.
func (s *search) run(c, limit int64) verdict {
	s.cap, s.limit = c, limit
	s.trail, s.stack = s.trail[:0], s.stack[:0]
	for t := range s.secb {
		s.secb[t] = s.secb[t][:0]
		s.total[t], s.cut[t] = 0, 0
		s.fails[t] /= 2
	}
	clear(s.dirty)
	for i := range s.idx {
		s.placed[i] = false
		s.m[i] = max(0, s.fixed[i])
		s.e[i] = s.m[i]
		for t := s.lo[i]; t < s.hi[i]; t++ {
			s.secb[t] = append(s.secb[t], int32(i))
			s.total[t] += s.size[i]
			if t+1 < s.hi[i] {
				s.cut[t]++
			}
		}
		s.touch(int32(i))
		if s.e[i] > s.bound[i] {
			return refuted
		}
	}
	for t := range s.secb {
		s.count[t] = int32(len(s.secb[t]))
	}
	for i := range s.idx {
		s.stack = append(s.stack, int32(i))
	}
	list := s.stack[:len(s.idx):len(s.idx)]
	s.order.sort(s, list)
	return s.node(list, 0, int32(s.secs), 0)
}

// touch marks the sections of buffer i for propagation.
func (s *search) touch(i int32) {
	lo, hi := uint(s.lo[i]), uint(s.hi[i])
	w, v := lo/64, (hi-1)/64
	first := ^uint64(0) << (lo % 64)
	last := ^uint64(0) >> (63 - (hi-1)%64)
	if w == v {
		s.dirty[w] |= first & last
		return
	}
	s.dirty[w] |= first
	for w++; w < v; w++ {
		s.dirty[w] = ^uint64(0)
	}
	s.dirty[v] |= last
}

// raise lifts the lower bound of an unplaced buffer to v.
func (s *search) raise(i int32, v int64) bool {
	v = alignUp(v, s.align[i])
	s.trail = append(s.trail, change{i, s.m[i], s.e[i]})
	s.e[i] = v
	s.touch(i)
	return v <= s.bound[i] && (s.fixed[i] < 0 || v == s.fixed[i])
}

// place puts buffer i at o and lifts its unplaced neighbours above it. It says
// whether all of them can still be placed.
func (s *search) place(i int32, o int64) bool {
	s.placed[i] = true
	s.off[i] = o
	size := s.size[i]
	for t := s.lo[i]; t < s.hi[i]; t++ {
		s.total[t] -= size
		list := s.secb[t][:s.count[t]]
		k := 0
		for list[k] != i {
			k++
		}
		copy(list[k:], list[k+1:])
		list[len(list)-1] = i
		s.count[t]--
	}
	for t := s.lo[i]; t+1 < s.hi[i]; t++ {
		s.cut[t]--
	}
	s.touch(i)
	top := o + size
	ok := true
	for _, j := range s.near[i] {
		if s.placed[j] || s.m[j] >= top {
			continue
		}
		s.trail = append(s.trail, change{j, s.m[j], s.e[j]})
		v := alignUp(top, s.align[j])
		s.m[j] = v
		if s.e[j] < v {
			s.e[j] = v
			s.touch(j)
			if v > s.bound[j] || s.fixed[j] >= 0 && v > s.fixed[j] {
				ok = false
			}
		}
	}
	return ok
}

func (s *search) unplace(i int32) {
	s.placed[i] = false
	size := s.size[i]
	for t := s.lo[i]; t < s.hi[i]; t++ {
		s.total[t] += size
		s.count[t]++
	}
	for t := s.lo[i]; t+1 < s.hi[i]; t++ {
		s.cut[t]++
	}
}

func (s *search) undo(mark int) {
	for k := len(s.trail) - 1; k >= mark; k-- {
		c := &s.trail[k]
		s.m[c.i], s.e[c.i] = c.m, c.e
	}
	s.trail = s.trail[:mark]
}

// node searches the unplaced buffers of list, which cross no section outside
// [from, to), for offsets ≥ o.
func (s *search) node(list []int32, from, to int32, o int64) verdict {
	if s.limit <= 0 {
		clear(s.dirty)
		return limited
	}
	s.limit--
	s.nodes++
	mark, base := len(s.trail), len(s.stack)
	v := s.expand(list, from, to, o)
	s.undo(mark)
	s.stack = s.stack[:base]
	return v
}

func (s *search) expand(list []int32, from, to int32, o int64) verdict {
	base := len(s.stack)
	var key [2]uint64
	for _, i := range list {
		if s.placed[i] {
			continue
		}
		s.stack = append(s.stack, i)
		a, b := mix(i, s.m[i])
		key[0] ^= a
		key[1] ^= b
	}
	sub := s.stack[base:len(s.stack):len(s.stack)]
	if len(sub) == 0 {
		clear(s.dirty)
		return solved
	}
	if s.without&Memo == 0 && s.memo.has(key) {
		clear(s.dirty)
		return refuted
	}
	for _, i := range sub {
		if s.e[i] < o && s.fixed[i] < 0 && !s.raise(i, o) || s.fixed[i] >= 0 && s.fixed[i] < o {
			clear(s.dirty)
			return refuted
		}
	}
	if !s.propagate(sub, from, to) {
		clear(s.dirty)
		return refuted
	}
	if s.without&Decompose == 0 {
		for t := from; t+1 < to; t++ {
			if s.cut[t] == 0 {
				return s.split(sub, from, to, o, key)
			}
		}
	}
	v := s.branch(sub, from, to, o)
	if v == refuted && s.without&Memo == 0 {
		s.memo.add(key)
	}
	return v
}

// split solves the pieces between uncrossed sections one after the other.
func (s *search) split(sub []int32, from, to int32, o int64, key [2]uint64) verdict {
	for a := from; a < to; {
		b := a + 1
		for b < to && s.cut[b-1] > 0 {
			b++
		}
		if s.count[a] > 0 {
			base := len(s.stack)
			for _, i := range sub {
				if s.lo[i] >= a && s.lo[i] < b {
					s.stack = append(s.stack, i)
				}
			}
			piece := s.stack[base:len(s.stack):len(s.stack)]
			if len(piece) < len(sub) {
				s.order.sort(s, piece)
				v := s.node(piece, a, b, o)
				s.stack = s.stack[:base]
				if v != solved {
					return v
				}
			} else {
				v := s.branch(sub, a, b, o)
				s.stack = s.stack[:base]
				if v == refuted && s.without&Memo == 0 {
					s.memo.add(key)
				}
				return v
			}
		}
		a = b
	}
	return solved
}

// branch tries every buffer that a canonical solution can place next.
func (s *search) branch(sub []int32, from, to int32, o int64) verdict {
	lowest := int64(math.MaxInt64)
	for _, i := range sub {
		lowest = min(lowest, s.m[i]+s.size[i])
	}
	if s.without&Dominance != 0 {
		lowest = math.MaxInt64
	}
	base := len(s.stack)
	for _, i := range sub {
		if s.m[i] == s.e[i] && s.m[i] < lowest && (s.twin[i] < 0 || s.placed[s.twin[i]]) {
			s.stack = append(s.stack, i)
			for k := len(s.stack) - 1; k > base && s.m[s.stack[k-1]] > s.m[i]; k-- {
				s.stack[k], s.stack[k-1] = s.stack[k-1], s.stack[k]
			}
		}
	}
	n := len(s.stack) - base
	for k := range n {
		i := s.stack[base+k]
		if s.e[i] > s.m[i] {
			continue // found out meanwhile
		}
		mark := len(s.trail)
		v := refuted
		if s.place(i, s.m[i]) {
			v = s.node(sub, from, to, s.m[i])
		} else {
			clear(s.dirty)
		}
		s.undo(mark)
		s.unplace(i)
		if v != refuted {
			return v
		}
		// In every other solution i lies higher, on top of a neighbour.
		if !s.discard(i) || !s.propagate(sub, from, to) {
			clear(s.dirty)
			return refuted
		}
	}
	return refuted
}

// discard raises a buffer that cannot lie at its lowest offset onto the lowest
// neighbour that can still come under it.
func (s *search) discard(i int32) bool {
	if s.fixed[i] >= 0 {
		return false
	}
	v := s.carrier(i)
	if v == math.MaxInt64 {
		return false
	}
	if v = max(v, s.m[i]+1); v > s.e[i] {
		return s.raise(i, v)
	}
	return true
}

// carrier is the lowest top that an unplaced neighbour of i can reach.
func (s *search) carrier(i int32) int64 {
	v := int64(math.MaxInt64)
	for _, j := range s.near[i] {
		if !s.placed[j] {
			if w := s.e[j] + s.size[j]; w < v {
				v = w
				s.prop[i] = j
			}
		}
	}
	return v
}
