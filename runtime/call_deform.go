package runtime

import "unsafe"

// callDeform gathers the cells that a deformable convolution reads. In: x [H,W,C],
// offsets [OH,OW,2*taps], mask [OH,OW,taps] if any. ints: H W C OH OW KH KW SH SW
// DH DW PadT PadL. y [OH*OW,taps*C]: of each tap the cell at its place moved by its
// offset (dy, dx), interpolated: the sum of four cells, those of the upper row first,
// by weights in float32 that have been multiplied by its mask. In the thread's scratch
// are the places of the cells and the weights of one output pixel, and a cell of zeros.
func callDeform(t *thread, s *callStep) {
	p := s.ints
	h, w, channels, ow, kh, kw := p[0], p[1], p[2], p[4], p[5], p[6]
	x, off, taps := &s.in[0], &s.in[1], kh*kw
	c := blendCells(t, taps, 4, channels)
	b := &t.blended
	b.outStep = 4 * channels
	for {
		r := t.claim()
		if r >= p[3]*ow {
			return
		}
		oy, ox := r/ow, r%ow
		moves := off.row(t, 0, oy, ox)
		var masks unsafe.Pointer
		if len(s.in) > 2 {
			masks = s.in[2].row(t, 0, oy, ox)
		}
		for k := range taps {
			fy := float32(oy*p[7]-p[11]+k/kw*p[9]) + get32(moves, 2*k*off.strides[3])
			fx := float32(ox*p[8]-p[12]+k%kw*p[10]) + get32(moves, (2*k+1)*off.strides[3])
			mask := float32(1)
			if masks != nil {
				mask = get32(masks, k*s.in[2].strides[3])
			}
			c.between(x, 4*k, h, w, fy, fx, mask)
		}
		b.out = s.out[0].row(t, 0, 0, r)
		kernels.blend(b)
	}
}
