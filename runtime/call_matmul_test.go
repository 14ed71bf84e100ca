package runtime

import "testing"

func TestCallMatmul(t *testing.T) {
	rounds(t, 40, func(t *testing.T, g *callRig) {
		outer, inner := 1+g.r.Intn(3), 1+g.r.Intn(3)
		m, n, k := 1+g.r.Intn(20), 1+g.r.Intn(70), 1+g.r.Intn(40)
		transA, transB, share := g.r.Intn(2) == 0, g.r.Intn(2) == 0, g.r.Intn(3)
		aStride, bStride := []int{inner * m * k, m * k, k, 1}, []int{inner * n * k, n * k, n, 1}
		aDims, bDims := []int{outer, inner, m, k}, []int{outer, inner, k, n}
		if transA {
			aDims[2], aDims[3], aStride[2], aStride[3] = k, m, 1, m
		}
		if transB {
			bDims[2], bDims[3], bStride[2], bStride[3] = n, k, 1, k
		}
		switch share { // one operand for all batches
		case 0:
			bDims, bStride[0], bStride[1] = bDims[2:], 0, 0
		case 1:
			aDims, aStride[0], aStride[1] = aDims[1:], 0, m*k
		}
		a, b := g.inRandom(aDims...), g.inRandom(bDims...)
		yStride := []int{inner * m * n, m * n, n, 1}
		g.outTensor(outer, inner, m, n)
		ints := append([]int{outer, inner, m, n, k}, aStride...)
		ints = append(append(ints, bStride...), yStride...)
		width, blocks := 1+g.r.Intn(3), 1+g.r.Intn(min(m, 3))
		ints = append(ints, width, blocks)
		g.perThread = 64 + 64*width*(k+1)
		if transA {
			g.perThread += (4*((m+blocks-1)/blocks)*k + 63) &^ 63
		}
		y := g.run(callMatmul, ints, 0.37)[0]
		want, exact := make([]float64, len(y)), make([]float32, len(y))
		for o := range outer {
			for i := range inner {
				for r := range m {
					for c := range n {
						sum, chain := 0.0, float32(0)
						for l := range k {
							x := a[o*aStride[0]+i*aStride[1]+r*aStride[2]+l*aStride[3]]
							w := b[o*bStride[0]+i*bStride[1]+l*bStride[2]+c*bStride[3]]
							sum += float64(x) * float64(w)
							chain = fma32(x, w, chain)
						}
						at := o*yStride[0] + i*yStride[1] + r*yStride[2] + c*yStride[3]
						want[at], exact[at] = sum*0.37, chain*0.37
					}
				}
			}
		}
		near(t, "y", y, want, 1e-6)
		same(t, "y", y, exact)
	})
}
