package layer

import (
	"fmt"
	"math"

	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/diag"
	"github.com/flexnnc/flexnnc/ir/lane"
)

// pointwise is a function of one number: an element-wise layer or the activation
// that a convolution carries. name determines it completely.
type pointwise struct {
	name string
	eval func(x float64) float64
	lane func(p *lane.Builder, x lane.Reg) lane.Reg
}

// program is the function as a Map.
func (f pointwise) program() *lane.Program {
	p := lane.New(f.name)
	return p.Return(f.lane(p, p.Vec()))
}

// registerPointwise adds an element-wise layer type; of chooses the function by
// the layer's parameters.
func registerPointwise(typ string, index int, params []ParamDef, of func(l *ir.Layer) (pointwise, error)) {
	Register(&Def{
		Type: typ, Index: index, MinIn: 1, MaxIn: 1, MinOut: 1, MaxOut: 1, Params: params,
		Check: func(l *ir.Layer, d *diag.List) {
			if _, err := of(l); err != nil {
				d.Layerf(l, "%v", err)
			}
		},
		Shape: same,
		Eval: func(c *EvalCall) error {
			f, err := of(c.Layer)
			if err != nil {
				return err
			}
			for i, x := range c.In[0].Data {
				c.Out[0].Data[i] = f.eval(x)
			}
			return nil
		},
		Lower: func(b *Builder) error {
			f, err := of(b.Layer)
			if err != nil {
				return err
			}
			v := b.Any(0)
			b.Map(f.program(), b.Output(0, v.Layout), v.Tensor)
			return nil
		},
	})
}

// activation is the function that parameters 9 (type) and 10 (array) of a
// convolution or inner product name; ok is false where there is none.
func activation(l *ir.Layer, typeID, paramsID int) (f pointwise, ok bool, err error) {
	typ := l.Params.Int(typeID, 0)
	a := l.Params.Floats(paramsID)
	want := map[int]int{2: 1, 3: 2, 6: 2}[typ]
	if len(a) < want {
		return f, false, fmt.Errorf("activation_type %d needs %d activation_params in an array (%d=%d,..), found %d", typ, want, -23300-paramsID, want, len(a))
	}
	switch typ {
	case 0:
		return f, false, nil
	case 1:
		return relu(0), true, nil
	case 2:
		return relu(a[0]), true, nil
	case 3:
		return clip(a[0], a[1]), true, nil
	case 4:
		return sigmoid, true, nil
	case 5:
		return mish, true, nil
	case 6:
		return hardSwish(a[0], a[1]), true, nil
	}
	return f, false, fmt.Errorf("unknown activation_type %d", typ)
}

// activationEval is activation for a reference: the identity where there is none.
func activationEval(l *ir.Layer, typeID, paramsID int) (func(float64) float64, error) {
	f, ok, err := activation(l, typeID, paramsID)
	if !ok {
		return func(x float64) float64 { return x }, err
	}
	return f.eval, nil
}

// relu is max(x,0), or x*slope for negative x.
func relu(slope float32) pointwise {
	if slope == 0 {
		return pointwise{"relu",
			func(x float64) float64 {
				if x < 0 {
					return 0
				}
				return x
			},
			func(p *lane.Builder, x lane.Reg) lane.Reg { return p.Max(p.F(0), x) },
		}
	}
	return pointwise{"leaky_relu_" + digits(slope),
		func(x float64) float64 {
			if x < 0 {
				return x * float64(slope)
			}
			return x
		},
		func(p *lane.Builder, x lane.Reg) lane.Reg {
			return p.Sel(p.Lt(x, p.F(0)), p.Mul(x, p.F(slope)), x)
		},
	}
}

func clip(lo, hi float32) pointwise {
	return pointwise{"clip_" + digits(lo) + "_" + digits(hi),
		func(x float64) float64 {
			if x < float64(lo) {
				x = float64(lo)
			}
			if x > float64(hi) {
				x = float64(hi)
			}
			return x
		},
		func(p *lane.Builder, x lane.Reg) lane.Reg { return p.Min(p.F(hi), p.Max(p.F(lo), x)) },
	}
}

// hardGate is min(max(x*alpha+beta, 0), 1).
func hardGate(p *lane.Builder, x lane.Reg, alpha, beta float32) lane.Reg {
	return p.Min(p.F(1), p.Max(p.F(0), p.FMA(x, p.F(alpha), p.F(beta))))
}

func hardSigmoid(alpha, beta float32) pointwise {
	return pointwise{"hard_sigmoid_" + digits(alpha) + "_" + digits(beta),
		func(x float64) float64 {
			return math.Min(math.Max(x*float64(alpha)+float64(beta), 0), 1)
		},
		func(p *lane.Builder, x lane.Reg) lane.Reg { return hardGate(p, x, alpha, beta) },
	}
}

func hardSwish(alpha, beta float32) pointwise {
	return pointwise{"hard_swish_" + digits(alpha) + "_" + digits(beta),
		func(x float64) float64 {
			return x * math.Min(math.Max(x*float64(alpha)+float64(beta), 0), 1)
		},
		func(p *lane.Builder, x lane.Reg) lane.Reg { return p.Mul(x, hardGate(p, x, alpha, beta)) },
	}
}

func sigmoid64(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

var sigmoid = pointwise{"sigmoid", sigmoid64, func(p *lane.Builder, x lane.Reg) lane.Reg { return p.Sigmoid(x) }}

var tanh = pointwise{"tanh", math.Tanh, func(p *lane.Builder, x lane.Reg) lane.Reg { return p.Tanh(x) }}

var mish = pointwise{"mish", func(x float64) float64 { return x * math.Tanh(softplus64(x)) },
	func(p *lane.Builder, x lane.Reg) lane.Reg { return p.Mish(x) }}

// softplus64 is log(exp(x)+1) without overflow.
func softplus64(x float64) float64 { return math.Max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))) }
