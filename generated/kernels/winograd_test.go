//go:build linux

package kernels

import (
	"fmt"
	"math"
	"math/rand"
	"reflect"
	"testing"
	"unsafe"

	"github.com/flexnnc/flexnnc/avo/kernel/conv"
	"github.com/flexnnc/flexnnc/ir/op"
)

func TestWinogradOffsets(t *testing.T) {
	typ := reflect.TypeFor[winogradArgs]()
	offsets := conv.WinogradOffsets()
	for i := range typ.NumField() {
		f := typ.Field(i)
		if got, ok := offsets[f.Name]; !ok || got != int(f.Offset) {
			t.Errorf("winogradArgs.%s is at %d, the assembly has it at %d", f.Name, f.Offset, got)
		}
	}
	if len(offsets) != typ.NumField() {
		t.Errorf("%d fields, the assembly knows %d", typ.NumField(), len(offsets))
	}
}

func forWinograd(t *testing.T, f func(*testing.T, *winogradKernels)) {
	for _, k := range winogradTables() {
		t.Run(k.name, func(t *testing.T) { f(t, k) })
	}
}

// TestWinogradIdentity checks the 1-D transforms as algebra: in float64 terms of
// their own error, A (G g * B d) is the convolution of d and g.
func TestWinogradIdentity(t *testing.T) {
	r := rand.New(rand.NewSource(1))
	for _, m := range conv.WinogradSides {
		for range 200 {
			var d, g, x [8]float32
			values(r, d[:m+2], 0)
			values(r, g[:3], 0)
			v, u := winogradInput1(m, &d), winogradExpand1(m, &g)
			for i := range m + 2 {
				x[i] = v[i] * u[i]
			}
			bias := float32(r.NormFloat64())
			y := winogradOutput1(m, &x, &bias)
			plain := winogradOutput1(m, &x, nil)
			for i := range m {
				want := float64(d[i])*float64(g[0]) + float64(d[i+1])*float64(g[1]) + float64(d[i+2])*float64(g[2])
				if math.Abs(float64(plain[i])-want) > 2e-5 || math.Abs(float64(y[i])-want-float64(bias)) > 2e-5 {
					t.Fatalf("m %d, output %d: %g and %g with bias %g, want %g", m, i, plain[i], y[i], bias, want)
				}
			}
		}
	}
}

// spread puts vectors of n floats at random distances into a guarded buffer and
// returns the first address, the distance in bytes, and all of the buffer.
func spread(t testing.TB, r *rand.Rand, vectors, n int) (unsafe.Pointer, int, []float32) {
	step := n + r.Intn(20)
	f := guarded(t, (vectors-1)*step+n)
	return unsafe.Pointer(&f[0]), 4 * step, f
}

