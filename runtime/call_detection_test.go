package runtime

import (
	"math"
	"sort"
	"testing"
	"unsafe"
)

// foundBox is a detection in float64.
type foundBox struct {
	label int
	score float64
	box   [4]float64
}

// greedy suppresses by the definition: the best box is kept, and those that share
// more than the threshold of the union with it go.
func greedy(all []foundBox, threshold float64) (kept []foundBox) {
	all = append([]foundBox{}, all...)
	sort.SliceStable(all, func(i, j int) bool { return all[i].score > all[j].score })
	area := func(b [4]float64) float64 { return math.Max(b[2]-b[0], 0) * math.Max(b[3]-b[1], 0) }
	for len(all) > 0 {
		top := all[0]
		kept = append(kept, top)
		var rest []foundBox
		for _, c := range all[1:] {
			both := area([4]float64{
				math.Max(c.box[0], top.box[0]), math.Max(c.box[1], top.box[1]), math.Min(c.box[2], top.box[2]), math.Min(c.box[3], top.box[3]),
			})
			if both <= threshold*(area(c.box)+area(top.box)-both) {
				rest = append(rest, c)
			}
		}
		all = rest
	}
	return kept
}

// compareRows checks rows of label, score, corners against the boxes, that the
// rows behind them are zero, and their number.
func compareRows(t *testing.T, out [][]float32, want []foundBox) {
	t.Helper()
	rows, n := out[0], int(int32(math.Float32bits(out[len(out)-1][0])))
	if n != len(want) {
		t.Fatalf("found %d boxes, want %d", n, len(want))
	}
	var exact []float64
	for _, b := range want {
		exact = append(exact, float64(b.label), b.score, b.box[0], b.box[1], b.box[2], b.box[3])
	}
	for i, v := range rows[6*n:] {
		if v != 0 {
			t.Fatalf("element %d behind %d rows is %g", i, n, v)
		}
	}
	near(t, "rows", rows[:6*n], exact, 1e-5)
}

// overlapPass is the program that suppresses, in plain Go.
func overlapPass(threshold float32) []rowPass {
	program := func(a *mapArgs) {
		b := [4]float32{f32(a.in[4], 0), f32(a.in[5], 0), f32(a.in[6], 0), f32(a.in[7], 0)}
		a.result = float32(math.Inf(-1))
		for i := range a.n {
			o := [4]float32{f32(a.in[0], i), f32(a.in[1], i), f32(a.in[2], i), f32(a.in[3], i)}
			both := max(min(b[2], o[2])-max(b[0], o[0]), 0) * max(min(b[3], o[3])-max(b[1], o[1]), 0)
			union := float32((b[2]-b[0])*(b[3]-b[1])) + float32((o[2]-o[0])*(o[3]-o[1])) - both
			over := float32(0)
			if both > float32(threshold*union) {
				over = 1
			}
			a.result = max(a.result, over)
		}
	}
	return []rowPass{{kernel: &program}}
}

// between is n values between lo and hi.
func (g *callRig) between(n int, lo, hi float64) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(lo + g.r.Float64()*(hi-lo))
	}
	return x
}

