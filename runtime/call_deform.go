package runtime

// callDeform gathers the cells that a deformable convolution reads. In: x [H,W,C],
// offsets [OH,OW,2*taps], mask [OH,OW,taps] if any. ints: H W C OH OW KH KW SH SW
// DH DW PadT PadL. y [OH*OW,taps*C]: of each tap the cell at its place moved by its
// offset (dy, dx), interpolated in float32 and times its mask.
func callDeform(t *thread, s *callStep) {
	p := s.ints
	h, w, channels, ow, kh, kw := p[0], p[1], p[2], p[4], p[5], p[6]
	x, off, taps := &s.in[0], &s.in[1], kh*kw
	for {
		r := t.claim()
		if r >= p[3]*ow {
			return
		}
		for k := range taps {
			oy, ox := r/ow, r%ow
			fy := float32(oy*p[7]-p[11]+k/kw*p[9]) + *off.at(t, 0, oy, ox, 2*k)
			fx := float32(ox*p[8]-p[12]+k%kw*p[10]) + *off.at(t, 0, oy, ox, 2*k+1)
			mask := float32(1)
			if len(s.in) > 2 {
				mask = *s.in[2].at(t, 0, oy, ox, k)
			}
			c := cornersOf(fy, fx, h, w)
			for q := range channels {
				*s.out[0].linear(t, (r*taps+k)*channels+q) = float32(c.read(t, x, q) * mask)
			}
		}
	}
}
