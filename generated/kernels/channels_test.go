//go:build linux

package kernels

import (
	"fmt"
	"math"
	"math/rand"
	"testing"
	"unsafe"
)

var channelCounts = []int{1, 3, 4, 5, 7, 8, 12, 13, 15, 16, 17, 24, 31, 33, 48, 49, 64, 67, 100, 130}

func TestDepthwiseKernels(t *testing.T) {
	forTables(t, func(t *testing.T, tab *kernelTable) {
		testDepthwiseKernels(t, tab.depthwise[:], false)
		testDepthwiseKernels(t, tab.depthwiseHalf[:], true)
	})
}

func testDepthwiseKernels(t *testing.T, kernels []func(*depthwiseArgs), half bool) {
	for mr, f := range kernels {
		if f == nil {
			continue
		}
		for i, n := range channelCounts {
			r := rand.New(rand.NewSource(int64(n)))
			taps := 1 + i%10
			panels := (n + panelWidth - 1) / panelWidth
			cells, w, ind := guarded(t, taps*mr*n), guarded(t, panels*panelBytes(taps, half)/4), guarded(t, taps*mr)
			values(r, cells, i%4)
			panelValues(r, w, panels, taps, i%4, half)
			table := unsafe.Slice((*uint32)(unsafe.Pointer(&ind[0])), taps*mr)
			for j, o := range r.Perm(len(table)) {
				table[j] = uint32(4 * n * o)
			}
			step := n + i%3
			out := guarded(t, step*(mr-1)+n)
			a := &depthwiseArgs{
				base: unsafe.Pointer(&cells[0]), ind: unsafe.Pointer(&ind[0]), taps: taps, w: unsafe.Pointer(&w[0]), panels: panels,
				out: unsafe.Pointer(&out[0]), outStep: 4 * step, last: n - panelWidth*(panels-1), act: i % 2,
				wstep: panelBytes(taps, half),
			}
			f(a)
			what := fmt.Sprintf("half %v, mr %d, %d channels, %d taps", half, mr, n, taps)
			checkRed(t, what, out)
			for o, got := range out {
				m, c := o/step, o%step
				want := pattern
				if c < n {
					p := unsafe.Pointer(&w[c/panelWidth*panelBytes(taps, half)/4])
					want = f32(p, c%panelWidth)
					for tap := range taps {
						want = fma32(cells[int(table[tap*mr+m])/4+c], panelWeight(p, tap, c%panelWidth, half), want)
					}
					if a.act == actRelu {
						want = relu32(want)
					}
				}
				if !same(got, want) && !(isPattern(got) && isPattern(want)) {
					t.Fatalf("%s: pixel %d, channel %d: %g, want %g", what, m, c, got, want)
				}
			}
		}
	}
}

func TestDepthwiseDriver(t *testing.T) {
	forTables(t, func(t *testing.T, tab *kernelTable) {
		use(t, tab)
		for i, c := range convCases() {
			for _, mult := range []int{1, 2, 3} {
				if c.inC*mult > panelWidth*c.first {
					testDepthwiseCase(t, c, mult, i)
				}
			}
		}
	})
}

