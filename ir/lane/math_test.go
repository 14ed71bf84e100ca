package lane

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

// run evaluates f at the points xs (and ys).
func run(t *testing.T, f func(*Builder, ...Reg) Reg, in ...[]float32) []float32 {
	t.Helper()
	b := New("f")
	var args []Reg
	for range in {
		args = append(args, b.Vec())
	}
	p := b.Return(f(b, args...))
	out := make([]float32, len(in[0]))
	if _, err := p.Eval(len(out), in, out); err != nil {
		t.Fatal(err)
	}
	return out
}

func unary(f func(*Builder, Reg) Reg) func(*Builder, ...Reg) Reg {
	return func(b *Builder, r ...Reg) Reg { return f(b, r[0]) }
}

func binary(f func(*Builder, Reg, Reg) Reg) func(*Builder, ...Reg) Reg {
	return func(b *Builder, r ...Reg) Reg { return f(b, r[0], r[1]) }
}

// ulps is |got-want| in units of the last place of want (of the least normal
// number where want is smaller than that).
func ulps(got float32, want float64) float64 {
	if math.IsNaN(want) || got != got {
		if math.IsNaN(want) && got != got {
			return 0
		}
		return math.Inf(1)
	}
	w := float32(want)
	if w == got {
		return 0
	}
	if math.IsInf(float64(w), 0) || math.IsInf(float64(got), 0) {
		// One side overflowed: measure as if the exponent went on.
		if math.Abs(want) < 0x1.fffffep127 || math.Abs(float64(got)) < 0x1.fffff0p127 {
			return math.Inf(1)
		}
		return 1
	}
	_, e := math.Frexp(want)
	return math.Abs(float64(got)-want) / math.Ldexp(1, max(e, -125)-24)
}

// spread returns n points of lo..hi: half of them even, half of them with evenly
// spread bit patterns on either side of zero.
func spread(lo, hi float32, n int) []float32 {
	r := rand.New(rand.NewPCG(uint64(n), uint64(math.Float32bits(hi))))
	var xs []float32
	for len(xs) < n {
		xs = append(xs, lo+float32(r.Float64()*(float64(hi)-float64(lo))))
		x := math.Float32frombits(r.Uint32())
		if x >= lo && x <= hi {
			xs = append(xs, x)
		}
	}
	return append(xs, lo, hi)
}

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

