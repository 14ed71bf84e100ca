// Package plan is the result of planning as a value: which step runs which slice
// of which operation, where every buffer lies in the arena, and when each piece
// of weights is loaded. Its text form is stable and complete. It knows the
// operations it places and nothing of how the plan was found.
package plan

import (
	"time"

	"github.com/flexnnc/flexnnc/ir/op"
)

// Bytes is a size or an offset in bytes.
type Bytes int64

// Align is the alignment of every buffer and of every weights file item.
const Align = 64

// Plan says how a lowered network runs within Budget bytes. What schedule makes
// and verify demands, and code generation may rely on:
//   - every Weights buffer is filled by exactly one load, over its whole size, or
//     Expanded;
//   - a step's first panel lies at the Offset of its Weights buffer;
//   - resident loads come first in Loads, in the order of the file; streamed loads
//     follow in the order in which steps need them;
//   - Threads, Scratch, Weights and Zeros buffers have no Tensor, Activation ones do.
type Plan struct {
	Graph    *op.Graph
	Budget   Bytes // as asked; 0 = unlimited ("max")
	Threads  int   // the most compute threads; per-thread scratch is reserved for all
	Arena    Bytes // peak: what is mapped
	File     File  // the weights file; the same for every budget
	Buffers  []Buffer
	Steps    []Step
	Forecast Forecast
	Loads    []Load // resident ones first; then in the order in which the loader makes them
	// Certificate says how far this plan can be from the best one.
	Certificate Certificate
}

// Forecast is what a run is predicted to take by the planner's cost model.
type Forecast struct {
	Run     time.Duration // from the first step to the last
	Compute time.Duration // of all steps, if nothing waited for a load
	Read    time.Duration // of all streamed loads, if nothing waited for a step
	Bound   time.Duration // no plan within the budget can be faster, by the same model
}

// Certificate holds bounds that no plan can beat which the planner may make: with
// the slices and bands it can choose from, and by its cost model.
type Certificate struct {
	// MinBudget is the smallest budget with which planning succeeds.
	MinBudget Bytes
	// Least holds for every choice of slices and bands: MinBudget-Least.Bytes is the
	// gap of the planner itself.
	Least MemoryBound
	// Live holds for the steps of this plan: Arena-Live.Bytes is what lies fallow at
	// the worst moment, holds weights that wait for their step, or stays for the next run.
	Live MemoryBound
	Time TimeBound
}

// MemoryBound is the bytes that must be in the arena at once during an op.
type MemoryBound struct {
	Bytes    Bytes
	At       string   // the op
	Blocking []string // what is there, the largest first
}

// TimeBound is what a run within the budget takes at least. Bytes that do not fit
// beside the activations must be read in every run.
type TimeBound struct {
	Compute    time.Duration // all ops, each in one step
	Read       time.Duration // the weights that cannot stay between runs
	Dependency time.Duration // reads that fit neither before an op nor behind one
	Binding    string        // the op or load that makes the largest of the three
}

// Bound is the largest of the three.
func (t TimeBound) Bound() time.Duration { return max(t.Compute, t.Read, t.Dependency) }

// BufferKind says what a buffer holds.
type BufferKind int

// Kinds of buffer.
const (
	Activation    BufferKind = iota // a root tensor's elements (or a ring of its rows)
	Weights                         // a range of panels or a const, from the weights file
	Scratch                         // of one step, shared by threads
	ThreadScratch                   // whole run; Threads * per-thread bytes, each a multiple of Align
	Zeros                           // whole run; all zero, read by padding
)

func (k BufferKind) String() string {
	return [...]string{"activation", "weights", "scratch", "threads", "zeros"}[k]
}

