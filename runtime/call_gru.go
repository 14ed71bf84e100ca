package runtime

import "unsafe"

// callGru runs gated recurrent units over all steps. In: xg [T,3H], the input's
// part of the gates (order R U N, biases included), h0 [H], W [3H,H], BN [H]. Out:
// y [T,H], h [H]. ints: T H P reverse, P = H. r and u are sigmoid(xg + chain over
// W h from zero), n = tanh(fma(r, chain over W h from BN, xg)), h = fma(u, h,
// (1-u)*n). Steps depend on each other, so one thread does them all.
func callGru(t *thread, s *callStep) {
	if t.claim() != 0 {
		return
	}
	steps, hidden, reverse := s.ints[0], s.ints[1], s.ints[3] != 0
	xg, w, y := &s.in[0], &s.in[2], &s.out[0]
	bias := s.in[3].slice(t, 0, hidden)
	h := s.in[1].start(t, 0)
	next, wp := w.step(hidden), w.start(t, 0)
	for i := range steps {
		at := i
		if reverse {
			at = steps - 1 - i
		}
		x, to := xg.slice(t, at*3*hidden, 3*hidden), y.start(t, at*hidden)
		for n := 0; n < hidden; n += 4 {
			var reset, update, fresh [4]float32
			units := min(4, hidden-n)
			copy(fresh[:], bias[n:n+units])
			chains4(h, 4, fourFrom(wp, next, n, hidden), 4, hidden, &reset)
			chains4(h, 4, fourFrom(unsafe.Add(wp, hidden*next), next, n, hidden), 4, hidden, &update)
			chains4(h, 4, fourFrom(unsafe.Add(wp, 2*hidden*next), next, n, hidden), 4, hidden, &fresh)
			for k := range units {
				r, u := sigmoid32(x[n+k]+reset[k]), sigmoid32(x[hidden+n+k]+update[k])
				v := tanh32(fma32(r, fresh[k], x[2*hidden+n+k]))
				put32(to, 4*(n+k), fma32(u, get32(h, 4*(n+k)), float32((1-u)*v)))
			}
		}
		h = to
	}
	for n := range hidden {
		put32(s.out[1].start(t, 0), 4*n, get32(h, 4*n))
	}
}