// TestWinogradTransforms compares the transforms of every ISA with the portable ones.
func TestWinogradTransforms(t *testing.T) {
	forWinograd(t, func(t *testing.T, k *winogradKernels) {
		for _, m := range conv.WinogradSides {
			cells := (m + 2) * (m + 2)
			for seed, n := range []int{1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 17, 31, 33, 48} {
				r := rand.New(rand.NewSource(int64(seed)))
				what := fmt.Sprintf("m %d, %d channels", m, n)
				tmp := guarded(t, cells*panelWidth)
				run := func(f func(*winogradArgs), a winogradArgs) { f(&a) }

				// input: cells anywhere, which end at the page that may not be read
				from := guarded(t, cells*n)
				values(r, from, seed%4)
				ind := make([]uint32, cells)
				for i, j := range r.Perm(cells) {
					ind[i] = uint32(4 * n * j)
				}
				to, step, out := spread(t, r, cells, up16(n))
				a := winogradArgs{from: unsafe.Pointer(&from[0]), ind: unsafe.Pointer(&ind[0]), to: to, toStep: step, tmp: unsafe.Pointer(&tmp[0]), factors: unsafe.Pointer(&winogradFactors), n: n}
				run(k.input[m], a)
				want := guarded(t, len(out))
				a.to = unsafe.Pointer(&want[0])
				run(winogradPortable.input[m], a)
				checkRed(t, what, out)
				compareSpread(t, what+", input", out, want, cells, step/4, n, up16(n))

				// expand
				vectors := 1 + n%3
				fromStep := panelWidth * (vectors + r.Intn(3))
				from = guarded(t, 8*fromStep+panelWidth*vectors)
				values(r, from, seed%4)
				to, step, out = spread(t, r, cells, panelWidth*vectors)
				a = winogradArgs{from: unsafe.Pointer(&from[0]), fromStep: 4 * fromStep, to: to, toStep: step, tmp: a.tmp, factors: a.factors, n: vectors}
				run(k.expand[m], a)
				want = guarded(t, len(out))
				a.to = unsafe.Pointer(&want[0])
				run(winogradPortable.expand[m], a)
				checkRed(t, what, out)
				compareSpread(t, what+", expand", out, want, cells, step/4, panelWidth*vectors, 0)

				// expand from float16: any bits at all
				half := unsafe.Slice((*uint16)(unsafe.Pointer(&from[0])), 2*len(from))
				for i := range half {
					half[i] = uint16(r.Uint32())
				}
				a.fromStep /= 2
				a.from = unsafe.Pointer(&half[2*len(from)-8*fromStep-panelWidth*vectors])
				to, step, out = spread(t, r, cells, panelWidth*vectors)
				a.to, a.toStep = to, step
				run(k.expandHalf[m], a)
				want = guarded(t, len(out))
				a.to = unsafe.Pointer(&want[0])
				run(winogradPortable.expandHalf[m], a)
				compareSpread(t, what+", expand half", out, want, cells, step/4, panelWidth*vectors, 0)

				// output
				if n > panelWidth {
					continue
				}
				fromStep = panelWidth * (1 + r.Intn(3))
				from = guarded(t, (cells-1)*fromStep+panelWidth)
				values(r, from, seed%4)
				w := guarded(t, panelWidth)
				values(r, w, seed%4)
				out = guarded(t, m*m*(n+3))
				for i, j := range r.Perm(m * m) {
					ind[i] = uint32(4 * (n + 3) * j)
				}
				a = winogradArgs{from: unsafe.Pointer(&from[0]), fromStep: 4 * fromStep, to: unsafe.Pointer(&out[0]), ind: unsafe.Pointer(&ind[0]), w: unsafe.Pointer(&w[0]), tmp: a.tmp, factors: a.factors, n: n, act: seed % 2}
				run(k.output[m], a)
				want = guarded(t, len(out))
				a.to = unsafe.Pointer(&want[0])
				run(winogradPortable.output[m], a)
				checkRed(t, what, out)
				compareSpread(t, what+", output", out, want, m*m, n+3, n, 0)
				checkRed(t, what, tmp)
			}
		}
	})
}

// compareSpread compares vectors of n floats; what lies between them must be
// untouched but for the first `free` floats of each.
func compareSpread(t *testing.T, what string, got, want []float32, vectors, step, n, free int) {
	t.Helper()
	for i := range got {
		switch v, c := i/step, i%step; {
		case v < vectors && c < n:
			if !same(got[i], want[i]) || isPattern(got[i]) {
				t.Fatalf("%s: vector %d, channel %d: %g, want %g", what, v, c, got[i], want[i])
			}
		case c >= free && !isPattern(got[i]):
			t.Fatalf("%s: wrote %g beyond channel %d of vector %d", what, got[i], c, v)
		}
	}
}

func TestWinogradProducts(t *testing.T) {
	forWinograd(t, func(t *testing.T, k *winogradKernels) {
		tested := 0
		for np := range k.product {
			for mr, f := range k.product[np] {
				if f == nil {
					continue
				}
				tested++
				r := rand.New(rand.NewSource(int64(100*np + mr)))
				for i, n := range []int{1, 2, 3, 4, 5, 8, 15, 16, 31, 64, 8, 9, 16, 31, 64} {
					inOrder := 0
					if i >= 10 {
						inOrder = 1
					}
					blocks, positions := 1+i%3, 1
					if k.positions {
						positions = 1 + i%4
					}
					rows := blocks * mr
					from, fromStep, x := spread(t, r, positions*rows, n)
					to, toStep, out := spread(t, r, positions*rows, np*panelWidth)
					w, wStep, y := spread(t, r, positions*np, n*panelWidth)
					values(r, x, i%4)
					values(r, y, i%4)
					a := winogradArgs{from: from, fromStep: fromStep, to: to, toStep: toStep, w: w, wStep: wStep, factors: unsafe.Pointer(&winogradFactors),
						n: n, blocks: blocks, add: i % 2, inOrder: inOrder,
						positions: positions % 3, fromPosition: rows * fromStep, toPosition: rows * toStep, wPosition: np * wStep}
					positions = max(1, positions%3)
					start := func(row, c int) float32 { return 0 }
					if a.add != 0 {
						begin := make([]float32, positions*rows*np*panelWidth)
						values(r, begin, i%4)
						start = func(row, c int) float32 { return begin[row*np*panelWidth+c] }
						for row := range positions * rows {
							copy(out[row*toStep/4:], begin[row*np*panelWidth:][:np*panelWidth])
						}
					}
					f(&a)
					what := fmt.Sprintf("%d positions, %d rows of %d, %d panels, %d cells, add %d, in order %d", positions, rows, mr, np, n, a.add, inOrder)
					checkRed(t, what, out)
					want := make([]float32, len(out))
					for row := range positions * rows {
						for c := range np * panelWidth {
							acc := start(row, c)
							for i := range n {
								acc = fma32(x[row*fromStep/4+i], y[(row/rows*np+c/panelWidth)*wStep/4+i*panelWidth+c%panelWidth], acc)
							}
							want[row*toStep/4+c] = acc
						}
					}
					rows *= positions
					compareSpread(t, what, out, want, rows, toStep/4, np*panelWidth, 0)
				}
			}
		}
		if want := k.mr * k.np; tested != want && k != &winogradPortable {
			t.Errorf("%d kernels, want %d", tested, want)
		}
	})
}

