//go:build linux

package kernels

import (
	"fmt"
	"math/rand"
	"reflect"
	"testing"
	"unsafe"

	"github.com/flexnnc/flexnnc/avo/kernel/conv"
)

// TestOffsets compares the offsets in the assembly with the structs.
func TestOffsets(t *testing.T) {
	structs := map[string]reflect.Type{
		"conv": reflect.TypeFor[convArgs](), "depthwise": reflect.TypeFor[depthwiseArgs](), "rows": reflect.TypeFor[depthwiseRowsArgs](), "pool": reflect.TypeFor[poolArgs](),
		"run": reflect.TypeFor[depthwiseRunArgs](), "transpose": reflect.TypeFor[transposeArgs](), "strips": reflect.TypeFor[depthwiseStripsArgs](),
		"quantize": reflect.TypeFor[quantizeArgs](), "blend": reflect.TypeFor[blendArgs](),
	}
	for name, fields := range conv.Offsets() {
		typ, ok := structs[name]
		if !ok {
			if fields["relu"] != actRelu {
				t.Errorf("the assembly's relu is %d, the runtime's %d", fields["relu"], actRelu)
			}
			continue
		}
		if typ.NumField() != len(fields) {
			t.Errorf("%s has %d fields, the assembly knows %d", name, typ.NumField(), len(fields))
		}
		for f, off := range fields {
			if sf, ok := typ.FieldByName(f); !ok || int(sf.Offset) != off {
				t.Errorf("%s.%s is at %d, the assembly takes it at %d", name, f, sf.Offset, off)
			}
		}
	}
}

// convOperands makes the arguments of a kernel call whose every operand ends at a
// guard page, and returns the output.
func convOperands(t testing.TB, r *rand.Rand, mr, np, taps, k, last, kind int, half bool) (*convArgs, []float32) {
	cells := guarded(t, taps*mr*k)
	w := guarded(t, np*panelBytes(taps*k, half)/4)
	values(r, cells, kind)
	panelValues(r, w, np, taps*k, kind, half)
	order := r.Perm(taps * mr)
	ind := guarded(t, taps*mr)
	table := unsafe.Slice((*uint32)(unsafe.Pointer(&ind[0])), taps*mr)
	for i := range table {
		table[i] = uint32(4 * k * order[i])
	}
	width := panelWidth*(np-1) + last
	step := width + r.Intn(3)
	out := guarded(t, step*(mr-1)+width)
	return &convArgs{
		base: unsafe.Pointer(&cells[0]), ind: unsafe.Pointer(&ind[0]), taps: taps, k: k,
		w: unsafe.Pointer(&w[0]), wstep: panelBytes(taps*k, half),
		out: unsafe.Pointer(&out[0]), outStep: 4 * step, last: last,
	}, out
}

// convNaive is one element of a kernel's result, straight from its definition.
func convNaive(a *convArgs, mr, m, n int, half bool) float32 {
	w := unsafe.Add(a.w, n/panelWidth*a.wstep)
	acc := f32(w, n%panelWidth)
	for i := range a.taps * a.k {
		cell := *(*uint32)(unsafe.Add(a.ind, 4*(i/a.k*mr+m)))
		acc = fma32(f32(unsafe.Add(a.base, cell), i%a.k), panelWeight(w, i, n%panelWidth, half), acc)
	}
	if a.act == actRelu {
		acc = relu32(acc)
	}
	return acc
}

// forTables runs a subtest per instruction set of this CPU, the portable one included.
func forTables(t *testing.T, f func(*testing.T, *kernelTable)) {
	tables := append([]*kernelTable{&portableKernels}, assemblyTables()...)
	for _, tab := range tables {
		t.Run(tab.name, func(t *testing.T) { f(t, tab) })
	}
}

// use makes tab the table in use.
func use(t testing.TB, tab *kernelTable) {
	old := kernels
	kernels = tab
	t.Cleanup(func() { kernels = old })
}

func TestConvKernels(t *testing.T) {
	forTables(t, func(t *testing.T, tab *kernelTable) {
		testConvKernels(t, tab, false)
		testConvKernels(t, tab, true)
	})
}

