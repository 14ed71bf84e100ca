package runtime

import (
	"errors"
	"slices"
	"testing"
	"unsafe"
)

func TestCustom(t *testing.T) {
	arena := make([]float32, 16)
	for i := range arena {
		arena[i] = float32(i)
	}
	wrong, fault := errors.New("wrong"), error(nil)
	calls, index := 0, 0
	s := customStep{
		layer: "mix", typ: "Blend", out: []floats{{4, 3}}, in: []floats{{32, 2}, {48, 4}}, weights: []floats{{8, 1}, {}},
		shapes: [][]int{{3}, {2}, {2, 2}}, params: map[int][]float64{1: {7}}, texts: map[int]string{2: "word"},
		call: func(out, in, weights [][]float32, shapes [][]int, params map[int][]float64, texts map[int]string) error {
			calls++
			if len(out) != 1 || len(in) != 2 || len(out[0]) != 3 || cap(out[0]) != 3 || len(shapes) != 3 || params[1][0] != 7 || texts[2] != "word" ||
				cap(in) != 2 || len(weights) != 2 || weights[0][0] != 2 || len(weights[1]) != 0 {
				t.Errorf("called with %v, %v, %v, %v, %v, %v", out, in, weights, shapes, params, texts)
			}
			out[0][index] = in[0][1] + in[1][3]
			return fault
		},
	}
	th := thread{arena: unsafe.Pointer(&arena[0]), slices: make([][]float32, 5)}
	if n := testing.AllocsPerRun(10, func() { runCustom(&th, &s) }); n != 0 || th.err != nil {
		t.Errorf("%v allocations, %v", n, th.err)
	}
	if want := []float32{0, 9 + 15, 2}; !slices.Equal(arena[:3], want) {
		t.Errorf("the arena begins with %v, want %v", arena[:3], want)
	}
	if th.slices[0] != nil {
		t.Error("arrays are kept beyond the call")
	}

	fault = wrong
	runCustom(&th, &s)
	if text := `layer "mix" (Blend): wrong`; !errors.Is(th.err, wrong) || th.err.Error() != text {
		t.Errorf("%v, want %s", th.err, text)
	}
	th.err, index = nil, 3
	runCustom(&th, &s)
	if text := `layer "mix" (Blend): panic: runtime error: index out of range [3] with length 3`; th.err == nil || th.err.Error() != text {
		t.Errorf("%v, want %s", th.err, text)
	}

	calls = 0
	other := thread{id: 1}
	if runCustom(&other, &s); calls != 0 {
		t.Error("called on another thread than the first")
	}
}
