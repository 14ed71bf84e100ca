package runtime

import (
	"math/rand"
	"sync/atomic"
	"testing"
	"unsafe"
)

// TestCopy moves blocks with random dims and axis orders, over several threads,
// between red zones.
func TestCopy(t *testing.T) {
	r := rand.New(rand.NewSource(1))
	for range 300 {
		const half = 1 << 15
		arena := make([]uint32, 2*half)
		for i := range arena {
			arena[i] = uint32(i)
		}
		var s copyStep
		perm := r.Perm(5)
		for i := range s.dims {
			s.dims[i] = 1 + r.Intn([]int{2, 2, 4, 40, 40}[i])
		}
		s.in, s.out = 4*r.Intn(8), 4*(half+r.Intn(8))
		stride := 4
		for i := 4; i >= 0; i-- {
			s.inStep[i] = stride
			stride *= s.dims[i]
		}
		stride = 4
		if r.Intn(2) == 0 {
			perm = []int{0, 1, 2, 3, 4}
		}
		for i := 4; i >= 0; i-- {
			s.outStep[perm[i]] = stride
			stride *= s.dims[perm[i]]
		}
		want := append([]uint32{}, arena...)
		for i := range s.dims[0] {
			for j := range s.dims[1] {
				for k := range s.dims[2] {
					for l := range s.dims[3] {
						for m := range s.dims[4] {
							at := func(st [5]int) int { return (i*st[0] + j*st[1] + k*st[2] + l*st[3] + m*st[4]) / 4 }
							want[s.out/4+at(s.outStep)] = arena[s.in/4+at(s.inStep)]
						}
					}
				}
			}
		}
		var tiles atomic.Int64
		done := make(chan bool)
		for range 3 {
			go func() {
				th := &thread{arena: unsafe.Pointer(&arena[0]), tiles: &tiles}
				runCopy(th, &s)
				done <- true
			}()
		}
		for range 3 {
			<-done
		}
		for i := range want {
			if arena[i] != want[i] {
				t.Fatalf("%+v: word %d is %d, want %d", s, i, arena[i], want[i])
			}
		}
	}
}
