package layer

import (
	"fmt"

	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/lane"
	"github.com/flexnnc/flexnnc/ir/op"
)

func init() {
	Register(&Def{
		Type: "Quantize", Index: 57, MinIn: 1, MaxIn: 1, MinOut: 1, MaxOut: 1,
		Params:  []ParamDef{{0, "scale_data_size", Int, "1 (default), or one per channel"}},
		Weights: func(l *ir.Layer) []WeightDef { return []WeightDef{{Name: "scale", Count: l.Params.Int(0, 1)}} },
		Shape:   scaleShape(0),
		Eval: func(c *EvalCall) error {
			s, err := c.Weight("scale")
			if err != nil {
				return err
			}
			for i, x := range c.In[0].Data {
				c.Out[0].Data[i] = quantized(x, perChannel(s, i, c.In[0].Shape))
			}
			c.Out[0].Type = op.I8
			return nil
		},
		Lower: func(b *Builder) error {
			v := b.Any(0)
			out := b.Output(0, v.Layout)
			s := b.scaleVector("scale", v)
			p, x, f := mapOf("quantize_by", out, v.Tensor, s)
			b.Map(p.Return(roundInt8(p, p.Mul(x, f))), out, v.Tensor, s)
			b.markInt8(0)
			return nil
		},
	})
	Register(&Def{
		Type: "Dequantize", Index: 58, MinIn: 1, MaxIn: 1, MinOut: 1, MaxOut: 1,
		Words: func(l *ir.Layer, i int) bool { return true },
		Params: []ParamDef{
			{0, "scale_data_size", Int, "1 (default), or one per channel"}, {1, "bias_data_size", Int, "0, 1, or one per channel"},
		},
		Weights: func(l *ir.Layer) []WeightDef {
			w := []WeightDef{{Name: "scale", Count: l.Params.Int(0, 1)}}
			if n := l.Params.Int(1, 0); n != 0 {
				w = append(w, WeightDef{Name: "bias", Count: n})
			}
			return w
		},
		Shape: scaleShape(0, 1),
		Eval: func(c *EvalCall) error {
			s, err := c.Weight("scale")
			if err != nil {
				return err
			}
			bias := []float64{0}
			if c.Layer.Params.Int(1, 0) != 0 {
				if bias, err = c.Weight("bias"); err != nil {
					return err
				}
			}
			for i, x := range c.In[0].Data {
				c.Out[0].Data[i] = x*perChannel(s, i, c.In[0].Shape) + perChannel(bias, i, c.In[0].Shape)
			}
			return nil
		},
		Lower: func(b *Builder) error {
			v := b.Any(0)
			out := b.Output(0, v.Layout)
			in := []*op.Tensor{v.Tensor, b.scaleVector("scale", v)}
			name := "dequantize_" + wordsName(v.Tensor) + operandKind(in[1], out)
			if b.Layer.Params.Int(1, 0) != 0 {
				in = append(in, b.scaleVector("bias", v))
				name += operandKind(in[2], out)
			}
			p := lane.New(name)
			x := fromWords(p, p.Vec(), v.Tensor)
			r := p.Mul(x, operand(p, in[1], out))
			if len(in) > 2 {
				r = p.Add(r, operand(p, in[2], out))
			}
			b.Map(p.Return(r), out, in...)
			return nil
		},
	})
	Register(&Def{
		Type: "Requantize", Index: 63, MinIn: 1, MaxIn: 1, MinOut: 1, MaxOut: 1,
		Words: func(l *ir.Layer, i int) bool { return true },
		Params: []ParamDef{
			{0, "scale_in_data_size", Int, "default 1"}, {1, "scale_out_data_size", Int, "default 1"}, {2, "bias_data_size", Int, ""},
			{3, "activation_type", Int, ""}, {4, "activation_params", FloatArray, ""},
		},
		Weights: func(l *ir.Layer) []WeightDef {
			w := []WeightDef{{Name: "scale_in", Count: l.Params.Int(0, 1)}, {Name: "scale_out", Count: l.Params.Int(1, 1)}}
			if n := l.Params.Int(2, 0); n != 0 {
				w = append(w, WeightDef{Name: "bias", Count: n})
			}
			return w
		},
		Shape: scaleShape(0, 1, 2),
		Eval: func(c *EvalCall) error {
			s, err := weights(c.Weight).all("scale_in", "scale_out")
			if err != nil {
				return err
			}
			bias := []float64{0}
			if c.Layer.Params.Int(2, 0) != 0 {
				if bias, err = c.Weight("bias"); err != nil {
					return err
				}
			}
			act, err := activationEval(c.Layer, 3, 4)
			if err != nil {
				return err
			}
			for i, x := range c.In[0].Data {
				v := act(x*perChannel(s[0], i, c.In[0].Shape) + perChannel(bias, i, c.In[0].Shape))
				c.Out[0].Data[i] = quantized(v, perChannel(s[1], i, c.In[0].Shape))
			}
			c.Out[0].Type = op.I8
			return nil
		},
		Lower: func(b *Builder) error {
			act, ok, err := activation(b.Layer, 3, 4)
			if err != nil {
				return err
			}
			v := b.Any(0)
			out := b.Output(0, v.Layout)
			in := []*op.Tensor{v.Tensor, b.scaleVector("scale_in", v), b.scaleVector("scale_out", v)}
			name := "requantize_" + wordsName(v.Tensor) + operandKind(in[1], out) + operandKind(in[2], out)
			if b.Layer.Params.Int(2, 0) != 0 {
				in = append(in, b.scaleVector("bias", v))
				name += operandKind(in[3], out)
			}
			if ok {
				name += "_" + act.name
			}
			p := lane.New(name)
			x := fromWords(p, p.Vec(), v.Tensor)
			from, to := operand(p, in[1], out), operand(p, in[2], out)
			r := p.Mul(x, from)
			if len(in) > 3 {
				r = p.Add(r, operand(p, in[3], out))
			}
			if ok {
				r = act.lane(p, r)
			}
			b.Map(p.Return(roundInt8(p, p.Mul(r, to))), out, in...)
			b.markInt8(0)
			return nil
		},
	})
}

