package cost

import (
	"math"

	"github.com/flexnnc/flexnnc/ir/op"
)

// Model is a target with a number of compute threads, in the terms of the planner:
// a step takes Step, the work of its Part of an Op, and Touch for each byte of
// activations that it reads or writes; a load takes Load and Read for each byte.
type Model struct {
	Step  int64 // picoseconds per step
	Touch int64 // picoseconds per byte of activations in memory
	// Near is that of a byte in the cache, which holds Cache bytes; 0: none is known.
	Near, Cache int64
	Load        int64 // picoseconds per load
	Read        int64 // picoseconds per byte of the weights file
	// Apart says that threads had better share no scratch.
	Apart bool
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
		Apart: t.Apart && threads > 1,
		rates: map[Class]int64{},
	}
	if t.CacheBytes > 0 && (threads == 1 || !t.CachePerCore) {
		m.Cache, m.Near = t.CacheBytes, min(round(1e12/t.CacheBandwidth), m.Touch)
	}
	for _, c := range Classes() {
		m.rates[c] = round(1e15 / float64(t.Kernels[c]*together))
	}
	return m
}

// Holds says whether the cache holds so many bytes.
func (m *Model) Holds(bytes int64) bool { return bytes <= m.Cache }

func round(f float64) int64 { return max(1, int64(math.Round(f))) }

// Units is the picoseconds of so many units of a class.
func (m *Model) Units(c Class, n int64) int64 { return units(m.rates[c], n) }

func units(rate, n int64) int64 {
	// n*rate fits for 2^63 fs, two and a half hours; beyond it 1 ps is no matter.
	if n > math.MaxInt64/rate {
		return n / 1000 * rate
	}
	return n * rate / 1000
}

// Part is what a step makes of an op.
type Part struct {
	Panels, All  int // panels of op.PanelWidth channels, of all; 1 of 1 where there are none
	Rows, Height int // rows of the output, of all; 0 stands for all
	// Near is how many bytes of the op's activations, those of all its rows and panels,
	// the cache holds.
	Near int64
	// Lean says that the step has the least scratch that it makes do with.
	Lean bool
	// Shared says that threads share scratch which each could have of its own.
	Shared bool
	// Expanded says that its weights are in the arena as Winograd's algorithm takes
	// them.
	Expanded bool
}

// Op is what the steps of an op take by a model.
type Op struct {
	step           int64
	touch, saved   int64 // picoseconds of a byte in memory, and how many less in the cache
	arithmetic     int64 // of all of it, and the way of weights that caches hold
	weights        int64 // the way of weights that they do not hold, once for each step's panels
	bytes          int64 // of activations
	apart          bool  // slices read their own channels only
	winograd       *winograd
	far            bool  // what threads share is
	rate           int64 // of its units, in femtoseconds
	height, panels int
	raw, expanded  int64 // picoseconds of a panel's way from memory
	expandedBytes  int64 // of all panels
	lean           int64 // what the least scratch adds, but for winograd
}

// Op prepares an op.
func (m *Model) Op(o *op.Op) *Op {
	w := Of(o)
	p := &Op{step: m.Step, touch: m.Touch, saved: m.Touch - m.Near, bytes: w.Bytes, apart: o.Panels == nil}
	p.arithmetic = m.Units(w.Class, w.Units)
	if way := m.Units(Vector, w.Weights); 4*w.Weights <= cached {
		p.arithmetic += way
	} else {
		p.weights = way
	}
	if w.Class == Winograd {
		p.winograd, p.rate, p.height, p.far = newWinograd(o), m.rates[Winograd], o.Conv.OutH, m.Apart
		p.panels = o.Panels.Count()
		each := int64(o.Conv.ExpandedPanelBytes())
		p.raw, p.expanded = m.weights(int64(o.Panels.PanelBytes())), m.weights(each)
		p.expandedBytes = int64(p.panels) * each
	}
	if c := o.Call; c != nil && c.LeanInts != nil {
		packs := m.Units(Transpose, packed(c.Ints)/2)
		p.arithmetic += packs
		p.lean = m.Units(Transpose, packed(c.LeanInts)/2) - packs
	}
	return p
}

// weights is the picoseconds of the way of weights from memory, which threads share.
func (m *Model) weights(bytes int64) int64 {
	return max(m.Units(Vector, bytes/4), m.Touch*bytes)
}

// Part is the picoseconds of a step. Every slice of a convolution reads all of its
// rows' input again.
func (o *Op) Part(p Part) int64 {
	bytes, near := o.bytes, p.Near
	if o.apart {
		bytes, near = share(bytes, p.Panels, p.All), share(near, p.Panels, p.All)
	}
	if p.Rows > 0 {
		bytes, near = share(bytes, p.Rows, p.Height), share(near, p.Rows, p.Height)
	}
	return o.step + o.work(p) + o.touch*bytes - o.saved*near
}

func (o *Op) work(p Part) int64 {
	g := o.winograd
	if g == nil {
		work := o.arithmetic
		if p.Lean {
			work += o.lean
		}
		if p.Rows > 0 {
			work = share(work, p.Rows, p.Height)
		}
		return share(work+o.weights, p.Panels, p.All)
	}
	rows, panels := p.Rows, p.Panels
	if rows == 0 {
		rows = o.height
	}
	if p.All == 1 {
		panels = o.panels
	}
	time := units(o.rate, g.units(rows, panels, p.Lean, p.Expanded))
	if p.Shared && o.far {
		time += time / farAway
	}
	switch _, blocks := g.blocks(rows, p.Lean); {
	case !p.Expanded:
		return time + int64(panels)*o.raw
	case o.expandedBytes <= cached:
		return time + int64(panels)*o.expanded
	default:
		return time + int64(blocks*panels)*o.expanded
	}
}

// Again is the picoseconds that one more slice of all rows adds, but for the step:
// its inputs are read, and transformed, again.
func (o *Op) Again() int64 {
	t := o.touch * o.bytes
	if g := o.winograd; g != nil {
		t += units(o.rate, g.units(o.height, 0, false, true))
	}
	return t
}

// share is n parts of all.
func share(v int64, n, all int) int64 { return v * int64(n) / int64(all) }
