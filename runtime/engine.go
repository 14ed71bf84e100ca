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
// file beside the binary), one thread per core, up to MaxThreads, and the largest
// budget.
type Options struct {
	// Threads is the number of compute threads; 0 means one per core, or per core of
	// Cores. At most MaxThreads, for which the arena has room. Answers do not depend
	// on it.
	Threads int
	// Cores are the numbers of the CPU cores that compute threads keep to, on Linux;
	// weights are loaded on the others, where there are any. nil leaves threads to the
	// system, but on a machine with large and small cores it means the large ones.
	Cores []int
	// Budget, in bytes, chooses among the plans that the package was compiled with:
	// the largest that it holds. 0 means the largest of all. Answers do not depend
	// on it.
	Budget int
	// WeightsPath names the weights file, where it is not embedded or another
	// copy is wanted.
	WeightsPath string
	// Weights is the weights file as a reader; it is read from during New and Run
	// and must allow that from several goroutines at a time.
	Weights io.ReaderAt
	// DropCache gives pages of the weights file back to the kernel after each
	// load, so that streaming a file leaves no trace in the page cache.
	DropCache bool
	// Direct reads the weights file around the page cache, through a buffer of 128
	// KiB beside the arena. It needs Linux, a file system that can do it, and the
	// weights as a file.
	Direct bool
}

// ErrClosed is returned by Run after Close, and by a Run that Close ended.
var ErrClosed = errors.New("net is closed")

// patience is how long the loader and the compute threads wait for each other within
// a run before they give up their processors, where each has one: to be woken takes
// some 50 µs, and the one that wakes 20.
const patience = 300 * time.Microsecond

// step is one entry of the emitted run table. Large networks within small budgets
// have thousands, which a run touches one and all: so entries are small.
type step struct {
	run  func(*thread)
	part part     // of the operation, where steps share run
	wait int32    // loads that must be complete
	kept int32    // residents that must be in the arena: those first in the list
	rows [2]int32 // of the operation's output; {0, 0} = all
	// fails says that the step may fail: it reads from the weights file itself, or
	// calls a function of the user's.
	fails bool
}

// engine runs the programs of a network, one at a time: the arena, the compute
// team and the loader.
type engine struct {
	net     *network
	arena   *arena
	team    team
	place   placement
	weights *weights
	ports   [][]float32 // the user's arrays, inputs first, set for each run

	running atomic.Bool // a Run is under way
	closing atomic.Bool
	asked   atomic.Int32 // the budget that is wanted; an index, as those below
	adopted atomic.Int32 // the budget that was last adopted, or refused

	owner   sync.Mutex // of all that follows: held by Run, while budgets change, and by Close
	budget  int        // that the arena has room for
	refused error      // why a budget was not adopted after a run, for the next run to tell
	prog    *program   // what runs next
	at      int        // its index
	have    [][]bool   // per program and resident load: it is in the arena, at its place
	settled bool       // all of prog's are

	started gate // runs asked of the loader
	idle    gate // runs that the loader has ended
	steps   gate // steps complete in this run
	loaded  gate // loads complete in this run
	kept    gate // residents in the arena in this run, counted from the first
	runs    int64
	ahead   int // loads that the run before has made for the next one: those first in the list
	intake  intake
	failure error // set before loaded is advanced to its end
	halt    halt
	tmp     [winogradTmpLen]float32 // of the loader, where it expands weights

	// observe, where not nil, is told when a step begins, its loads being there, and
	// when it is complete. Benchmarks set it, from a file that they add to the package.
	observe func(step int, complete bool)
	waited  time.Duration // for loads, in all runs
}

// halt tells the loader and the steps of a run to end early.
type halt struct {
	stop    atomic.Bool  // the run has failed
	closing *atomic.Bool // the net is being closed
	ctx     context.Context
	done    <-chan struct{} // ctx's
}

var errStopped = errors.New("stopped")

// err is nil while the run may go on.
func (h *halt) err() error {
	if h.closing.Load() {
		return ErrClosed
	}
	if h.stop.Load() {
		return errStopped
	}
	if h.done != nil {
		select {
		case <-h.done:
			return context.Cause(h.ctx)
		default:
		}
	}
	return nil
}

