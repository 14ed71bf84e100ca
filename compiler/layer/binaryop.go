package layer

import (
	"fmt"
	"math"

	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/diag"
	"github.com/flexnnc/flexnnc/ir/lane"
	"github.com/flexnnc/flexnnc/ir/op"
)

// binaryFunc is an operation of BinaryOp.
type binaryFunc struct {
	name string
	eval func(x, y float64) float64
	lane func(p *lane.Builder, x, y lane.Reg) lane.Reg
	swap bool // operands are exchanged first
}

// binaryOps are the operations by parameter 0; an r form is the same function with operands exchanged.
var binaryOps = []binaryFunc{
	{"add", func(x, y float64) float64 { return x + y }, (*lane.Builder).Add, false},
	{"sub", func(x, y float64) float64 { return x - y }, (*lane.Builder).Sub, false},
	{"mul", func(x, y float64) float64 { return x * y }, (*lane.Builder).Mul, false},
	{"div", func(x, y float64) float64 { return x / y }, (*lane.Builder).Div, false},
	{"max", math.Max, func(p *lane.Builder, x, y lane.Reg) lane.Reg { return p.Max(y, x) }, false},
	{"min", math.Min, func(p *lane.Builder, x, y lane.Reg) lane.Reg { return p.Min(y, x) }, false},
	{"pow", math.Pow, (*lane.Builder).Pow, false},
	{"sub", func(x, y float64) float64 { return x - y }, (*lane.Builder).Sub, true},
	{"div", func(x, y float64) float64 { return x / y }, (*lane.Builder).Div, true},
	{"pow", math.Pow, (*lane.Builder).Pow, true},
	{"atan2", math.Atan2, (*lane.Builder).Atan2, false},
	{"atan2", math.Atan2, (*lane.Builder).Atan2, true},
	{"fmod", math.Mod, (*lane.Builder).Fmod, false},
	{"fmod", math.Mod, (*lane.Builder).Fmod, true},
	{"logaddexp", func(x, y float64) float64 { return math.Max(x, y) + math.Log1p(math.Exp(-math.Abs(x-y))) }, logAddExp, false},
	{"floor_div", floorDiv, func(p *lane.Builder, x, y lane.Reg) lane.Reg { return p.Floor(p.Div(x, y)) }, false},
	{"floor_div", floorDiv, func(p *lane.Builder, x, y lane.Reg) lane.Reg { return p.Floor(p.Div(x, y)) }, true},
	{"remainder", math.Remainder, (*lane.Builder).Remainder, false},
	{"remainder", math.Remainder, (*lane.Builder).Remainder, true},
}

// logAddExp is max(x,y) + log1p(exp(min(x,y)-max(x,y))).
func logAddExp(p *lane.Builder, x, y lane.Reg) lane.Reg {
	high, low := p.Max(y, x), p.Min(y, x)
	return p.Add(high, p.Log1p(p.Exp(p.Sub(low, high))))
}

// floorDiv divides in float32, because the floor shows its rounding.
func floorDiv(x, y float64) float64 { return math.Floor(float64(float32(x) / float32(y))) }

func init() {
	Register(&Def{
		Type: "BinaryOp", Index: 40, MinIn: 1, MaxIn: 2, MinOut: 1, MaxOut: 1,
		Params: []ParamDef{
			{0, "op_type", Int, "0 add 1 sub 2 mul 3 div 4 max 5 min 6 pow 7 rsub 8 rdiv 9 rpow 10 atan2 11 ratan2 12 fmod 13 rfmod 14 logaddexp 15 floor_divide 16 rfloor_divide 17 remainder 18 rremainder"},
			{1, "with_scalar", Int, "1: the second operand is parameter 2"},
			{2, "b", Float, "the scalar"},
		},
		Check: func(l *ir.Layer, d *diag.List) {
			if t := l.Params.Int(0, 0); t < 0 || t >= len(binaryOps) {
				d.Layerf(l, "unknown op_type %d", t)
			}
			if scalar := l.Params.Int(1, 0) != 0; scalar != (len(l.Inputs) == 1) {
				d.Layerf(l, "has %d inputs and with_scalar=%d", len(l.Inputs), l.Params.Int(1, 0))
			}
		},
		Shape: func(c *ShapeCall) ([]ir.Shape, error) {
			if len(c.In) == 1 {
				return same(c)
			}
			_, _, s, err := broadcast(c.In[0], c.In[1])
			return one(s), err
		},
		Eval:  evalBinary,
		Lower: lowerBinary,
	})
}

// broadcast brings two shapes to one rank as ncnn does: the lower one is aligned
// to the outer axes, except that a vector which has not the outermost length lies
// along w. Then axes of length one stretch.
func broadcast(a, b ir.Shape) (a2, b2, out ir.Shape, err error) {
	a2, b2 = align(a, b), align(b, a)
	x, y := a2.Axes(), b2.Axes()
	for i := range x {
		if x[i] != y[i] && x[i] != 1 && y[i] != 1 {
			return a2, b2, out, fmt.Errorf("shapes %v and %v do not broadcast", a, b)
		}
		x[i] = max(x[i], y[i])
	}
	return a2, b2, ir.FromAxes(x), nil
}

