package lane

import (
	"math"
	"testing"
)

// Programs of two and three inputs that tell their inputs apart.
func sub2() *Program {
	b := New("sub")
	return b.Return(b.Sub(b.Vec(), b.Vec()))
}

func fma3() *Program {
	b := New("fma3")
	x, y, z := b.Vec(), b.Splat(), b.Vec()
	return b.Return(b.FMA(x, y, z))
}

func relu1() *Program {
	b := New("relu")
	return b.Return(b.Max(b.F(0), b.Vec()))
}

func evaluate(t *testing.T, p *Program, in ...[]float32) []float32 {
	t.Helper()
	out := make([]float32, 4)
	if _, err := p.Eval(4, in, out); err != nil {
		t.Fatalf("%v\n%s", err, p)
	}
	return out
}

var (
	xs = []float32{1, -2, 3.5, float32(math.Inf(1))}
	ys = []float32{7, 5, -1, 2}
	zs = []float32{-30, 1e-9, 4, 8}
	k  = []float32{3}
)

func same(a, b []float32) bool {
	for i := range a {
		if math.Float32bits(a[i]) != math.Float32bits(b[i]) {
			return false
		}
	}
	return true
}

func TestCompose(t *testing.T) {
	// relu, then as each of fma3's vectors, then as sub's second.
	mid := evaluate(t, relu1(), xs)
	for _, c := range []struct {
		at   int
		name string
		in   [][]float32
		want []float32
	}{
		{0, "relu_then_fma3", [][]float32{xs, k, zs}, evaluate(t, fma3(), mid, k, zs)},
		{2, "relu_then2_fma3", [][]float32{xs, ys, k}, evaluate(t, fma3(), ys, k, mid)},
	} {
		p := Compose(fma3(), c.at, relu1())
		if p == nil || p.Name != c.name {
			t.Fatalf("at %d: %v", c.at, p)
		}
		if got := evaluate(t, p, c.in...); !same(got, c.want) {
			t.Errorf("at %d: %v, want %v\n%s", c.at, got, c.want, p)
		}
	}
	p := Compose(sub2(), 1, fma3())
	if got, want := evaluate(t, p, xs, k, zs, ys), evaluate(t, sub2(), ys, evaluate(t, fma3(), xs, k, zs)); !same(got, want) {
		t.Errorf("%v, want %v\n%s", got, want, p)
	}
	// Joining two of three first makes no difference.
	left := Compose(sub2(), 0, Compose(relu1(), 0, fma3()))
	right := Compose(Compose(sub2(), 0, relu1()), 0, fma3())
	if left.Name != right.Name || left.String() != right.String() {
		t.Errorf("not associative:\n%s%s", left, right)
	}
}

func TestComposeRefuses(t *testing.T) {
	b := New("sum")
	sum := b.ReturnReduced(b.Vec(), ReduceSum, false)
	if Compose(sub2(), 0, sum) != nil || Compose(sum, 0, sub2()) != nil {
		t.Error("a reduction was composed")
	}
	if Compose(fma3(), 1, relu1()) != nil {
		t.Error("results per element were composed with one value for all")
	}
	b = New("five")
	r := b.Vec()
	for range 4 {
		r = b.Add(r, b.Vec())
	}
	five := b.Return(r)
	if Compose(five, 0, five) != nil {
		t.Errorf("nine inputs, at most %d", MaxInputs)
	}
}

func TestFirst(t *testing.T) {
	if p := sub2(); First(p, 0) != p {
		t.Error("input 0 is the first already")
	}
	p := First(fma3(), 2)
	if got, want := evaluate(t, p, zs, xs, k), evaluate(t, fma3(), xs, k, zs); !same(got, want) || p.Inputs[2] != Splat || p.Name != "fma3_first2" {
		t.Errorf("%v, want %v\n%s", got, want, p)
	}
}

func TestMerge(t *testing.T) {
	p := Merge(fma3(), 0, 2)
	if got, want := evaluate(t, p, xs, k), evaluate(t, fma3(), xs, k, xs); !same(got, want) || p.Name != "fma3_same02" {
		t.Errorf("%v, want %v\n%s", got, want, p)
	}
	if Merge(fma3(), 0, 1) != nil {
		t.Error("a vector was merged with a single value")
	}
}
