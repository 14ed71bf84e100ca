package layer

import (
	"fmt"
	"math"

	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/lane"
)

func init() {
	registerPointwise("UnaryOp", 41, []ParamDef{
		{0, "op_type", Int, "0 abs 1 neg 2 floor 3 ceil 4 square 5 sqrt 6 rsqrt 7 exp 8 log 9 sin 10 cos 11 tan 12 asin 13 acos 14 atan 15 reciprocal 16 tanh 17 log10 18 round 19 trunc 20 sign 21 expm1 22 sinh 23 asinh 24 cosh 25 acosh 26 atanh 27 log1p"},
	}, func(l *ir.Layer) (pointwise, error) {
		t := l.Params.Int(0, 0)
		if t < 0 || t >= len(unaryOps) {
			return pointwise{}, fmt.Errorf("unknown op_type %d", t)
		}
		return unaryOps[t], nil
	})
}

// unaryOps are the operations by parameter 0.
var unaryOps = []pointwise{
	absolute,
	{"neg", func(x float64) float64 { return -x }, func(p *lane.Builder, x lane.Reg) lane.Reg { return p.Neg(x) }},
	{"floor", math.Floor, func(p *lane.Builder, x lane.Reg) lane.Reg { return p.Floor(x) }},
	{"ceil", math.Ceil, func(p *lane.Builder, x lane.Reg) lane.Reg { return p.Ceil(x) }},
	{"square", func(x float64) float64 { return x * x }, func(p *lane.Builder, x lane.Reg) lane.Reg { return p.Mul(x, x) }},
	{"sqrt", math.Sqrt, func(p *lane.Builder, x lane.Reg) lane.Reg { return p.Sqrt(x) }},
	{"rsqrt", func(x float64) float64 { return 1 / math.Sqrt(x) }, func(p *lane.Builder, x lane.Reg) lane.Reg { return p.Div(p.F(1), p.Sqrt(x)) }},
	{"exp", math.Exp, func(p *lane.Builder, x lane.Reg) lane.Reg { return p.Exp(x) }},
	{"log", math.Log, func(p *lane.Builder, x lane.Reg) lane.Reg { return p.Log(x) }},
	{"sin", math.Sin, func(p *lane.Builder, x lane.Reg) lane.Reg { return p.Sin(x) }},
	{"cos", math.Cos, func(p *lane.Builder, x lane.Reg) lane.Reg { return p.Cos(x) }},
	{"tan", math.Tan, func(p *lane.Builder, x lane.Reg) lane.Reg { return p.Tan(x) }},
	{"asin", math.Asin, func(p *lane.Builder, x lane.Reg) lane.Reg { return p.Asin(x) }},
	{"acos", math.Acos, func(p *lane.Builder, x lane.Reg) lane.Reg { return p.Acos(x) }},
	{"atan", math.Atan, func(p *lane.Builder, x lane.Reg) lane.Reg { return p.Atan(x) }},
	{"reciprocal", func(x float64) float64 { return 1 / x }, func(p *lane.Builder, x lane.Reg) lane.Reg { return p.Div(p.F(1), x) }},
	tanh,
	{"log10", math.Log10, func(p *lane.Builder, x lane.Reg) lane.Reg { return p.Log10(x) }},
	{"round", math.RoundToEven, func(p *lane.Builder, x lane.Reg) lane.Reg { return p.Round(x) }},
	{"trunc", math.Trunc, func(p *lane.Builder, x lane.Reg) lane.Reg { return p.Trunc(x) }},
	{"sign", func(x float64) float64 {
		switch {
		case x > 0:
			return 1
		case x < 0:
			return -1
		}
		return 0
	}, func(p *lane.Builder, x lane.Reg) lane.Reg {
		return p.Sel(p.Lt(p.F(0), x), p.F(1), p.Sel(p.Lt(x, p.F(0)), p.F(-1), p.F(0)))
	}},
	{"expm1", math.Expm1, func(p *lane.Builder, x lane.Reg) lane.Reg { return p.Expm1(x) }},
	{"sinh", math.Sinh, func(p *lane.Builder, x lane.Reg) lane.Reg { return p.Sinh(x) }},
	{"asinh", math.Asinh, func(p *lane.Builder, x lane.Reg) lane.Reg { return p.Asinh(x) }},
	{"cosh", math.Cosh, func(p *lane.Builder, x lane.Reg) lane.Reg { return p.Cosh(x) }},
	{"acosh", math.Acosh, func(p *lane.Builder, x lane.Reg) lane.Reg { return p.Acosh(x) }},
	{"atanh", math.Atanh, func(p *lane.Builder, x lane.Reg) lane.Reg { return p.Atanh(x) }},
	{"log1p", math.Log1p, func(p *lane.Builder, x lane.Reg) lane.Reg { return p.Log1p(x) }},
}
