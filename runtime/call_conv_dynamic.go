package runtime

// callConvDynamic is a convolution whose weights are computed by the network.
// ints: InH InW InC OutH OutW OutC KH KW SH SW DH DW PadT PadL group. In: image
// [H,W,C], weight (dense, [OutC][InC/group][KH][KW]), bias if any. Each output is
// a chain of fused multiply-adds from the bias over ky, kx, c inside the image.
func callConvDynamic(t *thread, s *callStep) {
	p := s.ints
	inH, inW, inC, outW, outC := p[0], p[1], p[2], p[4], p[5]
	kh, kw, sh, sw, dh, dw, padT, padL, group := p[6], p[7], p[8], p[9], p[10], p[11], p[12], p[13], p[14]
	x, w, y := &s.in[0], &s.in[1], &s.out[0]
	perIn, perOut := inC/group, outC/group
	for {
		r := t.claim()
		if r >= y.rows() {
			return
		}
		oy, ox := r/outW, r%outW
		for o := range outC {
			acc := float32(0)
			if len(s.in) > 2 {
				acc = *s.in[2].linear(t, o)
			}
			for ky := range kh {
				iy := oy*sh - padT + ky*dh
				if iy < 0 || iy >= inH {
					continue
				}
				for kx := range kw {
					ix := ox*sw - padL + kx*dw
					if ix < 0 || ix >= inW {
						continue
					}
					for c := range perIn {
						acc = fma32(*x.at(t, 0, iy, ix, o/perOut*perIn+c), *w.linear(t, ((o*perIn+c)*kh+ky)*kw+kx), acc)
					}
				}
			}
			*y.at(t, 0, oy, ox, o) = acc
		}
	}
}
