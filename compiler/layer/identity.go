package layer

import (
	"github.com/flexnnc/flexnnc/ir"
)

// Layers that hand their input on: at run time they are nothing.
func init() {
	Register(identity("Split", 33, 1, -1))
	Register(identity("DeepCopy", 70, 1, 1))
	noop := identity("Noop", 68, 0, -1) // without outputs it silences what nobody wants
	noop.MaxIn = -1
	noop.Shape = func(c *ShapeCall) ([]ir.Shape, error) { return c.In[:len(c.Layer.Outputs)], nil }
	noop.Eval = func(c *EvalCall) error {
		for i := range c.Out {
			c.Out[i] = c.In[i]
		}
		return nil
	}
	noop.Lower = func(b *Builder) error {
		for i := range b.Layer.Outputs {
			b.Alias(i, i)
		}
		return nil
	}
	Register(noop)

	drop := identity("Dropout", 9, 1, 1)
	drop.Params = []ParamDef{{0, "scale", Float, "factor at inference, default 1"}}
	drop.Eval = func(c *EvalCall) error {
		for i, x := range c.In[0].Data {
			c.Out[0].Data[i] = x * float64(c.Layer.Params.Float(0, 1))
		}
		return nil
	}
	drop.Lower = func(b *Builder) error {
		s := b.Layer.Params.Float(0, 1)
		if s == 1 {
			b.Alias(0, 0)
			return nil
		}
		v := b.Any(0)
		b.Map(scaled(s).program(), b.Output(0, v.Layout), v.Tensor)
		return nil
	}
	Register(drop)
}

// identity is a layer whose outputs all are its input.
func identity(typ string, index, minOut, maxOut int) *Def {
	return &Def{
		Type: typ, Index: index, MinIn: 1, MaxIn: 1, MinOut: minOut, MaxOut: maxOut,
		Shape: same,
		Eval: func(c *EvalCall) error {
			for i := range c.Out {
				c.Out[i] = c.In[0]
			}
			return nil
		},
		Lower: func(b *Builder) error {
			for i := range b.Layer.Outputs {
				b.Alias(i, 0)
			}
			return nil
		},
	}
}
