package layer

import (
	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/op"
)

func init() {
	Register(&Def{
		Type: "Flip", Index: 107, MinIn: 1, MaxIn: 1, MinOut: 1, MaxOut: 1,
		Params: []ParamDef{{0, "axes", IntArray, "axes to reverse"}},
		Shape: func(c *ShapeCall) ([]ir.Shape, error) {
			if _, err := flippedAxes(c.Layer, c.In[0]); err != nil {
				return nil, err
			}
			return same(c)
		},
		Eval: func(c *EvalCall) error {
			flip, err := flippedAxes(c.Layer, c.In[0].Shape)
			if err != nil {
				return err
			}
			axes := c.In[0].Shape.Axes()
			for k, v := range c.In[0].Data {
				at, rest, size := 0, k, 1
				for i := len(axes) - 1; i >= 0; i-- {
					n := rest % axes[i]
					rest /= axes[i]
					if flip[i] {
						n = axes[i] - 1 - n
					}
					at += n * size
					size *= axes[i]
				}
				c.Out[0].Data[at] = v
			}
			return nil
		},
		Lower: func(b *Builder) error {
			v := b.Any(0)
			flip, err := flippedAxes(b.Layer, v.Shape)
			if err != nil {
				return err
			}
			flags := make([]int, len(flip))
			for i, f := range flip {
				if f {
					flags[physicalAxis(v, i)] = 1
				}
			}
			b.Call("flip", append(four(v.Tensor.Dims, 1), four(flags, 0)...), nil, []*op.Tensor{b.Output(0, v.Layout)}, v.Tensor)
			return nil
		},
	})
	Register(&Def{
		Type: "CumulativeSum", Index: 98, MinIn: 1, MaxIn: 1, MinOut: 1, MaxOut: 1,
		Params: []ParamDef{{0, "axis", Int, "default 0, the outermost"}},
		Shape: func(c *ShapeCall) ([]ir.Shape, error) {
			if _, err := softmaxAxis(c.Layer, c.In[0]); err != nil {
				return nil, err
			}
			return same(c)
		},
		Eval: func(c *EvalCall) error {
			ax, err := softmaxAxis(c.Layer, c.In[0].Shape)
			if err != nil {
				return err
			}
			outer, n, inner := around(c.In[0].Shape, ax)
			y := c.Out[0].Data
			copy(y, c.In[0].Data)
			for o := range outer {
				for i := inner; i < n*inner; i++ {
					y[o*n*inner+i] += y[o*n*inner+i-inner]
				}
			}
			return nil
		},
		Lower: func(b *Builder) error {
			v := b.Any(0)
			ax, err := softmaxAxis(b.Layer, v.Shape)
			if err != nil {
				return err
			}
			p := physicalAxis(v, ax)
			outer, inner := 1, 1
			for i, d := range v.Tensor.Dims {
				if i < p {
					outer *= d
				} else if i > p {
					inner *= d
				}
			}
			b.Call("cumulative_sum", []int{outer, v.Tensor.Dims[p], inner}, nil, []*op.Tensor{b.Output(0, v.Layout)}, v.Tensor)
			return nil
		},
	})
}

// flippedAxes says, per axis from the outermost, whether it is reversed. Rank 1
// is reversed by any axis.
func flippedAxes(l *ir.Layer, s ir.Shape) ([]bool, error) {
	f := make([]bool, s.Dims)
	for _, a := range l.Params.Ints(0) {
		if s.Dims == 1 {
			a = 0
		}
		ax, err := axis(a, s.Dims)
		if err != nil {
			return nil, err
		}
		f[ax] = true
	}
	return f, nil
}
