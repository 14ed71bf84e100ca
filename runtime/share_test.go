package runtime

import (
	"sync/atomic"
	"testing"
)

// TestClaimNear: every unit of every step is made once, whoever is late.
func TestClaimNear(t *testing.T) {
	for threads := 1; threads <= 5; threads++ {
		m := new(team)
		m.start(threads)
		for turn := range 40 {
			for _, c := range [][2]int{{1, 1}, {1, 3}, {3, 1}, {2, 7}, {5, 32}, {7, 2}, {1, 0}, {3, 100}} {
				outer, inner := c[0], c[1]
				made := make([]atomic.Int32, outer*inner)
				late := turn % (threads + 1)
				m.step(func(th *thread) {
					if th.id == late {
						for range 1000 * (turn % 3) {
							yield()
						}
					}
					for {
						o, i, ok := th.claimNear(outer, inner)
						if !ok {
							return
						}
						if o < 0 || o >= outer || i < 0 || i >= inner {
							t.Errorf("unit %d,%d of %d,%d", o, i, outer, inner)
							return
						}
						made[o*inner+i].Add(1)
					}
				}, part{}, [2]int{})
				for u := range made {
					if n := made[u].Load(); n != 1 {
						t.Fatalf("%d threads, unit %d of %d,%d: made %d times", threads, u, outer, inner, n)
					}
				}
			}
		}
		m.stop()
	}
}

// TestShare: units are taken from both ends until they meet, and all are there again
// in another turn.
func TestShare(t *testing.T) {
	var s share
	for _, turn := range []int64{1, 2, 1 << 24, 1<<24 + 1} {
		got := []int{s.take(turn, 5, false), s.take(turn, 5, true), s.take(turn, 5, true), s.take(turn, 5, false), s.take(turn, 5, true)}
		for i, want := range []int{0, 4, 3, 1, 2} {
			if got[i] != want {
				t.Errorf("turn %d: units %v", turn, got)
				break
			}
		}
		if u := s.take(turn, 5, false); u != -1 {
			t.Errorf("turn %d: unit %d of none", turn, u)
		}
	}
}