func TestUnaryAccuracy(t *testing.T) {
	softplus := func(x float64) float64 { return max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))) }
	gelu := func(x float64) float64 { return x / 2 * math.Erfc(-x/math.Sqrt2) }
	geluTanh := func(x float64) float64 {
		return x * sigmoid(2*math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x))
	}
	mish := func(x float64) float64 {
		n := math.Exp(x)
		return x * (n * (n + 2)) / (n*(n+2) + 2)
	}
	swish := func(x float64) float64 { return x * sigmoid(x) }
	inf := float32(math.MaxFloat32)
	for _, c := range []struct {
		name   string
		f      func(*Builder, Reg) Reg
		want   func(float64) float64
		lo, hi float32
		limit  float64
	}{
		{"Exp", (*Builder).Exp, math.Exp, -110, 90, 1.1},
		{"Expm1", (*Builder).Expm1, math.Expm1, -110, 90, 1.5},
		{"Sigmoid", (*Builder).Sigmoid, sigmoid, -87, inf, 2.5},
		{"Swish", (*Builder).Swish, swish, -87, inf, 2.5},
		{"Tanh", (*Builder).Tanh, math.Tanh, -inf, inf, 2.5},
		{"Tanh", (*Builder).Tanh, math.Tanh, -10, 10, 2.5},
		{"Mish", (*Builder).Mish, mish, -87, 80, 3.5},
		{"Softplus", (*Builder).Softplus, softplus, -110, 100, 2.5},
		{"Log", (*Builder).Log, math.Log, 0, inf, 1},
		{"Log", (*Builder).Log, math.Log, 0.5, 2, 1},
		{"Log10", (*Builder).Log10, math.Log10, 0, inf, 2},
		{"Log10", (*Builder).Log10, math.Log10, 0.5, 2, 2},
		{"Log1p", (*Builder).Log1p, math.Log1p, -1, 2, 1.5},
		{"Log1p", (*Builder).Log1p, math.Log1p, 0, inf, 1.5},
		{"Erf", (*Builder).Erf, math.Erf, -inf, inf, 1.5},
		{"Erf", (*Builder).Erf, math.Erf, -4, 4, 1.5},
		{"Erfc", (*Builder).Erfc, math.Erfc, -4, 11, 5},
		{"GELU", (*Builder).GELU, gelu, -4, 20, 6},
		{"GELU", (*Builder).GELU, gelu, -14, -4, 6},
		{"GELUTanh", (*Builder).GELUTanh, geluTanh, -2, 20, 5.5},
		{"Sin", (*Builder).Sin, math.Sin, -10, 10, 2.5},
		{"Sin", (*Builder).Sin, math.Sin, -4e6, 4e6, 2.5},
		{"Cos", (*Builder).Cos, math.Cos, -10, 10, 2.5},
		{"Cos", (*Builder).Cos, math.Cos, -4e6, 4e6, 2.5},
		{"Tan", (*Builder).Tan, math.Tan, -10, 10, 4},
		{"Tan", (*Builder).Tan, math.Tan, -4e6, 4e6, 4},
		{"Asin", (*Builder).Asin, math.Asin, -1, 1, 2},
		{"Acos", (*Builder).Acos, math.Acos, -1, 1, 1.5},
		{"Atan", (*Builder).Atan, math.Atan, -inf, inf, 2},
		{"Atan", (*Builder).Atan, math.Atan, -4, 4, 2},
		{"Sinh", (*Builder).Sinh, math.Sinh, -90, 90, 2},
		{"Sinh", (*Builder).Sinh, math.Sinh, -2, 2, 2},
		{"Cosh", (*Builder).Cosh, math.Cosh, -90, 90, 2},
		{"Asinh", (*Builder).Asinh, math.Asinh, -inf, inf, 3},
		{"Asinh", (*Builder).Asinh, math.Asinh, -40, 40, 3},
		{"Acosh", (*Builder).Acosh, math.Acosh, 1, inf, 2.5},
		{"Acosh", (*Builder).Acosh, math.Acosh, 1, 40, 2.5},
		{"Atanh", (*Builder).Atanh, math.Atanh, -1, 1, 3},
	} {
		xs := spread(c.lo, c.hi, 150000)
		got := run(t, unary(c.f), xs)
		worst, at := 0.0, 0
		for i, x := range xs {
			if u := ulps(got[i], c.want(float64(x))); u > worst {
				worst, at = u, i
			}
		}
		t.Logf("%s on %g..%g: %.2f ulp at %g", c.name, c.lo, c.hi, worst, xs[at])
		if worst > c.limit {
			t.Errorf("%s(%g) = %g, want %g: %.2f ulp, more than %g", c.name, xs[at], got[at],
				c.want(float64(xs[at])), worst, c.limit)
		}
	}
}