func testConvKernels(t *testing.T, tab *kernelTable, half bool) {
	tested := 0
	for np, row := range tab.convFor(half) {
		for mr, f := range row {
			if f == nil {
				continue
			}
			tested++
			r := rand.New(rand.NewSource(int64(100*np + mr)))
			for i, c := range []struct{ taps, k, last int }{
				{1, 1, 16}, {1, 3, 1}, {2, 4, 3}, {3, 5, 4}, {1, 7, 5}, {9, 8, 7}, {2, 12, 8},
				{3, 13, 12}, {1, 15, 13}, {4, 16, 15}, {1, 17, 16}, {2, 31, 9}, {1, 49, 16}, {7, 2, 6}, {1, 64, 2}, {3, 6, 10}, {5, 9, 11}, {2, 10, 14},
			} {
				a, out := convOperands(t, r, mr, np, c.taps, c.k, c.last, i%4, half)
				a.act = i % 2
				if a.inOrder = r.Intn(2); c.k >= 8 && c.last == 16 {
					// Both of the loops that there are for whole panels.
					f(a)
					other := append([]float32(nil), out...)
					a.inOrder = 1 - a.inOrder
					f(a)
					for o := range out {
						if !same(out[o], other[o]) && !(isPattern(out[o]) && isPattern(other[o])) {
							t.Fatalf("half %v, mr %d, np %d, taps %d, k %d: float %d depends on the order of issue", half, mr, np, c.taps, c.k, o)
						}
					}
				}
				f(a)
				what := fmt.Sprintf("half %v, mr %d, np %d, taps %d, k %d, last %d", half, mr, np, c.taps, c.k, c.last)
				checkRed(t, what, out)
				width, step := panelWidth*(np-1)+c.last, a.outStep/4
				for o, got := range out {
					m, n := o/step, o%step
					if n >= width {
						if !isPattern(got) {
							t.Fatalf("%s: wrote %g beyond channel %d of pixel %d", what, got, width, m)
						}
						continue
					}
					if want := convNaive(a, mr, m, n, half); !same(got, want) {
						t.Fatalf("%s: pixel %d, channel %d: %g, want %g", what, m, n, got, want)
					}
				}
			}
		}
	}
	want := map[string]int{"portable": 4}
	for _, i := range []conv.ISA{conv.AVX512, conv.AVX2, conv.NEON} {
		want[tableName(i)] = len(i.Tiles(half))
	}
	if tested != want[tab.name] {
		t.Errorf("%d kernels, want %d", tested, want[tab.name])
	}
}

// TestConvTiles compares kernels that compute several tiles with as many calls of the
// portable one.
func TestConvTiles(t *testing.T) {
	for _, tab := range assemblyTables() {
		for _, half := range []bool{false, true} {
			for np, kernels := range tab.convFor(half) {
				for mr := tab.manyTiles; tab.manyTiles != 0 && mr < len(kernels); mr++ {
					if kernels[mr] == nil {
						continue
					}
					r := rand.New(rand.NewSource(int64(np)))
					for i, c := range []struct{ tiles, taps, k, last int }{
						{3, 2, 13, 1}, {3, 2, 13, 4}, {3, 2, 13, 7}, {3, 2, 13, 12}, {3, 2, 13, 16},
						// One tap of eights: there are loops for several tiles of such.
						{1, 1, 8, 16}, {2, 1, 8, 8}, {3, 1, 8, 4}, {4, 1, 16, 8}, {5, 1, 24, 8}, {5, 1, 16, 3}, {4, 1, 32, 7},
						{3, 1, 16, 16}, {2, 1, 24, 16}, {3, 1, 40, 16}, {6, 1, 32, 4}, {3, 1, 8, 12}, {2, 1, 12, 8},
					} {
						a, _ := convOperands(t, r, c.tiles*mr, np, c.taps, c.k, c.last, 0, half)
						table := make([]uint32, c.taps*mr)
						for i := range table {
							table[i] = uint32(4 * (i*c.k + r.Intn(4)))
						}
						a.base = unsafe.Pointer(&guardedValues(t, r, c.taps*mr*c.k+4+5*(c.tiles-1))[0])
						a.ind = unsafe.Pointer(&table[0])
						a.tileIn, a.act, a.inOrder = 20, i%2, i/2%2
						one := *a
						want := make([]float32, a.outStep/4*c.tiles*mr)
						fillPattern(want)
						got := append([]float32(nil), want...)
						a.out, a.tiles = unsafe.Pointer(&got[0]), c.tiles
						kernels[mr](a)
						for i := range c.tiles {
							b := one
							b.base, b.out = unsafe.Add(one.base, i*a.tileIn), unsafe.Pointer(&want[i*mr*a.outStep/4])
							convPortable(&b, mr, np, half)
						}
						for i := range want {
							if !same(got[i], want[i]) && !(isPattern(got[i]) && isPattern(want[i])) {
								t.Fatalf("half %v, mr %d, np %d, %v: float %d is %g, want %g", half, mr, np, c, i, got[i], want[i])
							}
						}
					}
				}
			}
		}
	}
}