// Buffer is a block of the arena, live from step First to step Last inclusive.
// For a Weights buffer First is the first step during which its load may write.
// A resident buffer is live in all steps and keeps its content between runs.
type Buffer struct {
	ID          int
	Name        string
	Kind        BufferKind
	Offset      Bytes
	Size        Bytes
	First, Last int
	// Ahead is the step from which on the buffer belongs to the load for the next run,
	// to the end; such a buffer is live from the first step of a run on. 0 = its load
	// is made in the run that uses it.
	Ahead    int
	Resident bool // Weights only
	// Expanded says that a resident buffer holds the panels of a convolution as
	// Winograd's algorithm takes them: op.ExpandedBytes. Its load expands them.
	Expanded bool
	Tensor   *op.Tensor // Activation: a root tensor
	// RingRows is the number of rows of the tensor's outermost axis that exist at
	// a time (row y lies at y mod RingRows); 0 = all of them.
	RingRows int
	// RingPanels is the number of panels of op.PanelWidth channels, on the innermost
	// axis, that exist at a time: the buffer is the tensor with its innermost axis
	// that long, and channel c lies at c mod (RingPanels*op.PanelWidth). What a step
	// makes or reads never crosses a multiple of it. 0 = all channels.
	RingPanels int
	// SharesWith is a buffer whose bytes this one deliberately overlaps, or -1: an
	// output over an input that dies with it, exactly in place and element by
	// element, or anywhere else if rows of the input are overwritten only once no
	// later step reads them.
	SharesWith int
}

// Range is half open.
type Range struct{ Lo, Hi int }

// Len is Hi-Lo.
func (r Range) Len() int { return r.Hi - r.Lo }

// Step is one call of a kernel driver: a slice of an operation.
type Step struct {
	Index int
	Op    *op.Op
	// Panels is a range of Op.Panels. Where the op has none it is {0,0} for all
	// channels or, of a Pool, a range of panels of op.PanelWidth channels.
	Panels Range
	// Rows is a range of the output's outermost axis, or of the input's for an
	// Output; {0,0} = all. The steps of an op make its rows in order.
	Rows Range
	// Weights is the buffer with the panels of this step, -1 where none.
	Weights int
	// Consts are buffers of const inputs, in the order of the op's const tensors
	// (In, then EpilogueIn).
	Consts []int
	// Picks says that the step itself reads, from the weights file, the rows that it
	// needs of the const that has rows to pick: that one's buffer is -1.
	Picks bool
	// Scratch is the step's scratch buffer or -1.
	Scratch int
	// Wait is the number of streamed loads that must be complete first: one more
	// than the position, among the loads that are not Resident, of the last one
	// that this step needs, 0 where it needs none. Loads complete in order.
	Wait int
}

// Load brings one contiguous piece of the weights file into a buffer.
type Load struct {
	Index      int
	Buffer     int
	Item       int   // of File.Items
	Panels     Range // of the item's panels; {0,0} for a const
	FileOffset Bytes
	Bytes      Bytes
	Arena      Bytes // destination offset
	// After is the number of steps of this run that must be complete before the
	// load may start: 0 = at the start of the run. It never decreases from one
	// streamed load to the next.
	After int
	// Ahead is the number of steps of a run that must be complete before the load may
	// be made for the next run, after all others of this run. Where a run finds it not
	// made, it makes it at its start: After is 0. Loads made ahead come first among the
	// streamed ones, and Ahead never decreases from one to the next. 0 = not so.
	Ahead int
	// Resident loads are made once, in New, before any run.
	Resident bool
}

// File is the layout of the weights file: items in op order, each aligned.
type File struct {
	Items []Item
	Bytes Bytes // of all items, without header and checksum table
}

// Item is one op's panels or one const.
type Item struct {
	Name   string
	Offset Bytes // from the first item
	Bytes  Bytes
	Panels *op.Panels // or
	Const  *op.Const
	// Chunk is the number of bytes that one checksum covers, from the item's start:
	// a panel where that is at most MaxChunk, else MaxChunk, with a shorter one at
	// the end of each panel; of a const whose rows are picked, Const.PickBytes. Loads
	// begin and end at panel boundaries.
	Chunk Bytes
}

// MaxChunk bounds what a single checksum covers.
const MaxChunk Bytes = 256 << 10
