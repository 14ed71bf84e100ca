package runtime

import (
	"math"
	"unsafe"
)

// maxPortablePixels is the main tile of the portable kernels: its table of
// offsets and its rows of the image stay in L1 with one panel.
const maxPortablePixels = 4

// portableKernels are plain Go, for builds without assembly and CPUs without
// the instructions, and what the others are tested against.
var portableKernels = kernelTable{
	name: "portable",
	mr:   maxPortablePixels,
	conv: convKernels{1: {
		1: func(a *convArgs) { convPortable(a, 1, 1, false) },
		2: func(a *convArgs) { convPortable(a, 2, 1, false) },
		3: func(a *convArgs) { convPortable(a, 3, 1, false) },
		4: func(a *convArgs) { convPortable(a, 4, 1, false) },
	}},
	convHalf: convKernels{1: {
		1: func(a *convArgs) { convPortable(a, 1, 1, true) },
		2: func(a *convArgs) { convPortable(a, 2, 1, true) },
		3: func(a *convArgs) { convPortable(a, 3, 1, true) },
		4: func(a *convArgs) { convPortable(a, 4, 1, true) },
	}},
	depthwise:     portableDepthwise,
	depthwiseHalf: portableDepthwiseHalf,
	poolMax:       poolMaxPortable,
	blend:         blendPortable,
	poolAvg:       poolAvgPortable,
}

var portableDepthwise = [maxDepthwisePixels + 1]func(*depthwiseArgs){
	1: func(a *depthwiseArgs) { depthwisePortable(a, 1, false) },
	4: func(a *depthwiseArgs) { depthwisePortable(a, 4, false) },
}

var portableDepthwiseHalf = [maxDepthwisePixels + 1]func(*depthwiseArgs){
	1: func(a *depthwiseArgs) { depthwisePortable(a, 1, true) },
	4: func(a *depthwiseArgs) { depthwisePortable(a, 4, true) },
}

// f32 loads the float i elements after p.
func f32(p unsafe.Pointer, i int) float32 { return *(*float32)(unsafe.Add(p, 4*i)) }

// putf32 stores the float i elements after p.
func putf32(p unsafe.Pointer, i int, v float32) { *(*float32)(unsafe.Add(p, 4*i)) = v }

// relu32 is x < 0 ? 0 : x.
func relu32(x float32) float32 {
	if x < 0 {
		return 0
	}
	return x
}

// convPortable is the kernel of mr pixels and np panels in plain Go. Two pixels
// and four channels are computed at a time.
func convPortable(a *convArgs, mr, np int, half bool) {
	for p := range np {
		n := panelWidth
		if p == np-1 {
			n = a.last
		}
		w := unsafe.Add(a.w, p*a.wstep)
		out := unsafe.Add(a.out, 4*panelWidth*p)
		for m := 0; m < mr; m += 2 {
			// A lone last pixel is paired with itself.
			m1 := min(m+1, mr-1)
			for c := 0; c < n; c += 4 {
				b := panelBlock{unsafe.Add(w, 4*c), unsafe.Add(w, 4*panelWidth+weightBytes(half)*c), half}
				block := convPortable2x4(a, b, m, m1, mr)
				o0 := unsafe.Add(out, m*a.outStep)
				o1 := unsafe.Add(out, m1*a.outStep)
				for i := range min(4, n-c) {
					v0, v1 := block[i], block[4+i]
					if a.act == actRelu {
						v0, v1 = relu32(v0), relu32(v1)
					}
					putf32(o0, c+i, v0)
					putf32(o1, c+i, v1)
				}
			}
		}
	}
}

// panelBlock is four channels of a panel: where their biases are, and their
// first weights.
type panelBlock struct {
	bias, w unsafe.Pointer
	half    bool
}

// convPortable2x4 computes pixels m0 and m1 of four channels: exactly, and fast
// where rounding twice, to float64 and to float32, is known to be right at every
// step. Otherwise it starts again with fma32.
func convPortable2x4(a *convArgs, b panelBlock, m0, m1, mr int) [8]float32 {
	if s, ok := convWidened2x4(a, b, m0, m1, mr); ok {
		return s
	}
	var s [8]float32
	row := panelWidth * weightBytes(b.half)
	for i := range s {
		w, m := unsafe.Add(b.w, weightBytes(b.half)*(i&3)), m0
		if i >= 4 {
			m = m1
		}
		acc := f32(b.bias, i&3)
		for t := range a.taps {
			x := unsafe.Add(a.base, *(*uint32)(unsafe.Add(a.ind, 4*(t*mr+m))))
			for c := range a.k {
				acc = fma32(f32(x, c), weight(w, 0, b.half), acc)
				w = unsafe.Add(w, row)
			}
		}
		s[i] = acc
	}
	return s
}

// convWidened2x4 is convPortable2x4 in float64; it gives up at the first sum that
// is risky.
func convWidened2x4(a *convArgs, p panelBlock, m0, m1, mr int) (s [8]float32, ok bool) {
	s00, s01, s02, s03 := float64(f32(p.bias, 0)), float64(f32(p.bias, 1)), float64(f32(p.bias, 2)), float64(f32(p.bias, 3))
	w, row := p.w, panelWidth*weightBytes(p.half)
	s10, s11, s12, s13 := s00, s01, s02, s03
	for t := range a.taps {
		x0 := unsafe.Add(a.base, *(*uint32)(unsafe.Add(a.ind, 4*(t*mr+m0))))
		x1 := unsafe.Add(a.base, *(*uint32)(unsafe.Add(a.ind, 4*(t*mr+m1))))
		for c := range a.k {
			v0, v1 := float64(f32(x0, c)), float64(f32(x1, c))
			b := float64(weight(w, 0, p.half))
			s00 += float64(v0 * b)
			s10 += float64(v1 * b)
			if risky(s00) || risky(s10) {
				return s, false
			}
			s00, s10 = float64(float32(s00)), float64(float32(s10))
			b = float64(weight(w, 1, p.half))
			s01 += float64(v0 * b)
			s11 += float64(v1 * b)
			if risky(s01) || risky(s11) {
				return s, false
			}
			s01, s11 = float64(float32(s01)), float64(float32(s11))
			b = float64(weight(w, 2, p.half))
			s02 += float64(v0 * b)
			s12 += float64(v1 * b)
			if risky(s02) || risky(s12) {
				return s, false
			}
			s02, s12 = float64(float32(s02)), float64(float32(s12))
			b = float64(weight(w, 3, p.half))
			s03 += float64(v0 * b)
			s13 += float64(v1 * b)
			if risky(s03) || risky(s13) {
				return s, false
			}
			s03, s13 = float64(float32(s03)), float64(float32(s13))
			w = unsafe.Add(w, row)
		}
	}
	return [8]float32{float32(s00), float32(s01), float32(s02), float32(s03),
		float32(s10), float32(s11), float32(s12), float32(s13)}, true
}

// risky tells that s, a sum rounded to float64, may not be rounded to float32 as
// the exact sum is: it is a tie of two float32, or below float32's normal range
// and not zero.
func risky(s float64) bool {
	u := math.Float64bits(s)
	return u<<35 == 1<<63 || u+u-1 < 897<<53-1
}
