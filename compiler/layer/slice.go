package layer

import (
	"fmt"

	"github.com/flexnnc/flexnnc/ir"
)

func init() {
	Register(&Def{
		Type: "Slice", Index: 31, MinIn: 1, MaxIn: 1, MinOut: 1, MaxOut: -1,
		Params: []ParamDef{
			{0, "slices", IntArray, "length of each output; -233 is an equal share of what is left"},
			{1, "axis", Int, "default 0, the outermost"},
			{2, "indices", IntArray, "instead of slices: where each output but the last ends"},
		},
		Shape: func(c *ShapeCall) ([]ir.Shape, error) {
			at, err := slicePoints(c.Layer, c.In[0])
			if err != nil {
				return nil, err
			}
			ax, _ := axis(c.Layer.Params.Int(1, 0), c.In[0].Dims)
			var out []ir.Shape
			for i := range c.Layer.Outputs {
				axes := c.In[0].Axes()
				axes[ax] = at[i+1] - at[i]
				out = append(out, ir.FromAxes(axes))
			}
			return out, nil
		},
		Eval: func(c *EvalCall) error {
			at, err := slicePoints(c.Layer, c.In[0].Shape)
			if err != nil {
				return err
			}
			ax, _ := axis(c.Layer.Params.Int(1, 0), c.In[0].Shape.Dims)
			for i := range c.Out {
				start := make([]int, c.In[0].Shape.Dims)
				start[ax] = at[i]
				crop(c.In[0], c.Out[i], start)
			}
			return nil
		},
		Lower: func(b *Builder) error {
			v := b.Any(0)
			at, err := slicePoints(b.Layer, v.Shape)
			if err != nil {
				return err
			}
			ax, _ := axis(b.Layer.Params.Int(1, 0), v.Shape.Dims)
			for i := range b.Layer.Outputs {
				start := make([]int, v.Shape.Dims)
				start[ax] = at[i]
				b.Cut(i, v, start)
			}
			return nil
		},
	})
}

// slicePoints are the first index of each output along the axis, and the end.
func slicePoints(l *ir.Layer, in ir.Shape) ([]int, error) {
	ax, err := axis(l.Params.Int(1, 0), in.Dims)
	if err != nil {
		return nil, err
	}
	n, outs := in.Axes()[ax], len(l.Outputs)
	slices, indices := l.Params.Ints(0), l.Params.Ints(2)
	at := make([]int, outs+1)
	for i := range outs {
		switch {
		case indices != nil && i == outs-1:
			at[i+1] = n
		case indices != nil && i < len(indices):
			at[i+1] = indices[i]
			if indices[i] < 0 {
				at[i+1] += n
			}
		case indices == nil && i < len(slices):
			if at[i+1] = at[i] + slices[i]; slices[i] == sameUpper {
				at[i+1] = at[i] + (n-at[i])/(outs-i)
			}
		default:
			return nil, fmt.Errorf("%d outputs, but %d slices and %d indices", outs, len(slices), len(indices))
		}
		if at[i+1] <= at[i] || at[i+1] > n {
			return nil, fmt.Errorf("output %d would be elements %d to %d of %d on axis %d", i, at[i], at[i+1], n, ax)
		}
	}
	return at, nil
}

// crop copies the part of x that starts at start (axes from the outermost) and
// has y's shape.
func crop(x, y Tensor, start []int) {
	in, out := x.Shape.Axes(), y.Shape.Axes()
	row := out[len(out)-1]
	index := make([]int, len(out))
	for k := 0; k < len(y.Data); k += row {
		at := 0
		for i := range in {
			at = at*in[i] + start[i] + index[i]
		}
		copy(y.Data[k:k+row], x.Data[at:])
		for i := len(index) - 2; i >= 0; i-- {
			if index[i]++; index[i] < out[i] {
				break
			}
			index[i] = 0
		}
	}
}

// Cut sets output i to the part of v that starts at start (axes of the shape,
// from the outermost) and has the output's shape.
func (b *Builder) Cut(i int, v Value, start []int) {
	blob := b.Layer.Outputs[i]
	if blob.Shape == v.Shape {
		b.Set(i, v)
		return
	}
	at := make([]int, len(start))
	for k, n := range start {
		at[physicalAxis(v, k)] = n
	}
	v.Tensor = b.Window(v.Tensor, blob.Name, at, Dims(blob.Shape, v.Layout))
	v.Shape = blob.Shape
	b.Set(i, v)
}
