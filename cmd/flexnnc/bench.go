package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"

	"github.com/urfave/cli/v2"

	"github.com/flexnnc/flexnnc/cmd/flexnnc/bench"
	"github.com/flexnnc/flexnnc/cmd/flexnnc/program"
	"github.com/flexnnc/flexnnc/cmd/flexnnc/random"
	"github.com/flexnnc/flexnnc/codegen"
	"github.com/flexnnc/flexnnc/compiler"
	"github.com/flexnnc/flexnnc/compiler/cost"
	"github.com/flexnnc/flexnnc/ir/plan"
)

var targetForBench = &cli.StringFlag{Name: "target", Usage: "`DEVICE` by whose model plans are made, and times are predicted: as for plan; GOOS/GOARCH is short for --platform",
	DefaultText: "host, or " + cost.Default + " for another machine's --platform"}

var benchCommand = &cli.Command{
	Name:  "bench",
	Usage: "measure how fast a network runs, or build the program that does",
	Flags: []cli.Flag{
		paramFlag, binFlag,
		&cli.BoolFlag{Name: "random", Usage: "make weights up, in place of --bin"},
		&cli.StringFlag{Name: "budget", Value: "max", Usage: "memory for everything the package allocates: `SIZE`, min or max"},
		inputFlag, outputFlag, customFlag, customShapeFlag, customWeightsFlag, weightsFlag, algorithmFlag, effortFlag,
		&cli.IntFlag{Name: "threads", Value: 1, Usage: "compute threads `N`"},
		&cli.IntFlag{Name: "runs", Usage: "timed runs `N`; by default as many as take some seconds"},
		&cli.StringFlag{Name: "against", Usage: "`COMMAND` to take turns with: the last word of each line that it prints is the milliseconds of one run"},
		&cli.BoolFlag{Name: "kernels", Usage: "measure kernels, shape by shape, in place of a network: GFLOP/s, bandwidth, and what the machine allows"},
		&cli.StringFlag{Name: "kernel", Usage: "with --kernels, those only whose \"group: name\" matches `REGEXP`"},
		&cli.BoolFlag{Name: "json", Usage: "print JSON"},
		targetForBench,
		platformFlag, // another machine's needs --build-only
		&cli.BoolFlag{Name: "build-only", Usage: "build the benchmark and do not run it"},
		&cli.StringFlag{Name: "out", Usage: "where --build-only writes the benchmark: `FILE`; by default NETWORK-bench-GOOS-GOARCH in this folder"},
	},
	Action: benchAction,
}

// platformAsTarget lets --target linux/arm64 stand for --platform linux/arm64: no
// device is called so, and no profile, whose names end in .json.
func platformAsTarget(c *cli.Context) error {
	if _, err := program.ParsePlatform(c.String("target")); err != nil || filepath.Ext(c.String("target")) != "" || filepath.IsAbs(c.String("target")) {
		return nil
	}
	if c.IsSet("platform") && c.String("platform") != c.String("target") {
		return usagef("bench: --target %s and --platform %s disagree", c.String("target"), c.String("platform"))
	}
	if err := c.Set("platform", c.String("target")); err != nil {
		return err
	}
	return c.Set("target", "")
}

// measuredOn reads what a network that is to be measured is built for, and settles the
// device to plan for: where none is given this machine, unless the program is to run
// on another.
func measuredOn(c *cli.Context) (program.Platform, error) {
	switch {
	case c.Bool("random") && c.String("bin") != "":
		return program.Platform{}, usagef("%s: --random and --bin exclude each other", c.Command.Name)
	case !c.Bool("random") && c.String("bin") == "":
		return program.Platform{}, usagef("%s: --bin FILE or --random is needed", c.Command.Name)
	}
	return settled(c)
}

// settled is measuredOn of what has no weights.
func settled(c *cli.Context) (program.Platform, error) {
	platform, err := program.ParsePlatform(c.String("platform"))
	host := platform == program.Host()
	switch {
	case err != nil:
		err = usagef("%s: --platform: %v", c.Command.Name, err)
	case !c.Bool("build-only") && !host:
		err = usagef("%s: a program for %s does not run here; --build-only writes it", c.Command.Name, platform)
	case c.String("target") != "":
	case host:
		err = c.Set("target", "host")
	default:
		err = c.Set("target", cost.Default)
	}
	return platform, err
}

