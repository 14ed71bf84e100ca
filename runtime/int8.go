package runtime

import "unsafe"

// Int8 panels begin with 16 float32 factors and 16 float32 biases; those of a
// convolution go on with 16 int32 and groups of four input channels, [16][4]int8
// each, those of a depthwise one with [taps][16]int8. A sum s becomes
// float32(s)*factor + bias: rounded each time, and not fused. A bias that is not
// there is -0, which changes no number. The int32 are -128 times the sum of the
// channel's weights, for kernels that add 128 to activations to have them unsigned.
const (
	int8Bias      = 4 * panelWidth
	int8Offset    = 8 * panelWidth
	int8Weights   = 12 * panelWidth
	int8Depthwise = 8 * panelWidth
)

// int8Kernels is the table in use; its kernels take int8 images and panels. Those
// of convolutions take convArgs in which k counts groups of four channels, and
// compute, with w at panel p,
//
//	sum := int32(0)
//	for t := range taps {
//		a := base + ind[t*MR+m]
//		for c := range 4*k {
//			sum += a[c] * weights[(t*k+c/4)*64+n*4+c%4]
//		}
//	}
//	out[m*outStep+p*16+n] = act(float32(sum)*w[n] + w[16+n])
//
// where sums are exact. Those of depthwise convolutions likewise take
// depthwiseArgs; what they read of a pixel's channels they read by four. Where the
// arguments' quantize is not 0 they round the results times quantize to int8, as
// quantizeArgs says, and the output's channels are a multiple of four.
var int8Kernels = &portableInt8

var portableInt8 = kernelTable{
	name: "portable",
	mr:   maxPortablePixels,
	conv: convKernels{1: {
		1: func(a *convArgs) { convInt8Portable(a, 1) },
		2: func(a *convArgs) { convInt8Portable(a, 2) },
		3: func(a *convArgs) { convInt8Portable(a, 3) },
		4: func(a *convArgs) { convInt8Portable(a, 4) },
	}},
	depthwise: portableDepthwiseInt8,
}

var portableDepthwiseInt8 = [maxDepthwisePixels + 1]func(*depthwiseArgs){
	1: func(a *depthwiseArgs) { depthwiseInt8(a, 1, 1, 0) },
	4: func(a *depthwiseArgs) { depthwiseInt8(a, 4, 1, 0) },
}

func s8(p unsafe.Pointer, i int) int32 { return int32(*(*int8)(unsafe.Add(p, i))) }

// dequantized is a sum as float32, times the factor of channel n of the panel at
// w, plus its bias.
func dequantized(sum int32, w unsafe.Pointer, n, act int) float32 {
	v := float32(float32(sum)*f32(w, n)) + f32(unsafe.Add(w, int8Bias), n)
	if act == actRelu {
		return relu32(v)
	}
	return v
}

// putInt8 stores v as channel n: as it is where quantize is 0, else as int8.
func putInt8(out unsafe.Pointer, n int, v, quantize float32) {
	if quantize == 0 {
		putf32(out, n, v)
	} else {
		*(*int8)(unsafe.Add(out, n)) = quantized(float32(v * quantize))
	}
}

// convInt8Portable is the kernel of mr pixels and one panel, four channels at a
// time.
func convInt8Portable(a *convArgs, mr int) {
	for m := range mr {
		out := unsafe.Add(a.out, m*a.outStep)
		for n := 0; n < a.last; n += 4 {
			w := unsafe.Add(a.w, int8Weights+4*n)
			var s [4]int32
			for t := range a.taps {
				x := unsafe.Add(a.base, *(*uint32)(unsafe.Add(a.ind, 4*(t*mr+m))))
				for range a.k {
					x0, x1, x2, x3 := s8(x, 0), s8(x, 1), s8(x, 2), s8(x, 3)
					s[0] += x0*s8(w, 0) + x1*s8(w, 1) + x2*s8(w, 2) + x3*s8(w, 3)
					s[1] += x0*s8(w, 4) + x1*s8(w, 5) + x2*s8(w, 6) + x3*s8(w, 7)
					s[2] += x0*s8(w, 8) + x1*s8(w, 9) + x2*s8(w, 10) + x3*s8(w, 11)
					s[3] += x0*s8(w, 12) + x1*s8(w, 13) + x2*s8(w, 14) + x3*s8(w, 15)
					x, w = unsafe.Add(x, 4), unsafe.Add(w, 4*panelWidth)
				}
			}
			for i := range min(4, a.last-n) {
				putInt8(out, n+i, dequantized(s[i], a.w, n+i, a.act), a.quantize)
			}
		}
	}
}