func testDepthwiseCase(t *testing.T, c convCase, mult, seed int) {
	r := rand.New(rand.NewSource(int64(seed)))
	what := fmt.Sprintf("case %d, mult %d, %+v", seed, mult, c)
	oh, ow := c.out()
	channels := c.inC * mult
	first := panelWidth * c.first
	panels := (channels - first + panelWidth - 1) / panelWidth
	taps := c.kh * c.kw
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
	s := depthwiseStep{
		zeros: l.add(c.inC),
		in:    arenaImage(&l, c.inH, c.inW, c.inC, c.inWide, 0, inRing),
		out:   arenaImage(&l, oh, ow, channels, c.outWide, c.rowGap, outRing),
		inH:   c.inH, inW: c.inW, outH: oh, outW: ow,
		kh: c.kh, kw: c.kw, sh: c.sh, sw: c.sw, dh: c.dh, dw: c.dw, padT: c.padT, padL: c.padL,
		weights: l.add(panels * panelBytes(taps, c.half) / 4), half: c.half, channels: channels - first, mult: mult, firstChannel: first,
		act: seed % 2,
	}
	residual, perPixel := arenaImage(&l, oh, ow, channels, 3, 0, outRing), arenaImage(&l, oh, ow, 1, 1, 0, 0)
	vector := l.add(channels)
	mem := guarded(t, l.floats)
	values(r, mem[residual.off/4:], 0)
	clear(mem[s.zeros/4:][:c.inC])
	for y := range c.inH {
		for x := range c.inW {
			values(r, mem[s.in.index(y, x, 0):][:c.inC], seed%4)
		}
	}
	w := mem[s.weights/4:][:panels*panelBytes(taps, c.half)/4]
	panelValues(r, w, panels, taps, seed%4, c.half)
	after := func(v float32, y, x, n int) float32 { return v }
	if seed%3 == 0 {
		after = addEpilogue(&s.epilogue, mem, residual, perPixel, vector, first)
	}
	before := append([]float32(nil), mem...)
	want := append([]float32(nil), mem...)
	for y := row0; y < row1; y++ {
		for x := range ow {
			for n := range s.channels {
				p := unsafe.Pointer(&w[n/panelWidth*panelBytes(taps, c.half)/4])
				acc := f32(p, n%panelWidth)
				for i := range taps {
					iy, ix := y*c.sh-c.padT+i/c.kw*c.dh, x*c.sw-c.padL+i%c.kw*c.dw
					v := float32(0)
					if iy >= 0 && iy < c.inH && ix >= 0 && ix < c.inW {
						v = mem[s.in.index(iy, ix, (first+n)/mult)]
					}
					acc = fma32(v, panelWeight(p, i, n%panelWidth, c.half), acc)
				}
				if s.act == actRelu {
					acc = relu32(acc)
				}
				want[s.out.index(y, x, first+n)] = after(acc, y, x, n)
			}
		}
	}
	s.in.off += 4 * (first / mult)
	s.out.off += 4 * first
	for threads := 1; threads <= 3; threads++ {
		copy(mem, before)
		onTeam(t, mem, threads, depthwiseScratch(c.kh, c.kw), c.rows, func(t *thread) { runDepthwise(t, &s) })
		compareArena(t, fmt.Sprintf("%s, %d threads", what, threads), mem, want)
	}
}

// compareArena checks every float of the arena, written or not.
func compareArena(t *testing.T, what string, mem, want []float32) {
	t.Helper()
	checkRed(t, what, mem)
	for i, v := range want {
		if !same(mem[i], v) && !(isPattern(mem[i]) && isPattern(v)) {
			t.Fatalf("%s: arena float %d is %g, want %g", what, i, mem[i], v)
		}
	}
}

func TestPoolKernels(t *testing.T) {
	forTables(t, func(t *testing.T, tab *kernelTable) {
		for i, n := range channelCounts {
			for cells := range 6 {
				for mode := range 6 { // max, sum, average; first is a cell, or the output
					r := rand.New(rand.NewSource(int64(n)))
					x, ind := guarded(t, (cells+1)*n), guarded(t, max(1, cells))
					values(r, x, (i+mode)%4)
					table := unsafe.Slice((*uint32)(unsafe.Pointer(&ind[0])), cells)
					for j, o := range r.Perm(cells) {
						table[j] = uint32(4 * n * o)
					}
					out := guarded(t, n)
					values(r, out, 0)
					a := &poolArgs{base: unsafe.Pointer(&x[0]), ind: unsafe.Pointer(&ind[0]), cells: cells,
						first: unsafe.Pointer(&x[cells*n]), out: unsafe.Pointer(&out[0]), chans: n, divisor: 7}
					first := append([]float32(nil), x[cells*n:]...)
					if mode >= 3 {
						a.first = a.out
						copy(first, out)
					}
					kernel := tab.poolAvg
					switch mode % 3 {
					case 0:
						kernel = tab.poolMax
					case 2:
						a.divide = 1
					}
					kernel(a)
					what := fmt.Sprintf("%d channels, %d cells, mode %d", n, cells, mode)
					checkRed(t, what, out)
					for c, got := range out {
						want := first[c]
						for _, o := range table {
							v := x[int(o)/4+c]
							if mode%3 != 0 {
								want += v
							} else if v > want {
								want = v
							}
						}
						if mode%3 == 2 {
							want /= 7
						}
						if !same(got, want) {
							t.Fatalf("%s: channel %d: %g, want %g", what, c, got, want)
						}
					}
				}
			}
		}
	})
}

