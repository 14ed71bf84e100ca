// Package schedule turns a lowered network and a memory budget into a plan: how
// each weighted op is sliced, where every buffer lies in the arena, which weights
// stay between runs, and when each of the others is loaded.
//
// One decision per file: network.go and rows.go (what each op reads and writes),
// segments.go and chains.go (which ops take turns), bands.go (in which order,
// and how many rows of each image exist at a time), lifetimes.go (which bytes are
// live when), pack.go (where activations lie, and the smallest budget),
// residents.go (which weights stay),
// slices.go (how large the slices are), gaps.go and stream.go (where and how early
// each slice is loaded), cost.go (what a plan would take), search.go (which of the
// candidate plans is best), emit.go (the plan as a value),
// ledger.go (what lies in the arena, in words).
//
// The package must not know ncnn, instruction sets, kernels or Go source. It
// never checks its own result: compiler/verify does, and shares no code with it.
//
// The structure follows FlexNN (MobiCom '24, sections 4 and 5): activations first,
// then weights into the gaps as early as their space is free. Beyond it: one knob,
// a floor that is found and reported, feasibility that is monotone in the budget,
// and a resident set of single panels.
package schedule

import (
	"fmt"
	"slices"
	"strings"

	"github.com/flexnnc/flexnnc/ir/op"
	"github.com/flexnnc/flexnnc/ir/plan"
)

// Options steer planning. The No switches leave out one technique each, for
// ablation; every combination gives valid plans.
type Options struct {
	Budget  plan.Bytes // of the arena; 0 = unlimited
	Min     bool       // use the smallest budget that this planner can make work, whatever Budget says
	Threads int        // the most compute threads, for which scratch is reserved; 0 = 1
	Speed   Speed      // by which times are predicted
	// Effort bounds the search, in nodes of exact packing and in candidates; 0 = 1.
	// More never gives a larger smallest budget, nor a slower plan for a budget.
	Effort int

	NoPreload   bool // a slice is loaded only once the step before its own is complete
	NoAhead     bool // no run loads what the next one begins with
	NoResidents bool // no weights stay between runs
	NoInPlace   bool // no output lies over a dying input
	NoSlices    bool // the weights that an op streams come as one slice
	NoBands     bool // ops run one after another, each whole but for slices of its panels
	NoFlow      bool // ops that take turns by bands hold all their weights meanwhile
	NoExact     bool // packing is greedy
	lean        bool // ops have the least scratch that they make do with
	own         bool // each thread has all of a step's scratch, where others would share
	rough       bool // it is of no matter how little memory would do
	level       int  // of effort, from 1 on
	NoSearch    bool // the first candidate is taken: the tightest packing, the largest slices, nothing kept
}

// InfeasibleError says that the budget is too small for every plan that this
// planner can make.
type InfeasibleError struct {
	Budget, Smallest plan.Bytes
	// At names the op at which the most bytes are live, and Blocking what is live
	// there with its size, largest first.
	At       string
	Blocking []string
}

func (e *InfeasibleError) Error() string {
	return fmt.Sprintf("a budget of %d bytes is too small: the smallest that works is %d bytes; during %s there are %s",
		e.Budget, e.Smallest, e.At, strings.Join(e.Blocking, ", "))
}

