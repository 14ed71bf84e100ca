package runtime

import "unsafe"

// callLstm runs a long short-term memory over all steps. In: xg [T,4H], the
// input's part of the gates (order I F O G, biases included), h0 [P], c0 [H], W
// [4H,P], and where P is not H the projection R [P,H], for which the thread's
// scratch holds H floats. Out: y [T,P], h [P], c [H]. ints: T H P reverse. Per
// step g = xg + (chain over W h from zero), c = fma(sigmoid(F), c,
// sigmoid(I)*tanh(G)), h = sigmoid(O)*tanh(c), or R times that. Steps depend on
// each other, so one thread does them all.
func callLstm(t *thread, s *callStep) {
	if t.claim() != 0 {
		return
	}
	steps, hidden, outputs, reverse := s.ints[0], s.ints[1], s.ints[2], s.ints[3] != 0
	xg, w, y := &s.in[0], &s.in[3], &s.out[0]
	h, c := s.in[1].start(t, 0), s.out[2].slice(t, 0, hidden)
	copy(c, s.in[2].slice(t, 0, hidden))
	wNext := w.step(outputs)
	wp := w.start(t, 0)
	for i := range steps {
		at := i
		if reverse {
			at = steps - 1 - i
		}
		x, to := xg.slice(t, at*4*hidden, 4*hidden), y.start(t, at*outputs)
		fresh := to
		if len(s.in) > 4 {
			fresh = t.scratch
		}
		for n := range hidden {
			var g [4]float32
			chains4(h, 4, fourFrom(unsafe.Add(wp, n*wNext), hidden*wNext, 0, 4), 4, outputs, &g)
			in, forget, out := sigmoid32(x[n]+g[0]), sigmoid32(x[hidden+n]+g[1]), sigmoid32(x[2*hidden+n]+g[2])
			c[n] = fma32(forget, c[n], float32(in*tanh32(x[3*hidden+n]+g[3])))
			put32(fresh, 4*n, float32(out*tanh32(c[n])))
		}
		if len(s.in) > 4 {
			r := &s.in[4]
			next, p := r.step(hidden), r.start(t, 0)
			for n := 0; n < outputs; n += 4 {
				var sum [4]float32
				chains4(fresh, 4, fourFrom(p, next, n, outputs), 4, hidden, &sum)
				for k := range min(4, outputs-n) {
					put32(to, 4*(n+k), sum[k])
				}
			}
		}
		h = to
	}
	for n := range outputs {
		put32(s.out[1].start(t, 0), 4*n, get32(h, 4*n))
	}
}
