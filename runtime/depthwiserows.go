package runtime

import "unsafe"

// depthwiseRowKernels are kernels of rows by the width of windows and their distance.
type depthwiseRowKernels [maxRunWidth + 1][maxRunStride + 1]func(*depthwiseRowsArgs)

// depthwiseRowsArgs is what a kernel of rows reads. The kernel for windows of KW
// columns at a distance of SW computes, for pixels x of each row of some, and
// channels n of one panel at w,
//
//	out row, windows := the row's part of the table
//	acc := w[n]
//	for ky, row := range windows {
//		for kx := range KW {
//			cell := (base + row.off + kx*row.tap + x*row.pixel)[n]
//			acc = fma32(cell, w[16+(ky*KW+kx)*16+n], acc)
//		}
//	}
//	(out + out row + x*outStep)[n] = act(acc)
//
// Those of int8 images and panels have KH = 3 too, and finish sums as those of
// depthwiseArgs do. A cell is 0 whose column, x*stride+kx-pad, is not one of so many columns, as
// may be for pixels before left or from right on. It changes rows and at.
type depthwiseRowsArgs struct {
	base    unsafe.Pointer // of the panel's first channel
	ind     unsafe.Pointer // table: per row an int64 and [kh]depthwiseRow
	rows    int            // at least 1
	pixels  int            // at least 1
	kh      int
	w       unsafe.Pointer
	out     unsafe.Pointer
	outStep int
	last    int // channels of the panel, 1 to 16
	act     int
	at      int // bytes of the table that are done with, 0 to begin with
	tile    int // pixels of a tile, where there is code for that, up to
	larger  int // this pixel, and one less beyond
	left    int
	right   int
	columns int
	stride  int
	pad     int
	// down is for kernels of pairs: by how many rows of cells a row of pixels lies below
	// the one before, at most kh. Both read the same cells in the rows that they share.
	down int
	// quantize is for kernels of int8: what a result is multiplied by to be int8, or 0.
	quantize float32
}

// depthwiseRow is a row of windows in the table of a kernel of rows: bytes from base
// to the first cell of the first pixel, from cell to cell and from pixel to pixel.
// A row outside the image has all cells in one place, where zeros are.
type depthwiseRow struct {
	off        int64
	tap, pixel uint32
}

const (
	depthwiseUnitMACs = 1 << 16 // smallest unit worth a claim
	depthwiseUnitRows = 8       // least rows of a unit, about, where there are so many
	depthwiseRows     = 16      // most, for which there is a table
)

// depthwiseScratch is the bytes of per-thread scratch that a depthwise convolution
// needs.
func depthwiseScratch(kh, kw int) int {
	return max(convScratch(kh*kw), 8*depthwiseRows*(1+2*kh))
}

// rowsKernel is the kernel of rows for the step's windows, or nil.
func (s *depthwiseStep) rowsKernel() func(*depthwiseRowsArgs) {
	if s.mult != 1 || s.dw != 1 || s.kw > maxRunWidth || s.sw > maxRunStride {
		return nil
	}
	if s.half {
		return kernels.depthwiseRowsHalf[s.kw][s.sw]
	}
	return kernels.depthwiseRows[s.kw][s.sw]
}

// pairsKernel is the kernel of pairs of rows for the step's windows, or nil.
func (s *depthwiseStep) pairsKernel() func(*depthwiseRowsArgs) {
	switch {
	case s.dh != 1 || s.sh > s.kh:
		return nil
	case s.half:
		return kernels.depthwisePairsHalf[s.kw][s.sw]
	}
	return kernels.depthwisePairs[s.kw][s.sw]
}

// rowsForm is what tells the drivers of kernels of rows apart: bytes of an element of
// the input and of the output, of a panel, and the pixels of the largest tile; and the
// kernel that serves whole panels before, if there is one.
type rowsForm struct {
	in, out, panel, pixels int
	pairs                  func(*depthwiseRowsArgs)
}

