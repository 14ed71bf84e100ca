//go:build linux

package kernels

import (
	"fmt"
	"math"
	"math/rand"
	"sync"
	"sync/atomic"
	"testing"
	"unsafe"

	"github.com/flexnnc/flexnnc/avo/kernel/lane/sample"
	"github.com/flexnnc/flexnnc/ir/lane"
)

func sampleProgram(t *testing.T, name string) *lane.Program {
	t.Helper()
	for _, p := range sample.Programs() {
		if p.Name == name {
			return p
		}
	}
	t.Fatalf("no sample program %q", name)
	return nil
}

// onThreads runs work on several threads over an arena, as the engine does.
func onThreads(arena []float32, rows [2]int, work func(*thread)) {
	var tiles atomic.Int64
	var all sync.WaitGroup
	for i := range 3 {
		all.Go(func() {
			work(&thread{id: i, arena: pointerTo(arena), tiles: &tiles, rows: rows})
		})
	}
	all.Wait()
}

// scatterOperand places an operand of a loop nest at random: dense, broadcast along some
// loops, or (its loop `rows`) in a ring. It returns the floats it takes.
func scatterOperand(r *rand.Rand, o *operand, dims [4]int, n, rows int, input bool) int {
	length := n
	if o.splat {
		length = 1
	}
	size := length + r.Intn(3)
	for i := 3; i >= 0; i-- {
		if input && r.Intn(4) == 0 {
			continue
		}
		d := dims[i]
		if i == rows && r.Intn(2) == 0 {
			d = max(1, d-1)
			o.ring = d
		}
		o.step[i] = 4 * size
		size *= d
	}
	return size
}

// walk visits the rows of a step's range.
func walk(dims [4]int, rows int, span [2]int, visit func(at [4]int)) {
	lo, hi := [4]int{}, dims
	if rows >= 0 && span[1] != 0 {
		lo[rows], hi[rows] = span[0], span[1]
	}
	for i := lo[0]; i < hi[0]; i++ {
		for j := lo[1]; j < hi[1]; j++ {
			for k := lo[2]; k < hi[2]; k++ {
				for l := lo[3]; l < hi[3]; l++ {
					visit([4]int{i, j, k, l})
				}
			}
		}
	}
}

// place is the index of an operand's element 0 of a run.
func place(o *operand, at [4]int, rows int) int {
	p := o.off
	for i, y := range at {
		if i == rows && o.ring != 0 {
			y %= o.ring
		}
		p += y * o.step[i]
	}
	return p / 4
}

func TestMapDriver(t *testing.T) {
	r := rand.New(rand.NewSource(1))
	kernels := map[string]*func(*mapArgs){"add": &mapAdd, "sub_vs": &mapSubVs, "neg": &mapNeg, "norm": &mapNorm}
	for try := range 400 {
		name := []string{"add", "sub_vs", "neg", "norm"}[r.Intn(4)]
		p := sampleProgram(t, name)
		s := mapStep{kernel: kernels[name], n: 1 + r.Intn(50), rows: r.Intn(5) - 1}
		for i := range s.dims {
			s.dims[i] = 1 + r.Intn(3)
		}
		switch try % 40 {
		case 0: // long runs
			s.n, s.dims = mapTile+r.Intn(2*mapTile), [4]int{1, 1, 1, 1 + r.Intn(3)}
		case 1, 2: // many runs
			s.n, s.dims = 1+r.Intn(30), [4]int{1, 1, 1 + r.Intn(3), 200 + r.Intn(400)}
		}
		floats := 8
		put := func(o *operand, input bool) {
			o.off = 4 * floats
			floats += scatterOperand(r, o, s.dims, s.n, s.rows, input) + 8
		}
		put(&s.out, false)
		s.in = make([]operand, len(p.Inputs))
		for k, kind := range p.Inputs {
			s.in[k].splat = kind == lane.Splat
			put(&s.in[k], true)
		}
		var span [2]int
		if s.rows >= 0 {
			if d := s.dims[s.rows]; r.Intn(2) == 0 || s.out.ring != 0 {
				span[0] = r.Intn(d)
				span[1] = span[0] + 1 + r.Intn(d-span[0])
				if s.out.ring != 0 { // a ring holds no more rows at a time
					span[1] = min(span[1], span[0]+s.out.ring)
				}
			}
		}
		arena := make([]float32, floats)
		for i := range arena {
			arena[i] = float32(r.NormFloat64())
		}
		want := append([]float32{}, arena...)
		walk(s.dims, s.rows, span, func(at [4]int) {
			in := make([][]float32, len(s.in))
			for k := range in {
				in[k] = arena[place(&s.in[k], at, s.rows):]
			}
			o := place(&s.out, at, s.rows)
			if _, err := p.Eval(s.n, in, want[o:o+s.n]); err != nil {
				t.Fatal(err)
			}
		})
		onThreads(arena, span, func(th *thread) { runMap(th, &s) })
		for i := range want {
			if !same(arena[i], want[i]) {
				t.Fatalf("try %d, %s, %+v, rows %v: float %d is %g, want %g", try, name, s, span, i, arena[i], want[i])
			}
		}
	}
}

