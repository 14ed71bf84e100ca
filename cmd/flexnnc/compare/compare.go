// Package compare builds one program of several plans of a network, which take
// turns at running: budgets against each other, or the planner's techniques switched
// off one at a time. What the program measures is in package runner, whose source
// goes with it; how plans are made this package does not know.
package compare

import (
	"context"
	"embed"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/flexnnc/flexnnc/cmd/flexnnc/program"
	"github.com/flexnnc/flexnnc/ir/plan"
)

// runnerSources are copied into the module that is built.
//
//go:embed runner/*.go
var runnerSources embed.FS

// Variant is one of the plans; all are of the same network.
type Variant struct {
	Name      string
	Plan      *plan.Plan
	Predicted time.Duration
}

// Build makes the program at path. It looks for its weights, the file whose name is
// returned, in its own folder, unless it is told otherwise. All that is made on the
// way lies in the folder work.
func Build(ctx context.Context, variants []Variant, t program.Platform, version, work, path string) (weights string, err error) {
	m, err := program.New(filepath.Join(work, "src"))
	if err != nil {
		return "", err
	}
	weights = path + ".weights.bin"
	var imports, list strings.Builder
	for i, v := range variants {
		k, err := m.Emit(v.Plan, fmt.Sprintf("v%02d", i), version, program.EmbedNone)
		if err != nil {
			return "", err
		}
		// Every plan of a network has the same weights file: keep one.
		if i == 0 {
			err = program.Move(k.Weights, weights)
		} else {
			err = os.Remove(k.Weights)
		}
		if err != nil {
			return "", err
		}
		_, streamed := v.Plan.Traffic()
		fmt.Fprintf(&imports, "\t%q\n", k.Path)
		fmt.Fprintf(&list, `	{
		Name: %q, ArenaBytes: %d, StreamedBytes: %d, Steps: %d, PredictedMS: %g,
		Open: func(threads int, weights io.ReaderAt) (*runner.Session, error) {
			n, err := %[6]s.New(%[6]s.Options{Threads: threads, Weights: weights})
			if err != nil {
				return nil, err
			}
			in, out, ctx := %[6]s.NewInputs(), %[6]s.NewOutputs(), context.Background()
			inputs.Fill(in)
			return &runner.Session{Run: func() error { return n.Run(ctx, in, out) }, Close: n.Close, Waited: n.BenchWaited}, nil
		},
	},
`, v.Name, v.Plan.Arena, streamed, len(v.Plan.Steps), float64(v.Predicted)/1e6, k.Name)
	}
	if err := m.AddRunner(runnerSources); err != nil {
		return "", err
	}
	err = m.WriteMain(fmt.Sprintf("package main\n\nimport (\n\t\"context\"\n\t\"io\"\n\n\t%q\n\t%q\n%s)\n\nfunc main() { runner.Main(%q, variants) }\n\nvar variants = []runner.Variant{\n%s}\n",
		program.ModuleName+"/inputs", program.ModuleName+"/runner", imports.String(), variants[0].Plan.Graph.Name, list.String()))
	if err != nil {
		return "", err
	}
	return weights, m.Build(ctx, t, path)
}
