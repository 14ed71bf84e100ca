package runtime

import "unsafe"

// copyStep moves 4-byte elements between two windows of equal dims, outermost
// axis first; strides are bytes. The last two axes may be walked in either order,
// so a transposition is a copy whose strides say so. Where rows is set the step's
// range is of the first axis, of which only ring indices exist in the arena at a
// time on the side where that is not 0, index y at (first+y) mod ring.
type copyStep struct {
	in, out         int // arena offsets of element 0
	dims            [5]int
	inStep, outStep [5]int
	rows            bool
	inRing, outRing int
	inFirst         int
	outFirst        int
}

const copyBlock = 4096 // elements that one claim covers, about

// runCopy shares the rows of the last two axes among threads: some rows of a
// plane, or several planes where they are small.
func runCopy(t *thread, s *copyStep) {
	first, last := 0, s.dims[0]
	if s.rows {
		first, last = t.rowRange(last)
	}
	planes := (last - first) * s.dims[1] * s.dims[2]
	rows, n := s.dims[3], s.dims[4]
	block := max(1, copyBlock/n)
	if s.inStep[4] != 4 || s.outStep[4] != 4 {
		block = (block + 15) &^ 15 // a cache line each way
	}
	group := max(1, copyBlock/(n*rows))
	perPlane := (rows + block - 1) / block
	groups := (planes + group - 1) / group
	for {
		u := t.claim()
		if u >= groups*perPlane {
			return
		}
		lo := u % perPlane * block
		u /= perPlane
		for p := u * group; p < min((u+1)*group, planes); p++ {
			i, j, k := p/(s.dims[2]*s.dims[1]), p/s.dims[2]%s.dims[1], p%s.dims[2]
			from, to := first+i, first+i
			if s.inRing != 0 {
				from = (s.inFirst + from) % s.inRing
			}
			if s.outRing != 0 {
				to = (s.outFirst + to) % s.outRing
			}
			in := s.in + from*s.inStep[0] + j*s.inStep[1] + k*s.inStep[2]
			out := s.out + to*s.outStep[0] + j*s.outStep[1] + k*s.outStep[2]
			s.plane(t, t.at(in+lo*s.inStep[3]), t.at(out+lo*s.outStep[3]), min(block, rows-lo))
		}
	}
}

// plane copies some rows of a plane.
func (s *copyStep) plane(t *thread, in, out unsafe.Pointer, rows int) {
	n := s.dims[4]
	switch {
	case s.inStep[4] == 4 && s.outStep[4] == 4:
		for range rows {
			copy(unsafe.Slice((*float32)(out), n), unsafe.Slice((*float32)(in), n))
			in, out = unsafe.Add(in, s.inStep[3]), unsafe.Add(out, s.outStep[3])
		}
	case s.inStep[4] == 4 && s.outStep[3] == 4:
		t.transpose(out, in, rows, n, s.outStep[4], s.inStep[3])
	case s.inStep[3] == 4 && s.outStep[4] == 4:
		t.transpose(out, in, n, rows, s.outStep[3], s.inStep[4])
	default:
		for range rows {
			for c := range n {
				*(*float32)(unsafe.Add(out, c*s.outStep[4])) = *(*float32)(unsafe.Add(in, c*s.inStep[4]))
			}
			in, out = unsafe.Add(in, s.inStep[3]), unsafe.Add(out, s.outStep[3])
		}
	}
}
