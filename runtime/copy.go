package runtime

import "unsafe"

// copyStep moves 4-byte elements between two windows of equal dims, outermost
// axis first; strides are bytes. The last two axes may be walked in either order,
// so a transposition is a copy whose strides say so.
type copyStep struct {
	in, out         int // arena offsets of element 0
	dims            [5]int
	inStep, outStep [5]int
}

const (
	copyTile  = 16   // rows and columns of a transposed block: a cache line each way
	copyBlock = 4096 // elements that one claim covers, about
)

// runCopy shares the rows of the last two axes among threads.
func runCopy(t *thread, s *copyStep) {
	planes := s.dims[0] * s.dims[1] * s.dims[2]
	rows, n := s.dims[3], s.dims[4]
	block := max(1, copyBlock/n)
	if s.inStep[4] != 4 || s.outStep[4] != 4 {
		block = (block + copyTile - 1) / copyTile * copyTile
	}
	perPlane := (rows + block - 1) / block
	for {
		u := t.claim()
		if u >= planes*perPlane {
			return
		}
		p, lo := u/perPlane, u%perPlane*block
		i, j, k := p/(s.dims[2]*s.dims[1]), p/s.dims[2]%s.dims[1], p%s.dims[2]
		in := s.in + i*s.inStep[0] + j*s.inStep[1] + k*s.inStep[2]
		out := s.out + i*s.outStep[0] + j*s.outStep[1] + k*s.outStep[2]
		copyPlane(t, s, in, out, lo, min(lo+block, rows))
	}
}

// copyPlane copies rows [lo,hi) of one plane.
func copyPlane(t *thread, s *copyStep, in, out, lo, hi int) {
	n := s.dims[4]
	if s.inStep[4] == 4 && s.outStep[4] == 4 {
		for r := lo; r < hi; r++ {
			copy(unsafe.Slice((*float32)(t.at(out+r*s.outStep[3])), n), unsafe.Slice((*float32)(t.at(in+r*s.inStep[3])), n))
		}
		return
	}
	for r0 := lo; r0 < hi; r0 += copyTile {
		r1 := min(r0+copyTile, hi)
		for c0 := 0; c0 < n; c0 += copyTile {
			c1 := min(c0+copyTile, n)
			for r := r0; r < r1; r++ {
				from, to := t.at(in+r*s.inStep[3]+c0*s.inStep[4]), t.at(out+r*s.outStep[3]+c0*s.outStep[4])
				for c := range c1 - c0 {
					*(*float32)(unsafe.Add(to, c*s.outStep[4])) = *(*float32)(unsafe.Add(from, c*s.inStep[4]))
				}
			}
		}
	}
}
