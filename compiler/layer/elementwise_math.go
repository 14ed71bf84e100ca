package layer

import (
	"math"

	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/lane"
)

// Element-wise layers with transcendental functions.
func init() {
	for _, t := range []struct {
		typ   string
		index int
		f     pointwise
	}{
		{"Sigmoid", 30, sigmoid},
		{"TanH", 35, tanh},
		{"Mish", 71, mish},
		{"Swish", 73, pointwise{"swish", func(x float64) float64 { return x * sigmoid64(x) },
			func(p *lane.Builder, x lane.Reg) lane.Reg { return p.Swish(x) }}},
		{"Softplus", 77, softplus},
		{"BNLL", 4, softplus},
		{"Erf", 100, pointwise{"erf", math.Erf, func(p *lane.Builder, x lane.Reg) lane.Reg { return p.Erf(x) }}},
	} {
		registerPointwise(t.typ, t.index, nil, func(*ir.Layer) (pointwise, error) { return t.f, nil })
	}
	registerPointwise("GELU", 80, []ParamDef{{0, "fast_gelu", Int, "0 exact (erfc), 1 by tanh"}}, func(l *ir.Layer) (pointwise, error) {
		if l.Params.Int(0, 0) != 0 {
			return geluTanh, nil
		}
		return gelu, nil
	})
	registerPointwise("ELU", 11, []ParamDef{{0, "alpha", Float, "default 0.1"}}, func(l *ir.Layer) (pointwise, error) {
		return elu("elu", l.Params.Float(0, 0.1), 1), nil
	})
	registerPointwise("CELU", 102, []ParamDef{{0, "alpha", Float, "default 1"}}, func(l *ir.Layer) (pointwise, error) {
		a := l.Params.Float(0, 1)
		return pointwise{"celu_" + digits(a),
			func(x float64) float64 {
				if x < 0 {
					return float64(a) * math.Expm1(x/float64(a))
				}
				return x
			},
			func(p *lane.Builder, x lane.Reg) lane.Reg {
				return p.Sel(p.Lt(x, p.F(0)), p.Mul(p.F(a), p.Expm1(p.Div(x, p.F(a)))), x)
			},
		}, nil
	})
	registerPointwise("SELU", 66, []ParamDef{
		{0, "alpha", Float, "default 1.67326324"}, {1, "lambda", Float, "default 1.050700987"},
	}, func(l *ir.Layer) (pointwise, error) {
		lambda := l.Params.Float(1, 1.050700987)
		return elu("selu", l.Params.Float(0, 1.67326324)*lambda, lambda), nil
	})
	inner := []ParamDef{{1, "scale", Float, "the argument is shift + scale*x; default 1"}, {2, "shift", Float, "default 0"}}
	registerPointwise("Power", 22, append([]ParamDef{{0, "power", Float, "default 1"}}, inner...), func(l *ir.Layer) (pointwise, error) {
		e, in := l.Params.Float(0, 1), linearOf(l)
		return pointwise{"power_" + digits(e) + in.name,
			func(x float64) float64 { return math.Pow(in.eval(x), float64(e)) },
			func(p *lane.Builder, x lane.Reg) lane.Reg {
				if short := shortPower(e); short != nil {
					return short(p, in.lane(p, x))
				}
				return p.Pow(in.lane(p, x), p.F(e))
			},
		}, nil
	})
	base := ParamDef{0, "base", Float, "-1 (default) means e"}
	registerPointwise("Exp", 13, append([]ParamDef{base}, inner...), func(l *ir.Layer) (pointwise, error) {
		a, in := l.Params.Float(0, -1), linearOf(l)
		if a == -1 {
			return pointwise{"exp" + in.name,
				func(x float64) float64 { return math.Exp(in.eval(x)) },
				func(p *lane.Builder, x lane.Reg) lane.Reg { return p.Exp(in.lane(p, x)) },
			}, nil
		}
		return pointwise{"exp_base_" + digits(a) + in.name,
			func(x float64) float64 { return math.Pow(float64(a), in.eval(x)) },
			func(p *lane.Builder, x lane.Reg) lane.Reg { return p.Pow(p.F(a), in.lane(p, x)) },
		}, nil
	})
	registerPointwise("Log", 17, append([]ParamDef{base}, inner...), func(l *ir.Layer) (pointwise, error) {
		a, in := l.Params.Float(0, -1), linearOf(l)
		if a == -1 {
			return pointwise{"log" + in.name,
				func(x float64) float64 { return math.Log(in.eval(x)) },
				func(p *lane.Builder, x lane.Reg) lane.Reg { return p.Log(in.lane(p, x)) },
			}, nil
		}
		return pointwise{"log_base_" + digits(a) + in.name,
			func(x float64) float64 { return math.Log(in.eval(x)) / math.Log(float64(a)) },
			func(p *lane.Builder, x lane.Reg) lane.Reg {
				return p.Mul(p.Log(in.lane(p, x)), p.F(float32(1/math.Log(float64(a)))))
			},
		}, nil
	})
}

// linearOf is the argument shift + scale*x of Power, Exp and Log.
func linearOf(l *ir.Layer) pointwise {
	scale, shift := l.Params.Float(1, 1), l.Params.Float(2, 0)
	f := pointwise{
		eval: func(x float64) float64 { return float64(shift) + x*float64(scale) },
		lane: func(p *lane.Builder, x lane.Reg) lane.Reg { return p.FMA(x, p.F(scale), p.F(shift)) },
	}
	if scale == 1 && shift == 0 {
		f.lane = func(_ *lane.Builder, x lane.Reg) lane.Reg { return x }
		return f
	}
	f.name = "_of_" + digits(scale) + "_" + digits(shift)
	return f
}

// elu is alpha*(exp(x)-1) below zero and lambda*x above.
func elu(name string, alpha, lambda float32) pointwise {
	return pointwise{name + "_" + digits(alpha) + "_" + digits(lambda),
		func(x float64) float64 {
			if x < 0 {
				return float64(alpha) * math.Expm1(x)
			}
			return x * float64(lambda)
		},
		func(p *lane.Builder, x lane.Reg) lane.Reg {
			up := x
			if lambda != 1 {
				up = p.Mul(x, p.F(lambda))
			}
			return p.Sel(p.Lt(x, p.F(0)), p.Mul(p.F(alpha), p.Expm1(x)), up)
		},
	}
}

var softplus = pointwise{"softplus", softplus64, func(p *lane.Builder, x lane.Reg) lane.Reg { return p.Softplus(x) }}

var gelu = pointwise{"gelu",
	func(x float64) float64 { return 0.5 * x * math.Erfc(-x*math.Sqrt2/2) },
	func(p *lane.Builder, x lane.Reg) lane.Reg { return p.GELU(x) },
}

var geluTanh = pointwise{"gelu_tanh",
	func(x float64) float64 { return 0.5 * x * (1 + math.Tanh(0.79788452*(x+0.044715*x*x*x))) },
	func(p *lane.Builder, x lane.Reg) lane.Reg { return p.GELUTanh(x) },
}