func benchAction(c *cli.Context) error {
	if err := platformAsTarget(c); err != nil {
		return err
	}
	switch {
	case c.Bool("kernels"):
		return benchKernels(c)
	case c.IsSet("kernel"):
		return usagef("bench: --kernel REGEXP goes with --kernels")
	case c.String("out") != "" && !c.Bool("build-only"):
		return usagef("bench: --out FILE is for --build-only, which writes the benchmark in place of running it")
	case c.String("against") != "" && c.Bool("build-only"):
		return usagef("bench: --build-only runs nothing; give the benchmark that it writes -against COMMAND")
	case c.Int("runs") < 0:
		return usagef("bench: --runs %d is negative", c.Int("runs"))
	}
	target, err := measuredOn(c)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(c.Context, os.Interrupt)
	defer stop()
	work, err := os.MkdirTemp("", "flexnncbench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	p, err := buildBench(ctx, c, target, work)
	if err != nil {
		return err
	}
	if c.Bool("build-only") {
		return printBuilt(c, target, p)
	}
	return runBench(ctx, c, p)
}

// printBuilt says what --build-only has written.
func printBuilt(c *cli.Context, target program.Platform, p *bench.Program) error {
	if c.Bool("json") {
		return json.NewEncoder(c.App.Writer).Encode(struct {
			Target  string `json:"target"`
			Path    string `json:"path"`
			Weights string `json:"weights,omitempty"`
		}{target.String(), p.Path, p.Weights})
	}
	fmt.Fprintf(c.App.Writer, "benchmark for %s in %s, planned for %s\n", target, p.Path, c.String("target"))
	if p.Weights != "" {
		fmt.Fprintf(c.App.Writer, "its weights, to be kept in the same folder, in %s\n", p.Weights)
	}
	return nil
}

// buildBench compiles the network and builds its benchmark.
func buildBench(ctx context.Context, c *cli.Context, target program.Platform, work string) (*bench.Program, error) {
	b, err := parseBudget(c.String("budget"))
	if err != nil {
		return nil, usagef("bench: %v", err)
	}
	pr := newProgress(c.App.ErrWriter)
	defer pr.done()
	pr.say("reading %s", c.String("param"))
	n, o, err := network(c, !c.Bool("random"))
	if err != nil {
		return nil, err
	}
	defer n.Close()
	if c.Bool("random") {
		random.Weights(n.Graph)
	}
	o.Budget, o.Min = b.bytes, b.min
	stop := pr.ticking("planning")
	planned, err := compiler.Compile(n.Graph, o)
	if stop(); err != nil {
		return nil, err
	}
	pr.say("building")
	out := c.String("out")
	switch {
	case out != "":
	case c.Bool("build-only"):
		out = fmt.Sprintf("%s-bench-%s-%s", codegen.PackageName(planned.Graph.Name), target.OS, target.Arch)
	default:
		out = filepath.Join(work, "benchmark")
	}
	return bench.Build(ctx, planned, predict(o, planned), target, version, filepath.Join(work, "src"), out)
}

// predict replays a plan by the model of its target.
func predict(o compiler.Options, p *plan.Plan) bench.Prediction {
	line := o.Target.Model(o.Threads).Replay(p)
	r := bench.Prediction{Target: o.Target.Name, Threads: o.Threads, Run: picoseconds(line.End)}
	for _, s := range line.Steps {
		r.Steps = append(r.Steps, picoseconds(s.Len()))
	}
	return r
}

// runBench runs a benchmark, whose output becomes the command's.
func runBench(ctx context.Context, c *cli.Context, p *bench.Program) error {
	args := []string{"-threads", strconv.Itoa(c.Int("threads")), "-runs", strconv.Itoa(c.Int("runs"))}
	if c.Bool("json") {
		args = append(args, "-json")
	}
	if c.String("against") != "" {
		args = append(args, "-against", c.String("against"))
	}
	cmd := exec.CommandContext(ctx, p.Path, args...)
	cmd.Stdout, cmd.Stderr = c.App.Writer, c.App.ErrWriter
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("the benchmark failed: %w", err)
	}
	return nil
}