func guardedValues(t testing.TB, r *rand.Rand, n int) []float32 {
	f := guarded(t, n)
	values(r, f, 0)
	return f
}

// convCase is a convolution of the drivers' tests.
type convCase struct {
	inH, inW, inC, channels int
	kh, kw, sh, sw, dh, dw  int
	padT, padL, padB, padR  int
	inWide, outWide         int // floats between pixels beyond the channels
	rowGap                  int // floats between output rows: a window
	inRing, outRing         bool
	rows                    [2]int
	first                   int // first panel of the slice
	half                    bool
}

func (c *convCase) out() (h, w int) {
	return (c.inH+c.padT+c.padB-c.dh*(c.kh-1)-1)/c.sh + 1, (c.inW+c.padL+c.padR-c.dw*(c.kw-1)-1)/c.sw + 1
}

// convCases are corner cases, then random ones.
func convCases() []convCase {
	one := func(c convCase) convCase {
		c.kh, c.kw = max(c.kh, 1), max(c.kw, 1)
		c.sh, c.sw, c.dh, c.dw = max(c.sh, 1), max(c.sw, 1), max(c.dh, 1), max(c.dw, 1)
		return c
	}
	cs := []convCase{
		{inH: 1, inW: 1, inC: 33, channels: 49},   // inner product
		{inH: 1, inW: 1, inC: 100, channels: 200}, // more panels than one group
		{inH: 1, inW: 3, inC: 17, channels: 48},   // matrix
		{inH: 5, inW: 7, inC: 8, channels: 31},    // 1x1
		{inH: 9, inW: 9, inC: 3, channels: 16, kh: 3, kw: 3, sh: 2, sw: 2, padT: 1, padL: 1, padB: 1, padR: 1},           // a first layer
		{inH: 9, inW: 9, inC: 3, channels: 17, kh: 7, kw: 7, sh: 2, sw: 2, padT: 3, padL: 3, padB: 3, padR: 3},           //
		{inH: 8, inW: 8, inC: 5, channels: 16, kh: 3, kw: 3, dh: 2, dw: 2, padT: 2, padL: 2, padB: 2, padR: 2},           // dilated
		{inH: 6, inW: 20, inC: 4, channels: 33, kh: 1, kw: 5, padL: 2, padR: 2},                                          // a row
		{inH: 20, inW: 6, inC: 4, channels: 33, kh: 5, kw: 1, padT: 2, padB: 2, sh: 2},                                   // a column
		{inH: 4, inW: 4, inC: 1, channels: 1, kh: 3, kw: 3, padT: 1, padL: 1, padB: 1, padR: 1},                          //
		{inH: 2, inW: 2, inC: 6, channels: 20, kh: 5, kw: 5, padT: 4, padL: 4, padB: 4, padR: 4},                         // windows outside the image
		{inH: 7, inW: 7, inC: 12, channels: 48, kh: 3, kw: 3, padT: 1, padL: 1, padB: 1, padR: 1, inWide: 5, outWide: 9}, // concat windows
		{inH: 7, inW: 9, inC: 12, channels: 48, kh: 3, kw: 3, padT: 1, padL: 1, padB: 1, padR: 1, rowGap: 13},            // a window of rows
		{inH: 9, inW: 9, inC: 7, channels: 40, kh: 3, kw: 3, padT: 1, padL: 1, padB: 1, padR: 1, rows: [2]int{2, 5}},     // a band
		{inH: 9, inW: 9, inC: 7, channels: 40, kh: 3, kw: 3, padT: 1, padL: 1, padB: 1, padR: 1, rows: [2]int{3, 5}, inRing: true, outRing: true},
		{inH: 5, inW: 5, inC: 9, channels: 70, kh: 3, kw: 3, first: 2},
		{inH: 30, inW: 30, inC: 40, channels: 64, kh: 3, kw: 3, padT: 1, padL: 1}, // several units
	}
	r := rand.New(rand.NewSource(7))
	pick := func(v ...int) int { return v[r.Intn(len(v))] }
	for range 60 {
		c := convCase{
			inH: 1 + r.Intn(9), inW: 1 + r.Intn(12),
			inC: pick(1, 3, 4, 5, 7, 8, 12, 13, 15, 16, 17, 31, 33, 48, 49), channels: pick(1, 3, 4, 5, 7, 8, 12, 13, 15, 16, 17, 31, 33, 48, 49, 97),
			kh: 1 + r.Intn(7), kw: 1 + r.Intn(7), sh: 1 + r.Intn(2), sw: 1 + r.Intn(2), dh: 1 + r.Intn(2), dw: 1 + r.Intn(2),
			padT: r.Intn(4), padL: r.Intn(4), padB: r.Intn(4), padR: r.Intn(4), inWide: pick(0, 0, 3), outWide: pick(0, 0, 17), rowGap: pick(0, 0, 5),
		}
		if c.inH+c.padT+c.padB < c.dh*(c.kh-1)+1 || c.inW+c.padL+c.padR < c.dw*(c.kw-1)+1 {
			continue
		}
		cs = append(cs, c)
	}
	for i := range cs {
		cs[i] = one(cs[i])
		cs[i].half = i%3 == 1
	}
	return cs
}

