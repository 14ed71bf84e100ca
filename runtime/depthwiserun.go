package runtime

import "unsafe"

// Bounds of the windows that runs have kernels for.
const (
	maxRunWidth  = 5
	maxRunStride = 2
	runPixels    = 4 // the fewest pixels of a run
)

// depthwiseRuns are kernels of runs by the width of windows and their distance.
type depthwiseRuns [maxRunWidth + 1][maxRunStride + 1]func(*depthwiseRunArgs)

// depthwiseRunArgs is what a kernel of a run reads. A run is pixels of one output
// row; their windows may reach beyond the image, to the sides by half their width.
// The kernel for windows of KW columns at a distance of SW computes, for each pixel m
// and channel n, with w the panel of n,
//
//	acc := w[n%16]
//	for y := range height {
//		for x := range KW {
//			c := left + m*SW + x
//			cell := base + rows[y].off + c*rows[y].step   // 0 where c < 0 or c >= width
//			acc = fma32(cell[n], w[16+(y*KW+x)*16+n%16], acc)
//		}
//	}
//	out[m*outStep+n] = act(acc)
//
// It may compute a pixel twice.
type depthwiseRunArgs struct {
	base     unsafe.Pointer
	rows     unsafe.Pointer // [height]windowRow
	height   int
	w        unsafe.Pointer
	wstep    int // bytes from panel to panel
	channels int
	out      unsafe.Pointer
	outStep  int
	pixels   int // at least runPixels
	act      int
	left     int // the column at which the first window begins
	width    int // columns of the image
}

// windowRow is a row of the image that windows of a run take: bytes from base to its
// first cell, and from cell to cell: 0 where the row lies outside the image and one
// cell of zeros serves.
type windowRow struct{ off, step int }

// runKernel is the kernel for the step's rows, or nil.
func (s *depthwiseStep) runKernel() func(*depthwiseRunArgs) {
	if s.mult != 1 || s.dw != 1 || s.kw > maxRunWidth || s.sw > maxRunStride || s.outW < runPixels ||
		s.padL > s.kw/2 || (s.outW-1)*s.sw+s.kw-s.padL-s.inW > s.kw/2 {
		return nil
	}
	if s.half {
		return kernels.depthwiseRunHalf[s.kw][s.sw]
	}
	return kernels.depthwiseRun[s.kw][s.sw]
}

// run computes output row y.
func (s *depthwiseStep) run(t *thread, kernel func(*depthwiseRunArgs), y int) {
	a := &t.run
	rows := unsafe.Slice((*windowRow)(t.scratch), s.kh)
	iy := y*s.sh - s.padT
	for i := range rows {
		if iy >= 0 && iy < s.inH {
			rows[i] = windowRow{s.in.rowOffset(iy), s.in.pix}
		} else {
			rows[i] = windowRow{s.zeros, 0}
		}
		iy += s.dh
	}
	a.base, a.rows, a.height = t.arena, t.scratch, s.kh
	a.w, a.wstep, a.channels = t.depthwise.w, t.depthwise.wstep, s.channels
	a.out, a.outStep = t.at(s.out.rowOffset(y)), s.out.pix
	a.pixels, a.act = s.outW, s.act
	a.left, a.width = -s.padL, s.inW
	kernel(a)
	if s.epilogue.kernel != nil {
		s.epilogue.apply(t, a.out, a.outStep, a.out, a.outStep, s.outW, y, 0, s.outW, 0, s.channels)
	}
}
