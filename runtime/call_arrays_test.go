package runtime

import (
	"math"
	"math/rand"
	"slices"
	"sort"
	"testing"
)

// randomDims is a rank 4 array's dims, some of them one.
func randomDims(r *rand.Rand) []int {
	d := make([]int, 4)
	for i := range d {
		d[i] = 1 + r.Intn([]int{1, 4, 9}[r.Intn(3)])
	}
	return d
}

// visit calls f with every index, in row-major order.
func visit(dims []int, f func(n int, index []int)) {
	index := make([]int, len(dims))
	total := 1
	for _, d := range dims {
		total *= d
	}
	for n := range total {
		f(n, index)
		for i := len(dims) - 1; i >= 0; i-- {
			if index[i]++; index[i] < dims[i] {
				break
			}
			index[i] = 0
		}
	}
}

// number is the row-major number of an index.
func number(dims, index []int) int {
	n := 0
	for i, d := range dims {
		n = n*d + index[i]
	}
	return n
}

func TestCallReduce(t *testing.T) {
	rounds(t, 66, func(t *testing.T, g *callRig) {
		operation, rows, n := g.r.Intn(11), 1+g.r.Intn(6), 1+g.r.Intn(60)
		dims := []int{rows, n}
		if g.r.Intn(2) == 0 { // the channels of an image
			dims = []int{rows, 1 + g.r.Intn(4), n}
			g.rank, rows = 3, rows*dims[1]
		}
		x := g.inRandom(dims...)
		if operation == reduceLogSum {
			for i, at := range g.r.Perm(len(x)) {
				x[i] = float32(at + 1)
			}
			rank := g.rank
			g = newCallRig(t, int64(n))
			g.rank = rank
			g.in(x, dims...)
		}
		g.outTensor(append(slices.Clone(dims[:len(dims)-1]), 1)...)
		// The passes in plain Go.
		pass := func(start float32, join func(acc, v, top float32) float32) {
			kernel := func(a *mapArgs) {
				var top float32
				if len(g.step.passes) == 2 && start == 0 {
					top = f32(a.in[1], 0)
				}
				a.result = start
				for i := range a.n {
					a.result = join(a.result, f32(a.in[0], i), top)
				}
			}
			g.step.passes = append(g.step.passes, rowPass{kernel: &kernel})
		}
		infinite := float32(math.Inf(1))
		switch operation {
		case reduceSum, reduceMean, reduceLogSum:
			pass(0, func(acc, v, _ float32) float32 { return acc + v })
		case reduceAbs, reduceL1:
			pass(0, func(acc, v, _ float32) float32 { return acc + max(v, -v) })
		case reduceSquares, reduceL2:
			pass(0, func(acc, v, _ float32) float32 { return fma32(v, v, acc) })
		case reduceMin:
			pass(infinite, func(acc, v, _ float32) float32 { return min(acc, v) })
		case reduceMax, reduceLogSumExp:
			pass(-infinite, func(acc, v, _ float32) float32 { return max(acc, v) })
		}
		if operation == reduceLogSumExp {
			pass(0, func(acc, v, top float32) float32 { return acc + exp32(v-top) })
		}
		y := g.run(callReduce, []int{operation, rows, n}, -1.5)[0]
		want := make([]float64, rows)
		for r := range want {
			row := widen(x[r*n:][:n])
			sum, abs, squares, product, exps := 0.0, 0.0, 0.0, 1.0, 0.0
			for _, v := range row {
				sum, abs, squares, product, exps = sum+v, abs+math.Abs(v), squares+v*v, product*v, exps+math.Exp(v)
			}
			want[r] = -1.5 * []float64{sum, abs, squares, sum / float64(n), slices.Max(row), slices.Min(row), product, abs,
				math.Sqrt(squares), math.Log(sum), math.Log(exps)}[operation]
		}
		near(t, "y", y, want, 3e-5)
	})
}

// TestCallUnfold and TestCallFold go over the windows: a column holds what lies
// under its tap, and folding adds it up where it came from.
func TestCallUnfold(t *testing.T) {
	rounds(t, 40, func(t *testing.T, g *callRig) {
		n := g.windows()
		x := g.inRandom(n[0], n[1], n[2])
		g.outTensor(n[0]*n[5]*n[6], n[3]*n[4])
		y := g.run(callUnfold, n, 7)[0]
		want := make([]float32, len(y))
		eachCell(n, func(column, image int) {
			if want[column] = 7; image >= 0 {
				want[column] = x[image]
			}
		})
		same(t, "y", y, want)
	})
}

