package runtime

import (
	"math"
	"unsafe"
)

// callDetectionOutput decodes boxes from priors, and suppresses per class. In:
// location [4*P], confidence [P*C] ([C,P] if mxnet), prior [2,4*P], variances in its
// second row ([P,4] if mxnet). ints: P C mxnet topK keep rows; floats: overlap and
// confidence thresholds, 4 variances. y [rows,6]: label score x1 y1 x2 y2 by
// descending score, and the number of rows found (int32). One thread does it.
// scratch: 16 bytes per prior, then 24 per prior, then 24 per box that may be kept of
// all classes, and 16 per box of one. passes: see suppress.
func callDetectionOutput(t *thread, s *callStep) {
	if t.claim() != 0 {
		return
	}
	p := s.ints
	priors, classes, mxnet, topK, keep := p[0], p[1], p[2] != 0, p[3], p[4]
	// A box is made when a class first finds it: till then it is NaN.
	boxes := unsafe.Slice((*[4]float32)(t.at(s.scratch)), priors)
	unmade := float32(math.NaN())
	for i := range boxes {
		boxes[i][0] = unmade
	}
	found := candidates(t, s, 16*priors, priors)
	all := candidates(t, s, 40*priors, classes*min(topK, priors))
	total := 0
	dense, first := s.in[1].dense(), unsafe.Pointer(s.in[1].linear(t, 0))
	for class := 1; class < classes; class++ {
		n := 0
		at, step := confidenceAt(class, 0, p), confidenceAt(class, 1, p)-confidenceAt(class, 0, p)
		for i := range boxes {
			v := float32(0)
			if dense {
				v = get32(first, 4*(at+i*step))
			} else {
				v = *s.in[1].linear(t, at+i*step)
			}
			if v > s.floats[1] {
				if boxes[i][0] != boxes[i][0] {
					boxes[i] = priorBox(t, s, i, priors, mxnet)
				}
				b := &boxes[i]
				found[n] = candidate{candidateKey(v, i), b[0], b[1], b[2], b[3]}
				n++
			}
		}
		n = bestFirst(found[:n], topK)
		n = suppress(t, s, 40*priors+24*classes*min(topK, priors), found[:n], n)
		for k := range n {
			c := found[k]
			v := *s.in[1].linear(t, confidenceAt(class, c.number(), p))
			// Of equal scores the lower class comes first, and within it the lower prior; the
			// number is what the row is written from.
			c.key = candidateKey(v, class*priors+c.number())
			all[total] = c
			total++
		}
	}
	n := min(bestFirst(all[:total], keep), p[5])
	for k := range n {
		c := &all[k]
		class, i := c.number()/priors, c.number()%priors
		putDetection(t, &s.out[0], k, class, *s.in[1].linear(t, confidenceAt(class, i, p)), c)
	}
	endRows(t, s, &s.out[0], n, 6)
}

// confidenceAt is the element of the confidences for a class and a prior.
func confidenceAt(class, prior int, ints []int) int {
	if ints[2] != 0 {
		return class*ints[0] + prior
	}
	return prior*ints[1] + class
}

// priorBox is prior i moved and scaled by its location.
func priorBox(t *thread, s *callStep, i, priors int, mxnet bool) [4]float32 {
	four := func(x *callTensor, first int) [4]float32 {
		if x.dense() {
			return *(*[4]float32)(unsafe.Pointer(x.linear(t, first)))
		}
		return [4]float32{*x.linear(t, first), *x.linear(t, first+1), *x.linear(t, first+2), *x.linear(t, first+3)}
	}
	loc, prior := four(&s.in[0], 4*i), four(&s.in[2], 4*i)
	v := [4]float32(s.floats[2:])
	if !mxnet {
		v = four(&s.in[2], 4*priors+4*i)
	}
	w, h := prior[2]-prior[0], prior[3]-prior[1]
	cx := float32(float32(v[0]*loc[0])*w) + float32((prior[0]+prior[2])*0.5)
	cy := float32(float32(v[1]*loc[1])*h) + float32((prior[1]+prior[3])*0.5)
	w = float32(exp32(float32(v[2]*loc[2])) * w)
	h = float32(exp32(float32(v[3]*loc[3])) * h)
	return [4]float32{cx - float32(w*0.5), cy - float32(h*0.5), cx + float32(w*0.5), cy + float32(h*0.5)}
}
