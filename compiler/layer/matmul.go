package layer

import (
	"fmt"

	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/op"
)

func init() {
	Register(&Def{
		Type: "MatMul", Index: 87, MinIn: 2, MaxIn: 2, MinOut: 1, MaxOut: 1,
		Params: []ParamDef{{0, "transB", Int, "1: the second matrix is stored transposed"}},
		Shape: func(c *ShapeCall) ([]ir.Shape, error) {
			m, err := matmulOf(c.Layer, c.In)
			return one(m.out), err
		},
		Eval: func(c *EvalCall) error {
			m, err := matmulOf(c.Layer, shapes(c.In))
			if err != nil {
				return err
			}
			x, y, z := c.In[0].Data, c.In[1].Data, c.Out[0].Data
			m.each(func(a, b, o int) {
				for k := range m.k {
					z[o] += x[a+k*m.a[3]] * y[b+k*m.b[2]]
				}
			})
			return nil
		},
		Lower: func(b *Builder) error {
			m, err := matmulOf(b.Layer, []ir.Shape{b.Layer.Inputs[0].Shape, b.Layer.Inputs[1].Shape})
			if err != nil {
				return err
			}
			b.matmulCall([]int{m.outer, m.inner, m.m, m.n, m.k}, m.a[:], m.b[:], m.y[:], 1,
				b.Output(0, Planar), b.In(0, Planar).Tensor, b.In(1, Planar).Tensor)
			return nil
		},
	})
}

// matmul is a product of batches of matrices, with element strides: a over
// outer, inner, m, k; b over outer, inner, k, n; y over outer, inner, m, n.
type matmul struct {
	outer, inner, m, n, k int
	a, b, y               [4]int
	out                   ir.Shape
}

// each visits the results with the first elements of their row and column.
func (m matmul) each(f func(a, b, o int)) {
	for p := range m.outer {
		for q := range m.inner {
			for i := range m.m {
				for j := range m.n {
					f(p*m.a[0]+q*m.a[1]+i*m.a[2], p*m.b[0]+q*m.b[1]+j*m.b[3], p*m.y[0]+q*m.y[1]+i*m.y[2]+j*m.y[3])
				}
			}
		}
	}
}

// matmulOf reads shapes as ncnn does: rank 1 is a row on the left and a column
// on the right, rank 3 and 4 are batches over c, or over c and d.
func matmulOf(l *ir.Layer, in []ir.Shape) (m matmul, err error) {
	a, b := in[0], in[1]
	vectorA, vectorB := a.Dims == 1, b.Dims == 1
	rank := max(a.Dims, b.Dims, 2)
	if (a.Dims == 2 || b.Dims == 2) && rank == 4 && !vectorA && !vectorB {
		return m, fmt.Errorf("product of %v and %v", a, b)
	}
	transB := l.Params.Int(0, 0) != 0
	if vectorA {
		a = ir.Shape2(a.W, 1)
	}
	if vectorB { // one column: stored as one row of the transpose
		b, transB = ir.Shape2(b.W, 1), true
	}
	// Batch axes: rank 3 has c, rank 4 has c outside d. A rank 3 operand beside one
	// of rank 4 gives its c to d.
	batch := func(s ir.Shape) (outer, inner int) {
		switch {
		case s.Dims == 3 && rank == 4:
			return 1, s.C
		case s.Dims == 3:
			return 1, s.C
		case s.Dims == 4:
			return s.C, s.D
		}
		return 1, 1
	}
	m.m, m.k, m.n = a.H, a.W, b.W
	kb := b.H
	if transB {
		m.n, kb = b.H, b.W
	}
	if kb != m.k {
		return m, fmt.Errorf("product of %v and %v: %d columns meet %d rows", in[0], in[1], m.k, kb)
	}
	ao, ai := batch(a)
	bo, bi := batch(b)
	m.outer, m.inner = max(ao, bo), max(ai, bi)
	for _, n := range [][2]int{{ao, m.outer}, {bo, m.outer}, {ai, m.inner}, {bi, m.inner}} {
		if n[0] != 1 && n[0] != n[1] {
			return m, fmt.Errorf("product of %v and %v: batches differ", in[0], in[1])
		}
	}
	stride := func(n, size int) int {
		if n == 1 {
			return 0
		}
		return size
	}
	m.a = [4]int{stride(ao, ai*m.m*m.k), stride(ai, m.m*m.k), m.k, 1}
	m.b = [4]int{stride(bo, bi*m.n*m.k), stride(bi, m.n*m.k), m.n, 1}
	if transB {
		m.b[2], m.b[3] = 1, m.k
	}
	m.y = [4]int{m.inner * m.m * m.n, m.m * m.n, m.n, 1}
	axes := []int{m.m, m.n}
	if vectorA && vectorB {
		axes = []int{1}
	} else if vectorA {
		axes = []int{m.n}
	} else if vectorB {
		axes = []int{m.m}
	}
	if rank >= 3 {
		axes = append([]int{m.inner}, axes...)
	}
	if rank == 4 {
		axes = append([]int{m.outer}, axes...)
	}
	m.out = ir.FromAxes(axes)
	return m, nil
}