// TestWinogradSizes: the memory that plans give is what the driver expects.
func TestWinogradSizes(t *testing.T) {
	for _, m := range conv.WinogradSides {
		for _, inC := range []int{1, 16, 40, 64, 512} {
			a := op.ConvAttr{InC: inC, Winograd: m, WinogradTiles: 25}
			ample, lean := a.WinogradSizes()
			for _, size := range []op.WinogradSize{ample, lean} {
				s := winogradStep{m: m, tiles: size.Tiles, panels: size.Panels, shared: size.Shared, work: size.PerThread, conv: convStep{inC: inC, outH: 40, outW: 40, channels: 64}}
				cells := (m + 2) * (m + 2)
				for _, k := range winogradTables() {
					g := s.split(k, [2]int{0, 40}, 1)
					g.places(&s, 0)
					at, tile, position := s.inputAt(&g, g.chanBlocks-1)
					if end := at + position*(cells-1) + tile*size.Tiles; end > size.Shared || tile*size.Tiles > position {
						t.Errorf("%s, m %d, %d channels: inputs end at %d of %d", k.name, m, inC, end, size.Shared)
					}
					np := min(k.np, size.Panels)
					if end := s.weights(cells) + cells*4*panelWidth*(np*min(g.chans, inC)+1); end > size.PerThread || end < size.PerThread/3 {
						t.Errorf("%s, m %d, %d channels: weights end at %d of %d", k.name, m, inC, end, size.PerThread)
					}
				}
			}
		}
	}
}

// winogradCase is a convolution of the driver's test.
type winogradCase struct {
	convCase
	m, tiles, chans int // chans is the input channels that scratch for weights is made for
}

func winogradCases() []winogradCase {
	var cs []winogradCase
	r := rand.New(rand.NewSource(3))
	pick := func(v ...int) int { return v[r.Intn(len(v))] }
	add := func(c winogradCase) {
		c.kh, c.kw, c.sh, c.sw, c.dh, c.dw = 3, 3, 1, 1, 1, 1
		if h, w := c.out(); h > 0 && w > 0 {
			cs = append(cs, c)
		}
	}
	// Every size around the edges of tiles.
	for size := 1; size <= 20; size++ {
		for _, m := range conv.WinogradSides {
			pad := size % 3
			c := winogradCase{m: m, tiles: pick(1, 5, 12, 30), chans: pick(16, 32)}
			c.inH, c.inW = size, 1+(size*7+m)%20
			c.inC, c.channels = pick(1, 3, 4, 5, 15, 16, 17, 31, 33), pick(1, 3, 4, 5, 15, 16, 17, 31, 33)
			c.padT, c.padL, c.padB, c.padR = pad, pad, pad, pick(0, 1, pad)
			add(c)
		}
	}
	random := 60
	if testing.Short() {
		random = 15
	}
	for i := range random {
		c := winogradCase{m: pick(2, 4, 6), tiles: pick(2, 7, 13, 24), chans: pick(16, 32, 64)}
		c.inH, c.inW = 4+r.Intn(20), 1+r.Intn(20)
		c.inC, c.channels = pick(1, 4, 8, 16, 20, 33, 48, 100), pick(1, 8, 16, 33, 48, 64, 100)
		c.padT, c.padL, c.padB, c.padR = r.Intn(3), r.Intn(3), r.Intn(3), r.Intn(3)
		c.inWide, c.outWide, c.rowGap = pick(0, 0, 3), pick(0, 0, 17), pick(0, 0, 5)
		if panels := (c.channels + panelWidth - 1) / panelWidth; i%3 == 0 {
			c.first = r.Intn(panels)
		}
		if h := c.inH + c.padT + c.padB - 2; i%2 == 0 && h > c.m { // a band of rows, perhaps in rings
			lo := r.Intn((h-1)/c.m) * c.m
			hi := min(h, lo+c.m*(1+r.Intn(2)))
			c.rows = [2]int{lo, hi}
			c.inRing, c.outRing = i%4 == 0, i%4 == 0
		}
		add(c)
	}
	return cs
}

