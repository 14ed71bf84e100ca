package runtime

// callUnfold lays the windows of an image out as columns. In: x [C,H,W]. ints: C H W
// OH OW KH KW SH SW DH DW PadT PadL; floats: value of cells outside. y
// [C*KH*KW,OH*OW].
func callUnfold(t *thread, s *callStep) {
	p := s.ints
	h, w, oh, ow, kh, kw := p[1], p[2], p[3], p[4], p[5], p[6]
	x, y := &s.in[0], &s.out[0]
	for {
		u := t.claim()
		if u >= p[0]*kh*kw*oh {
			return
		}
		row, oy := u/oh, u%oh
		q, ky, kx := row/(kh*kw), row/kw%kh, row%kw
		to := y.slice(t, row*oh*ow+oy*ow, ow)
		iy := oy*p[7] + ky*p[9] - p[11]
		for ox := range to {
			ix := ox*p[8] + kx*p[10] - p[12]
			if iy < 0 || ix < 0 || iy >= h || ix >= w {
				to[ox] = s.floats[0]
			} else {
				to[ox] = *x.linear(t, (q*h+iy)*w+ix)
			}
		}
	}
}

// callFold adds up what the windows of an image hold. ints: C H W OH OW KH KW SH SW
// DH DW PadT PadL, then element strides of x per channel, tap and place, and of y
// per channel, row and column. Each element of y is the sum, from zero, over the
// taps in order of those places whose window holds it there.
func callFold(t *thread, s *callStep) {
	p := s.ints
	h, w, oh, ow, kh, kw := p[1], p[2], p[3], p[4], p[5], p[6]
	xs, ys := p[13:16], p[16:19]
	for {
		u := t.claim()
		if u >= p[0]*h {
			return
		}
		q, iy := u/h, u%h
		for ix := range w {
			sum := float32(0)
			for ky := range kh {
				py := iy + p[11] - ky*p[9]
				if py < 0 || py%p[7] != 0 || py/p[7] >= oh {
					continue
				}
				for kx := range kw {
					px := ix + p[12] - kx*p[10]
					if px < 0 || px%p[8] != 0 || px/p[8] >= ow {
						continue
					}
					sum += *s.in[0].linear(t, q*xs[0]+(ky*kw+kx)*xs[1]+(py/p[7]*ow+px/p[8])*xs[2])
				}
			}
			*s.out[0].linear(t, q*ys[0]+iy*ys[1]+ix*ys[2]) = sum
		}
	}
}
