// Command fit derives the polynomial coefficients of ir/lane's functions: near
// minimax fits by Lawson's reweighted least squares, with coefficients rounded to
// float32 one after another and the rest fitted again. It prints one line per
// function; the numbers in ir/lane/math*.go were copied from here. It knows
// nothing of how the polynomials are evaluated.
package main

import (
	"fmt"
	"math"
	"strings"

	"gonum.org/v1/gonum/mat"
)

// curve is a function to approximate on [lo,hi] by sum c[i]*x^powers[i].
type curve struct {
	name   string
	lo, hi float64
	powers []int
	// at gives the argument of the polynomial, its wanted value and the factor
	// by which an error there is judged.
	at func(x float64) (u, want, weight float64)
}

func powers(from, n, step int) []int {
	p := make([]int, n)
	for i := range p {
		p[i] = from + i*step
	}
	return p
}

func relative(f func(float64) float64) func(float64) (float64, float64, float64) {
	return func(x float64) (float64, float64, float64) { return x, f(x), 1 / math.Abs(f(x)) }
}

// odd fits f(x) = x + x^3 P(x^2), judged against f.
func odd(f func(float64) float64) func(float64) (float64, float64, float64) {
	return func(x float64) (float64, float64, float64) { return x, f(x) - x, 1 / math.Abs(f(x)) }
}

var curves = []curve{
	{"expm1 - r", -0.3467, 0.3467, powers(2, 5, 1), odd(math.Expm1)},
	{"exp2 - 1", -0.5001, 0.5001, powers(1, 6, 1), func(x float64) (float64, float64, float64) {
		return x, math.Expm1(x * math.Ln2), 1 / math.Exp2(x)
	}},
	{"log1p - f + f^2/2", math.Sqrt2/2 - 1, math.Sqrt2 - 1, powers(3, 8, 1), func(x float64) (float64, float64, float64) {
		return x, math.Log1p(x) - x + x*x/2, 1 / math.Abs(math.Log1p(x))
	}},
	{"log1p on 0..1", 0, 1, powers(1, 10, 1), relative(math.Log1p)},
	{"log2 of (1+s)/(1-s), less its first term", 0, 0.17158, powers(3, 4, 2), func(x float64) (float64, float64, float64) {
		return x, 2*math.Atanh(x)/math.Ln2 - 2*x/math.Ln2, 1 / x
	}},
	{"sin", 0, math.Pi/4 + 0.11, powers(3, 3, 2), odd(math.Sin)},
	{"cos - 1 + r^2/2", 0, math.Pi/4 + 0.11, powers(4, 3, 2), func(x float64) (float64, float64, float64) {
		return x, math.Cos(x) - 1 + x*x/2, 1 / math.Cos(x)
	}},
	{"asin", 0, 0.5, powers(3, 5, 2), odd(math.Asin)},
	{"atan", 0, 1, powers(3, 8, 2), odd(math.Atan)},
	{"sinh", 0, 1, powers(3, 4, 2), odd(math.Sinh)},
	{"erf - x", 0, 0.9, powers(1, 7, 2), odd(math.Erf)},
	{"log erfc", 0.9, 4, powers(0, 7, 1), func(x float64) (float64, float64, float64) {
		return x, math.Log(math.Erfc(x)), math.Erfc(x)
	}},
	{"(x+2) exp(x^2) erfc(x) at 1-4/(x+2)", 0, 10.2, powers(0, 10, 1), func(x float64) (float64, float64, float64) {
		h := (x + 2) * math.Exp(x*x) * math.Erfc(x)
		return 1 - 4/(x+2), h, 1 / h
	}},
}

const points = 1500

// fit returns float32 coefficients and the largest judged error with them.
func fit(c *curve) ([]float32, float64) {
	u := make([]float64, points)
	want := make([]float64, points)
	weight := make([]float64, points)
	for i := range u {
		x := (c.lo+c.hi)/2 - (c.hi-c.lo)/2*math.Cos(math.Pi*(float64(i)+0.5)/points)
		u[i], want[i], weight[i] = c.at(x)
	}
	n := len(c.powers)
	out := make([]float32, n)
	for fixed := 0; fixed < n; fixed++ {
		rest := append([]float64(nil), want...)
		for i := range rest {
			for k := range fixed {
				rest[i] -= float64(out[k]) * math.Pow(u[i], float64(c.powers[k]))
			}
		}
		coef := lawson(u, rest, weight, c.powers[fixed:])
		out[fixed] = float32(coef[0])
	}
	worst := 0.0
	for i := range u {
		v := 0.0
		for k, p := range c.powers {
			v += float64(out[k]) * math.Pow(u[i], float64(p))
		}
		worst = max(worst, math.Abs(v-want[i])*weight[i])
	}
	return out, worst
}

func lawson(u, want, weight []float64, powers []int) []float64 {
	n, m := len(powers), len(u)
	share := make([]float64, m)
	for i := range share {
		share[i] = 1 / float64(m)
	}
	var best []float64
	low := math.Inf(1)
	for range 60 {
		a := mat.NewDense(m, n, nil)
		b := mat.NewVecDense(m, nil)
		for i := range u {
			s := math.Sqrt(share[i]) * weight[i]
			for k, p := range powers {
				a.Set(i, k, s*math.Pow(u[i], float64(p)))
			}
			b.SetVec(i, s*want[i])
		}
		var x mat.VecDense
		if err := x.SolveVec(a, b); err != nil {
			if _, ok := err.(mat.Condition); !ok {
				panic(err)
			}
		}
		worst, total := 0.0, 0.0
		for i := range u {
			v := 0.0
			for k, p := range powers {
				v += x.AtVec(k) * math.Pow(u[i], float64(p))
			}
			e := math.Abs(v-want[i]) * weight[i]
			worst = max(worst, e)
			share[i] *= e
			total += share[i]
		}
		for i := range share {
			share[i] /= total
		}
		if worst < low {
			low = worst
			best = append(best[:0], x.RawVector().Data...)
		}
	}
	return best
}

func main() {
	for i := range curves {
		c := &curves[i]
		coef, err := fit(c)
		text := make([]string, len(coef))
		for k, v := range coef {
			text[k] = fmt.Sprintf("%.9g", v)
		}
		fmt.Printf("%s: powers %v, error %.2g\n\t%s\n", c.name, c.powers, err, strings.Join(text, ", "))
	}
}
