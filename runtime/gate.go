package runtime

import (
	"sync/atomic"
	"time"
)

// gate is a counter that one goroutine advances and one other waits for. Waiting
// spins briefly, then parks; advancing past nobody costs two atomic operations.
type gate struct {
	value  atomic.Int64
	wanted atomic.Int64 // what the parked goroutine waits for, 0 = nobody
	wake   chan struct{}
	// patience is how long waiting spins: waking who has parked takes the one that
	// advances a system call, and the other as long again until it runs.
	patience time.Duration
}

func (g *gate) init() { g.wake = make(chan struct{}, 1) }

// advance sets the counter and wakes the waiter where that is enough for it.
func (g *gate) advance(v int64) {
	g.value.Store(v)
	if w := g.wanted.Load(); w != 0 && v >= w && g.wanted.CompareAndSwap(w, 0) {
		g.wake <- struct{}{}
	}
}

// await returns once the counter has reached v, v > 0.
func (g *gate) await(v int64) {
	for spin := range 4000 {
		if g.value.Load() >= v {
			return
		}
		if spin%64 == 63 {
			yield()
		}
	}
	for until := time.Now().Add(g.patience); g.patience > 0 && time.Now().Before(until); {
		for range 64 {
			if g.value.Load() >= v {
				return
			}
		}
		yield()
	}
	for g.value.Load() < v {
		g.wanted.Store(v)
		if g.value.Load() >= v && g.wanted.CompareAndSwap(v, 0) {
			return
		}
		<-g.wake
	}
}
