package runtime

import (
	"math"
	"unsafe"
)

// poolArgs is what a pooling kernel reads. It computes, for each channel n,
//
//	acc := first[n]
//	for i := range cells {
//		x := (base + ind[i])[n]
//		acc = x > acc ? x : acc   // or acc + x
//	}
//	out[n] = acc                      // or acc / divisor, where divide is not 0
//
// first may be out.
type poolArgs struct {
	base    unsafe.Pointer
	ind     unsafe.Pointer // [cells]uint32: bytes from base
	cells   int
	first   unsafe.Pointer
	out     unsafe.Pointer
	chans   int // at least 1
	divide  int
	divisor float32
}

// poolStep is a pooling of some output rows.
type poolStep struct {
	in, out        image
	max            bool // else average
	inH, inW       int
	channels       int
	outH, outW     int
	kh, kw, sh, sw int
	padT, padL     int
	countPad       bool // average over all kh*kw cells, those outside the image as zero
	adaptive       bool // windows are floor(i*in/out) .. ceil((i+1)*in/out)
}

// poolCells is how many cells one call of a kernel takes: a window with more is
// computed in several, the results so far in the output.
const poolCells = 256

// poolScratch is the bytes of per-thread scratch that a pooling needs.
const poolScratch = 4 * poolCells

// runPool computes a pooling. A unit is some output pixels of a row.
func runPool(t *thread, s *poolStep) {
	row0, row1 := t.rowRange(s.outH)
	rows := row1 - row0
	kernel := kernels.poolAvg
	if s.max {
		kernel = kernels.poolMax
	}
	cells := s.kh * s.kw
	if s.adaptive {
		cells = (s.inH + s.outH - 1) / s.outH * ((s.inW + s.outW - 1) / s.outW)
	}
	block := max(1, 1<<14/(cells*s.channels+64)) // pixels
	perRow := (s.outW + block - 1) / block
	cuts := 1 // of the channels, where there are few pixels
	if rows*s.outW < 8 {
		cuts = (s.channels + 511) / 512
	}
	for {
		_, u, ok := t.claimNear(1, rows*perRow*cuts)
		if !ok {
			return
		}
		cut := u % cuts
		c0, c1 := s.channels*cut/cuts, s.channels*(cut+1)/cuts
		u /= cuts
		y, x := row0+u/perRow, u%perRow*block
		t.pool.chans = c1 - c0
		s.run(t, kernel, 4*c0, y, x, min(x+block, s.outW))
	}
}

// window is the range of rows or columns of output i, cut to the image.
func (s *poolStep) window(i, in, out, k, stride, pad int) (lo, hi int) {
	if s.adaptive {
		return i * in / out, ((i+1)*in + out - 1) / out
	}
	lo = i*stride - pad
	return max(lo, 0), min(lo+k, in)
}

// run computes output pixels x to end of row y, from byte `skip` of each pixel on.
func (s *poolStep) run(t *thread, kernel func(*poolArgs), skip, y, x, end int) {
	a := &t.pool
	y0, y1 := s.window(y, s.inH, s.outH, s.kh, s.sh, s.padT)
	out := s.out.rowOffset(y)
	full := false // the table is that of the window before, which was full
	at := 0       // its first column
	for ; x < end; x++ {
		x0, x1 := s.window(x, s.inW, s.outW, s.kw, s.sw, s.padL)
		a.out = t.at(skip + out + x*s.out.pix)
		cells := max(0, y1-y0) * max(0, x1-x0)
		if cells == 0 {
			s.empty(a)
			continue
		}
		a.divisor = float32(cells)
		if s.countPad {
			a.divisor = float32(s.kh * s.kw)
		}
		if full && x1-x0 == s.kw {
			a.base = t.at(skip + (x0-at)*s.in.pix)
			a.first = unsafe.Add(a.base, *(*uint32)(t.scratch))
		} else {
			s.gather(t, kernel, skip, y0, y1, x0, x1)
			full = !s.adaptive && x1-x0 == s.kw && cells <= poolCells
			at = x0
		}
		kernel(a)
	}
}

// gather fills the table with the cells of a window, the first of which becomes
// a.first. Where the window has more than one table, all but the last are worked
// off.
func (s *poolStep) gather(t *thread, kernel func(*poolArgs), skip, y0, y1, x0, x1 int) {
	a := &t.pool
	a.base, a.first = t.at(skip), nil
	table := (*[poolCells]uint32)(t.scratch)
	n := 0
	for y := y0; y < y1; y++ {
		off := s.in.rowOffset(y) + x0*s.in.pix
		for x := x0; x < x1; x++ {
			if n == poolCells {
				s.flush(t, n)
				a.divide = 0
				kernel(a)
				a.first = a.out
				n = 0
			}
			table[n] = uint32(off)
			off += s.in.pix
			n++
		}
	}
	s.flush(t, n)
	a.divide = 0
	if !s.max {
		a.divide = 1
	}
}

// flush sets the arguments for n cells in the table.
func (s *poolStep) flush(t *thread, n int) {
	a := &t.pool
	a.ind, a.cells = t.scratch, n
	if a.first == nil {
		a.first = unsafe.Add(a.base, *(*uint32)(t.scratch))
		a.ind, a.cells = unsafe.Add(t.scratch, 4), n-1
	}
}

// empty writes the result of a window that has no cell inside the image: what
// padding with -FLT_MAX or with zeros gives, and no number for an average of no cells,
// with the same bits on every machine.
func (s *poolStep) empty(a *poolArgs) {
	v := math.Float32frombits(0x7FC00000)
	switch {
	case s.max:
		v = -0x1.fffffep127
	case s.countPad:
		v = 0
	}
	for n := range a.chans {
		putf32(a.out, n, v)
	}
}

func poolMaxPortable(a *poolArgs) {
	for n := range a.chans {
		acc := f32(a.first, n)
		for i := range a.cells {
			if x := f32(unsafe.Add(a.base, *(*uint32)(unsafe.Add(a.ind, 4*i))), n); x > acc {
				acc = x
			}
		}
		putf32(a.out, n, acc)
	}
}

func poolAvgPortable(a *poolArgs) {
	for n := range a.chans {
		acc := f32(a.first, n)
		for i := range a.cells {
			acc += f32(unsafe.Add(a.base, *(*uint32)(unsafe.Add(a.ind, 4*i))), n)
		}
		if a.divide != 0 {
			acc /= a.divisor
		}
		putf32(a.out, n, acc)
	}
}
