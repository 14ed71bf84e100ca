package runtime

import (
	"math"
	"testing"
	"unsafe"
)

// int8PanelsOf packs a matrix of integers in panels with factors of 1.
func int8PanelsOf(w []float32, rows, k int) []float32 {
	groups := (k + 3) / 4
	size := int8Weights + 4*panelWidth*groups
	data := make([]float32, (rows+panelWidth-1)/panelWidth*size/4)
	for r := range rows {
		panel, n := unsafe.Add(unsafe.Pointer(&data[0]), r/panelWidth*size), r%panelWidth
		putf32(panel, n, 1)
		putf32(panel, panelWidth+n, float32(math.Copysign(0, -1)))
		sum := int32(0)
		for c := range k {
			v := int8(w[r*k+c])
			sum += int32(v)
			*(*int8)(unsafe.Add(panel, int8Weights+c/4*4*panelWidth+4*n+c%4)) = v
		}
		*(*int32)(unsafe.Add(panel, int8Offset+4*n)) = -128 * sum
	}
	return data
}

// TestCallRecurrentInt8 compares with the formulas in float64, of a state that is
// rounded to 127ths of its largest value before W multiplies it.
func TestCallRecurrentInt8(t *testing.T) {
	rounds(t, 60, func(t *testing.T, g *callRig) {
		kind, steps, n, reverse := g.r.Intn(3), 1+g.r.Intn(5), 1+g.r.Intn(20), g.r.Intn(2)
		outputs := n
		if kind == 0 && g.r.Intn(2) == 0 {
			outputs = 1 + g.r.Intn(20)
		}
		gates := []int{4, 3, 1}[kind]
		xg, h := g.inRandom(steps, gates*n), widen(g.inRandom(outputs))
		var c []float64
		if kind == 0 {
			c = widen(g.inRandom(n))
		}
		w := make([]float32, gates*n*outputs)
		for i := range w {
			w[i] = float32(g.r.Intn(255) - 127)
		}
		packed := int8PanelsOf(w, gates*n, outputs)
		g.dense = true
		g.in(packed, len(packed))
		factors := g.in(g.between(gates*n, 0.001, 0.01), gates*n)
		var bias, project []float64
		if kind == 1 {
			bias = widen(g.inRandom(n))
		}
		if outputs != n {
			project = widen(g.inPanels(outputs, n, nil, false))
		}
		g.outTensor(steps, outputs)
		g.outTensor(outputs)
		if kind == 0 {
			g.outTensor(n)
		}
		g.perThread = (productPanels + 4*(gates*n+n) + (outputs+3)&^3 + 63) &^ 63
		g.step.passes = recurrentPasses(kind)
		out := g.run(callRecurrentInt8, []int{steps, n, outputs, reverse, kind, 0})
		y := make([]float64, steps*outputs)
		for i := range steps {
			if reverse != 0 {
				i = steps - 1 - i
			}
			top := 0.0
			for _, v := range h {
				top = math.Max(top, math.Abs(v))
			}
			sums := make([]float64, gates*n)
			for r := range sums {
				for k, v := range h {
					if top > 0 {
						sums[r] += math.Round(float64(float32(v)*float32(127/top))) * float64(w[r*outputs+k])
					}
				}
				sums[r] *= top / 127 * float64(factors[r])
			}
			gate := func(at, k int) float64 { return float64(xg[i*gates*n+at*n+k]) + sums[at*n+k] }
			fresh := make([]float64, n)
			for k := range fresh {
				switch kind {
				case 0:
					c[k] = plainSigmoid(gate(1, k))*c[k] + plainSigmoid(gate(0, k))*math.Tanh(gate(3, k))
					fresh[k] = plainSigmoid(gate(2, k)) * math.Tanh(c[k])
				case 1:
					reset, update := plainSigmoid(gate(0, k)), plainSigmoid(gate(1, k))
					v := math.Tanh(float64(xg[i*gates*n+2*n+k]) + reset*(sums[2*n+k]+bias[k]))
					fresh[k] = (1-update)*v + update*h[k]
				default:
					fresh[k] = math.Tanh(gate(0, k))
				}
			}
			h = fresh
			if project != nil {
				h = make([]float64, outputs)
				for r := range h {
					for k, v := range fresh {
						h[r] += project[r*n+k] * v
					}
				}
			}
			copy(y[i*outputs:], h)
		}
		// A state near a half rounds either way: one part in 127 of one product.
		near(t, "y", out[0], y, 2e-3)
		near(t, "h", out[1], h, 2e-3)
		if kind == 0 {
			near(t, "c", out[2], c, 2e-3)
		}
	})
}
