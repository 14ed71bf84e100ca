// Package runner is the part of a benchmark binary that does not depend on the
// network: it runs an emitted package, times its runs and its steps, compares
// both with the CPU's peak, and prints a report. Its source goes into the module
// of every benchmark, so it imports the standard library only.
package runner

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"
)

// Net describes the network that is measured, and leads into its package.
type Net struct {
	Name          string
	Budget        string
	MaxThreads    int
	ArenaBytes    int64
	WeightsBytes  int64 // of the file
	StreamedBytes int64 // read from it in each run
	Steps         []Step
	// What the cost model of a target predicts for so many threads.
	Target           string
	PredictedThreads int
	PredictedMS      float64
	Kernels          func() string               // instruction set in use
	Peak             func(n int) (flops float64) // n iterations of FMAs on registers; 0 where it cannot tell
	Open             func(threads int, weights string) (*Session, error)
}

// Step is one step of the plan.
type Step struct {
	Layer string // operation that it belongs to
	Kind  string
	MACs  float64 // multiply-adds of the direct algorithm
	Bytes float64 // of operands, read or written once
	// Streamed is the bytes that each run reads from the weights file for the step.
	Streamed int64
	// PredictedMS is for Net.PredictedThreads.
	PredictedMS float64
}

// Session is an opened network with its arrays.
type Session struct {
	Run     func() error
	Close   func() error
	Observe func(func(step int, complete bool))
	Waited  func() time.Duration // for loads, in all runs
}

// options are the binary's flags.
type options struct {
	threads int
	runs    int
	weights string
	against string
	json    bool
}

// Main is the binary's main function.
func Main(n *Net) {
	if err := run(n, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return
		}
		fmt.Fprintf(os.Stderr, "%s: %v\n", n.Name, err)
		os.Exit(1)
	}
}

func run(n *Net, args []string, stdout, stderr io.Writer) error {
	var o options
	f := flag.NewFlagSet("benchmark of "+n.Name, flag.ContinueOnError)
	f.SetOutput(stderr)
	f.IntVar(&o.threads, "threads", min(n.MaxThreads, runtime.NumCPU()), "compute `threads`")
	f.IntVar(&o.runs, "runs", 0, "timed `runs`; 0 = as many as take some seconds")
	f.StringVar(&o.weights, "weights", "", "weights `file`, where it is not embedded and not beside the binary")
	f.StringVar(&o.against, "against", "", "`command` to take turns with; the last number of each line that it prints is the milliseconds of a run")
	f.BoolVar(&o.json, "json", false, "print JSON")
	if err := f.Parse(args); err != nil {
		return err
	}
	if f.NArg() > 0 {
		return fmt.Errorf("there is no argument %q", f.Arg(0))
	}
	if o.threads < 1 || o.runs < 0 {
		return fmt.Errorf("-threads %d -runs %d: at least 1 thread and 0 runs", o.threads, o.runs)
	}
	r, err := measure(n, &o)
	if err != nil {
		return err
	}
	if o.json {
		return r.printJSON(stdout)
	}
	return r.print(stdout)
}