func TestUnaryEnds(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	zero := float32(math.Copysign(0, -1))
	tiny := math.Float32frombits(1)
	for _, c := range []struct {
		name     string
		f        func(*Builder, Reg) Reg
		in, want []float32
	}{
		{"Exp", (*Builder).Exp, []float32{-inf, inf, 0, zero, -1e30, 1e30}, []float32{0, inf, 1, 1, 0, inf}},
		{"Expm1", (*Builder).Expm1, []float32{-inf, inf, 0, zero, tiny}, []float32{-1, inf, 0, zero, tiny}},
		{"Sigmoid", (*Builder).Sigmoid, []float32{-inf, inf, 0, -1e30, 1e30}, []float32{0, 1, 0.5, 0, 1}},
		{"Swish", (*Builder).Swish, []float32{inf, 0, zero, -1e30, 1e30}, []float32{inf, 0, zero, zero, 1e30}},
		{"Tanh", (*Builder).Tanh, []float32{-inf, inf, 0, zero, tiny}, []float32{-1, 1, 0, zero, tiny}},
		{"Mish", (*Builder).Mish, []float32{inf, 0, zero, -1e30, 1e30}, []float32{inf, 0, zero, zero, 1e30}},
		{"Softplus", (*Builder).Softplus, []float32{-inf, inf, 1e30}, []float32{0, inf, 1e30}},
		{"Log", (*Builder).Log, []float32{0, zero, 1, inf, -1, -inf}, []float32{-inf, -inf, 0, inf, nan, nan}},
		{"Log10", (*Builder).Log10, []float32{0, zero, 1, inf, -1}, []float32{-inf, -inf, 0, inf, nan}},
		{"Log1p", (*Builder).Log1p, []float32{-1, 0, zero, inf, -2, tiny}, []float32{-inf, 0, zero, inf, nan, tiny}},
		{"Erf", (*Builder).Erf, []float32{-inf, inf, 0, zero, tiny}, []float32{-1, 1, 0, zero, tiny}},
		{"Erfc", (*Builder).Erfc, []float32{-inf, inf, 0, 1e30}, []float32{2, 0, 1, 0}},
		{"GELU", (*Builder).GELU, []float32{inf, 0, -1e30, 1e30}, []float32{inf, 0, zero, 1e30}},
		{"GELUTanh", (*Builder).GELUTanh, []float32{inf, 0, -1e30, 1e30}, []float32{inf, 0, zero, 1e30}},
		{"Sin", (*Builder).Sin, []float32{0, zero, inf, 1e10, tiny}, []float32{0, 0, nan, nan, tiny}},
		{"Cos", (*Builder).Cos, []float32{0, zero, -inf, -1e10}, []float32{1, 1, nan, nan}},
		{"Tan", (*Builder).Tan, []float32{0, zero, inf, 1e10}, []float32{0, 0, nan, nan}},
		{"Asin", (*Builder).Asin, []float32{0, zero, 1.5, -1.5, inf, 1}, []float32{0, zero, nan, nan, nan, math.Pi / 2}},
		{"Acos", (*Builder).Acos, []float32{1, -1, 1.5, -inf}, []float32{0, math.Pi, nan, nan}},
		{"Atan", (*Builder).Atan, []float32{0, zero, inf, -inf}, []float32{0, zero, math.Pi / 2, -math.Pi / 2}},
		{"Sinh", (*Builder).Sinh, []float32{0, zero, inf, -inf}, []float32{0, zero, inf, -inf}},
		{"Cosh", (*Builder).Cosh, []float32{0, inf, -inf}, []float32{1, inf, inf}},
		{"Asinh", (*Builder).Asinh, []float32{0, zero, inf, -inf}, []float32{0, zero, inf, -inf}},
		{"Acosh", (*Builder).Acosh, []float32{1, inf, 0.5, -inf}, []float32{0, inf, nan, nan}},
		{"Atanh", (*Builder).Atanh, []float32{0, zero, 1, -1, 2, -inf}, []float32{0, zero, inf, -inf, nan, nan}},
	} {
		got := run(t, unary(c.f), append(c.in, nan))
		for i, w := range append(c.want, nan) {
			same := math.Float32bits(got[i]) == math.Float32bits(w)
			if !same && !(got[i] != got[i] && w != w) {
				t.Errorf("%s(%g) = %g, want %g", c.name, append(c.in, nan)[i], got[i], w)
			}
		}
	}
}

// corners are the values whose pairs C's standard fixes the results of.
var corners = []float32{0, float32(math.Copysign(0, -1)), 1, -1, 2, -2, 3, -3, 0.5, -0.5, 1e30, -1e30, 1e-30,
	16777216, 16777215, -16777215, 0x1p-149, -0x1p-149, float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN())}

func pairs(xs []float32) (a, b []float32) {
	for _, x := range xs {
		for _, y := range xs {
			a, b = append(a, x), append(b, y)
		}
	}
	return a, b
}

func TestPow(t *testing.T) {
	xs, ys := pairs(corners)
	r := rand.New(rand.NewPCG(1, 2))
	for range 300000 {
		x := float32(math.Exp(r.NormFloat64() * 3))
		y := float32(r.NormFloat64() * 10)
		switch r.IntN(4) {
		case 0: // near the ends of the range
			y = float32((r.Float64()*2 - 1) * 105 / math.Log(float64(x)))
		case 1:
			x, y = -x, float32(r.IntN(40)-20)
		case 2:
			x = float32(1 + r.NormFloat64()*1e-3)
			y = float32((r.Float64()*2 - 1) * 90 / math.Log(float64(x)))
		}
		xs, ys = append(xs, x), append(ys, y)
	}
	accuracy(t, "Pow", (*Builder).Pow, math.Pow, xs, ys, 2)
}

