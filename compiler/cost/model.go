package cost

import (
	"math"

	"github.com/flexnnc/flexnnc/ir/op"
)

// Model is a target with a number of compute threads, in the terms of the planner:
// a step takes Step, the Work of its part of the op, and Touch for each byte of
// activations that it reads or writes; a load takes Load and Read for each byte.
type Model struct {
	Step  int64 // picoseconds per step
	Touch int64 // picoseconds per byte of activations
	Load  int64 // picoseconds per load
	Read  int64 // picoseconds per byte of the weights file
	// rates are femtoseconds per unit of work, all threads together.
	rates map[Class]int64
}

// Model prepares predictions for so many compute threads; 0 is one for each core.
// Threads beyond the cores bring nothing.
func (t *Target) Model(threads int) *Model {
	if threads < 1 || threads > t.Cores {
		threads = t.Cores
	}
	together := 1 + float64(t.Parallel*float64(threads-1))
	m := &Model{
		Step:  t.StepNS * 1000,
		Touch: round(1e12 / t.MemoryBandwidth),
		Load:  t.StorageLatencyNS * 1000,
		Read:  round(1e12 / t.StorageBandwidth),
		rates: map[Class]int64{},
	}
	for _, c := range Classes() {
		m.rates[c] = round(1e15 / float64(t.Kernels[c]*together))
	}
	return m
}

func round(f float64) int64 { return max(1, int64(math.Round(f))) }

// Work is the picoseconds that all of an op's arithmetic takes, and the way of its
// weights from memory, and the bytes of activations that it reads and writes.
func (m *Model) Work(o *op.Op) (picoseconds, bytes int64) {
	w := Of(o)
	return m.of(w), w.Bytes
}

func (m *Model) of(w Work) int64 { return m.Units(w.Class, w.Units) + m.Units(Vector, w.Weights) }

// Units is the picoseconds of so many units of a class.
func (m *Model) Units(c Class, n int64) int64 {
	rate := m.rates[c]
	// n*rate fits for 2^63 fs, two and a half hours; beyond it 1 ps is no matter.
	if n > math.MaxInt64/rate {
		return n / 1000 * rate
	}
	return n * rate / 1000
}

// Op is the picoseconds of an op as one step.
func (m *Model) Op(o *op.Op) int64 {
	work, bytes := m.Work(o)
	return m.Step + work + m.Touch*bytes
}
