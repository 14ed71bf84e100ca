package runtime

import (
	"math"
	"sync/atomic"
)

// intake hands out the loads of a run, piece by piece and in their order, to the
// loader and to the goroutine that Run was called on: while that waits for a load it
// helps to make it. Loads are complete in order, as steps suppose.
type intake struct {
	lock   atomic.Bool // of all that follows; nobody holds it for long
	loads  []load
	next   int    // the load whose pieces are handed out
	at     int    // byte of it where the next piece begins
	busy   [2]int // the load that each is at work on, noLoad where none
	failed bool   // nothing is handed out any more
	help   bool   // several may read at a time
}

const noLoad = math.MaxInt

// Who takes pieces.
const (
	theLoader = iota
	theRunner
)

// piece is bytes [lo,hi) of a load: whole chunks.
type piece struct {
	load   *load
	lo, hi int
}

func (in *intake) enter() {
	for spin := 1; !in.lock.CompareAndSwap(false, true); spin++ {
		if spin%64 == 0 {
			yield()
		}
	}
}

func (in *intake) leave() { in.lock.Store(false) }

// begin starts a run whose first loads are there.
func (in *intake) begin(loads []load, done int) {
	in.loads, in.next, in.at, in.failed = loads, done, 0, false
	in.busy = [2]int{noLoad, noLoad}
}

// take gives a piece of a load before the limit-th; false where all of those are
// handed out.
func (in *intake) take(who, limit int) (p piece, ok bool) {
	in.enter()
	defer in.leave()
	if in.failed || in.next >= limit {
		return p, false
	}
	l := &in.loads[in.next]
	p = piece{l, in.at, l.piece(in.at)}
	in.busy[who] = in.next
	if in.at = p.hi; in.at == int(l.bytes) {
		in.next, in.at = in.next+1, 0
	}
	return p, true
}

// done says that a piece is in the arena, and returns how many loads are complete.
func (in *intake) done(who int) int {
	in.busy[who] = noLoad
	return min(in.next, in.busy[theLoader], in.busy[theRunner])
}

// finish ends the work on a piece: what is complete is passed on, or what went wrong.
func (e *engine) finish(who int, err error) {
	in := &e.intake
	in.enter()
	defer in.leave()
	switch {
	case in.failed:
	case err != nil:
		in.failed = true
		e.fail(err)
	default:
		if n := int64(in.done(who)); n > e.loaded.value.Load() {
			e.loaded.advance(n)
		}
	}
}

// assist makes a piece of the first n loads, if there is one left to make.
func (e *engine) assist(n int) bool {
	if !e.intake.help {
		return false
	}
	p, ok := e.intake.take(theRunner, n)
	if ok {
		e.finish(theRunner, e.weights.bring(p, e.arena.mem, &e.halt))
	}
	return ok
}
