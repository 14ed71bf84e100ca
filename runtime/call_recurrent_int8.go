package runtime

import "unsafe"

// callRecurrentInt8 runs a recurrent layer over all steps with int8 weights, and
// with the state quantised in each step by its own largest value. ints: T H P
// reverse kind: 0 lstm, 1 gru, 2 rnn, then whether R is float16. In and Out are those
// of the kernel of that kind, but that W is in int8 panels, and behind it come its
// rows' factors (1/scale), and the bias of a gru's N. The sums are exact, times factor
// times the state's, and enter the formulas of the float kernels; a projection stays
// float. The thread's scratch holds the table of products, a float per row of W, H
// floats, and P bytes up to a multiple of four. Steps depend on each other, so one
// thread does them all.
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
	scratch := unsafe.Slice((*float32)(unsafe.Add(t.scratch, productPanels)), (gates+1)*r.hidden)
	r.sums, r.fresh = scratch[:gates*r.hidden], scratch[gates*r.hidden:]
	r.state = unsafe.Add(t.scratch, productPanels+4*len(scratch))
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
			s.rnnStep(t, r.hidden, x, r.sums, unsafe.Pointer(&y[0]))
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
	more                  []callTensor   // what follows: the new gate's bias, or the projection
	state                 unsafe.Pointer // quantised
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
	t, groups := r.t, (r.outputs+3)/4
	t.quantize = quantizeArgs{n: r.outputs, rows: 1, in: unsafe.Pointer(&h[0]), out: r.state, pad: 4*groups - r.outputs, scale: scale}
	quantizeKernel(&t.quantize)
	int8Product(t, t.at(r.w.off), r.state, groups, r.sums)
	for row := range r.sums {
		r.sums[row] = float32(r.sums[row] * float32(*r.factors.linear(t, row)*back))
	}
}

// int8Product sets out to the sums of products of x, groups of four int8, with the
// columns of panels whose factors are 1.
func int8Product(t *thread, panels, x unsafe.Pointer, groups int, out []float32) {
	tab, n := int8Kernels, (len(out)+panelWidth-1)/panelWidth
	most := tab.conv.panelsFor(1, 1)
	cuts := (n + most - 1) / most
	*(*uint32)(t.scratch) = 0
	a := &t.conv
	a.ind, a.taps, a.k = t.scratch, 1, groups
	a.wstep = int8Weights + 4*panelWidth*groups
	a.base, a.act, a.quantize, a.outStep = x, actNone, 0, 0
	for c := range cuts {
		first, end := n*c/cuts, n*(c+1)/cuts
		a.w = unsafe.Add(panels, first*a.wstep)
		a.out = unsafe.Pointer(&out[panelWidth*first])
		a.last = min(len(out)-panelWidth*(end-1), panelWidth)
		tab.runTileInt8(a, 1, end-first)
	}
}

// lstm makes one step of the cell state and of y.
func (r *recurrentInt8) lstm(x, y []float32) {
	c, n := r.s.out[2].slice(r.t, 0, r.hidden), r.hidden
	fresh := y
	if len(r.more) > 0 {
		fresh = r.fresh
	}
	r.s.lstmStep(r.t, n, x, r.sums, c, unsafe.Pointer(&fresh[0]))
	if len(r.more) == 0 {
		return
	}
	p := byWeights(r.t, &r.more[0], r.s.ints[5] != 0, n, r.outputs)
	p.times(r.t, unsafe.Pointer(&fresh[0]), unsafe.Pointer(&y[0]))
}

func (r *recurrentInt8) gru(x, h, y []float32) {
	n := r.hidden
	bias := r.more[0].slice(r.t, 0, n)
	for k, v := range bias {
		r.sums[2*n+k] += v
	}
	r.s.gruStep(r.t, n, x, r.sums, unsafe.Pointer(&h[0]), unsafe.Pointer(&y[0]))
}
