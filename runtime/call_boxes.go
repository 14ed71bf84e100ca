package runtime

import (
	"cmp"
	"math"
	"slices"
	"unsafe"
)

// candidate is a box that may become a detection. Candidates are ordered by key:
// the best score first, and of equal scores the one found first.
type candidate struct {
	key            uint64
	x1, y1, x2, y2 float32
}

// candidateKey orders scores descending and numbers ascending, as the smallest key first.
func candidateKey(score float32, number int) uint64 {
	return ^rank(score, ^number)
}

// number is what candidateKey was given.
func (c *candidate) number() int { return int(uint32(c.key)) }

// score is what candidateKey was given, where that was not below zero.
func (c *candidate) score() float32 {
	u := ^uint32(c.key >> 32)
	if u == 0 {
		return float32(math.NaN())
	}
	return math.Float32frombits(u &^ (1 << 31))
}

func compareCandidates(a, b candidate) int { return cmp.Compare(a.key, b.key) }

// candidates is room for n of them in a step's scratch, off bytes from its start.
func candidates(t *thread, s *callStep, off, n int) []candidate {
	return unsafe.Slice((*candidate)(t.at(s.scratch+off)), n)
}

// bestFirst sorts c and counts the first n of it, or all where there are fewer.
func bestFirst(c []candidate, n int) int {
	slices.SortFunc(c, compareCandidates)
	return min(len(c), n)
}

// cornerBytes is what suppress needs of memory for each box that it may keep.
const cornerBytes = 16

// suppressed is how many kept boxes a call of the program looks at.
const suppressed = 128

// suppress sorts c, moves to its start those that overlap no better one by more
// than a threshold of their union, at most most of them, and counts these. The
// step's first pass is 1 where it is so of the kept boxes whose corners are its inputs 0
// to 3 and the box of inputs 4 to 7. In scratch, off bytes from its start, is room for
// the corners of those that may be kept.
func suppress(t *thread, s *callStep, off int, c []candidate, most int) int {
	slices.SortFunc(c, compareCandidates)
	most = min(most, len(c))
	corners := t.at(s.scratch + off) // [4][most]float32
	kept := 0
	for i := range c {
		if kept >= most {
			break
		}
		if box := &c[i]; !t.overlaps(s.passes[0].kernel, corners, most, kept, box) {
			for k, v := range [4]float32{box.x1, box.y1, box.x2, box.y2} {
				putf32(corners, k*most+kept, v)
			}
			c[kept] = *box
			kept++
		}
	}
	return kept
}

// overlaps says whether the program finds a box among the kept ones that suppresses box.
func (t *thread) overlaps(program *func(*mapArgs), corners unsafe.Pointer, most, kept int, box *candidate) bool {
	a := &t.maps
	for k, v := range [4]*float32{&box.x1, &box.y1, &box.x2, &box.y2} {
		a.in[4+k] = unsafe.Pointer(v)
	}
	for first := 0; first < kept; first += suppressed {
		a.n, a.rows = min(kept-first, suppressed), 1
		for k := range 4 {
			a.in[k] = unsafe.Add(corners, 4*(k*most+first))
		}
		if (*program)(a); a.result > 0 {
			return true
		}
	}
	return false
}

// putDetection writes a row of label, score and corners.
func putDetection(t *thread, y *callTensor, row, label int, score float32, c *candidate) {
	for i, v := range [6]float32{float32(label), score, c.x1, c.y1, c.x2, c.y2} {
		*y.linear(t, 6*row+i) = v
	}
}

// endRows fills the rows from n on with zeros, and leaves n, as an int32, in the
// last output.
func endRows(t *thread, s *callStep, y *callTensor, n, width int) {
	switch {
	case n*width == y.len():
	case y.dense():
		clear(unsafe.Slice(y.linear(t, n*width), y.len()-n*width))
	default:
		for i := n * width; i < y.len(); i++ {
			*y.linear(t, i) = 0
		}
	}
	*s.out[len(s.out)-1].linear(t, 0) = math.Float32frombits(uint32(n))
}
