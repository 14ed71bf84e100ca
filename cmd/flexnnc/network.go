package main

import (
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/flexnnc/flexnnc/compiler"
	"github.com/flexnnc/flexnnc/compiler/cases"
	"github.com/flexnnc/flexnnc/compiler/cost"
	"github.com/flexnnc/flexnnc/compiler/ncnn"
	"github.com/flexnnc/flexnnc/ir"
)

// Flags that several commands share.
var (
	paramFlag   = &cli.StringFlag{Name: "param", Usage: "network, text or binary: `FILE`.param or FILE.param.bin"}
	binFlag     = &cli.StringFlag{Name: "bin", Usage: "weights: `FILE`.bin"}
	budgetFlag  = &cli.StringFlag{Name: "budget", Usage: "memory for everything the package allocates: `SIZE` as 4MiB (2^20), 4MB (10^6), bytes, min or max"}
	inputFlag   = &cli.StringSliceFlag{Name: "input", Usage: "shape of an input, `NAME=W,H,C` (or W / W,H / W,H,D,C); may be repeated"}
	outputFlag  = &cli.StringSliceFlag{Name: "output", Usage: "blob `NAME` to hand out beside the network's outputs; may be repeated"}
	threadsFlag = &cli.IntFlag{Name: "threads", Value: 4, Usage: "the most compute threads `N` that the package will be asked to use"}
	targetFlag  = &cli.StringFlag{Name: "target", Value: cost.Default, Usage: "device to plan for: " + strings.Join(cost.Builtin(), ", ") + ", or a `FILE` as flexnnc profile makes it"}
	dumpFlag    = &cli.StringSliceFlag{Name: "dump", Usage: "print the network after stage `PASS`: " + strings.Join(compiler.Stages(), ", ")}
)

const mostThreads = 256

// network reads the flags that name a network and opens it.
func network(c *cli.Context, weightsNeeded bool) (*ncnn.Network, compiler.Options, error) {
	var o compiler.Options
	param, bin := c.String("param"), c.String("bin")
	if param == "" {
		return nil, o, usagef("%s: --param FILE is needed", c.Command.Name)
	}
	if bin == "" && weightsNeeded {
		return nil, o, usagef("%s: --bin FILE is needed", c.Command.Name)
	}
	o.Outputs = c.StringSlice("output")
	o.Threads = c.Int("threads")
	if o.Threads < 1 || o.Threads > mostThreads {
		return nil, o, usagef("--threads %d: from 1 to %d", o.Threads, mostThreads)
	}
	var err error
	if o.Target, err = cost.Load(c.String("target")); err != nil {
		return nil, o, err
	}
	if o.Inputs, err = parseInputs(c.StringSlice("input")); err != nil {
		return nil, o, err
	}
	if o.Dump, err = dumper(c.StringSlice("dump"), c.App.Writer); err != nil {
		return nil, o, err
	}
	n, err := ncnn.Open(param, bin)
	if err != nil {
		return nil, o, err
	}
	for _, w := range n.Warnings.Found {
		fmt.Fprintf(c.App.ErrWriter, "warning: %s\n", w)
	}
	if n.Warnings.Dropped > 0 {
		fmt.Fprintf(c.App.ErrWriter, "and %d more warnings\n", n.Warnings.Dropped)
	}
	return n, o, nil
}

// parseInputs reads NAME=W,H,C. Names may contain '=': the last one counts.
func parseInputs(list []string) (map[string]ir.Shape, error) {
	shapes := map[string]ir.Shape{}
	for _, s := range list {
		i := strings.LastIndex(s, "=")
		if i < 1 {
			return nil, usagef("--input %s: want NAME=W,H,C", s)
		}
		var sizes []int
		for _, d := range strings.Split(s[i+1:], ",") {
			n, err := strconv.Atoi(d)
			if err != nil {
				return nil, usagef("--input %s: %q is no size; want NAME=W,H,C", s, d)
			}
			sizes = append(sizes, n)
		}
		shape, ok := cases.ParseShape(sizes)
		if !ok {
			return nil, usagef("--input %s: want 1 to 4 sizes, W or W,H or W,H,C or W,H,D,C, with at most 2^30 elements", s)
		}
		if _, twice := shapes[s[:i]]; twice {
			return nil, usagef("--input %s: %s was given before", s, s[:i])
		}
		shapes[s[:i]] = shape
	}
	return shapes, nil
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
	s := "flexnnc compile --param " + filepath.Base(c.String("param")) + " --bin " + filepath.Base(c.String("bin")) +
		" --budget " + c.String("budget") + " --package " + packageName
	for _, name := range []string{"input", "output"} {
		for _, v := range c.StringSlice(name) {
			s += " --" + name + " " + v
		}
	}
	if t := c.String("target"); t != cost.Default {
		s += " --target " + filepath.Base(t)
	}
	return s + " --threads " + strconv.Itoa(c.Int("threads"))
}
