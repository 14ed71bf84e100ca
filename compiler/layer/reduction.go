package layer

import (
	"fmt"
	"math"

	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/diag"
	"github.com/flexnnc/flexnnc/ir/lane"
	"github.com/flexnnc/flexnnc/ir/op"
)

// Operations of Reduction, by parameter 0.
const (
	reduceSum = iota
	reduceAbs
	reduceSquares
	reduceMean
	reduceMax
	reduceMin
	reduceProduct
	reduceL1
	reduceL2
	reduceLogSum
	reduceLogSumExp
	reductions // their number
)

func init() {
	Register(&Def{
		Type: "Reduction", Index: 25, MinIn: 1, MaxIn: 1, MinOut: 1, MaxOut: 1,
		Params: []ParamDef{
			{0, "operation", Int, "0 sum 1 sum of |x| 2 sum of squares 3 mean 4 max 5 min 6 product 7 L1 8 L2 9 log of sum 10 log of sum of exp"},
			{1, "reduce_all", Int, "1 (default): over all axes"}, {2, "coeff", Float, "factor of the result, default 1"},
			{3, "axes", IntArray, ""}, {4, "keepdims", Int, ""}, {5, "fixbug0", Int, "must be 1 where there are axes"},
		},
		Check: func(l *ir.Layer, d *diag.List) {
			if o := l.Params.Int(0, 0); o < 0 || o >= reductions {
				d.Layerf(l, "unknown operation %d", o)
			}
			if len(l.Params.Ints(3)) > 0 && l.Params.Int(5, 0) == 0 {
				d.Layerf(l, "the file is too old: axes without 5=1; ncnn refuses it too")
			}
		},
		Shape: func(c *ShapeCall) ([]ir.Shape, error) {
			reduced, err := reducedAxes(c.Layer, c.In[0])
			if err != nil {
				return nil, err
			}
			var axes []int
			for i, n := range c.In[0].Axes() {
				if !reduced[i] {
					axes = append(axes, n)
				} else if c.Layer.Params.Int(4, 0) != 0 {
					axes = append(axes, 1)
				}
			}
			if len(axes) == 0 {
				axes = []int{1}
			}
			return one(ir.FromAxes(axes)), nil
		},
		Eval: func(c *EvalCall) error {
			x, n, err := reductionRows(c.Layer, c.In[0])
			if err != nil {
				return err
			}
			for i := range c.Out[0].Data {
				c.Out[0].Data[i] = reduce(c.Layer.Params.Int(0, 0), x[i*n:][:n]) * float64(c.Layer.Params.Float(2, 1))
			}
			return nil
		},
		Lower: lowerReduction,
	})
}

// reducedAxes says, per axis from the outermost, whether it is reduced.
func reducedAxes(l *ir.Layer, s ir.Shape) ([]bool, error) {
	r := make([]bool, s.Dims)
	for _, a := range l.Params.Ints(3) {
		ax, err := axis(a, s.Dims)
		if err != nil {
			return nil, err
		}
		r[ax] = true
	}
	if l.Params.Int(1, 1) != 0 || s.Dims == 1 {
		for i := range r {
			r[i] = true
		}
	}
	return r, nil
}

// reductionOrder puts the reduced axes last; n is their number of elements.
func reductionOrder(l *ir.Layer, s ir.Shape) (order []int, n int, err error) {
	reduced, err := reducedAxes(l, s)
	if err != nil {
		return nil, 0, err
	}
	n = 1
	for _, last := range []bool{false, true} {
		for i, r := range reduced {
			if r == last {
				order = append(order, i)
				if r {
					n *= s.Axes()[i]
				}
			}
		}
	}
	return order, n, nil
}

// reductionRows copies x so that each row of n elements makes one result.
func reductionRows(l *ir.Layer, x Tensor) ([]float64, int, error) {
	order, n, err := reductionOrder(l, x.Shape)
	if err != nil {
		return nil, 0, err
	}
	y := NewTensor(permutedShape(x.Shape, order))
	permute(x, y, order)
	return y.Data, n, nil
}

