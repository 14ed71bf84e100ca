package runtime

import "unsafe"

// callRecurrentInt8 runs a recurrent layer over all steps with int8 weights, and
// with the state quantised in each step by its own largest value. ints: T H P
// reverse kind: 0 lstm, 1 gru, 2 rnn. In and Out are those of the kernel of that
// kind, but that W holds integers, and behind W come its rows' factors (1/scale).
// The sums are exact, times factor times the state's, and enter the formulas of the
// float kernels; a projection stays float. The thread's scratch holds P floats, one
// per row of W, and H. Steps depend on each other, so one thread does them all.
func callRecurrentInt8(t *thread, s *callStep) {
	if t.claim() != 0 {
		return
	}
	r := recurrentInt8{t: t, s: s, hidden: s.ints[1], outputs: s.ints[2], kind: s.ints[4]}
	steps, reverse := s.ints[0], s.ints[3] != 0
	gates, w := 4, 3
	switch r.kind {
	case 1:
		gates, w = 3, 2
	case 2:
		gates, w = 1, 2
	}
	r.w, r.factors, r.more = &s.in[w], &s.in[w+1], s.in[w+2:]
	scratch := unsafe.Slice((*float32)(t.scratch), r.outputs+(gates+1)*r.hidden)
	r.state, scratch = scratch[:r.outputs], scratch[r.outputs:]
	r.sums, r.fresh = scratch[:gates*r.hidden], scratch[gates*r.hidden:]
	if r.kind == 0 {
		copy(s.out[2].slice(t, 0, r.hidden), s.in[2].slice(t, 0, r.hidden))
	}
	h := s.in[1].slice(t, 0, r.outputs)
	for i := range steps {
		if reverse {
			i = steps - 1 - i
		}
		r.multiply(h)
		x, y := s.in[0].slice(t, i*gates*r.hidden, gates*r.hidden), s.out[0].slice(t, i*r.outputs, r.outputs)
		switch r.kind {
		case 0:
			r.lstm(x, y)
		case 1:
			r.gru(x, h, y)
		default:
			for n := range y {
				y[n] = tanh32(x[n] + r.sums[n])
			}
		}
		h = y
	}
	copy(s.out[1].slice(t, 0, r.outputs), h)
}

type recurrentInt8 struct {
	t                     *thread
	s                     *callStep
	hidden, outputs, kind int
	w, factors            *callTensor
	more                  []callTensor // what follows: the new gate's bias, or the projection
	state                 []float32    // quantised
	sums, fresh           []float32
}

// multiply quantises the state and multiplies W by it.
func (r *recurrentInt8) multiply(h []float32) {
	top := float32(0)
	for _, v := range h {
		if v < 0 {
			v = -v
		}
		if v > top {
			top = v
		}
	}
	scale, back := float32(1), float32(1)
	if top > 0 {
		scale, back = 127/top, top/127
	}
	for n, v := range h {
		r.state[n] = min(max(round32(v*scale), -127), 127)
	}
	for row := range r.sums {
		w := r.w.slice(r.t, row*r.outputs, r.outputs)
		// Products and sums of so few bits are exact in float64, in any order.
		var even, odd float64
		n := 0
		for ; n+1 < len(w); n += 2 {
			even += float64(r.state[n]) * float64(w[n])
			odd += float64(r.state[n+1]) * float64(w[n+1])
		}
		if n < len(w) {
			even += float64(r.state[n]) * float64(w[n])
		}
		r.sums[row] = float32(float32(even+odd) * float32(*r.factors.linear(r.t, row)*back))
	}
}

// lstm makes one step of the cell state and of y.
func (r *recurrentInt8) lstm(x, y []float32) {
	c, n := r.s.out[2].slice(r.t, 0, r.hidden), r.hidden
	fresh := y
	if len(r.more) > 0 {
		fresh = r.fresh
	}
	for k := range n {
		in, forget, out := sigmoid32(x[k]+r.sums[k]), sigmoid32(x[n+k]+r.sums[n+k]), sigmoid32(x[2*n+k]+r.sums[2*n+k])
		c[k] = fma32(forget, c[k], float32(in*tanh32(x[3*n+k]+r.sums[3*n+k])))
		fresh[k] = float32(out * tanh32(c[k]))
	}
	if len(r.more) == 0 {
		return
	}
	for k := range y {
		sum := float32(0)
		for j, v := range r.more[0].slice(r.t, k*n, n) {
			sum = fma32(fresh[j], v, sum)
		}
		y[k] = sum
	}
}

func (r *recurrentInt8) gru(x, h, y []float32) {
	n := r.hidden
	bias := r.more[0].slice(r.t, 0, n)
	for k := range y {
		reset, update := sigmoid32(x[k]+r.sums[k]), sigmoid32(x[n+k]+r.sums[n+k])
		v := tanh32(fma32(reset, r.sums[2*n+k]+bias[k], x[2*n+k]))
		y[k] = fma32(update, h[k], float32((1-update)*v))
	}
}