func TestCallDetectionOutput(t *testing.T) {
	rounds(t, 60, func(t *testing.T, g *callRig) {
		priors, classes, mxnet := 1+g.r.Intn(40), 2+g.r.Intn(4), g.r.Intn(2)
		topK, keep := 1+g.r.Intn(30), 1+g.r.Intn(30)
		rows := min(keep, (classes-1)*min(topK, priors))
		loc := g.in(g.between(4*priors, -1, 1), 4*priors)
		conf := g.between(priors*classes, 0, 1)
		if mxnet == 1 {
			g.in(conf, classes, priors)
		} else {
			g.in(conf, priors*classes)
		}
		prior := make([]float32, 8*priors)
		for i := range priors {
			x, y, w, h := g.r.Float64(), g.r.Float64(), 0.1+g.r.Float64(), 0.1+g.r.Float64()
			for k, v := range []float64{x - w/2, y - h/2, x + w/2, y + h/2} {
				prior[4*i+k], prior[4*(priors+i)+k] = float32(v), float32(0.1+0.1*g.r.Float64())
			}
		}
		variances := []float32{0.1, 0.15, 0.2, 0.25}
		if mxnet == 1 {
			prior = g.in(prior[:4*priors], priors, 4)
		} else {
			g.in(prior, 2, 4*priors)
		}
		g.outTensor(rows, 6)
		g.outTensor(1)
		g.scratch = 40*priors + (24*classes+16)*min(topK, priors)
		overlap, least := float32(0.3), float32(0.4)
		g.step.passes = overlapPass(overlap)
		out := g.run(callDetectionOutput, []int{priors, classes, mxnet, topK, keep, rows}, append([]float32{overlap, least}, variances...)...)

		var all []foundBox
		for c := 1; c < classes; c++ {
			var found []foundBox
			for i := range priors {
				score := conf[i*classes+min(c, classes-1)]
				if mxnet == 1 {
					score = conf[c*priors+i]
				}
				if score <= least {
					continue
				}
				v := func(k int) float64 {
					if mxnet == 1 {
						return float64(variances[k])
					}
					return float64(prior[4*(priors+i)+k])
				}
				p := func(k int) float64 { return float64(prior[4*i+k]) }
				l := func(k int) float64 { return float64(loc[4*i+k]) }
				w, h := p(2)-p(0), p(3)-p(1)
				x, y := (p(0)+p(2))/2+v(0)*l(0)*w, (p(1)+p(3))/2+v(1)*l(1)*h
				w, h = w*math.Exp(v(2)*l(2)), h*math.Exp(v(3)*l(3))
				found = append(found, foundBox{c, float64(score), [4]float64{x - w/2, y - h/2, x + w/2, y + h/2}})
			}
			sort.SliceStable(found, func(i, j int) bool { return found[i].score > found[j].score })
			all = append(all, greedy(found[:min(len(found), topK)], float64(overlap))...)
		}
		sort.SliceStable(all, func(i, j int) bool { return all[i].score > all[j].score })
		compareRows(t, out, all[:min(len(all), keep)])
	})
}

func TestCallYolo(t *testing.T) {
	rounds(t, 60, func(t *testing.T, g *callRig) {
		heads, classes, boxes, version := 1+g.r.Intn(3), 1+g.r.Intn(4), 1+g.r.Intn(3), 2+g.r.Intn(2)
		ints := []int{heads, classes, boxes}
		least, overlap := []float32{0.1, 0.5, 0.99999}[g.r.Intn(3)], float32(0.4)
		floats := []float32{least, overlap}
		most := 0
		logistic := func(v float64) float64 { return 1 / (1 + math.Exp(-v)) }
		var all []foundBox
		for range heads {
			h, w := 1+g.r.Intn(4), 1+g.r.Intn(4)
			c := boxes * (5 + classes)
			x := g.inRandom(h, w, c)
			ints = append(ints, h, w)
			netW, netH := float32(32*w), float32(32*h)
			floats = append(floats, netW, netH)
			anchors := g.between(2*boxes, 8, 80)
			floats = append(floats, anchors...)
			most += h * w * boxes
			for b := range boxes {
				for cell := range h * w {
					v := func(k int) float64 { return float64(x[cell*c+b*(5+classes)+k]) }
					label, sum := 0, 0.0
					for k := range classes {
						sum += math.Exp(v(5 + k))
						if v(5+k) > v(5+label) {
							label = k
						}
					}
					score := 1 / (1 + math.Exp(-v(4))*(1+math.Exp(-v(5+label))))
					if version == 2 {
						score = logistic(v(4)) * math.Exp(v(5+label)) / sum
					}
					if score < float64(least) {
						continue
					}
					px, py := (float64(cell%w)+logistic(v(0)))/float64(w), (float64(cell/w)+logistic(v(1)))/float64(h)
					bw, bh := math.Exp(v(2))*float64(anchors[2*b]/netW), math.Exp(v(3))*float64(anchors[2*b+1]/netH)
					all = append(all, foundBox{label + 1, score, [4]float64{px - bw/2, py - bh/2, px + bw/2, py + bh/2}})
				}
			}
		}
		g.outTensor(most, 6)
		g.outTensor(1)
		g.scratch = 40 * most
		g.step.passes = overlapPass(overlap)
		kernel := callYolov3Output
		if version == 2 {
			kernel = callYolov2Output
		}
		compareRows(t, g.run(kernel, ints, floats...), greedy(all, float64(overlap)))
	})
}

