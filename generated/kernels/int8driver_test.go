//go:build linux

package kernels

import (
	"fmt"
	"math"
	"math/rand"
	"testing"
	"unsafe"
)

// compareBits compares all words of an arena.
func compareBits(t *testing.T, what string, mem, want []float32) {
	t.Helper()
	checkRed(t, what, mem)
	for i, v := range want {
		if math.Float32bits(mem[i]) != math.Float32bits(v) {
			t.Fatalf("%s: arena word %d is %#08x, want %#08x", what, i, math.Float32bits(mem[i]), math.Float32bits(v))
		}
	}
}

// int8Rig lays out the image, panels and output of an int8 step.
type int8Rig struct {
	c                  convCase
	inRing, outRing    int
	row0, row1, oh, ow int
	channels, first    int // outputs of all slices, and the first of this one
	fours              int // input channels, padded
	l                  layout
	zeros              int
	in, out            image
	quantize           float32
}

func newInt8Rig(c convCase, seed, inC, channels int) *int8Rig {
	g := &int8Rig{c: c, channels: channels, first: panelWidth * c.first, fours: (inC + 3) / 4 * 4}
	g.oh, g.ow = c.out()
	g.row1 = g.oh
	if c.rows[1] != 0 {
		g.row0, g.row1 = c.rows[0], c.rows[1]
	}
	if c.inRing {
		g.inRing = min(c.inH, (g.row1-g.row0-1)*c.sh+c.dh*(c.kh-1)+1)
	}
	if c.outRing {
		g.outRing = g.row1 - g.row0
	}
	g.zeros = g.l.add(g.fours / 4)
	g.in = arenaImage(&g.l, c.inH, c.inW, g.fours/4, c.inWide, 0, g.inRing)
	if seed%2 == 1 && channels%4 == 0 {
		g.quantize = []float32{1, 3.7}[seed/2%2]
		g.out = arenaImage(&g.l, g.oh, g.ow, channels/4, c.outWide, c.rowGap, g.outRing)
	} else {
		g.out = arenaImage(&g.l, g.oh, g.ow, channels, c.outWide, c.rowGap, g.outRing)
	}
	return g
}

// fill makes the arena and the image's numbers.
func (g *int8Rig) fill(t *testing.T, r *rand.Rand) []float32 {
	mem := guarded(t, g.l.floats)
	clear(mem[g.zeros/4:][:g.fours/4])
	for y := range g.c.inH {
		for x := range g.c.inW {
			activations(r, asBytes(mem[g.in.index(y, x, 0):][:g.fours/4]))
		}
	}
	return mem
}

// at is an element of the image, 0 outside.
func (g *int8Rig) at(mem []float32, y, x, c int) int64 {
	if y < 0 || y >= g.c.inH || x < 0 || x >= g.c.inW {
		return 0
	}
	return int64(asBytes(mem)[g.in.rowOffset(y)+x*g.in.pix+c])
}

// put stores a result.
func (g *int8Rig) put(mem []float32, y, x, n int, v float32) {
	if g.quantize == 0 {
		mem[g.out.index(y, x, n)] = v
		return
	}
	asBytes(mem)[g.out.rowOffset(y)+x*g.out.pix+n] = quantizedExactly(v, g.quantize)
}

// slice moves the output to the first channel of the slice.
func (g *int8Rig) slice() (out image) {
	out = g.out
	if g.quantize == 0 {
		out.off += 4 * g.first
	} else {
		out.off += g.first
	}
	return out
}

func TestInt8ConvDriver(t *testing.T) {
	forInt8Units(t, func(t *testing.T, u int8Unit) {
		for seed, c := range convCases() {
			for i := range 2 {
				testInt8ConvCase(t, c, 2*seed+i)
			}
		}
	})
}

