package layer

import (
	"fmt"
	"math"
	"slices"

	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/diag"
	"github.com/flexnnc/flexnnc/ir/lane"
	"github.com/flexnnc/flexnnc/ir/op"
)

func init() {
	Register(&Def{
		Type: "Interp", Index: 50, MinIn: 1, MaxIn: -1, MinOut: 1, MaxOut: 1,
		Params: []ParamDef{
			{0, "resize_type", Int, "1 nearest, 2 bilinear, 3 bicubic"},
			{1, "height_scale", Float, "default 1"}, {2, "width_scale", Float, "default 1"},
			{3, "output_height", Int, "0: by scale"}, {4, "output_width", Int, "0: by scale"},
			{5, "dynamic_target_size", Int, "1: the size is that of the second input"},
			{6, "align_corner", Int, "1: the outer pixels' centres coincide"},
			{9, "size_expr", String, "width and height as expressions"},
		},
		Check: func(l *ir.Layer, d *diag.List) {
			if t := l.Params.Int(0, 0); t < 1 || t > 3 {
				d.Layerf(l, "unknown resize_type %d", t)
			}
		},
		Shape: func(c *ShapeCall) ([]ir.Shape, error) {
			s := c.In[0]
			w, h, err := resizeTarget(c.Layer, c.In)
			if err != nil {
				return nil, err
			}
			if w < 1 || h < 1 {
				return nil, fmt.Errorf("resizes %v to %d x %d", s, w, h)
			}
			switch s.Dims {
			case 1:
				return one(ir.Shape3(w, h, s.W)), nil
			case 2:
				return one(ir.Shape2(w, s.H)), nil
			case 3:
				return one(ir.Shape3(w, h, s.C)), nil
			}
			return nil, fmt.Errorf("input of rank %d", s.Dims)
		},
		Eval:  evalInterp,
		Lower: lowerInterp,
	})
}

// resizeTarget is the width and height aimed at; rank 2 uses the width only.
func resizeTarget(l *ir.Layer, in []ir.Shape) (w, h int, err error) {
	p, s := l.Params, in[0]
	if e := p.Str(9); e != "" {
		list, err := evalExpr(e, in)
		if err != nil {
			return 0, 0, err
		}
		switch len(list) {
		case 1:
			return list[0], s.H, nil
		case 2:
			return list[0], list[1], nil
		}
		return 0, 0, fmt.Errorf("size expression %q has %d sizes", e, len(list))
	}
	if p.Int(5, 0) == 1 {
		if len(in) < 2 {
			return 0, 0, fmt.Errorf("dynamic_target_size needs a second input")
		}
		return in[1].W, in[1].H, nil
	}
	w, h = p.Int(4, 0), p.Int(3, 0)
	if w == 0 || h == 0 {
		iw, ih := s.W, s.H
		if s.Dims == 1 {
			iw, ih = 1, 1
		}
		w, h = int(float32(iw)*p.Float(2, 1)), int(float32(ih)*p.Float(1, 1))
	}
	return w, h, nil
}

// resizeTaps are, for each output position along an axis, the input positions
// and their weights.
type resizeTaps struct {
	n      int // taps per position: 1, 2 or 4
	index  []int
	weight []float32
}

// resizeAxis computes the taps along an axis from in to out cells. scale and size
// are the layer's parameters for the axis.
func resizeAxis(l *ir.Layer, in, out int, scale float32, size int) resizeTaps {
	kind, align := l.Params.Int(0, 0), l.Params.Int(6, 0) != 0
	if in == out && kind != 3 || in == out && in == 1 {
		kind = 0
	}
	t := resizeTaps{n: []int{1, 1, 2, 4}[kind]}
	step := float64(in) / float64(out)
	if align {
		step = float64(in-1) / float64(out-1)
	}
	for o := range out {
		at := float32(float64((float64(o)+0.5)*step) - 0.5) // conversions forbid fusing: every host gets the same bits
		if align {
			at = float32(float64(o) * step)
		}
		whole := int(math.Floor(float64(at)))
		f := at - float32(whole)
		switch kind {
		case 0:
			t.index, t.weight = append(t.index, o), append(t.weight, 1)
		case 1:
			r := 1 / scale
			if size != 0 || l.Params.Str(9) != "" {
				r = float32(in) / float32(out)
			}
			t.index, t.weight = append(t.index, min(int(float32(o)*r), in-1)), append(t.weight, 1)
		case 2:
			if whole < 0 {
				whole, f = 0, 0
			}
			if whole >= in-1 {
				whole, f = in-2, 1
			}
			t.index = append(t.index, max(whole, 0), whole+1)
			t.weight = append(t.weight, 1-f, f)
		case 3:
			for k, c := range cubic(f) {
				t.index = append(t.index, min(max(whole+k-1, 0), in-1))
				t.weight = append(t.weight, c)
			}
		}
	}
	return t
}

