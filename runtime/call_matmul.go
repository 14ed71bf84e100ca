package runtime

// callMatmul is a product of batches of matrices. ints: outer inner M N K, then
// element strides of a (outer, inner, m, k), of b (outer, inner, k, n) and of y
// (outer, inner, m, n); floats: a factor. y = factor * (chain of fused
// multiply-adds over k, from zero).
func callMatmul(t *thread, s *callStep) {
	p := s.ints
	inner, rows, columns, depth := p[1], p[2], p[3], p[4]
	as, bs, ys := p[5:9], p[9:13], p[13:17]
	a, b, y := &s.in[0], &s.in[1], &s.out[0]
	aStep, bStep, bNext, yNext := a.step(as[3]), b.step(bs[2]), b.step(bs[3]), y.step(ys[3])
	// A unit is one row of some columns, which neighbouring units share.
	width := max(4, 1<<14/depth&^3)
	cuts := (columns + width - 1) / width
	for {
		u := t.claim()
		if u >= p[0]*inner*cuts*rows {
			return
		}
		m := u % rows
		u /= rows
		lo := u % cuts * width
		hi := min(lo+width, columns)
		u /= cuts
		o, i := u/inner, u%inner
		ap := a.start(t, o*as[0]+i*as[1]+m*as[2])
		bp := b.start(t, o*bs[0]+i*bs[1])
		yp := y.start(t, o*ys[0]+i*ys[1]+m*ys[2])
		for n := lo; n < hi; n += 4 {
			var sum [4]float32
			chains4(ap, aStep, fourFrom(bp, bNext, n, hi), bStep, depth, &sum)
			for c := range min(4, hi-n) {
				put32(yp, (n+c)*yNext, float32(s.floats[0]*sum[c]))
			}
		}
	}
}
