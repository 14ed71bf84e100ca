package arena

import (
	"math"
	"math/bits"
)

// propagate lifts the lower bounds of unplaced buffers until nothing changes,
// and says whether a solution is still possible.
func (s *search) propagate(sub []int32, from, to int32) bool {
	for {
		if !s.sections(from, to) {
			return false
		}
		if s.without&Support != 0 {
			return true
		}
		quiet := true
		for _, i := range sub {
			if t := s.twin[i]; t >= 0 && !s.placed[t] && s.e[i] < s.e[t]+s.size[t] {
				if !s.raise(i, s.e[t]+s.size[t]) {
					return false
				}
				quiet = false
			}
			if s.e[i] > s.m[i] && s.fixed[i] < 0 {
				if j := s.prop[i]; !s.placed[j] && s.e[j]+s.size[j] <= s.e[i] && j != i {
					continue
				}
				if v := s.carrier(i); v > s.e[i] {
					if v == math.MaxInt64 || !s.raise(i, v) {
						return false
					}
					quiet = false
				}
			}
		}
		if quiet {
			return true
		}
	}
}

// sections examines every touched section.
func (s *search) sections(from, to int32) bool {
	for w := int(from) / 64; w <= int(to-1)/64; w++ {
		for s.dirty[w] != 0 {
			t := w*64 + bits.TrailingZeros64(s.dirty[w])
			s.dirty[w] &= s.dirty[w] - 1
			if int32(t) < from || int32(t) >= to {
				continue
			}
			if s.count[t] > 0 && !s.examine(t) {
				s.fails[t]++
				return false
			}
			if s.dirty[w] == 0 {
				w = int(from)/64 - 1 // an earlier word may have been touched
				break
			}
		}
	}
	return true
}

// examine bounds section t: its unplaced buffers lie above each other in some
// order, each above its own lower bound, as on one machine.
func (s *search) examine(t int) bool {
	list := s.secb[t][:s.count[t]]
	room := s.cap - s.total[t] // highest floor that still fits
	e, size := s.e, s.size
	if s.without&Schedule != 0 {
		for _, i := range list {
			if e[i] <= room {
				return true
			}
		}
		return false
	}
	last := int64(0)
	for _, i := range list {
		last = max(last, e[i])
	}
	if last <= room {
		return true // no gap below any buffer can overfill the section
	}
	for k := 1; k < len(list); k++ {
		i := list[k]
		v := e[i]
		q := k
		for q > 0 && e[list[q-1]] > v {
			list[q] = list[q-1]
			q--
		}
		list[q] = i
	}
	top := int64(0)
	first := int64(math.MaxInt64)
	late := -1
	for k, i := range list {
		v := e[i]
		if v <= room {
			first = min(first, v+size[i])
		} else if late < 0 {
			late = k
		}
		if v > top {
			top = v
		}
		top += size[i]
	}
	if top > s.cap {
		return false
	}
	if late < 0 {
		return true
	}
	// Buffers above room cannot be the next in this section: one of the others
	// comes first.
	for _, i := range list[late:] {
		if e[i] >= first {
			break
		}
		if !s.raise(i, first) {
			return false
		}
	}
	return true
}
