package layer

import (
	"fmt"

	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/op"
)

func init() {
	Register(&Def{
		Type: "CopyTo", Index: 99, MinIn: 2, MaxIn: 2, MinOut: 1, MaxOut: 1,
		Params: []ParamDef{
			{0, "woffset", Int, ""}, {1, "hoffset", Int, ""}, {13, "doffset", Int, ""}, {2, "coffset", Int, ""},
			{9, "starts", IntArray, "offsets per axis instead"}, {11, "axes", IntArray, "default all"},
		},
		Shape: func(c *ShapeCall) ([]ir.Shape, error) {
			if _, err := copyToStart(c.Layer, c.In); err != nil {
				return nil, err
			}
			return same(c)
		},
		Eval: func(c *EvalCall) error {
			start, err := copyToStart(c.Layer, shapes(c.In))
			if err != nil {
				return err
			}
			copy(c.Out[0].Data, c.In[0].Data)
			axes, part := c.In[0].Shape.Axes(), c.In[1].Shape.Axes()
			for k, v := range c.In[1].Data {
				at, rest, size := 0, k, 1
				for i := len(axes) - 1; i >= 0; i-- {
					at += (rest%part[i] + start[i]) * size
					rest /= part[i]
					size *= axes[i]
				}
				c.Out[0].Data[at] = v
			}
			return nil
		},
		Lower: func(b *Builder) error {
			l := b.Layer
			if l.Inputs[0].Shape == l.Inputs[1].Shape {
				b.Alias(0, 1)
				return nil
			}
			start, err := copyToStart(l, []ir.Shape{l.Inputs[0].Shape, l.Inputs[1].Shape})
			if err != nil {
				return err
			}
			x := b.Any(0)
			part := b.In(1, x.Layout)
			at := make([]int, len(start))
			for i, s := range start {
				at[physicalAxis(x, i)] = s
			}
			ints := append(four(x.Tensor.Dims, 1), four(part.Tensor.Dims, 1)...)
			b.Call("insert", append(ints, four(at, 0)...), nil, []*op.Tensor{b.Output(0, x.Layout)}, x.Tensor, part.Tensor)
			return nil
		},
	})
}

// copyToStart is where the second input goes in the first, per axis from the
// outermost.
func copyToStart(l *ir.Layer, in []ir.Shape) ([]int, error) {
	s, part := in[0], in[1]
	if s.Dims != part.Dims {
		return nil, fmt.Errorf("copies %v to %v", part, s)
	}
	p := l.Params
	start := make([]int, s.Dims)
	if s == part {
		return start, nil
	}
	if starts := p.Ints(9); len(starts) > 0 {
		axes := p.Ints(11)
		if len(axes) == 0 {
			axes = []int{0, 1, 2, 3}[:s.Dims]
		}
		for i, a := range axes {
			ax, err := axis(a, s.Dims)
			if err != nil {
				return nil, err
			}
			if i >= len(starts) {
				return nil, fmt.Errorf("%d axes, but %d starts", len(axes), len(starts))
			}
			if start[ax] = starts[i]; starts[i] == sameUpper {
				start[ax] = 0
			}
			if start[ax] < 0 {
				start[ax] += s.Axes()[ax]
			}
		}
	} else {
		for i, id := range map[int][]int{1: {0}, 2: {1, 0}, 3: {2, 1, 0}, 4: {2, 13, 1, 0}}[s.Dims] {
			start[i] = p.Int(id, 0)
		}
	}
	for i, n := range s.Axes() {
		if start[i] < 0 || start[i]+part.Axes()[i] > n {
			return nil, fmt.Errorf("copies %v to %v at %v", part, s, start)
		}
	}
	return start, nil
}
