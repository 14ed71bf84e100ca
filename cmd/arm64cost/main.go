// Arm64cost tells what networks would cost on arm64 CPUs that are not at hand:
// executed instructions, counted under emulation, and cycles by models of the CPUs.
//
//	go run ./cmd/arm64cost -models FOLDER -out docs/arm64-cost.md -baseline FILE -write
//	go run ./cmd/arm64cost -models FOLDER -baseline FILE -check
//
// It is a tool for those who change kernels and drivers; nothing that is emitted
// depends on it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	"github.com/flexnnc/flexnnc/avo/cost"
	"github.com/flexnnc/flexnnc/cmd/flexnnc/bench"
	"github.com/flexnnc/flexnnc/ir/plan"
)

// builtIn is the network that is always there.
const builtIn = "testdata/glyphs/glyphs.param"

type options struct {
	models    string
	networks  string
	out       string
	baseline  string
	write     bool
	check     bool
	functions bool
}

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return
		}
		var missing *cost.MissingError
		if errors.As(err, &missing) {
			fmt.Println("SKIP arm64 cost:", missing)
			return
		}
		fmt.Fprintln(os.Stderr, "arm64cost:", err)
		os.Exit(1)
	}
}

func run(args []string, w io.Writer) error {
	var o options
	f := flag.NewFlagSet("arm64cost", flag.ContinueOnError)
	f.StringVar(&o.models, "models", "../shared/models", "`folder` with the networks as synthetic/NAME/NAME.param")
	f.StringVar(&o.networks, "networks", "squeezenet,mobilenet,mobilenet_v2,mobilenet_v3,shufflenet_v2,resnet18,resnet50,resnet152,vgg19", "`names` of networks, with commas, beside the built-in one")
	f.StringVar(&o.out, "out", "", "`file` for the report; by default it is printed")
	f.StringVar(&o.baseline, "baseline", "testdata/arm64-cost.json", "`file` with the figures to compare with")
	f.BoolVar(&o.write, "write", false, "write the baseline")
	f.BoolVar(&o.check, "check", false, "fail where a figure is over 2 % above the baseline's")
	f.BoolVar(&o.functions, "functions", false, "print the functions that execute most instructions in each step")
	if err := f.Parse(args); err != nil {
		return err
	}
	if f.NArg() > 0 || o.write && o.check {
		return fmt.Errorf("no arguments, and one of -write and -check")
	}
	work, err := os.MkdirTemp("", "arm64cost")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	ctx := context.Background()
	tools, err := cost.Find(ctx, work)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "counts by %s, cycles by %s and an own in-order model\n", filepath.Base(tools.QEMU), tools.Models())
	model := tools.NewModel()
	params := o.params(w)
	nets, errs := make([]*result, len(params)), make([]error, len(params))
	var workers sync.WaitGroup
	free := make(chan struct{}, runtime.NumCPU())
	for i := len(params) - 1; i >= 0; i-- { // the largest networks are the last
		free <- struct{}{}
		workers.Go(func() {
			nets[i], errs[i] = o.network(ctx, tools, model, filepath.Join(work, fmt.Sprint(i)), params[i])
			<-free
		})
	}
	workers.Wait()
	for i, r := range nets {
		if errs[i] != nil {
			return fmt.Errorf("%s: %w", params[i], errs[i])
		}
		if o.functions {
			r.printFunctions(w)
			if r.shared != nil {
				fmt.Fprintln(w, "the default plan of")
				r.shared.printFunctions(w)
			}
		}
		fmt.Fprintln(w, r.line())
	}
	return o.finish(w, tools, nets)
}

// network measures one, by the plan for one thread and, where that has a thread do other
// work, by the default plan.
func (o *options) network(ctx context.Context, tools *cost.Tools, model *cost.Model, work, param string) (*result, error) {
	one, shared, err := plans(param)
	if err != nil {
		return nil, err
	}
	name := strings.TrimSuffix(filepath.Base(param), ".param")
	r, err := measure(ctx, tools, model, work, name, one, true)
	if err != nil || alike(one, shared) {
		return r, err
	}
	s, err := measure(ctx, tools, model, work, name, shared, false)
	if err != nil {
		return nil, err
	}
	r.shared = s
	return r, nil
}

