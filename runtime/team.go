package runtime

import (
	"runtime"
	"sync/atomic"
)

func yield() { runtime.Gosched() }

// team is the fixed set of compute threads. The goroutine that calls Run is
// thread 0; the others are goroutines that spin for a while between steps and park
// between runs. A step costs no channel operation and creates nothing. They are not
// locked to OS threads, unless to keep to some cores: a locked goroutine that yields
// or parks makes Go's scheduler wake another thread to go on, which costs more than a
// small step. So those that are locked yield seldom.
type team struct {
	threads []thread
	tiles   atomic.Int64
	shares  []share       // of each thread, see claimNear
	work    func(*thread) // the running step
	part    part          // of the operation that it computes
	rows    [2]int        // its range of rows
	turn    atomic.Int64  // step number, counted over all runs; -1 = stop
	done    atomic.Int64  // workers that have finished this turn
	met     atomic.Int64  // threads that wait in meet
	round   atomic.Int64  // times that all have met
	place   *placement    // nil = anywhere
	parked  []atomic.Bool
	wake    []chan struct{}
}

// start launches the workers.
func (m *team) start(n int) {
	m.threads = make([]thread, n)
	m.shares = make([]share, n)
	m.parked = make([]atomic.Bool, n)
	m.wake = make([]chan struct{}, n)
	for i := range m.threads {
		m.threads[i].id = i
		m.threads[i].team = m
		m.threads[i].tiles = &m.tiles
		m.wake[i] = make(chan struct{}, 1)
	}
	for i := 1; i < n; i++ {
		go m.worker(i)
	}
}

// step runs work on all threads and returns when all have finished.
func (m *team) step(work func(*thread), part part, rows [2]int) {
	m.tiles.Store(0)
	m.threads[0].part, m.threads[0].rows = part, rows
	if len(m.threads) == 1 {
		work(&m.threads[0])
		return
	}
	m.work, m.part, m.rows = work, part, rows
	m.done.Store(0)
	m.threads[0].begin(m.turn.Add(1))
	m.unpark()
	work(&m.threads[0])
	often := m.spins()
	for spin := 1; m.done.Load() < int64(len(m.threads)-1); spin++ {
		if spin%often == 0 {
			yield()
		}
	}
}

// failure is what went wrong in the last step, on the first thread where something did.
func (m *team) failure() (err error) {
	for i := range m.threads {
		if t := &m.threads[i]; t.err != nil {
			if err == nil {
				err = t.err
			}
			t.err = nil
		}
	}
	return err
}

func (m *team) unpark() {
	for i := 1; i < len(m.threads); i++ {
		if m.parked[i].CompareAndSwap(true, false) {
			m.wake[i] <- struct{}{}
		}
	}
}

// stop ends the workers.
func (m *team) stop() {
	m.turn.Store(-1)
	m.unpark()
}

// spins is how often a waiting thread looks before it lets others run.
func (m *team) spins() int {
	if m.place != nil && m.place.pinned {
		return 1 << 14
	}
	return 64
}

func (m *team) worker(id int) {
	if m.place != nil {
		m.place.stay(&m.place.compute)
	}
	seen := int64(0)
	for {
		seen = m.awaitTurn(id, seen)
		if seen < 0 {
			return
		}
		m.threads[id].part, m.threads[id].rows = m.part, m.rows
		m.threads[id].begin(seen)
		m.work(&m.threads[id])
		m.done.Add(1)
	}
}

// awaitTurn returns the first turn after seen.
func (m *team) awaitTurn(id int, seen int64) int64 {
	often := m.spins()
	for spin := range 20000 {
		if t := m.turn.Load(); t != seen {
			return t
		}
		if spin%often == often-1 {
			yield()
		}
	}
	for {
		m.parked[id].Store(true)
		if t := m.turn.Load(); t != seen {
			if !m.parked[id].CompareAndSwap(true, false) {
				<-m.wake[id] // the token of whoever saw us parked
			}
			return t
		}
		<-m.wake[id]
		if t := m.turn.Load(); t != seen {
			return t
		}
	}
}
