package layer

import (
	"fmt"
	"math"

	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/diag"
	"github.com/flexnnc/flexnnc/ir/op"
)

func init() {
	Register(&Def{
		Type: "Gemm", Index: 74, MinIn: 1, MaxIn: 3, MinOut: 1, MaxOut: 1,
		Params: []ParamDef{
			{0, "alpha", Float, "default 1: alpha*(A*B + beta*C)"}, {1, "beta", Float, "default 1"},
			{2, "transA", Int, ""}, {3, "transB", Int, ""},
			{4, "constantA", Int, "1: A is a weight"}, {5, "constantB", Int, ""}, {6, "constantC", Int, ""},
			{7, "constantM", Int, ""}, {8, "constantN", Int, ""}, {9, "constantK", Int, ""},
			{10, "constant_broadcast_type_C", Int, "-1 none, 0 scalar, 1 M, 2 Mx1, 3 MxN, 4 1xN"},
			{11, "output_N1M", Int, "1: rows become channels"}, {12, "output_elempack", Int, "ignored"}, {13, "output_elemtype", Int, "ignored"},
			{14, "output_transpose", Int, ""}, {18, "int8_scale_term", Int, ""},
			{20, "constant_TILE_M", Int, "ignored"}, {21, "constant_TILE_N", Int, "ignored"}, {22, "constant_TILE_K", Int, "ignored"},
		},
		Check: func(l *ir.Layer, d *diag.List) {
			p := l.Params
			if p.Int(4, 0) != 0 && p.Int(7, 0)*p.Int(9, 0) <= 0 {
				d.Layerf(l, "constantA needs constantM and constantK")
			}
			if p.Int(5, 0) != 0 && p.Int(8, 0)*p.Int(9, 0) <= 0 {
				d.Layerf(l, "constantB needs constantN and constantK")
			}
			if q := p.Int(18, 0); q >= 4 {
				d.Layerf(l, "block-quantised weights (int8_scale_term=%d) are not supported", q)
			}
			if t := p.Int(10, 0); p.Int(6, 0) != 0 && (t < -1 || t > 4) {
				d.Layerf(l, "unknown constant_broadcast_type_C %d", t)
			}
			if n := 2 - p.Int(4, 0) - p.Int(5, 0); len(l.Inputs) < n || len(l.Inputs) > n+1 {
				d.Layerf(l, "has %d inputs for %d matrices that are not constant", len(l.Inputs), n)
			}
		},
		Weights: func(l *ir.Layer) (w []WeightDef) {
			p := l.Params
			m, n, k := p.Int(7, 0), p.Int(8, 0), p.Int(9, 0)
			if p.Int(4, 0) != 0 {
				w = append(w, WeightDef{Name: "A", Count: m * k, Tagged: true})
			}
			if p.Int(5, 0) != 0 {
				w = append(w, WeightDef{Name: "B", Count: k * n, Tagged: true})
			}
			if t := p.Int(10, 0); p.Int(6, 0) != 0 && t >= 0 && t <= 4 {
				w = append(w, WeightDef{Name: "C", Count: []int{1, m, m, m * n, n}[t], Tagged: true})
			}
			if p.Int(18, 0) != 0 {
				if p.Int(4, 0) != 0 {
					w = append(w, WeightDef{Name: "A_scales", Count: m})
				}
				if p.Int(5, 0) != 0 {
					w = append(w, WeightDef{Name: "B_scale", Count: 1})
				}
			}
			return w
		},
		Shape: func(c *ShapeCall) ([]ir.Shape, error) {
			g, err := gemmOf(c.Layer, c.In)
			if err != nil {
				return nil, err
			}
			h, w := g.m, g.n
			if c.Layer.Params.Int(14, 0) != 0 {
				h, w = w, h
			}
			if c.Layer.Params.Int(11, 0) != 0 {
				return one(ir.Shape3(w, 1, h)), nil
			}
			return one(ir.Shape2(w, h)), nil
		},
		Eval:  evalGemm,
		Lower: lowerGemm,
	})
}