// depthwiseInt8 is the depthwise kernel of mr pixels, where each input channel
// makes mult output channels; first is the number of those that belong to earlier
// slices.
func depthwiseInt8(a *depthwiseArgs, mr, mult, first int) {
	for n := range panelWidth*(a.panels-1) + a.last {
		panel := unsafe.Add(a.w, n/panelWidth*a.wstep)
		c := (first + n) / mult
		for m := range mr {
			sum := int32(0)
			w := unsafe.Add(panel, int8Depthwise+n%panelWidth)
			for tap := range a.taps {
				x := unsafe.Add(a.base, *(*uint32)(unsafe.Add(a.ind, 4*(tap*mr+m))))
				sum += s8(x, c) * s8(w, panelWidth*tap)
			}
			putInt8(unsafe.Add(a.out, m*a.outStep), n, dequantized(sum, panel, n%panelWidth, a.act), a.quantize)
		}
	}
}

// int8Step is one slice of a convolution of int8 images: inC counts groups of four
// channels. Where quantize is not 0 the output is int8 too, made of what comes
// behind the epilogue times quantize.
type int8Step struct {
	convStep
	quantize float32
	aside    int // of a tile that has an epilogue before it is made int8, from the start of the thread's scratch
}

// runConvInt8 computes a slice. Tiles are cut as those of runConv are.
func runConvInt8(t *thread, step *int8Step) {
	tab, s := int8Kernels, &step.convStep
	size := 4 // of an output element
	if step.quantize != 0 {
		size = 1
	}
	if t.part.panels != 0 {
		part := *s
		part.cut(t.part, size)
		s = &part
	}
	row0, row1 := t.rowRange(s.outH)
	if s.in.ring|s.out.ring != 0 {
		straight := s.straight(row0, row1)
		s = &straight
	}
	image, firstRow := s, row0
	if s.pointwise() {
		line := *s
		line.in.off += row0 * s.in.row
		line.out.off += row0 * s.out.row
		line.inH, line.inW = 1, (row1-row0)*s.inW
		line.outH, line.outW = 1, line.inW
		row0, row1, s = 0, 1, &line
	}
	g := s.tiling(tab, row1-row0)
	g.shareOut(len(t.team.threads))
	panels := (s.channels + panelWidth - 1) / panelWidth
	a := &t.conv
	a.ind = t.scratch
	a.wstep = int8Weights + 4*panelWidth*s.kh*s.kw*s.inC
	a.outStep = s.out.pix
	a.act = s.act
	aside := size == 1 && s.epilogue.kernel != nil
	a.quantize = step.quantize
	if aside {
		a.quantize = 0
	}
	for {
		c, b, ok := t.claimNear(g.chunks, g.blocks)
		if !ok {
			return
		}
		group0, group1 := g.groups*c/g.chunks, g.groups*(c+1)/g.chunks
		var table convTable
		for i := g.tiles * b / g.blocks; i < g.tiles*(b+1)/g.blocks; i++ {
			run, j := i/g.perRun, i%g.perRun
			p0, p1 := g.runPixels*j/g.perRun, g.runPixels*(j+1)/g.perRun
			y, x := row0+run+p0/s.outW, p0%s.outW
			mr := p1 - p0
			s.indirect(t, &table, y, x, mr)
			row := s.out.rowOffset(y) + x*s.out.pix
			for n := group0; n < group1; n++ {
				first, end := panels*n/g.groups, panels*(n+1)/g.groups
				out := t.at(row + size*panelWidth*first)
				a.out = out
				if aside {
					a.out, a.outStep = unsafe.Add(t.scratch, step.aside), 4*panelWidth*(end-first)
				}
				a.w = t.at(s.weights + first*a.wstep)
				a.last = min(s.channels-panelWidth*(end-1), panelWidth)
				tab.runTileInt8(a, mr, end-first)
				channels := panelWidth*(end-first-1) + a.last
				if s.epilogue.kernel != nil {
					p := (y-row0)*s.outW + x
					s.epilogue.apply(t, a.out, a.outStep, a.out, a.outStep, image.outW, firstRow+p/image.outW, p%image.outW,
						mr, panelWidth*first, channels)
				}
				if aside {
					t.quantize = quantizeArgs{
						n: channels, rows: mr, in: a.out, inStep: a.outStep, out: out, outStep: s.out.pix, scale: step.quantize,
					}
					quantizeKernel(&t.quantize)
				}
			}
		}
	}
}

// runTileInt8 runs the kernel for mr pixels and np panels or, panel by panel, the
// portable one.
func (tab *kernelTable) runTileInt8(a *convArgs, mr, np int) {
	if f := tab.conv[np][mr]; f != nil {
		f(a)
		return
	}
	last, out, w := a.last, a.out, a.w
	for p := range np {
		a.last = panelWidth
		if p == np-1 {
			a.last = last
		}
		convInt8Portable(a, mr)
		if a.quantize == 0 {
			a.out = unsafe.Add(a.out, 4*panelWidth)
		} else {
			a.out = unsafe.Add(a.out, panelWidth)
		}
		a.w = unsafe.Add(a.w, a.wstep)
	}
	a.last, a.out, a.w = last, out, w
}

