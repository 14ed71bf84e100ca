package runtime

import (
	"math"
	"unsafe"
)

// callYolov3Output and callYolov2Output find boxes in the heads of a detector. In:
// heads [H,W,boxes*(5+classes)]. ints: heads classes boxes, then H W of each;
// floats: confidence and overlap thresholds, then per head net width, net height,
// and width and height of each box. y [rows,6] and the number of rows as those of
// detection_output. The score of version 3 is one quotient, that of version 2 a
// sigmoid times a softmax over the classes. scratch: 24 bytes per box of all heads, then
// 16. passes: see suppress.
func callYolov3Output(t *thread, s *callStep) { callYolo(t, s, false) }

func callYolov2Output(t *thread, s *callStep) { callYolo(t, s, true) }

// yoloHead is a head that boxes are read from.
type yoloHead struct {
	x                    *callTensor
	h, w, classes, boxes int
	first                int // number of its first box
	netW, netH           float32
	anchors              []float32
	version2             bool
	y, column, box, top  int            // the present box: cell, which of the cell's, best class
	cell                 unsafe.Pointer // its first channel
	step                 int            // bytes from channel to channel
	score                float32
}

// head is head i; boxes are numbered by head, box of a cell, row and column.
func (s *callStep) head(i int, version2 bool) yoloHead {
	boxes := s.ints[2]
	h := yoloHead{x: &s.in[i], h: s.ints[3+2*i], w: s.ints[4+2*i], classes: s.ints[1], boxes: boxes, version2: version2}
	for k := range i {
		h.first += s.ints[3+2*k] * s.ints[4+2*k] * boxes
	}
	f := s.floats[2+i*(2+2*boxes):]
	h.netW, h.netH, h.anchors = f[0], f[1], f[2:2+2*boxes]
	return h
}

// place makes box n of the head the present one.
func (h *yoloHead) place(t *thread, n int) {
	h.column, n = n%h.w, n/h.w
	h.y, h.box = n%h.h, n/h.h
	h.cell = unsafe.Pointer(h.x.at(t, 0, h.y, h.column, h.box*(5+h.classes)))
	h.step = h.x.strides[3]
}

// unlikely is an objectness below which no box has a score of least, by more than any
// rounding makes of a sigmoid; NaN where there is none, or so near one that rounding counts.
func unlikely(least float32) float32 {
	if !(least < 0.999) {
		return float32(math.NaN())
	}
	v := math.Log(float64(least) / (1 - float64(least)))
	return float32(v - 0.001*math.Abs(v) - 0.001)
}

// seek finds the score and the class of the present box, and tells whether the score
// is at least least; of a box whose objectness alone says that it is not, neither.
func (h *yoloHead) seek(least, unlikely float32) bool {
	object := h.at(4)
	if object < unlikely {
		return false
	}
	// What the objectness is divided by is at least 1 for either version, and a
	// rounded quotient is no larger for a larger divisor.
	var miss, most float32
	if h.version2 {
		most = sigmoid32(object)
	} else {
		miss = exp32(-object)
		most = 1 / (1 + miss)
	}
	if most < least {
		return false
	}
	best := h.class()
	if h.version2 {
		sum := float32(0)
		for c := range h.classes {
			sum += exp32(h.at(5+c) - best)
		}
		h.score = most / sum
	} else {
		h.score = 1 / (1 + float32(miss*(1+exp32(-best))))
	}
	return !(h.score < least)
}

// class finds the best class of the present box and returns its value.
func (h *yoloHead) class() float32 {
	h.top = 0
	best := h.at(5)
	for c, off := 1, 6*h.step; c < h.classes; c, off = c+1, off+h.step {
		if v := get32(h.cell, off); v > best {
			h.top, best = c, v
		}
	}
	return best
}

// at is channel q of the present box.
func (h *yoloHead) at(q int) float32 { return get32(h.cell, q*h.step) }

// corners are those of the present box, of an image of one by one.
func (h *yoloHead) corners() candidate {
	cx := (float32(h.column) + sigmoid32(h.at(0))) / float32(h.w)
	cy := (float32(h.y) + sigmoid32(h.at(1))) / float32(h.h)
	w := float32(exp32(h.at(2))*h.anchors[2*h.box]) / h.netW
	e := float32(exp32(h.at(3))*h.anchors[2*h.box+1]) / h.netH
	return candidate{0, cx - float32(w*0.5), cy - float32(e*0.5), cx + float32(w*0.5), cy + float32(e*0.5)}
}

func callYolo(t *thread, s *callStep, version2 bool) {
	if t.claim() != 0 {
		return
	}
	most := 0
	for i := range s.in {
		most += s.ints[3+2*i] * s.ints[4+2*i] * s.ints[2]
	}
	all := candidates(t, s, 0, most)
	n := 0
	least := s.floats[0]
	bound := unlikely(least)
	for i := range s.in {
		h := s.head(i, version2)
		for k := range h.h * h.w * h.boxes {
			if h.place(t, k); !h.seek(least, bound) {
				continue
			}
			all[n] = h.corners()
			all[n].key = candidateKey(h.score, h.first+k)
			n++
		}
	}
	y := &s.out[0]
	n = suppress(t, s, int(unsafe.Sizeof(candidate{}))*most, all[:n], y.len()/6)
	for r := range n {
		at := all[r].number()
		i := len(s.in) - 1
		for s.head(i, version2).first > at {
			i--
		}
		h := s.head(i, version2)
		h.place(t, at-h.first)
		h.class()
		putDetection(t, y, r, h.top+1, all[r].score(), &all[r])
	}
	endRows(t, s, y, n, 6)
}
