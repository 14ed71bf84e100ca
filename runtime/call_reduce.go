package runtime

import "math"

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

// callReduce reduces each row of x [rows,n] to one value. ints: operation rows n;
// floats: a factor of the result. Values join in 16 accumulators, as in the
// reductions of lane programs.
func callReduce(t *thread, s *callStep) {
	operation, rows, n := s.ints[0], s.ints[1], s.ints[2]
	for {
		r := t.claim()
		if r >= rows {
			return
		}
		v := reduceRow(operation, s.in[0].slice(t, r*n, n))
		*s.out[0].linear(t, r) = float32(v * s.floats[0])
	}
}

func reduceRow(operation int, x []float32) float32 {
	var acc lanes
	switch operation {
	case reduceSum, reduceMean, reduceLogSum:
		for i, v := range x {
			acc[i&15] += v
		}
		switch sum := acc.sum(); operation {
		case reduceMean:
			return sum / float32(len(x))
		case reduceLogSum:
			return log32(sum)
		default:
			return sum
		}
	case reduceAbs, reduceL1:
		for i, v := range x {
			acc[i&15] += math.Float32frombits(math.Float32bits(v) &^ (1 << 31))
		}
		return acc.sum()
	case reduceSquares, reduceL2:
		for i, v := range x {
			acc[i&15] += float32(v * v)
		}
		if operation == reduceL2 {
			return sqrt32(acc.sum())
		}
		return acc.sum()
	case reduceMax:
		return largest(x)
	case reduceMin:
		acc.fill(float32(math.Inf(1)))
		for i, v := range x {
			if v < acc[i&15] {
				acc[i&15] = v
			}
		}
		return acc.min()
	case reduceProduct:
		acc.fill(1)
		for i, v := range x {
			acc[i&15] *= v
		}
		return acc.product()
	}
	top := largest(x) // reduceLogSumExp
	for i, v := range x {
		acc[i&15] += exp32(v - top)
	}
	return top + log32(acc.sum())
}
