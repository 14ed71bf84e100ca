package layer

import (
	"fmt"

	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/lane"
	"github.com/flexnnc/flexnnc/ir/op"
)

func init() {
	Register(&Def{
		Type: "Padding", Index: 43, MinIn: 1, MaxIn: 1, MinOut: 1, MaxOut: 1,
		Params: []ParamDef{
			{0, "top", Int, ""}, {1, "bottom", Int, ""}, {2, "left", Int, ""}, {3, "right", Int, ""},
			{4, "type", Int, "0 constant, 1 replicate, 2 reflect (the edge is not repeated)"},
			{5, "value", Float, "of the border, default 0"},
			{6, "per_channel_pad_data_size", Int, "nonzero: a value per output channel follows"},
			{7, "front", Int, "channels before (rank 3) or depth (rank 4)"}, {8, "behind", Int, "likewise after"},
		},
		Weights: func(l *ir.Layer) []WeightDef {
			if n := l.Params.Int(6, 0); n != 0 {
				return []WeightDef{{Name: "values", Count: n}}
			}
			return nil
		},
		Shape: func(c *ShapeCall) ([]ir.Shape, error) {
			before, after, err := paddingOf(c.Layer, c.In[0])
			if err != nil {
				return nil, err
			}
			axes := c.In[0].Axes()
			for i := range axes {
				axes[i] += before[i] + after[i]
			}
			out := ir.FromAxes(axes)
			if n := c.Layer.Params.Int(6, 0); n != 0 && n < out.C {
				return nil, fmt.Errorf("%d border values for %d channels", n, out.C)
			}
			return one(out), nil
		},
		Eval: evalPadding,
		Lower: func(b *Builder) error {
			v := b.Any(0)
			before, after, err := paddingOf(b.Layer, v.Shape)
			if err != nil {
				return err
			}
			out := b.Output(0, v.Layout)
			lo, hi := make([]int, len(before)), make([]int, len(before))
			for i := range before {
				lo[physicalAxis(v, i)], hi[physicalAxis(v, i)] = before[i], after[i]
			}
			if b.Layer.Params.Int(4, 0) == 0 && b.Layer.Params.Int(6, 0) == 0 && onlyChannels(v, lo, hi) {
				b.padChannels(v.Tensor, hi[len(hi)-1], b.Layer.Params.Float(5, 0), out)
				return nil
			}
			in, ax := []*op.Tensor{v.Tensor}, -1
			if n := b.Layer.Params.Int(6, 0); n != 0 {
				in, ax = append(in, b.WeightConst("values", []int{n})), physicalAxis(v, 0)
			}
			b.padCallAxis(b.Layer.Params.Int(4, 0), b.Layer.Params.Float(5, 0), v.Tensor.Dims, lo, hi, ax, out, in...)
			return nil
		},
	})
}

// onlyChannels tells that cells are added behind the channels of an image, and nowhere
// else.
func onlyChannels(v Value, lo, hi []int) bool {
	last := len(lo) - 1
	for i := range lo {
		if lo[i] != 0 || i != last && hi[i] != 0 {
			return false
		}
	}
	return v.Layout == ChannelsLast && hi[last] > 0 && v.Tensor.Len() > v.Tensor.Dims[last]
}

// padChannels makes out of x and n more channels of a value: x is placed in it, where
// that can be, and what is written is the border alone.
func (b *Builder) padChannels(x *op.Tensor, n int, value float32, out *op.Tensor) {
	dims := append([]int{}, x.Dims...)
	last := len(dims) - 1
	dims[last] = n
	border := b.NewTensor(out.Name+"/border", op.F32, dims)
	m := lane.New("fill")
	b.Map(m.Return(m.Splat()), border, b.FixedConst("border", []int{1}, []float32{value}))
	b.Add(&op.Op{Kind: op.Concat, In: []*op.Tensor{x, border}, Out: []*op.Tensor{out}, Axis: last})
}

// paddingOf gives the cells added per axis from the outermost.
func paddingOf(l *ir.Layer, in ir.Shape) (before, after []int, err error) {
	p := l.Params
	lo := map[int][]int{1: {2}, 2: {0, 2}, 3: {7, 0, 2}, 4: {-1, 7, 0, 2}}[in.Dims]
	hi := map[int][]int{1: {3}, 2: {1, 3}, 3: {8, 1, 3}, 4: {-1, 8, 1, 3}}[in.Dims]
	mode := p.Int(4, 0)
	if mode < 0 || mode > 2 {
		return nil, nil, fmt.Errorf("unknown padding type %d", mode)
	}
	for i, n := range in.Axes() {
		a, b := 0, 0
		if lo[i] >= 0 {
			a, b = p.Int(lo[i], 0), p.Int(hi[i], 0)
		}
		if a < 0 || b < 0 {
			return nil, nil, fmt.Errorf("negative padding %d, %d on axis %d", a, b, i)
		}
		if mode == 2 && (a >= n || b >= n) {
			return nil, nil, fmt.Errorf("cannot reflect %d and %d cells of %d on axis %d", a, b, n, i)
		}
		before, after = append(before, a), append(after, b)
	}
	return before, after, nil
}

func evalPadding(c *EvalCall) error {
	p := c.Layer.Params
	before, _, err := paddingOf(c.Layer, c.In[0].Shape)
	if err != nil {
		return err
	}
	var values []float64
	if p.Int(6, 0) != 0 && c.Out[0].Shape.Dims >= 3 {
		if values, err = c.Weight("values"); err != nil {
			return err
		}
	}
	in, out := c.In[0].Shape.Axes(), c.Out[0].Shape.Axes()
	index := make([]int, len(out))
	for k := range c.Out[0].Data {
		at, inside := 0, true
		for i, n := range in {
			x := index[i] - before[i]
			switch {
			case x >= 0 && x < n:
			case p.Int(4, 0) == 1:
				x = min(max(x, 0), n-1)
			case p.Int(4, 0) == 2:
				if x < 0 {
					x = -x
				}
				if x >= n {
					x = 2*(n-1) - x
				}
			default:
				inside = false
			}
			at = at*n + x
		}
		v := float64(p.Float(5, 0))
		if inside {
			v = c.In[0].Data[at]
		} else if values != nil {
			v = values[index[0]]
		}
		c.Out[0].Data[k] = v
		for i := len(index) - 1; i >= 0; i-- {
			if index[i]++; index[i] < out[i] {
				break
			}
			index[i] = 0
		}
	}
	return nil
}
