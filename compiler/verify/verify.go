// Package verify decides whether a plan is right: whether the network, run by
// that plan under the worst timing that its waits allow, reads nothing but what
// it should. It is simple and slow, trusts no field of a plan, and shares no code
// with what makes plans. It must not know how plans are found, nor what becomes
// of them.
//
// The argument has three parts. Buffers that are live at the same time never
// share a byte (overlap.go), but for activations that say they do. Every access
// of a step, and every moment at which a load may write, falls into the life of
// its buffer (timing.go, replay.go). So each buffer of weights can be judged
// alone, and activations together with those that they overlap: a buffer must
// hold, when a step reads it, exactly the panels or const that the step needs
// (timing.go), or every element of the tensor rows that it reads (replay.go),
// written once and by no other tensor since.
package verify

import (
	"fmt"
	"strings"

	"github.com/flexnnc/flexnnc/ir/op"
	"github.com/flexnnc/flexnnc/ir/plan"
)

// Error lists what is wrong with a plan, at most MaxFaults of it.
type Error struct{ Faults []string }

// MaxFaults bounds the list: one mistake tends to show in many places.
const MaxFaults = 50

func (e *Error) Error() string {
	return fmt.Sprintf("plan is not valid (%d faults):\n\t%s", len(e.Faults), strings.Join(e.Faults, "\n\t"))
}

// Check returns nil for a valid plan, else an *Error.
func Check(p *plan.Plan) error {
	c := &checker{p: p}
	// Each group relies on what the one before it has established.
	for _, group := range [][]func(){
		{c.form, c.file},
		{c.loads, c.buffers, c.cover},
		{c.reserved, c.overlap, c.timing, c.replay},
	} {
		for _, f := range group {
			f()
		}
		if len(c.faults) > 0 {
			return &Error{c.faults}
		}
	}
	return nil
}

type checker struct {
	p      *plan.Plan
	faults []string
	// filled by loads: the load of each buffer, -1 where none
	loadOf []int
	// the position among streamed loads of each load, -1 for resident ones
	position []int
	// the step during which a load may begin to write: After, or that of an earlier load
	begin []int
	// filled by buffers: the buffer of each root tensor
	bufferOf map[*op.Tensor]int
	// filled by overlap: a number that buffers share which may overlap
	family []int
}

func (c *checker) fault(format string, args ...any) {
	if len(c.faults) < MaxFaults {
		c.faults = append(c.faults, fmt.Sprintf(format, args...))
	}
}

// form checks numbers that index something.
func (c *checker) form() {
	p := c.p
	if p.Graph == nil {
		c.fault("there is no graph")
		return
	}
	if p.Threads < 1 {
		c.fault("threads: %d", p.Threads)
	}
	if p.Budget < 0 || p.Budget > 0 && p.Arena > p.Budget {
		c.fault("the arena has %d bytes, the budget is %d", p.Arena, p.Budget)
	}
	if len(p.Steps) == 0 {
		c.fault("there are no steps")
	}
	known := map[*op.Op]bool{}
	for _, o := range p.Graph.Ops {
		known[o] = true
	}
	buffer := func(i int) bool { return i >= 0 && i < len(p.Buffers) }
	for i := range p.Buffers {
		b := &p.Buffers[i]
		if b.ID != i {
			c.fault("buffer %d has ID %d", i, b.ID)
		}
		if b.Kind < plan.Activation || b.Kind > plan.Zeros {
			c.fault("buffer %d has kind %d", i, int(b.Kind))
		}
		if b.SharesWith != -1 && !buffer(b.SharesWith) {
			c.fault("buffer %d shares with %d", i, b.SharesWith)
		}
		if b.Ahead != 0 && (b.Ahead <= b.Last || b.Ahead >= len(p.Steps) || b.First != 0 || b.Resident) {
			c.fault("%s is for the next run from step %d of %d on, and live in steps %d to %d", c.name(i), b.Ahead, len(p.Steps), b.First, b.Last)
		}
		if b.First < 0 || b.First > b.Last || b.Last >= len(p.Steps) {
			c.fault("%s is live in steps %d to %d of %d", c.name(i), b.First, b.Last, len(p.Steps))
		}
	}
	for i := range p.Steps {
		s := &p.Steps[i]
		if s.Index != i {
			c.fault("step %d has index %d", i, s.Index)
		}
		if !known[s.Op] {
			c.fault("step %d runs an op that is not in the graph", i)
		}
		for _, n := range append([]int{s.Weights, s.Scratch}, s.Consts...) {
			if n != -1 && !buffer(n) {
				c.fault("step %d uses buffer %d", i, n)
			}
		}
	}
	for i := range p.Loads {
		l := &p.Loads[i]
		if l.Index != i {
			c.fault("load %d has index %d", i, l.Index)
		}
		if !buffer(l.Buffer) {
			c.fault("load %d fills buffer %d", i, l.Buffer)
		}
		if l.Item < 0 || l.Item >= len(p.File.Items) {
			c.fault("load %d is of item %d", i, l.Item)
		}
		if l.After < 0 || l.After >= max(1, len(p.Steps)) {
			c.fault("load %d waits for %d of %d steps", i, l.After, len(p.Steps))
		}
	}
}

func (c *checker) name(buffer int) string {
	b := &c.p.Buffers[buffer]
	return fmt.Sprintf("buffer %d (%v %s)", buffer, b.Kind, b.Name)
}

func stepName(s *plan.Step) string {
	return fmt.Sprintf("step %d (%s)", s.Index, s.Op.Name)
}

// constsOf lists an op's const inputs, In before EpilogueIn.
func constsOf(o *op.Op) (cs []*op.Const) {
	for _, x := range o.In {
		if x.Root().Const != nil {
			cs = append(cs, x.Root().Const)
		}
	}
	for _, x := range o.EpilogueIn {
		if x.Root().Const != nil {
			cs = append(cs, x.Root().Const)
		}
	}
	return cs
}
