package main

import (
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/flexnnc/flexnnc/cmd/flexnnc/random"
	"github.com/flexnnc/flexnnc/compiler"
	"github.com/flexnnc/flexnnc/compiler/cost"
	"github.com/flexnnc/flexnnc/compiler/ncnn"
)

// Flags that several commands share.
var (
	paramFlag   = &cli.StringFlag{Name: "param", Usage: "network, text or binary: `FILE`.param or FILE.param.bin"}
	binFlag     = &cli.StringFlag{Name: "bin", Usage: "weights: `FILE`.bin"}
	budgetFlag  = &cli.StringFlag{Name: "budget", Usage: "memory for everything the package allocates: `SIZE` as 4MiB (2^20), 4MB (10^6), bytes, min or max"}
	inputFlag   = &cli.StringSliceFlag{Name: "input", Usage: "shape of an input, `NAME=W,H,C` (or W / W,H / W,H,D,C); may be repeated"}
	budgetsFlag = &cli.StringSliceFlag{Name: "budget", Usage: budgetFlag.Usage + "; several are plans to switch between at run time"}
	inputsFlag  = &cli.StringSliceFlag{Name: "input", Usage: "shape of an input, `NAME=W,H,C` (or W / W,H / W,H,D,C); given several times for an input, shapes to choose from at run time: the first values of all inputs are the first shape, the second ones the second"}
	outputFlag  = &cli.StringSliceFlag{Name: "output", Usage: "blob `NAME` to hand out beside the network's outputs; may be repeated"}
	threadsFlag = &cli.IntFlag{Name: "threads", Value: 4, Usage: "the most compute threads `N` that the package will be asked to use"}
	effortFlag  = &cli.IntFlag{Name: "effort", Value: 1, Usage: "how far to search for the plan, in packings and candidates: `N` from 1 on; more takes longer and never gives a slower plan"}
	targetFlag  = &cli.StringFlag{Name: "target", Value: cost.Default, Usage: "device to plan for: " + strings.Join(cost.Builtin(), ", ") + ", or a `FILE` as flexnnc profile makes it"}
	weightsFlag = &cli.StringFlag{Name: "weights", Value: "file", Usage: "`FORM` of weights: file (as they are there) or fp16 (rounded to the nearest)"}
	dumpFlag    = &cli.StringSliceFlag{Name: "dump", Usage: "print the network after stage `PASS`: " + strings.Join(compiler.Stages(), ", ")}
)

const mostThreads, mostEffort = 256, 100

// parseEffort reads --effort; 0 where a command has no such flag.
func parseEffort(c *cli.Context) (int, error) {
	n := c.Int("effort")
	if c.IsSet("effort") && (n < 1 || n > mostEffort) {
		return 0, usagef("--effort %d: from 1 to %d", n, mostEffort)
	}
	return n, nil
}

// network reads the flags that name a network, with one shape, and opens it.
func network(c *cli.Context, weightsNeeded bool) (*ncnn.Network, compiler.Options, error) {
	sets, err := parseInputSets(c.StringSlice("input"))
	if err != nil {
		return nil, compiler.Options{}, err
	}
	if len(sets) > 1 {
		return nil, compiler.Options{}, usagef("%s: --input gives several shapes; one at a time", c.Command.Name)
	}
	return openNetwork(c, sets[0], weightsNeeded, true)
}

// openNetwork opens the network that the flags name. It prints warnings where it is told to.
func openNetwork(c *cli.Context, inputs inputSet, weightsNeeded, warn bool) (*ncnn.Network, compiler.Options, error) {
	var o compiler.Options
	param, bin := c.String("param"), c.String("bin")
	if param == "" {
		return nil, o, usagef("%s: --param FILE is needed", c.Command.Name)
	}
	if bin == "" && weightsNeeded {
		return nil, o, usagef("%s: --bin FILE is needed", c.Command.Name)
	}
	o.Outputs = c.StringSlice("output")
	var err error
	if o.Direct, err = directOnly(c); err != nil {
		return nil, o, err
	}
	o.Threads = c.Int("threads")
	if o.Threads < 1 || o.Threads > mostThreads {
		return nil, o, usagef("--threads %d: from 1 to %d", o.Threads, mostThreads)
	}
	if o.Effort, err = parseEffort(c); err != nil {
		return nil, o, err
	}
	o.Inputs = inputs.shapes()
	if o.Half, err = parseWeights(c); err != nil {
		return nil, o, err
	}
	if o.Target, err = cost.Load(c.String("target")); err != nil {
		return nil, o, err
	}
	if o.Dump, err = dumper(c.StringSlice("dump"), c.App.Writer); err != nil {
		return nil, o, err
	}
	customs, err := customsOf(c)
	if err != nil {
		return nil, o, err
	}
	n, err := ncnn.Open(param, bin, customs...)
	if err != nil {
		return nil, o, err
	}
	if err := customsUsed(n.Graph, customs); err != nil {
		n.Close()
		return nil, o, err
	}
	if bin == "" {
		random.Weights(n.Graph) // quantised layers are lowered by their scales
	}
	if !warn {
		return n, o, nil
	}
	for _, w := range n.Warnings.Found {
		fmt.Fprintf(c.App.ErrWriter, "warning: %s\n", w)
	}
	if n.Warnings.Dropped > 0 {
		fmt.Fprintf(c.App.ErrWriter, "and %d more warnings\n", n.Warnings.Dropped)
	}
	return n, o, nil
}

// parseWeights tells whether weights are to be rounded to fp16.
func parseWeights(c *cli.Context) (half bool, err error) {
	switch s := c.String("weights"); s {
	case "", "file": // "" where a command has no such flag
		return false, nil
	case "fp16":
		return true, nil
	default:
		return false, usagef("--weights %s: file or fp16", s)
	}
}

// dumper prints the stages asked for.
func dumper(stages []string, w io.Writer) (func(string, compiler.Printer), error) {
	want := map[string]bool{}
	for _, s := range stages {
		known := false
		for _, have := range compiler.Stages() {
			known = known || s == have
		}
		if !known {
			return nil, usagef("--dump %s: the stages are %s", s, strings.Join(compiler.Stages(), ", "))
		}
		want[s] = true
	}
	return func(stage string, p compiler.Printer) {
		if want[stage] {
			fmt.Fprintf(w, "# after %s\n", stage)
			p.Print(w)
		}
	}, nil
}

// commandLine is what the emitted package records: no folders of this machine.
func commandLine(c *cli.Context, packageName string) string {
	s := "flexnnc compile --param " + filepath.Base(c.String("param")) + " --bin " + filepath.Base(c.String("bin"))
	add := func(name string) {
		for _, v := range c.StringSlice(name) {
			s += " --" + name + " " + v
		}
	}
	add("budget")
	s += " --package " + packageName
	add("input")
	add("output")
	add("custom")
	add("custom-shape")
	add("custom-weights")
	add("state")
	if w := c.String("weights"); w != "file" {
		s += " --weights " + w
	}
	if t := c.String("target"); t != cost.Default {
		s += " --target " + filepath.Base(t)
	}
	if a := c.String("algorithm"); a != "auto" {
		s += " --algorithm " + a
	}
	if n := c.Int("effort"); n != 1 {
		s += " --effort " + strconv.Itoa(n)
	}
	return s + " --threads " + strconv.Itoa(c.Int("threads"))
}