// matmulCall appends a batched product of two tensors of activations; sizes are
// outer, inner, m, n, k.
func (b *Builder) matmulCall(sizes, aStride, bStride, yStride []int, factor float64, y, x, w *op.Tensor) *op.Op {
	ints := append([]int{}, sizes...)
	for _, s := range [][]int{aStride, bStride, yStride} {
		ints = append(ints, s...)
	}
	// Where a's rows are columns of its tensor, of which there may be but one, its
	// terms lie a row apart.
	dense := aStride[3] == 1 && (aStride[2] != 1 || sizes[4] == 1)
	width, blocks, scratch, products := matmulTiles(sizes[0]*sizes[1], sizes[2], sizes[3], sizes[4], dense)
	o := b.Call("matmul", append(ints, width, blocks), []float32{float32(factor)}, []*op.Tensor{y}, x, w)
	o.ThreadScratch = scratch
	o.Call.Products = products
	return o
}

// productTable is the bytes at the start of a thread's scratch that products with the
// convolution kernels need for themselves.
const productTable = 64

// matmulTiles says how the kernel cuts a product of m rows and n columns: how many
// panels of columns it packs at a time, and into how many blocks it cuts rows. That
// follows from shapes alone, as does the bytes of scratch per thread.
func matmulTiles(batches, m, n, k int, dense bool) (width, blocks, scratch int, products []op.Product) {
	const (
		panel  = 4 * op.PanelWidth
		packed = 128 << 10 // bytes of panels, and of rows, that stay in a core's L2
		units  = 8         // at least, for as many threads
		least  = 16        // rows of a block that are worth packing panels for
	)
	panels := (n + op.PanelWidth - 1) / op.PanelWidth
	width = min(panels, max(1, packed/(panel*(k+1))))
	for width > 3 && batches*((panels+width-1)/width) < units {
		width--
	}
	cuts := (panels + width - 1) / width
	blocks = 1
	if !dense {
		blocks = (m + max(8, packed/(4*k)) - 1) / max(8, packed/(4*k))
	}
	if batches*cuts*blocks < units {
		blocks = max(blocks, min((units+batches*cuts-1)/(batches*cuts), m/least))
	}
	blocks = max(1, min(blocks, m))
	rows := (m + blocks - 1) / blocks
	scratch = productTable + panel*width*(k+1)
	if !dense {
		scratch += (4*rows*k + 63) &^ 63
	}
	for _, r := range []int{m / blocks, rows} {
		for _, p := range []int{panels / cuts, (panels + cuts - 1) / cuts} {
			products = append(products, op.Product{Rows: r, Panels: p, Last: n - (panels-1)*op.PanelWidth})
		}
	}
	return width, blocks, scratch, products
}
