package verify_test

import (
	"errors"
	"fmt"
	"math/rand"
	"strings"
	"testing"

	"github.com/flexnnc/flexnnc/compiler/schedule"
	"github.com/flexnnc/flexnnc/compiler/schedule/sample"
	"github.com/flexnnc/flexnnc/compiler/verify"
	"github.com/flexnnc/flexnnc/ir/op"
	"github.com/flexnnc/flexnnc/ir/plan"
	"pgregory.net/rapid"
)

func mustPlan(t *testing.T, g *op.Graph, o schedule.Options) *plan.Plan {
	t.Helper()
	p, err := schedule.Plan(g, o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// squeeze is a plan with everything in it: residents, streams, slices, consts,
// scratch, zeros, windows, an in-place map.
func squeeze(t *testing.T) *plan.Plan {
	g := sample.Squeeze()
	low := mustPlan(t, g, schedule.Options{Min: true, Threads: 2, NoBands: true})
	high := mustPlan(t, g, schedule.Options{Threads: 2})
	return mustPlan(t, g, schedule.Options{Budget: low.Arena + (high.Arena-low.Arena)/8, Threads: 2, NoBands: true})
}

func TestAcceptsAndRuns(t *testing.T) {
	g := sample.Squeeze()
	low := mustPlan(t, g, schedule.Options{Min: true, Threads: 2}).Arena
	high := mustPlan(t, g, schedule.Options{Threads: 2}).Arena
	for b := low; b < high+high/8; b += (high - low) / 7 {
		for _, o := range []schedule.Options{
			{Budget: b}, {Budget: b, NoPreload: true}, {Budget: b, NoResidents: true}, {Budget: b + low, NoInPlace: true},
			{Budget: b + 4*low, NoBands: true},
		} {
			o.Threads = 2
			p := mustPlan(t, g, o)
			if err := verify.Check(p); err != nil {
				t.Fatalf("budget %d: %v", b, err)
			}
			r := rand.New(rand.NewSource(int64(b)))
			for name, now := range map[string]timing{
				"early": func() bool { return true }, "late": func() bool { return false }, "random": func() bool { return r.Intn(2) == 0 },
			} {
				if err := runs(p, now); err != nil {
					t.Fatalf("budget %d, %s loads: %v", b, name, err)
				}
			}
		}
	}
}

// corruption breaks a plan; it reports false where the plan has nothing of the kind.
type corruption struct {
	name string
	want string // part of a fault
	do   func(p *plan.Plan) bool
}

func firstBuffer(p *plan.Plan, ok func(*plan.Buffer) bool) *plan.Buffer {
	for i := range p.Buffers {
		if ok(&p.Buffers[i]) {
			return &p.Buffers[i]
		}
	}
	return nil
}

func firstStep(p *plan.Plan, ok func(*plan.Step) bool) *plan.Step {
	for i := range p.Steps {
		if ok(&p.Steps[i]) {
			return &p.Steps[i]
		}
	}
	return nil
}

func kind(k plan.BufferKind) func(*plan.Buffer) bool {
	return func(b *plan.Buffer) bool { return b.Kind == k }
}

func shared(b *plan.Buffer) bool   { return b.SharesWith >= 0 }
func resident(b *plan.Buffer) bool { return b.Resident }

func weighted(s *plan.Step) bool { return s.Weights >= 0 }

func drawGraph(t *rapid.T) *op.Graph {
	g := sample.Random(func(k int) int { return rapid.IntRange(0, k-1).Draw(t, "pick") })
	if rapid.Bool().Draw(t, "winograd") {
		g = sample.Winograd(g)
	}
	return g
}

// TestExpanded: buffers of expanded weights are resident, of an op that takes them
// so, and of their size.
func TestExpanded(t *testing.T) {
	n := sample.New("expanded")
	x := n.Input(12, 12, 16)
	for range 2 {
		x = n.Conv(x, 32, 3, 1, 1, nil)
	}
	n.Output(x)
	g := sample.Winograd(n.Graph)
	for name, c := range map[string]struct {
		do   func(p *plan.Plan, b *plan.Buffer)
		want string
	}{
		"as it is":     {func(p *plan.Plan, b *plan.Buffer) {}, ""},
		"too small":    {func(p *plan.Plan, b *plan.Buffer) { b.Size -= plan.Align }, "expanded they have"},
		"too large":    {func(p *plan.Plan, b *plan.Buffer) { b.Size += plan.Align; p.Arena += plan.Align }, "expanded they have"},
		"not expanded": {func(p *plan.Plan, b *plan.Buffer) { b.Expanded = false }, "bytes at"},
		"another algorithm": {func(p *plan.Plan, b *plan.Buffer) {
			for i := range p.Steps {
				if s := &p.Steps[i]; s.Weights == b.ID {
					c := *s.Op.Conv
					c.Winograd = 0
					s.Op.Conv = &c
				}
			}
		}, "expanded they have -1"},
		"streamed": {func(p *plan.Plan, b *plan.Buffer) {
			b.Resident = false
			for i := range p.Loads {
				if p.Loads[i].Buffer == b.ID {
					p.Loads[i].Resident = false
				}
			}
		}, "not resident"},
	} {
		t.Run(name, func(t *testing.T) {
			p := mustPlan(t, g, schedule.Options{})
			var last *plan.Buffer
			for i := range p.Buffers {
				if p.Buffers[i].Expanded {
					last = &p.Buffers[i]
				}
			}
			if last == nil {
				t.Fatal("nothing is expanded")
			}
			c.do(p, last)
			err := verify.Check(p)
			for _, s := range p.Steps { // the graph is for all
				if s.Op.RowGrain > 0 {
					s.Op.Conv.Winograd = 4
				}
			}
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("want a fault with %q, got %v", c.want, err)
			}
		})
	}
}

// TestRandomPlans: whatever the network and the budget, a plan is accepted and
// runs right, or the budget is below the smallest, which works.
func TestRandomPlans(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := drawGraph(t)
		o := schedule.Options{
			Threads:     rapid.IntRange(1, 3).Draw(t, "threads"),
			NoPreload:   rapid.Bool().Draw(t, "nopreload"),
			NoResidents: rapid.Bool().Draw(t, "noresidents"),
			NoInPlace:   rapid.Bool().Draw(t, "noinplace"),
			NoAhead:     rapid.IntRange(0, 3).Draw(t, "noahead") == 3,
			NoFlow:      rapid.IntRange(0, 3).Draw(t, "noflow") == 3,
			NoBands:     rapid.IntRange(0, 2).Draw(t, "nobands") == 2,
			NoSlices:    rapid.IntRange(0, 4).Draw(t, "noslices") == 4,
			NoSearch:    rapid.IntRange(0, 4).Draw(t, "nosearch") == 4,
			NoExact:     rapid.IntRange(0, 4).Draw(t, "noexact") == 4,
			Effort:      max(1, rapid.IntRange(-3, 2).Draw(t, "effort")),
		}
		most := o
		high, err := schedule.Plan(g, most)
		if err != nil {
			t.Fatal(err)
		}
		o.Budget = plan.Bytes(rapid.Int64Range(1, int64(high.Arena)+1000).Draw(t, "budget"))
		p, err := schedule.Plan(g, o)
		var no *schedule.InfeasibleError
		if errors.As(err, &no) {
			if no.Smallest <= o.Budget || no.Smallest > high.Arena || len(no.Blocking) == 0 {
				t.Fatalf("budget %d, unlimited %d: %v", o.Budget, high.Arena, err)
			}
			o.Budget = no.Smallest
			p, err = schedule.Plan(g, o)
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range []*plan.Plan{p, high} {
			if err := verify.Check(p); err != nil {
				t.Fatal(err)
			}
			r := rand.New(rand.NewSource(rapid.Int64().Draw(t, "timing")))
			if err := runs(p, func() bool { return r.Intn(2) == 0 }); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// TestMutations changes one number of a good plan: the validator refuses it, or
// it still runs right at every timing tried. So the validator misses nothing.
func TestMutations(t *testing.T) {
	accepted, refused := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		g := drawGraph(t)
		low, err := schedule.Plan(g, schedule.Options{Min: true})
		if err != nil {
			t.Fatal(err)
		}
		p, err := schedule.Plan(g, schedule.Options{Budget: low.Arena + plan.Bytes(rapid.IntRange(0, 20000).Draw(t, "more"))})
		if err != nil {
			t.Fatal(err)
		}
		what := mutate(t, p)
		if verify.Check(p) != nil {
			refused++
			return
		}
		accepted++
		for seed := range 6 {
			r := rand.New(rand.NewSource(int64(seed)))
			now := func() bool { return r.Intn(2) == 0 }
			switch seed {
			case 0:
				now = func() bool { return true }
			case 1:
				now = func() bool { return false }
			}
			if err := runs(p, now); err != nil {
				t.Fatalf("accepted after %s, but %v", what, err)
			}
		}
	})
	if !testing.Short() && (accepted == 0 || refused == 0) {
		t.Errorf("%d mutations accepted, %d refused: not both kinds were seen", accepted, refused)
	}
}

// mutate changes one number.
func mutate(t *rapid.T, p *plan.Plan) string {
	by := rapid.SampledFrom([]int{-2, -1, 1, 2}).Draw(t, "by")
	bytes := plan.Bytes(64 * by)
	pick := func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "which") }
	what := rapid.IntRange(0, 14).Draw(t, "what")
	if what >= 8 && len(p.Loads) == 0 {
		what -= 8
	}
	switch what {
	case 0, 1, 2, 3, 4:
		b := &p.Buffers[pick(len(p.Buffers))]
		switch what {
		case 0:
			b.Offset += bytes
			for i := range p.Loads {
				if p.Loads[i].Buffer == b.ID {
					p.Loads[i].Arena = b.Offset
				}
			}
			for i := range p.Buffers {
				if p.Buffers[i].SharesWith == b.ID {
					p.Buffers[i].Offset = b.Offset
				}
			}
		case 1:
			b.Size += bytes
		case 2:
			b.First += by
		case 3:
			b.Last += by
		case 4:
			b.SharesWith = pick(len(p.Buffers)+1) - 1
		}
		return fmt.Sprintf("change %d of buffer %d", what, b.ID)
	case 5, 6, 7:
		s := &p.Steps[pick(len(p.Steps))]
		switch what {
		case 5:
			s.Wait += by
		case 6:
			s.Panels.Hi += by
		case 7:
			s.Weights = pick(len(p.Buffers)+1) - 1
		}
		return fmt.Sprintf("change %d of step %d", what, s.Index)
	}
	l := &p.Loads[pick(len(p.Loads))]
	switch what {
	case 8:
		l.After += by
	case 9:
		l.After += by
		p.Buffers[l.Buffer].First += by
	case 10:
		l.FileOffset += bytes
	case 11:
		l.Bytes += bytes
	case 12:
		// Two loads change places.
		o := &p.Loads[pick(len(p.Loads))]
		*l, *o = *o, *l
		l.Index, o.Index = o.Index, l.Index
	case 13:
		l.Panels.Lo += by
	case 14:
		l.Ahead += by
		p.Buffers[l.Buffer].Ahead += by
	}
	return fmt.Sprintf("change %d of load %d", what, l.Index)
}