// params are the networks' files; what is not there is named.
func (o *options) params(w io.Writer) []string {
	list := []string{builtIn}
	for _, n := range strings.Split(o.networks, ",") {
		if n == "" {
			continue
		}
		p := filepath.Join(o.models, "synthetic", n, n+".param")
		if _, err := os.Stat(p); err != nil {
			fmt.Fprintf(w, "SKIP arm64 cost of %s: no file %s\n", n, p)
			continue
		}
		list = append(list, p)
	}
	return list
}

// result is a network's cost.
type result struct {
	name   string
	total  cost.Sum
	layers []layer
	shared *result // of the plan for planThreads, run by one, without cycles of in-order CPUs; nil where that is the same
}

// planThreads are those of the default plan. It keeps fewer of Winograd's weights expanded:
// four threads expand them faster than memory brings them.
const planThreads = 4

// layer is the cost of an operation's steps.
type layer struct {
	name, kind string
	sum        cost.Sum
	functions  map[string]uint64
}

// betweenSteps is the name of what is executed between steps, in tables.
const betweenSteps = "(between steps)"

// byDefault is the cost of the default plan.
func (r *result) byDefault() *result {
	if r.shared != nil {
		return r.shared
	}
	return r
}

// measure counts an inference by one thread, and a second one by the loops for CPUs that
// issue in order.
func measure(ctx context.Context, tools *cost.Tools, model *cost.Model, work, name string, plan *plan.Plan, twice bool) (*result, error) {
	if err := os.MkdirAll(work, 0o755); err != nil {
		return nil, err
	}
	defer os.RemoveAll(work)
	p, err := build(ctx, work, plan)
	if err != nil {
		return nil, err
	}
	code, err := tools.Read(ctx, p.path, p.counted)
	if err != nil {
		return nil, err
	}
	steps := bench.Steps(p.plan)
	run := func(args ...string) (*cost.Cost, error) {
		counts, err := tools.Count(ctx, work, p.path, code.Lo, code.Hi, args...)
		if err != nil {
			return nil, err
		}
		for label := range counts {
			if label > uint64(len(steps)) {
				delete(counts, label)
			}
		}
		return model.Sum(ctx, code, counts, p.kind)
	}
	c, err := run()
	if err != nil {
		return nil, err
	}
	if twice {
		inOrder, err := run(inOrderArg)
		if err != nil {
			return nil, err
		}
		for label, s := range c.ByLabel {
			o := inOrder.ByLabel[label]
			for _, cpu := range cost.CPUs() {
				if cpu.InOrder() && o != nil {
					s.Cycles[cpu], s.GEMMCycles[cpu], s.GEMMAdds[cpu] = o.Cycles[cpu], o.GEMMCycles[cpu], o.GEMMAdds[cpu]
				}
			}
		}
	}
	r := &result{name: name}
	at := map[string]int{}
	add := func(label uint64, name, kind string) {
		s := c.ByLabel[label]
		if s == nil {
			return
		}
		i, ok := at[name]
		if !ok {
			i = len(r.layers)
			at[name] = i
			r.layers = append(r.layers, layer{name: name, kind: kind, functions: map[string]uint64{}})
		}
		r.layers[i].sum.Add(s)
		r.total.Add(s)
		for f, n := range c.BySymbol[label] {
			r.layers[i].functions[strings.TrimPrefix(f, p.pkg+".")] += n
		}
	}
	for i, s := range steps {
		add(uint64(i+1), s.Layer, s.Kind)
	}
	add(0, betweenSteps, "")
	if r.total.All() == 0 {
		return nil, fmt.Errorf("nothing was counted")
	}
	return r, nil
}
