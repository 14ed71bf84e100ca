// Package runtime is the part of every emitted package that does not depend on
// the model: arena, weights loader, workers, kernel drivers and the portable
// twins of the assembly kernels. Its source is copied into each package, so it
// imports the standard library only, exports what the package's user needs, and
// knows nothing of ncnn or of planning.
package runtime

import (
	"sync/atomic"
	"unsafe"
)

// image is a window [rows][pixels][channels] of float32 in the arena. Strides
// are in bytes; channels are contiguous. Where ring is not 0 only that many rows
// exist at a time, and row y lies at (first+y) mod ring.
type image struct {
	off   int // bytes from the arena's start to element (0,0,0)
	row   int // bytes between rows
	pix   int // bytes between pixels
	ring  int
	first int
}

// rowOffset is the byte offset of row y.
func (m *image) rowOffset(y int) int {
	if m.ring != 0 {
		y = (m.first + y) % m.ring
	}
	return m.off + y*m.row
}

// straight is the window for rows [lo,hi) only: one without a ring, where the ring
// does not end among them.
func (m image) straight(lo, hi int) image {
	if m.ring == 0 || lo >= hi || (m.first+lo)%m.ring+hi-lo > m.ring {
		return m
	}
	m.off, m.ring = m.rowOffset(lo)-lo*m.row, 0
	return m
}

// thread is one compute thread's state. Drivers run on all threads at once and
// share out a step's tiles through claim; no driver may depend on which thread
// gets which tile.
type thread struct {
	id      int
	team    *team
	arena   unsafe.Pointer // start of the arena
	scratch unsafe.Pointer // this thread's scratch, in the arena
	tiles   *atomic.Int64  // next tile of the running step
	turn    int64          // the team's, of the running step
	others  int            // threads whose shares are used up, see claimNear
	ports   [][]float32    // the user's arrays of this run, inputs first
	part    part           // the running step's slice
	rows    [2]int         // its range of rows; {0, 0} = all
	// following is the arena offset of weights that a step after this one begins with and
	// that are there already, 0 where none are known. Thread 0 only: it takes the first tile.
	following int
	weights   *weights    // for steps that read from it themselves
	err       error       // of such a step
	slices    [][]float32 // room for those that a function of the user's is given; thread 0 only

	// Arguments of kernels, here so that calls through function values do not
	// allocate.
	conv       convArgs
	depthwise  depthwiseArgs
	rowKernel  depthwiseRowsArgs
	strips     depthwiseStripsArgs
	run        depthwiseRunArgs
	transposed transposeArgs
	pool       poolArgs
	blended    blendArgs
	winograd   winogradArgs
	maps       mapArgs
	quantize   quantizeArgs
	side       sideRows
	_          [64]byte // no other thread's fields in a cache line with these
}

// rowRange is the running step's range of an operation's n rows.
func (t *thread) rowRange(n int) (lo, hi int) {
	if t.rows[1] == 0 {
		return 0, n
	}
	return t.rows[0], t.rows[1]
}

// begin notes which step runs.
func (t *thread) begin(turn int64) { t.turn, t.others = turn, 0 }

// claim returns the next tile; the driver stops at the first beyond its count.
func (t *thread) claim() int { return int(t.tiles.Add(1)) - 1 }

// at is the address of a byte offset in the arena.
func (t *thread) at(off int) unsafe.Pointer { return unsafe.Add(t.arena, off) }