func align(s, other ir.Shape) ir.Shape {
	if s.Dims >= other.Dims {
		return s
	}
	axes := make([]int, other.Dims)
	for i := range axes {
		axes[i] = 1
	}
	if s.Dims == 1 && s.W != channels(other) {
		axes[other.Dims-1] = s.W
	} else {
		copy(axes, s.Axes())
	}
	return ir.FromAxes(axes)
}

func evalBinary(c *EvalCall) error {
	f := binaryOps[c.Layer.Params.Int(0, 0)]
	apply := f.eval
	if f.swap {
		apply = func(x, y float64) float64 { return f.eval(y, x) }
	}
	if len(c.In) == 1 {
		y := float64(c.Layer.Params.Float(2, 0))
		for i, x := range c.In[0].Data {
			c.Out[0].Data[i] = apply(x, y)
		}
		return nil
	}
	s, t, out, err := broadcast(c.In[0].Shape, c.In[1].Shape)
	if err != nil {
		return err
	}
	x, y := Tensor{Shape: s, Data: c.In[0].Data}, Tensor{Shape: t, Data: c.In[1].Data}
	i := 0
	for q := range out.C {
		for z := range out.D {
			for h := range out.H {
				for w := range out.W {
					c.Out[0].Data[i] = apply(x.stretched(q, z, h, w), y.stretched(q, z, h, w))
					i++
				}
			}
		}
	}
	return nil
}

// stretched reads an element, axes of length one repeated.
func (t Tensor) stretched(c, d, h, w int) float64 {
	s := t.Shape
	return *t.At(min(c, s.C-1), min(d, s.D-1), min(h, s.H-1), min(w, s.W-1))
}

func lowerBinary(b *Builder) error {
	l := b.Layer
	f := binaryOps[l.Params.Int(0, 0)]
	if len(l.Inputs) == 1 {
		return lowerScalar(b, f, l.Params.Float(2, 0))
	}
	x, y := b.Any(0), b.Any(1)
	s, t, _, err := broadcast(x.Shape, y.Shape)
	if err != nil {
		return err
	}
	layout := b.commonLayout()
	align := func(v Value, s ir.Shape, i int) *op.Tensor {
		if v.Shape != s {
			v = b.Convert(v, Planar, l.Inputs[i].Name)
			v = Value{Tensor: b.View(v.Tensor, fmt.Sprintf("%s/operand%d", l.Name, i), s.Axes()), Shape: s, Layout: Planar}
		}
		return b.Convert(v, layout, l.Inputs[i].Name).Tensor
	}
	a, c := align(x, s, 0), align(y, t, 1)
	out := b.Output(0, layout)
	binaryMap(b, f, out, a, c)
	return nil
}

// binaryMap appends the Map of f over two tensors that broadcast to out.
func binaryMap(b *Builder, f binaryFunc, out, x, y *op.Tensor) *op.Op {
	if f.swap {
		x, y = y, x
	}
	p := lane.New(f.name + "_" + operandKind(x, out) + operandKind(y, out))
	r := operand(p, x, out)
	return b.Map(p.Return(f.lane(p, r, operand(p, y, out))), out, x, y)
}

// lowerScalar appends the Map of f with a constant second operand. Powers that
// are short products or roots are lowered as such.
func lowerScalar(b *Builder, f binaryFunc, y float32) error {
	v := b.Any(0)
	name, fn := f.name+"_scalar_"+digits(y), f.lane
	if f.name == "pow" && !f.swap {
		if short := shortPower(y); short != nil {
			fn = func(p *lane.Builder, x, _ lane.Reg) lane.Reg { return short(p, x) }
		}
	}
	if f.swap {
		name = "r" + name
	}
	p := lane.New(name)
	x := p.Vec()
	var r lane.Reg
	if f.swap {
		r = fn(p, p.F(y), x)
	} else {
		r = fn(p, x, p.F(y))
	}
	b.Map(p.Return(r), b.Output(0, v.Layout), v.Tensor)
	return nil
}

// shortPower is x to the y where that is a product or a root, else nil.
func shortPower(y float32) func(p *lane.Builder, x lane.Reg) lane.Reg {
	switch y {
	case 1:
		return func(p *lane.Builder, x lane.Reg) lane.Reg { return x }
	case 2:
		return func(p *lane.Builder, x lane.Reg) lane.Reg { return p.Mul(x, x) }
	case 3:
		return func(p *lane.Builder, x lane.Reg) lane.Reg { return p.Mul(p.Mul(x, x), x) }
	case 0.5:
		return func(p *lane.Builder, x lane.Reg) lane.Reg { return p.Sqrt(x) }
	case -0.5:
		return func(p *lane.Builder, x lane.Reg) lane.Reg { return p.Div(p.F(1), p.Sqrt(x)) }
	case -1:
		return func(p *lane.Builder, x lane.Reg) lane.Reg { return p.Div(p.F(1), x) }
	}
	return nil
}
