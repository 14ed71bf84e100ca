package runtime

import "sync/atomic"

// A core finds in its cache what it made itself, and on many machines waits ten times
// as long for what another one made, or writes what another one has read. So threads
// share out images by where they are: each has a part of every image, the same
// fraction, and takes another's units only when its own are used up.

// share is how many units of a thread's part are taken: the step's turn, of which its
// low 24 bits count, then 20 bits from the front and 20 from the back. It is of no
// turn but that one.
type share struct {
	taken atomic.Uint64
	_     [120]byte // neither core fetches it with another's
}

const (
	shareBits = 20
	shareMost = 1<<shareBits - 1
)

// take takes the next of n units for a turn, from the front or from the back, and
// returns -1 where none is left.
func (s *share) take(turn int64, n int, back bool) int {
	turn &= 1<<24 - 1
	for {
		old := s.taken.Load()
		v := old
		if int64(v>>(2*shareBits)) != turn {
			v = uint64(turn) << (2 * shareBits)
		}
		front, behind := int(v>>shareBits&shareMost), int(v&shareMost)
		if front+behind >= n {
			return -1
		}
		unit, next := front, v+1<<shareBits
		if back {
			unit, next = n-1-behind, v+1
		}
		if s.taken.CompareAndSwap(old, next) {
			return unit
		}
	}
}

// evenly is n or the least number above it of which each thread has as many.
func evenly(n, threads int) int { return (n + threads - 1) / threads * threads }

// claimNear takes one of outer*inner units, where numbers of inner that are near each
// other are near each other in memory. A thread's own are those of a range of inner,
// for all outer: it takes them outer by outer. The driver stops when ok is false.
func (t *thread) claimNear(outer, inner int) (o, i int, ok bool) {
	total := outer * inner
	if t.team == nil || len(t.team.threads) == 1 || total > shareMost {
		u := t.claim()
		if u >= total {
			return 0, 0, false
		}
		return u / inner, u % inner, true
	}
	n := len(t.team.threads)
	wide := inner
	if inner < n { // too few to share out
		outer, wide = 1, total
	}
	for ; t.others < n; t.others++ {
		p := (t.id + t.others) % n
		lo, hi := wide*p/n, wide*(p+1)/n
		if u := t.team.shares[p].take(t.turn, outer*(hi-lo), t.others > 0); u >= 0 {
			o, i = u/(hi-lo), lo+u%(hi-lo)
			if inner < n {
				o, i = i/inner, i%inner
			}
			return o, i, true
		}
	}
	return 0, 0, false
}
