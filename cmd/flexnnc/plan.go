package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/flexnnc/flexnnc/compiler"
	"github.com/flexnnc/flexnnc/compiler/schedule"
	"github.com/flexnnc/flexnnc/ir/op"
	"github.com/flexnnc/flexnnc/ir/plan"
)

var planCommand = &cli.Command{
	Name:  "plan",
	Usage: "show how a network would run within a budget; the weights are not needed",
	Flags: []cli.Flag{
		paramFlag, binFlag, budgetFlag, inputFlag, outputFlag, weightsFlag, threadsFlag, targetFlag, dumpFlag,
		&cli.BoolFlag{Name: "json", Usage: "print the plan as JSON"},
		&cli.BoolFlag{Name: "full", Usage: "print all steps, buffers and loads"},
	},
	Action: planAction,
}

var inspectCommand = &cli.Command{
	Name:  "inspect",
	Usage: "print a network's layers with their shapes, or the operations after a stage of the compiler",
	Flags: []cli.Flag{
		paramFlag, binFlag, inputFlag, outputFlag, threadsFlag,
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
	b, err := parseBudget(c.String("budget"))
	if err != nil {
		return usagef("plan: %v", err)
	}
	n, o, err := network(c, false)
	if err != nil {
		return err
	}
	defer n.Close()
	lowered, err := compiler.Lower(n.Graph, o)
	if err != nil {
		return err
	}
	o.Budget, o.Min = b.bytes, b.min
	p, err := compiler.Plan(lowered, o)
	if err != nil {
		return err
	}
	floor, err := smallest(lowered, o)
	if err != nil {
		return err
	}
	w := c.App.Writer
	if c.Bool("json") {
		return printPlanJSON(w, p, floor)
	}
	if c.Bool("full") {
		if err := plan.Print(w, p); err != nil {
			return err
		}
		fmt.Fprintln(w)
	}
	printMemory(w, p)
	printForecast(w, p)
	fmt.Fprintf(w, "floor      %d bytes; during %s: %s\n\n", floor.Smallest, floor.At, strings.Join(floor.Blocking, ", "))
	return plan.Picture(w, p, pictureRows, pictureColumns)
}

const (
	pictureRows    = 20
	pictureColumns = 78
)

// smallest asks for a budget that cannot work, and so learns which one does.
func smallest(lowered *op.Graph, o compiler.Options) (*schedule.InfeasibleError, error) {
	_, err := schedule.Plan(lowered, schedule.Options{Budget: 1, Threads: o.Threads})
	var floor *schedule.InfeasibleError
	if errors.As(err, &floor) {
		return floor, nil
	}
	if err == nil {
		err = errors.New("BUG: a network runs in a byte")
	}
	return nil, err
}

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

func printForecast(w io.Writer, p *plan.Plan) {
	f := p.Forecast
	fmt.Fprintf(w, "forecast   %v: computing %v, reading %v; no plan for this budget can take less than %v\n", f.Run, f.Compute, f.Read, f.Bound)
}

// planJSON is the --json form of a plan; sizes and offsets are bytes.
type planJSON struct {
	Network       string       `json:"network"`
	Budget        plan.Bytes   `json:"budget"` // 0 = unlimited
	Arena         plan.Bytes   `json:"arena"`
	Threads       int          `json:"threads"`
	WeightsBytes  plan.Bytes   `json:"weights"`
	ResidentBytes plan.Bytes   `json:"resident"`
	StreamedBytes plan.Bytes   `json:"streamed_per_run"`
	Forecast      forecastJSON `json:"forecast_ns"`
	Floor         floorJSON    `json:"floor"`
	Buffers       []bufferJSON `json:"buffers"`
	Steps         []stepJSON   `json:"steps"`
	Loads         []loadJSON   `json:"loads"`
}

type forecastJSON struct {
	Run     int64 `json:"run"`
	Compute int64 `json:"compute"`
	Read    int64 `json:"read"`
	Bound   int64 `json:"bound"`
}

type floorJSON struct {
	Bytes    plan.Bytes `json:"bytes"`
	At       string     `json:"at"`
	Blocking []string   `json:"blocking"`
}

type bufferJSON struct {
	Name     string     `json:"name"`
	Kind     string     `json:"kind"`
	Offset   plan.Bytes `json:"offset"`
	Size     plan.Bytes `json:"size"`
	First    int        `json:"first_step"`
	Last     int        `json:"last_step"`
	Resident bool       `json:"resident,omitempty"`
}

type stepJSON struct {
	Op      string   `json:"op"`
	Kind    string   `json:"kind"`
	Layers  []string `json:"layers"`
	Panels  *[2]int  `json:"panels,omitempty"`
	Rows    *[2]int  `json:"rows,omitempty"`
	Weights int      `json:"weights_buffer"` // -1 where none
	Wait    int      `json:"wait_loads"`
}

type loadJSON struct {
	Item     string     `json:"item"`
	Buffer   int        `json:"buffer"`
	File     plan.Bytes `json:"file_offset"`
	Bytes    plan.Bytes `json:"bytes"`
	Arena    plan.Bytes `json:"arena_offset"`
	After    int        `json:"after_steps"`
	Resident bool       `json:"resident,omitempty"`
}

func printPlanJSON(w io.Writer, p *plan.Plan, floor *schedule.InfeasibleError) error {
	j := planJSON{
		Network: p.Graph.Name, Budget: p.Budget, Arena: p.Arena, Threads: p.Threads, WeightsBytes: p.File.Bytes,
		Forecast: forecastJSON{p.Forecast.Run.Nanoseconds(), p.Forecast.Compute.Nanoseconds(), p.Forecast.Read.Nanoseconds(), p.Forecast.Bound.Nanoseconds()},
		Floor:    floorJSON{floor.Smallest, floor.At, floor.Blocking},
	}
	j.ResidentBytes, j.StreamedBytes = p.Traffic()
	for _, b := range p.Buffers {
		j.Buffers = append(j.Buffers, bufferJSON{b.Name, b.Kind.String(), b.Offset, b.Size, b.First, b.Last, b.Resident})
	}
	span := func(r plan.Range) *[2]int {
		if r == (plan.Range{}) {
			return nil
		}
		return &[2]int{r.Lo, r.Hi}
	}
	for _, s := range p.Steps {
		t := stepJSON{Op: s.Op.Name, Kind: s.Op.Kind.String(), Layers: []string{}, Panels: span(s.Panels), Rows: span(s.Rows), Weights: s.Weights, Wait: s.Wait}
		for _, l := range s.Op.Layers {
			t.Layers = append(t.Layers, l.Name)
		}
		j.Steps = append(j.Steps, t)
	}
	for _, l := range p.Loads {
		j.Loads = append(j.Loads, loadJSON{p.File.Items[l.Item].Name, l.Buffer, l.FileOffset, l.Bytes, l.Arena, l.After, l.Resident})
	}
	e := json.NewEncoder(w)
	e.SetIndent("", " ")
	return e.Encode(j)
}