func testInt8ConvCase(t *testing.T, c convCase, seed int) {
	r := rand.New(rand.NewSource(int64(seed)))
	g := newInt8Rig(c, seed, c.inC, c.channels)
	what := fmt.Sprintf("case %d, quantize %g, %+v", seed, g.quantize, c)
	groups := c.kh * c.kw * g.fours / 4
	panels := (c.channels-g.first-1)/panelWidth + 1
	wstep := 192 + 64*groups
	weights := g.l.add(panels * wstep / 4)
	residual, perPixel := arenaImage(&g.l, g.oh, g.ow, c.channels, 3, 0, g.outRing), arenaImage(&g.l, g.oh, g.ow, 1, 1, 0, 0)
	vector := g.l.add(c.channels)
	mem := g.fill(t, r)
	values(r, mem[residual.off/4:], 0)
	s := int8Step{convStep: convStep{
		in: g.in, zeros: g.zeros, inH: c.inH, inW: c.inW, inC: g.fours / 4, outH: g.oh, outW: g.ow,
		kh: c.kh, kw: c.kw, sh: c.sh, sw: c.sw, dh: c.dh, dw: c.dw, padT: c.padT, padL: c.padL,
		weights: weights, channels: c.channels - g.first, act: seed / 2 % 2,
	}, quantize: g.quantize}
	scratch := convScratch(c.kh * c.kw)
	if g.quantize != 0 {
		s.aside = (scratch + 63) &^ 63
		scratch = s.aside + maxTileBytes
	}
	parts := make([]int8Panel, panels)
	for p := range parts {
		parts[p] = int8PanelAt(unsafe.Add(unsafe.Pointer(&mem[0]), weights+p*wstep), 64*groups, false)
		parts[p].fill(r, min(16, s.channels-16*p))
	}
	after := func(v float32, y, x, n int) float32 { return v }
	if seed%3 == 0 {
		after = addEpilogue(&s.epilogue, mem, residual, perPixel, vector, g.first)
	}
	before, want := append([]float32(nil), mem...), append([]float32(nil), mem...)
	for y := g.row0; y < g.row1; y++ {
		for x := range g.ow {
			for n := range s.channels {
				sum := int64(0)
				for e := range 4 * groups {
					tap, ch := e/g.fours, e%g.fours
					v := g.at(mem, y*c.sh-c.padT+tap/c.kw*c.dh, x*c.sw-c.padL+tap%c.kw*c.dw, ch)
					sum += v * int64(parts[n/16].w[e/4*64+n%16*4+e%4])
				}
				g.put(want, y, x, g.first+n, after(parts[n/16].finish(sum, n%16, s.act), y, x, n))
			}
		}
	}
	s.out = g.slice()
	var slice part
	for threads := range 6 {
		if threads == 3 {
			size := 4
			if g.quantize != 0 {
				size = 1
			}
			slice = s.shared(g.first, size)
		}
		threads = threads%3 + 1
		copy(mem, before)
		onTeam(t, mem, threads, scratch, c.rows, func(t *thread) {
			t.part = slice
			runConvInt8(t, &s)
		})
		compareBits(t, fmt.Sprintf("%s, %d threads", what, threads), mem, want)
	}
}

func TestInt8DepthwiseDriver(t *testing.T) {
	forInt8Units(t, func(t *testing.T, u int8Unit) {
		for seed, c := range convCases() {
			for _, mult := range []int{1, 2} {
				if c.inC*mult > panelWidth*c.first {
					testInt8DepthwiseCase(t, c, mult, 2*seed+mult)
				}
			}
		}
	})
}

