package runtime

import (
	"math"
	"testing"
	"unsafe"

	"github.com/flexnnc/flexnnc/ir/lane"
)

func TestCallAttention(t *testing.T) {
	rounds(t, 40, func(t *testing.T, g *callRig) {
		groups, perGroup := 1+g.r.Intn(3), 1+g.r.Intn(3)
		heads := groups * perGroup
		rows, keys, width, vWidth := 1+g.r.Intn(6), 1+g.r.Intn(40), 1+g.r.Intn(20), 1+g.r.Intn(20)
		var q, k, v []float32
		var qs, ks, vs, ys []int
		if sides := g.r.Intn(2) == 0; sides { // heads side by side in each row
			q, k, v = g.inRandom(rows, heads*width), g.inRandom(keys, groups*width), g.inRandom(keys, groups*vWidth)
			qs, ks, vs, ys = []int{width, heads * width}, []int{width, groups * width}, []int{vWidth, groups * vWidth}, []int{vWidth, heads * vWidth}
			g.outTensor(rows, heads*vWidth)
		} else {
			q, k, v = g.inRandom(heads, rows, width), g.inRandom(groups, keys, width), g.inRandom(groups, keys, vWidth)
			qs, ks, vs, ys = []int{rows * width, width}, []int{keys * width, width}, []int{keys * vWidth, vWidth}, []int{rows * vWidth, vWidth}
			g.outTensor(heads, rows, vWidth)
		}
		var mask []float32
		ms := []int{0, 0}
		switch g.r.Intn(3) {
		case 0:
			mask, ms = g.inRandom(rows, keys), []int{0, keys}
		case 1:
			mask, ms = g.inRandom(heads, rows, keys), []int{rows * keys, keys}
		}
		ints := []int{heads, perGroup, rows, keys, width, vWidth, qs[0], qs[1], ks[0], ks[1], vs[0], vs[1], ys[0], ys[1], ms[0], ms[1]}
		g.perThread = 4 * keys
		y := g.run(callAttention, ints, 0.7)[0]
		want := make([]float64, len(y))
		for h := range heads {
			for i := range rows {
				s, sum := make([]float64, keys), 0.0
				for j := range s {
					for l := range width {
						s[j] += float64(q[h*qs[0]+i*qs[1]+l]) * float64(k[h/perGroup*ks[0]+j*ks[1]+l])
					}
					s[j] *= 0.7
					if mask != nil {
						s[j] += float64(mask[h*ms[0]+i*ms[1]+j])
					}
					s[j] = math.Exp(s[j])
					sum += s[j]
				}
				for n := range vWidth {
					for j := range s {
						want[h*ys[0]+i*ys[1]+n] += s[j] / sum * float64(v[h/perGroup*vs[0]+j*vs[1]+n])
					}
				}
			}
		}
		near(t, "y", y, want, 3e-6)
	})
}

// TestSoftmaxRow compares with the lane programs of a Softmax layer, in bits.
func TestSoftmaxRow(t *testing.T) {
	rounds(t, 50, func(t *testing.T, g *callRig) {
		n := 1 + g.r.Intn(50)
		x := g.random(n)
		for i := range x {
			x[i] *= 30
		}
		eval := func(b *lane.Builder, r lane.Reg, how lane.Reduction, in ...[]float32) ([]float32, float32) {
			p := b.ReturnReduced(r, how, how == lane.ReduceSum)
			y := make([]float32, n)
			v, err := p.Eval(n, in, y)
			if err != nil {
				t.Fatal(err)
			}
			return y, v
		}
		b := lane.New("top")
		_, top := eval(b, b.Vec(), lane.ReduceMax, x)
		b = lane.New("e")
		d := b.Sub(b.Vec(), b.Splat())
		want, sum := eval(b, b.Exp(d), lane.ReduceSum, x, []float32{top})
		b = lane.New("q")
		q := b.Div(b.Vec(), b.Splat())
		want, _ = eval(b, q, lane.Store, want, []float32{sum})
		g.in(x, n)
		c := &g.step.in[0]
		th := &thread{arena: unsafe.Pointer(&g.arena[0])}
		softmaxRow(c.start(th, 0), n)
		for i := range want {
			if got := *c.linear(th, i); math.Float32bits(got) != math.Float32bits(want[i]) {
				t.Fatalf("element %d of %d is %g, want %g", i, n, got, want[i])
			}
		}
	})
}
