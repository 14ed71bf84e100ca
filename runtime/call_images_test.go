package runtime

import (
	"math"
	"testing"
	"unsafe"
)

func TestCallPad(t *testing.T) {
	rounds(t, 60, func(t *testing.T, g *callRig) {
		mode, axis := g.r.Intn(3), -1
		in, before, after, dims := make([]int, 4), make([]int, 4), make([]int, 4), make([]int, 4)
		n := 1
		g.rank = 2 + g.r.Intn(3)
		for i := range in {
			in[i], before[i], after[i] = 1+g.r.Intn(5), g.r.Intn(4), g.r.Intn(4)
			if mode == 2 {
				before[i], after[i] = min(before[i], in[i]-1), min(after[i], in[i]-1)
			}
			if i < 4-g.rank {
				in[i], before[i], after[i] = 1, 0, 0
			}
			dims[i] = before[i] + in[i] + after[i]
			n *= dims[i]
		}
		x := g.inRandom(in[4-g.rank:]...)
		var values []float32
		if mode == 0 && g.r.Intn(2) == 0 {
			axis = 4 - g.rank + g.r.Intn(g.rank)
			values = g.inRandom(dims[axis])
		}
		g.outTensor(dims[4-g.rank:]...)
		ints := append(append(append(append([]int{mode}, in...), before...), after...), axis)
		y := g.run(callPad, ints, 0.25)[0]
		want := make([]float32, n)
		for k := range want {
			at, inside, rest := 0, true, k
			var index [4]int
			for i := 3; i >= 0; i-- {
				index[i], rest = rest%dims[i], rest/dims[i]
			}
			for i, c := range index {
				c -= before[i]
				switch {
				case c >= 0 && c < in[i]:
				case mode == 1:
					c = min(max(c, 0), in[i]-1)
				case mode == 2 && c < 0:
					c = -c
				case mode == 2:
					c = 2*(in[i]-1) - c
				default:
					inside = false
				}
				at = at*in[i] + c
			}
			switch {
			case inside:
				want[k] = x[at]
			case axis >= 0:
				want[k] = values[index[axis]]
			default:
				want[k] = 0.25
			}
		}
		same(t, "y", y, want)
	})
}

func TestCallResize(t *testing.T) {
	rounds(t, 40, func(t *testing.T, g *callRig) {
		inH, inW, channels, outH, outW := 1+g.r.Intn(6), 1+g.r.Intn(6), 1+g.r.Intn(20), 1+g.r.Intn(9), 1+g.r.Intn(9)
		rt, ct := []int{1, 2, 4}[g.r.Intn(3)], []int{1, 2, 4}[g.r.Intn(3)]
		g.rank = 3
		if g.r.Intn(4) == 0 { // a matrix
			g.rank, channels = 2, 1
		}
		x := g.inRandom([]int{inH, inW, channels}[:g.rank]...)
		indices := func(n, limit int) []int {
			v := make([]int, n)
			for i := range v {
				v[i] = g.r.Intn(limit)
			}
			return g.inWords(v, n)
		}
		neighbours := make([]int, outH*rt) // rows that are neighbours, or the same
		for i := range neighbours {
			neighbours[i] = min(i/rt*inH/outH+i%rt, inH-1)
		}
		rows := g.inWords(neighbours, len(neighbours))
		rowWeights := g.inRandom(outH * rt)
		columns := indices(outW*ct, inW)
		columnWeights := g.inRandom(outW * ct)
		g.outTensor([]int{outH, outW, channels}[:g.rank]...)
		piece := 1 + g.r.Intn(outW+1)
		g.perThread = 0
		if rt == 1 { // the chain over columns alone
			for i := range rowWeights {
				rowWeights[i] = 1
			}
		} else {
			g.perThread = rt * ((4*channels*piece + 63) &^ 63)
		}
		// The passes in plain Go.
		chain := func(n int) rowPass {
			kernel := func(a *mapArgs) {
				for i := range a.rows * a.n {
					row, i := i/a.n, i%a.n
					in := func(k int) unsafe.Pointer { return unsafe.Add(a.in[k], row*a.inStep[k]) }
					sum := f32(in(0), i) * f32(in(n), 0)
					for k := 1; k < n; k++ {
						sum = fma32(f32(in(k), i), f32(in(n+k), 0), sum)
					}
					putf32(unsafe.Add(a.out, row*a.outStep), i, sum)
				}
			}
			return rowPass{kernel: &kernel}
		}
		g.step.passes = []rowPass{chain(rt)}
		y := g.run(callResize, []int{inH, inW, channels, outH, outW, rt, ct, piece})[0]
		want, exact := make([]float64, len(y)), make([]float32, len(y))
		for k := range want {
			c, w, r := k%channels, k/channels%outW, k/channels/outW
			for i := range rt {
				row := float32(0)
				for j := range ct {
					v, f := x[(rows[r*rt+i]*inW+columns[w*ct+j])*channels+c], columnWeights[w*ct+j]
					want[k] += float64(v) * float64(f) * float64(rowWeights[r*rt+i])
					if j == 0 {
						row = v * f
					} else {
						row = fma32(v, f, row)
					}
				}
				if i == 0 {
					exact[k] = row * rowWeights[r*rt]
				} else {
					exact[k] = fma32(row, rowWeights[r*rt+i], exact[k])
				}
			}
		}
		near(t, "y", y, want, 3e-6)
		for i := range y {
			if math.Float32bits(y[i]) != math.Float32bits(exact[i]) {
				t.Fatalf("element %d is %g, the chain is %g", i, y[i], exact[i])
			}
		}
	})
}
