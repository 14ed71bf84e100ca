package runtime

import "math"

// roiCall is a region of interest and the bins that it is pooled to.
type roiCall struct {
	h, w, channels   int
	rows, columns    int // bins
	outputs          int
	x1, y1, x2, y2   float32
	scale            float32
	x                *callTensor
	stepH, stepW     float32 // of a bin, in cells
	top, left        float32 // of the first bin
	ratio            int     // roi_align: samples per bin and axis, 0 by size
	aligned, version int
}

// roiOf reads what the three poolings of regions have in common. In: x [H,W,C],
// region (x1 y1 x2 y2 and more). ints: H W C PH PW outputs; floats: spatial scale.
func roiOf(t *thread, s *callStep) roiCall {
	p, r := s.ints, &s.in[1]
	return roiCall{
		h: p[0], w: p[1], channels: p[2], rows: p[3], columns: p[4], outputs: p[5], scale: s.floats[0], x: &s.in[0],
		x1: *r.linear(t, 0), y1: *r.linear(t, 1), x2: *r.linear(t, 2), y2: *r.linear(t, 3),
	}
}

// cells limits the range of cells from lo to hi to a plane's n; NaN make none.
func cells(lo, hi float32, n int) (int, int) {
	if !(lo < hi) {
		return 0, 0
	}
	return int(min(max(lo, 0), float32(n))), int(min(max(hi, 0), float32(n)))
}

// callRoiPool takes the largest cell of each bin, zero where it has none.
func callRoiPool(t *thread, s *callStep) {
	r := roiOf(t, s)
	x1, y1 := round32(r.x1*r.scale), round32(r.y1*r.scale)
	x2, y2 := round32(r.x2*r.scale), round32(r.y2*r.scale)
	// A border that is exact belongs to both bins, as in ncnn's builds with fast-math.
	stepW := math.Nextafter32(max(x2-x1+1, 1)/float32(r.columns), 0)
	stepH := math.Nextafter32(max(y2-y1+1, 1)/float32(r.rows), 0)
	for {
		u := t.claim()
		if u >= r.rows*r.columns {
			return
		}
		ph, pw := float32(u/r.columns), float32(u%r.columns)
		lo, hi := cells(y1+floor32(ph*stepH), y1+ceil32((ph+1)*stepH), r.h)
		left, right := cells(x1+floor32(pw*stepW), x1+ceil32((pw+1)*stepW), r.w)
		for q := range r.outputs {
			best := float32(0)
			if lo < hi && left < right {
				best = float32(math.Inf(-1))
			}
			for y := lo; y < hi; y++ {
				for x := left; x < right; x++ {
					if v := *r.x.at(t, 0, y, x, q); v > best {
						best = v
					}
				}
			}
			*s.out[0].linear(t, u*r.outputs+q) = best
		}
	}
}

// callPsroiPool averages each bin over a channel of its own.
func callPsroiPool(t *thread, s *callStep) {
	r := roiOf(t, s)
	x1, y1 := float32(round32(r.x1)*r.scale), float32(round32(r.y1)*r.scale)
	x2, y2 := float32(round32(r.x2+1)*r.scale), float32(round32(r.y2+1)*r.scale)
	stepW, stepH := max(x2-x1, 0.1)/float32(r.columns), max(y2-y1, 0.1)/float32(r.rows)
	for {
		u := t.claim()
		if u >= r.rows*r.columns {
			return
		}
		ph, pw := u/r.columns, u%r.columns
		lo, hi := cells(floor32(y1+float32(float32(ph)*stepH)), ceil32(y1+float32(float32(ph+1)*stepH)), r.h)
		left, right := cells(floor32(x1+float32(float32(pw)*stepW)), ceil32(x1+float32(float32(pw+1)*stepW)), r.w)
		for q := range r.outputs {
			sum, n := float32(0), 0
			for y := lo; y < hi; y++ {
				for x := left; x < right; x++ {
					sum += *r.x.at(t, 0, y, x, (q*r.rows+ph)*r.columns+pw)
					n++
				}
			}
			*s.out[0].linear(t, u*r.outputs+q) = sum / float32(max(n, 1))
		}
	}
}

// callRoiAlign averages samples between cells. ints go on: sampling ratio (0: by
// size), aligned, version (1: as in detectron2).
func callRoiAlign(t *thread, s *callStep) {
	r := roiOf(t, s)
	r.ratio, r.aligned, r.version = s.ints[6], s.ints[7], s.ints[8]
	r.left, r.top = float32(r.x1*r.scale), float32(r.y1*r.scale)
	w, h := float32(r.x2*r.scale)-r.left, float32(r.y2*r.scale)-r.top
	if r.aligned != 0 {
		r.left, r.top = r.left-0.5, r.top-0.5
	} else {
		w, h = max(w, 1), max(h, 1)
	}
	r.stepW, r.stepH = w/float32(r.columns), h/float32(r.rows)
	for {
		u := t.claim()
		if u >= r.rows*r.columns {
			return
		}
		r.align(t, s, u)
	}
}

// samples is the number of samples of a bin of so many cells along one axis; a
// bin of more than any image's cells, or of none, has none.
func (r *roiCall) samples(size float32) int {
	if r.ratio > 0 {
		return r.ratio
	}
	if !(size > 0 && size < 1<<20) {
		return 0
	}
	return int(ceil32(size))
}

// align computes bin u.
func (r *roiCall) align(t *thread, s *callStep, u int) {
	ph, pw := u/r.columns, u%r.columns
	top, left := r.top+float32(float32(ph)*r.stepH), r.left+float32(float32(pw)*r.stepW)
	ny, nx := r.samples(r.stepH), r.samples(r.stepW)
	if r.version == 0 {
		bottom, right := r.top+float32(float32(ph+1)*r.stepH), r.left+float32(float32(pw+1)*r.stepW)
		top, bottom = clampTo(top, r.h), clampTo(bottom, r.h)
		left, right = clampTo(left, r.w), clampTo(right, r.w)
		ny, nx = 0, 0
		if bottom > top && right > left {
			ny, nx = r.samples(bottom-top), r.samples(right-left)
		}
	}
	for q := range r.outputs {
		sum := float32(0)
		for by := range ny {
			y := top + float32((float32(by)+0.5)*r.stepH)/float32(ny)
			for bx := range nx {
				x := left + float32((float32(bx)+0.5)*r.stepW)/float32(nx)
				if r.version != 0 {
					if y < -1 || y > float32(r.h) || x < -1 || x > float32(r.w) {
						continue
					}
					y, x = max(y, 0), max(x, 0)
				}
				c := cornersOf(min(y, float32(r.h-1)), min(x, float32(r.w-1)), r.h, r.w)
				sum += c.read(t, r.x, q)
			}
		}
		*s.out[0].linear(t, u*r.outputs+q) = sum / float32(max(ny*nx, 1))
	}
}

func clampTo(v float32, n int) float32 { return min(max(v, 0), float32(n)) }
