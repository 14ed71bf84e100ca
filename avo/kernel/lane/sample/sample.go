// Package sample holds lane programs that use every operation, function, kind of
// input and reduction: what the generators of kernels are tested and measured
// with. It knows nothing of how kernels are made.
package sample

import (
	"fmt"
	"math/rand"

	"github.com/flexnnc/flexnnc/ir/lane"
)

type (
	one = func(*lane.Builder, lane.Reg) lane.Reg
	two = func(*lane.Builder, lane.Reg, lane.Reg) lane.Reg
)

// Programs returns them, each with a name of its own.
func Programs() []*lane.Program {
	var ps []*lane.Program
	for _, f := range []struct {
		name string
		f    one
	}{
		{"copy", func(b *lane.Builder, x lane.Reg) lane.Reg { return x }},
		{"neg", (*lane.Builder).Neg}, {"abs", (*lane.Builder).Abs}, {"sqrt", (*lane.Builder).Sqrt},
		{"floor", (*lane.Builder).Floor}, {"ceil", (*lane.Builder).Ceil}, {"round", (*lane.Builder).Round},
		{"trunc", (*lane.Builder).Trunc}, {"exp", (*lane.Builder).Exp}, {"expm1", (*lane.Builder).Expm1},
		{"sigmoid", (*lane.Builder).Sigmoid}, {"swish", (*lane.Builder).Swish}, {"tanh", (*lane.Builder).Tanh},
		{"mish", (*lane.Builder).Mish}, {"softplus", (*lane.Builder).Softplus}, {"log", (*lane.Builder).Log},
		{"log10", (*lane.Builder).Log10}, {"log1p", (*lane.Builder).Log1p}, {"erf", (*lane.Builder).Erf},
		{"erfc", (*lane.Builder).Erfc}, {"gelu", (*lane.Builder).GELU}, {"gelu_tanh", (*lane.Builder).GELUTanh},
		{"sin", (*lane.Builder).Sin}, {"cos", (*lane.Builder).Cos}, {"tan", (*lane.Builder).Tan},
		{"asin", (*lane.Builder).Asin}, {"acos", (*lane.Builder).Acos}, {"atan", (*lane.Builder).Atan},
		{"sinh", (*lane.Builder).Sinh}, {"cosh", (*lane.Builder).Cosh}, {"asinh", (*lane.Builder).Asinh},
		{"acosh", (*lane.Builder).Acosh}, {"atanh", (*lane.Builder).Atanh},
		{"relu", relu}, {"shifts", shifts}, {"integers", integers}, {"constant", constant},
	} {
		b := lane.New(f.name)
		ps = append(ps, b.Return(f.f(b, b.Vec())))
	}
	for _, f := range []struct {
		name string
		f    two
	}{
		{"add", (*lane.Builder).Add}, {"sub", (*lane.Builder).Sub}, {"mul", (*lane.Builder).Mul},
		{"div", (*lane.Builder).Div}, {"max", (*lane.Builder).Max}, {"min", (*lane.Builder).Min},
		{"atan2", (*lane.Builder).Atan2}, {"pow", (*lane.Builder).Pow}, {"fmod", (*lane.Builder).Fmod},
		{"remainder", (*lane.Builder).Remainder}, {"bits", bits}, {"masks", masks}, {"compare", compare},
		{"fused", fused}, {"many_masks", manyMasks},
	} {
		b := lane.New(f.name)
		p := b.Return(f.f(b, b.Vec(), b.Vec()))
		ps = append(ps, p)
		switch f.name {
		case "sub", "max", "div", "fmod", "masks":
			ps = append(ps, p.Splatted([]bool{false, true}), p.Splatted([]bool{true, false}))
		}
	}
	return append(ps, reductions()...)
}

func relu(b *lane.Builder, x lane.Reg) lane.Reg {
	return b.AndNot(x, b.Lt(x, b.F(0)))
}