func TestWinogradDriver(t *testing.T) {
	forWinograd(t, func(t *testing.T, k *winogradKernels) {
		old := winograd
		winograd = k
		t.Cleanup(func() { winograd = old })
		for i, c := range winogradCases() {
			if testing.Short() && i%3 != 0 && i < 60 {
				continue
			}
			testWinogradCase(t, c, i)
		}
	})
}

func testWinogradCase(t *testing.T, c winogradCase, seed int) {
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
		inRing = min(c.inH, row1-row0+2)
	}
	if c.outRing {
		outRing = row1 - row0
	}
	const most = 3
	var l layout
	s := winogradStep{m: c.m, tiles: c.tiles, panels: 1 + seed%7%2}
	n := c.m + 2
	cells := n * n
	s.conv = convStep{
		in:  arenaImage(&l, c.inH, c.inW, c.inC, c.inWide, 0, inRing),
		out: arenaImage(&l, oh, ow, c.channels, c.outWide, c.rowGap, outRing),
		inH: c.inH, inW: c.inW, inC: c.inC, outH: oh, outW: ow,
		kh: 3, kw: 3, sh: 1, sw: 1, dh: 1, dw: 1, padT: c.padT, padL: c.padL,
		act: seed % 2, half: seed%5 == 1,
	}
	o := &s.conv
	panel := panelBytes(9*c.inC, o.half) / 4
	o.out.off += 4 * panelWidth * c.first
	o.channels = c.channels - panelWidth*c.first
	o.weights = l.add((panels - c.first) * panel)
	s.shared = cells * 4 * up16(c.inC) * (c.tiles + 1)
	s.work = s.weights(cells) + cells*4*panelWidth*(c.chans*s.panels+1)
	s.own = seed%3 != 1
	scratch := most * (s.shared + s.work) / 4
	s.scratch = l.add(scratch)
	x := expansion{side: c.m, chans: c.inC, half: o.half}
	wide := (panels-c.first)*x.panelBytes()/4 + panel
	expanded := l.add(wide)
	residual, perPixel := arenaImage(&l, oh, ow, c.channels, 3, 0, outRing), arenaImage(&l, oh, ow, 1, 1, 0, 0)
	vector := l.add(c.channels)
	mem := guarded(t, l.floats)
	values(r, mem[residual.off/4:], 0)
	for i := range mem[s.scratch/4:][:scratch] {
		mem[s.scratch/4+i] = float32(math.NaN()) // nothing may be read that was not written
	}
	kind := []int{0, 0, 1, 3}[seed%4]
	for y := max(0, row0-c.padT); y < min(c.inH, row1+2-c.padT); y++ {
		for x := range c.inW {
			values(r, mem[o.in.index(y, x, 0):][:c.inC], kind)
		}
	}
	w := mem[o.weights/4:][:(panels-c.first)*panel]
	values(r, w, kind)
	if o.half {
		for i := range w {
			if i%panel >= panelWidth { // two numbers in (-1, 1)
				w[i] = math.Float32frombits(r.Uint32() & 0xbbffbbff)
			}
		}
	}
	// of are the bias and the weights of a channel.
	of := func(ch int) []float32 {
		p := unsafe.Pointer(&w[ch/panelWidth*panel])
		v := []float32{f32(p, ch%panelWidth)}
		for k := range 9 * c.inC {
			v = append(v, weight(unsafe.Add(p, 4*panelWidth), k*panelWidth+ch%panelWidth, o.half))
		}
		return v
	}
	after := func(v float32, y, x, n int) float32 { return v }
	if seed%3 == 0 {
		after = addEpilogue(&o.epilogue, mem, residual, perPixel, vector, panelWidth*c.first)
	}
	before := append([]float32(nil), mem...)
	want := append([]float32(nil), mem...)
	worst, largest := 0.0, 0.0
	weights, filters := make([][][8][8]float32, o.channels), make([][]float32, o.channels)
	for ch := range weights {
		filters[ch] = of(ch)
		weights[ch] = winogradWeights(c.m, filters[ch][1:], c.inC)
	}
	for ty := row0; ty < row1; ty += c.m {
		tiles := newWinogradTiles(c.m, oh, ow, [2]int{row0, row1})
		for i := range tiles.row {
			tx, end := tiles.x(i), min(ow, tiles.x(i+1))
			input := winogradTileInputs(&s, mem, ty, tx)
			for ch := range o.channels {
				p := filters[ch]
				tile := winogradTile(c.m, input, weights[ch], p[0])
				for i := range c.m * c.m {
					y, x := ty+i/c.m, tx+i%c.m
					if y >= row1 || x >= end {
						continue
					}
					v := tile[i]
					direct := float64(p[0])
					for k := range 9 * c.inC {
						iy, ix := y-c.padT+k/c.inC/3, x-c.padL+k/c.inC%3
						if iy >= 0 && iy < c.inH && ix >= 0 && ix < c.inW {
							direct += float64(mem[o.in.index(iy, ix, k%c.inC)]) * float64(p[1+k])
						}
					}
					worst, largest = max(worst, math.Abs(float64(v)-direct)), max(largest, math.Abs(direct))
					if s.conv.act == actRelu {
						v = relu32(v)
					}
					want[o.out.index(y, x, ch)] = after(v, y, x, ch)
				}
			}
		}
	}
	if kind < 2 && worst > 2e-5*largest+1e-6 {
		t.Fatalf("%s: %g away from the direct convolution, whose largest value is %g", what, worst, largest)
	}
	var slice part
	for threads := range 4 * most {
		switch threads {
		case most:
			slice = s.conv.shared(panelWidth*c.first, 4)
		case 2 * most: // the same slice of weights that are kept expanded
			slice.weights, s.expanded = uint32(expanded), true
		case 3 * most:
			o.cut(slice, 4)
			slice = part{}
		}
		threads = threads%most + 1
		copy(mem, before)
		if s.expanded { // each panel from a copy at the end, where a load brings it
			tmp := make([]float32, winogradTmpLen)
			all := mem[expanded/4:][:wide]
			last := all[wide-panel:]
			for i := range panels - c.first {
				copy(last, w[i*panel:][:panel])
				expandPanel(&x, unsafe.Pointer(&last[0]), unsafe.Pointer(&all[i*x.panelBytes()/4]), tmp)
			}
		}
		onTeam(t, mem, threads, 64, c.rows, func(t *thread) {
			t.part = slice
			runWinograd(t, &s)
		})
		copy(mem[s.scratch/4:][:scratch], want[s.scratch/4:])
		copy(mem[expanded/4:][:wide], want[expanded/4:])
		compareArena(t, fmt.Sprintf("%s, %d threads", what, threads), mem, want)
	}
}