// gemm is alpha*(A*B + beta*C) with sizes known. The indices say which input a
// matrix is, -1 for a constant; cIn is -1 too where there is no C.
type gemm struct {
	m, n, k       int
	aIn, bIn, cIn int
	cType         int // broadcast type of C, -1 for none
	alpha, beta   float64
}

func gemmOf(l *ir.Layer, in []ir.Shape) (gemm, error) {
	p := l.Params
	g := gemm{aIn: -1, bIn: -1, cIn: -1, cType: -1, alpha: float64(p.Float(0, 1)), beta: float64(p.Float(1, 1))}
	next := 0
	matrix := func(constant bool, rows, columns, trans int) (index, r, c int, err error) {
		if constant {
			return -1, rows, columns, nil
		}
		if next >= len(in) {
			return 0, 0, 0, fmt.Errorf("has %d inputs, needs more", len(in))
		}
		s := in[next]
		r, c = s.H, s.W
		if s.Dims == 3 && s.H == 1 {
			r = s.C
		} else if s.Dims > 2 { // a vector is one row
			return 0, 0, 0, fmt.Errorf("input %v is not a matrix", s)
		}
		if trans != 0 {
			r, c = c, r
		}
		next++
		return next - 1, r, c, nil
	}
	var err error
	var k int
	if g.aIn, g.m, g.k, err = matrix(p.Int(4, 0) != 0, p.Int(7, 0), p.Int(9, 0), p.Int(2, 0)); err != nil {
		return g, err
	}
	if g.bIn, k, g.n, err = matrix(p.Int(5, 0) != 0, p.Int(9, 0), p.Int(8, 0), p.Int(3, 0)); err != nil {
		return g, err
	}
	if k != g.k {
		return g, fmt.Errorf("A is %d x %d and B %d x %d", g.m, g.k, k, g.n)
	}
	if p.Int(6, 0) != 0 {
		g.cType = p.Int(10, 0)
		if g.cType == 1 || g.cType == 2 || g.cType == 3 {
			if p.Int(7, 0) != g.m {
				return g, fmt.Errorf("C is for %d rows of %d", p.Int(7, 0), g.m)
			}
		}
		if g.cType >= 3 && p.Int(8, 0) != g.n {
			return g, fmt.Errorf("C is for %d columns of %d", p.Int(8, 0), g.n)
		}
		return g, nil
	}
	if next < len(in) {
		g.cIn = next
		switch s := in[next]; {
		case s.Dims == 2 && s.W == g.n && s.H == 1:
			g.cType = 4
		case s.Dims == 2 && s.W == g.n && s.H == g.m:
			g.cType = 3
		case s.Dims == 2 && s.W == 1 && s.H == g.m:
			g.cType = 2
		case s.Dims == 1 && s.W == g.n:
			g.cType = 4
		case s.Dims == 1 && s.W == g.m:
			g.cType = 1
		case s.Dims == 1 && s.W == 1:
			g.cType = 0
		default:
			return g, fmt.Errorf("C of shape %v does not fit %d x %d", s, g.m, g.n)
		}
	}
	return g, nil
}

// at is the element of C for row i and column j.
func (g gemm) at(i, j int) int {
	return [...]int{0, i, i, i*g.n + j, j}[g.cType]
}

func evalGemm(c *EvalCall) error {
	p := c.Layer.Params
	g, err := gemmOf(c.Layer, shapes(c.In))
	if err != nil {
		return err
	}
	var fail error
	get := func(index int, name string) []float64 {
		if index >= 0 {
			return c.In[index].Data
		}
		v, err := c.Weight(name)
		if err != nil {
			fail = err
		}
		return v
	}
	// A by rows and B by columns, each k long.
	a := rowsOf(get(g.aIn, "A"), g.m, g.k, p.Int(2, 0) == 0)
	b := rowsOf(get(g.bIn, "B"), g.n, g.k, p.Int(3, 0) != 0)
	var cs []float64
	if g.cType >= 0 {
		cs = get(g.cIn, "C")
	}
	if fail != nil {
		return fail
	}
	scales := make([]float64, g.m) // of int8 rows
	if p.Int(18, 0) != 0 {
		if err := gemmQuantize(c, g, a, b, scales); err != nil {
			return err
		}
	}
	for i := range g.m {
		for j := range g.n {
			sum := 0.0
			for k := range g.k {
				sum += a[i*g.k+k] * b[j*g.k+k]
			}
			if p.Int(18, 0) != 0 {
				sum /= scales[i]
			}
			if g.cType >= 0 {
				sum += g.beta * cs[g.at(i, j)]
			}
			at := i*g.n + j
			if p.Int(14, 0) != 0 {
				at = j*g.m + i
			}
			c.Out[0].Data[at] = g.alpha * sum
		}
	}
	return nil
}

