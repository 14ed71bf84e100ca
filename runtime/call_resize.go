package runtime

import (
	"math"
	"unsafe"
)

// callResize interpolates an image [InH,InW,C]. In: x, row indices, row weights,
// column indices, column weights (indices are int32 words). ints: InH InW C OutH
// OutW RT CT. Output row r mixes RT input rows, column w mixes CT columns: a fused
// chain over rows of (a fused chain over columns), each starting with a product.
// The first pass is the chain over columns, of so many vectors and their factors,
// the second that over rows; the thread's scratch has a pixel for each row between
// them. Where both have one tap, pixels are copied. It makes ranges of rows.
func callResize(t *thread, s *callStep) {
	channels, outW, rt, ct := s.ints[2], s.ints[4], s.ints[5], s.ints[6]
	x := s.in[0].asImage(s.ints[0], s.ints[1], channels)
	y := s.out[0].asImage(s.ints[3], outW, channels)
	index := func(c *callTensor, i int) int { return int(int32(math.Float32bits(*c.linear(t, i)))) }
	a := &t.maps
	a.n, a.rows = channels, 1
	stride := (4*channels + 63) &^ 63
	lo, hi := t.rowRange(s.ints[3])
	for {
		r := lo + t.claim()
		if r >= hi {
			return
		}
		for w := range outW {
			out := y.row(t, 0, r, w)
			if rt == 1 && ct == 1 {
				copy(unsafe.Slice((*float32)(out), channels), unsafe.Slice((*float32)(x.row(t, 0, index(&s.in[1], r), index(&s.in[3], w))), channels))
				continue
			}
			for i := range rt {
				row := index(&s.in[1], r*rt+i)
				for j := range ct {
					a.in[j] = x.row(t, 0, row, index(&s.in[3], w*ct+j))
					a.in[ct+j] = s.in[4].start(t, w*ct+j)
				}
				a.out = unsafe.Add(t.scratch, i*stride)
				(*s.passes[0].kernel)(a)
			}
			for i := range rt {
				a.in[i] = unsafe.Add(t.scratch, i*stride)
				a.in[rt+i] = s.in[2].start(t, r*rt+i)
			}
			a.out = out
			(*s.passes[1].kernel)(a)
		}
	}
}
