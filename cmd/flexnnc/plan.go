package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/flexnnc/flexnnc/codegen/report"
	"github.com/flexnnc/flexnnc/compiler"
	"github.com/flexnnc/flexnnc/ir/plan"
)

var planCommand = &cli.Command{
	Name:  "plan",
	Usage: "show how a network would run within a budget; the weights are not needed",
	Flags: []cli.Flag{
		paramFlag, binFlag, budgetFlag, inputFlag, outputFlag, customFlag, customShapeFlag, customWeightsFlag, algorithmFlag, weightsFlag, threadsFlag, targetFlag, effortFlag, dumpFlag,
		&cli.BoolFlag{Name: "json", Usage: "print JSON"},
		&cli.BoolFlag{Name: "full", Usage: "print all steps, buffers and loads"},
		&cli.BoolFlag{Name: "sweep", Usage: "print what latency each budget buys, from min to max"},
		&cli.StringFlag{Name: "report", Usage: "write a page with drawings of the plan to `FILE`.html, or two drawings as FILE.svg"},
	},
	Action: planAction,
}

var inspectCommand = &cli.Command{
	Name:  "inspect",
	Usage: "print a network's layers with their shapes, or the operations after a stage of the compiler",
	Flags: []cli.Flag{
		paramFlag, binFlag, inputFlag, outputFlag, customFlag, customShapeFlag, customWeightsFlag, algorithmFlag, threadsFlag,
		&cli.StringSliceFlag{Name: "dump", Value: cli.NewStringSlice("graph"), Usage: "`PASS` to print after: " + strings.Join(compiler.Stages(), ", ")},
	},
	Action: inspectAction,
}

func inspectAction(c *cli.Context) error {
	n, o, err := network(c, false)
	if err != nil {
		return err
	}
	defer n.Close()
	for _, s := range c.StringSlice("dump") {
		if s == "plan" {
			return usagef("inspect: flexnnc plan --full prints plans")
		}
	}
	_, err = compiler.Lower(n.Graph, o)
	return err
}

func planAction(c *cli.Context) error {
	sweeping := c.Bool("sweep")
	var b budget
	var err error
	if !sweeping || c.String("budget") != "" {
		if b, err = parseBudget(c.String("budget")); err != nil {
			return usagef("plan: %v", err)
		}
	}
	n, o, err := network(c, false)
	if err != nil {
		return err
	}
	defer n.Close()
	pr := newProgress(c.App.ErrWriter)
	defer pr.done()
	lowered, err := compiler.Lower(n.Graph, o)
	if err != nil {
		return err
	}
	r := &planned{name: lowered.Name, options: o, full: c.Bool("full"), weights: c.String("bin") != ""}
	if c.String("budget") != "" {
		stop := pr.ticking("planning for a budget of %s", c.String("budget"))
		o.Budget, o.Min = b.bytes, b.min
		r.plan, err = compiler.Plan(lowered, o)
		if stop(); err != nil {
			return err
		}
		if b.min && !c.Bool("json") {
			if r.direct, err = directFloor(c, r.plan); err != nil {
				return err
			}
		}
	}
	if sweeping || c.String("report") != "" {
		if r.curve, err = sweep(lowered, o, pr); err != nil {
			return err
		}
	}
	pr.done()
	if file := c.String("report"); file != "" {
		if r.plan == nil {
			return usagef("plan: --report needs --budget")
		}
		if err := r.writeReport(file); err != nil {
			return err
		}
	}
	if c.Bool("json") {
		return r.printJSON(c.App.Writer, sweeping)
	}
	return r.print(c.App.Writer, sweeping, c.String("report"))
}

// planned is what the plan command has found out.
type planned struct {
	name    string // of the network
	options compiler.Options
	full    bool
	weights bool       // their file was given
	plan    *plan.Plan // nil without --budget
	direct  plan.Bytes // see directFloor
	curve   []report.Point
}

