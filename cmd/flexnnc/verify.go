package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/flexnnc/flexnnc/cmd/flexnnc/harness"
	"github.com/flexnnc/flexnnc/compiler/cases"
)

var verifyCommand = &cli.Command{
	Name:  "verify",
	Usage: "compile, build and run networks on reference cases or against the float64 interpreter, and judge answers and memory",
	Flags: []cli.Flag{
		&cli.StringSliceFlag{Name: "case", Usage: "`FILE` in the format of docs/cases.md, or a folder: every case.json below it; may be repeated"},
		&cli.StringFlag{Name: "param", Usage: "network `FILE` without recorded answers: the float64 interpreter makes them, from inputs that are made up"},
		&cli.StringFlag{Name: "bin", Usage: "weights `FILE` for --param, and for cases that name none"},
		&cli.BoolFlag{Name: "random", Usage: "make the weights of --param up, in place of --bin"},
		&cli.StringSliceFlag{Name: "input", Usage: "shape of an input of --param, `NAME=W,H,C` (or W / W,H / W,H,D,C); may be repeated"},
		&cli.StringSliceFlag{Name: "output", Usage: "blob `NAME` of --param to compare beside the network's outputs; may be repeated"},
		&cli.StringSliceFlag{Name: "budget", Usage: "`SIZE`, min, half or max; may be repeated (default: min, half and max)"},
		&cli.StringSliceFlag{Name: "arch", Usage: "`ARCH` amd64, arm64 or portable; may be repeated (default: all that run here)"},
		&cli.IntSliceFlag{Name: "threads", Usage: "compute threads `N`; may be repeated (default: 1 and 2)"},
		customFlag, customShapeFlag, customWeightsFlag, algorithmFlag, effortFlag,
		&cli.Float64Flag{Name: "tol", Usage: "limit `X` of max |error| / max |reference|, in place of what the cases say"},
		weightsFlag,
		&cli.BoolFlag{Name: "assembly", Usage: "fail where a step runs plain Go though the instruction set has an assembly kernel for it"},
		&cli.BoolFlag{Name: "json", Usage: "print counts and failures as JSON"},
		&cli.StringFlag{Name: "work", Usage: "keep everything that is made in `DIR`"},
		&cli.IntFlag{Name: "parallel", Value: 2, Usage: "how many networks to compile, or processes to run, at a time: `N`"},
	},
	Action: verifyAction,
}

func verifyAction(c *cli.Context) error {
	o, err := verifyOptions(c)
	if err != nil {
		return err
	}
	for _, path := range c.StringSlice("case") {
		found, err := cases.Find(path)
		if err != nil {
			return err
		}
		o.Paths = append(o.Paths, found...)
	}
	ctx, stop := signal.NotifyContext(c.Context, os.Interrupt)
	defer stop()
	p := newProgress(c.App.ErrWriter)
	defer p.done()
	o.Progress = p.say
	r, err := harness.Verify(ctx, *o)
	if err != nil {
		return err
	}
	p.done()
	if c.Bool("json") {
		err = printVerdictJSON(c.App.Writer, r)
	} else {
		printVerdict(c.App.Writer, r)
	}
	if err != nil {
		return err
	}
	if r.Err() != nil {
		return errPrinted
	}
	return nil
}

