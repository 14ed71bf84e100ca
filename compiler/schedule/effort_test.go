package schedule_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/flexnnc/flexnnc/compiler/lower"
	"github.com/flexnnc/flexnnc/compiler/schedule"
	"github.com/flexnnc/flexnnc/compiler/schedule/sample"
	"github.com/flexnnc/flexnnc/ir/plan"
)

// TestEffort: more effort needs no larger smallest budget and gives no slower plan
// for any; the same effort gives the same plan; all of them are valid, with greedy
// packing too.
func TestEffort(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		g := sample.Random(func(k int) int { return rapid.IntRange(0, k-1).Draw(r, "pick") })
		exact := rapid.IntRange(0, 3).Draw(r, "exact") > 0
		make := func(o schedule.Options) *plan.Plan {
			o.NoExact = !exact
			return mustPlanFor(r, g, o) // valid
		}
		low, high := make(schedule.Options{Min: true}), make(schedule.Options{})
		budget := low.Arena + plan.Bytes(rapid.Int64Range(0, max(0, int64(high.Arena-low.Arena))).Draw(r, "more"))
		before := make(schedule.Options{Budget: budget})
		if p := make(schedule.Options{Budget: budget, Effort: 1}); text(t, p) != text(t, before) {
			r.Fatalf("an effort of 1 is not the default within %d bytes", budget)
		}
		for effort := 2; effort <= 4; effort++ {
			p := make(schedule.Options{Budget: budget, Effort: effort})
			if p.Arena > budget || p.Forecast.Run > before.Forecast.Run {
				r.Fatalf("effort %d within %d bytes takes %d and %v; %v with less effort", effort, budget, p.Arena, p.Forecast.Run, before.Forecast.Run)
			}
			if q := make(schedule.Options{Budget: budget, Effort: effort}); text(t, p) != text(t, q) {
				r.Fatalf("effort %d gives two plans within %d bytes", effort, budget)
			}
			least := make(schedule.Options{Min: true, Effort: effort})
			if least.Budget > low.Budget {
				r.Fatalf("effort %d needs %d bytes, less effort %d", effort, least.Budget, low.Budget)
			}
			before, low = p, least
		}
	})
}

// TestEffortPays: a network and a budget with which more effort finds a faster plan.
func TestEffortPays(t *testing.T) {
	g := model(t, "mobilenet_v2", lower.Options{})
	quick := mustPlan(t, g, schedule.Options{Budget: 10e6, Threads: 4})
	p := mustPlan(t, g, schedule.Options{Budget: 10e6, Threads: 4, Effort: 2})
	if p.Forecast.Run >= quick.Forecast.Run {
		t.Errorf("effort 2 gives %v, effort 1 %v", p.Forecast.Run, quick.Forecast.Run)
	}
}

// TestExactPackingPays: a network whose smallest budget greedy packing misses, where
// images are whole.
func TestExactPackingPays(t *testing.T) {
	g := model(t, "mnasnet", lower.Options{})
	exact := mustPlan(t, g, schedule.Options{Min: true, NoBands: true})
	greedy := mustPlan(t, g, schedule.Options{Min: true, NoBands: true, NoExact: true})
	if exact.Arena >= greedy.Arena {
		t.Errorf("exact packing needs %d bytes, greedy packing %d", exact.Arena, greedy.Arena)
	}
}
