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

	"github.com/flexnnc/flexnnc/cmd/flexnnc/bench"
	"github.com/flexnnc/flexnnc/cmd/flexnnc/workspace"
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
func Build(ctx context.Context, variants []Variant, t bench.Target, version, work, path string) (weights string, err error) {
	path, err = filepath.Abs(path)
	if err != nil {
		return "", err
	}
	weights = path + ".weights.bin"
	src := filepath.Join(work, "src")
	var imports, list strings.Builder
	for i, v := range variants {
		name := fmt.Sprintf("v%02d", i)
		file, err := bench.Emit(filepath.Join(src, name), v.Plan, name, version)
		if err != nil {
			return "", err
		}
		// Every plan of a network has the same weights file: keep one.
		if i == 0 {
			err = bench.Move(file, weights)
		} else {
			err = os.Remove(file)
		}
		if err != nil {
			return "", err
		}
		_, streamed := v.Plan.Traffic()
		fmt.Fprintf(&imports, "\t%q\n", bench.ModuleName+"/"+name)
		fmt.Fprintf(&list, `	{
		Name: %q, ArenaBytes: %d, StreamedBytes: %d, Steps: %d, PredictedMS: %g,
		Open: func(threads int, weights io.ReaderAt) (*runner.Session, error) {
			n, err := %[6]s.New(%[6]s.Options{Threads: threads, Weights: weights})
			if err != nil {
				return nil, err
			}
			in, out, ctx := %[6]s.NewInputs(), %[6]s.NewOutputs(), context.Background()
			runner.Fill(in)
			return &runner.Session{Run: func() error { return n.Run(ctx, in, out) }, Close: n.Close, Waited: n.BenchWaited}, nil
		},
	},
`, v.Name, v.Plan.Arena, streamed, len(v.Plan.Steps), float64(v.Predicted)/1e6, name)
	}
	if err := bench.CopySources(runnerSources, "runner", filepath.Join(src, "runner")); err != nil {
		return "", err
	}
	main := fmt.Sprintf("package main\n\nimport (\n\t\"context\"\n\t\"io\"\n\n\t%q\n%s)\n\nfunc main() { runner.Main(%q, variants) }\n\nvar variants = []runner.Variant{\n%s}\n",
		bench.ModuleName+"/runner", imports.String(), variants[0].Plan.Graph.Name, list.String())
	for name, text := range map[string]string{"main.go": main, "go.mod": "module " + bench.ModuleName + "\n\ngo 1.24\n"} {
		if err := os.WriteFile(filepath.Join(src, name), []byte(text), 0o644); err != nil {
			return "", err
		}
	}
	m := &bench.Module{Dir: src, Imports: workspace.Imports(variants[0].Plan.Graph.Source)}
	return weights, m.Build(ctx, t, path)
}
