package runtime

// callRnn runs a plain recurrence over all steps. In: xg [T,H], the input's part
// with biases, h0 [H], W [H,H]. Out: y [T,H], h [H]. ints: T H P reverse, P = H.
// h = tanh(xg + chain over W h from zero). Steps depend on each other, so one
// thread does them all.
func callRnn(t *thread, s *callStep) {
	if t.claim() != 0 {
		return
	}
	steps, hidden, reverse := s.ints[0], s.ints[1], s.ints[3] != 0
	w, y := &s.in[2], &s.out[0]
	h := s.in[1].start(t, 0)
	next, wp := w.step(hidden), w.start(t, 0)
	for i := range steps {
		at := i
		if reverse {
			at = steps - 1 - i
		}
		x, to := s.in[0].slice(t, at*hidden, hidden), y.start(t, at*hidden)
		for n := 0; n < hidden; n += 4 {
			var sum [4]float32
			chains4(h, 4, fourFrom(wp, next, n, hidden), 4, hidden, &sum)
			for k := range min(4, hidden-n) {
				put32(to, 4*(n+k), tanh32(x[n+k]+sum[k]))
			}
		}
		h = to
	}
	for n := range hidden {
		put32(s.out[1].start(t, 0), 4*n, get32(h, 4*n))
	}
}
