package runtime

import (
	"fmt"
	"unsafe"
)

// customFunc computes a layer that is not ncnn's own. shapes are those of out and
// then of in, outermost axis first; params are the layer's numbers by id, and texts
// its strings.
type customFunc = func(out, in, weights [][]float32, shapes [][]int, params map[int][]float64, texts map[int]string) error

// floats is a part of the arena without gaps: the bytes from the arena's start, and
// the number of elements.
type floats struct{ off, n int }

// customStep calls a function of the user's.
type customStep struct {
	call    customFunc
	layer   string // its name
	typ     string
	out     []floats
	in      []floats
	weights []floats
	shapes  [][]int
	params  map[int][]float64
	texts   map[int]string
}

// runCustom makes the call on the thread that Run was called on. An error, or a
// panic of the function, is left in t.err.
func runCustom(t *thread, s *customStep) {
	if t.id != 0 {
		return
	}
	n, m := len(s.out), len(s.out)+len(s.in)
	slices := t.slices[:0]
	for _, list := range [3][]floats{s.out, s.in, s.weights} {
		for _, f := range list {
			slices = append(slices, unsafe.Slice((*float32)(t.at(f.off)), f.n))
		}
	}
	defer func() {
		if r := recover(); r != nil {
			t.err = fmt.Errorf("layer %q (%s): panic: %v", s.layer, s.typ, r)
		}
		clear(slices)
	}()
	if err := s.call(slices[:n:n], slices[n:m:m], slices[m:], s.shapes, s.params, s.texts); err != nil {
		t.err = fmt.Errorf("layer %q (%s): %w", s.layer, s.typ, err)
	}
}
