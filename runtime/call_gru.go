package runtime

import "unsafe"

// callGru runs gated recurrent units over all steps. In: xg [T,3H], the input's
// part of the gates (order R U N, biases included), h0 [H], W [3H,H] in panels, whose
// bias is that of N. The thread's scratch holds the table of products and 3H floats.
// Out: y [T,H], h [H]. ints: T H P reverse, P = H, then whether W is float16. r and u
// are sigmoid(xg + chain over W h from zero), n = tanh(fma(r, chain over W h from the
// bias, xg)), h = fma(u, h, (1-u)*n), which the pass makes of the sums. Steps depend on each other, so one thread does
// them all.
func callGru(t *thread, s *callStep) {
	if t.claim() != 0 {
		return
	}
	steps, hidden, reverse := s.ints[0], s.ints[1], s.ints[3] != 0
	xg, y := &s.in[0], &s.out[0]
	h := s.in[1].start(t, 0)
	g := unsafe.Slice((*float32)(unsafe.Add(t.scratch, productPanels)), 3*hidden)
	gates := byWeights(t, &s.in[2], s.ints[4] != 0, hidden, 3*hidden)
	for i := range steps {
		at := i
		if reverse {
			at = steps - 1 - i
		}
		x, to := xg.slice(t, at*3*hidden, 3*hidden), y.start(t, at*hidden)
		gates.times(t, h, unsafe.Pointer(&g[0]))
		s.gruStep(t, hidden, x, g, h, to)
		h = to
	}
	copy(s.out[1].slice(t, 0, hidden), unsafe.Slice((*float32)(h), hidden))
}
