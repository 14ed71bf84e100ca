package layer

import (
	"fmt"
	"math"

	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/diag"
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

// lowerReduction brings the reduced axes innermost and calls the reduction. Means
// and maxima over the pixels of an image are poolings.
func lowerReduction(b *Builder) error {
	l := b.Layer
	v := b.Any(0)
	order, n, err := reductionOrder(l, v.Shape)
	if err != nil {
		return err
	}
	operation, coeff := l.Params.Int(0, 0), l.Params.Float(2, 1)
	blob := l.Outputs[0]
	rows := v.Shape.Len() / n
	y := b.NewTensor(l.Name+"/result", op.F32, []int{rows})
	s := v.Shape
	pixels := s.Dims == 3 && v.Layout == ChannelsLast && order[0] == 0 && n == s.W*s.H && rows == s.C && s.C > 1
	if pixels && coeff == 1 && (operation == reduceMean || operation == reduceMax) {
		b.Add(&op.Op{Kind: op.Pool, Name: l.Name, In: []*op.Tensor{v.Tensor}, Out: []*op.Tensor{y}, Pool: &op.PoolAttr{
			Max: operation == reduceMax, InH: s.H, InW: s.W, C: s.C, OutH: 1, OutW: 1, KH: s.H, KW: s.W, SH: 1, SW: 1,
		}})
	} else {
		name := fmt.Sprintf("%s/rows", l.Name)
		x := b.Convert(b.Permute(v, name, order, Planar), Planar, name)
		b.Call("reduce", []int{operation, rows, n}, []float32{coeff}, []*op.Tensor{y}, x.Tensor)
	}
	b.Set(0, Value{Tensor: b.View(y, blob.Name, Dims(blob.Shape, Planar)), Shape: blob.Shape})
	return nil
}