func reduce(operation int, x []float64) float64 {
	sum, abs, squares, product := 0.0, 0.0, 0.0, 1.0
	top, bottom := math.Inf(-1), math.Inf(1)
	for _, v := range x {
		sum += v
		abs += math.Abs(v)
		squares += v * v
		product *= v
		top, bottom = math.Max(top, v), math.Min(bottom, v)
	}
	switch operation {
	case reduceSum:
		return sum
	case reduceAbs, reduceL1:
		return abs
	case reduceSquares:
		return squares
	case reduceMean:
		return sum / float64(len(x))
	case reduceMax:
		return top
	case reduceMin:
		return bottom
	case reduceProduct:
		return product
	case reduceL2:
		return math.Sqrt(squares)
	case reduceLogSum:
		return math.Log(sum)
	}
	sum = 0
	for _, v := range x {
		sum += math.Exp(v - top)
	}
	return top + math.Log(sum)
}

// lowerReduction pools where pixels or rows are reduced and channels are not, and calls
// the reduction of rows else, with the reduced axes innermost.
func lowerReduction(b *Builder) error {
	l := b.Layer
	v := b.Any(0)
	reduced, err := reducedAxes(l, v.Shape)
	if err != nil {
		return err
	}
	operation, coeff := l.Params.Int(0, 0), l.Params.Float(2, 1)
	s, pooled := v.Shape, reducePools[operation] != nil
	switch {
	case s.Dims == 2 && v.Layout == Planar && reduced[0] && !reduced[1] && s.W > 1 && pooled:
		// A matrix [h,w] is an image of h pixels with w channels.
		v = Value{Tensor: b.View(v.Tensor, l.Name+"/pixels", []int{s.H, 1, s.W}), Shape: ir.Shape3(1, s.H, s.W), Layout: ChannelsLast}
		b.reducePixels(v, true, false, operation, coeff)
	case s.Dims != 3 || v.Layout != ChannelsLast || s.C == 1:
		return b.reduceRows(v, operation, coeff)
	case !reduced[0] && (reduced[1] || reduced[2]) && pooled:
		b.reducePixels(v, reduced[1], reduced[2], operation, coeff)
	case reduced[0] && !reduced[1] && !reduced[2]:
		y := b.NewTensor(l.Name+"/result", op.F32, []int{s.H, s.W, 1})
		o := b.reduceCall(operation, coeff, s.H*s.W, s.C, y, v.Tensor)
		for h := range s.H {
			o.Call.Rows = append(o.Call.Rows, [2]int{h, h + 1})
		}
		b.Set(0, Value{Tensor: b.View(y, l.Outputs[0].Name, Dims(l.Outputs[0].Shape, Planar)), Shape: l.Outputs[0].Shape})
	default:
		return b.reduceRows(v, operation, coeff)
	}
	return nil
}

// reduceRows reduces the rows of a matrix whose columns are the reduced axes.
func (b *Builder) reduceRows(v Value, operation int, coeff float32) error {
	order, n, err := reductionOrder(b.Layer, v.Shape)
	if err != nil {
		return err
	}
	blob, rows := b.Layer.Outputs[0], v.Shape.Len()/n
	name := fmt.Sprintf("%s/rows", b.Layer.Name)
	x := b.Convert(b.Permute(v, name, order, Planar), Planar, name)
	y := b.NewTensor(b.Layer.Name+"/result", op.F32, []int{rows, 1})
	b.reduceCall(operation, coeff, rows, n, y, b.View(x.Tensor, name+"/matrix", []int{rows, n}))
	b.Set(0, Value{Tensor: b.View(y, blob.Name, Dims(blob.Shape, Planar)), Shape: blob.Shape})
	return nil
}

