// Package compiler is the way from a network to a plan: the stages in order, and
// nothing else. It must not know how a plan becomes Go source.
package compiler

import (
	"fmt"
	"io"

	"github.com/flexnnc/flexnnc/compiler/cost"
	"github.com/flexnnc/flexnnc/compiler/lower"
	"github.com/flexnnc/flexnnc/compiler/schedule"
	"github.com/flexnnc/flexnnc/compiler/tap"
	"github.com/flexnnc/flexnnc/compiler/verify"
	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/op"
	"github.com/flexnnc/flexnnc/ir/plan"
)

// Options are what a user decides.
type Options struct {
	Inputs  map[string]ir.Shape // in place of the shapes in the file
	Outputs []string            // blobs to hand out beside those that no layer consumes
	Budget  plan.Bytes          // of everything the package allocates; 0 = unlimited
	Min     bool                // the smallest budget that works, whatever Budget says
	Threads int                 // the most compute threads; 0 = 1
	Effort  int                 // of the planner, from 1 on; 0 = 1
	Half    bool                // round weights to float16
	Target  *cost.Target        // the device that plans are made for; nil: the default one
	// Direct leaves out algorithms that need memory to be fast: Winograd's. Its
	// answers differ in their last bits, and it may fit smaller budgets.
	Direct  bool
	Without string // one of Techniques, which the planner leaves out; "" = none
	// Dump is called after each stage with its name and its result.
	Dump func(stage string, result Printer)
}

// Printer is a stage's result, as text.
type Printer interface{ Print(io.Writer) error }

// Stages names what Dump is called with, in order.
func Stages() []string {
	names := []string{"graph", "lower"}
	for _, p := range lower.Passes() {
		names = append(names, p.Name)
	}
	return append(names, "plan")
}

// Compile plans a network. What is wrong with it comes back as a *diag.Error,
// a budget that is too small as a *schedule.InfeasibleError. It fills g's shapes.
func Compile(g *ir.Graph, o Options) (*plan.Plan, error) {
	lowered, err := Lower(g, o)
	if err != nil {
		return nil, err
	}
	return Plan(lowered, o)
}

// Lower is the part of Compile that does not depend on the budget: its result
// can be planned many times.
func Lower(g *ir.Graph, o Options) (*op.Graph, error) {
	dump := o.Dump
	if dump == nil {
		dump = func(string, Printer) {}
	}
	if err := tap.Outputs(g, o.Outputs); err != nil {
		return nil, err
	}
	if err := ir.Check(g); err != nil {
		return nil, err
	}
	if err := lower.Infer(g, o.Inputs); err != nil {
		return nil, err
	}
	dump("graph", g)
	options := lower.Options{Half: o.Half, Dump: func(pass string, g *op.Graph) { dump(pass, g) }}
	if o.Direct {
		options.Without = []string{"winograd"}
	}
	return lower.Lower(g, options)
}

// Plan is the part of Compile that does.
func Plan(lowered *op.Graph, o Options) (*plan.Plan, error) {
	so := schedule.Options{Budget: o.Budget, Min: o.Min, Threads: o.Threads, Effort: o.Effort}
	if o.Target != nil {
		so.Speed = schedule.Speed{Model: o.Target.Model(o.Threads)}
	}
	if o.Without != "" {
		without(o.Without, &so)
	}
	p, err := schedule.Plan(lowered, so)
	if err != nil {
		return nil, err
	}
	if err := verify.Check(p); err != nil {
		return nil, fmt.Errorf("BUG: the planner made a %w", err)
	}
	if o.Dump != nil {
		o.Dump("plan", planPrinter{p})
	}
	return p, nil
}

type planPrinter struct{ *plan.Plan }

func (p planPrinter) Print(w io.Writer) error { return plan.Print(w, p.Plan) }