// scaleShape checks that vectors of the sizes that the parameters give fit the
// channels.
func scaleShape(ids ...int) func(c *ShapeCall) ([]ir.Shape, error) {
	return func(c *ShapeCall) ([]ir.Shape, error) {
		for _, id := range ids {
			if n := c.Layer.Params.Int(id, 1); n > 1 && n != channels(c.In[0]) {
				return nil, fmt.Errorf("%d factors for %d channels", n, channels(c.In[0]))
			}
		}
		return same(c)
	}
}

// perChannel is the factor for element i of a blob, from one or one per channel.
func perChannel(v []float64, i int, s ir.Shape) float64 {
	if len(v) == 1 {
		return v[0]
	}
	return v[i/(s.Len()/len(v))]
}

// scaleVector is a weight blob as an operand of a Map over v.
func (b *Builder) scaleVector(name string, v Value) *op.Tensor {
	if b.Layer.Weight(name).Count == 1 {
		return b.WeightConst(name, []int{1})
	}
	return b.WeightConst(name, channelDims(v))
}

// markInt8 says that output i holds integers.
func (b *Builder) markInt8(i int) {
	v := b.values[b.Layer.Outputs[i]]
	v.Int8 = true
	b.Set(i, v)
}

func wordsName(t *op.Tensor) string {
	if t.Type == op.I32 {
		return "words_"
	}
	return ""
}

// fromWords converts an element of t where it is an int32.
func fromWords(p *lane.Builder, x lane.Reg, t *op.Tensor) lane.Reg {
	if t.Type == op.I32 {
		return p.FromInt(x)
	}
	return x
}