func verifyOptions(c *cli.Context) (*harness.Options, error) {
	o := &harness.Options{
		Bin: c.String("bin"), Arches: c.StringSlice("arch"), Threads: c.IntSlice("threads"), Tol: c.Float64("tol"),
		Work: c.String("work"), Version: version, Parallel: c.Int("parallel"), Assembly: c.Bool("assembly"),
	}
	var err error
	if o.Customs, err = customsOf(c); err != nil {
		return nil, err
	}
	if o.Direct, err = directOnly(c); err != nil {
		return nil, err
	}
	if o.Effort, err = parseEffort(c); err != nil {
		return nil, err
	}
	if o.Half, err = parseWeights(c); err != nil {
		return nil, err
	}
	if o.Net, err = verifiedNet(c); err != nil {
		return nil, err
	}
	if len(c.StringSlice("case")) == 0 && o.Net == nil {
		return nil, usagef("verify: --case FILE is needed, or --param FILE with --bin FILE or --random")
	}
	budgets := c.StringSlice("budget")
	if len(budgets) == 0 {
		budgets = []string{"min", "half", "max"}
	}
	seen := map[string]bool{}
	for _, s := range budgets {
		if seen[s] {
			return nil, usagef("verify: --budget %s twice", s)
		}
		seen[s] = true
		if s == "half" {
			o.Budgets = append(o.Budgets, harness.Budget{Name: s, Kind: harness.Half})
			continue
		}
		b, err := parseBudget(s)
		switch {
		case err != nil:
			return nil, usagef("verify: %v, or half", err)
		case b.min:
			o.Budgets = append(o.Budgets, harness.Budget{Name: s, Kind: harness.Min})
		case b.bytes == 0:
			o.Budgets = append(o.Budgets, harness.Budget{Name: s, Kind: harness.Max})
		default:
			o.Budgets = append(o.Budgets, harness.Budget{Name: s, Bytes: b.bytes})
		}
	}
	for _, a := range o.Arches {
		if a != harness.Amd64 && a != harness.Arm64 && a != harness.Portable {
			return nil, usagef("verify: --arch %s: amd64, arm64 or portable", a)
		}
	}
	if len(o.Arches) == 0 {
		o.Arches = harness.Arches()
	}
	if len(o.Threads) == 0 {
		o.Threads = []int{1, 2}
	}
	for _, n := range o.Threads {
		if n < 1 || n > mostThreads {
			return nil, usagef("verify: --threads %d: from 1 to %d", n, mostThreads)
		}
	}
	if o.Tol < 0 {
		return nil, usagef("verify: --tol %g is negative", o.Tol)
	}
	return o, nil
}

// verifiedNet is the network that --param names, nil where it names none.
func verifiedNet(c *cli.Context) (*harness.Net, error) {
	param, random := c.String("param"), c.Bool("random")
	if param == "" {
		for _, f := range []string{"random", "input", "output"} {
			if c.IsSet(f) {
				return nil, usagef("verify: --%s goes with --param", f)
			}
		}
		return nil, nil
	}
	sets, err := parseInputSets(c.StringSlice("input"))
	switch {
	case err != nil:
		return nil, err
	case len(sets) > 1:
		return nil, usagef("verify: --input gives several shapes; one at a time")
	case random == (c.String("bin") != ""):
		return nil, usagef("verify: --param needs --bin FILE or --random, and not both")
	}
	return &harness.Net{Param: param, Bin: c.String("bin"), Inputs: sets[0].shapes(), Outputs: c.StringSlice("output")}, nil
}

// printVerdict prints a table of outputs and one of runs for each network, or a
// line for each where there are many.
func printVerdict(w io.Writer, r *harness.Report) {
	const many = 40
	failed, runs := 0, 0
	for _, n := range r.Networks {
		runs += len(n.Runs)
		if bad := n.Failures(); len(bad) > 0 {
			failed++
			fmt.Fprintf(w, "FAIL %s (%s)\n", n.Name, n.Path)
			for _, f := range bad {
				fmt.Fprintf(w, "     %s\n", strings.ReplaceAll(f, "\n", "\n     "))
			}
		} else {
			fmt.Fprintf(w, "ok   %s%s\n", n.Name, oneLine(n))
		}
		if len(r.Networks) <= many {
			if n.Expected != "" {
				fmt.Fprintf(w, "     expected: %s\n", n.Expected)
			}
			printOutputs(w, n)
			printRuns(w, n)
		}
	}
	fmt.Fprintf(w, "%d of %d networks pass, %d runs, %v\n", len(r.Networks)-failed, len(r.Networks), runs, r.Elapsed.Round(time.Second/10))
}

func oneLine(n *harness.Network) string {
	worst := 0.0
	for _, o := range n.Outputs {
		worst = max(worst, o.Distance)
	}
	return fmt.Sprintf(": %d outputs, worst distance %.2g; %d runs with equal bits", len(n.Outputs), worst, len(n.Runs))
}

func printOutputs(w io.Writer, n *harness.Network) {
	if len(n.Outputs) == 0 {
		return
	}
	fmt.Fprintf(w, "     %-32s %-9s %-9s %-8s %s\n", "case/output", "distance", "limit", "top-1", "worst element")
	for _, o := range n.Outputs {
		printJudged(w, o)
	}
}

func printJudged(w io.Writer, o harness.Judged) {
	name := o.Case + "/" + o.Output
	if o.Rule.Detections {
		fmt.Fprintf(w, "     %-32s %d of %d detections found again, %d in all\n", name, o.Matched, o.Rows, o.Found)
		return
	}
	limit := "element"
	if o.Rule.Tol > 0 {
		limit = fmt.Sprintf("%.2g", o.Rule.Tol)
	}
	top := "-"
	if o.HasTop1 {
		top = fmt.Sprintf(map[bool]string{true: "is %d", false: "is %d, DIFFERS"}[o.Top1], o.Class)
	}
	fmt.Fprintf(w, "     %-32s %-9.2g %-9s %-8s [%d] is %v, reference %v\n", name, o.Distance, limit, top, o.Worst, o.Got, o.Want)
	if o.Sway > 0 {
		fmt.Fprintf(w, "     %-32s rounding each blob to float32 moves the reference by %.2g\n", "", o.Sway)
	}
}