// winogradTileInputs are the transformed cells of a tile, by position and channel.
func winogradTileInputs(s *winogradStep, mem []float32, ty, tx int) [][]float32 {
	c := &s.conv
	n := s.m + 2
	out := make([][]float32, n*n)
	for i := range out {
		out[i] = make([]float32, c.inC)
	}
	for ch := range c.inC {
		var rows [8][8]float32
		for i := range n {
			var d [8]float32
			for j := range n {
				y, x := ty+i-c.padT, tx+j-c.padL
				if y >= 0 && y < min(c.inH, c.outH+2-c.padT) && x >= 0 && x < min(c.inW, c.outW+2-c.padL) {
					d[j] = mem[c.in.index(y, x, ch)]
				}
			}
			rows[i] = winogradInput1(s.m, &d)
		}
		for j := range n {
			var d [8]float32
			for i := range n {
				d[i] = rows[i][j]
			}
			v := winogradInput1(s.m, &d)
			for i := range n {
				out[i*n+j][ch] = v[i]
			}
		}
	}
	return out
}

// winogradWeights are the transformed weights of an output channel, by input channel.
func winogradWeights(m int, w []float32, inC int) [][8][8]float32 {
	out := make([][8][8]float32, inC)
	for ch := range out {
		var columns [3][8]float32
		for j := range 3 {
			var g [8]float32
			for i := range 3 {
				g[i] = w[(3*i+j)*inC+ch]
			}
			columns[j] = winogradExpand1(m, &g)
		}
		for i := range m + 2 {
			g := [8]float32{columns[0][i], columns[1][i], columns[2][i]}
			out[ch][i] = winogradExpand1(m, &g)
		}
	}
	return out
}

