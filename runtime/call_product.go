package runtime

import "unsafe"

// A product of two computed matrices runs on the convolution kernels: the right
// one is packed into panels of 16 columns, as weights are, with zeros for biases.
// So its sums are chains of fused multiply-adds from zero, as they are where the
// right matrix comes from the weights file.

// productPanels is where panels may begin in a thread's scratch: the bytes before
// them are the table of multiply.
const productPanels = (4*maxConvPixels + 63) &^ 63

// product is one matrix product. Rows of a are aStep bytes apart, their terms
// neighbours; rows of out are outStep bytes apart, their columns neighbours.
type product struct {
	rows, depth, columns int
	a                    unsafe.Pointer
	aStep                int
	panels               unsafe.Pointer
	half                 bool // they come from the weights file as float16
	out                  unsafe.Pointer
	outStep              int
}

// packPanels fills panels with columns of a matrix: columnStep bytes from column
// to column, depthStep from term to term.
func (t *thread) packPanels(panels, from unsafe.Pointer, columns, depth, columnStep, depthStep int) {
	for c := 0; c < columns; c += panelWidth {
		t.packPanel(unsafe.Add(panels, 4*c*(depth+1)), unsafe.Add(from, c*columnStep), min(columns-c, panelWidth), depth, columnStep, depthStep)
	}
}

// packPanel fills one panel with n columns.
func (t *thread) packPanel(panel, from unsafe.Pointer, n, depth, columnStep, depthStep int) {
	floats := unsafe.Slice((*float32)(panel), panelWidth*(depth+1))
	if n < panelWidth {
		clear(floats)
	} else {
		clear(floats[:panelWidth])
	}
	switch {
	case depthStep == 4:
		t.transpose(transposeArgs{out: unsafe.Add(panel, 4*panelWidth), in: from, rows: n, cols: depth, outStep: 4 * panelWidth, inStep: columnStep, planes: 1})
	case columnStep == 4 && n == panelWidth:
		to := unsafe.Add(panel, 4*panelWidth)
		for range depth {
			*(*[panelWidth]float32)(to) = *(*[panelWidth]float32)(from)
			to, from = unsafe.Add(to, 4*panelWidth), unsafe.Add(from, depthStep)
		}
	case columnStep == 4:
		for k := range depth {
			copy(floats[panelWidth*(k+1):][:n], unsafe.Slice((*float32)(unsafe.Add(from, k*depthStep)), n))
		}
	default:
		for k := range depth {
			for c := range n {
				floats[panelWidth*(k+1)+c] = *(*float32)(unsafe.Add(from, k*depthStep+c*columnStep))
			}
		}
	}
}

// multiply computes a product on this thread.
func (p *product) multiply(t *thread) {
	tab := kernels
	tiles := (p.rows + tab.mr - 1) / tab.mr
	panels := (p.columns + panelWidth - 1) / panelWidth
	most := tab.convFor(p.half).panelsFor(p.rows, tiles)
	groups := (panels + most - 1) / most
	table := (*[maxConvPixels]uint32)(t.scratch)
	for m := range table {
		table[m] = uint32(m * p.aStep)
	}
	a := &t.conv
	a.ind, a.taps, a.k = t.scratch, 1, p.depth
	a.wstep = panelBytes(p.depth, p.half)
	a.outStep = p.outStep
	a.act = actNone
	for g := range groups {
		first, end := panels*g/groups, panels*(g+1)/groups
		a.w = unsafe.Add(p.panels, first*a.wstep)
		a.last = min(p.columns-panelWidth*(end-1), panelWidth)
		for i := range tiles {
			row, next := p.rows*i/tiles, p.rows*(i+1)/tiles
			a.base = unsafe.Add(p.a, row*p.aStep)
			a.out = unsafe.Add(p.out, row*p.outStep+4*panelWidth*first)
			a.ahead, a.aheadStep = a.out, p.outStep
			tab.runTile(a, next-row, end-first, p.half)
		}
	}
}

// byWeights is the product of one row with a matrix that the weights file holds in
// panels. The thread's scratch has the table, and behind it what the kernel wants.
func byWeights(t *thread, w *callTensor, half bool, depth, columns int) product {
	return product{rows: 1, depth: depth, columns: columns, panels: t.at(w.off), half: half}
}

// times sets out to x times the matrix.
func (p *product) times(t *thread, x, out unsafe.Pointer) {
	p.a, p.out = x, out
	p.multiply(t)
}

// pass makes n elements of out by a pass of the step, of arrays in.
func (s *callStep) pass(t *thread, number, n int, out unsafe.Pointer, in *[maxMapInputs]unsafe.Pointer) {
	runPasses(t, s.passes[number:number+1], n, in, out)
}

// lstmStep makes a step's cell and hidden state, of the input's and the state's
// parts of the gates.
func (s *callStep) lstmStep(t *thread, n int, x, g, c []float32, out unsafe.Pointer) {
	at := func(v []float32, gate int) unsafe.Pointer { return unsafe.Pointer(&v[gate*n]) }
	cell := unsafe.Pointer(&c[0])
	s.pass(t, 0, n, cell, &[maxMapInputs]unsafe.Pointer{at(x, 0), at(g, 0), at(x, 1), at(g, 1), at(x, 3), at(g, 3), cell})
	s.pass(t, 1, n, out, &[maxMapInputs]unsafe.Pointer{at(x, 2), at(g, 2), cell})
}

// gruStep makes a step's state.
func (s *callStep) gruStep(t *thread, n int, x, g []float32, old, out unsafe.Pointer) {
	at := func(v []float32, gate int) unsafe.Pointer { return unsafe.Pointer(&v[gate*n]) }
	s.pass(t, 0, n, out, &[maxMapInputs]unsafe.Pointer{at(x, 0), at(g, 0), at(x, 1), at(g, 1), at(x, 2), at(g, 2), old})
}

// rnnStep makes a step's state.
func (s *callStep) rnnStep(t *thread, n int, x, g []float32, out unsafe.Pointer) {
	s.pass(t, 0, n, out, &[maxMapInputs]unsafe.Pointer{unsafe.Pointer(&x[0]), unsafe.Pointer(&g[0])})
}

// evenCuts is how many parts n columns make, none of more than so many panels.
func evenCuts(n, panels int) int {
	return ((n+panelWidth-1)/panelWidth + panels - 1) / panels
}

// cutAt is where part c begins, of parts that take whole panels, about as many each.
func cutAt(n, c, cuts int) int {
	return min(n, (n+panelWidth-1)/panelWidth*c/cuts*panelWidth)
}