func TestCallFold(t *testing.T) {
	rounds(t, 40, func(t *testing.T, g *callRig) {
		n := g.windows()
		taps, places := n[5]*n[6], n[3]*n[4]
		x := g.inRandom(n[0]*taps, places)
		g.outTensor(n[0], n[1], n[2])
		y := g.run(callFold, append(n, taps*places, places, 1, n[1]*n[2], n[2], 1))[0]
		want := make([]float64, len(y))
		eachCell(n, func(column, image int) {
			if image >= 0 {
				want[image] += float64(x[column])
			}
		})
		near(t, "y", y, want, 1e-6)
	})
}

// windows draws the numbers of unfold.
func (g *callRig) windows() []int {
	for {
		h, w, kh, kw := 1+g.r.Intn(7), 1+g.r.Intn(7), 1+g.r.Intn(3), 1+g.r.Intn(3)
		sh, sw, dh, dw, pt, pl := 1+g.r.Intn(3), 1+g.r.Intn(3), 1+g.r.Intn(2), 1+g.r.Intn(2), g.r.Intn(3), g.r.Intn(3)
		oh, ow := h+2*pt-dh*(kh-1)-1, w+2*pl-dw*(kw-1)-1
		if oh >= 0 && ow >= 0 {
			return []int{1 + g.r.Intn(3), h, w, oh/sh + 1, ow/sw + 1, kh, kw, sh, sw, dh, dw, pt, pl}
		}
	}
}

// eachCell visits the elements of the columns with the image's element under each,
// -1 outside.
func eachCell(n []int, f func(column, image int)) {
	column := 0
	visit([]int{n[0], n[5], n[6], n[3], n[4]}, func(_ int, i []int) {
		y, x := i[3]*n[7]+i[1]*n[9]-n[11], i[4]*n[8]+i[2]*n[10]-n[12]
		image := -1
		if y >= 0 && x >= 0 && y < n[1] && x < n[2] {
			image = (i[0]*n[1]+y)*n[2] + x
		}
		f(column, image)
		column++
	})
}

func TestCallDiagonal(t *testing.T) {
	rounds(t, 20, func(t *testing.T, g *callRig) {
		n, row, column := 1+g.r.Intn(6), g.r.Intn(3), g.r.Intn(3)
		h, w := row+n+g.r.Intn(2), column+n
		x := g.inRandom(h, w)
		g.outTensor(n)
		y := g.run(callDiagonal, []int{row, column, 0})[0]
		want := make([]float32, n)
		for i := range want {
			want[i] = x[(row+i)*w+column+i]
		}
		same(t, "diagonal", y, want)
		g = newCallRig(t, int64(n))
		x = g.inRandom(n)
		g.outTensor(h, w)
		y = g.run(callDiagonal, []int{row, column, 1})[0]
		want = make([]float32, h*w)
		for i, v := range x {
			want[(row+i)*w+column+i] = v
		}
		same(t, "matrix", y, want)
	})
}

func TestCallArgmax(t *testing.T) {
	rounds(t, 20, func(t *testing.T, g *callRig) {
		n := 1 + g.r.Intn(40)
		k, values := 1+g.r.Intn(n), g.r.Intn(2)
		x := g.random(n)
		if n > 4 {
			x[0], x[1], x[2] = 0, float32(math.Copysign(0, -1)), float32(math.Inf(1))
		}
		g.in(x, n)
		g.outTensor(1+values, k)
		y := g.run(callArgmax, []int{n, k, values})[0]
		order := make([]int, n)
		for i := range order {
			order[i] = i
		}
		sort.Slice(order, func(i, j int) bool {
			a, b := order[i], order[j]
			return x[a] > x[b] || x[a] == x[b] && a > b
		})
		var want []float32
		for _, at := range order[:k*values] {
			want = append(want, x[at])
		}
		for _, at := range order[:k] {
			want = append(want, float32(at))
		}
		same(t, "y", y, want)
	})
}