func shifts(b *lane.Builder, x lane.Reg) lane.Reg {
	y := b.Xor(b.Shl(x, 3), b.Shr(x, 5))
	y = b.Xor(y, b.Sar(x, 31))
	return b.Xor(b.Xor(y, b.Shl(x, 0)), b.Xor(b.Shr(x, 0), b.Sar(x, 0)))
}

// integers stays clear of what ToInt does not define.
func integers(b *lane.Builder, x lane.Reg) lane.Reg {
	ok := b.Lt(b.Abs(x), b.F(0x1p30))
	i := b.ToInt(b.And(x, ok))
	return b.FromInt(b.ISub(b.IAdd(i, b.I(12345)), b.Sar(i, 2)))
}

// constant has an input that counts for nothing.
func constant(b *lane.Builder, x lane.Reg) lane.Reg { return b.F(1.5) }

func bits(b *lane.Builder, x, y lane.Reg) lane.Reg {
	return b.Xor(b.And(x, y), b.AndNot(b.Or(x, b.I(0x0ff00ff0)), y))
}

// masks combines and applies masks in all ways; one is used as bits too.
func masks(b *lane.Builder, x, y lane.Reg) lane.Reg {
	lt, le, eq := b.Lt(x, y), b.Le(x, y), b.Eq(x, b.F(1))
	m := b.AndNot(b.Or(lt, eq), b.Xor(le, b.Lt(b.F(0), x)))
	v := b.Sel(m, x, y)
	v = b.Add(v, b.And(le, b.F(3)))
	v = b.Add(v, b.AndNot(y, eq))
	v = b.Add(v, b.And(b.Sqrt(b.Abs(x)), b.And(lt, le)))
	return b.Sel(b.Sar(x, 31), v, b.Sel(b.And(eq, b.Lt(y, b.F(7))), b.Neg(v), b.Min(v, x)))
}

func compare(b *lane.Builder, x, y lane.Reg) lane.Reg {
	return b.Or(b.And(b.Lt(x, y), b.I(1)), b.Or(b.And(b.Le(x, y), b.I(2)), b.And(b.Eq(x, y), b.I(4))))
}

// manyMasks has more masks alive than there are mask registers.
func manyMasks(b *lane.Builder, x, y lane.Reg) lane.Reg {
	var ms []lane.Reg
	for k := range 12 {
		ms = append(ms, b.Lt(x, b.F(float32(k)-6)))
	}
	v := y
	for _, m := range ms {
		v = b.Sel(m, b.Sub(v, x), b.FMA(v, b.F(0.5), x))
	}
	return v
}

// fused has each operand of the fused operations die or live on, and shared.
func fused(b *lane.Builder, x, y lane.Reg) lane.Reg {
	a := b.FMA(x, y, b.F(0.5))
	c := b.FNMA(a, x, y)
	d := b.FMA(c, c, c)
	e := b.FNMA(b.F(3), a, d)
	f := b.FMA(e, b.F(0.25), e)
	return b.FNMA(x, x, b.FMA(y, f, b.FMA(a, b.F(-1.5), b.Mul(c, x))))
}

func reductions() []*lane.Program {
	var ps []*lane.Program
	for _, r := range []lane.Reduction{lane.ReduceSum, lane.ReduceMax, lane.ReduceMin} {
		b := lane.New("x")
		ps = append(ps, b.ReturnReduced(b.Vec(), r, false))
		ps[len(ps)-1].Name = "x_" + r.String()
	}
	b := lane.New("exp_shifted")
	e := b.Exp(b.Sub(b.Vec(), b.Splat()))
	ps = append(ps, b.ReturnReduced(e, lane.ReduceSum, true))
	b = lane.New("square_deviation")
	d := b.Sub(b.Vec(), b.Splat())
	ps = append(ps, b.ReturnReduced(b.Mul(d, d), lane.ReduceSum, false))
	b = lane.New("pow_min")
	p := b.Pow(b.Vec(), b.Splat())
	ps = append(ps, b.ReturnReduced(p, lane.ReduceMin, true))
	ps = append(ps, norm(), many(), crowd())
	for n := range 5 {
		ps = append(ps, random(n))
	}
	return ps
}

