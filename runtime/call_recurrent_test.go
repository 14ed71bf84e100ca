package runtime

import (
	"math"
	"testing"
)

// recur runs a recurrence plainly: step makes the new state from the gates' part
// of one step, as xg, and W times the state.
func recur(steps, reverse int, xg []float32, w, h []float64, step func(x []float32, wh, h []float64) []float64) (y, last []float64) {
	y = make([]float64, steps*len(h))
	rows := len(w) / len(h)
	for i := range steps {
		t := i
		if reverse != 0 {
			t = steps - 1 - i
		}
		wh := make([]float64, rows)
		for r := range wh {
			for c, v := range h {
				wh[r] += w[r*len(h)+c] * v
			}
		}
		h = step(xg[t*len(xg)/steps:], wh, h)
		copy(y[t*len(h):], h)
	}
	return y, h
}

func widen(x []float32) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = float64(v)
	}
	return y
}

func plainSigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

// recurrentPasses are those of the kernel of a kind: 0 lstm, 1 gru, 2 rnn.
func recurrentPasses(kind int) []rowPass {
	element := func(inputs int, f func(v [7]float32) float32) rowPass {
		kernel := func(a *mapArgs) {
			for n := range a.n {
				var v [7]float32
				for i := range inputs {
					v[i] = f32(a.in[i], n)
				}
				putf32(a.out, n, f(v))
			}
		}
		p := rowPass{kernel: &kernel, to: -1}
		for i := range inputs {
			p.in = append(p.in, rowSource{rowInput, i})
		}
		return p
	}
	switch kind {
	case 0:
		return []rowPass{element(7, func(v [7]float32) float32 {
			return fma32(sigmoid32(v[2]+v[3]), v[6], float32(sigmoid32(v[0]+v[1])*tanh32(v[4]+v[5])))
		}), element(3, func(v [7]float32) float32 { return float32(sigmoid32(v[0]+v[1]) * tanh32(v[2])) })}
	case 1:
		return []rowPass{element(7, func(v [7]float32) float32 {
			r, u := sigmoid32(v[0]+v[1]), sigmoid32(v[2]+v[3])
			return fma32(u, v[6], float32((1-u)*tanh32(fma32(r, v[5], v[4]))))
		})}
	}
	return []rowPass{element(2, func(v [7]float32) float32 { return tanh32(v[0] + v[1]) })}
}

func TestCallLSTM(t *testing.T) {
	rounds(t, 30, func(t *testing.T, g *callRig) {
		steps, n, reverse := 1+g.r.Intn(6), 1+g.r.Intn(20), g.r.Intn(2)
		outputs := n
		if g.r.Intn(2) == 0 {
			outputs = 1 + g.r.Intn(20)
		}
		xg, h0, c := g.inRandom(steps, 4*n), g.inRandom(outputs), widen(g.inRandom(n))
		half := []int{g.r.Intn(2), g.r.Intn(2)}
		w := g.inPanels(4*n, outputs, nil, half[0] != 0)
		var project []float64
		if outputs != n {
			project = widen(g.inPanels(outputs, n, nil, half[1] != 0))
		}
		g.perThread = productPanels + 4*5*n
		g.outTensor(steps, outputs)
		g.outTensor(outputs)
		g.outTensor(n)
		g.step.passes = recurrentPasses(0)
		out := g.run(callLstm, []int{steps, n, outputs, reverse, half[0], half[1]})
		y, h := recur(steps, reverse, xg, widen(w), widen(h0), func(x []float32, wh, _ []float64) []float64 {
			h := make([]float64, n)
			for i := range n {
				gate := func(k int) float64 { return float64(x[k*n+i]) + wh[k*n+i] }
				c[i] = plainSigmoid(gate(1))*c[i] + plainSigmoid(gate(0))*math.Tanh(gate(3))
				h[i] = plainSigmoid(gate(2)) * math.Tanh(c[i])
			}
			if project == nil {
				return h
			}
			p := make([]float64, outputs)
			for i := range p {
				for k, v := range h {
					p[i] += project[i*n+k] * v
				}
			}
			return p
		})
		near(t, "y", out[0], y, 3e-5)
		near(t, "h", out[1], h, 3e-5)
		near(t, "c", out[2], c, 3e-5)
	})
}

func TestCallGRU(t *testing.T) {
	rounds(t, 30, func(t *testing.T, g *callRig) {
		steps, n, reverse := 1+g.r.Intn(6), 1+g.r.Intn(20), g.r.Intn(2)
		half := g.r.Intn(2)
		xg, h0, bias := g.inRandom(steps, 3*n), g.inRandom(n), g.random(n)
		w := g.inPanels(3*n, n, append(make([]float32, 2*n), bias...), half != 0)
		g.perThread = productPanels + 4*3*n
		g.outTensor(steps, n)
		g.outTensor(n)
		g.step.passes = recurrentPasses(1)
		out := g.run(callGru, []int{steps, n, n, reverse, half})
		y, h := recur(steps, reverse, xg, widen(w), widen(h0), func(x []float32, wh, old []float64) []float64 {
			h := make([]float64, n)
			for i := range n {
				r, u := plainSigmoid(float64(x[i])+wh[i]), plainSigmoid(float64(x[n+i])+wh[n+i])
				h[i] = (1-u)*math.Tanh(float64(x[2*n+i])+r*(wh[2*n+i]+float64(bias[i]))) + u*old[i]
			}
			return h
		})
		near(t, "y", out[0], y, 3e-5)
		near(t, "h", out[1], h, 3e-5)
	})
}

func TestCallRNN(t *testing.T) {
	rounds(t, 30, func(t *testing.T, g *callRig) {
		steps, n, reverse := 1+g.r.Intn(6), 1+g.r.Intn(20), g.r.Intn(2)
		half := g.r.Intn(2)
		xg, h0 := g.inRandom(steps, n), g.inRandom(n)
		w := g.inPanels(n, n, nil, half != 0)
		g.perThread = productPanels + 4*n
		g.outTensor(steps, n)
		g.outTensor(n)
		g.step.passes = recurrentPasses(2)
		out := g.run(callRnn, []int{steps, n, n, reverse, half})
		y, h := recur(steps, reverse, xg, widen(w), widen(h0), func(x []float32, wh, _ []float64) []float64 {
			h := make([]float64, n)
			for i := range n {
				h[i] = math.Tanh(float64(x[i]) + wh[i])
			}
			return h
		})
		near(t, "y", out[0], y, 1e-4)
		near(t, "h", out[1], h, 1e-4)
	})
}