func TestCallFlip(t *testing.T) {
	rounds(t, 20, func(t *testing.T, g *callRig) {
		d, flags := randomDims(g.r), g.r.Perm(4)
		for i := range flags {
			flags[i] &= 1
		}
		x := g.inRandom(d...)
		g.outTensor(d...)
		y := g.run(callFlip, append(slices.Clone(d), flags...))[0]
		want := make([]float32, len(x))
		visit(d, func(n int, index []int) {
			from := slices.Clone(index)
			for i := range from {
				if flags[i] != 0 {
					from[i] = d[i] - 1 - from[i]
				}
			}
			want[n] = x[number(d, from)]
		})
		same(t, "y", y, want)
	})
}

func TestCallCumulativeSum(t *testing.T) {
	rounds(t, 30, func(t *testing.T, g *callRig) {
		d, axis := randomDims(g.r), g.r.Intn(4)
		outer, inner := 1, 1
		for i, n := range d {
			if i < axis {
				outer *= n
			} else if i > axis {
				inner *= n
			}
		}
		x := g.inRandom(d...)
		g.outTensor(d...)
		y := g.run(callCumulativeSum, []int{outer, d[axis], inner})[0]
		want := slices.Clone(x)
		visit(d, func(n int, index []int) {
			if index[axis] > 0 {
				want[n] += want[n-inner]
			}
		})
		same(t, "y", y, want)
	})
}

func TestCallInsert(t *testing.T) {
	rounds(t, 20, func(t *testing.T, g *callRig) {
		d := randomDims(g.r)
		part, first := make([]int, 4), make([]int, 4)
		for i, n := range d {
			part[i] = 1 + g.r.Intn(n)
			first[i] = g.r.Intn(n - part[i] + 1)
		}
		x, p := g.inRandom(d...), g.inRandom(part...)
		g.outTensor(d...)
		y := g.run(callInsert, slices.Concat(d, part, first))[0]
		want := slices.Clone(x)
		visit(part, func(n int, index []int) {
			to := slices.Clone(index)
			for i := range to {
				to[i] += first[i]
			}
			want[number(d, to)] = p[n]
		})
		same(t, "y", y, want)
	})
}

func TestCallEinsum(t *testing.T) {
	for n, e := range []struct {
		out string
		in  []string
	}{
		{"ij", []string{"ik", "kj"}}, {"ij", []string{"ik", "jk"}}, {"ijk", []string{"ijl", "ilk"}}, {"ij", []string{"kj", "ik"}},
		{"", []string{"ii"}}, {"i", []string{"ij"}}, {"ijkl", []string{"ijm", "klm"}}, {"ij", []string{"ij", "j", "kij"}},
		{"ij", []string{"ikl", "jlk"}}, {"ijkl", []string{"ijml", "mk"}}, {"i", []string{"i", "i"}}, {"ij", []string{"i", "j"}},
		{"ijk", []string{"kij"}}, {"ij", []string{"iik", "kkj"}},
	} {
		rounds(t, 4, func(t *testing.T, g *callRig) {
			g.r.Seed(int64(n) + g.r.Int63())
			letters := len(e.out)
			for _, s := range e.in {
				for _, c := range s {
					letters = max(letters, int(c-'i')+1)
				}
			}
			ints := []int{letters, len(e.out)}
			for range letters {
				ints = append(ints, 1+g.r.Intn(7))
			}
			size := slices.Clone(ints[2:])
			x, strides := make([][]float32, len(e.in)), make([][]int, len(e.in))
			for i, s := range e.in {
				var dims []int
				for _, c := range s {
					dims = append(dims, size[c-'i'])
				}
				stride, run := make([]int, letters), 1
				for j := len(s) - 1; j >= 0; j-- {
					stride[s[j]-'i'] += run
					run *= dims[j]
				}
				strides[i], ints = stride, append(ints, stride...)
				x[i] = g.inRandom(dims...)
			}
			out := size[:len(e.out)]
			if len(out) == 0 {
				out = []int{1}
			}
			g.outTensor(out...)
			y := g.run(callEinsum, ints)[0]
			want, exact := make([]float64, len(y)), make([]float32, len(y))
			visit(size, func(_ int, index []int) {
				to, product, factor := number(size[:len(e.out)], index), 1.0, float32(1)
				for i := range x {
					at := 0
					for l, n := range index {
						at += n * strides[i][l]
					}
					product *= float64(x[i][at])
					if i < len(x)-1 {
						factor *= x[i][at]
					} else {
						exact[to] = fma32(factor, x[i][at], exact[to])
					}
				}
				want[to] += product
			})
			near(t, "y", y, want, 1e-5)
			same(t, "y", y, exact)
		})
	}
}