// runRows computes the step with a kernel of rows. A unit is some rows of some
// panels. It is computed panel by panel, so that what neighbouring rows share stays
// in L1.
func (s *depthwiseStep) runRows(t *thread, kernel func(*depthwiseRowsArgs), f rowsForm) {
	row0, row1 := t.rowRange(s.outH)
	rows := row1 - row0
	taps := s.kh * s.kw
	panels := (s.channels + panelWidth - 1) / panelWidth
	// Cut so that a unit is worth a claim: by rows first, but not in strips of few
	// rows, whose neighbours would be read twice.
	want := min(max(1, rows*s.outW*s.channels*taps/depthwiseUnitMACs), convUnits)
	blocks := min(want, (rows+depthwiseUnitRows-1)/depthwiseUnitRows)
	blocks = max(blocks, (rows+depthwiseRows-2)/(depthwiseRows-1)) // a pair may make it one more
	cuts := min(panels, (want+blocks-1)/blocks)
	a := &t.rowKernel
	a.kh = s.kh
	a.outStep, a.act = s.out.pix, s.act
	a.columns, a.stride = s.inW, s.sw
	a.down = s.sh
	tiles := (s.outW + f.pixels - 1) / f.pixels
	tile := (s.outW + tiles - 1) / tiles
	longer := s.outW - (tile-1)*tiles // tiles of as many pixels, the others have one less
	most := s.tilesInL1(tile)
	left, right := s.inside()
	a.tile = tile
	if kernels.pairSizes>>tile&1 == 0 || longer < tiles && kernels.pairSizes>>(tile-1)&1 == 0 {
		f.pairs = nil
	}
	// Pairs of rows stay together.
	cut := func(b int) int {
		if b == blocks {
			return rows
		}
		return rows * b / blocks &^ 1
	}
	for {
		_, u, ok := t.claimNear(1, blocks*cuts)
		if !ok {
			return
		}
		b, c := u/cuts, u%cuts
		y0, y1 := row0+cut(b), row0+cut(b+1)
		first, end := panels*c/cuts, panels*(c+1)/cuts
		for i := 0; i < tiles; i += most {
			// A strip of some tiles, whose first column is the kernel's.
			x, j := i*tile-max(0, i-longer), min(i+most, tiles)
			a.pixels = j*tile - max(0, j-longer) - x
			a.larger = tile*longer - x
			a.left, a.right, a.pad = left-x, right-x, s.padL-x*s.sw
			s.tableOfRows(t.scratch, y0, y1, x)
			for p := first; p < end; p++ {
				a.base, a.out = t.at(f.in*panelWidth*p), t.at(f.out*panelWidth*p)
				a.ind, a.at, a.rows = t.scratch, 0, y1-y0
				a.w = t.at(s.weights + f.panel*p)
				a.last = min(s.channels-panelWidth*p, panelWidth)
				if f.pairs != nil && a.last == panelWidth && a.rows > 1 {
					a.rows &^= 1
					f.pairs(a)
					a.rows = (y1 - y0) & 1
				}
				if a.rows > 0 {
					kernel(a)
				}
			}
		}
		if s.epilogue.kernel != nil {
			for y := y0; y < y1; y++ {
				out := t.at(s.out.rowOffset(y) + 4*panelWidth*first)
				s.epilogue.apply(t, out, s.out.pix, out, s.out.pix, s.outW, y, 0, s.outW,
					panelWidth*first, min(panelWidth*end, s.channels)-panelWidth*first)
			}
		}
	}
}

// tilesInL1 is how many tiles of a row a strip should have, so that the cells that its
// rows have in common, and its output, stay in L1. One panel of pixels whose distance
// is a multiple of a large power of two falls on few sets of it.
func (s *depthwiseStep) tilesInL1(tile int) int {
	const ways, span = 8, 4096 // bytes between lines of one set
	lines := ways * span / 64
	if apart := s.in.pix & -s.in.pix; apart > 64 {
		lines = ways * max(1, span/apart)
	}
	return max(1, lines/(tile*(s.kh*s.sw+1)))
}

// tableOfRows fills the table for output rows y0 to y1 from column x on.
func (s *depthwiseStep) tableOfRows(at unsafe.Pointer, y0, y1, x int) {
	for y := y0; y < y1; y++ {
		*(*int64)(at) = int64(s.out.rowOffset(y) + x*s.out.pix)
		at = unsafe.Add(at, 8)
		for ky := range s.kh {
			row := (*depthwiseRow)(at)
			*row = depthwiseRow{off: int64(s.zeros)}
			if iy := y*s.sh - s.padT + ky*s.dh; iy >= 0 && iy < s.inH {
				*row = depthwiseRow{int64(s.in.rowOffset(iy) + (x*s.sw-s.padL)*s.in.pix), uint32(s.in.pix), uint32(s.sw * s.in.pix)}
			}
			at = unsafe.Add(at, 16)
		}
	}
}
