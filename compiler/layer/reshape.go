package layer

import (
	"fmt"

	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/diag"
)

func init() {
	Register(&Def{
		Type: "Flatten", Index: 14, MinIn: 1, MaxIn: 1, MinOut: 1, MaxOut: 1,
		Shape: func(c *ShapeCall) ([]ir.Shape, error) { return one(ir.Shape1(c.In[0].Len())), nil },
		Eval:  evalReshape,
		Lower: func(b *Builder) error { b.Flattened(0, b.Any(0)); return nil },
	})
	Register(&Def{
		Type: "Reshape", Index: 27, MinIn: 1, MaxIn: -1, MinOut: 1, MaxOut: 1,
		Params: []ParamDef{
			{0, "w", Int, "width; 0 copies the input's, -1 is what is left, -233 (default) is absent"},
			{1, "h", Int, "height, likewise"},
			{11, "d", Int, "depth, likewise"},
			{2, "c", Int, "channels, likewise"},
			{6, "shape_expr", String, "sizes in w,h,(d,)c order as prefix expressions of input sizes: *(0w,2),1c"},
			{12, "input_batch_axis", Int, "not supported"},
			{13, "output_batch_axis", Int, "not supported"},
		},
		Check: func(l *ir.Layer, d *diag.List) {
			if l.Params.Int(12, 233) != 233 || l.Params.Int(13, 233) != 233 {
				d.Layerf(l, "batch axes are not supported")
			}
		},
		Shape: shapeReshape,
		Eval:  evalReshape,
		Lower: func(b *Builder) error { lowerReshape(b); return nil },
	})
	Register(&Def{
		Type: "Squeeze", Index: 44, MinIn: 1, MaxIn: 1, MinOut: 1, MaxOut: 1,
		Params: []ParamDef{
			{0, "squeeze_w", Int, "1: drop w where it is 1"}, {1, "squeeze_h", Int, "likewise"},
			{11, "squeeze_d", Int, "likewise"}, {2, "squeeze_c", Int, "likewise"},
			{3, "axes", IntArray, "axes to drop where they are 1"},
		},
		Shape: shapeSqueeze,
		Eval:  evalReshape,
		Lower: func(b *Builder) error { lowerReshape(b); return nil },
	})
	Register(&Def{
		Type: "ExpandDims", Index: 45, MinIn: 1, MaxIn: 1, MinOut: 1, MaxOut: 1,
		Params: []ParamDef{{3, "axes", IntArray, "axes of the output to insert"}},
		Shape:  shapeExpandDims,
		Eval:   evalReshape,
		Lower:  func(b *Builder) error { lowerReshape(b); return nil },
	})
}

// evalReshape copies: all layers of this file keep the order of elements.
func evalReshape(c *EvalCall) error {
	copy(c.Out[0].Data, c.In[0].Data)
	c.Out[0].Type = c.In[0].Type
	return nil
}

// lowerReshape is a view. A channels-last tensor can be viewed as it lies where
// the outermost axis stays: only the axes inside it are regrouped.
func lowerReshape(b *Builder) {
	blob := b.Layer.Outputs[0]
	v := b.Any(0)
	switch s := blob.Shape; {
	case s == v.Shape:
		b.Alias(0, 0)
	case s.Dims == 1:
		b.Flattened(0, v)
	case v.Layout == ChannelsLast && channels(s) == channels(v.Shape):
		v.Tensor = b.View(v.Tensor, blob.Name, Dims(s, ChannelsLast))
		v.Shape = s
		b.Set(0, v)
	default:
		b.Reshaped(0, v)
	}
}

func shapeReshape(c *ShapeCall) ([]ir.Shape, error) {
	p, in := c.Layer.Params, c.In[0]
	sizes := [4]int{p.Int(0, sameUpper), p.Int(1, sameUpper), p.Int(11, sameUpper), p.Int(2, sameUpper)} // w h d c
	rank := 4
	if sizes[2] == sameUpper {
		rank = 3
	}
	if sizes[3] == sameUpper {
		rank = 2
	}
	if sizes[1] == sameUpper {
		rank = 1
	}
	if sizes[0] == sameUpper {
		rank = 0
	}
	if e := p.Str(6); e != "" {
		list, err := evalExpr(e, c.In)
		if err != nil {
			return nil, err
		}
		rank = len(list)
		switch rank {
		case 1, 2, 4:
			copy(sizes[:], list)
		case 3:
			sizes[0], sizes[1], sizes[3] = list[0], list[1], list[2]
		default:
			return nil, fmt.Errorf("shape expression %q has %d sizes", e, rank)
		}
	}
	if rank == 0 {
		return nil, fmt.Errorf("has no target size")
	}
	own := [4]int{in.W, in.H, in.D, in.C}
	used := map[int][]int{1: {0}, 2: {0, 1}, 3: {0, 1, 3}, 4: {0, 1, 2, 3}}[rank]
	known, free := 1, -1
	for _, i := range used {
		if sizes[i] == 0 {
			sizes[i] = own[i]
		}
		switch {
		case sizes[i] == -1 && free < 0:
			free = i
		case sizes[i] <= 0:
			return nil, fmt.Errorf("target size %d", sizes[i])
		default:
			known *= sizes[i]
		}
	}
	if free >= 0 {
		sizes[free] = in.Len() / known
		known *= sizes[free]
	}
	if known != in.Len() {
		return nil, fmt.Errorf("%d elements (%v) cannot be reshaped to %d", in.Len(), in, known)
	}
	switch rank {
	case 1:
		return one(ir.Shape1(sizes[0])), nil
	case 2:
		return one(ir.Shape2(sizes[0], sizes[1])), nil
	case 3:
		return one(ir.Shape3(sizes[0], sizes[1], sizes[3])), nil
	}
	return one(ir.Shape4(sizes[0], sizes[1], sizes[2], sizes[3])), nil
}

func shapeSqueeze(c *ShapeCall) ([]ir.Shape, error) {
	p, in := c.Layer.Params, c.In[0]
	axes := in.Axes()
	drop := make([]bool, len(axes))
	if list := p.Ints(3); len(list) > 0 {
		for _, a := range list {
			ax, err := axis(a, in.Dims)
			if err != nil {
				return nil, err
			}
			drop[ax] = true
		}
	} else {
		ids := map[int][]int{1: {0}, 2: {1, 0}, 3: {2, 1, 0}, 4: {2, 11, 1, 0}}[in.Dims] // by axis
		for i, id := range ids {
			drop[i] = p.Int(id, 0) != 0
		}
	}
	var kept []int
	for i, n := range axes {
		if n != 1 || !drop[i] {
			kept = append(kept, n)
		}
	}
	if len(kept) == 0 {
		kept = []int{1}
	}
	return one(ir.FromAxes(kept)), nil
}

func shapeExpandDims(c *ShapeCall) ([]ir.Shape, error) {
	in, list := c.In[0], c.Layer.Params.Ints(3)
	rank := in.Dims + len(list)
	if rank > 4 {
		return nil, fmt.Errorf("%d axes more on a blob of rank %d", len(list), in.Dims)
	}
	isNew := make([]bool, rank)
	for _, a := range list {
		ax, err := axis(a, rank)
		if err != nil {
			return nil, err
		}
		if isNew[ax] {
			return nil, fmt.Errorf("axis %d is inserted twice", ax)
		}
		isNew[ax] = true
	}
	old := in.Axes()
	axes := make([]int, rank)
	for i := range axes {
		axes[i] = 1
		if !isNew[i] {
			axes[i], old = old[0], old[1:]
		}
	}
	return one(ir.FromAxes(axes)), nil
}
