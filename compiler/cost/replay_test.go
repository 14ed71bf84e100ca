package cost_test

import (
	"math/rand"
	"testing"
	"time"

	"github.com/flexnnc/flexnnc/compiler/cost"
	"github.com/flexnnc/flexnnc/compiler/schedule"
	"github.com/flexnnc/flexnnc/compiler/schedule/sample"
	"github.com/flexnnc/flexnnc/ir/plan"
)

// TestReplayAgreesWithThePlanner plays random plans and compares the end with the
// forecast, which the planner makes by another way.
func TestReplayAgreesWithThePlanner(t *testing.T) {
	r := rand.New(rand.NewSource(1))
	plans, turns := 0, 0
	for i := range 60 {
		g := sample.Random(r.Intn)
		if i%2 == 1 {
			g = sample.Winograd(g)
		}
		threads := 1 + r.Intn(4)
		target := *cost.Standard()
		if i%3 > 0 { // so small that images do not fit, and turns so cheap that they pay
			target.CacheBytes, target.StepNS = 1<<(9+r.Intn(6)), 1
		}
		model := target.Model(threads)
		o := schedule.Options{Min: true, Threads: threads, Speed: schedule.Speed{Model: model}}
		for range 3 {
			p, err := schedule.Plan(g, o)
			if err != nil {
				t.Fatal(err)
			}
			line := model.Replay(p)
			if got := time.Duration(line.End / 1000); got != p.Forecast.Run {
				t.Fatalf("%s at %d bytes: replayed %v, forecast %v", g.Name, o.Budget, got, p.Forecast.Run)
			}
			check(t, p, line)
			plans++
			o.Min, o.Budget = false, p.Arena+plan.Bytes(1+r.Intn(int(p.Arena)))
		}
		o.Budget = 0
		p, err := schedule.Plan(g, o)
		if err != nil {
			t.Fatal(err)
		}
		if got := time.Duration(model.Replay(p).End / 1000); got != p.Forecast.Run {
			t.Fatalf("%s: replayed %v, forecast %v", g.Name, got, p.Forecast.Run)
		}
		if len(p.Steps) > len(g.Ops) {
			turns++
		}
	}
	if t.Logf("%d plans; in %d all fits and ops take turns", plans, turns); turns == 0 {
		t.Error("with all memory ops never take turns")
	}
}

// check asserts what every run keeps.
func check(t *testing.T, p *plan.Plan, line *cost.Timeline) {
	t.Helper()
	for i, s := range line.Steps {
		if s.Len() < 0 || line.Waits[i] < 0 || i > 0 && s.Begin < line.Steps[i-1].End {
			t.Fatalf("step %d is %+v and waits %d", i, s, line.Waits[i])
		}
	}
	for i := range p.Loads {
		l := &p.Loads[i]
		if !l.Resident && l.After > 0 && line.Loads[i].Begin < line.Steps[l.After-1].End {
			t.Fatalf("load %d begins at %d, before step %d is complete", i, line.Loads[i].Begin, l.After-1)
		}
	}
}