// rowsOf copies a matrix of n rows of k, stored so or, if not direct, transposed.
func rowsOf(x []float64, n, k int, direct bool) []float64 {
	y := make([]float64, len(x))
	for i := range n {
		for j := range k {
			if direct {
				y[i*k+j] = x[i*k+j]
			} else {
				y[i*k+j] = x[j*n+i]
			}
		}
	}
	return y
}

// gemmQuantize makes integers of those matrices that are not stored as such: A
// with a scale per row, B with one in all. scales become the products.
func gemmQuantize(c *EvalCall, g gemm, a, b, scales []float64) error {
	own := func(x []float64) float64 {
		top := 0.0
		for _, v := range x {
			top = math.Max(top, math.Abs(v))
		}
		if top == 0 {
			return 1
		}
		return float64(127 / float32(top))
	}
	quantizeTo := func(x []float64, s float64) {
		copy(x, quantizeAll(x, []float64{s}))
	}
	bScale := own(b)
	if g.bIn < 0 {
		s, err := c.Weight("B_scale")
		if err != nil {
			return err
		}
		bScale = s[0]
	}
	if w := c.Layer.Weight("B"); w == nil || w.Storage != ir.StoreI8 {
		if w != nil {
			bScale = own(b)
		}
		quantizeTo(b, bScale)
	}
	var aScales []float64
	if g.aIn < 0 {
		var err error
		if aScales, err = c.Weight("A_scales"); err != nil {
			return err
		}
	}
	stored := c.Layer.Weight("A") != nil && c.Layer.Weight("A").Storage == ir.StoreI8
	for i := range g.m {
		row := a[i*g.k:][:g.k]
		s := own(row)
		if stored {
			s = aScales[i]
		} else {
			quantizeTo(row, s)
		}
		scales[i] = s * bScale
	}
	return nil
}

// matrixIn is input i as a planar matrix [rows, columns].
func (b *Builder) matrixIn(i int) *op.Tensor {
	v := b.In(i, Planar)
	if v.Shape.Dims != 2 {
		return b.View(v.Tensor, fmt.Sprintf("%s/matrix%d", b.Layer.Name, i), []int{v.Shape.C * v.Shape.H, v.Shape.W})
	}
	return v.Tensor
}

func lowerGemm(b *Builder) error {
	l := b.Layer
	p := l.Params
	var in []ir.Shape
	for _, blob := range l.Inputs {
		in = append(in, blob.Shape)
	}
	g, err := gemmOf(l, in)
	if err != nil {
		return err
	}
	y, transposed, done := (*op.Tensor)(nil), false, g.cType < 0 // done: C is in
	if p.Int(18, 0) != 0 {
		if y, transposed, err = g.int8Product(b); err != nil {
			return err
		}
	} else {
		y, transposed, done = g.product(b)
	}
	if !done {
		y = g.addC(b, y, transposed)
	}
	blob := l.Outputs[0]
	if p.Int(14, 0) != 0 {
		transposed = !transposed
	}
	v := Value{Tensor: y, Shape: blob.Shape}
	if transposed { // y is [w,h] of the output
		v.Layout = ChannelsLast
	}
	if blob.Shape.Dims == 3 { // (w,1,h)
		v.Tensor = b.View(y, blob.Name, Dims(blob.Shape, v.Layout))
	}
	b.Set(0, v)
	return nil
}