// softmax is made of the sample's reductions: the maximum, the exponentials and
// their sum, its reciprocal by a scalar pass, and the product.
func softmaxPasses() []rowPass {
	return []rowPass{
		{kernel: &reduceMaxXMax, in: []rowSource{{rowInput, 0}}, to: 3},
		{kernel: &reduceSumExpShifted, in: []rowSource{{rowInput, 0}, {rowRegister, 3}}, to: 0},
		{kernel: &mapNeg, in: []rowSource{{rowRegister, 0}}, to: 1, scalar: true},
		{kernel: &mapNeg, in: []rowSource{{rowRegister, 1}}, to: 2, scalar: true},
		{kernel: &mapDivVs, in: []rowSource{{rowOutput, 0}, {rowRegister, 2}}, to: -1},
	}
}

func TestRowsDriver(t *testing.T) {
	r := rand.New(rand.NewSource(2))
	peak, exps, quotient := sampleProgram(t, "x_max"), sampleProgram(t, "exp_shifted"), sampleProgram(t, "div_vs")
	for try := range 150 {
		s := rowsStep{n: 1 + r.Intn(70), rows: r.Intn(5) - 1, in: make([]operand, 1), passes: softmaxPasses()}
		for i := range s.dims {
			s.dims[i] = 1 + r.Intn(4)
		}
		if try%10 == 0 {
			s.n, s.dims = 1+r.Intn(2000), [4]int{1, 1, 1 + r.Intn(9), 1 + r.Intn(3)}
		}
		floats := 8
		for k, o := range []*operand{&s.out, &s.in[0]} {
			o.off = 4 * floats
			floats += scatterOperand(r, o, s.dims, s.n, s.rows, k == 1) + 8
		}
		var span [2]int
		if s.rows >= 0 {
			span[1] = s.dims[s.rows]
			if s.out.ring != 0 {
				span[1] = s.out.ring
			}
		}
		arena := make([]float32, floats)
		for i := range arena {
			arena[i] = float32(r.NormFloat64() * 4)
		}
		want := append([]float32{}, arena...)
		walk(s.dims, s.rows, span, func(at [4]int) {
			x := arena[place(&s.in[0], at, s.rows):]
			o := place(&s.out, at, s.rows)
			y := want[o : o+s.n]
			top, _ := peak.Eval(s.n, [][]float32{x}, nil)
			sum, _ := exps.Eval(s.n, [][]float32{x, {top}}, y)
			if _, err := quotient.Eval(s.n, [][]float32{y, {sum}}, y); err != nil {
				t.Fatal(err)
			}
			total := 0.0
			for _, v := range y {
				total += float64(v)
			}
			if math.Abs(total-1) > 1e-5 {
				t.Fatalf("a softmax adds up to %g", total)
			}
		})
		onThreads(arena, span, func(th *thread) { runRows(th, &s) })
		for i := range want {
			if !same(arena[i], want[i]) {
				t.Fatalf("try %d, %+v: float %d is %g, want %g", try, s, i, arena[i], want[i])
			}
		}
	}
}

// TestDriversAllocateNothing runs each driver of element-wise work many times.
func TestDriversAllocateNothing(t *testing.T) {
	arena := make([]float32, 1<<16)
	var tiles atomic.Int64
	th := &thread{arena: unsafe.Pointer(&arena[0]), tiles: &tiles}
	m := mapStep{kernel: &mapAdd, n: 100, dims: [4]int{1, 2, 3, 4}, rows: -1, in: make([]operand, 2)}
	rows := rowsStep{n: 100, dims: [4]int{1, 1, 2, 4}, rows: -1, in: make([]operand, 1), passes: softmaxPasses()}
	c := copyStep{dims: [5]int{1, 1, 2, 30, 30}, inStep: [5]int{0, 0, 3600, 4, 120}, outStep: [5]int{0, 0, 3600, 120, 4}, out: 1 << 15}
	for what, f := range map[string]func(){
		"map":  func() { runMap(th, &m) },
		"rows": func() { runRows(th, &rows) },
		"copy": func() { runCopy(th, &c) },
	} {
		if n := testing.AllocsPerRun(20, func() { tiles.Store(0); f() }); n != 0 {
			t.Errorf("%s: %g allocations a run", what, n)
		}
	}
	if tiles.Load() == 0 {
		t.Error(fmt.Sprint("nothing was claimed of ", len(arena)))
	}
}