// reduceCall reduces rows of n elements: those of x, whose last axis they are.
func (b *Builder) reduceCall(operation int, coeff float32, rows, n int, y, x *op.Tensor) *op.Op {
	o := b.Call("reduce", []int{operation, rows, n}, []float32{coeff}, []*op.Tensor{y}, x)
	pass := func(name string, how lane.Reduction, f func(p *lane.Builder, v []lane.Reg) lane.Reg, in ...lane.Input) {
		p := lane.New(name)
		var v []lane.Reg
		pass := op.Pass{To: 0}
		for i, kind := range in {
			if kind == lane.Vector {
				v = append(v, p.Vec())
			} else {
				v = append(v, p.Splat())
			}
			pass.In = append(pass.In, op.Source{Kind: op.FromInput, Index: i})
		}
		pass.Program = p.ReturnReduced(f(p, v), how, false)
		o.Call.Passes = append(o.Call.Passes, pass)
	}
	absolute := func(p *lane.Builder, v []lane.Reg) lane.Reg { return p.Abs(v[0]) }
	switch operation {
	case reduceSum, reduceMean, reduceLogSum:
		pass("sum", lane.ReduceSum, first, lane.Vector)
	case reduceAbs, reduceL1:
		pass("absolute_sum", lane.ReduceSum, absolute, lane.Vector)
	case reduceSquares, reduceL2:
		pass("square_sum", lane.ReduceSum, square, lane.Vector)
	case reduceMin:
		pass("smallest", lane.ReduceMin, first, lane.Vector)
	case reduceMax:
		pass("largest", lane.ReduceMax, first, lane.Vector)
	case reduceLogSumExp:
		pass("largest", lane.ReduceMax, first, lane.Vector)
		pass("exp_of_difference_sum", lane.ReduceSum, func(p *lane.Builder, v []lane.Reg) lane.Reg { return p.Exp(p.Sub(v[0], v[1])) },
			lane.Vector, lane.Splat)
	}
	return o
}

// reducePools are the operations that a pooling does, of the elements or of a function
// of them, and what follows it: of an average times the number of elements, or of a maximum.
var reducePools = map[int]*struct {
	max           bool
	before, after func(p *lane.Builder, x lane.Reg) lane.Reg
}{
	reduceSum:     {},
	reduceMean:    {},
	reduceAbs:     {before: (*lane.Builder).Abs},
	reduceL1:      {before: (*lane.Builder).Abs},
	reduceSquares: {before: func(p *lane.Builder, x lane.Reg) lane.Reg { return p.Mul(x, x) }},
	reduceL2:      {before: func(p *lane.Builder, x lane.Reg) lane.Reg { return p.Mul(x, x) }, after: (*lane.Builder).Sqrt},
	reduceLogSum:  {after: (*lane.Builder).Log},
	reduceMax:     {max: true},
	reduceMin:     {max: true, before: (*lane.Builder).Neg, after: (*lane.Builder).Neg},
}

// reducePixels reduces the rows of an image, its columns, or both.
func (b *Builder) reducePixels(v Value, rows, columns bool, operation int, coeff float32) {
	l, s, how := b.Layer, v.Shape, reducePools[operation]
	x := v.Tensor
	if how.before != nil {
		x = b.NewTensor(l.Name+"/elements", op.F32, v.Tensor.Dims)
		p := lane.New(fmt.Sprintf("before_reduction_%d", operation))
		b.Map(p.Return(how.before(p, p.Vec())), x, v.Tensor)
	}
	a := &op.PoolAttr{Max: how.max, InH: s.H, InW: s.W, C: s.C, OutH: s.H, OutW: s.W, KH: 1, KW: 1, SH: 1, SW: 1}
	if rows {
		a.KH, a.OutH = s.H, 1
	}
	if columns {
		a.KW, a.OutW = s.W, 1
	}
	y := b.NewTensor(l.Name+"/result", op.F32, []int{a.OutH, a.OutW, s.C})
	b.Add(&op.Op{Kind: op.Pool, Name: l.Name, In: []*op.Tensor{x}, Out: []*op.Tensor{y}, Pool: a})
	n := float32(a.KH * a.KW)
	if how.max || operation == reduceMean {
		n = 1
	}
	if n != 1 || coeff != 1 || how.after != nil {
		z := b.NewTensor(l.Name+"/finished", op.F32, y.Dims)
		p := lane.New(fmt.Sprintf("after_reduction_%d_of_%s_times_%s", operation, digits(n), digits(coeff)))
		r := p.Vec()
		if n != 1 {
			r = p.Mul(r, p.F(n))
		}
		if how.after != nil {
			r = how.after(p, r)
		}
		if coeff != 1 {
			r = p.Mul(r, p.F(coeff))
		}
		b.Map(p.Return(r), z, y)
		y = z
	}
	blob := l.Outputs[0]
	out := Value{Tensor: y, Shape: ir.Shape3(a.OutW, a.OutH, s.C), Layout: ChannelsLast}
	if s.Dims == 3 && out.Shape == blob.Shape {
		b.Set(0, out)
		return
	}
	out = b.Convert(out, Planar, l.Name+"/planar")
	b.Set(0, Value{Tensor: b.View(out.Tensor, blob.Name, Dims(blob.Shape, Planar)), Shape: blob.Shape})
}
