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

// area is that of a box whose corners are in order.
func (c *candidate) area() float32 { return float32((c.x2 - c.x1) * (c.y2 - c.y1)) }

// suppress sorts c, moves to its start those that overlap no better one by more
// than the threshold of their union, at most most of them, and counts these.
func suppress(c []candidate, threshold float32, most int) int {
	slices.SortFunc(c, compareCandidates)
	kept := 0
next:
	for i := range c {
		if kept >= most {
			break
		}
		box := c[i]
		area := box.area()
		better := c[:kept]
		for k := range better {
			o := &better[k]
			both := float32(0)
			// One branch for most pairs, which share nothing, and that one foreseeable.
			if one(box.x1 > o.x2)|one(box.x2 < o.x1)|one(box.y1 > o.y2)|one(box.y2 < o.y1) == 0 {
				both = (min(box.x2, o.x2) - max(box.x1, o.x1)) * (min(box.y2, o.y2) - max(box.y1, o.y1))
			}
			if both > float32(threshold*(area+o.area()-both)) {
				continue next
			}
		}
		c[kept] = box
		kept++
	}
	return kept
}

// one is 1 where b holds and else 0, without a branch.
func one(b bool) int {
	if b {
		return 1
	}
	return 0
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
	for i := n * width; i < y.len(); i++ {
		*y.linear(t, i) = 0
	}
	*s.out[len(s.out)-1].linear(t, 0) = math.Float32frombits(uint32(n))
}