// cubic are the weights of the cells at -1, 0, 1, 2 for a point at f in [0,1),
// by Keys' kernel with A = -0.75.
func cubic(f float32) [4]float32 {
	const a = -0.75
	near := func(x float64) float32 { return float32(float64((a+2)*x*x*x) - float64((a+3)*x*x) + 1) }
	x := float64(f) + 1
	w := [4]float32{float32(float64(a*x*x*x) - float64(5*a*x*x) + float64(8*a*x) - 4*a), near(float64(f)), near(1 - float64(f))}
	w[3] = 1 - w[0] - w[1] - w[2]
	return w
}

// resizing are the taps over height and width of rank 2 and 3 inputs.
func resizing(l *ir.Layer, in, out ir.Shape) (rows, columns resizeTaps) {
	p := l.Params
	columns = resizeAxis(l, in.W, out.W, p.Float(2, 1), p.Int(4, 0))
	if in.Dims == 2 || in == out {
		rows = resizeTaps{n: 1}
		for i := range out.H {
			rows.index, rows.weight = append(rows.index, i), append(rows.weight, 1)
		}
		if in == out {
			columns = resizeTaps{n: 1}
			for i := range out.W {
				columns.index, columns.weight = append(columns.index, i), append(columns.weight, 1)
			}
		}
		return rows, columns
	}
	return resizeAxis(l, in.H, out.H, p.Float(1, 1), p.Int(3, 0)), columns
}

func evalInterp(c *EvalCall) error {
	x, y := c.In[0], c.Out[0]
	if x.Shape.Dims == 1 {
		_, _, inner := around(y.Shape, 0)
		for i := range y.Data {
			y.Data[i] = x.Data[i/inner]
		}
		return nil
	}
	rows, columns := resizing(c.Layer, x.Shape, y.Shape)
	for q := range y.Shape.C {
		for h := range y.Shape.H {
			for w := range y.Shape.W {
				sum := 0.0
				for i := range rows.n {
					for j := range columns.n {
						f := float64(rows.weight[h*rows.n+i]) * float64(columns.weight[w*columns.n+j])
						sum += f * *x.At(q, 0, rows.index[h*rows.n+i], columns.index[w*columns.n+j])
					}
				}
				*y.At(q, 0, h, w) = sum
			}
		}
	}
	return nil
}

func lowerInterp(b *Builder) error {
	l := b.Layer
	in, out := l.Inputs[0].Shape, l.Outputs[0].Shape
	switch {
	case in.Dims == 1:
		y := b.Output(0, ChannelsLast)
		x := b.View(b.Any(0).Tensor, l.Name+"/pixel", []int{1, 1, in.W})
		p := lane.New("copy_" + operandKind(x, y))
		b.Map(p.Return(operand(p, x, y)), y, x)
		return nil
	case in == out:
		b.Alias(0, 0)
		return nil
	}
	rows, columns := resizing(l, in, out)
	layout, c := ChannelsLast, in.C
	if in.Dims == 2 {
		layout, c = Planar, 1
	}
	index := func(name string, t resizeTaps) *op.Tensor {
		v := make([]float32, len(t.index))
		for i, k := range t.index {
			v[i] = math.Float32frombits(uint32(k))
		}
		n := b.FixedConst(name, []int{len(v)}, v)
		n.Type, n.Const.Type = op.I32, op.I32
		return n
	}
	piece := min(out.W, max(1, resizeBytes/4/c)) // pixels that are made at a time
	ints := []int{in.H, in.W, c, out.H, out.W, rows.n, columns.n, piece}
	x := b.In(0, layout).Tensor
	o := b.Call("resize", ints, nil, []*op.Tensor{b.Output(0, layout)}, x,
		index("rows", rows), b.FixedConst("row_weights", []int{len(rows.weight)}, rows.weight),
		index("columns", columns), b.FixedConst("column_weights", []int{len(columns.weight)}, columns.weight))
	if rows.n > 1 {
		o.ThreadScratch = rows.n * ((4*c*piece + 63) &^ 63)
		o.Call.Passes = []op.Pass{weightedSum(rows.n)}
	}
	if len(x.Dims) > 1 {
		for y := range out.H {
			taps := rows.index[y*rows.n : (y+1)*rows.n]
			o.Call.Rows = append(o.Call.Rows, [2]int{slices.Min(taps), slices.Max(taps) + 1})
		}
	}
	return nil
}

// resizeBytes is the size of the pieces of rows that are interpolated at a time, unless a
// pixel is larger: where memory is short scratch counts, and a call of a kernel for each
// does little.
const resizeBytes = 512

// weightedSum is a chain of fused multiply-adds of n vectors, which come first, and
// their factors, and starts with a product.
func weightedSum(n int) op.Pass {
	p := lane.New(fmt.Sprintf("weighted_sum_of_%d", n))
	pass := op.Pass{To: -1, Out: true}
	v, f := make([]lane.Reg, n), make([]lane.Reg, n)
	for i := range v {
		v[i] = p.Vec()
	}
	for i := range f {
		f[i] = p.Splat()
	}
	for i := range 2 * n {
		pass.In = append(pass.In, op.Source{Kind: op.FromInput, Index: i})
	}
	sum := p.Mul(v[0], f[0])
	for i := 1; i < n; i++ {
		sum = p.FMA(v[i], f[i], sum)
	}
	pass.Program = p.Return(sum)
	return pass
}
