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

const (
	copyBlock = 4096          // elements that one claim covers, about
	longBlock = 4 * copyBlock // and where they are read and written in order
)

// runCopy shares the planes of the last two axes among threads: blocks of one, or
// several where they are small.
func runCopy(t *thread, s *copyStep) {
	first, last := 0, s.dims[0]
	if s.rows {
		first, last = t.rowRange(last)
	}
	rows, n := s.dims[3], s.dims[4]
	height, width := s.block()
	down, across := (rows+height-1)/height, (n+width-1)/width
	group := max(1, longBlock/(n*rows))
	runs := (s.dims[2] + group - 1) / group // of neighbouring planes
	if t.team != nil && runs > 1 {
		runs = evenly(runs, len(t.team.threads))
		group = (s.dims[2] + runs - 1) / runs
		runs = (s.dims[2] + group - 1) / group
	}
	for {
		_, u, ok := t.claimNear(1, (last-first)*s.dims[1]*runs*down*across)
		if !ok {
			return
		}
		row, column := u/across%down*height, u%across*width
		u /= down * across
		i, j, k := u/(runs*s.dims[1]), u/runs%s.dims[1], u%runs*group
		from, to := first+i, first+i
		if s.inRing != 0 {
			from = (s.inFirst + from) % s.inRing
		}
		if s.outRing != 0 {
			to = (s.outFirst + to) % s.outRing
		}
		in := s.in + from*s.inStep[0] + j*s.inStep[1] + k*s.inStep[2] + row*s.inStep[3] + column*s.inStep[4]
		out := s.out + to*s.outStep[0] + j*s.outStep[1] + k*s.outStep[2] + row*s.outStep[3] + column*s.outStep[4]
		s.planes(t, t.at(in), t.at(out), min(group, s.dims[2]-k), min(height, rows-row), min(width, n-column))
	}
}

// block is the rows and columns of planes that one claim covers at most.
func (s *copyStep) block() (rows, columns int) {
	rows, columns = s.dims[3], s.dims[4]
	if s.inStep[4] == 4 && s.outStep[4] == 4 {
		return max(1, copyBlock/columns), columns
	}
	// Whole lines of cache each way, and of each page that is touched some of them.
	const line, lines = 16, 4
	switch {
	case rows*columns <= copyBlock:
	case columns <= line*lines:
		rows = (copyBlock/columns + line - 1) &^ (line - 1)
	case rows <= line*lines:
		columns = (copyBlock/rows + line - 1) &^ (line - 1)
		if rows <= maxInterleave {
			columns *= longBlock / copyBlock
		}
	default:
		rows, columns = line*lines, line*lines
	}
	return rows, columns
}

// planes copies some rows and columns of each of some planes.
func (s *copyStep) planes(t *thread, in, out unsafe.Pointer, planes, rows, n int) {
	a := transposeArgs{out: out, in: in, planes: planes, outPlane: s.outStep[2], inPlane: s.inStep[2]}
	switch {
	case s.inStep[4] == 4 && s.outStep[4] == 4:
	case s.inStep[4] == 4 && s.outStep[3] == 4:
		a.rows, a.cols, a.outStep, a.inStep = rows, n, s.outStep[4], s.inStep[3]
		t.transpose(a)
		return
	case s.inStep[3] == 4 && s.outStep[4] == 4:
		a.rows, a.cols, a.outStep, a.inStep = n, rows, s.outStep[3], s.inStep[4]
		t.transpose(a)
		return
	}
	for p := range planes {
		for r := range rows {
			to, from := unsafe.Add(out, p*s.outStep[2]+r*s.outStep[3]), unsafe.Add(in, p*s.inStep[2]+r*s.inStep[3])
			if s.inStep[4] == 4 && s.outStep[4] == 4 {
				copy(unsafe.Slice((*float32)(to), n), unsafe.Slice((*float32)(from), n))
				continue
			}
			for c := range n {
				*(*float32)(unsafe.Add(to, c*s.outStep[4])) = *(*float32)(unsafe.Add(from, c*s.inStep[4]))
			}
		}
	}
}