func (r *planned) print(w io.Writer, sweeping bool, page string) error {
	if p := r.plan; p != nil {
		if r.full {
			if err := plan.Print(w, p); err != nil {
				return err
			}
			fmt.Fprintln(w)
		}
		printMemory(w, p)
		r.printForm(w)
		printDirectFloor(w, r.direct)
		r.printCertificate(w)
		fmt.Fprintln(w)
		if err := plan.Picture(w, p, pictureRows, pictureColumns); err != nil {
			return err
		}
	}
	if sweeping {
		if r.plan != nil {
			fmt.Fprintln(w)
		}
		printCurve(w, r.curve)
	}
	if page != "" {
		fmt.Fprintf(w, "\npage       %s\n", page)
	}
	return nil
}

// printForm says what form of weights the plan is for, where it is not the file's.
func (r *planned) printForm(w io.Writer) {
	switch {
	case r.options.Half:
		fmt.Fprintln(w, "stored     as fp16, as --weights asks")
	case !r.weights:
		fmt.Fprintln(w, "stored     as fp32 or int8, by the network: --bin tells which weights are fp16, --weights fp16 plans for all of them")
	}
}

// printCertificate says what is predicted, and how far it can be from the best.
func (r *planned) printCertificate(w io.Writer) {
	p, c := r.plan, &r.plan.Certificate
	f := &p.Forecast
	fmt.Fprintf(w, "forecast   %s on %s: computing %s, reading %s\n", report.Time(f.Run), r.options.Target.Name, report.Time(f.Compute), report.Time(f.Read))
	bound := lowerBound(p)
	fmt.Fprintf(w, "           no plan for this budget can take less than %s: the gap is %s", report.Time(bound), percentOver(f.Run, bound))
	if c.Time.Binding != "" {
		fmt.Fprintf(w, "; %s binds", c.Time.Binding)
	}
	fmt.Fprintln(w)
	fmt.Fprintf(w, "minimum    %d bytes work", c.MinBudget)
	if c.Least.Bytes > 0 {
		fmt.Fprintf(w, "; no cutting needs less than %d, %d below: during %s there are %s",
			c.Least.Bytes, c.MinBudget-c.Least.Bytes, c.Least.At, some(c.Least.Blocking))
	}
	fmt.Fprintln(w)
	if c.Live.Bytes > 0 {
		fmt.Fprintf(w, "live       %d bytes at most, during %s: %s\n", c.Live.Bytes, c.Live.At, some(c.Live.Blocking))
	}
}

// lowerBound is the time that no plan within the budget can beat.
func lowerBound(p *plan.Plan) time.Duration {
	return max(p.Certificate.Time.Bound(), p.Forecast.Bound)
}

func percentOver(a, b time.Duration) string {
	if b <= 0 {
		return "unknown"
	}
	return fmt.Sprintf("%.1f %%", 100*(float64(a)/float64(b)-1))
}

// some names the first of a list.
func some(list []string) string {
	const most = 5
	if len(list) > most {
		return strings.Join(list[:most], ", ") + fmt.Sprintf(" and %d more", len(list)-most)
	}
	return strings.Join(list, ", ")
}

const (
	pictureRows    = 20
	pictureColumns = 78
)

// printMemory says where the budget goes.
func printMemory(w io.Writer, p *plan.Plan) {
	asked := "max"
	if p.Budget > 0 {
		asked = fmt.Sprintf("%d bytes", p.Budget)
	}
	resident, streamed := p.Traffic()
	fmt.Fprintf(w, "budget     %s; the arena takes %d bytes (%s), for up to %d threads\n", asked, p.Arena, sizeText(int64(p.Arena)), p.Threads)
	fmt.Fprintf(w, "weights    %s; %s stay in the arena, %s are read in each run\n", sizeText(int64(p.File.Bytes)), sizeText(int64(resident)), sizeText(int64(streamed)))
	fmt.Fprintf(w, "schedule   %d steps of %d operations, %d loads\n", len(p.Steps), len(p.Graph.Ops), len(p.Loads))
}
