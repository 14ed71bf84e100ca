package layer

import (
	"fmt"

	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/op"
)

func init() {
	Register(&Def{
		Type: "Concat", Index: 5, MinIn: 1, MaxIn: -1, MinOut: 1, MaxOut: 1,
		Params: []ParamDef{{0, "axis", Int, "from the outermost, or negative from the innermost; default 0"}},
		Shape: func(c *ShapeCall) ([]ir.Shape, error) {
			ax, err := axis(c.Layer.Params.Int(0, 0), c.In[0].Dims)
			if err != nil {
				return nil, err
			}
			sum := c.In[0].Axes()
			for _, s := range c.In[1:] {
				a := s.Axes()
				if len(a) != len(sum) {
					return nil, fmt.Errorf("inputs %v and %v differ in rank", c.In[0], s)
				}
				for i := range a {
					if i == ax {
						sum[i] += a[i]
					} else if a[i] != sum[i] {
						return nil, fmt.Errorf("inputs %v and %v differ besides the axis %d of concatenation", c.In[0], s, ax)
					}
				}
			}
			return one(ir.FromAxes(sum)), nil
		},
		Eval: func(c *EvalCall) error {
			ax, err := axis(c.Layer.Params.Int(0, 0), c.In[0].Shape.Dims)
			if err != nil {
				return err
			}
			_, total, inner := around(c.Out[0].Shape, ax)
			at := 0
			for _, in := range c.In {
				outer, n, _ := around(in.Shape, ax)
				for o := range outer {
					copy(c.Out[0].Data[(o*total+at)*inner:], in.Data[o*n*inner:][:n*inner])
				}
				at += n
			}
			c.Out[0].Type = c.In[0].Type
			return nil
		},
		Lower: func(b *Builder) error {
			if len(b.Layer.Inputs) == 1 {
				b.Alias(0, 0)
				return nil
			}
			layout := b.commonLayout()
			var in []*op.Tensor
			for i := range b.Layer.Inputs {
				in = append(in, b.In(i, layout).Tensor)
			}
			ax, err := axis(b.Layer.Params.Int(0, 0), b.Layer.Outputs[0].Shape.Dims)
			if err != nil {
				return err
			}
			out := b.Output(0, layout)
			v := b.values[b.Layer.Outputs[0]]
			v.Int8 = b.Any(0).Int8
			b.Set(0, v)
			b.Add(&op.Op{Kind: op.Concat, In: in, Out: []*op.Tensor{out}, Axis: physicalAxis(v, ax)})
			return nil
		},
	})
}

// commonLayout is the layout in which a layer with several inputs works: that of
// most elements among the inputs, channels last where it is even.
func (b *Builder) commonLayout() Layout {
	last, planar := 0, 0
	for i := range b.Layer.Inputs {
		v := b.Any(i)
		n := v.Shape.Len()
		if p := v.Tensor.Producer; p != nil && p.Kind == op.Input {
			n-- // of two as large, what the network makes stays as it is
		}
		switch {
		case v.Shape.Dims < 2 || v.Tensor.Const != nil:
		case v.Layout == ChannelsLast:
			last += n
		default:
			planar += n
		}
	}
	if last > 0 && last >= planar {
		return ChannelsLast
	}
	return Planar
}
