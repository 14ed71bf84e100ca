package runtime

import "unsafe"

// quantizeArgs is what a kernel that makes int8 of float32 reads: rows runs of n
// elements, each followed by pad zeros in the output. An element is multiplied by
// scale, rounded to the nearest integer, halves away from zero, and kept within
// ±127; what is not a number becomes -127. The assembly knows the fields by their
// offsets.
type quantizeArgs struct {
	n       int
	rows    int
	in      unsafe.Pointer
	inStep  int // bytes
	out     unsafe.Pointer
	outStep int // bytes
	pad     int
	scale   float32
}

// quantizeKernel is the kernel in use. Generated files choose a better one at start.
var quantizeKernel = quantizePortable

func quantizePortable(a *quantizeArgs) {
	for r := range a.rows {
		in, out := unsafe.Add(a.in, r*a.inStep), unsafe.Add(a.out, r*a.outStep)
		for i := range a.n {
			*(*int8)(unsafe.Add(out, i)) = quantized(float32(f32(in, i) * a.scale))
		}
		for i := range a.pad {
			*(*int8)(unsafe.Add(out, a.n+i)) = 0
		}
	}
}

// quantized rounds v to an int8. The constant is the float32 below 0.5: added to a
// number below a half it stays below one, and to a half it makes one.
func quantized(v float32) int8 {
	const below = 0.5 - 1.0/(1<<25)
	if !(v > -127) {
		v = -127
	}
	if !(v < 127) {
		v = 127
	}
	if v < 0 {
		return int8(v - below)
	}
	return int8(v + below)
}

// quantizeStep makes an int8 image of a float32 one: its channels, then zeros up
// to a multiple of four.
type quantizeStep struct {
	in, out   image
	h, w, inC int
	outC      int
	scale     float32
}

// quantizeBlock is the elements that one claim covers, about.
const quantizeBlock = 8192

func runQuantize(t *thread, s *quantizeStep) {
	row0, row1 := t.rowRange(s.h)
	a := &t.quantize
	a.scale = s.scale
	n, pixels := s.inC, s.w
	a.pad, a.inStep, a.outStep = s.outC-s.inC, s.in.pix, s.out.pix
	if a.pad == 0 && s.in.pix == 4*s.inC && s.out.pix == s.outC { // a row is one run
		n, pixels = s.w*s.inC, 1
	}
	block := max(1, quantizeBlock/(s.w*s.inC))
	for {
		_, lo, ok := t.claimNear(1, (row1-row0+block-1)/block)
		if !ok {
			return
		}
		lo = row0 + lo*block
		for y := lo; y < min(lo+block, row1); y++ {
			a.n, a.rows = n, pixels
			a.in, a.out = t.at(s.in.rowOffset(y)), t.at(s.out.rowOffset(y))
			quantizeKernel(a)
		}
	}
}