// Plan finds a plan for g, which must be lowered and placed: no Concat or View
// ops, and strides in every tensor.
func Plan(g *op.Graph, o Options) (*plan.Plan, error) {
	if o.Budget < 0 {
		return nil, fmt.Errorf("a budget of %d bytes is not possible", o.Budget)
	}
	o.Threads = max(1, o.Threads)
	o.Speed = o.Speed.withDefaults(o.Threads)
	levels, err := levelsOf(g, o)
	if err != nil {
		return nil, err
	}
	least := levels[0].least
	for _, l := range levels {
		if l.least.floor() < least.floor() {
			least = l.least
		}
	}
	smallest := least.floor()
	at, blocking := least.t.blocking()
	switch {
	case o.Min:
		o.Budget = smallest
	case o.Budget != 0 && o.Budget < smallest:
		return nil, &InfeasibleError{Budget: o.Budget, Smallest: smallest, At: at, Blocking: blocking}
	}
	// Each level looks for something better than what those before it have found.
	var s *searcher
	var t *timeline
	var d *draft
	for _, l := range levels {
		o.level = l.effort
		for _, next := range l.searchers(o) {
			if of, found := next.best(d); found != nil && (d == nil || better(found, d)) {
				s, t, d = next, of, found
			}
		}
	}
	p := emit(t, d, o)
	p.Certificate = certify(p, smallest)
	o.lean = true
	n, err := newNetwork(g, o)
	if err != nil {
		return nil, err
	}
	p.Certificate.Least = n.leastBound(o)
	var bound int64
	p.Certificate.Time, bound = s.bounds.time(o.Budget, o, s.live)
	p.Forecast.Bound = duration(bound)
	return p, nil
}

// level is what one level of effort has to choose from.
type level struct {
	effort int
	ways   []*way
	own    []*way // where threads share no scratch; nil where that gains nothing
	lean   []*way // where ops make do with less scratch; nil where that gains nothing
	least  *way   // of all, the one that fits the smallest budget
}

// levelsOf are the levels up to the effort asked for.
func levelsOf(g *op.Graph, o Options) (levels []level, err error) {
	lean := hasLean(g)
	own := o.Speed.Model.Apart && slices.ContainsFunc(g.Ops, func(x *op.Op) bool { return x.OwnStepScratch(o.Threads) > x.StepScratch(o.Threads) })
	for effort := 1; effort <= max(1, o.Effort); effort++ {
		l := level{effort: effort}
		o.level, o.lean, o.rough = effort, false, lean
		if l.ways, l.least, err = waysOf(g, o); err != nil {
			return nil, err
		}
		if own {
			o.own = true
			if l.own, _, err = waysOf(g, o); err != nil {
				return nil, err
			}
			o.own = false
		}
		if lean {
			o.lean, o.rough = true, false
			ways, least, err := waysOf(g, o)
			if err != nil {
				return nil, err
			}
			if least.floor() < l.least.floor() {
				l.lean, l.least = ways, least
			}
		}
		levels = append(levels, l)
	}
	return levels, nil
}

// searchers are for a budget, which is settled, with scratch of each thread's own, with
// all that ops ask for and with less, each where the budget suffices. Less scratch leaves more for
// weights: without it, the first budget that has room for all scratch would get a
// slower plan than those below.
func (l *level) searchers(o Options) (list []*searcher) {
	for _, ways := range [][]*way{l.own, l.ways, l.lean} {
		if ways != nil && (o.Budget == 0 || leastOf(ways).floor() <= o.Budget) {
			n := ways[0].t.n
			list = append(list, &searcher{n: n, ways: ways, o: o, bounds: newBounds(n, o.Speed)})
		}
	}
	return list
}

// waysOf are the ways to divide g, and the one that fits the smallest budget.
func waysOf(g *op.Graph, o Options) (ways []*way, least *way, err error) {
	n, err := newNetwork(g, o)
	if err != nil {
		return nil, nil, err
	}
	ways = n.ways(o)
	return ways, leastOf(ways), nil
}

func leastOf(ways []*way) *way {
	least := ways[0]
	for _, w := range ways {
		if w.floor() < least.floor() {
			least = w
		}
	}
	return least
}

// hasLean says whether some op makes do with less scratch than it asks for.
func hasLean(g *op.Graph) bool {
	return slices.ContainsFunc(g.Ops, func(o *op.Op) bool { return o.LeanStepScratch(1) < o.StepScratch(1) })
}

// up rounds a size up to the alignment of buffers.
func up(n plan.Bytes) plan.Bytes { return (n + plan.Align - 1) &^ (plan.Align - 1) }
