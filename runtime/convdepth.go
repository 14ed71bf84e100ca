package runtime

import "unsafe"

// convDepth is the third axis of a convolution of planes: how many there are, the
// window over them, and the bytes from plane to plane.
type convDepth struct {
	in, out           int
	k, s, d, pad      int
	inPlane, outPlane int
}

// planes is the number of output planes, 1 of an image.
func (s *convStep) planes() int {
	if s.depth == nil {
		return 1
	}
	return s.depth.out
}

// plane is the bytes from the output's first plane to plane z.
func (s *convStep) plane(z int) int {
	if s.depth == nil {
		return 0
	}
	return z * s.depth.outPlane
}

// terms is the length of a sum.
func (s *convStep) terms() int {
	k := s.kh * s.kw * s.inC
	if s.depth != nil {
		k *= s.depth.k
	}
	return k
}

// indirectDepth fills the table of the tile of mr pixels from (z, y, x) on: taps
// run over planes, rows and columns of the window.
func (s *convStep) indirectDepth(t *thread, z, y, x, mr int) {
	a, d := &t.conv, s.depth
	a.base = t.arena
	a.taps, a.k = d.k*s.kh*s.kw, s.inC
	ind := unsafe.Slice((*uint32)(t.scratch), a.taps*mr)
	for m := range mr {
		at := m
		for kz := range d.k {
			iz := z*d.s - d.pad + kz*d.d
			for ky := range s.kh {
				iy := y*s.sh - s.padT + ky*s.dh
				inside := iz >= 0 && iz < d.in && iy >= 0 && iy < s.inH
				ix := x*s.sw - s.padL
				for range s.kw {
					v := s.zeros
					if inside && ix >= 0 && ix < s.inW {
						v = s.in.off + iz*d.inPlane + iy*s.in.row + ix*s.in.pix
					}
					ind[at] = uint32(v)
					at += mr
					ix += s.dw
				}
			}
		}
		if x++; x == s.outW {
			x, y = 0, y+1
		}
	}
}