// layout places buffers in one arena of floats, with red zones between them.
type layout struct{ floats int }

func (l *layout) add(n int) (byteOffset int) {
	at := (l.floats + redZone + 15) / 16 * 16
	l.floats = at + n
	return 4 * at
}

// startTeam starts n threads that share mem as arena; scratch is per thread.
func startTeam(t testing.TB, mem []float32, n, scratch int) *team {
	m := new(team)
	m.start(n)
	for i := range m.threads {
		m.threads[i].arena = unsafe.Pointer(&mem[0])
		m.threads[i].scratch = unsafe.Pointer(&guarded(t, (scratch+3)/4)[0])
	}
	return m
}

// onTeam runs some rows of a step on n threads.
func onTeam(t testing.TB, mem []float32, n, scratch int, rows [2]int, step func(*thread)) {
	m := startTeam(t, mem, n, scratch)
	defer m.stop()
	m.step(step, part{}, rows)
}

// arenaImage is an image's place and its accessor by row, pixel and channel.
func arenaImage(l *layout, h, w, c, wide, gap int, ring int) image {
	pix := c + wide
	row := w*pix + gap
	rows := h
	if ring > 0 {
		rows = ring
	}
	return image{off: l.add(rows * row), row: 4 * row, pix: 4 * pix, ring: ring}
}

func (m *image) index(y, x, c int) int { return (m.rowOffset(y)+x*m.pix)/4 + c }

func TestConvDriver(t *testing.T) {
	forTables(t, func(t *testing.T, tab *kernelTable) {
		use(t, tab)
		for i, c := range convCases() {
			testConvCase(t, c, i)
		}
	})
}

// testEpilogue is out = in1*in2 + in0 + in3, where in3 is a splat.
func testEpilogue(a *mapArgs) {
	for r := range a.rows {
		at := func(i int) unsafe.Pointer { return unsafe.Add(a.in[i], r*a.inStep[i]) }
		for n := range a.n {
			v := fma32(f32(at(1), n), f32(at(2), n), f32(at(0), n)) + f32(at(3), 0)
			putf32(unsafe.Add(a.out, r*a.outStep), n, v)
		}
	}
}

var testEpilogueKernel = testEpilogue

// addEpilogue gives a step that epilogue, with an image, a vector and a value per
// pixel from mem, and returns what it makes of v at (y, x, n) of the slice.
func addEpilogue(e *epilogue, mem []float32, image, perPixel image, vector, firstChannel int) func(v float32, y, x, n int) float32 {
	e.kernel = &testEpilogueKernel
	e.in = []operand{
		{off: image.off + 4*firstChannel, step: [4]int{2: image.row, 3: image.pix}, ring: image.ring},
		{off: vector + 4*firstChannel},
		{off: perPixel.off, step: [4]int{2: perPixel.row, 3: perPixel.pix}, splat: true},
	}
	return func(v float32, y, x, n int) float32 {
		return fma32(mem[image.index(y, x, firstChannel+n)], mem[vector/4+firstChannel+n], v) + mem[perPixel.index(y, x, 0)]
	}
}

