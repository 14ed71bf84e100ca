// Package bench builds benchmark programs of compiled networks. What the binary
// measures is in package runner, whose source goes with it; of how plans are made
// this package knows nothing.
package bench

import (
	"context"
	"path/filepath"
	"time"

	"github.com/flexnnc/flexnnc/cmd/flexnnc/program"
	"github.com/flexnnc/flexnnc/ir/plan"
)

// Program is a benchmark binary.
type Program struct {
	Path string
	// Weights is the weights file, which the binary looks for in its own folder;
	// "" where it is embedded in the binary.
	Weights string
}

// Prediction is what a run with so many threads should take, by the cost model of
// a target; Steps are the plan's.
type Prediction struct {
	Target  string
	Threads int
	Run     time.Duration
	Steps   []time.Duration
}

// Build makes the benchmark binary of a plan at path. All that is made on the way
// lies in the folder work.
func Build(ctx context.Context, p *plan.Plan, predicted Prediction, t program.Platform, version, work, path string) (*Program, error) {
	m, err := program.New(work)
	if err != nil {
		return nil, err
	}
	k, err := m.Emit(p, "", version, program.EmbedSmall)
	if err != nil {
		return nil, err
	}
	if err := m.AddRunner(runnerSources); err != nil {
		return nil, err
	}
	if err := m.WriteMain(mainSource(p, k, predicted)); err != nil {
		return nil, err
	}
	if err := m.Build(ctx, t, path); err != nil {
		return nil, err
	}
	r := &Program{Path: path}
	if k.Weights != "" {
		r.Weights = filepath.Join(filepath.Dir(path), k.Name+".weights.bin")
		return r, program.Move(k.Weights, r.Weights)
	}
	return r, nil
}
