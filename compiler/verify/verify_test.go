package verify_test

import (
	"errors"
	"fmt"
	"math/rand"
	"slices"
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

// streamedLoad is a load of panels that waits for steps.
func streamedLoad(p *plan.Plan) *plan.Load {
	for i := range p.Loads {
		if l := &p.Loads[i]; !l.Resident && l.After > 0 && l.Panels.Len() > 0 {
			return l
		}
	}
	return nil
}

var corruptions = []corruption{
	{"arena beyond budget", "the budget is", func(p *plan.Plan) bool { p.Budget = p.Arena - 1; return true }},
	{"arena too small", "not inside the arena", func(p *plan.Plan) bool { p.Arena -= 64; return true }},
	{"no threads", "threads", func(p *plan.Plan) bool { p.Threads = 0; return true }},
	{"more threads", "for all threads", func(p *plan.Plan) bool { p.Threads++; return true }},
	{"no steps", "no steps", func(p *plan.Plan) bool { p.Steps = nil; return true }},
	{"a step is missing", "leave", func(p *plan.Plan) bool {
		p.Steps = p.Steps[:len(p.Steps)-1]
		for i := range p.Buffers {
			p.Buffers[i].Last = min(p.Buffers[i].Last, len(p.Steps)-1)
			p.Buffers[i].First = min(p.Buffers[i].First, len(p.Steps)-1)
		}
		return true
	}},
	{"a step runs twice", "again", func(p *plan.Plan) bool {
		last := p.Steps[len(p.Steps)-1]
		last.Index++
		p.Steps = append(p.Steps, last)
		for i := range p.Buffers {
			if p.Buffers[i].Last == last.Index-1 {
				p.Buffers[i].Last++
			}
		}
		return true
	}},
	{"steps swapped", "", func(p *plan.Plan) bool {
		s := p.Steps
		s[2], s[3] = s[3], s[2]
		s[2].Index, s[3].Index = 2, 3
		return true
	}},
	{"slices swapped", "its buffer holds", func(p *plan.Plan) bool {
		for i := 1; i < len(p.Steps); i++ {
			a, b := &p.Steps[i-1], &p.Steps[i]
			if a.Op == b.Op && a.Panels != b.Panels && a.Weights >= 0 {
				a.Panels, b.Panels = b.Panels, a.Panels
				return true
			}
		}
		return false
	}},
	{"foreign op", "not in the graph", func(p *plan.Plan) bool {
		o := *p.Steps[1].Op
		p.Steps[1].Op = &o
		return true
	}},
	{"panels shifted", "", func(p *plan.Plan) bool {
		s := firstStep(p, func(s *plan.Step) bool { return weighted(s) && s.Panels.Len() > 1 })
		if s == nil {
			return false
		}
		s.Panels.Lo++
		return true
	}},
	{"panels beyond the end", "panels", func(p *plan.Plan) bool { firstStep(p, weighted).Panels.Hi += 50; return true }},
	{"rows missing", "row panels", func(p *plan.Plan) bool { p.Steps[0].Rows = plan.Range{Lo: 0, Hi: 5}; return true }},
	{"rows off the grain", "not by 4", func(p *plan.Plan) bool {
		o := *p.Steps[0].Op
		o.RowGrain = 4
		for i, g := range p.Graph.Ops {
			if g == p.Steps[0].Op {
				p.Graph.Ops[i] = &o
			}
		}
		p.Steps[0].Op, p.Steps[0].Rows = &o, plan.Range{Lo: 0, Hi: 5}
		return true
	}},
	{"wrong weights", "", func(p *plan.Plan) bool {
		s := firstStep(p, weighted)
		p.Steps[s.Index].Weights = p.Loads[len(p.Loads)-1].Buffer
		return true
	}},
	{"no weights", "no weights", func(p *plan.Plan) bool { firstStep(p, weighted).Weights = -1; return true }},
	{"weights from an activation", "takes panels from", func(p *plan.Plan) bool {
		firstStep(p, weighted).Weights = firstBuffer(p, kind(plan.Activation)).ID
		return true
	}},
	{"const missing", "consts", func(p *plan.Plan) bool {
		s := firstStep(p, func(s *plan.Step) bool { return len(s.Consts) > 0 })
		s.Consts = nil
		return true
	}},
	{"wrong const", "takes const", func(p *plan.Plan) bool {
		s := firstStep(p, func(s *plan.Step) bool { return len(s.Consts) > 0 })
		s.Consts = []int{firstStep(p, weighted).Weights}
		return true
	}},
	{"no scratch", "no scratch", func(p *plan.Plan) bool {
		firstStep(p, func(s *plan.Step) bool { return s.Scratch >= 0 }).Scratch = -1
		return true
	}},
	{"scratch too small", "as scratch", func(p *plan.Plan) bool { firstBuffer(p, kind(plan.Scratch)).Size = 64; return true }},
	{"zeros missing", "zeros", func(p *plan.Plan) bool { firstBuffer(p, kind(plan.Zeros)).Kind = plan.ThreadScratch; return true }},
	{"zeros too small", "zeros", func(p *plan.Plan) bool { firstBuffer(p, kind(plan.Zeros)).Size = 64; return true }},
	{"zeros not live throughout", "must be in all", func(p *plan.Plan) bool { firstBuffer(p, kind(plan.Zeros)).First = 1; return true }},
	{"wait too short", "waits for", func(p *plan.Plan) bool {
		firstStep(p, func(s *plan.Step) bool { return s.Wait > 0 }).Wait--
		return true
	}},
	{"wait too long", "waits for", func(p *plan.Plan) bool {
		firstStep(p, func(s *plan.Step) bool { return s.Wait > 0 }).Wait++
		return true
	}},
	{"load too early", "live from step", func(p *plan.Plan) bool {
		l := streamedLoad(p)
		for i := range p.Loads[:l.Index+1] {
			if p.Loads[i].After == l.After {
				p.Loads[i].After--
			}
		}
		return true
	}},
	{"load and life too early", "overlaps", func(p *plan.Plan) bool {
		for i := range p.Loads {
			l := &p.Loads[i]
			if b := &p.Buffers[l.Buffer]; l.After > 1 && l.After > p.Loads[i-1].After {
				l.After--
				b.First--
				return true
			}
		}
		return false
	}},
	{"load too late", "waits for load", func(p *plan.Plan) bool {
		for i := range p.Loads {
			if !p.Loads[i].Resident {
				for ; i < len(p.Loads); i++ {
					p.Loads[i].After = len(p.Steps) - 1
				}
				return true
			}
		}
		return false
	}},
	{"loads out of order", "the one before it", func(p *plan.Plan) bool {
		l := streamedLoad(p)
		p.Loads[l.Index-1].After = l.After + 1
		return true
	}},
	{"load of the wrong bytes", "reads", func(p *plan.Plan) bool { streamedLoad(p).FileOffset += 64; return true }},
	{"load too short", "reads", func(p *plan.Plan) bool { streamedLoad(p).Bytes -= 64; return true }},
	{"load of the wrong item", "", func(p *plan.Plan) bool { streamedLoad(p).Item--; return true }},
	{"load to the wrong place", "writes", func(p *plan.Plan) bool { streamedLoad(p).Arena += 64; return true }},
	{"load into an activation", "fills", func(p *plan.Plan) bool {
		streamedLoad(p).Buffer = firstBuffer(p, kind(plan.Activation)).ID
		return true
	}},
	{"load missing", "", func(p *plan.Plan) bool { p.Loads = p.Loads[:len(p.Loads)-1]; return true }},
	{"load not used", "never used", func(p *plan.Plan) bool {
		b := *firstBuffer(p, kind(plan.Zeros))
		it := p.File.Items[0]
		b.ID, b.Kind, b.Offset, b.Size = len(p.Buffers), plan.Weights, p.Arena, (it.Bytes+63)&^63
		p.Arena += b.Size
		p.Budget = p.Arena
		p.Buffers = append(p.Buffers, b)
		l := plan.Load{Index: len(p.Loads), Buffer: b.ID, FileOffset: it.Offset, Bytes: it.Bytes, Arena: b.Offset, After: p.Loads[len(p.Loads)-1].After}
		if it.Panels != nil {
			l.Panels.Hi = it.Panels.Count()
		}
		p.Loads = append(p.Loads, l)
		return true
	}},
	{"resident after streamed", "resident", func(p *plan.Plan) bool {
		b := firstBuffer(p, resident)
		if b == nil {
			return false
		}
		b.Resident = false
		return true
	}},
	{"resident not live throughout", "must be in all", func(p *plan.Plan) bool { firstBuffer(p, resident).Last--; return true }},
	{"resident overwritten", "overlaps", func(p *plan.Plan) bool {
		b := firstBuffer(p, resident)
		for i := range p.Buffers {
			if a := &p.Buffers[i]; a.Kind == plan.Activation && a.Size >= b.Size && a.SharesWith < 0 {
				a.Offset = b.Offset
				return a.Offset+a.Size <= p.Arena
			}
		}
		return false
	}},
	{"buffer misaligned", "lies at", func(p *plan.Plan) bool { firstBuffer(p, kind(plan.Activation)).Offset += 4; return true }},
	{"buffer below the arena", "lies at", func(p *plan.Plan) bool { firstBuffer(p, kind(plan.Activation)).Offset = -64; return true }},
	{"buffer too small", "bytes for", func(p *plan.Plan) bool { firstBuffer(p, kind(plan.Activation)).Size -= 64; return true }},
	{"tensor without buffer", "no buffer", func(p *plan.Plan) bool {
		b := firstBuffer(p, kind(plan.Activation))
		o := *b.Tensor
		b.Tensor = &o
		return true
	}},
	{"life ends early", "live in steps", func(p *plan.Plan) bool {
		b := firstBuffer(p, func(b *plan.Buffer) bool { return b.Kind == plan.Activation && b.Last > b.First })
		b.Last--
		return true
	}},
	{"life begins late", "live in steps", func(p *plan.Plan) bool {
		b := firstBuffer(p, func(b *plan.Buffer) bool { return b.Kind == plan.Activation && b.Last > b.First })
		b.First++
		return true
	}},
	{"weights die early", "live in steps", func(p *plan.Plan) bool {
		b := firstBuffer(p, func(b *plan.Buffer) bool { return b.Kind == plan.Weights && !b.Resident && b.Last > b.First })
		if b == nil {
			return false
		}
		b.Last--
		return true
	}},
	{"in place without saying so", "overlaps", func(p *plan.Plan) bool { firstBuffer(p, shared).SharesWith = -1; return true }},
	{"in place elsewhere", "not there", func(p *plan.Plan) bool { firstBuffer(p, shared).Offset += 64; return true }},
	{"in place over a stranger", "overlaps", func(p *plan.Plan) bool {
		b := firstBuffer(p, shared)
		b.SharesWith = firstBuffer(p, kind(plan.Activation)).ID
		return b.ID != b.SharesWith
	}},
	{"in place convolution", "not there", func(p *plan.Plan) bool {
		s := firstStep(p, func(s *plan.Step) bool { return s.Op.Kind == op.Depthwise })
		var in, out *plan.Buffer
		for i := range p.Buffers {
			switch p.Buffers[i].Tensor {
			case s.Op.In[0].Root():
				in = &p.Buffers[i]
			case s.Op.Out[0]:
				out = &p.Buffers[i]
			}
		}
		out.Offset, out.SharesWith = in.Offset, in.ID
		return true
	}},
	{"in place over a live input", "not there", func(p *plan.Plan) bool {
		b := firstBuffer(p, shared)
		s := &p.Steps[p.Buffers[b.SharesWith].Last]
		// the input is read once more, at the end
		extra := *p.Steps[len(p.Steps)-1].Op
		extra.In = []*op.Tensor{s.Op.In[0]}
		p.Steps[len(p.Steps)-1].Op = &extra
		g := *p.Graph
		g.Ops = append(slices.Clone(g.Ops[:len(g.Ops)-1]), &extra)
		p.Graph = &g
		return true
	}},
	{"file item missing", "in the file 0 times", func(p *plan.Plan) bool {
		p.File.Items = p.File.Items[:len(p.File.Items)-1]
		p.File.Bytes = p.File.Items[len(p.File.Items)-1].Offset + p.File.Items[len(p.File.Items)-1].Bytes
		p.Loads = p.Loads[:1]
		return true
	}},
	{"file items overlap", "the one before ends", func(p *plan.Plan) bool { p.File.Items[1].Offset -= 64; return true }},
	{"file item of the wrong size", "want", func(p *plan.Plan) bool { p.File.Items[1].Bytes += 64; return true }},
	{"file checksum chunk", "chunks", func(p *plan.Plan) bool { p.File.Items[1].Chunk = 64; return true }},
	{"file too short", "items end", func(p *plan.Plan) bool { p.File.Bytes -= 64; return true }},
	{"ring of rows that are still read", "not there", func(p *plan.Plan) bool { firstBuffer(p, kind(plan.Activation)).RingRows = 2; return true }},
	{"buffer index", "uses buffer", func(p *plan.Plan) bool { firstStep(p, weighted).Weights = len(p.Buffers); return true }},
	{"load index", "has index", func(p *plan.Plan) bool { p.Loads[0].Index = 7; return true }},
	{"step index", "has index", func(p *plan.Plan) bool { p.Steps[0].Index = 7; return true }},
}

func TestCorruptions(t *testing.T) {
	for _, c := range corruptions {
		t.Run(c.name, func(t *testing.T) {
			p := squeeze(t)
			if err := verify.Check(p); err != nil {
				t.Fatal(err)
			}
			if !c.do(p) {
				t.Fatal("the plan has nothing to corrupt this way")
			}
			err := verify.Check(p)
			var faults *verify.Error
			if !errors.As(err, &faults) {
				t.Fatalf("not caught: %v", err)
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("want a fault with %q, got %v", c.want, err)
			}
		})
	}
}

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
