package layer

import (
	"fmt"
	"math"

	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/diag"
	"github.com/flexnnc/flexnnc/ir/lane"
)

// Element types as Cast numbers them.
const (
	castFloat = 1 + iota
	castHalf
	castInt8
	castBrain
)

func init() {
	Register(&Def{
		Type: "Cast", Index: 64, MinIn: 1, MaxIn: 1, MinOut: 1, MaxOut: 1,
		Params: []ParamDef{{0, "type_from", Int, "1 float32 2 float16 3 int8 4 bfloat16"}, {1, "type_to", Int, "likewise"}},
		Check: func(l *ir.Layer, d *diag.List) {
			if _, err := castOf(l); err != nil {
				d.Layerf(l, "%v", err)
			}
		},
		Shape: same,
		Eval: func(c *EvalCall) error {
			f, err := castOf(c.Layer)
			if err != nil {
				return err
			}
			for i, x := range c.In[0].Data {
				if c.Out[0].Data[i] = x; f != nil {
					c.Out[0].Data[i] = f.eval(x)
				}
			}
			return nil
		},
		Lower: func(b *Builder) error {
			f, err := castOf(b.Layer)
			if err != nil {
				return err
			}
			if f == nil {
				b.Alias(0, 0)
				return nil
			}
			v := b.Any(0)
			b.Map(f.program(), b.Output(0, v.Layout), v.Tensor)
			return nil
		},
	})
}

// castOf is what a conversion does to a value, which stays a float32: nil for
// nothing. ncnn drops the bits that do not fit.
func castOf(l *ir.Layer) (*pointwise, error) {
	from, to := l.Params.Int(0, 0), l.Params.Int(1, 0)
	switch {
	case from == to, to == castFloat && from >= castFloat && from <= castBrain:
		return nil, nil
	case from == castFloat && to == castHalf:
		return &pointwise{"truncate_half",
			func(x float64) float64 {
				v := math.Float32frombits(math.Float32bits(float32(x)) &^ 0x1fff)
				switch a := math.Abs(x); {
				case a >= 65536:
					return math.Copysign(math.Inf(1), x)
				case a < 1.0/(1<<14):
					return math.Copysign(0, x)
				}
				return float64(v)
			},
			func(p *lane.Builder, x lane.Reg) lane.Reg {
				a := p.Abs(x)
				r := p.And(a, p.I(^uint32(0x1fff)))
				r = p.Sel(p.Lt(a, p.F(65536)), r, p.F(float32(math.Inf(1))))
				r = p.Sel(p.Lt(a, p.F(1.0/(1<<14))), p.F(0), r)
				return p.Or(r, p.And(x, p.I(1<<31)))
			},
		}, nil
	case from == castFloat && to == castBrain:
		return &pointwise{"truncate_brain",
			func(x float64) float64 {
				return float64(math.Float32frombits(math.Float32bits(float32(x)) &^ 0xffff))
			},
			func(p *lane.Builder, x lane.Reg) lane.Reg { return p.And(x, p.I(0xffff0000)) },
		}, nil
	}
	return nil, fmt.Errorf("conversion from type %d to %d is not supported", from, to)
}