// shared makes arguments of a slice from channel `first` on those that all slices
// share, and returns the part that the slice is. The output has elements of size bytes.
func (s *convStep) shared(first, size int) part {
	p := part{panel: uint32(first / panelWidth), panels: uint32((s.channels + panelWidth - 1) / panelWidth), weights: uint32(s.weights)}
	if s.channels += first; s.channels%panelWidth == 0 {
		s.channels += panelWidth // the slice is not the last one
	}
	s.out.off -= size * first
	s.weights = 0
	for i := range s.epilogue.in {
		if in := &s.epilogue.in[i]; !in.splat {
			in.off -= 4 * first
		}
	}
	return p
}

func testConvCase(t *testing.T, c convCase, seed int) {
	r := rand.New(rand.NewSource(int64(seed)))
	what := fmt.Sprintf("case %d %+v", seed, c)
	oh, ow := c.out()
	panels := (c.channels + panelWidth - 1) / panelWidth
	row0, row1 := 0, oh
	if c.rows[1] != 0 {
		row0, row1 = c.rows[0], c.rows[1]
	}
	inRing, outRing := 0, 0
	if c.inRing {
		inRing = min(c.inH, (row1-row0-1)*c.sh+c.dh*(c.kh-1)+1)
	}
	if c.outRing {
		outRing = row1 - row0
	}
	var l layout
	k := c.kh * c.kw * c.inC
	s := convStep{
		zeros: l.add(c.inC),
		in:    arenaImage(&l, c.inH, c.inW, c.inC, c.inWide, 0, inRing),
		out:   arenaImage(&l, oh, ow, c.channels, c.outWide, c.rowGap, outRing),
		inH:   c.inH, inW: c.inW, inC: c.inC, outH: oh, outW: ow,
		kh: c.kh, kw: c.kw, sh: c.sh, sw: c.sw, dh: c.dh, dw: c.dw, padT: c.padT, padL: c.padL,
		half: c.half, act: seed % 2,
	}
	s.out.off += 4 * panelWidth * c.first
	s.channels = c.channels - panelWidth*c.first
	s.weights = l.add((panels - c.first) * panelBytes(k, c.half) / 4)
	residual, perPixel := arenaImage(&l, oh, ow, c.channels, 3, 0, outRing), arenaImage(&l, oh, ow, 1, 1, 0, 0)
	vector := l.add(c.channels)
	mem := guarded(t, l.floats)
	if seed%6 == 3 { // over the output
		residual = s.out
		residual.off -= 4 * panelWidth * c.first
		s.epilogue.aside = (convScratch(c.kh*c.kw) + 63) &^ 63
	}
	values(r, mem[residual.off/4:], 0)
	clear(mem[s.zeros/4:][:c.inC])
	for y := range c.inH {
		for x := range c.inW {
			values(r, mem[s.in.index(y, x, 0):][:c.inC], seed%4)
		}
	}
	w := mem[s.weights/4:][:(panels-c.first)*panelBytes(k, c.half)/4]
	panelValues(r, w, panels-c.first, k, seed%4, c.half)
	after := func(v float32, y, x, n int) float32 { return v }
	if seed%3 == 0 {
		after = addEpilogue(&s.epilogue, mem, residual, perPixel, vector, panelWidth*c.first)
	}
	before := append([]float32(nil), mem...)

	// want holds every element of the arena after the step.
	want := append([]float32(nil), mem...)
	for y := row0; y < row1; y++ {
		for x := range ow {
			for n := range s.channels {
				p := unsafe.Pointer(&w[n/panelWidth*panelBytes(k, c.half)/4])
				acc := f32(p, n%panelWidth)
				for i := range k {
					iy, ix, ch := y*c.sh-c.padT+i/c.inC/c.kw*c.dh, x*c.sw-c.padL+i/c.inC%c.kw*c.dw, i%c.inC
					v := float32(0)
					if iy >= 0 && iy < c.inH && ix >= 0 && ix < c.inW {
						v = mem[s.in.index(iy, ix, ch)]
					}
					acc = fma32(v, panelWeight(p, i, n%panelWidth, c.half), acc)
				}
				if s.act == actRelu {
					acc = relu32(acc)
				}
				want[s.out.index(y, x, n)] = after(acc, y, x, n)
			}
		}
	}
	var slice part
	for threads := range 6 {
		if threads == 3 {
			slice = s.shared(panelWidth*c.first, 4)
		}
		threads = threads%3 + 1
		copy(mem, before)
		onTeam(t, mem, threads, (convScratch(c.kh*c.kw)+63)&^63+maxTileBytes, c.rows, func(t *thread) {
			t.part = slice
			runConv(t, &s)
		})
		compareArena(t, fmt.Sprintf("%s, %d threads", what, threads), mem, want)
	}
}
