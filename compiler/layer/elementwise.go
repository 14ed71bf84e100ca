package layer

import (
	"math"

	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/lane"
)

// Element-wise layers that need arithmetic only; elementwise_math.go has those
// that need exp, log and the like.
func init() {
	slope := ParamDef{0, "slope", Float, "factor for negative values, default 0"}
	registerPointwise("ReLU", 26, []ParamDef{slope}, func(l *ir.Layer) (pointwise, error) {
		return relu(l.Params.Float(0, 0)), nil
	})
	registerPointwise("Clip", 54, []ParamDef{
		{0, "min", Float, "default -3.4e38"}, {1, "max", Float, "default 3.4e38"},
	}, func(l *ir.Layer) (pointwise, error) {
		return clip(l.Params.Float(0, -math.MaxFloat32), l.Params.Float(1, math.MaxFloat32)), nil
	})
	gate := []ParamDef{{0, "alpha", Float, "default 0.2"}, {1, "beta", Float, "default 0.5"}}
	registerPointwise("HardSwish", 67, gate, func(l *ir.Layer) (pointwise, error) {
		return hardSwish(l.Params.Float(0, 0.2), l.Params.Float(1, 0.5)), nil
	})
	registerPointwise("HardSigmoid", 65, gate, func(l *ir.Layer) (pointwise, error) {
		return hardSigmoid(l.Params.Float(0, 0.2), l.Params.Float(1, 0.5)), nil
	})
	registerPointwise("AbsVal", 0, nil, func(l *ir.Layer) (pointwise, error) {
		return absolute, nil
	})
	registerPointwise("Threshold", 36, []ParamDef{{0, "threshold", Float, "1 above it, else 0; default 0"}}, func(l *ir.Layer) (pointwise, error) {
		t := l.Params.Float(0, 0)
		return pointwise{"threshold_" + digits(t),
			func(x float64) float64 {
				if x > float64(t) {
					return 1
				}
				return 0
			},
			func(p *lane.Builder, x lane.Reg) lane.Reg { return p.Sel(p.Lt(p.F(t), x), p.F(1), p.F(0)) },
		}, nil
	})
	registerPointwise("Shrink", 103, []ParamDef{
		{0, "bias", Float, "default 0"}, {1, "lambd", Float, "default 0.5"},
	}, func(l *ir.Layer) (pointwise, error) {
		bias, lambd := l.Params.Float(0, 0), l.Params.Float(1, 0.5)
		return pointwise{"shrink_" + digits(bias) + "_" + digits(lambd),
			func(x float64) float64 {
				switch {
				case x < -float64(lambd):
					return x + float64(bias)
				case x > float64(lambd):
					return x - float64(bias)
				}
				return 0
			},
			func(p *lane.Builder, x lane.Reg) lane.Reg {
				low := p.Sel(p.Lt(x, p.F(-lambd)), p.Add(x, p.F(bias)), p.F(0))
				return p.Sel(p.Lt(p.F(lambd), x), p.Sub(x, p.F(bias)), low)
			},
		}, nil
	})
}

// absolute is |x|.
var absolute = pointwise{"abs", math.Abs, func(p *lane.Builder, x lane.Reg) lane.Reg { return p.Abs(x) }}

// scaled is x*factor.
func scaled(factor float32) pointwise {
	return pointwise{"scale_" + digits(factor),
		func(x float64) float64 { return x * float64(factor) },
		func(p *lane.Builder, x lane.Reg) lane.Reg { return p.Mul(x, p.F(factor)) },
	}
}
