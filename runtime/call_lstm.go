package runtime

import "unsafe"

// callLstm runs a long short-term memory over all steps. In: xg [T,4H], the
// input's part of the gates (order I F O G, biases included), h0 [P], c0 [H], W
// [4H,P] in panels, and where P is not H the projection R [P,H] in panels. The
// thread's scratch holds the table of products, 4H and H floats. Out: y [T,P], h
// [P], c [H]. ints: T H P reverse, then whether W and R are float16. Per step g = xg
// + (chain over W h from zero), c = fma(sigmoid(F), c, sigmoid(I)*tanh(G)), h =
// sigmoid(O)*tanh(c), which the passes make of the sums, or R times that. Steps
// depend on each other, so one thread does them all.
func callLstm(t *thread, s *callStep) {
	if t.claim() != 0 {
		return
	}
	steps, hidden, outputs, reverse := s.ints[0], s.ints[1], s.ints[2], s.ints[3] != 0
	xg, y := &s.in[0], &s.out[0]
	h, c := s.in[1].start(t, 0), s.out[2].slice(t, 0, hidden)
	copy(c, s.in[2].slice(t, 0, hidden))
	g := unsafe.Slice((*float32)(unsafe.Add(t.scratch, productPanels)), 5*hidden)
	gates := byWeights(t, &s.in[3], s.ints[4] != 0, outputs, 4*hidden)
	var projection product
	if len(s.in) > 4 {
		projection = byWeights(t, &s.in[4], s.ints[5] != 0, hidden, outputs)
	}
	for i := range steps {
		at := i
		if reverse {
			at = steps - 1 - i
		}
		x, to := xg.slice(t, at*4*hidden, 4*hidden), y.start(t, at*outputs)
		gates.times(t, h, unsafe.Pointer(&g[0]))
		fresh := to
		if len(s.in) > 4 {
			fresh = unsafe.Pointer(&g[4*hidden])
		}
		s.lstmStep(t, hidden, x, g, c, fresh)
		if len(s.in) > 4 {
			projection.times(t, fresh, to)
		}
		h = to
	}
	copy(s.out[1].slice(t, 0, outputs), unsafe.Slice((*float32)(h), outputs))
}
