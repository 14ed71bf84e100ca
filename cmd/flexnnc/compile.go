package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/flexnnc/flexnnc/codegen"
	"github.com/flexnnc/flexnnc/compiler"
	"github.com/flexnnc/flexnnc/compiler/ncnn"
	"github.com/flexnnc/flexnnc/compiler/reside"
	"github.com/flexnnc/flexnnc/ir/op"
	"github.com/flexnnc/flexnnc/ir/plan"
)

var compileCommand = &cli.Command{
	Name:  "compile",
	Usage: "write a Go package that runs a network within a budget",
	Flags: []cli.Flag{
		paramFlag, binFlag, budgetsFlag,
		&cli.StringFlag{Name: "out", Usage: "`DIR` that the package is written to"},
		&cli.StringFlag{Name: "package", Usage: "Go package `NAME`; by default from DIR"},
		&cli.StringSliceFlag{Name: "state", Usage: "`IN=OUT`: output OUT is the value of input IN in the next run; may be repeated"},
		inputsFlag, outputFlag, customFlag, customShapeFlag, customWeightsFlag, algorithmFlag, weightsFlag, threadsFlag, targetFlag, effortFlag, dumpFlag,
	},
	Action: compileAction,
}

func compileAction(c *cli.Context) error {
	if c.String("out") == "" {
		return usagef("compile: --out DIR is needed")
	}
	budgets, err := parseBudgets(c.StringSlice("budget"))
	if err != nil {
		return usagef("compile: %v", err)
	}
	states, err := parseStates(c.StringSlice("state"))
	if err != nil {
		return err
	}
	p := newProgress(c.App.ErrWriter)
	defer p.done()
	p.say("reading %s", c.String("bin"))
	shapes, err := networks(c)
	if err != nil {
		return err
	}
	defer func() {
		for _, s := range shapes {
			s.net.Close()
		}
	}()
	stop := p.ticking("planning")
	set, err := planSet(shapes, budgets)
	if stop(); err != nil {
		return err
	}
	p.say("recording an answer")
	var answers []*codegen.Answer
	for i, s := range shapes {
		a, err := recordAnswer(s.net.Graph, set.Plans[i][0], s.options.Half)
		if err != nil {
			return err
		}
		answers = append(answers, a)
	}
	dir, err := filepath.Abs(c.String("out"))
	if err != nil {
		return err
	}
	name := c.String("package")
	if name == "" {
		name = codegen.PackageName(filepath.Base(dir))
	}
	r, err := codegen.EmitSet(set, codegen.Options{
		Dir: dir, Package: name, Command: commandLine(c, name), Version: version, Answers: answers, State: states,
		Progress: func(done, total int64) { p.say("packing weights: %s of %s", sizeText(done), sizeText(total)) },
	})
	if err != nil {
		return err
	}
	p.done()
	embedded := "embedded"
	if !r.Embedded {
		embedded = "a file of its own: too large to embed"
	}
	fmt.Fprintf(c.App.Writer, "package %s in %s: %d files, weights.bin of %s (%s)\n", r.Package, c.String("out"), len(r.Files), sizeText(r.Weights), embedded)
	fmt.Fprintf(c.App.Writer, "source     %s of Go; %s of assembly for amd64, %s for arm64\n",
		sizeText(int64(r.Go)), sizeText(int64(r.Assembly["amd64"])), sizeText(int64(r.Assembly["arm64"])))
	if l := firstCustom(shapes[0].net.Graph); l != nil {
		fmt.Fprintf(c.App.Writer, "answer     none is recorded for the package's test: %s is computed by %s.%s, which the float64 interpreter cannot call\n",
			l.Type, l.Custom.Import, l.Custom.Func)
	}
	for i, s := range shapes {
		for _, planned := range set.Plans[i] {
			if len(shapes) > 1 {
				fmt.Fprintf(c.App.Writer, "shape      %s\n", s.text)
			}
			printMemory(c.App.Writer, planned)
		}
		if len(shapes) == 1 && len(budgets) == 1 && budgets[0].min {
			floor, err := directFloor(c, set.Plans[i][0])
			if err != nil {
				return err
			}
			printDirectFloor(c.App.Writer, floor)
		}
		if s.options.Half {
			if err := printNarrowing(c.App.Writer, s.net.Graph, set.Plans[i][0].Graph); err != nil {
				return err
			}
		}
	}
	return nil
}

// parseStates reads IN=OUT.
func parseStates(list []string) ([]codegen.State, error) {
	var states []codegen.State
	for _, s := range list {
		in, out, ok := strings.Cut(s, "=")
		if !ok || in == "" || out == "" {
			return nil, usagef("--state %s: want IN=OUT, the names of an input and of an output", s)
		}
		states = append(states, codegen.State{Input: in, Output: out})
	}
	return states, nil
}

// shape is the network with one of the shapes that its inputs are compiled for.
type shape struct {
	net     *ncnn.Network
	options compiler.Options
	lowered *op.Graph
	text    string // as --input gives it
}

// networks opens and lowers the network once for every shape of its inputs.
func networks(c *cli.Context) ([]*shape, error) {
	sets, err := parseInputSets(c.StringSlice("input"))
	if err != nil {
		return nil, err
	}
	var list []*shape
	for i := range sets {
		n, o, err := openNetwork(c, sets[i], true, i == 0)
		if err != nil {
			return nil, err
		}
		s := &shape{net: n, options: o, text: sets[i].String()}
		list = append(list, s)
		if s.lowered, err = compiler.Lower(n.Graph, o); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// planSet plans every shape within every budget. A budget is one of the whole
// package: "min" is the smallest within which all shapes run.
func planSet(shapes []*shape, budgets []budget) (codegen.Set, error) {
	set := codegen.Set{Plans: make([][]*plan.Plan, len(shapes))}
	for _, b := range budgets {
		set.Budgets = append(set.Budgets, b.text)
		if b.min && len(shapes) > 1 {
			for _, s := range shapes {
				o := s.options
				o.Min = true
				p, err := compiler.Plan(s.lowered, o)
				if err != nil {
					return set, err
				}
				b.bytes = max(b.bytes, p.Budget)
			}
			b.min = false
		}
		for i, s := range shapes {
			o := s.options
			o.Budget, o.Min = b.bytes, b.min
			p, err := compiler.Plan(s.lowered, o)
			if err != nil {
				if len(shapes) > 1 {
					err = fmt.Errorf("for inputs %s: %w", s.text, err)
				}
				return set, err
			}
			set.Plans[i] = append(set.Plans[i], p)
		}
	}
	if all := slices.Concat(set.Plans...); len(all) > 1 {
		reside.Together(all)
	}
	return set, nil
}
