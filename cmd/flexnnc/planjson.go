package main

import (
	"encoding/json"
	"io"

	"github.com/flexnnc/flexnnc/ir/plan"
)

// planJSON is the --json form of a plan; sizes and offsets are bytes, times
// nanoseconds. Without --budget it has the curve alone.
type planJSON struct {
	Network         string         `json:"network"`
	Target          string         `json:"target"`
	Threads         int            `json:"threads"`
	BudgetBytes     *plan.Bytes    `json:"budget_bytes,omitempty"` // null for max
	ArenaBytes      plan.Bytes     `json:"arena_bytes,omitempty"`
	MinBudgetBytes  plan.Bytes     `json:"min_budget_bytes,omitempty"`
	LowerBoundBytes plan.Bytes     `json:"lower_bound_bytes"` // of min_budget_bytes
	PredictedNS     int64          `json:"predicted_ns,omitempty"`
	LowerBoundNS    int64          `json:"lower_bound_ns,omitempty"` // within this budget
	ComputeNS       int64          `json:"compute_ns,omitempty"`
	ReadNS          int64          `json:"read_ns"`
	WeightsBytes    plan.Bytes     `json:"weights_bytes,omitempty"`
	ResidentBytes   plan.Bytes     `json:"resident_bytes"`
	StreamedBytes   plan.Bytes     `json:"streamed_bytes"` // read in each run
	Certificate     *certifiedJSON `json:"certificate,omitempty"`
	Curve           []pointJSON    `json:"curve,omitempty"`
	Buffers         []bufferJSON   `json:"buffers,omitempty"`
	Steps           []stepJSON     `json:"steps,omitempty"`
	Loads           []loadJSON     `json:"loads,omitempty"`
}

// certifiedJSON is what no plan can beat, and what is in the way.
type certifiedJSON struct {
	Least boundJSON `json:"least_memory"` // for all cuttings
	Live  boundJSON `json:"live_memory"`  // for the steps of this plan
	Time  struct {
		ComputeNS    int64  `json:"compute_ns"`
		ReadNS       int64  `json:"read_ns"`
		DependencyNS int64  `json:"dependency_ns"`
		Binding      string `json:"binding,omitempty"`
	} `json:"time"`
}

type boundJSON struct {
	Bytes    plan.Bytes `json:"bytes"`
	At       string     `json:"at"`
	Blocking []string   `json:"blocking"`
}

type pointJSON struct {
	ArenaBytes    plan.Bytes `json:"arena_bytes"`
	PredictedNS   int64      `json:"predicted_ns"`
	LowerBoundNS  int64      `json:"lower_bound_ns"`
	StreamedBytes plan.Bytes `json:"streamed_bytes"`
}

type bufferJSON struct {
	Name     string     `json:"name"`
	Kind     string     `json:"kind"`
	Offset   plan.Bytes `json:"offset"`
	Size     plan.Bytes `json:"size"`
	First    int        `json:"first_step"`
	Last     int        `json:"last_step"`
	Resident bool       `json:"resident,omitempty"`
}

type stepJSON struct {
	Op      string   `json:"op"`
	Kind    string   `json:"kind"`
	Layers  []string `json:"layers"`
	Panels  *[2]int  `json:"panels,omitempty"`
	Rows    *[2]int  `json:"rows,omitempty"`
	Weights int      `json:"weights_buffer"` // -1 where none
	Wait    int      `json:"wait_loads"`
}

type loadJSON struct {
	Item     string     `json:"item"`
	Buffer   int        `json:"buffer"`
	File     plan.Bytes `json:"file_offset"`
	Bytes    plan.Bytes `json:"bytes"`
	Arena    plan.Bytes `json:"arena_offset"`
	After    int        `json:"after_steps"`
	Resident bool       `json:"resident,omitempty"`
}

func (r *planned) printJSON(w io.Writer, sweeping bool) error {
	j := planJSON{Target: r.options.Target.Name, Threads: r.options.Threads, Network: r.name}
	if r.plan != nil {
		r.describe(&j)
	}
	if sweeping {
		for _, p := range r.curve {
			j.Curve = append(j.Curve, pointJSON{p.Arena, p.Predicted.Nanoseconds(), p.Bound.Nanoseconds(), p.Streamed})
		}
	}
	e := json.NewEncoder(w)
	e.SetIndent("", " ")
	return e.Encode(j)
}

// describe fills in the plan.
func (r *planned) describe(j *planJSON) {
	p, c := r.plan, &r.plan.Certificate
	if p.Budget > 0 {
		j.BudgetBytes = &p.Budget
	}
	j.ArenaBytes, j.MinBudgetBytes, j.LowerBoundBytes = p.Arena, c.MinBudget, c.Least.Bytes
	j.PredictedNS, j.LowerBoundNS = p.Forecast.Run.Nanoseconds(), lowerBound(p).Nanoseconds()
	j.ComputeNS, j.ReadNS = p.Forecast.Compute.Nanoseconds(), p.Forecast.Read.Nanoseconds()
	j.WeightsBytes = p.File.Bytes
	j.ResidentBytes, j.StreamedBytes = p.Traffic()
	j.Certificate = &certifiedJSON{
		Least: boundJSON{c.Least.Bytes, c.Least.At, c.Least.Blocking},
		Live:  boundJSON{c.Live.Bytes, c.Live.At, c.Live.Blocking},
	}
	t := &j.Certificate.Time
	t.ComputeNS, t.ReadNS, t.DependencyNS, t.Binding = c.Time.Compute.Nanoseconds(), c.Time.Read.Nanoseconds(), c.Time.Dependency.Nanoseconds(), c.Time.Binding
	for _, b := range p.Buffers {
		j.Buffers = append(j.Buffers, bufferJSON{b.Name, b.Kind.String(), b.Offset, b.Size, b.First, b.Last, b.Resident})
	}
	span := func(r plan.Range) *[2]int {
		if r == (plan.Range{}) {
			return nil
		}
		return &[2]int{r.Lo, r.Hi}
	}
	for _, s := range p.Steps {
		t := stepJSON{Op: s.Op.Name, Kind: s.Op.Kind.String(), Layers: []string{}, Panels: span(s.Panels), Rows: span(s.Rows), Weights: s.Weights, Wait: s.Wait}
		for _, l := range s.Op.Layers {
			t.Layers = append(t.Layers, l.Name)
		}
		j.Steps = append(j.Steps, t)
	}
	for _, l := range p.Loads {
		j.Loads = append(j.Loads, loadJSON{p.File.Items[l.Item].Name, l.Buffer, l.FileOffset, l.Bytes, l.Arena, l.After, l.Resident})
	}
}
