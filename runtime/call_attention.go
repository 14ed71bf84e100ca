package runtime

import "unsafe"

// callAttention is softmax(q*k' * scale + mask) * v per head. In: q, k, v, mask if
// any. ints: heads perGroup rows keys width vWidth, then element strides per head
// and per row of q, k, v, y and mask; head h of q reads head h/perGroup of k and v.
// Floats: the scale. Products are chains of fused multiply-adds from zero; the
// thread's scratch holds one row of scores.
func callAttention(t *thread, s *callStep) {
	p := s.ints
	heads, perGroup, rows, keys, width, vWidth := p[0], p[1], p[2], p[3], p[4], p[5]
	qs, ks, vs, ys, ms := p[6:8], p[8:10], p[10:12], p[12:14], p[14:16]
	q, k, v, y := &s.in[0], &s.in[1], &s.in[2], &s.out[0]
	kNext, vNext := k.step(ks[1]), v.step(vs[1])
	scores := t.scratch
	for {
		u := t.claim()
		if u >= heads*rows {
			return
		}
		h, i := u/rows, u%rows
		g := h / perGroup
		qp, kp, vp := q.start(t, h*qs[0]+i*qs[1]), k.start(t, g*ks[0]), v.start(t, g*vs[0])
		var mp unsafe.Pointer
		if len(s.in) > 3 {
			mp = s.in[3].start(t, h*ms[0]+i*ms[1])
		}
		for j := 0; j < keys; j += 4 {
			var sum [4]float32
			chains4(qp, 4, fourFrom(kp, kNext, j, keys), 4, width, &sum)
			for c := range min(4, keys-j) {
				score := float32(s.floats[0] * sum[c])
				if mp != nil {
					score += get32(mp, 4*(j+c))
				}
				put32(scores, 4*(j+c), score)
			}
		}
		softmaxRow(scores, keys)
		yp := y.start(t, h*ys[0]+i*ys[1])
		for n := 0; n < vWidth; n += 4 {
			var sum [4]float32
			chains4(scores, 4, fourFrom(vp, 4, n, vWidth), vNext, keys, &sum)
			for c := range min(4, vWidth-n) {
				put32(yp, 4*(n+c), sum[c])
			}
		}
	}
}
