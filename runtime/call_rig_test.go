package runtime

import (
	"fmt"
	"math"
	"math/rand"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"unsafe"
)

// callRig lays the operands of a portable kernel out in an arena, with gaps
// between rows and zones around tensors that nothing may write, and runs it.
type callRig struct {
	t     *testing.T
	r     *rand.Rand
	arena []float32
	owned []bool // elements that the kernel may write
	step  callStep
	out   [][]int // places of each output's elements
	// scratch of all, and per thread, in bytes
	scratch, perThread int
	dense              bool // no gaps inside tensors
	// rank is that of images of which the kernel makes ranges of rows: they lie in
	// rings, and the kernel also runs range by range. 0 = it makes none.
	rank int
}

func newCallRig(t *testing.T, seed int64) *callRig {
	g := &callRig{t: t, r: rand.New(rand.NewSource(seed))}
	g.room(16)
	return g
}

// room appends n floats that belong to nobody: NaN, so that reading them shows.
func (g *callRig) room(n int) {
	for range n {
		g.arena = append(g.arena, math.Float32frombits(0x7fc0dead))
		g.owned = append(g.owned, false)
	}
}

// random is n values, some of them equal.
func (g *callRig) random(n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(g.r.NormFloat64())
		if i > 0 && g.r.Intn(16) == 0 {
			x[i] = x[g.r.Intn(i)]
		}
	}
	return x
}

// place makes room for a tensor and gives the places of its elements.
func (g *callRig) place(dims []int) (callTensor, []int) {
	g.room(1 + g.r.Intn(5))
	var c callTensor
	c.off = 4 * len(g.arena)
	c.dims = [4]int{1, 1, 1, 1}
	copy(c.dims[4-len(dims):], dims)
	stride, gaps := 1, !g.dense && g.r.Intn(2) == 0
	for i := 3; i >= 4-len(dims); i-- {
		c.strides[i] = 4 * stride
		stride *= c.dims[i]
		if gaps {
			stride += g.r.Intn(4)
		}
	}
	g.room(stride)
	if len(dims) == g.rank {
		c.axis, c.ring = 4-g.rank, dims[0]
		c.first = g.r.Intn(c.ring)
	}
	places := make([]int, c.len())
	for i := range places {
		at, rest := c.off, i
		for a := 3; a >= 0; a-- {
			y := rest % c.dims[a]
			if c.ring != 0 && a == c.axis {
				y = (c.first + y) % c.ring
			}
			at += y * c.strides[a]
			rest /= c.dims[a]
		}
		places[i] = at / 4
	}
	return c, places
}

// in adds an operand with the given elements.
func (g *callRig) in(data []float32, dims ...int) []float32 {
	c, places := g.place(dims)
	if len(places) != len(data) {
		g.t.Fatalf("%d elements for dims %v", len(data), dims)
	}
	for i, at := range places {
		g.arena[at] = data[i]
	}
	g.step.in = append(g.step.in, c)
	return data
}

// inRandom adds an operand with random elements.
func (g *callRig) inRandom(dims ...int) []float32 {
	n := 1
	for _, d := range dims {
		n *= d
	}
	return g.in(g.random(n), dims...)
}

// panelsOf packs a matrix of rows by k in panels, with biases or none: as float16 where
// half is set, when its elements become those.
func panelsOf(w []float32, rows, k int, bias []float32, half bool) []float32 {
	panels := (rows + panelWidth - 1) / panelWidth
	size := panelBytes(k, half)
	data := make([]float32, panels*size/4)
	for r := range rows {
		panel := unsafe.Add(unsafe.Pointer(&data[0]), r/panelWidth*size)
		if bias != nil {
			putf32(panel, r%panelWidth, bias[r])
		}
		for c := range k {
			at := c*panelWidth + r%panelWidth
			if half {
				h := toHalf(w[r*k+c])
				w[r*k+c] = fromHalf(h)
				*(*uint16)(unsafe.Add(panel, 4*panelWidth+2*at)) = h
			} else {
				putf32(panel, panelWidth+at, w[r*k+c])
			}
		}
	}
	return data
}

// toHalf drops the bits that a normal float16 has not; what is too small becomes 0.
func toHalf(v float32) uint16 {
	u := math.Float32bits(v)
	e := int(u>>23&255) - 112
	if e < 1 {
		return uint16(u >> 16 & 0x8000)
	}
	return uint16(u>>16&0x8000) | uint16(e)<<10 | uint16(u>>13&1023)
}

// inPanels adds an operand of random numbers in panels, and gives the numbers.
func (g *callRig) inPanels(rows, k int, bias []float32, half bool) []float32 {
	w := g.random(rows * k)
	data := panelsOf(w, rows, k, bias, half)
	dense := g.dense
	g.dense = true
	g.in(data, len(data))
	g.dense = dense
	return w
}

// inWords adds an operand of int32.
func (g *callRig) inWords(words []int, dims ...int) []int {
	x := make([]float32, len(words))
	for i, w := range words {
		x[i] = math.Float32frombits(uint32(int32(w)))
	}
	g.in(x, dims...)
	return words
}