func printRuns(w io.Writer, n *harness.Network) {
	if len(n.Runs) == 0 {
		return
	}
	fmt.Fprintf(w, "     %-10s %-12s %-9s %-8s %-7s %s\n", "budget", "arena", "arch", "threads", "bits", "peak memory above idle")
	for _, r := range n.Runs {
		bits := "equal"
		switch {
		case r.Error != "":
			bits = "failed"
		case r.First:
			bits = "first"
		case !r.Equal:
			bits = "DIFFER"
		}
		peak := "not measured"
		if r.Peak >= 0 {
			peak = fmt.Sprintf("%d of %d", r.Peak, r.Bytes)
			if r.Over() {
				peak += " TOO MUCH"
			}
		}
		fmt.Fprintf(w, "     %-10s %-12d %-9s %-8d %-7s %s\n", r.Budget, r.Arena, r.Arch, r.Threads, bits, peak)
		for _, o := range r.Differs {
			printJudged(w, o)
		}
	}
}

// verdictJSON is the --json form.
type verdictJSON struct {
	Networks int           `json:"networks"`
	Passed   int           `json:"passed"`
	Failed   int           `json:"failed"`
	Runs     int           `json:"runs"`
	Seconds  float64       `json:"seconds"`
	Failures []failureJSON `json:"failures"`
	Results  []networkJSON `json:"results"`
}

type failureJSON struct {
	Name    string   `json:"name"`
	Path    string   `json:"path"`
	Reasons []string `json:"reasons"`
}

type networkJSON struct {
	Name    string       `json:"name"`
	Path    string       `json:"path"`
	OK      bool         `json:"ok"`
	Outputs []outputJSON `json:"outputs"`
	Runs    []runJSON    `json:"runs"`
}

type outputJSON struct {
	Case     string  `json:"case"`
	Output   string  `json:"output"`
	Distance float64 `json:"distance"`       // -1: infinite
	Limit    float64 `json:"limit"`          // 0: by element
	Sway     float64 `json:"sway,omitempty"` // of the reference, by rounding blobs to float32
	Worst    int     `json:"worst_element"`
	Top1     *bool   `json:"top1,omitempty"`
}

type runJSON struct {
	Budget  string `json:"budget"`
	Bytes   int64  `json:"budget_bytes"`
	Arena   int64  `json:"arena_bytes"`
	Arch    string `json:"arch"`
	Threads int    `json:"threads"`
	Equal   bool   `json:"bits_equal"`
	Peak    int64  `json:"peak_bytes"` // above idle; -1: not measured
	Error   string `json:"error,omitempty"`
}

func printVerdictJSON(w io.Writer, r *harness.Report) error {
	j := verdictJSON{Networks: len(r.Networks), Seconds: r.Elapsed.Seconds(), Failures: []failureJSON{}}
	for _, n := range r.Networks {
		bad := n.Failures()
		if len(bad) > 0 {
			j.Failed++
			j.Failures = append(j.Failures, failureJSON{n.Name, n.Path, bad})
		} else {
			j.Passed++
		}
		j.Runs += len(n.Runs)
		k := networkJSON{Name: n.Name, Path: n.Path, OK: len(bad) == 0, Outputs: []outputJSON{}, Runs: []runJSON{}}
		for _, o := range n.Outputs {
			x := outputJSON{Case: o.Case, Output: o.Output, Distance: o.Distance, Limit: o.Rule.Tol, Sway: o.Sway, Worst: o.Worst}
			if !(o.Distance <= 1e300) {
				x.Distance = -1
			}
			if o.HasTop1 {
				x.Top1 = &o.Top1
			}
			k.Outputs = append(k.Outputs, x)
		}
		for _, x := range n.Runs {
			k.Runs = append(k.Runs, runJSON{x.Budget, x.Bytes, x.Arena, x.Arch, x.Threads, x.Equal, x.Peak, x.Error})
		}
		j.Results = append(j.Results, k)
	}
	e := json.NewEncoder(w)
	e.SetIndent("", " ")
	return e.Encode(j)
}
