package layer

import (
	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/lane"
	"github.com/flexnnc/flexnnc/ir/op"
)

// quantizeRuns makes integers of the rows of x, with one scale per run of rows that
// follows from the run's largest value: 127/top, as ncnn does for activations
// without a scale of their own. top is [runs,1].
func (b *Builder) quantizeRuns(x *op.Tensor, runs int, name string) (q, top *op.Tensor) {
	n := x.Len() / runs
	dims := []int{runs, n}
	if len(x.Dims) != 2 || x.Dims[0] != runs {
		x = b.View(x, name+"/runs", dims)
	}
	p := lane.New("absolute")
	abs := b.NewTensor(name+"/absolute", op.F32, dims)
	b.Map(p.Return(p.Abs(p.Vec())), abs, x)
	top = b.NewTensor(name+"/largest", op.F32, []int{runs, 1})
	b.reduceCall(reduceMax, 1, runs, n, top, abs)
	q = b.NewTensor(name+"/quantized", op.F32, dims)
	p = lane.New("quantize_by_largest_" + operandKind(top, q))
	v, t := p.Vec(), operand(p, top, q)
	// The largest of a run of zeros is zero; any scale will do.
	scale := p.Sel(p.Lt(p.F(0), t), p.Div(p.F(127), t), p.F(1))
	b.Map(p.Return(roundInt8(p, p.Mul(v, scale))), q, x, top)
	return q, top
}

// largestScale is 127 over the largest absolute value.
func largestScale(x []float32) float32 {
	top := float32(0)
	for _, v := range x {
		if v < 0 {
			v = -v
		}
		top = max(top, v)
	}
	if top == 0 {
		return 1
	}
	return 127 / top
}

// gemmScales are the scales of a constant matrix: those of the file where it holds
// integers, else by its largest values; n is how many, and of is the scale that
// element i has.
func gemmScales(w, stored *ir.Weight, n int, of func(i int) int) ([]float32, error) {
	if w.Storage == ir.StoreI8 {
		return stored.Float32s()
	}
	x, err := w.Float32s()
	if err != nil {
		return nil, err
	}
	runs := make([][]float32, n)
	for i, v := range x {
		runs[of(i)] = append(runs[of(i)], v)
	}
	scales := make([]float32, n)
	for i, r := range runs {
		scales[i] = largestScale(r)
	}
	return scales, nil
}

// integers is a constant matrix as int8.
func integers(w *ir.Weight, scales []float32, of func(i int) int) *ir.Weight {
	if w.Storage == ir.StoreI8 {
		return w
	}
	return computedWeight(w.Name, w.Count, ir.StoreI8, func() ([]byte, error) {
		x, err := w.Float32s()
		if err != nil {
			return nil, err
		}
		data := make([]byte, len(x))
		for i, v := range x {
			data[i] = byte(int8(quantized(float64(v), float64(scales[of(i)]))))
		}
		return data, nil
	})
}

