package runtime

import "unsafe"

// volume is the numbers of conv3d and deconv: x [D,H,W,C], y [OD,OH,OW,OutC].
type volume struct {
	in, out                  []int // d h w channels
	kernel, stride, dilation []int // d h w
	pad                      []int
	perIn, perOut, taps      int
	x, w                     *callTensor
	bias                     *callTensor // or nil
	first, across, down      int         // element strides of the weight, see weightAt
	dense                    bool        // the weight
	half                     bool        // it is float16
}

func volumeOf(s *callStep) volume {
	p := s.ints
	v := volume{in: p[0:4], out: p[4:8], kernel: p[8:11], stride: p[11:14], dilation: p[14:17], pad: p[17:20]}
	group := p[20]
	v.perIn, v.perOut = v.in[3]/group, v.out[3]/group
	v.taps = v.kernel[0] * v.kernel[1] * v.kernel[2]
	v.x, v.w = &s.in[0], &s.in[1]
	if len(s.in) > 2 {
		v.bias = &s.in[2]
	}
	v.half = p[len(p)-1] != 0
	v.dense = !v.half && v.w.dense()
	v.first, v.across, v.down = v.perOut*v.perIn*v.taps, v.perIn*v.taps, v.taps
	return v
}

// weightAt is the element of the weight for output channel n of group g, input
// channel q of the group, and a tap.
func (v *volume) weightAt(g, n, q, tap int) int { return g*v.first + n*v.across + q*v.down + tap }

// weight is element i of the weight.
func (v *volume) weight(t *thread, i int) float32 {
	if v.half { // which comes from the file, and has no gaps
		return weight(t.at(v.w.off), i, true)
	}
	return *v.w.linear(t, i)
}

// add continues the chains of all output channels at the pixel y points to by one
// tap at the pixel x points to.
func (v *volume) add(t *thread, y, x unsafe.Pointer, tap int) {
	for g := range v.out[3] / v.perOut {
		a := unsafe.Add(x, 4*g*v.perIn)
		for n := 0; n < v.perOut; n += 4 {
			end := min(n+4, v.perOut)
			if !v.dense || v.perOut < 3 {
				for n := n; n < end; n++ {
					at := 4 * (g*v.perOut + n)
					sum := get32(y, at)
					for q := range v.perIn {
						sum = fma32(get32(a, 4*q), v.weight(t, v.weightAt(g, n, q, tap)), sum)
					}
					put32(y, at, sum)
				}
				continue
			}
			var sum [4]float32
			for k := range end - n {
				sum[k] = get32(y, 4*(g*v.perOut+n+k))
			}
			w := v.w.start(t, v.weightAt(g, 0, 0, tap))
			chains4(a, 4, fourFrom(w, 4*v.across, n, v.perOut), 4*v.down, v.perIn, &sum)
			for k := range end - n {
				put32(y, 4*(g*v.perOut+n+k), sum[k])
			}
		}
	}
}

// begin sets the pixel y points to to the bias.
func (v *volume) begin(t *thread, y unsafe.Pointer) {
	for n := range v.out[3] {
		b := float32(0)
		if v.bias != nil {
			b = *v.bias.linear(t, n)
		}
		put32(y, 4*n, b)
	}
}

// callConv3d is a convolution over d, h and w. In: x [D,H,W,C], weight
// [OutC][C/group][KD][KH][KW], bias if any. ints: D H W C OD OH OW OutC KD KH KW
// SD SH SW DD DH DW PadF PadT PadL group, then whether the weight is float16. Each output is a chain of fused
// multiply-adds from the bias over kz, ky, kx, c inside the image.
func callConv3d(t *thread, s *callStep) {
	v := volumeOf(s)
	for {
		r := t.claim()
		if r >= v.out[0]*v.out[1]*v.out[2] {
			return
		}
		o := [3]int{r / v.out[2] / v.out[1], r / v.out[2] % v.out[1], r % v.out[2]}
		y := s.out[0].row(t, o[0], o[1], o[2])
		v.begin(t, y)
		for tap := range v.taps {
			k := [3]int{tap / v.kernel[2] / v.kernel[1], tap / v.kernel[2] % v.kernel[1], tap % v.kernel[2]}
			inside := true
			for i := range k {
				k[i] = o[i]*v.stride[i] - v.pad[i] + k[i]*v.dilation[i]
				inside = inside && k[i] >= 0 && k[i] < v.in[i]
			}
			if inside {
				v.add(t, y, v.x.row(t, k[0], k[1], k[2]), tap)
			}
		}
	}
}

// callDeconv is a transposed convolution over d, h and w. In and ints as those of
// conv3d up to group, then swapped: whether the weight is
// [group][C/group][OutC/group][taps], and whether it is float16.
// Each output is a chain of fused multiply-adds from the bias over kz, ky, kx, all
// falling, and c.
func callDeconv(t *thread, s *callStep) {
	v := volumeOf(s)
	if s.ints[21] != 0 {
		v.across, v.down = v.taps, v.perOut*v.taps
	}
	for {
		r := t.claim()
		if r >= v.out[0]*v.out[1]*v.out[2] {
			return
		}
		o := [3]int{r / v.out[2] / v.out[1], r / v.out[2] % v.out[1], r % v.out[2]}
		y := s.out[0].row(t, o[0], o[1], o[2])
		v.begin(t, y)
		for tap := v.taps - 1; tap >= 0; tap-- {
			k := [3]int{tap / v.kernel[2] / v.kernel[1], tap / v.kernel[2] % v.kernel[1], tap % v.kernel[2]}
			inside := true
			for i := range k {
				p := o[i] + v.pad[i] - k[i]*v.dilation[i]
				k[i] = p / v.stride[i]
				inside = inside && p >= 0 && p%v.stride[i] == 0 && k[i] < v.in[i]
			}
			if inside {
				v.add(t, y, v.x.row(t, k[0], k[1], k[2]), tap)
			}
		}
	}
}