func TestCallProposal(t *testing.T) {
	rounds(t, 40, func(t *testing.T, g *callRig) {
		h, w := 1+g.r.Intn(4), 1+g.r.Intn(4)
		scores := g.inRandom(h, w, 18)
		shifts := g.in(g.between(36*h*w, -0.4, 0.4), h, w, 36)
		height, width, scale := float32(200), float32(300), float32(1)
		g.in([]float32{height, width, scale}, 3)
		before, after, least, overlap := 1+g.r.Intn(60), 1+g.r.Intn(20), 10+g.r.Intn(60), float32(0.6)
		rows := min(after, 9*h*w)
		g.outTensor(rows, 4)
		both := g.r.Intn(2) == 0
		if both {
			g.outTensor(rows)
		}
		g.outTensor(1)
		g.scratch = 24*9*h*w + 16*rows
		g.step.passes = overlapPass(overlap)
		out := g.run(callProposal, []int{h, w, 16, 16, before, after, least, rows}, overlap)
		var all []foundBox
		for a := range 9 {
			ratio, area := []float64{0.5, 1, 2}[a/3], []float64{8, 16, 32}[a%3]
			aw := math.Round(16 / math.Sqrt(ratio))
			ah := math.Round(aw * ratio)
			for cell := range h * w {
				d := func(k int) float64 { return float64(shifts[cell*36+4*a+k]) }
				x, y := 8+16*float64(cell%w)+aw*area*d(0), 8+16*float64(cell/w)+ah*area*d(1)
				bw, bh := aw*area*math.Exp(d(2)), ah*area*math.Exp(d(3))
				in := func(v float64, n float32) float64 { return math.Max(0, math.Min(v, float64(n)-1)) }
				b := foundBox{0, float64(scores[cell*18+9+a]), [4]float64{in(x-bw/2, width), in(y-bh/2, height), in(x+bw/2, width), in(y+bh/2, height)}}
				if b.box[2]-b.box[0]+1 >= float64(least) && b.box[3]-b.box[1]+1 >= float64(least) {
					all = append(all, b)
				}
			}
		}
		sort.SliceStable(all, func(i, j int) bool { return all[i].score > all[j].score })
		kept := greedy(all[:min(before, len(all))], float64(overlap))
		kept = kept[:min(len(kept), after)]
		n := int(int32(math.Float32bits(out[len(out)-1][0])))
		if n != len(kept) {
			t.Fatalf("found %d regions, want %d", n, len(kept))
		}
		var boxes, best []float64
		for _, b := range kept {
			boxes, best = append(boxes, b.box[:]...), append(best, b.score)
		}
		near(t, "boxes", out[0][:4*n], boxes, 1e-5)
		if both {
			near(t, "scores", out[1][:n], best, 0)
		}
	})
}

// TestSuppress compares suppress with the definition where many boxes are kept.
func TestSuppress(t *testing.T) {
	rounds(t, 20, func(t *testing.T, g *callRig) {
		n, overlap, most := 1+g.r.Intn(600), float32(0.5), 1+g.r.Intn(500)
		all := make([]foundBox, n)
		mem := make([]float32, 6*n+4*n+16)
		th := &thread{arena: unsafe.Pointer(&mem[0])}
		s := &callStep{passes: overlapPass(overlap)}
		c := candidates(th, s, 0, n)
		for i := range c {
			x, y, w, h := 4*g.r.Float32(), 4*g.r.Float32(), 0.1+0.4*g.r.Float32(), 0.1+0.4*g.r.Float32()
			c[i] = candidate{candidateKey(float32(g.r.Intn(50)), i), x, y, x + w, y + h}
			all[i] = foundBox{i, 0, [4]float64{float64(c[i].x1), float64(c[i].y1), float64(c[i].x2), float64(c[i].y2)}}
		}
		sort.SliceStable(all, func(i, j int) bool { return c[all[i].label].key < c[all[j].label].key })
		want := all
		for i := range want {
			want[i].score = float64(n - i) // the order is that of the keys
		}
		want = greedy(want, float64(overlap))
		want = want[:min(len(want), most)]
		if got := suppress(th, s, 24*n, c, most); got != len(want) {
			t.Fatalf("kept %d of %d boxes, want %d", got, n, len(want))
		}
		for i := range want {
			if c[i].number() != want[i].label {
				t.Fatalf("box %d of those kept is number %d, want %d", i, c[i].number(), want[i].label)
			}
		}
		for i, v := range mem[10*n:] {
			if v != 0 {
				t.Fatalf("wrote %g beyond the room, at %d", v, i)
			}
		}
	})
}