func TestPoolDriver(t *testing.T) {
	type poolCase struct {
		inH, inW, c, outH, outW, kh, kw, sh, sw, padT, padL int
		countPad, adaptive                                  bool
		rows                                                [2]int
		wide                                                int
	}
	cases := []poolCase{
		{inH: 8, inW: 8, c: 17, outH: 4, outW: 4, kh: 2, kw: 2, sh: 2, sw: 2},
		{inH: 9, inW: 9, c: 5, outH: 5, outW: 5, kh: 3, kw: 3, sh: 2, sw: 2, padT: 1, padL: 1},
		{inH: 7, inW: 20, c: 33, outH: 7, outW: 20, kh: 3, kw: 3, sh: 1, sw: 1, padT: 1, padL: 1, wide: 6},
		{inH: 7, inW: 20, c: 33, outH: 7, outW: 20, kh: 3, kw: 3, sh: 1, sw: 1, padT: 1, padL: 1, countPad: true, rows: [2]int{1, 4}},
		{inH: 4, inW: 4, c: 8, outH: 3, outW: 3, kh: 2, kw: 2, sh: 2, sw: 2}, // the last windows are empty
		{inH: 4, inW: 4, c: 8, outH: 3, outW: 3, kh: 2, kw: 2, sh: 2, sw: 2, countPad: true},
		{inH: 7, inW: 7, c: 600, outH: 1, outW: 1, kh: 7, kw: 7, sh: 1, sw: 1},
		{inH: 23, inW: 31, c: 70, outH: 1, outW: 1, kh: 23, kw: 31, sh: 1, sw: 1}, // more cells than a table
		{inH: 23, inW: 31, c: 70, outH: 2, outW: 3, adaptive: true},
		{inH: 5, inW: 5, c: 3, outH: 7, outW: 4, adaptive: true},
	}
	forTables(t, func(t *testing.T, tab *kernelTable) {
		use(t, tab)
		for i, c := range cases {
			for _, isMax := range []bool{true, false} {
				r := rand.New(rand.NewSource(int64(i)))
				var l layout
				s := poolStep{
					in: arenaImage(&l, c.inH, c.inW, c.c, c.wide, 0, 0), out: arenaImage(&l, c.outH, c.outW, c.c, c.wide, 3*c.wide, 0),
					max: isMax, inH: c.inH, inW: c.inW, channels: c.c, outH: c.outH, outW: c.outW, kh: c.kh, kw: c.kw, sh: c.sh, sw: c.sw,
					padT: c.padT, padL: c.padL, countPad: c.countPad, adaptive: c.adaptive,
				}
				mem := guarded(t, l.floats)
				for y := range c.inH {
					for x := range c.inW {
						values(r, mem[s.in.index(y, x, 0):][:c.c], i%4)
					}
				}
				before := append([]float32(nil), mem...)
				want := append([]float32(nil), mem...)
				row0, row1 := 0, c.outH
				if c.rows[1] != 0 {
					row0, row1 = c.rows[0], c.rows[1]
				}
				for y := row0; y < row1; y++ {
					for x := range c.outW {
						for n := range c.c {
							want[s.out.index(y, x, n)] = poolNaive(&s, mem, y, x, n)
						}
					}
				}
				for threads := 1; threads <= 3; threads++ {
					copy(mem, before)
					onTeam(t, mem, threads, poolScratch, c.rows, func(t *thread) { runPool(t, &s) })
					compareArena(t, fmt.Sprintf("case %d, max %v, %d threads", i, isMax, threads), mem, want)
				}
			}
		}
	})
}

// poolNaive is one element, by op.PoolAttr's words.
func poolNaive(s *poolStep, mem []float32, y, x, n int) float32 {
	var cells []float32
	for iy := range s.inH {
		for ix := range s.inW {
			in := iy >= y*s.sh-s.padT && iy < y*s.sh-s.padT+s.kh && ix >= x*s.sw-s.padL && ix < x*s.sw-s.padL+s.kw
			if s.adaptive {
				// floor(y*in/out) <= iy < ceil((y+1)*in/out), without dividing
				in = (iy+1)*s.outH > y*s.inH && iy*s.outH < (y+1)*s.inH && (ix+1)*s.outW > x*s.inW && ix*s.outW < (x+1)*s.inW
			}
			if in {
				cells = append(cells, mem[s.in.index(iy, ix, n)])
			}
		}
	}
	if len(cells) == 0 {
		switch {
		case s.max:
			return -3.4028234663852886e38
		case s.countPad:
			return 0
		}
		return float32(math.NaN())
	}
	acc := cells[0]
	for _, v := range cells[1:] {
		if !s.max {
			acc += v
		} else if v > acc {
			acc = v
		}
	}
	switch {
	case s.max:
		return acc
	case s.countPad:
		return acc / float32(s.kh*s.kw)
	}
	return acc / float32(len(cells))
}
