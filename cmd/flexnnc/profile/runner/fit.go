package runner

import "math"

// substitutes stand in for classes of which the network has no step, on a device
// whose kernels are made otherwise.
var substitutes = map[string]string{"winograd": "conv", "int8": "conv", "stem": "conv", "vector": "pointwise", "rows": "map", "transpose": "copy", "call": "copy"}

// fit finds the times per step, per byte and per unit of each class that explain the
// measured times of steps, all at least 0, with the least sum of squared relative
// errors, and fills the target.
func (t *target) fit(n *Net, measured []float64) {
	column := map[string]int{}
	for _, c := range n.Classes {
		for _, s := range n.Steps {
			if s.Class == c {
				column[c] = 2 + len(column)
				break
			}
		}
	}
	width := 2 + len(column)
	rows := make([][]float64, len(n.Steps))
	for i, s := range n.Steps {
		r := make([]float64, width)
		r[0], r[1], r[column[s.Class]] = 1, float64(s.Bytes), float64(s.Units)
		if k, ok := column["vector"]; ok {
			r[k] += float64(s.Weights)
		}
		for k := range r {
			r[k] /= measured[i]
		}
		rows[i] = r
	}
	x := leastSquares(rows)
	t.StepNS = int64(math.Round(x[0]))
	t.MemoryBandwidth = perSecond(x[1], 1e12)
	for c, k := range column {
		t.Kernels[c] = perSecond(x[k], 1e13)
	}
	slowest := math.Inf(1)
	for _, v := range t.Kernels {
		slowest = min(slowest, v)
	}
	for _, c := range n.Classes {
		if _, ok := column[c]; ok {
			continue
		}
		t.Kernels[c] = slowest
		if v, ok := t.Kernels[substitutes[c]]; ok {
			t.Kernels[c] = v
		}
	}
	sum := 0.0
	for i, s := range n.Steps {
		p := 0.0
		for k, v := range rows[i] {
			p += v * x[k] * measured[i]
		}
		sum += math.Abs(p/measured[i] - 1)
		t.Fit.Residuals = append(t.Fit.Residuals, residual{s.Name, s.Class, int64(measured[i]), int64(p)})
	}
	t.Fit.Steps = len(n.Steps)
	t.Fit.MeanError = math.Round(1000*sum/float64(len(n.Steps))) / 1000
}

// perSecond turns ns per unit into units per second, of three digits; what the fit
// found to take no time gets most.
func perSecond(ns, most float64) float64 {
	v := min(1e9/max(ns, 1e-9), most)
	digits := math.Pow(10, math.Floor(math.Log10(v))-2)
	return math.Round(v/digits) * digits
}

// leastSquares solves rows*x = 1 for x >= 0 by coordinate descent, which converges
// for any convex quadratic with bounds on single variables.
func leastSquares(rows [][]float64) []float64 {
	width := len(rows[0])
	x := make([]float64, width)
	norm := make([]float64, width)
	left := make([]float64, len(rows)) // 1 - row*x
	for i, r := range rows {
		left[i] = 1
		for k, v := range r {
			norm[k] += v * v
		}
	}
	for range 20000 {
		moved := 0.0
		for k := range x {
			if norm[k] == 0 {
				continue
			}
			g := 0.0
			for i, r := range rows {
				g += r[k] * left[i]
			}
			next := max(0, x[k]+g/norm[k])
			d := next - x[k]
			x[k] = next
			for i, r := range rows {
				left[i] -= d * r[k]
			}
			moved = max(moved, d*d*norm[k])
		}
		if moved < 1e-18 {
			break
		}
	}
	return x
}
