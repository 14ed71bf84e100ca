// Package profile builds the program that measures a device as a target of the
// planner: an emitted package of a network with every class of kernels, whose steps
// are timed, and a fit of the cost model to their times. What the program does when
// it runs is in package runner, whose source goes with it.
package profile

import (
	"context"
	"embed"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/flexnnc/flexnnc/cmd/flexnnc/program"
	"github.com/flexnnc/flexnnc/cmd/flexnnc/random"
	"github.com/flexnnc/flexnnc/compiler"
	"github.com/flexnnc/flexnnc/compiler/cost"
	"github.com/flexnnc/flexnnc/compiler/ncnn"
	"github.com/flexnnc/flexnnc/ir/plan"
)

//go:embed calibration.param
var calibration []byte

// runnerSources are copied into the module that is built.
//
//go:embed runner/*.go
var runnerSources embed.FS

// threads is the most that the program can be asked to use.
const threads = 16

// Build makes the program for a platform at path; what is made on the way lies in
// the folder work.
func Build(ctx context.Context, t program.Platform, version, work, path string) error {
	param := filepath.Join(work, "calibration.param")
	if err := os.WriteFile(param, calibration, 0o644); err != nil {
		return err
	}
	n, err := ncnn.Open(param, "")
	if err != nil {
		return err
	}
	defer n.Close()
	random.Weights(n.Graph)
	p, err := compiler.Compile(n.Graph, compiler.Options{Threads: threads})
	if err != nil {
		return err
	}
	m, err := program.New(filepath.Join(work, "src"))
	if err != nil {
		return err
	}
	k, err := m.Emit(p, "", version, program.EmbedSmall)
	if err != nil {
		return err
	}
	if k.Weights != "" {
		return fmt.Errorf("BUG: the weights of the calibration network are too large to embed")
	}
	if err := m.AddRunner(runnerSources); err != nil {
		return err
	}
	if err := m.WriteMain(mainSource(k, p)); err != nil {
		return err
	}
	return m.Build(ctx, t, path)
}

func mainSource(k *program.Package, p *plan.Plan) string {
	var b strings.Builder
	fmt.Fprintf(&b, "package main\n\nimport (\n\t\"context\"\n\n\t%q\n\t%q\n\tnet %q\n)\n\n", program.ModuleName+"/inputs", program.ModuleName+"/runner", k.Path)
	b.WriteString("func main() { runner.Main(&described) }\n\nvar described = runner.Net{\n\tMaxThreads: net.MaxThreads,\n\tKernels: net.BenchKernels,\n\tOpen: open,\n\tClasses: []string{")
	for _, c := range cost.Classes() {
		fmt.Fprintf(&b, "%q, ", c)
	}
	b.WriteString("},\n\tSteps: []runner.Step{\n")
	for i := range p.Steps {
		o := p.Steps[i].Op
		w := cost.Of(o)
		fmt.Fprintf(&b, "\t\t{Name: %q, Class: %q, Units: %d, Bytes: %d, Weights: %d},\n", o.Name, w.Class, w.Units, w.Bytes, w.Weights)
	}
	b.WriteString(`	},
}

func open(threads int) (*runner.Session, error) {
	n, err := net.New(net.Options{Threads: threads})
	if err != nil {
		return nil, err
	}
	in, out, ctx := net.NewInputs(), net.NewOutputs(), context.Background()
	inputs.Fill(in)
	return &runner.Session{
		Run:     func() error { return n.Run(ctx, in, out) },
		Close:   n.Close,
		Observe: n.BenchObserve,
	}, nil
}
`)
	return b.String()
}
