package runtime

import "math"

// callResize interpolates an image [InH,InW,C]. In: x, row indices, row weights,
// column indices, column weights (indices are int32 words). ints: InH InW C OutH
// OutW RT CT. Output row r mixes RT input rows, column w mixes CT columns: a fused
// chain over rows of (a fused chain over columns), each starting with a product.
func callResize(t *thread, s *callStep) {
	channels, outW, rt, ct := s.ints[2], s.ints[4], s.ints[5], s.ints[6]
	x := s.in[0].asImage(s.ints[0], s.ints[1], channels)
	y := s.out[0].asImage(s.ints[3], outW, channels)
	index := func(c *callTensor, i int) int { return int(int32(math.Float32bits(*c.linear(t, i)))) }
	for {
		r := t.claim()
		if r >= s.ints[3] {
			return
		}
		for w := range outW {
			for c := range channels {
				if rt == 1 && ct == 1 {
					*y.at(t, 0, r, w, c) = *x.at(t, 0, index(&s.in[1], r), index(&s.in[3], w), c)
					continue
				}
				sum := float32(0)
				for i := range rt {
					iy := index(&s.in[1], r*rt+i)
					row := float32(0)
					for j := range ct {
						v, f := *x.at(t, 0, iy, index(&s.in[3], w*ct+j), c), *s.in[4].linear(t, w*ct+j)
						if j == 0 {
							row = float32(v * f)
						} else {
							row = fma32(v, f, row)
						}
					}
					f := *s.in[2].linear(t, r*rt+i)
					if i == 0 {
						sum = float32(row * f)
					} else {
						sum = fma32(row, f, sum)
					}
				}
				*y.at(t, 0, r, w, c) = sum
			}
		}
	}
}