func testInt8DepthwiseCase(t *testing.T, c convCase, mult, seed int) {
	r := rand.New(rand.NewSource(int64(seed)))
	g := newInt8Rig(c, seed, c.inC, c.inC*mult)
	what := fmt.Sprintf("case %d, mult %d, quantize %g, %+v", seed, mult, g.quantize, c)
	taps := c.kh * c.kw
	panels := (g.channels-g.first-1)/panelWidth + 1
	wstep := (128 + 16*taps + 63) &^ 63
	weights := g.l.add(panels * wstep / 4)
	vector := g.l.add(g.channels)
	residual, perPixel := arenaImage(&g.l, g.oh, g.ow, g.channels, 3, 0, g.outRing), arenaImage(&g.l, g.oh, g.ow, 1, 1, 0, 0)
	mem := g.fill(t, r)
	values(r, mem[vector/4:], 0)
	s := depthwiseInt8Step{depthwiseStep: depthwiseStep{
		in: g.in, zeros: g.zeros, inH: c.inH, inW: c.inW, outH: g.oh, outW: g.ow,
		kh: c.kh, kw: c.kw, sh: c.sh, sw: c.sw, dh: c.dh, dw: c.dw, padT: c.padT, padL: c.padL,
		weights: weights, channels: g.channels - g.first, mult: mult, firstChannel: g.first, act: seed / 2 % 2,
	}, quantize: g.quantize}
	scratch := convScratch(taps)
	if g.quantize != 0 {
		s.aside = (scratch + 63) &^ 63
		scratch = s.aside + 4*maxDepthwisePixels*panelWidth*panels
	}
	parts := make([]int8Panel, panels)
	for p := range parts {
		parts[p] = int8PanelAt(unsafe.Add(unsafe.Pointer(&mem[0]), weights+p*wstep), 16*taps, true)
		parts[p].fill(r, min(16, s.channels-16*p))
	}
	after := func(v float32, y, x, n int) float32 { return v }
	if seed%3 == 0 {
		after = addEpilogue(&s.epilogue, mem, residual, perPixel, vector, g.first)
	}
	before, want := append([]float32(nil), mem...), append([]float32(nil), mem...)
	for y := g.row0; y < g.row1; y++ {
		for x := range g.ow {
			for n := range s.channels {
				sum := int64(0)
				for tap := range taps {
					v := g.at(mem, y*c.sh-c.padT+tap/c.kw*c.dh, x*c.sw-c.padL+tap%c.kw*c.dw, (g.first+n)/mult)
					sum += v * int64(parts[n/16].w[16*tap+n%16])
				}
				g.put(want, y, x, g.first+n, after(parts[n/16].finish(sum, n%16, s.act), y, x, n))
			}
		}
	}
	s.in.off += g.first / mult
	s.out = g.slice()
	for threads := 1; threads <= 3; threads++ {
		copy(mem, before)
		onTeam(t, mem, threads, scratch, c.rows, func(t *thread) { runDepthwiseInt8(t, &s) })
		compareBits(t, fmt.Sprintf("%s, %d threads", what, threads), mem, want)
	}
}

func TestQuantizeDriver(t *testing.T) {
	forInt8Units(t, func(t *testing.T, u int8Unit) {
		r := rand.New(rand.NewSource(1))
		for i := range 40 {
			h, w, n := 1+r.Intn(9), 1+r.Intn(9), 1+r.Intn(40)
			fours := (n + 3) / 4
			rows := [2]int{}
			row0, row1, ring := 0, h, 0
			if i%3 == 0 {
				row0 = r.Intn(h)
				row1 = row0 + 1 + r.Intn(h-row0)
				rows = [2]int{row0, row1}
				if i%2 == 0 {
					ring = row1 - row0
				}
			}
			var l layout
			s := quantizeStep{in: arenaImage(&l, h, w, n, i%4, 0, ring), out: arenaImage(&l, h, w, fours, i%2, 0, ring), h: h, w: w, inC: n, outC: 4 * fours, scale: 2.5}
			mem := guarded(t, l.floats)
			for y := row0; y < row1; y++ {
				for x := range w {
					for k := range n {
						mem[s.in.index(y, x, k)] = float32(r.NormFloat64() * 30)
					}
				}
			}
			before, want := append([]float32(nil), mem...), append([]float32(nil), mem...)
			for y := row0; y < row1; y++ {
				for x := range w {
					for k := range 4 * fours {
						v := int8(0)
						if k < n {
							v = quantizedExactly(mem[s.in.index(y, x, k)], s.scale)
						}
						asBytes(want)[s.out.rowOffset(y)+x*s.out.pix+k] = v
					}
				}
			}
			for threads := 1; threads <= 3; threads++ {
				copy(mem, before)
				onTeam(t, mem, threads, 4, rows, func(t *thread) { runQuantize(t, &s) })
				compareBits(t, fmt.Sprintf("case %d, %d threads, %+v", i, threads, s), mem, want)
			}
		}
	})
}
