package runtime

import (
	"math"
	"testing"
	"unsafe"
)

func TestCallAttention(t *testing.T) {
	rounds(t, 40, func(t *testing.T, g *callRig) {
		groups, perGroup := 1+g.r.Intn(3), 1+g.r.Intn(3)
		heads := groups * perGroup
		rows, keys, width, vWidth := 1+g.r.Intn(20), 1+g.r.Intn(70), 1+g.r.Intn(20), 1+g.r.Intn(40)
		most, keyPanels, valuePanels := 1+g.r.Intn(rows), 1+g.r.Intn(3), 1+g.r.Intn(3)
		byHeads := 0
		var q, k, v []float32
		var qs, ks, vs, ys []int
		if sides := g.r.Intn(2) == 0; sides { // heads side by side in each row
			g.rank = 2
			q = g.inRandom(rows, heads*width)
			g.rank = 0
			k, v = g.inRandom(keys, groups*width), g.inRandom(keys, groups*vWidth)
			g.rank = 2
			qs, ks, vs, ys = []int{width, heads * width}, []int{width, groups * width}, []int{vWidth, groups * vWidth}, []int{vWidth, heads * vWidth}
			g.outTensor(rows, heads*vWidth)
			g.rank = 0
		} else {
			byHeads, g.rank = 1, 3
			q = g.inRandom(heads, rows, width)
			g.rank = 0
			k, v = g.inRandom(groups, keys, width), g.inRandom(groups, keys, vWidth)
			g.rank = 3
			qs, ks, vs, ys = []int{rows * width, width}, []int{keys * width, width}, []int{keys * vWidth, vWidth}, []int{rows * vWidth, vWidth}
			g.outTensor(heads, rows, vWidth)
			g.rank = 0
		}
		var mask []float32
		ms := []int{0, 0}
		switch g.r.Intn(3) {
		case 0:
			mask, ms = g.inRandom(rows, keys), []int{0, keys}
		case 1:
			mask, ms = g.inRandom(heads, rows, keys), []int{rows * keys, keys}
		}
		ints := []int{heads, perGroup, rows, keys, width, vWidth, qs[0], qs[1], ks[0], ks[1], vs[0], vs[1], ys[0], ys[1], ms[0], ms[1], most, keyPanels, valuePanels, 0, byHeads, 0}
		work := 64*max(keyPanels*(width+1), valuePanels*(keys+1)) + most*((4*keys+63)&^63)
		if g.r.Intn(2) == 0 { // a head's panels are kept
			keyPanels, valuePanels = (keys+15)/16, (vWidth+15)/16
			ints[17], ints[18], ints[21] = keyPanels, valuePanels, 64*keyPanels*(width+1)
			work = ints[21] + 64*valuePanels*(keys+1) + most*((4*keys+63)&^63)
		}
		ints[19] = work
		g.perThread, g.scratch, g.rank = 64, 3*work, 2+byHeads
		g.step.passes = attentionPasses(0.7, mask != nil)
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

// attentionPasses are the passes of an attention in plain Go.
func attentionPasses(scale float32, masked bool) []rowPass {
	row := func(p unsafe.Pointer, n int) []float32 { return unsafe.Slice((*float32)(p), n) }
	scores := func(a *mapArgs) {
		x := row(a.out, a.n)
		for i := range x {
			x[i] *= scale
			if masked {
				x[i] += f32(a.in[1], i)
			}
		}
	}
	softmax := func(a *mapArgs) {
		x, top, sum := row(a.out, a.n), float32(math.Inf(-1)), float32(0)
		for _, v := range x {
			top = max(top, v)
		}
		for i, v := range x {
			x[i] = exp32(v - top)
			sum += x[i]
		}
		for i := range x {
			x[i] /= sum
		}
	}
	passes := []rowPass{{kernel: &scores, in: []rowSource{{kind: rowOutput}}, to: -1}, {kernel: &softmax, in: []rowSource{{kind: rowOutput}}, to: -1}}
	if masked {
		passes[0].in = append(passes[0].in, rowSource{kind: rowInput, index: 1})
	}
	return passes
}

func TestUntil(t *testing.T) {
	whole, ring := callTensor{dims: [4]int{1, 1, 9, 5}}, callTensor{dims: [4]int{1, 1, 9, 5}, ring: 4, first: 3, axis: 2}
	if got := whole.until(2, 9); got != 9 {
		t.Errorf("rows that are all there are cut at %d", got)
	}
	for y, want := range []int{1, 5, 5, 5, 5, 9, 9} { // row 1 is at the start of the ring
		if got := ring.until(y, 9); got != want {
			t.Errorf("from row %d to %d, not %d", y, got, want)
		}
	}
	if got := ring.until(2, 4); got != 4 {
		t.Errorf("to %d, beyond the end", got)
	}
}
