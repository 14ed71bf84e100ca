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
		lo, hi := 0, s.dims[0]
		ring := func(n int) int {
			if n == 0 {
				return max(1, s.dims[0])
			}
			return n
		}
		if r.Intn(2) == 0 {
			s.dims[0] = 3 + r.Intn(5)
			if s.dims[0]*s.dims[1]*s.dims[2]*s.dims[3]*s.dims[4] > half-8 {
				continue
			}
			s.rows = true
			lo = r.Intn(s.dims[0])
			hi = lo + 1 + r.Intn(s.dims[0]-lo)
			// the last axis of either side to vary is the first one, for a ring
			s.inStep[0], s.outStep[0] = 4*s.dims[1]*s.dims[2]*s.dims[3]*s.dims[4], 4*s.dims[1]*s.dims[2]*s.dims[3]*s.dims[4]
			s.outStep[1], s.outStep[2], s.outStep[3], s.outStep[4] = s.inStep[1], s.inStep[2], s.inStep[3], s.inStep[4]
			s.inRing = r.Intn(2) * (hi - lo + r.Intn(2))
			s.outRing = r.Intn(2) * (hi - lo + r.Intn(2))
		}
		want := append([]uint32{}, arena...)
		for i := lo; i < hi; i++ {
			for j := range s.dims[1] {
				for k := range s.dims[2] {
					for l := range s.dims[3] {
						for m := range s.dims[4] {
							at := func(i int, st [5]int) int { return (i*st[0] + j*st[1] + k*st[2] + l*st[3] + m*st[4]) / 4 }
							from, to := i%ring(s.inRing), i%ring(s.outRing)
							want[s.out/4+at(to, s.outStep)] = arena[s.in/4+at(from, s.inStep)]
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
				if s.rows {
					th.rows = [2]int{lo, hi}
				}
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
