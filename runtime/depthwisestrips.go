package runtime

import "unsafe"

// depthwiseStripKernels are kernels of strips by the width of windows and their distance.
type depthwiseStripKernels [maxRunWidth + 1][maxRunStride + 1]func(*depthwiseStripsArgs)

// depthwiseStripsArgs is what a kernel of strips reads. The kernel for windows of K by K cells at a
// distance of S both ways computes, for pixels x of rows y, and channels n of one panel at w,
//
//	acc := w[n]
//	for ky := range K {
//		row := table[y*S+ky]
//		for kx := range K {
//			c := x*S + kx - pad
//			cell := (base + row.off + c*row.tap)[n]   // 0 where c is not one of so many columns
//			acc = fma32(cell, w[16+(ky*K+kx)*16+n], acc)
//		}
//	}
//	(out + table[y*S+K-1].out + x*outStep)[n] = act(acc)
//
// It goes down strips of some pixels, one strip after the other. At most K/2 cells of a row's first window and of its last may lie
// beside the image. It asks for the cells that the table has so many bytes further on, and for the lines
// of the pixels there; so many more bytes of the table must be there.
type depthwiseStripsArgs struct {
	base     unsafe.Pointer // of the panel's first channel
	table    unsafe.Pointer // []depthwiseCells
	rows     int            // of pixels, at least 1
	pixels   int            // of a row, at least 1
	w        unsafe.Pointer
	out      unsafe.Pointer
	outStep  int
	channels int // bytes of floats; AVX2 takes multiples of 32
	act      int
	tile     int // pixels of a strip, where there is code for that, up to
	larger   int // this pixel, and one less beyond
	columns  int
	pad      int
	ahead    int
	wstep    int // bytes from panel to panel
}

// depthwiseCells is a row of cells in the table of a kernel of strips: bytes from base to the first column
// and from cell to cell, 0 where the row lies outside the image and one cell of
// zeros serves; and bytes from out to the row of pixels whose windows end with it.
type depthwiseCells struct{ off, tap, out int64 }

// stripsKernel is the kernel of strips for the step, or nil.
func (s *depthwiseStep) stripsKernel() func(*depthwiseStripsArgs) {
	if s.mult != 1 || s.dw != 1 || s.dh != 1 || s.kw > maxRunWidth || s.kh != s.kw || s.sw > maxRunStride || s.sh != s.sw ||
		s.padL > s.kw/2 || (s.outW-1)*s.sw+s.kw-s.padL-s.inW > s.kw/2 {
		return nil
	}
	if s.half {
		return kernels.depthwiseStripsHalf[s.kw][s.sw]
	}
	return kernels.depthwiseStrips[s.kw][s.sw]
}

// stripsAhead is the most rows of cells of the table beyond those of a unit: with these it is no larger than
// that of kernels of rows.
const stripsAhead = 4

// runStrips computes the step with a kernel of strips, and where the last panel has channels that it
// cannot make, that panel by one of rows. A unit is some rows of some panels.
func (s *depthwiseStep) runStrips(t *thread, kernel func(*depthwiseStripsArgs), rows func(*depthwiseRowsArgs), f rowsForm) {
	a := &t.strips
	a.pixels, a.outStep, a.act = s.outW, s.out.pix, s.act
	a.columns, a.pad, a.wstep = s.inW, s.padL, f.panel
	_, tile, larger := s.tiles(kernels.stripPixels[s.kw])
	a.tile, a.larger = tile, tile*larger
	whole := s.channels / panelWidth
	if s.channels%kernels.stripChannels == 0 {
		whole = (s.channels + panelWidth - 1) / panelWidth
	}
	walk := s.walk()
	a.ahead = walk.ahead * int(unsafe.Sizeof(depthwiseCells{}))
	table := (*[1 << 10]depthwiseCells)(t.scratch)
	for u := s.units(t); u.next(t); {
		first, end, n := u.first, min(u.end, whole), u.y1-u.y0
		step := max(1, end-first) // panels of a call
		next := [2]int{4 * panelWidth, 4 * panelWidth}
		if walk.across {
			step, next = 1, [2]int{tile * s.sw * s.in.pix, tile * s.out.pix}
		}
		s.tableOfCells(&u, table, walk.ahead, next)
		for y := 0; y < n; y += walk.rows {
			a.table, a.rows = unsafe.Pointer(&table[y*s.sh]), min(walk.rows, n-y)
			for p := first; p < end; p += step {
				a.base, a.out, a.w = t.at(f.in*panelWidth*p), t.at(f.out*panelWidth*p), t.at(s.weights+f.panel*p)
				a.channels = f.in * min(panelWidth*step, s.channels-panelWidth*p)
				kernel(a)
			}
		}
		if u.end > whole {
			s.unitOfRows(t, rows, f, &u, max(u.first, whole))
		}
		s.finish(t, &u)
	}
}

// stripsWalk is the way through a unit: by so many rows of pixels, across all strips of a panel or else through all panels of a strip,
// and by how many rows of cells are asked for before.
type stripsWalk struct {
	rows, ahead int
	across      bool
}

// walk chooses the way by what caches stand. Lines of pixels whose distance is a large power of two
// fall on few sets of L1: what is asked for too early is gone when it is needed, and to store many lines of one set
// takes tens of cycles for each. Then few rows are made of a panel before the next, whose lines fall on the sets beside. Large
// images come from L3: row by row, as its prefetchers like it.
func (s *depthwiseStep) walk() stripsWalk {
	const sets = 4096 // bytes from a line to the next one of its set
	w := stripsWalk{rows: depthwiseRows, ahead: 2}
	apart := s.out.pix & -s.out.pix
	switch {
	case apart >= sets:
		w.rows, w.ahead = max(1, kernels.stripRows-1), 0
	case apart == sets/2:
		w.rows, w.ahead = kernels.stripRows, 0
	case apart <= sets/16 && s.outW >= 8*runPixels:
		w.across, w.ahead = true, stripsAhead
	}
	return w
}

// tableOfCells fills the table for a unit's rows. Behind them come the first ones again, where the kernel goes
// on: so many bytes further in the input and in the output.
func (s *depthwiseStep) tableOfCells(u *depthwiseUnits, table *[1 << 10]depthwiseCells, ahead int, next [2]int) {
	n := (u.y1-u.y0-1)*s.sh + s.kh
	for i := range n {
		e := depthwiseCells{off: int64(s.zeros)}
		if iy := u.y0*s.sh - s.padT + i; iy >= 0 && iy < s.inH {
			e = depthwiseCells{off: int64(s.in.rowOffset(iy)), tap: int64(s.in.pix)}
		}
		e.out = int64(s.out.rowOffset(u.y0 + max(0, i-s.kh+1)/s.sh))
		table[i] = e
	}
	for i := range ahead {
		e := table[i%n]
		if e.tap != 0 {
			e.off += int64(next[0])
		}
		e.out += int64(next[1])
		table[n+i] = e
	}
}