// random is a program of mixed operations for seed n. It keeps off the bits of
// values that may be NaN, whose sign and payload differ by instruction set.
func random(n int) *lane.Program {
	r := rand.New(rand.NewSource(int64(n)))
	b := lane.New(fmt.Sprintf("random_%d", n))
	values := []lane.Reg{b.Vec(), b.Splat(), b.Vec(), b.F(0.75), b.F(-2), b.F(3)}
	masks := []lane.Reg{b.Lt(values[0], values[1])}
	v := func() lane.Reg {
		return values[max(0, len(values)-1-r.Intn(min(len(values), 14)))]
	}
	m := func() lane.Reg { return masks[max(0, len(masks)-1-r.Intn(min(len(masks), 5)))] }
	unary := []one{(*lane.Builder).Neg, (*lane.Builder).Abs, (*lane.Builder).Floor, (*lane.Builder).Round,
		func(b *lane.Builder, x lane.Reg) lane.Reg { return b.Sqrt(b.Abs(x)) }}
	binary := []two{(*lane.Builder).Add, (*lane.Builder).Sub, (*lane.Builder).Mul, (*lane.Builder).Max, (*lane.Builder).Min}
	compare := []two{(*lane.Builder).Lt, (*lane.Builder).Le, (*lane.Builder).Eq}
	logic := []two{(*lane.Builder).And, (*lane.Builder).Or, (*lane.Builder).Xor, (*lane.Builder).AndNot}
	for range 50 {
		switch r.Intn(9) {
		case 0:
			values = append(values, unary[r.Intn(len(unary))](b, v()))
		case 1, 2:
			values = append(values, binary[r.Intn(len(binary))](b, v(), v()))
		case 3, 4:
			values = append(values, b.FMA(v(), v(), v()))
		case 5:
			values = append(values, b.FNMA(v(), v(), v()))
		case 6:
			masks = append(masks, compare[r.Intn(len(compare))](b, v(), v()))
		case 7:
			values = append(values, b.Sel(m(), v(), v()), b.And(v(), m()))
		case 8:
			masks = append(masks, logic[r.Intn(len(logic))](b, m(), m()))
			values = append(values, b.AndNot(v(), m()))
		}
	}
	sum := v()
	for range 12 {
		sum = b.Add(b.Mul(sum, b.F(0.5)), v())
	}
	if n%2 == 1 {
		return b.ReturnReduced(sum, lane.ReduceSum, true)
	}
	return b.Return(sum)
}

// norm is the last pass of a layer norm.
func norm() *lane.Program {
	b := lane.New("norm")
	x, mean, scale, gamma, beta := b.Vec(), b.Splat(), b.Splat(), b.Vec(), b.Vec()
	return b.Return(b.FMA(b.Mul(b.Sub(x, mean), scale), gamma, beta))
}

// many uses all the inputs that there can be.
func many() *lane.Program {
	b := lane.New("many_inputs")
	var v lane.Reg
	for k := range lane.MaxInputs {
		x := b.Vec()
		if k == 0 {
			v = x
		} else {
			v = b.FMA(v, b.F(0.75), x)
		}
	}
	return b.Return(v)
}

// crowd has more values alive at a time than any register file holds.
func crowd() *lane.Program {
	b := lane.New("crowd")
	x := b.Vec()
	var vs []lane.Reg
	for k := range 40 {
		vs = append(vs, b.FMA(x, b.F(float32(k)+0.5), b.F(1/float32(k+1))))
	}
	v := b.F(0)
	for k := range vs {
		v = b.FMA(v, b.F(0.5), vs[len(vs)-1-k*7%40])
	}
	return b.Return(v)
}
