package layer

import (
	"fmt"

	"github.com/flexnnc/flexnnc/ir"
)

func init() {
	Register(&Def{
		Type: "Crop", Index: 7, MinIn: 1, MaxIn: -1, MinOut: 1, MaxOut: 1,
		Params: []ParamDef{
			{0, "woffset", Int, "first column"},
			{1, "hoffset", Int, ""}, {13, "doffset", Int, ""}, {2, "coffset", Int, ""},
			{3, "outw", Int, "width; -233 means to the end"}, {4, "outh", Int, ""}, {14, "outd", Int, ""}, {5, "outc", Int, ""},
			{6, "woffset2", Int, "columns cut at the end"}, {7, "hoffset2", Int, ""}, {15, "doffset2", Int, ""}, {8, "coffset2", Int, ""},
			{9, "starts", IntArray, "per axis, negative from the end"},
			{10, "ends", IntArray, "per axis, -233 for the end"},
			{11, "axes", IntArray, "default all"},
			{19, "starts_expr", String, "expressions instead"}, {20, "ends_expr", String, ""}, {21, "axes_expr", String, ""},
		},
		Shape: func(c *ShapeCall) ([]ir.Shape, error) {
			_, size, err := cropBox(c.Layer, c.In)
			if err != nil {
				return nil, err
			}
			return one(ir.FromAxes(size)), nil
		},
		Eval: func(c *EvalCall) error {
			start, _, err := cropBox(c.Layer, shapes(c.In))
			if err != nil {
				return err
			}
			crop(c.In[0], c.Out[0], start)
			return nil
		},
		Lower: func(b *Builder) error {
			var in []ir.Shape
			for _, blob := range b.Layer.Inputs {
				in = append(in, blob.Shape)
			}
			start, _, err := cropBox(b.Layer, in)
			if err != nil {
				return err
			}
			b.Cut(0, b.Any(0), start)
			return nil
		},
	})
}

// cropBox is the first index and the size of what is kept, per axis from the
// outermost.
func cropBox(l *ir.Layer, in []ir.Shape) (start, size []int, err error) {
	p, s := l.Params, in[0]
	starts, ends, axes := p.Ints(9), p.Ints(10), p.Ints(11)
	if p.Str(19) != "" && p.Str(20) != "" {
		for i, list := range []*[]int{&starts, &ends, &axes} {
			if *list, err = evalExpr(p.Str(19+i), in); err != nil {
				return nil, nil, err
			}
		}
	}
	// Offsets, sizes and cut-off parameters by axis.
	ids := map[int][]int{1: {0}, 2: {1, 0}, 3: {2, 1, 0}, 4: {2, 13, 1, 0}}[s.Dims]
	outID := map[int]int{0: 3, 1: 4, 13: 14, 2: 5}
	endID := map[int]int{0: 6, 1: 7, 13: 15, 2: 8}
	start, size = make([]int, s.Dims), s.Axes()
	byReference := true
	for _, id := range []int{0, 1, 13, 2} {
		byReference = byReference && p.Int(outID[id], 0) == 0 && p.Int(endID[id], 0) == 0
	}
	switch {
	case len(starts) > 0 && len(ends) > 0:
		if len(axes) == 0 {
			for i := range s.Dims {
				axes = append(axes, i)
			}
		}
		for i, a := range axes {
			ax, err := axis(a, s.Dims)
			if err != nil {
				return nil, nil, err
			}
			if i >= len(starts) || i >= len(ends) {
				return nil, nil, fmt.Errorf("%d axes, but %d starts and %d ends", len(axes), len(starts), len(ends))
			}
			n := size[ax]
			from, to := starts[i], ends[i]
			if from == sameUpper {
				from = 0
			}
			if from < 0 {
				from += n
			}
			if to == sameUpper {
				to = n
			}
			if to <= 0 {
				to += n
			}
			start[ax], size[ax] = from, min(n, to)-from
		}
	case byReference && len(in) > 1 && p.Int(0, 0) == sameUpper:
		return nil, nil, fmt.Errorf("offsets and sizes as values of an input are not supported")
	case byReference && len(in) > 1:
		ref := in[1]
		of := map[int]int{0: ref.W, 1: ref.H, 13: ref.D, 2: ref.C}
		for i, id := range ids {
			start[i], size[i] = p.Int(id, 0), of[id]
			if id == 2 && ref.Dims != s.Dims {
				size[i] = s.C
			}
		}
	default:
		for i, id := range ids {
			start[i] = p.Int(id, 0)
			rest := size[i] - start[i] - p.Int(endID[id], 0)
			size[i] = rest
			if n := p.Int(outID[id], 0); n != sameUpper {
				size[i] = min(n, rest)
			}
		}
	}
	for i, n := range s.Axes() {
		if start[i] < 0 || size[i] < 1 || start[i]+size[i] > n {
			return nil, nil, fmt.Errorf("would keep %d elements from %d on of %d on axis %d", size[i], start[i], n, i)
		}
	}
	return start, size, nil
}
