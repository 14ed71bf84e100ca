package inputs

import "testing"

func TestFill(t *testing.T) {
	in := struct {
		X   []float32
		IDs []int32
	}{make([]float32, 100), make([]int32, 100)}
	Fill(&in)
	sum := float32(0)
	for _, x := range in.X {
		if x < -1 || x > 1 {
			t.Fatalf("%g", x)
		}
		sum += x * x
	}
	if sum < 10 {
		t.Errorf("squares of 100 values sum to %g", sum)
	}
	for _, id := range in.IDs {
		if id < 0 || id > 31 {
			t.Fatalf("%d", id)
		}
	}
}
