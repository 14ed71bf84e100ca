package runtime

import "math"

// callArgmax finds the k largest elements of x, in descending order, of equal
// ones the larger index first; NaN come last. ints: n k values. y: their values,
// if values is 1, then their indices as floats. One thread does it, by a pass over
// x per element found.
func callArgmax(t *thread, s *callStep) {
	if t.claim() != 0 {
		return
	}
	n, k := s.ints[0], s.ints[1]
	x, y, indices := &s.in[0], &s.out[0], 0
	if s.ints[2] != 0 {
		indices = k
	}
	last := uint64(math.MaxUint64)
	for i := range k {
		best := uint64(0)
		for j := range n {
			if r := rank(*x.linear(t, j), j); r < last && r >= best {
				best = r
			}
		}
		last = best
		at := int(uint32(best))
		if indices != 0 {
			*y.linear(t, i) = *x.linear(t, at)
		}
		*y.linear(t, indices+i) = float32(at)
	}
}
