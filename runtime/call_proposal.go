package runtime

import (
	"math"
	"unsafe"
)

// callProposal turns the scores and box shifts of nine anchors per cell to regions.
// In: scores [H,W,18], boxes [H,W,36], image (height, width, scale). ints: H W
// stride base before after minSize rows; floats: overlap threshold. y: boxes
// [rows,4], scores [rows] where there are three outputs, and the number of rows
// found (int32). One thread does it. scratch: 24 bytes per anchor of all cells, then 16
// per row. passes: see suppress.
func callProposal(t *thread, s *callStep) {
	if t.claim() != 0 {
		return
	}
	p := s.ints
	h, w, stride, base := p[0], p[1], float32(p[2]), float32(p[3])
	height, width := *s.in[2].linear(t, 0), *s.in[2].linear(t, 1)
	least := float32(float32(p[6]) * *s.in[2].linear(t, 2))
	all := candidates(t, s, 0, 9*h*w)
	n := 0
	for q := range 9 {
		aw, ah := anchor(q, p[3])
		for cell := range h * w {
			y, x := cell/w, cell%w
			d := func(k int) float32 { return *s.in[1].at(t, 0, y, x, 4*q+k) }
			cx := float32(base*0.5) + float32(float32(x)*stride) + float32(aw*d(0))
			cy := float32(base*0.5) + float32(float32(y)*stride) + float32(ah*d(1))
			bw, bh := float32(aw*exp32(d(2))), float32(ah*exp32(d(3)))
			c := candidate{
				candidateKey(*s.in[0].at(t, 0, y, x, 9+q), q*h*w+cell),
				within(cx-float32(bw*0.5), width), within(cy-float32(bh*0.5), height),
				within(cx+float32(bw*0.5), width), within(cy+float32(bh*0.5), height),
			}
			if c.x2-c.x1+1 >= least && c.y2-c.y1+1 >= least {
				all[n] = c
				n++
			}
		}
	}
	if p[4] > 0 {
		n = bestFirst(all[:n], p[4])
	}
	n = suppress(t, s, int(unsafe.Sizeof(candidate{}))*9*h*w, all[:n], min(p[5], p[7]))
	boxes := &s.out[0]
	for r := range n {
		c := &all[r]
		for i, v := range [4]float32{c.x1, c.y1, c.x2, c.y2} {
			*boxes.linear(t, 4*r+i) = v
		}
		if len(s.out) > 2 {
			q, cell := c.number()/(h*w), c.number()%(h*w)
			*s.out[1].linear(t, r) = *s.in[0].at(t, 0, cell/w, cell%w, 9+q)
		}
	}
	if len(s.out) > 2 {
		endRows(t, s, &s.out[1], n, 1)
	}
	endRows(t, s, boxes, n, 4)
}

// within clamps a coordinate to an image of n cells.
func within(v, n float32) float32 { return max(min(v, n-1), 0) }

// anchor is the size of anchor q: of ratio 1/2, 1 or 2, and 8, 16 or 32 times the
// base's area.
func anchor(q, base int) (w, h float32) {
	ratio := [3]float64{0.5, 1, 2}[q/3]
	aw := math.Round(float64(base) / math.Sqrt(ratio))
	ah := math.Round(aw * ratio)
	scale := float64(int(8) << (q % 3))
	return float32(aw * scale), float32(ah * scale)
}