// int8DepthwiseBytes is the size of a depthwise panel.
func int8DepthwiseBytes(taps int) int { return (int8Depthwise + panelWidth*taps + 63) &^ 63 }

// depthwiseInt8Step is one slice of a depthwise convolution of an int8 image.
type depthwiseInt8Step struct {
	depthwiseStep
	quantize float32 // as in int8Step
	aside    int
}

// rowsKernel is the kernel of rows for the step's windows, or nil.
func (s *depthwiseInt8Step) rowsKernel() func(*depthwiseRowsArgs) {
	if s.mult != 1 || s.kh != 3 || s.kw != 3 || s.dw != 1 || s.sw > maxRunStride || s.makesAside() {
		return nil
	}
	return int8Kernels.depthwiseRows[s.kw][s.sw]
}

// runDepthwiseInt8 computes a slice. A unit is some rows.
func runDepthwiseInt8(t *thread, s *depthwiseInt8Step) {
	if f := s.rowsKernel(); f != nil {
		size := 4 // of an output element
		if s.quantize != 0 {
			size = 1
		}
		t.rowKernel.quantize = s.quantize
		s.runRows(t, f, rowsForm{1, size, int8DepthwiseBytes(s.kh * s.kw), int8Kernels.rowPixels})
		return
	}
	row0, row1 := t.rowRange(s.outH)
	rows := row1 - row0
	taps := s.kh * s.kw
	a := &t.depthwise
	a.ind = t.scratch
	a.taps = taps
	a.w = t.at(s.weights)
	a.wstep = int8DepthwiseBytes(taps)
	a.panels = (s.channels + panelWidth - 1) / panelWidth
	a.outStep = s.out.pix
	a.quantize = s.quantize
	if s.makesAside() {
		a.outStep = 4 * panelWidth * a.panels
		a.quantize = 0
	}
	a.last = s.channels - panelWidth*(a.panels-1)
	a.act = s.act
	work := max(1, s.outW*s.channels*taps)
	block := min(max(1, 1<<16/work), max(1, rows/convUnits))
	for {
		_, lo, ok := t.claimNear(1, (rows+block-1)/block)
		if !ok {
			return
		}
		lo *= block
		for y := row0 + lo; y < row0+min(lo+block, rows); y++ {
			s.row(t, y)
		}
	}
}

// makesAside tells that results are changed by an epilogue before they are rounded.
func (s *depthwiseInt8Step) makesAside() bool { return s.quantize != 0 && s.epilogue.kernel != nil }

// row computes output row y.
func (s *depthwiseInt8Step) row(t *thread, y int) {
	a := &t.depthwise
	y0 := y*s.sh - s.padT
	inside := y0 >= 0 && y0+(s.kh-1)*s.dh < s.inH
	table := 0 // pixels of the table that serves wherever windows lie inside the image
	first := 0 // column that it was made for
	for x := 0; x < s.outW; {
		n := 1
		if s.outW-x >= maxDepthwisePixels {
			n = maxDepthwisePixels
		}
		x0 := x*s.sw - s.padL
		within := inside && x0 >= 0 && x0+(n-1)*s.sw+(s.kw-1)*s.dw < s.inW
		if within && table == n {
			a.base = t.at((x - first) * s.sw * s.in.pix)
		} else {
			a.base = t.arena
			s.indirect(t, y0, x, n)
			table = 0
			if within {
				table, first = n, x
			}
		}
		s.kernel(t, y, x, n)
		x += n
	}
}

// kernel computes n pixels from (y, x) on.
func (s *depthwiseInt8Step) kernel(t *thread, y, x, n int) {
	a := &t.depthwise
	out := t.at(s.out.rowOffset(y) + x*s.out.pix)
	a.out = out
	if s.makesAside() {
		a.out = unsafe.Add(t.scratch, s.aside)
	}
	if s.mult == 1 {
		int8Kernels.depthwise[n](a)
	} else {
		depthwiseInt8(a, n, s.mult, s.firstChannel%s.mult)
	}
	if s.epilogue.kernel != nil {
		s.epilogue.apply(t, a.out, a.outStep, a.out, a.outStep, s.outW, y, x, n, 0, s.channels)
	}
	if s.makesAside() {
		t.quantize = quantizeArgs{
			n: s.channels, rows: n, in: a.out, inStep: a.outStep, out: out, outStep: s.out.pix, scale: s.quantize,
		}
		quantizeKernel(&t.quantize)
	}
}
