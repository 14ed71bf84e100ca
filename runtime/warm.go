package runtime

import (
	"reflect"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// warmRecords is how many channels a processor's goroutine waits on: Go's scheduler
	// keeps the records of 128 waits with each processor, and those beyond in a list
	// that all share, which a garbage collection empties.
	warmRecords = 192
	// warmTimers is how many timers each processor has room for; Go's own background
	// work sets one now and then.
	warmTimers = 4
	// warmPatience bounds how long processors wait for each other, on a machine
	// that has other things to do.
	warmPatience = 2 * time.Millisecond
)

// warm makes Go's scheduler allocate before the first run what it would else
// allocate during some run: an OS thread for everything that can run at once, and
// the records with which goroutines wait on channels. A record goes from the
// processor where a goroutine parks to the one where it wakes, and a processor
// without any allocates. Where each has its fill, one that runs out finds what the
// others gave to the list.
func warm(threads int) {
	// The threads, a loader and what else the program does; each costs some 70 kB.
	n := min(runtime.GOMAXPROCS(0), threads+4)
	warmThreads(n + 2)
	var in, out atomic.Int64
	var done sync.WaitGroup
	done.Add(n)
	for range n {
		go func() {
			defer done.Done()
			// While all are here, each has a processor of its own, and nobody takes the
			// goroutine that wakes this one away to another.
			wake, cases := make(chan struct{}), make([]reflect.SelectCase, warmRecords)
			for i := range cases {
				cases[i] = reflect.SelectCase{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(wake)}
			}
			meet(&in, n)
			for range warmTimers {
				defer time.AfterFunc(time.Hour, func() {}).Stop()
			}
			go close(wake)
			reflect.Select(cases)
			meet(&out, n)
		}()
	}
	done.Wait()
}

// warmThreads makes n OS threads: goroutines that are locked to theirs wait for
// each other. Go keeps the threads.
func warmThreads(n int) {
	var here, done sync.WaitGroup
	here.Add(n)
	done.Add(n)
	for range n {
		go func() {
			runtime.LockOSThread()
			here.Done()
			here.Wait()
			runtime.UnlockOSThread()
			done.Done()
		}()
	}
	done.Wait()
}

// meet waits, without giving the processor up, until n are here.
func meet(count *atomic.Int64, n int) {
	count.Add(1)
	start := time.Now()
	for count.Load() < int64(n) && time.Since(start) < warmPatience {
	}
}
