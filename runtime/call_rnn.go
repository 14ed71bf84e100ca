package runtime

import "unsafe"

// callRnn runs a plain recurrence over all steps. In: xg [T,H], the input's part
// with biases, h0 [H], W [H,H] in panels. The thread's scratch holds the table of
// products and H floats. Out: y [T,H], h [H]. ints: T H P reverse, P = H, then whether
// W is float16. h = tanh(xg + chain over W h from zero), by the pass. Steps depend on each other, so
// one thread does them all.
func callRnn(t *thread, s *callStep) {
	if t.claim() != 0 {
		return
	}
	steps, hidden, reverse := s.ints[0], s.ints[1], s.ints[3] != 0
	y := &s.out[0]
	h := s.in[1].start(t, 0)
	g := unsafe.Slice((*float32)(unsafe.Add(t.scratch, productPanels)), hidden)
	gates := byWeights(t, &s.in[2], s.ints[4] != 0, hidden, hidden)
	for i := range steps {
		at := i
		if reverse {
			at = steps - 1 - i
		}
		x, to := s.in[0].slice(t, at*hidden, hidden), y.start(t, at*hidden)
		gates.times(t, h, unsafe.Pointer(&g[0]))
		s.rnnStep(t, hidden, x, g, to)
		h = to
	}
	copy(s.out[1].slice(t, 0, hidden), unsafe.Slice((*float32)(h), hidden))
}
