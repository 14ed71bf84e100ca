package runtime

import "unsafe"

const (
	resizeTaps = 4  // most rows that a row of the result is made of
	resizeRows = 16 // rows that one claim covers
)

// callResize interpolates an image [InH,InW,C]. In: x, row indices, row weights,
// column indices, column weights (indices are int32 words). ints: InH InW C OutH
// OutW RT CT piece. Output row r mixes RT input rows, column w mixes CT columns: a fused
// chain over rows of (a fused chain over columns), each starting with a product.
// It works on pieces of so many pixels of a row: the thread's scratch has, of the input
// rows that the output row at hand is made of, what the chain over columns makes of
// each; rows that follow each other share most of them. As the rows of an output
// row are neighbours, or the same, each has its place there by its number. The pass is
// the chain over rows, of so many vectors and their factors. It makes ranges of rows.
func callResize(t *thread, s *callStep) {
	channels, outW, rt, ct, piece := s.ints[2], s.ints[4], s.ints[5], s.ints[6], s.ints[7]
	x := s.in[0].asImage(s.ints[0], s.ints[1], channels)
	y := s.out[0].asImage(s.ints[3], outW, channels)
	a, b := &t.maps, &t.blended
	b.taps, b.channels, b.inStep, b.tapStep, b.placeStep = ct, channels, x.strides[2], 4, 4*ct
	stride := (4*channels*piece + 63) &^ 63
	rows, weights := s.in[1].start(t, 0), s.in[2].start(t, 0) // without gaps
	lo, hi := t.rowRange(s.ints[3])
	pieces := (outW + piece - 1) / piece
	for {
		u := t.claim()
		r0, w := lo+u/pieces*resizeRows, u%pieces*piece
		if r0 >= hi {
			return
		}
		b.places = min(piece, outW-w)
		b.at, b.weights = s.in[3].start(t, w*ct), s.in[4].start(t, w*ct)
		a.n, a.rows = b.places*channels, 1
		if y.strides[2] != 4*channels {
			a.n, a.rows, a.outStep = channels, b.places, y.strides[2]
		}
		made := [resizeTaps]int{-1, -1, -1, -1}
		for r := r0; r < min(r0+resizeRows, hi); r++ {
			for i := range rt {
				from := int(*(*int32)(unsafe.Add(rows, 4*(r*rt+i))))
				k := from % rt
				a.in[i], a.inStep[i] = unsafe.Add(t.scratch, k*stride), 4*channels
				a.in[rt+i], a.inStep[rt+i] = unsafe.Add(weights, 4*(r*rt+i)), 0
				if rt > 1 && made[k] == from {
					continue
				}
				made[k] = from
				b.in, b.out, b.outStep = x.row(t, 0, from, 0), a.in[i], 4*channels
				if rt == 1 {
					b.out, b.outStep = y.row(t, 0, r, w), y.strides[2]
				}
				kernels.blend(b)
			}
			if a.out = y.row(t, 0, r, w); rt > 1 {
				(*s.passes[0].kernel)(a)
			}
		}
	}
}
