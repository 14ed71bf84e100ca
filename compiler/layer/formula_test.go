package layer

import (
	"strings"
	"testing"

	"github.com/flexnnc/flexnnc/ir"
)

func TestFormula(t *testing.T) {
	l := &ir.Layer{Params: ir.Params{
		{ID: 0, Scalar: ir.IntScalar(6)},
		{ID: 1, Scalar: ir.FloatScalar(4)},
		{ID: 2, Scalar: ir.FloatScalar(0.5)},
		{ID: 3, Kind: ir.ParamArray, Array: []ir.Scalar{ir.IntScalar(5), ir.IntScalar(-7)}},
		{ID: 12, Kind: ir.ParamString, Str: "word"},
	}}
	in := []ir.Shape{ir.Shape3(320, 240, 3), ir.Shape4(2, 3, 4, 5)}
	for text, want := range map[string]int{
		"7": 7, "p0*p1": 24, "p0 + p1*2 - 1": 13, "(p0+p1)*2": 20, "20/p0/2": 1, "20%p0": 2, "2-3-4": -5,
		"p9": 0, "p9|p1": 4, "p0|p1": 6, "p9|p8|11": 11, "p9|p1*2": 8, "p9|(p0+1)": 7, "p3[1]": -7, "p4[0]|9": 9, "n3": 2, "n4": 0, "n0": 0,
		"w/2": 160, "h*c": 720, "0w": 320, "1w*1h*1d*1c": 120, "d": 1, "c*4": 12,
	} {
		f, err := ParseFormula(text, true)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got, err := f.Eval(l, in); err != nil || got != want {
			t.Errorf("%s is %d, want %d (%v)", text, got, want, err)
		}
	}
	for text, want := range map[string]string{
		"": "something is missing", "p": "come with a parameter's number", "p1+": "something is missing", "(p1": "not closed", "p1)": "not understood",
		"p3[": "number of an element", "p3[0": "number of an element", "p3[-1]": "number of an element", "x": "not understood", "9999999999999999999": "too large",
		"1099511627777": "too large", "99999999999999999999w": "too large", "1/0": "division by zero", "1%p9": "division by zero", "p3": "parameter 3 is an array",
		"p12": "parameter 12 is no number", "p2": "parameter 2 is 0.5, no whole number", "p3[2]": "parameter 3 has no element 2", "p0[0]": "parameter 0 has no element 0",
		"2w": "the layer has 2 inputs", "1048576*1048577": "too large", "1099511627776+1": "too large", "0-1099511627776-1": "too large",
		strings.Repeat("(", 300): "200 are enough",
	} {
		f, err := ParseFormula(text, true)
		if err == nil {
			_, err = f.Eval(l, in)
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	if _, err := ParseFormula("w", false); err == nil || !strings.Contains(err.Error(), "not known when weights are loaded") {
		t.Errorf("an input's size where there is none: %v", err)
	}
}
