package reside_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/flexnnc/flexnnc/compiler/reside"
	"github.com/flexnnc/flexnnc/compiler/schedule"
	"github.com/flexnnc/flexnnc/compiler/schedule/sample"
	"github.com/flexnnc/flexnnc/compiler/verify"
	"github.com/flexnnc/flexnnc/ir/op"
	"github.com/flexnnc/flexnnc/ir/plan"
)

// within plans a graph for the smallest budget, for some in between, and without limit.
func within(t rapid.TB, g *op.Graph, between int) []*plan.Plan {
	var plans []*plan.Plan
	make := func(o schedule.Options) *plan.Plan {
		p, err := schedule.Plan(g, o)
		if err != nil {
			t.Fatal(err)
		}
		plans = append(plans, p)
		return p
	}
	low, high := make(schedule.Options{Min: true}), make(schedule.Options{})
	for i := range between {
		make(schedule.Options{Budget: low.Arena + (high.Arena-low.Arena)*plan.Bytes(i+1)/plan.Bytes(between+1)})
	}
	if between > 0 && len(places(plans[0])) == 0 {
		return plans[1:] // with the smallest, none would be kept by all
	}
	return plans
}

// places gives the arena offset of every resident piece.
func places(p *plan.Plan) map[[3]int]plan.Bytes {
	m := map[[3]int]plan.Bytes{}
	for _, l := range p.Loads {
		if l.Resident {
			m[[3]int{l.Item, l.Panels.Lo, l.Panels.Hi}] = l.Arena
		}
	}
	return m
}

// TestTogether moves the residents of random networks: plans stay valid and keep
// their size and their residents, and what all plans keep is at one place in all.
func TestTogether(t *testing.T) {
	shared := 0
	rapid.Check(t, func(t *rapid.T) {
		g := sample.Random(func(k int) int { return rapid.IntRange(0, k-1).Draw(t, "pick") })
		plans := within(t, g, rapid.IntRange(0, 3).Draw(t, "between"))
		var arenas []plan.Bytes
		var had []int
		for _, p := range plans {
			arenas = append(arenas, p.Arena)
			had = append(had, len(places(p)))
		}
		reside.Together(plans)
		common := places(plans[0])
		for i, p := range plans {
			if err := verify.Check(p); err != nil {
				t.Fatalf("plan %d: %v", i, err)
			}
			now := places(p)
			if p.Arena != arenas[i] || len(now) != had[i] {
				t.Fatalf("plan %d: arena of %d bytes with %d residents, had %d with %d", i, p.Arena, len(now), arenas[i], had[i])
			}
			for k := range common {
				if _, ok := now[k]; !ok {
					delete(common, k)
				}
			}
		}
		for k, at := range common {
			for i, p := range plans {
				if places(p)[k] != at {
					t.Fatalf("all plans keep %v, at %d in the first and at %d in plan %d", k, at, places(p)[k], i)
				}
				shared++
			}
		}
	})
	if shared == 0 {
		t.Error("no network had residents that all plans keep")
	}
}

// TestOfTwoShapes: without limit, everything stays, and at the same places whatever
// the size of the input.
func TestOfTwoShapes(t *testing.T) {
	net := func(h int) *op.Graph {
		n := sample.New("two")
		x := n.Input(h, 32, 16)
		for range 4 {
			x = n.Conv(x, 32, 3, 1, 1, nil)
		}
		n.Output(n.Dense(n.GlobalPool(x), 10))
		return n.Graph
	}
	var plans []*plan.Plan
	for _, h := range []int{32, 80} {
		p, err := schedule.Plan(net(h), schedule.Options{})
		if err != nil {
			t.Fatal(err)
		}
		plans = append(plans, p)
	}
	reside.Together(plans)
	a, b := places(plans[0]), places(plans[1])
	if len(a) != len(plans[0].File.Items) || len(a) != len(b) {
		t.Fatalf("%d and %d residents of %d items", len(a), len(b), len(plans[0].File.Items))
	}
	for k := range a {
		if a[k] != b[k] {
			t.Errorf("%v is at %d and at %d", k, a[k], b[k])
		}
	}
}
