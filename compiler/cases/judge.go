package cases

import (
	"fmt"
	"math"
	"slices"
)

// Rule says how far an answer may be from the reference.
type Rule struct {
	// Tol, where positive, bounds max |x - reference| / max |reference|. Else every
	// element must be within ElementAbs + ElementRel * |reference|.
	Tol float64
	// Steps allows for networks that quantise: a value near a rounding boundary may
	// fall on its other side. A few elements may then be further away, by StepSize
	// of max |reference| at most.
	Steps bool
	// Detections says that rows of label, score and box are compared as sets: near
	// ties of suppression order them otherwise, and flip a few of many.
	Detections bool
}

// What the elements of an output without a tolerance of its own may differ by,
// and what quantising networks are allowed beyond that.
const (
	ElementAbs = 1e-5
	ElementRel = 1e-4
	StepSize   = 0.02 // of max |reference|
	StepShare  = 0.02 // of the elements, and always one
	// FlipShare is the share of detections that may be missing, and that may be there
	// besides: none of fewer than twenty.
	FlipShare  = 0.05
	ScoreError = 0.02 // of a detection that is found again
)

// Verdict is how an answer compares with its reference.
type Verdict struct {
	Distance float64 // max |x - reference| / max |reference|
	// Worst is the element that is furthest away, by the rule's measure.
	Worst       int
	Got, Want   float32 // of that element
	Beyond      int     // elements beyond the rule's limit
	Top1        bool    // largest element at the same place, where HasTop1
	HasTop1     bool    // of one axis with several elements
	Class       int     // place of the answer's largest element, where HasTop1
	Matched     int     // detections that were found again
	Rows, Found int     // detections of the reference, and of the answer
	Why         string  // what is wrong, "" where the answer is accepted
}

// Judge compares an answer with the reference of an output.
func Judge(got, want []float32, o *Output, r Rule) Verdict {
	if len(got) != len(want) && !r.Detections {
		return Verdict{Distance: math.Inf(1), Why: fmt.Sprintf("%d elements, the reference has %d", len(got), len(want))}
	}
	if r.Detections {
		return matchDetections(got, want, o)
	}
	peak := 0.0
	for _, x := range want {
		if a := math.Abs(float64(x)); a > peak { // no NaN
			peak = a
		}
	}
	v := Verdict{HasTop1: o.Shape.Dims == 1 && len(want) > 1}
	tooFar, limited := 0.0, 0
	for i, g := range got {
		d := difference(g, want[i])
		limit := r.Tol * peak
		if r.Tol <= 0 {
			limit = ElementAbs + ElementRel*math.Abs(float64(want[i]))
		}
		if d > 0 && !(d <= limit) {
			v.Beyond++
		}
		if r.Steps && d > 0 && !(d <= max(limit, StepSize*peak)) {
			limited++
		}
		if peak > 0 {
			v.Distance = max(v.Distance, d/peak)
		} else if d > 0 {
			v.Distance = math.Inf(1)
		}
		if e := excess(d, limit); i == 0 || e > tooFar {
			tooFar, v.Worst, v.Got, v.Want = e, i, g, want[i]
		}
	}
	if v.HasTop1 {
		v.Class = argmax(got)
		v.Top1 = v.Class == argmax(want)
	}
	switch {
	case v.Beyond == 0:
	case r.Steps && limited == 0 && v.Beyond <= max(1, int(StepShare*float64(len(want)))):
	case r.Tol > 0:
		v.Why = fmt.Sprintf("distance %.3g is beyond %.3g", v.Distance, r.Tol)
	default:
		v.Why = fmt.Sprintf("%d of %d elements are beyond %g + %g*|reference|", v.Beyond, len(want), ElementAbs, ElementRel)
	}
	return v
}

// difference is |a-b|, 0 for equal infinities and for two NaN.
func difference(a, b float32) float64 {
	x, y := float64(a), float64(b)
	if x == y || x != x && y != y {
		return 0
	}
	if d := math.Abs(x - y); d == d {
		return d
	}
	return math.Inf(1)
}

func excess(d, limit float64) float64 {
	if d == 0 {
		return 0
	}
	if limit == 0 {
		return math.Inf(1)
	}
	return d / limit
}

func argmax(v []float32) int {
	best := 0
	for i, x := range v {
		if x > v[best] {
			best = i
		}
	}
	return best
}

// matchDetections counts the reference's rows (label, score, x0, y0, x1, y1) that
// the answer has too: same label and about the same score, boxes that overlap by
// at least half, each row matched once. Rows of zeros are padding.
func matchDetections(got, want []float32, o *Output) Verdict {
	const row = 6
	v := Verdict{}
	if o.Shape.W != row {
		v.Why = fmt.Sprintf("rows of %d values are not detections (label, score and a box)", o.Shape.W)
		return v
	}
	a, b := detections(got, row), detections(want, row)
	v.Found, v.Rows = len(a), len(b)
	used := make([]bool, len(a))
	for _, w := range b {
		best, most := -1, 0.5
		for i, g := range a {
			if s := overlap(g[2:], w[2:]); !used[i] && g[0] == w[0] && difference(g[1], w[1]) <= ScoreError && (s > most || best < 0 && s == most) {
				best, most = i, s
			}
		}
		if best >= 0 {
			used[best] = true
			v.Matched++
		}
	}
	if flips := int(FlipShare * float64(v.Rows)); v.Rows-v.Matched > flips || v.Found-v.Matched > flips {
		v.Why = fmt.Sprintf("%d of %d detections are found again, among %d; %d may flip", v.Matched, v.Rows, v.Found, flips)
	}
	return v
}

func detections(v []float32, row int) [][]float32 {
	var rows [][]float32
	for ; len(v) >= row; v = v[row:] {
		if v[0] != 0 || v[1] != 0 {
			rows = append(rows, v[:row])
		}
	}
	return rows
}

// overlap is intersection over union of two boxes x0, y0, x1, y1; of those with the same
// corners it is 1.
func overlap(a, b []float32) float64 {
	alike := func(x, y float32) bool {
		d := difference(x, y)
		return d == 0 || d <= ElementRel*max(1, math.Abs(float64(y)))
	}
	if slices.EqualFunc(a[:4], b[:4], alike) { // also infinite ones, those without area, and no numbers
		return 1
	}
	area := func(x0, y0, x1, y1 float32) float64 {
		return float64(max(x1-x0, 0)) * float64(max(y1-y0, 0))
	}
	both := area(max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3]))
	either := area(a[0], a[1], a[2], a[3]) + area(b[0], b[1], b[2], b[3]) - both
	if either <= 0 {
		return 0
	}
	return both / either
}