// product appends alpha*A*B, with C where it fits in as a bias; the result is [n,m]
// where only A is constant.
func (g gemm) product(b *Builder) (y *op.Tensor, transposed, done bool) {
	l := b.Layer
	transA, transB := l.Params.Int(2, 0) != 0, l.Params.Int(3, 0) != 0
	// Rows of A times a constant B is a 1x1 convolution; so is a constant A, with the
	// rows of B's transpose and a transposed result.
	x := op.Panels{}
	transposed = g.bIn >= 0 && g.aIn < 0 // whether y is [n,m]
	rows, k, cols := g.m, g.k, g.n
	bias := g.cType == 4
	name, order := "B", op.ChanTapOut
	source, flip := g.aIn, transA
	if transB {
		order = op.OutChanTap
	}
	if transposed {
		rows, cols = g.n, g.m
		bias = g.cType == 1 || g.cType == 2
		name, order, source, flip = "A", op.OutChanTap, g.bIn, !transB
		if transA {
			order = op.ChanTapOut
		}
	}
	dims := []int{rows, cols}
	y = b.NewTensor(l.Name+"/product", op.F32, dims)
	left := func(index int, flip bool, rows, k int) *op.Tensor {
		var t *op.Tensor
		if index >= 0 {
			t = b.matrixIn(index)
		} else if flip {
			t = b.WeightConst("A", []int{k, rows})
		} else {
			t = b.WeightConst("A", []int{rows, k})
		}
		if flip {
			return b.Transpose(t, fmt.Sprintf("%s/transposed", l.Name), []int{1, 0})
		}
		return t
	}
	done = g.cType < 0
	if g.aIn >= 0 && g.bIn >= 0 {
		aStride, bStride := []int{0, 0, g.k, 1}, []int{0, 0, g.n, 1}
		if transA {
			aStride = []int{0, 0, 1, g.m}
		}
		if transB {
			bStride = []int{0, 0, 1, g.k}
		}
		b.matmulCall([]int{1, 1, g.m, g.n, g.k}, aStride, bStride, []int{0, 0, g.n, 1}, g.alpha, y, b.matrixIn(g.aIn), b.matrixIn(g.bIn))
	} else {
		x = op.Panels{Name: l.Name, N: cols, Taps: 1, Chans: k, Type: op.F32, Weight: l.Weight(name), Order: order, WeightScale: g.alpha}
		if bias && g.cIn < 0 {
			x.Bias, x.BiasScale, done = l.Weight("C"), g.alpha*g.beta, true
		}
		b.Add(&op.Op{Kind: op.Conv, Name: l.Name, In: []*op.Tensor{left(source, flip, rows, k)}, Out: []*op.Tensor{y}, Panels: &x, Conv: &op.ConvAttr{
			InH: 1, InW: rows, InC: k, OutH: 1, OutW: rows, OutC: cols, KH: 1, KW: 1, SH: 1, SW: 1, DH: 1, DW: 1,
		}})
	}
	return y, transposed, done
}

// addC adds alpha*beta*C to the product, which is transposed or not.
func (g gemm) addC(b *Builder, y *op.Tensor, transposed bool) *op.Tensor {
	l := b.Layer
	dims := [][]int{{1, 1}, {g.m, 1}, {g.m, 1}, {g.m, g.n}, {1, g.n}}[g.cType]
	var c *op.Tensor
	if g.cIn < 0 {
		c = b.WeightConst("C", dims)
	} else {
		c = b.View(b.In(g.cIn, Planar).Tensor, l.Name+"/c", dims)
	}
	if transposed {
		c = b.Transpose(c, l.Name+"/c_transposed", []int{1, 0})
	}
	out := b.NewTensor(l.Name+"/sum", op.F32, y.Dims)
	f := float32(g.alpha * g.beta)
	if f == 1 {
		binaryMap(b, binaryOps[0], out, y, c)
		return out
	}
	p, v, s := mapOf("add_scaled_"+digits(f), out, y, c)
	b.Map(p.Return(p.FMA(s, p.F(f), v)), out, y, c)
	return out
}