// int8Product appends alpha*A*B with integer factors: A with a scale per row, B
// with one in all. Constants keep the scales of the file; what the network computes
// is quantised in each run. The result is [n,m] where only A is constant.
func (g gemm) int8Product(b *Builder) (y *op.Tensor, transposed bool, err error) {
	l := b.Layer
	transA, transB := l.Params.Int(2, 0) != 0, l.Params.Int(3, 0) != 0
	rowOfA := func(i int) int {
		if transA {
			return i % g.m
		}
		return i / g.k
	}
	one := func(int) int { return 0 }
	var aScales, bScales []float32
	if g.aIn < 0 {
		if aScales, err = gemmScales(l.Weight("A"), l.Weight("A_scales"), g.m, rowOfA); err != nil {
			return nil, false, err
		}
	}
	if g.bIn < 0 {
		if bScales, err = gemmScales(l.Weight("B"), l.Weight("B_scale"), 1, one); err != nil {
			return nil, false, err
		}
	}
	transposed = g.aIn < 0 && g.bIn >= 0
	rows, cols := g.m, g.n
	if transposed {
		rows, cols = g.n, g.m
	}
	sum := b.NewTensor(l.Name+"/sum", op.F32, []int{rows, cols})
	conv := func(x *op.Tensor, w *ir.Weight, order op.Order) {
		x = b.int8Input(x, &int8Conv{integers: true})
		b.Add(&op.Op{Kind: op.Conv, Name: l.Name, In: []*op.Tensor{x}, Out: []*op.Tensor{sum},
			Panels: &op.Panels{Name: l.Name, N: cols, Taps: 1, Chans: g.k, Type: op.I8, Weight: w, Order: order, Int8: &op.Int8{Input: 1}},
			Conv:   &op.ConvAttr{InH: 1, InW: rows, InC: op.Fours(g.k), OutH: 1, OutW: rows, OutC: cols, KH: 1, KW: 1, SH: 1, SW: 1, DH: 1, DW: 1},
		})
	}
	order := func(outermost bool) op.Order {
		if outermost {
			return op.OutChanTap
		}
		return op.ChanTapOut
	}
	straight := func(t *op.Tensor, flip bool, name string) *op.Tensor {
		if flip {
			return b.Transpose(t, l.Name+name, []int{1, 0})
		}
		return t
	}
	// factor multiplies the sums of row i by row[i] and those of column j by column[j]:
	// one of them is a constant vector or both come from the run.
	var factors []*op.Tensor
	scale := g.alpha
	switch {
	case transposed:
		q, top := b.quantizeRuns(straight(b.matrixIn(g.bIn), !transB, "/b"), 1, l.Name+"/b")
		conv(b.View(q, l.Name+"/b/rows", []int{g.n, g.k}), integers(l.Weight("A"), aScales, rowOfA), order(!transA))
		inverse := make([]float32, g.m)
		for i, s := range aScales {
			inverse[i] = 1 / s
		}
		scale /= 127
		factors = []*op.Tensor{top, b.FixedConst("A_inverse", []int{g.m}, inverse)}
	case g.bIn < 0:
		scale /= float64(bScales[0])
		var x *op.Tensor
		if g.aIn < 0 {
			w := integers(l.Weight("A"), aScales, rowOfA)
			dims := []int{g.m, g.k}
			if transA {
				dims = []int{g.k, g.m}
			}
			x = straight(b.Const(l.Name+"/A", dims, func(dst []float32) error { return w.ReadFloat32(dst, 0) }), transA, "/a")
			inverse := make([]float32, g.m)
			for i, s := range aScales {
				inverse[i] = 1 / s
			}
			factors = []*op.Tensor{b.FixedConst("A_inverse", []int{g.m, 1}, inverse)}
		} else {
			var top *op.Tensor
			x, top = b.quantizeRuns(straight(b.matrixIn(g.aIn), transA, "/a"), g.m, l.Name+"/a")
			factors = []*op.Tensor{top}
			scale /= 127
		}
		conv(x, integers(l.Weight("B"), bScales, one), order(transB))
	default:
		x, top := b.quantizeRuns(straight(b.matrixIn(g.aIn), transA, "/a"), g.m, l.Name+"/a")
		w, all := b.quantizeRuns(b.matrixIn(g.bIn), 1, l.Name+"/b")
		strides := []int{0, 0, g.n, 1}
		if transB {
			strides = []int{0, 0, 1, g.k}
		}
		b.matmulCall([]int{1, 1, g.m, g.n, g.k}, []int{0, 0, g.k, 1}, strides, []int{0, 0, g.n, 1}, 1, sum, x, w)
		scale /= 127 * 127
		factors = []*op.Tensor{top, all}
	}
	return b.scaled(sum, l.Name+"/product", float32(scale), factors...), transposed, nil
}

// scaled appends the Map that multiplies x by a number and by factors that
// broadcast.
func (b *Builder) scaled(x *op.Tensor, name string, by float32, factors ...*op.Tensor) *op.Tensor {
	y := b.NewTensor(name, op.F32, x.Dims)
	kinds := ""
	for _, f := range factors {
		kinds += operandKind(f, y)
	}
	p := lane.New("scale_by_" + digits(by) + "_" + kinds)
	v, f := p.Vec(), p.F(by)
	for _, t := range factors {
		f = p.Mul(f, operand(p, t, y))
	}
	b.Map(p.Return(p.Mul(v, f)), y, append([]*op.Tensor{x}, factors...)...)
	return y
}
