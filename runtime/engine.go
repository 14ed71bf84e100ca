package runtime

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"
)

// Options configure New. The zero Options are good: embedded weights (or the
// file beside the binary) and one thread per core, up to MaxThreads.
type Options struct {
	// Threads is the number of compute threads; 0 means one per core. At most
	// MaxThreads, for which the arena has room. Answers do not depend on it.
	Threads int
	// WeightsPath names the weights file, where it is not embedded or another
	// copy is wanted.
	WeightsPath string
	// Weights is the weights file as a reader; it is read from during New and Run
	// and must allow that from another goroutine.
	Weights io.ReaderAt
	// DropCache gives pages of the weights file back to the kernel after each
	// load, so that streaming a file leaves no trace in the page cache.
	DropCache bool
}

// ErrClosed is returned by Run after Close.
var ErrClosed = errors.New("net is closed")

// step is one entry of the emitted run table.
type step struct {
	run  func(*thread)
	wait int    // loads that must be complete
	rows [2]int // of the operation's output; {0, 0} = all
}

// program is everything the engine needs to know about the emitted plan.
type program struct {
	arenaBytes   int
	maxThreads   int
	scratch      int // arena offset of per-thread scratch
	scratchBytes int // per thread
	steps        []step
	resident     []load // made once, by New
	loads        []load // made in each run, in this order
	file         weightsFile
}

// engine runs a program: the arena, the compute team and the loader.
type engine struct {
	prog    *program
	arena   []byte
	team    team
	weights *weights
	ports   [][]float32 // the user's arrays, inputs first, set for each run

	running atomic.Bool
	closed  atomic.Bool
	once    sync.Once

	started gate // runs asked of the loader
	idle    gate // runs that the loader has ended
	steps   gate // steps complete in this run
	loaded  gate // loads complete in this run
	runs    int64
	failure error // set by the loader before it advances loaded to its end
	stop    atomic.Bool

	// observe, where not nil, is told when a step begins, its loads being there, and
	// when it is complete. Benchmarks set it, from a file that they add to the package.
	observe func(step int, complete bool)
	waited  time.Duration // for loads, in all runs
}

func (e *engine) open(p *program, o *Options, embedded string, ports int) error {
	e.prog = p
	n := o.Threads
	if n == 0 {
		n = min(runtime.GOMAXPROCS(0), p.maxThreads)
	}
	if n < 1 || n > p.maxThreads {
		return fmt.Errorf("Options.Threads is %d; this package was compiled for 1 to %d", n, p.maxThreads)
	}
	if p.file.dataBytes > 0 {
		w, err := openWeights(&p.file, o, embedded)
		if err != nil {
			return err
		}
		e.weights = w
	}
	arena, err := mapArena(p.arenaBytes)
	if err != nil {
		e.closeWeights()
		return err
	}
	e.arena = arena
	for i := range p.resident {
		if err := e.weights.read(&p.resident[i], arena); err != nil {
			e.closeWeights()
			unmapArena(arena)
			return err
		}
	}
	e.ports = make([][]float32, ports)
	warm(n)
	e.team.start(n)
	for i := range e.team.threads {
		t := &e.team.threads[i]
		t.arena = unsafe.Pointer(unsafe.SliceData(arena))
		t.scratch = t.at(p.scratch + i*p.scratchBytes)
		t.ports = e.ports
	}
	for _, g := range []*gate{&e.started, &e.idle, &e.steps, &e.loaded} {
		g.init()
	}
	if len(p.loads) > 0 {
		go e.loader()
	}
	return nil
}

// begin claims the net for one run, and end gives it back.
func (e *engine) begin() error {
	if e.closed.Load() {
		return ErrClosed
	}
	if !e.running.CompareAndSwap(false, true) {
		return errors.New("Run called while another Run of the same Net is under way; make one Net per goroutine")
	}
	return nil
}

func (e *engine) end() {
	clear(e.ports)
	e.running.Store(false)
}

// run makes one inference. The caller has filled ports.
func (e *engine) run(ctx context.Context) error {
	p := e.prog
	streaming := len(p.loads) > 0
	if streaming {
		e.runs++
		e.failure = nil
		e.stop.Store(false)
		e.steps.value.Store(0)
		e.loaded.value.Store(0)
		e.started.advance(e.runs)
	}
	err := e.compute(ctx)
	if streaming {
		if err != nil {
			e.stop.Store(true)
		}
		e.steps.advance(math.MaxInt64)
		e.idle.await(e.runs)
	}
	return err
}

func (e *engine) compute(ctx context.Context) error {
	done := ctx.Done()
	for i := range e.prog.steps {
		if done != nil {
			select {
			case <-done:
				return context.Cause(ctx)
			default:
			}
		}
		s := &e.prog.steps[i]
		if s.wait > 0 {
			if int64(s.wait) > e.loaded.value.Load() {
				from := time.Now()
				e.loaded.await(int64(s.wait))
				e.waited += time.Since(from)
			}
			if e.loaded.value.Load() == math.MaxInt64 {
				return e.failure
			}
		}
		if e.observe != nil {
			e.observe(i, false)
		}
		e.team.step(s.run, s.rows)
		if e.observe != nil {
			e.observe(i, true)
		}
		e.steps.advance(int64(i + 1))
	}
	return nil
}

// loader runs ahead of compute by the schedule: load i starts once its `after`
// steps are complete.
func (e *engine) loader() {
	for run := int64(1); ; run++ {
		e.started.await(run)
		if e.started.value.Load() == math.MaxInt64 {
			return
		}
		e.stream()
		e.idle.advance(run)
	}
}

func (e *engine) stream() {
	for i := range e.prog.loads {
		l := &e.prog.loads[i]
		if l.after > 0 {
			e.steps.await(int64(l.after))
		}
		if e.stop.Load() {
			return
		}
		if err := e.weights.read(l, e.arena); err != nil {
			e.failure = err
			e.loaded.advance(math.MaxInt64)
			return
		}
		e.loaded.advance(int64(i + 1))
	}
}

// close ends the goroutines and unmaps the arena. Calling it again does nothing.
func (e *engine) close() error {
	if e.running.Load() {
		return errors.New("Close called during Run")
	}
	var err error
	e.once.Do(func() {
		e.closed.Store(true)
		e.team.stop()
		if len(e.prog.loads) > 0 {
			e.started.advance(math.MaxInt64)
		}
		e.closeWeights()
		err = unmapArena(e.arena)
	})
	return err
}

func (e *engine) closeWeights() {
	if e.weights != nil {
		e.weights.close()
	}
}

// port checks and records one of the user's arrays.
func (e *engine) port(i int, what string, data []float32, want int) error {
	if len(data) != want {
		return fmt.Errorf("%s has %d values, want %d", what, len(data), want)
	}
	e.ports[i] = data
	return nil
}