// outTensor adds a result.
func (g *callRig) outTensor(dims ...int) {
	c, places := g.place(dims)
	for _, at := range places {
		g.owned[at] = true
	}
	g.step.out = append(g.step.out, c)
	g.out = append(g.out, places)
}

// run runs the kernel with one to three threads and gives the results, which must
// have the same bits each time.
func (g *callRig) run(kernel func(*thread, *callStep), ints []int, floats ...float32) [][]float32 {
	g.t.Helper()
	g.step.kernel, g.step.ints, g.step.floats = kernel, ints, floats
	g.room(16)
	if pad := len(g.arena) % 16; pad != 0 {
		g.room(16 - pad)
	}
	g.step.scratch = 4 * len(g.arena)
	for range (g.scratch + 3) / 4 {
		g.arena, g.owned = append(g.arena, 1e30), append(g.owned, true)
	}
	g.room(16)
	var first [][]float32
	if g.rank > 0 {
		g.step.rows = 4 - g.rank
	}
	for threads := 1; threads <= 3; threads++ {
		ranges := [][2]int{{}}
		if g.rank > 0 && threads > 1 {
			ranges = nil
			for lo, n := 0, g.step.out[0].dims[4-g.rank]; lo < n; {
				hi := min(n, lo+1+g.r.Intn(3))
				ranges, lo = append(ranges, [2]int{lo, hi}), hi
			}
		}
		each := g.perThread/4 + 32
		whole := make([]float32, len(g.arena)+threads*each) // scratch of threads is part of the arena
		copy(whole, g.arena)
		arena := whole[:len(g.arena)]
		tiles := make([]atomic.Int64, len(ranges))
		var wait sync.WaitGroup
		for id := range threads {
			wait.Add(1)
			own := whole[len(arena)+id*each:][:each]
			for i := range own {
				own[i] = math.Float32frombits(0x7fc0beef)
			}
			go func() {
				defer wait.Done()
				for k, rows := range ranges { // no range needs what another makes
					th := &thread{id: id, arena: unsafe.Pointer(&arena[0]), tiles: &tiles[k], rows: rows, scratch: unsafe.Pointer(&own[16])}
					runCall(th, &g.step)
				}
			}()
			defer func() {
				for i, v := range own {
					if (i < 16 || i >= 16+g.perThread/4) && math.Float32bits(v) != 0x7fc0beef {
						g.t.Errorf("%d threads: scratch of thread %d is overrun at %d", threads, id, i-16)
					}
				}
			}()
		}
		wait.Wait()
		for i, v := range arena {
			if !g.owned[i] && math.Float32bits(v) != math.Float32bits(g.arena[i]) {
				g.t.Fatalf("%d threads: element %d, which is no result, is written; ints %v", threads, i, ints)
			}
		}
		got := make([][]float32, len(g.out))
		for o, places := range g.out {
			for _, at := range places {
				got[o] = append(got[o], arena[at])
			}
			if first != nil {
				for i, v := range got[o] {
					if math.Float32bits(v) != math.Float32bits(first[o][i]) {
						g.t.Fatalf("%d threads: element %d of result %d is %g, with one thread %g", threads, i, o, v, first[o][i])
					}
				}
			}
		}
		if first == nil {
			first = got
		}
	}
	var tiles atomic.Int64
	arena := append(slices.Clone(g.arena), make([]float32, g.perThread/4+1)...)
	own := arena[len(g.arena):]
	th := &thread{arena: unsafe.Pointer(&arena[0]), tiles: &tiles, scratch: unsafe.Pointer(&own[0])}
	if n := testing.AllocsPerRun(1, func() { tiles.Store(0); runCall(th, &g.step) }); n != 0 {
		g.t.Errorf("%v heap allocations", n)
	}
	return first
}

// near compares results with exact values, the error relative to the largest.
func near(t *testing.T, what string, got []float32, want []float64, tolerance float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d values, want %d", what, len(got), len(want))
	}
	top := 0.0
	for _, v := range want {
		top = math.Max(top, math.Abs(v))
	}
	for i, v := range want {
		if !(math.Abs(float64(got[i])-v) <= tolerance*math.Max(top, 1e-3)) {
			t.Fatalf("%s: element %d is %g, want %g", what, i, got[i], v)
		}
	}
}

// same compares results with values that must be met exactly.
func same(t *testing.T, what string, got, want []float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d values, want %d", what, len(got), len(want))
	}
	for i, v := range want {
		if math.Float32bits(got[i]) != math.Float32bits(v) {
			t.Fatalf("%s: element %d is %g, want %g", what, i, got[i], v)
		}
	}
}

// rounds runs a test several times, with its own seed each.
func rounds(t *testing.T, n int, f func(t *testing.T, g *callRig)) {
	for seed := range n {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { f(t, newCallRig(t, int64(seed))) })
	}
}
