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

// rowsForm is what tells the drivers of kernels of rows apart: bytes of an element of
// the input and of the output, of a panel, and the pixels of the largest tile.
type rowsForm struct{ in, out, panel, pixels int }

// runRows computes the step with a kernel of rows. A unit is some rows of some
// panels. It is computed panel by panel, so that what neighbouring rows share stays
// in L1.
func (s *depthwiseStep) runRows(t *thread, kernel func(*depthwiseRowsArgs), f rowsForm) {
	for u := s.units(t); u.next(t); {
		s.unitOfRows(t, kernel, f, &u, u.first)
		s.finish(t, &u)
	}
}

// depthwiseUnits are the units of a step: blocks of rows, each of as many cuts of panels; and the one
// at hand.
type depthwiseUnits struct {
	row0, rows, blocks, panels, cuts int

	y0, y1     int // its rows
	first, end int // its panels
}

// units cuts the step so that a unit is worth a claim: by rows first, but not in blocks of few
// rows, whose neighbours would be read twice.
func (s *depthwiseStep) units(t *thread) depthwiseUnits {
	row0, row1 := t.rowRange(s.outH)
	u := depthwiseUnits{row0: row0, rows: row1 - row0, panels: (s.channels + panelWidth - 1) / panelWidth}
	want := min(max(1, u.rows*s.outW*s.channels*s.kh*s.kw/depthwiseUnitMACs), convUnits)
	u.blocks = max(min(want, (u.rows+depthwiseUnitRows-1)/depthwiseUnitRows), (u.rows+depthwiseRows-1)/depthwiseRows)
	if b := evenly(u.blocks, len(t.team.threads)); u.rows >= depthwiseShareRows*b {
		u.blocks = b
	}
	u.cuts = min(u.panels, (want+u.blocks-1)/u.blocks)
	return u
}

// depthwiseShareRows is the least rows of a block that is made for each thread to have as many.
const depthwiseShareRows = 4

// next claims a unit, if there is one left.
func (u *depthwiseUnits) next(t *thread) bool {
	_, n, ok := t.claimNear(1, u.blocks*u.cuts)
	if !ok {
		return false
	}
	b, c := n/u.cuts, n%u.cuts
	u.y0, u.y1 = u.row0+u.rows*b/u.blocks, u.row0+u.rows*(b+1)/u.blocks
	u.first, u.end = u.panels*c/u.cuts, u.panels*(c+1)/u.cuts
	return true
}

// finish lets the epilogue follow on a unit.
func (s *depthwiseStep) finish(t *thread, u *depthwiseUnits) {
	if s.epilogue.kernel == nil {
		return
	}
	for y := u.y0; y < u.y1; y++ {
		out := t.at(s.out.rowOffset(y) + 4*panelWidth*u.first)
		s.epilogue.apply(t, out, s.out.pix, out, s.out.pix, s.outW, y, 0, s.outW,
			panelWidth*u.first, min(panelWidth*u.end, s.channels)-panelWidth*u.first)
	}
}

// tiles cuts a row into tiles of at most so many pixels: how many there are, the pixels of the
// larger ones, and how many of these; the others have one less.
func (s *depthwiseStep) tiles(most int) (tiles, tile, larger int) {
	tiles = (s.outW + most - 1) / most
	tile = (s.outW + tiles - 1) / tiles
	return tiles, tile, s.outW - (tile-1)*tiles
}

// unitOfRows computes the panels of a unit from first on.
func (s *depthwiseStep) unitOfRows(t *thread, kernel func(*depthwiseRowsArgs), f rowsForm, u *depthwiseUnits, first int) {
	a := &t.rowKernel
	a.kh = s.kh
	a.outStep, a.act = s.out.pix, s.act
	a.columns, a.stride = s.inW, s.sw
	tiles, tile, longer := s.tiles(f.pixels)
	most := s.tilesInL1(tile)
	left, right := s.inside()
	a.tile = tile
	for i := 0; i < tiles; i += most {
		// A strip of some tiles, whose first column is the kernel's.
		x, j := i*tile-max(0, i-longer), min(i+most, tiles)
		a.pixels = j*tile - max(0, j-longer) - x
		a.larger = tile*longer - x
		a.left, a.right, a.pad = left-x, right-x, s.padL-x*s.sw
		s.tableOfRows(t.scratch, u.y0, u.y1, x)
		for p := first; p < u.end; p++ {
			a.base, a.out = t.at(f.in*panelWidth*p), t.at(f.out*panelWidth*p)
			a.ind, a.at, a.rows = t.scratch, 0, u.y1-u.y0
			a.w = t.at(s.weights + f.panel*p)
			a.last = min(s.channels-panelWidth*p, panelWidth)
			kernel(a)
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
