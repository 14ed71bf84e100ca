package bench

import (
	"embed"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/flexnnc/flexnnc/cmd/flexnnc/program"
	"github.com/flexnnc/flexnnc/ir/plan"
)

// runnerSources are copied into the module that is built.
//
//go:embed runner/*.go
var runnerSources embed.FS

func ms(d time.Duration) float64 { return float64(d) / 1e6 }

func decimal(n int) string { return strconv.Itoa(n) }

// mainSource is the main program: the network's description and ways into its
// package.
func mainSource(p *plan.Plan, k *program.Package, predicted Prediction) string {
	var b strings.Builder
	_, streamed := p.Traffic()
	budget := "max"
	if p.Budget > 0 {
		budget = fmt.Sprintf("%d bytes", p.Budget)
	}
	fmt.Fprintf(&b, "package main\n\nimport (\n\t\"context\"\n\n\t%q\n\t%q\n\tnet %q\n)\n\n", program.ModuleName+"/inputs", program.ModuleName+"/runner", k.Path)
	b.WriteString("func main() { runner.Main(&described) }\n\nvar described = runner.Net{\n")
	fmt.Fprintf(&b, "\tName: %q,\n\tBudget: %q,\n\tMaxThreads: net.MaxThreads,\n", p.Graph.Name, budget)
	fmt.Fprintf(&b, "\tArenaBytes: net.ArenaBytes,\n\tWeightsBytes: net.WeightsBytes,\n\tStreamedBytes: %d,\n", streamed)
	fmt.Fprintf(&b, "\tTarget: %q,\n\tPredictedThreads: %d,\n\tPredictedMS: %g,\n", predicted.Target, predicted.Threads, ms(predicted.Run))
	b.WriteString("\tKernels: net.BenchKernels,\n\tPeak: net.BenchPeak,\n\tOpen: open,\n\tSteps: []runner.Step{\n")
	for i, s := range Steps(p) {
		fmt.Fprintf(&b, "\t\t{Layer: %q, Kind: %q, MACs: %.0f, Bytes: %.0f, Streamed: %d, PredictedMS: %g},\n", s.Layer, s.Kind, s.MACs, s.Bytes, s.Streamed, ms(predicted.Steps[i]))
	}
	b.WriteString(`	},
}

func open(threads int, weights string) (*runner.Session, error) {
	n, err := net.New(net.Options{Threads: threads, WeightsPath: weights})
	if err != nil {
		return nil, err
	}
	in, out, ctx := net.NewInputs(), net.NewOutputs(), context.Background()
	inputs.Fill(in)
	return &runner.Session{
		Run:     func() error { return n.Run(ctx, in, out) },
		Close:   n.Close,
		Observe: n.BenchObserve,
		Waited:  n.BenchWaited,
	}, nil
}
`)
	return b.String()
}
