package main

import (
	"fmt"
	"io"
	"math"
	"sync"
	"time"

	"github.com/flexnnc/flexnnc/codegen/report"
	"github.com/flexnnc/flexnnc/compiler"
	"github.com/flexnnc/flexnnc/ir/op"
	"github.com/flexnnc/flexnnc/ir/plan"
)

// sweepPoints is how many budgets are tried, evenly on a logarithmic scale.
const sweepPoints = 17

// sweepWorkers plan at a time.
const sweepWorkers = 2

// sweep plans for budgets from the smallest that works to one for which everything
// stays in the arena, and keeps those that buy something: each is faster than all
// smaller ones.
func sweep(g *op.Graph, o compiler.Options, pr *progress) ([]report.Point, error) {
	stop := pr.ticking("looking for the smallest budget and the largest")
	defer stop()
	o.Dump = nil
	o.Budget, o.Min = 0, true
	low, err := compiler.Plan(g, o)
	if err != nil {
		return nil, err
	}
	o.Min = false
	high, err := compiler.Plan(g, o)
	if err != nil {
		return nil, err
	}
	stop()
	budgets := sweepBudgets(low.Arena, high.Arena)
	plans := make([]*plan.Plan, len(budgets))
	errs := make([]error, len(budgets))
	var mu sync.Mutex
	var group sync.WaitGroup
	done, next := 0, 0
	for range sweepWorkers {
		group.Add(1)
		go func() {
			defer group.Done()
			for {
				mu.Lock()
				i := next
				next++
				mu.Unlock()
				if i >= len(budgets) {
					return
				}
				o := o
				o.Budget = budgets[i]
				plans[i], errs[i] = compiler.Plan(g, o)
				mu.Lock()
				done++
				pr.say("planned %d of %d budgets", done, len(budgets))
				mu.Unlock()
			}
		}()
	}
	group.Wait()
	var curve []report.Point
	fastest := time.Duration(math.MaxInt64)
	for i, p := range append(append([]*plan.Plan{low}, plans...), high) {
		if i > 0 && i <= len(errs) && errs[i-1] != nil {
			return nil, errs[i-1]
		}
		if p.Forecast.Run >= fastest {
			continue
		}
		fastest = p.Forecast.Run
		_, streamed := p.Traffic()
		curve = append(curve, report.Point{Budget: p.Budget, Arena: p.Arena, Streamed: streamed, Predicted: p.Forecast.Run, Bound: lowerBound(p)})
	}
	return curve, nil
}

// sweepBudgets lie between the two ends, which are planned already.
func sweepBudgets(low, high plan.Bytes) []plan.Bytes {
	var list []plan.Bytes
	ratio := float64(high) / float64(max(1, low))
	for i := 1; i < sweepPoints-1; i++ {
		b := plan.Bytes(float64(low)*math.Pow(ratio, float64(i)/(sweepPoints-1))) &^ (plan.Align - 1)
		if b > low && b < high && (len(list) == 0 || b > list[len(list)-1]) {
			list = append(list, b)
		}
	}
	return list
}

func printCurve(w io.Writer, curve []report.Point) {
	fmt.Fprintf(w, "%12s %12s %12s %8s %14s  %s\n", "arena", "predicted", "at least", "gap", "read in a run", "predicted, from 0")
	longest := time.Duration(1)
	for _, p := range curve {
		longest = max(longest, p.Predicted)
	}
	for _, p := range curve {
		bar := int(math.Round(40 * float64(p.Predicted) / float64(longest)))
		fmt.Fprintf(w, "%12d %12s %12s %8s %14s  %s\n", p.Arena, report.Time(p.Predicted), report.Time(p.Bound), percentOver(p.Predicted, p.Bound), report.Bytes(p.Streamed), bars(bar))
	}
}

func bars(n int) string {
	b := make([]rune, n)
	for i := range b {
		b[i] = '█'
	}
	return string(b)
}
