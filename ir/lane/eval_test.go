package lane

import (
	"math"
	"strings"
	"testing"
)

// TestReductionStructure compares Eval with the documented tree, written out.
func TestReductionStructure(t *testing.T) {
	b := New("total")
	p := b.ReturnReduced(b.Mul(b.Vec(), b.Splat()), ReduceSum, true)
	for _, n := range []int{0, 1, 15, 16, 17, 40} {
		x := make([]float32, n)
		for i := range x {
			x[i] = float32(math.Sin(float64(i))) * 3
		}
		out := make([]float32, n)
		got, err := p.Eval(n, [][]float32{x, {1.1}}, out)
		if err != nil {
			t.Fatal(err)
		}
		var a [16]float32
		for i, v := range x {
			if want := float32(v * 1.1); out[i] != want {
				t.Fatalf("n %d: element %d is %g, want %g", n, i, out[i], want)
			}
			a[i%16] += out[i]
		}
		c := func(j int) float32 { return a[j] + a[j+8] }
		d := func(j int) float32 { return c(j) + c(j+4) }
		e := func(j int) float32 { return d(j) + d(j+2) }
		if want := e(0) + e(1); got != want {
			t.Errorf("n %d: sum %g, want %g", n, got, want)
		}
	}
}

func TestReductionEnds(t *testing.T) {
	inf := float32(math.Inf(1))
	nan := float32(math.NaN())
	for _, c := range []struct {
		how  Reduction
		in   []float32
		want float32
	}{
		{ReduceSum, nil, 0},
		{ReduceMax, nil, -inf},
		{ReduceMin, nil, inf},
		{ReduceMax, []float32{nan, 3, -5}, 3},
		{ReduceMin, []float32{nan, 3, -5}, -5},
	} {
		b := New("r")
		p := b.ReturnReduced(b.Vec(), c.how, false)
		if got, err := p.Eval(len(c.in), [][]float32{c.in}, nil); err != nil || got != c.want {
			t.Errorf("%v of %v is %g (%v), want %g", c.how, c.in, got, err, c.want)
		}
	}
}

func TestSelectSemantics(t *testing.T) {
	nan := float32(math.NaN())
	zero := float32(math.Copysign(0, -1))
	bits := math.Float32bits
	for _, c := range []struct{ a, b, max, min float32 }{
		{1, 2, 2, 1}, {nan, 2, 2, 2}, {2, nan, nan, nan}, {0, zero, zero, zero}, {zero, 0, 0, 0},
	} {
		b := New("m")
		x, y := b.Vec(), b.Vec()
		for _, v := range []struct {
			p    *Program
			want float32
		}{{b.Return(b.Max(x, y)), c.max}, {b.Return(b.Min(x, y)), c.min}} {
			out := make([]float32, 1)
			if _, err := v.p.Eval(1, [][]float32{{c.a}, {c.b}}, out); err != nil {
				t.Fatal(err)
			}
			if bits(out[0]) != bits(v.want) && !(out[0] != out[0] && v.want != v.want) {
				t.Errorf("%g, %g: got %g, want %g", c.a, c.b, out[0], v.want)
			}
		}
	}
}

func TestPrint(t *testing.T) {
	b := New("scale_max")
	x, s := b.Vec(), b.Splat()
	p := b.ReturnReduced(b.Shr(b.FMA(x, s, b.F(0.5)), 3), ReduceMax, true)
	want := `program scale_max
	v0 = in 0 vector
	v1 = in 1 splat
	v2 = const 0x3f000000 (0.5)
	v3 = fma v0 v1 v2
	v4 = shr v3 3
	max v4, store
`
	if got := p.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestCheck(t *testing.T) {
	good := func() *Program {
		b := New("good")
		return b.Return(b.Add(b.Vec(), b.F(1)))
	}
	for _, c := range []struct {
		spoil func(*Program)
		want  string
	}{
		{func(p *Program) { p.Name = "Bad_" }, "name"},
		{func(p *Program) { p.Name = "a__b" }, "name"},
		{func(p *Program) { p.Inputs = make([]Input, 9) }, "9 inputs"},
		{func(p *Program) { p.Inputs = []Input{7} }, "no kind"},
		{func(p *Program) { p.Insts[0].Arg = 1 }, "reads input 1"},
		{func(p *Program) { p.Insts[2].A = 2 }, "reads result 2"},
		{func(p *Program) { p.Insts[2] = Inst{Code: Shl, Arg: 32} }, "shifts by 32"},
		{func(p *Program) { p.Insts[2].Code = 99 }, "unknown code"},
		{func(p *Program) { p.Result = 3 }, "result is 3"},
		{func(p *Program) { p.Both = true }, "Both"},
		{func(p *Program) { p.Reduce = 9 }, "reduction"},
	} {
		p := good()
		if err := p.Check(); err != nil {
			t.Fatal(err)
		}
		c.spoil(p)
		if err := p.Check(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want an error with %q", err, c.want)
		}
	}
}

func TestSplatted(t *testing.T) {
	b := New("add")
	p := b.Return(b.Add(b.Vec(), b.Vec()))
	if q := p.Splatted([]bool{false, false}); q != p {
		t.Error("an unchanged program was copied")
	}
	q := p.Splatted([]bool{false, true})
	if q.Name != "add_vs" || q.Inputs[1] != Splat || p.Inputs[1] != Vector {
		t.Errorf("got %s with inputs %v from %v", q.Name, q.Inputs, p.Inputs)
	}
	out := make([]float32, 3)
	if _, err := q.Eval(3, [][]float32{{1, 2, 3}, {10}}, out); err != nil || out[2] != 13 {
		t.Errorf("got %v (%v)", out, err)
	}
}
