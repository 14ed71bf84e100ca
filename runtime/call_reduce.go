package runtime

import "unsafe"

// Operations of callReduce, by ncnn's numbers.
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
)

// reduceTile is the elements that one claim covers, about.
const reduceTile = 4096

// callReduce reduces each row of x [rows,n], or [h,w,n], to one value. ints: operation
// rows n; floats: a factor of the result. Values join in 16 accumulators, by the passes;
// a product has none. It makes ranges of the rows of an image.
func callReduce(t *thread, s *callStep) {
	operation, n, x, y := s.ints[0], s.ints[2], &s.in[0], &s.out[0]
	w := x.dims[2]
	lo, hi := 0, x.dims[1]
	if s.rows == 1 {
		lo, hi = t.rowRange(hi)
	}
	block := max(1, reduceTile/n)
	for {
		u := t.claim() * block
		if u >= (hi-lo)*w {
			return
		}
		for r := u; r < min(u+block, (hi-lo)*w); r++ {
			v := t.reduceRow(s.passes, operation, x.row(t, 0, lo+r/w, r%w), n)
			put32(y.row(t, 0, lo+r/w, r%w), 0, float32(v*s.floats[0]))
		}
	}
}

// reduceRow reduces n elements.
func (t *thread) reduceRow(passes []rowPass, operation int, x unsafe.Pointer, n int) float32 {
	if operation == reduceProduct {
		return productOf(x, n)
	}
	a := &t.maps
	a.n, a.rows, a.in[0] = n, 1, x
	(*passes[0].kernel)(a)
	switch v := a.result; operation {
	case reduceMean:
		return v / float32(n)
	case reduceL2:
		return sqrt32(v)
	case reduceLogSum:
		return log32(v)
	case reduceLogSumExp:
		t.side.registers[0][0] = v
		a.in[1] = unsafe.Pointer(&t.side.registers[0][0])
		(*passes[1].kernel)(a)
		return v + log32(a.result)
	default:
		return v
	}
}

// productOf is the product of n elements; they join in 16 accumulators, element i in number i mod
// 16, and these as accumulators j and j+8, j+4, j+2, j+1.
func productOf(x unsafe.Pointer, n int) float32 {
	var acc [16]float32
	for j := range acc {
		acc[j] = 1
	}
	for i := range n {
		acc[i&15] *= f32(x, i)
	}
	for d := 8; d > 0; d /= 2 {
		for j := range d {
			acc[j] = acc[j+d] * acc[j]
		}
	}
	return acc[0]
}