func TestAtan2(t *testing.T) {
	ys, xs := pairs(corners)
	r := rand.New(rand.NewPCG(3, 4))
	for range 200000 {
		xs = append(xs, float32(r.NormFloat64()*math.Exp(r.NormFloat64()*6)))
		ys = append(ys, float32(r.NormFloat64()*math.Exp(r.NormFloat64()*6)))
	}
	accuracy(t, "Atan2", (*Builder).Atan2, math.Atan2, ys, xs, 3)
}

func accuracy(t *testing.T, name string, f func(*Builder, Reg, Reg) Reg, want func(x, y float64) float64, xs, ys []float32, limit float64) {
	t.Helper()
	got := run(t, binary(f), xs, ys)
	worst, at, bad := 0.0, 0, 0
	for i := range xs {
		w := want(float64(xs[i]), float64(ys[i]))
		u := ulps(got[i], w)
		if w == 0 && math.Signbit(w) != math.Signbit(float64(got[i])) {
			u = math.Inf(1)
		}
		if u > limit {
			if bad++; bad < 20 {
				t.Errorf("%s(%g, %g) = %g, want %g", name, xs[i], ys[i], got[i], w)
			}
		} else if u > worst {
			worst, at = u, i
		}
	}
	t.Logf("%s: %.2f ulp at %g, %g", name, worst, xs[at], ys[at])
}

func TestRemainders(t *testing.T) {
	xs, ys := pairs(corners)
	r := rand.New(rand.NewPCG(5, 6))
	for range 200000 {
		x := float32(r.NormFloat64() * math.Exp(r.NormFloat64()*8))
		y := float32(r.NormFloat64() * math.Exp(r.NormFloat64()*8))
		switch r.IntN(3) {
		case 0: // ties and near ties
			x = y * (float32(r.IntN(1000)) + 0.5)
			x = math.Float32frombits(math.Float32bits(x) + uint32(r.IntN(3)) - 1)
		case 1:
			x = y * float32(r.IntN(100000))
		}
		xs, ys = append(xs, x), append(ys, y)
	}
	for _, c := range []struct {
		name string
		f    func(*Builder, Reg, Reg) Reg
		want func(x, y float64) float64
	}{
		{"Fmod", (*Builder).Fmod, math.Mod},
		{"Remainder", (*Builder).Remainder, math.Remainder},
	} {
		got := run(t, binary(c.f), xs, ys)
		bad, reach := 0, 0
		for i := range xs {
			x, y := float64(xs[i]), float64(ys[i])
			w := c.want(x, y)
			if q := math.Abs(x / y); q >= 0x1p70 && !math.IsInf(y, 0) {
				if got[i] != got[i] {
					continue // out of reach
				}
			} else {
				reach++
			}
			g := got[i]
			if !(math.Float32bits(g) == math.Float32bits(float32(w)) || g != g && w != w) {
				if bad++; bad < 20 {
					t.Errorf("%s(%g, %g) = %g, want %g", c.name, x, y, g, w)
				}
			}
		}
		if reach < len(xs)*9/10 {
			t.Errorf("%s: only %d of %d pairs in reach", c.name, reach, len(xs))
		}
	}
}

func TestFMA(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	pick := func() float32 {
		for {
			u := r.Uint32()
			if r.IntN(2) == 0 {
				u = u&0x807fffff | uint32(100+r.IntN(50))<<23
			}
			if v := math.Float32frombits(u); v == v && !math.IsInf(float64(v), 0) {
				return v
			}
		}
	}
	exact := func(v float32) *big.Float { return new(big.Float).SetPrec(600).SetFloat64(float64(v)) }
	for range 50000 {
		x, y, z := pick(), pick(), pick()
		if r.IntN(2) == 0 {
			if z = float32(-float64(x) * float64(y)); math.IsInf(float64(z), 0) {
				continue
			}
			z = math.Float32frombits(math.Float32bits(z) ^ uint32(r.IntN(4)))
		}
		sum := new(big.Float).SetPrec(600).Mul(exact(x), exact(y))
		want, _ := sum.Add(sum, exact(z)).Float32()
		if got := fma(x, y, z); got != want && z == z {
			t.Fatalf("fma(%g, %g, %g) = %g, want %g", x, y, z, got, want)
		}
	}
}
