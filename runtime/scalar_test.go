package runtime

import (
	"math"
	"math/rand"
	"testing"

	"github.com/flexnnc/flexnnc/ir/lane"
)

// TestScalarMatchesLane compares each function with the lane program of the same
// meaning, bit for bit, over random bit patterns and the usual range.
func TestScalarMatchesLane(t *testing.T) {
	for _, c := range []struct {
		name string
		f    func(float32) float32
		op   func(*lane.Builder, lane.Reg) lane.Reg
		true func(float64) float64
	}{
		{"exp", exp32, (*lane.Builder).Exp, math.Exp},
		{"sigmoid", sigmoid32, (*lane.Builder).Sigmoid, func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }},
		{"tanh", tanh32, (*lane.Builder).Tanh, math.Tanh},
		{"log", log32, (*lane.Builder).Log, math.Log},
	} {
		b := lane.New(c.name)
		p := b.Return(c.op(b, b.Vec()))
		r := rand.New(rand.NewSource(1))
		x := []float32{0, float32(math.Copysign(0, -1)), 1, -1, float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN()),
			math.MaxFloat32, -math.MaxFloat32, math.SmallestNonzeroFloat32, 0x1p-126, 88.73, 89, -87.3, -104, 0.5, 9.5}
		for range 20000 {
			x = append(x, float32(r.NormFloat64()*20), math.Float32frombits(r.Uint32()))
		}
		want := make([]float32, len(x))
		if _, err := p.Eval(len(x), [][]float32{x}, want); err != nil {
			t.Fatal(err)
		}
		for i, v := range x {
			got := c.f(v)
			if math.Float32bits(got) != math.Float32bits(want[i]) && !(got != got && want[i] != want[i]) {
				t.Fatalf("%s(%g) = %g, the lane program says %g", c.name, v, got, want[i])
			}
			exact := c.true(float64(v))
			if math.Abs(exact) > 0x1p-120 && math.Abs(exact) < 0x1p127 && math.Abs(float64(got)-exact) > 4e-7*math.Abs(exact) {
				t.Fatalf("%s(%g) = %g, want %g", c.name, v, got, exact)
			}
		}
	}
}
