package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"

	"github.com/urfave/cli/v2"

	"github.com/flexnnc/flexnnc/cmd/flexnnc/compare"
	"github.com/flexnnc/flexnnc/compiler"
	"github.com/flexnnc/flexnnc/compiler/ncnn"
	"github.com/flexnnc/flexnnc/compiler/schedule"
)

var compareCommand = &cli.Command{
	Name:  "compare",
	Usage: "let plans of a network take turns: budgets, and the planner's techniques switched off one at a time",
	Flags: []cli.Flag{
		paramFlag, binFlag,
		&cli.BoolFlag{Name: "random", Usage: "make weights up, in place of --bin"},
		&cli.StringSliceFlag{Name: "budget", Usage: "`SIZE`, min or max; several are compared with the first"},
		&cli.BoolFlag{Name: "ablate", Usage: "compare the plan of one --budget with those that do without a technique"},
		&cli.StringFlag{Name: "pace", Usage: "what storage gives in a second, as `SIZE`; by default as much as it can"},
		inputFlag, outputFlag, customFlag, customShapeFlag, customWeightsFlag, weightsFlag, targetForBench, effortFlag,
		&cli.IntFlag{Name: "threads", Value: 1, Usage: "compute threads `N`"},
		&cli.IntFlag{Name: "rounds", Value: 8, Usage: "how often each has its turn: `N`"},
		platformFlag,
		&cli.BoolFlag{Name: "build-only", Usage: "build the program and do not run it"},
		&cli.StringFlag{Name: "out", Usage: "with --build-only, where to: `FILE`; its weights go to FILE.weights.bin"},
		&cli.BoolFlag{Name: "json", Usage: "print JSON"},
	},
	Action: compareAction,
}

func compareAction(c *cli.Context) error {
	budgets := c.StringSlice("budget")
	switch {
	case len(budgets) == 0:
		return usagef("compare: --budget is needed")
	case c.Bool("ablate") != (len(budgets) == 1):
		return usagef("compare: either several --budget, or one and --ablate")
	case c.Bool("build-only") != (c.String("out") != ""):
		return usagef("compare: --build-only and --out FILE go together")
	case c.Int("rounds") < 1:
		return usagef("compare: --rounds %d: at least 1", c.Int("rounds"))
	}
	pace := int64(0)
	if s := c.String("pace"); s != "" {
		n, err := parseSize(s)
		if err != nil {
			return usagef("compare: --pace: %v", err)
		}
		pace = int64(n)
	}
	platform, err := measuredOn(c)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(c.Context, os.Interrupt)
	defer stop()
	work, err := os.MkdirTemp("", "flexnnccompare")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	out := c.String("out")
	if out == "" {
		out = filepath.Join(work, "compare")
	}
	p := newProgress(c.App.ErrWriter)
	defer p.done()
	n, o, err := network(c, !c.Bool("random"))
	if err != nil {
		return err
	}
	defer n.Close()
	variants, err := compared(c, n, o, pace, p)
	if err != nil {
		return err
	}
	p.say("building")
	weights, err := compare.Build(ctx, variants, platform, version, work, out)
	p.done()
	if err != nil {
		return err
	}
	if c.Bool("build-only") {
		_, err := fmt.Fprintf(c.App.Writer, "program for %s in %s, its weights in %s\n", platform, out, weights)
		return err
	}
	return runCompare(ctx, c, out, pace)
}

// compared makes the plans, for storage of the pace that there will be.
func compared(c *cli.Context, n *ncnn.Network, o compiler.Options, pace int64, pr *progress) ([]compare.Variant, error) {
	budgets := c.StringSlice("budget")
	lowered, err := compiler.Lower(n.Graph, o)
	if err != nil {
		return nil, err
	}
	if pace > 0 {
		t := *o.Target
		t.StorageBandwidth = float64(pace)
		o.Target = &t
	}
	model := o.Target.Model(o.Threads)
	var list []compare.Variant
	add := func(name, budget, without string) error {
		b, err := parseBudget(budget)
		if err != nil {
			return usagef("compare: %v", err)
		}
		stop := pr.ticking("planning %s", name)
		defer stop()
		o.Budget, o.Min, o.Without = b.bytes, b.min, without
		p, err := compiler.Plan(lowered, o)
		if err != nil {
			return err
		}
		list = append(list, compare.Variant{Name: name, Plan: p, Predicted: picoseconds(model.Replay(p).End)})
		return nil
	}
	for _, b := range budgets {
		if err := add(b, b, ""); err != nil {
			return nil, err
		}
	}
	if c.Bool("ablate") {
		for _, t := range compiler.Techniques() {
			err := add("without "+t, budgets[0], t)
			var small *schedule.InfeasibleError
			if errors.As(err, &small) {
				fmt.Fprintf(c.App.ErrWriter, "without %s this budget does not suffice: %d bytes would\n", t, small.Smallest)
				continue
			}
			if err != nil {
				return nil, err
			}
		}
	}
	return list, nil
}

func runCompare(ctx context.Context, c *cli.Context, program string, pace int64) error {
	args := []string{"-threads", strconv.Itoa(c.Int("threads")), "-rounds", strconv.Itoa(c.Int("rounds")), "-pace", strconv.FormatInt(pace, 10)}
	if c.Bool("json") {
		args = append(args, "-json")
	}
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stdout, cmd.Stderr = c.App.Writer, c.App.ErrWriter
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("the program failed: %w", err)
	}
	return nil
}