// open starts the engine. A failed open leaves nothing behind.
func (e *engine) open(net *network, o *Options, embedded string) error {
	e.net = net
	place, err := placementFor(o.Cores)
	if err != nil {
		return err
	}
	e.place = place
	n := o.Threads
	if n == 0 {
		n = min(runtime.GOMAXPROCS(0), net.maxThreads)
		if place.pinned {
			n = min(n, place.compute.count())
		}
	}
	if n < 1 || n > net.maxThreads {
		return fmt.Errorf("Options.Threads is %d; this package was compiled for 1 to %d", n, net.maxThreads)
	}
	budget := 0
	if o.Budget != 0 {
		var err error
		if budget, err = net.fitting(o.Budget); err != nil {
			return fmt.Errorf("Options.Budget: %w", err)
		}
	}
	if net.file.dataBytes > 0 {
		w, err := openWeights(&net.file, o, embedded)
		if err != nil {
			return err
		}
		e.weights, e.intake.help = w, w.around == nil
	}
	if err := e.prepare(budget); err != nil {
		e.unmap()
		return err
	}
	warm(n)
	if runtime.GOMAXPROCS(0) > n {
		e.steps.patience, e.loaded.patience, e.kept.patience = patience, patience, patience
	}
	e.team.place = &e.place
	e.team.start(n)
	for i := range e.team.threads {
		t := &e.team.threads[i]
		t.ports, t.weights = e.ports, e.weights
	}
	e.team.threads[0].slices = make([][]float32, net.slices)
	e.bind()
	if net.needsLoader() {
		go e.loader()
	}
	return nil
}

// prepare maps the arena and loads the residents of the first program.
func (e *engine) prepare(budget int) error {
	reserve := 0
	for b := range e.net.budgets {
		reserve = max(reserve, e.net.arenaBytes(b))
	}
	var err error
	if e.arena, err = openArena(reserve, e.net.arenaBytes(budget), len(e.net.budgets) > 1); err != nil {
		return err
	}
	e.budget, e.ports = budget, make([][]float32, e.net.ports)
	e.asked.Store(int32(budget))
	e.adopted.Store(int32(budget))
	e.have = make([][]bool, len(e.net.programs))
	for i, p := range e.net.programs {
		e.have[i] = make([]bool, len(p.resident))
	}
	for _, g := range []*gate{&e.started, &e.idle, &e.steps, &e.loaded, &e.kept} {
		g.init()
	}
	e.halt.closing = &e.closing
	e.adopt(0)
	return e.settle()
}

// begin claims the net for one run with inputs of a shape, and end gives it back.
func (e *engine) begin(shape int) error {
	if e.closing.Load() {
		return ErrClosed
	}
	if !e.running.CompareAndSwap(false, true) {
		return errors.New("Run called while another Run of the same Net is under way; make one Net per goroutine")
	}
	e.owner.Lock()
	if e.closing.Load() {
		e.end()
		return ErrClosed
	}
	if err := e.refused; err != nil {
		e.refused = nil
		e.end()
		return err
	}
	e.adopt(shape)
	return nil
}

func (e *engine) end() {
	clear(e.ports)
	e.halt.ctx, e.halt.done = nil, nil
	e.disown()
	e.running.Store(false)
}

// run makes one inference. The caller has filled ports.
func (e *engine) run(ctx context.Context) error {
	e.halt.ctx, e.halt.done = ctx, ctx.Done()
	e.halt.stop.Store(false)
	streaming := len(e.prog.loads) > 0 || !e.settled
	kept := int64(0)
	if e.settled {
		kept = int64(len(e.prog.resident))
	}
	e.kept.value.Store(kept)
	if e.place.pinned {
		e.place.enter()
		defer e.place.leave()
	}
	if streaming {
		e.runs++
		e.failure = nil
		e.steps.value.Store(0)
		e.loaded.value.Store(int64(e.ahead))
		e.intake.begin(e.prog.loads, e.ahead)
		e.ahead = 0
		e.started.advance(e.runs)
	}
	err := e.compute()
	if streaming {
		if err != nil {
			e.halt.stop.Store(true)
		}
		e.steps.advance(math.MaxInt64)
		e.idle.await(e.runs)
	}
	return err
}

func (e *engine) compute() error {
	for i := range e.prog.steps {
		if err := e.halt.err(); err != nil {
			return err
		}
		s := &e.prog.steps[i]
		if !e.awaitLoads(&e.loaded, int(s.wait)) || !e.awaitLoads(&e.kept, int(s.kept)) {
			return e.failure
		}
		if e.observe != nil {
			e.observe(i, false)
		}
		e.team.threads[0].following = e.following(i)
		e.team.step(s.run, s.part, [2]int{int(s.rows[0]), int(s.rows[1])})
		if e.observe != nil {
			e.observe(i, true)
		}
		if s.fails {
			if err := e.team.failure(); err != nil {
				return err
			}
		}
		e.steps.advance(int64(i + 1))
	}
	return nil
}