// winogradTile is the outputs of a tile for one channel, straight from the
// definition.
func winogradTile(m int, input [][]float32, weights [][8][8]float32, bias float32) []float32 {
	n := m + 2
	var columns [8][8]float32
	for j := range n {
		var x [8]float32
		for i := range n {
			for ch, v := range input[i*n+j] {
				x[i] = fma32(v, weights[ch][i][j], x[i])
			}
		}
		columns[j] = winogradOutput1(m, &x, nil)
	}
	out := make([]float32, m*m)
	for i := range m {
		var x [8]float32
		for j := range n {
			x[j] = columns[j][i]
		}
		y := winogradOutput1(m, &x, &bias)
		copy(out[i*m:], y[:m])
	}
	return out
}

// TestWinogradCut: kernels are generated for the cuts that the driver makes, which
// have all tiles and groups, and no more of either at a time than there may be.
func TestWinogradCut(t *testing.T) {
	for _, np := range []int{1, 2} {
		for count := 1; count < 60; count += 3 {
			for _, tiles := range []int{1, 5, 25, 48} {
				for _, groups := range []int{1, 2, 3, 16} {
					for threads := 1; threads <= 8; threads++ {
						blocks, shares := winogradCut(count, tiles, groups, np, threads)
						if b, s := conv.WinogradCut(count, tiles, groups, np, threads); b != blocks || s != shares {
							t.Errorf("%d tiles by %d, %d groups, %d threads: %d blocks and %d shares, kernels for %d and %d", count, tiles, groups, threads, blocks, shares, b, s)
						}
						if blocks > count || blocks*tiles < count || shares > groups {
							t.Errorf("%d tiles by %d, %d groups, %d threads: %d blocks, %d shares", count, tiles, groups, threads, blocks, shares)
						}
					}
				}
			}
		}
	}
}

// TestWinogradNeed: a package has the product kernels that the driver of its steps calls.
func TestWinogradNeed(t *testing.T) {
	r := rand.New(rand.NewSource(9))
	for range 400 {
		m, np := conv.WinogradSides[r.Intn(3)], 1+r.Intn(2)
		rows, outW, panels := 1+r.Intn(60), 1+r.Intn(60), 1+r.Intn(20)
		outH := rows
		if rows%m == 0 {
			outH += r.Intn(9)
		}
		w := conv.NewWinograd(m, rows, outW)
		w.BlockTiles, w.BlockPanels, w.Panels, w.Threads = 1+r.Intn(48), np, panels, 4
		w.Own = r.Intn(2) == 0
		for _, isa := range []conv.ISA{conv.AVX512, conv.AVX2, conv.NEON} {
			there := map[conv.Tile]bool{}
			for _, tile := range (conv.WinogradNeed{Steps: []conv.Winograd{w}}).Products(isa) {
				there[tile] = true
			}
			k := &winogradKernels{mr: isa.WinogradRows(), np: isa.WinogradPanels(), positions: isa == conv.NEON}
			for n := range k.product {
				for rows := range k.product[n] {
					k.product[n][rows] = func(*winogradArgs) {
						if !there[conv.Tile{ISA: isa, Pixels: rows, Panels: n}] {
							t.Fatalf("%+v: no kernel of %d rows and %d panels for %s", w, rows, n, isa)
						}
					}
				}
			}
			for threads := 1; threads <= w.Threads; threads++ {
				s := &winogradStep{m: m, tiles: w.BlockTiles, panels: np, own: w.Own, work: 1 << 20}
				s.conv.inC, s.conv.outH, s.conv.outW, s.conv.channels = 16, outH, outW, panelWidth*panels
				g := s.split(k, [2]int{0, rows}, threads)
				for b := range g.blocks {
					first, end := g.count*b/g.blocks, g.count*(b+1)/g.blocks
					parts := min(g.parts, end-first)
					for part := range parts {
						lo, hi := (end-first)*part/parts, (end-first)*(part+1)/parts
						for group := range g.groups {
							p := winogradProducts{k: k, np: panels*(group+1)/g.groups - panels*group/g.groups, n: g.n, tiles: g.tiles, first: first + lo, ahead: winogradAhead{positions: 1, cells: 9}}
							p.whole(&winogradArgs{}, hi-lo)
						}
					}
				}
			}
		}
	}
}
