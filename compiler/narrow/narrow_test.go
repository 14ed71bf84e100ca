package narrow

import (
	"strings"
	"testing"

	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/op"
)

// Folded factors are rounded with the weights and taken off again; what is not
// float16 stays as it is.
func TestWeights(t *testing.T) {
	w := &ir.Weight{Name: "weight", Count: 4}
	l := &ir.Layer{Name: "l", Weights: []*ir.Weight{w}}
	p := &op.Panels{N: 2, Taps: 1, Chans: 2, Type: op.F16, Weight: w, Fold: []op.Affine{func() (scale, shift []float64, err error) {
		return []float64{1, 3}, []float64{0, 0}, nil
	}}}
	o := &op.Op{Kind: op.Conv, Layers: []*ir.Layer{l}, Panels: p}
	edit := Weights(&op.Graph{Ops: []*op.Op{o}})
	v := []float64{1 + 1.0/2048 + 1.0/4096, 0.25, 1 + 1.0/2048, 0.25}
	if err := edit(l, "weight", v); err != nil {
		t.Fatal(err)
	}
	// 3*(1+1/2048) = 3.00146 lies between 3 and 3+2/1024.
	if want := []float64{1 + 1.0/1024, 0.25, (3 + 2.0/1024) / 3, 0.25}; v[0] != want[0] || v[1] != want[1] || v[2] != want[2] || v[3] != want[3] {
		t.Errorf("%v, want %v", v, want)
	}
	v = []float64{0, 0, 30000, 0}
	if err := edit(l, "weight", v); err == nil || !strings.Contains(err.Error(), "90000 is beyond the range of fp16") {
		t.Errorf("got %v", err)
	}
	v = []float64{1.0 / 3}
	if err := edit(l, "bias", v); err != nil || v[0] != 1.0/3 {
		t.Errorf("a bias became %v, %v", v, err)
	}
	p.Type = op.F32
	v = []float64{1.0 / 3, 0, 0, 0}
	if err := Weights(&op.Graph{Ops: []*op.Op{o}})(l, "weight", v); err != nil || v[0] != 1.0/3 {
		t.Errorf("float32 became %v, %v", v, err)
	}
}
