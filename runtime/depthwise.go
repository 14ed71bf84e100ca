package runtime

import "unsafe"

const maxDepthwisePixels = 4

// depthwiseArgs is what a depthwise kernel reads. A kernel of MR pixels computes,
// for each of its channels n, with w the panel of n,
//
//	acc := w[n%16]
//	for t := range taps {
//		acc = fma32((base + ind[t*MR+m])[n], w[16+t*16+n%16], acc)
//	}
//	out[m*outStep+n] = act(acc)
//
// and neither reads nor writes beyond channel (panels-1)*16+last. Kernels for half
// weights widen them.
type depthwiseArgs struct {
	base    unsafe.Pointer // of the slice's first channel
	ind     unsafe.Pointer // [taps][MR]uint32: bytes from base
	taps    int
	w       unsafe.Pointer
	panels  int
	out     unsafe.Pointer
	outStep int
	last    int // channels of the last panel, 1 to 16
	act     int
	wstep   int // bytes from panel to panel
	// quantize is for kernels of int8: what a result is multiplied by to be int8, or 0.
	quantize float32
}

// depthwiseStep is one slice of a depthwise convolution: a range of output
// channels and of output rows.
type depthwiseStep struct {
	in, out image // both start at channel 0 of the slice: in at firstChannel/mult
	// zeros is the arena offset of zero floats, one per input channel of the slice.
	zeros                  int
	inH, inW               int
	outH, outW             int
	kh, kw, sh, sw, dh, dw int
	padT, padL             int
	weights                int // arena offset of the slice's first panel
	half                   bool
	channels               int // output channels of the slice
	mult                   int // output channels per input channel
	firstChannel           int // the slice's first output channel, where mult is not 1
	act                    int
	epilogue               epilogue // after act
}

// runDepthwise computes a slice of a depthwise convolution.
func runDepthwise(t *thread, s *depthwiseStep) {
	rows, form := s.rowsKernel(), rowsForm{4, 4, panelBytes(s.kh*s.kw, s.half), kernels.rowPixels}
	if f := s.stripsKernel(); f != nil && (rows != nil || s.channels%kernels.stripChannels == 0) {
		s.runStrips(t, f, rows, form)
		return
	}
	if rows != nil {
		s.runRows(t, rows, form)
		return
	}
	s.runPixels(t)
}

// runPixels computes the step with kernels of some pixels. A unit is some rows.
func (s *depthwiseStep) runPixels(t *thread) {
	row0, row1 := t.rowRange(s.outH)
	rows := row1 - row0
	taps := s.kh * s.kw
	a := &t.depthwise
	a.ind = t.scratch
	a.taps = taps
	a.w = t.at(s.weights)
	a.wstep = panelBytes(taps, s.half)
	a.panels = (s.channels + panelWidth - 1) / panelWidth
	a.outStep = s.out.pix
	a.last = s.channels - panelWidth*(a.panels-1)
	a.act = s.act
	// Rows are claimed in blocks that are worth a claim.
	work := max(1, s.outW*s.channels*taps)
	block := min(max(1, 1<<16/work), max(1, rows/convUnits))
	left, right := s.inside()
	for {
		_, lo, ok := t.claimNear(1, (rows+block-1)/block)
		if !ok {
			return
		}
		lo *= block
		for y := row0 + lo; y < row0+min(lo+block, rows); y++ {
			s.row(t, y, left, right)
		}
	}
}

// inside is the range of columns whose windows reach neither side of the image.
func (s *depthwiseStep) inside() (left, right int) {
	left = min((s.padL+s.sw-1)/s.sw, s.outW)
	if n := s.inW - 1 - (s.kw-1)*s.dw + s.padL; n >= 0 {
		return left, max(left, min(n/s.sw+1, s.outW))
	}
	return left, left
}

// row computes output row y; columns left to right need no look at the image's
// sides.
func (s *depthwiseStep) row(t *thread, y, left, right int) {
	if run := s.runKernel(); run != nil {
		s.run(t, run, y)
		return
	}
	a := &t.depthwise
	out := s.out.rowOffset(y)
	y0 := y*s.sh - s.padT
	inside := y0 >= 0 && y0+(s.kh-1)*s.dh < s.inH
	for x := 0; x < s.outW; {
		n := 1
		if s.outW-x >= maxDepthwisePixels {
			n = maxDepthwisePixels
		}
		a.base = t.arena
		if inside && x >= left && x+n <= right {
			// One table serves the run: only the base moves.
			s.indirect(t, y0, x, n)
			for x+n <= right {
				a.out = t.at(out + x*s.out.pix)
				s.kernel(t, y, x, n)
				a.base = unsafe.Add(a.base, n*s.sw*s.in.pix)
				x += n
			}
			continue
		}
		s.indirect(t, y0, x, n)
		a.out = t.at(out + x*s.out.pix)
		s.kernel(t, y, x, n)
		x += n
	}
}

// kernel computes n pixels from (y, x) on.
func (s *depthwiseStep) kernel(t *thread, y, x, n int) {
	a := &t.depthwise
	switch {
	case s.mult != 1:
		depthwiseMult(a, n, s.mult, s.firstChannel%s.mult, s.half)
	case s.half:
		kernels.depthwiseHalf[n](a)
	default:
		kernels.depthwise[n](a)
	}
	if s.epilogue.kernel != nil {
		s.epilogue.apply(t, a.out, a.outStep, a.out, a.outStep, s.outW, y, x, n, 0, s.channels)
	}
}

// indirect fills the table for n output pixels from column x on.
func (s *depthwiseStep) indirect(t *thread, y0, x, n int) {
	table := unsafe.Slice((*uint32)(t.scratch), s.kh*s.kw*n)
	i := 0
	for ky := range s.kh {
		iy := y0 + ky*s.dh
		if iy < 0 || iy >= s.inH {
			for range s.kw * n {
				table[i] = uint32(s.zeros)
				i++
			}
			continue
		}
		off := s.in.rowOffset(iy)
		for kx := range s.kw {
			ix := x*s.sw - s.padL + kx*s.dw
			for range n {
				if ix >= 0 && ix < s.inW {
					table[i] = uint32(off + ix*s.in.pix)
				} else {
					table[i] = uint32(s.zeros)
				}
				ix += s.sw
				i++
			}
		}
	}
}

// depthwisePortable is the kernel of mr pixels in plain Go.
func depthwisePortable(a *depthwiseArgs, mr int, half bool) { depthwiseMult(a, mr, 1, 0, half) }

// depthwiseMult is the kernel where each input channel makes mult output
// channels; first is the number of those that belong to earlier slices.
func depthwiseMult(a *depthwiseArgs, mr, mult, first int, half bool) {
	channels := panelWidth*(a.panels-1) + a.last
	for m := range mr {
		out := unsafe.Add(a.out, m*a.outStep)
		for n := range channels {
			w := unsafe.Add(a.w, n/panelWidth*a.wstep)
			c := (first + n) / mult
			acc := f32(w, n%panelWidth)
			w = unsafe.Add(w, 4*panelWidth)
			for tap := range a.taps {
				x := unsafe.Add(a.base, *(*uint32)(unsafe.Add(a.ind, 4*(tap*mr+m))))
				acc = fma32(f32(x, c), weight(w, panelWidth*tap+n%panelWidth, half), acc)
			}
			if a.act == actRelu {
				acc = relu32(acc)
			}
			putf32(out, n, acc)
		}
	}
}
