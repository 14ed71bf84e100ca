// Package arena chooses offsets for buffers with fixed lifetimes inside one
// block of memory (dynamic storage allocation), exactly where the search limit
// allows and with a stated gap elsewhere.
//
// It must not know what the buffers hold: no graph, layer, weight or target.
// It sees sizes, alignments, half-open lifetimes and, for some buffers, an
// offset that is already decided.
//
// The exact search follows M. D. Moffitt, "MiniMalloc: A Lightweight Memory
// Allocator for Hardware-Accelerated Machine Learning", ASPLOS 2023 (canonical
// solutions, section floors, dominance, decomposition in time) and adds a table
// of refuted states, support and one-machine bounds on every section, and
// identical-buffer symmetry.
package arena

import "errors"

// ErrInfeasible says that no placement inside the capacity exists.
var ErrInfeasible = errors.New("arena: buffers do not fit the capacity")

// ErrLimit says that the node limit was reached before an answer was found.
var ErrLimit = errors.New("arena: node limit reached")

// Buffer is one block of Size bytes, live over the half-open interval
// [Lower, Upper) of steps. Buffers of no size or with an empty interval take no
// space.
type Buffer struct {
	ID           string
	Lower, Upper int
	Size         int64
	Align        int64  // offset is a multiple of Align; 0 or 1 = none
	Fixed        *int64 // given offset, or nil
	// Shape says what of the buffer is in use when, nil for all of it throughout. The
	// extents lie within [Lower, Upper) and Size, at most one at a time.
	Shape []Extent
}

// Solution is a placement: one offset per buffer, in the order of the input.
type Solution struct {
	Offsets    []int64
	Height     int64 // max offset+size
	Optimal    bool  // proven minimal: Height equals a lower bound or the search was exhausted
	LowerBound int64 // no placement is lower than this
	Nodes      int64 // search nodes spent
}

// Technique names one part of the exact search, so that it can be left out for
// an ablation. Every combination stays exact.
type Technique uint32

const (
	// Reduce drops sections contained in a neighbouring section and puts
	// buffers that live through a whole component at its bottom.
	Reduce Technique = 1 << iota
	// Decompose solves parts that share no unplaced buffer independently.
	Decompose
	// Dominance skips placements that leave a hole some other buffer fits in.
	Dominance
	// Symmetry orders identical buffers by index.
	Symmetry
	// Support raises a skipped buffer onto the lowest buffer that can carry it.
	Support
	// Schedule bounds each section as a one-machine schedule and finds buffers
	// that cannot be the next in it; without it only the floor is used.
	Schedule
	// Memo remembers refuted states.
	Memo
	// Restarts runs several orders with growing node limits instead of one.
	Restarts
)

// Options bound and shape the exact search. The zero value is the default.
type Options struct {
	Nodes   int64     // search limit in nodes, deterministic; 0 = default
	Without Technique // techniques to leave out
}

// DefaultNodes is the search limit when Options.Nodes is zero.
const DefaultNodes = 200_000

func (o Options) nodes() int64 {
	if o.Nodes > 0 {
		return o.Nodes
	}
	return DefaultNodes
}

func (b *Buffer) live() bool { return b.Size > 0 && b.Lower < b.Upper }

func (b *Buffer) align() int64 {
	if b.Align > 1 {
		return b.Align
	}
	return 1
}

// alignUp rounds x up to a multiple of a, a ≥ 1.
func alignUp(x, a int64) int64 {
	if a == 1 {
		return x
	}
	if r := x % a; r != 0 {
		return x + a - r
	}
	return x
}