// following is where the weights of the next step that has some are, if that is near
// and they are there.
func (e *engine) following(i int) int {
	steps := e.prog.steps
	for j := i + 1; j < min(i+4, len(steps)); j++ {
		s := &steps[j]
		if at := s.part.weights; at != 0 {
			if int64(s.wait) > e.loaded.value.Load() || int64(s.kept) > e.kept.value.Load() {
				return 0
			}
			return int(at)
		}
	}
	return 0
}

// awaitLoads waits until n loads of a kind are complete, and reports whether they
// are: the loader may have failed instead.
func (e *engine) awaitLoads(g *gate, n int) bool {
	if n == 0 {
		return true
	}
	if int64(n) > g.value.Load() {
		from := time.Now()
		for g == &e.loaded && int64(n) > g.value.Load() && e.assist(n) {
		}
		g.await(int64(n))
		e.waited += time.Since(from)
	}
	return g.value.Load() < math.MaxInt64
}

// loader runs ahead of compute by the schedule: load i starts once its `after`
// steps are complete.
func (e *engine) loader() {
	e.place.stay(&e.place.loading)
	for run := int64(1); ; run++ {
		e.started.await(run)
		if e.started.value.Load() == math.MaxInt64 {
			return
		}
		e.stream()
		e.idle.advance(run)
	}
}

// stream makes the loads of a run. After a change of plans it first brings the
// residents that are missing, each before the first load that no earlier step
// needs: no step waits for a load behind what a later step needs.
func (e *engine) stream() {
	loads := e.prog.loads
	resident := 0
	for i := int(e.loaded.value.Load()); i < len(loads); i++ {
		l := &loads[i]
		if !e.settleUntil(&resident, int(l.before)) {
			return
		}
		if l.after > 0 {
			e.steps.await(int64(l.after))
		}
		for {
			p, ok := e.intake.take(theLoader, i+1)
			if !ok {
				break
			}
			e.finish(theLoader, e.weights.bring(p, e.arena.mem, &e.halt))
		}
	}
	if !e.settleUntil(&resident, math.MaxInt) {
		return
	}
	if e.loaded.value.Load() == math.MaxInt64 {
		return
	}
	// The head of the next run. What fails here that run does again.
	for i := range loads {
		l := &loads[i]
		if l.ahead == 0 {
			break
		}
		e.steps.await(int64(l.ahead))
		if e.weights.read(l, e.arena.mem, &e.halt) != nil {
			return
		}
		e.ahead = i + 1
	}
}

// settleUntil brings missing residents from number *next on, up to the first that
// only steps after `step` need.
func (e *engine) settleUntil(next *int, step int) bool {
	if e.settled {
		return true
	}
	have := e.have[e.at]
	for ; *next < len(have) && int(e.prog.resident[*next].before) <= step; *next++ {
		if !have[*next] {
			if err := e.weights.keep(&e.prog.resident[*next], e.arena.mem, e.tmp[:], &e.halt); err != nil {
				e.finish(theLoader, err)
				return false
			}
			have[*next] = true
		}
		e.kept.advance(int64(*next + 1))
	}
	e.settled = *next == len(have)
	return true
}

// fail ends a run that waits for loads.
func (e *engine) fail(err error) {
	e.failure = err
	e.loaded.advance(math.MaxInt64)
	e.kept.advance(math.MaxInt64)
}

// close ends a run that is under way, waits for it, ends the goroutines and unmaps
// the arena. Calling it again does nothing.
func (e *engine) close() error {
	e.closing.Store(true)
	e.owner.Lock()
	defer e.owner.Unlock()
	if e.arena == nil {
		return nil
	}
	e.team.stop()
	if e.net.needsLoader() {
		e.started.advance(math.MaxInt64)
	}
	return e.unmap()
}

// unmap gives back what the system lent.
func (e *engine) unmap() error {
	var err error
	if e.arena != nil {
		err = e.arena.close()
		e.arena = nil
	}
	if e.weights != nil {
		e.weights.close()
		e.weights = nil
	}
	return err
}

// port checks and records one of the user's arrays. Outputs, which come after the
// inputs, may share memory with nothing: steps may write them before all is read.
func (e *engine) port(i int, what string, data []float32, want int) error {
	if len(data) != want {
		return fmt.Errorf("%s has %d values, want %d", what, len(data), want)
	}
	if i >= e.net.inputs {
		for _, other := range e.ports[:i] {
			if overlap(other, data) {
				return fmt.Errorf("%s shares memory with an input or another output", what)
			}
		}
	}
	e.ports[i] = data
	return nil
}

// overlap reports whether two arrays have an element in common.
func overlap(a, b []float32) bool {
	lo, hi := uintptr(unsafe.Pointer(unsafe.SliceData(a))), uintptr(unsafe.Pointer(unsafe.SliceData(b)))
	return lo < hi+4*uintptr(len(b)) && hi < lo+4*uintptr(len(a))
}
