// Command coverage writes docs/coverage.md: what of each ncnn layer type is
// compiled and how, found by lowering reference cases, and how near to the
// reference and how small whole networks come. Errors are those that
// "flexnnc verify --json" printed.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/flexnnc/flexnnc/compiler"
	"github.com/flexnnc/flexnnc/compiler/cases"
	"github.com/flexnnc/flexnnc/compiler/layer"
	"github.com/flexnnc/flexnnc/compiler/ncnn"
	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/op"
)

func main() {
	models := flag.String("models", "../shared/models", "`FOLDER` of reference networks")
	verified := flag.String("verify", "", "comma-separated `FILES` that flexnnc verify --json wrote")
	flag.Parse()
	if err := write(*models, *verified); err != nil {
		fmt.Fprintln(os.Stderr, "coverage:", err)
		os.Exit(1)
	}
}

// row is what is known of one layer type.
type row struct {
	cases, lowered      int
	half, int8          bool
	channels, rows, asm bool
	calls               map[string]bool
}

func write(models, verified string) error {
	rows := map[string]*row{}
	for _, d := range layer.All() {
		rows[d.Type] = &row{calls: map[string]bool{}}
	}
	paths, err := cases.Find(filepath.Join(models, "layers"))
	if err != nil {
		return err
	}
	for _, p := range paths {
		if err := lowerCase(p, rows); err != nil {
			return err
		}
	}
	fmt.Print(`# Coverage

Written by ` + "`go run ./cmd/coverage`" + ` from reference cases; do not edit.

## Layers

*Parsed*: all types below. *float*: how many of its reference cases are compiled. *fp16*, *int8*: weights that are stored so are
taken. *channels*: weights are cut into slices of output channels. *rows*: what is not Go runs by bands of rows. *Kernels*: "asm" where all the
work is done by generated AVX-512, AVX2 and NEON kernels, "asm+Go" where some of it is, "Go" where portable Go does it, "-" where
placement makes it free.

| layer | float | fp16 | int8 | channels | rows | arm64 | amd64 |
|---|---|---|---|---|---|---|---|
`)
	var names []string
	for n := range rows {
		names = append(names, n)
	}
	sort.Strings(names)
	for _, n := range names {
		r := rows[n]
		kernel := "-"
		switch {
		case len(r.calls) > 0 && r.asm:
			kernel = "asm+Go"
		case len(r.calls) > 0:
			kernel = "Go"
		case r.asm:
			kernel = "asm"
		}
		float := "no case"
		if r.cases > 0 {
			float = fmt.Sprintf("%d of %d", r.lowered, r.cases)
		}
		fmt.Printf("| %s | %s | %s | %s | %s | %s | %s | %s |\n", n, float, yes(r.half), yes(r.int8), yes(r.channels), yes(r.rows), kernel, kernel)
	}
	return networks(models, verified)
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return ""
}

// lowerCase lowers one reference case and notes what its layers became.
func lowerCase(path string, rows map[string]*row) error {
	s, err := cases.Read(path)
	if err != nil {
		return err
	}
	n, err := ncnn.Open(s.Param, s.Bin)
	if err != nil {
		return err
	}
	defer n.Close()
	types := map[string]bool{}
	for _, l := range n.Graph.Layers {
		r := rows[l.Type]
		if r == nil {
			continue
		}
		types[l.Type] = true
		for _, w := range l.Weights {
			r.half = r.half || w.Storage == ir.StoreF16
			r.int8 = r.int8 || w.Storage == ir.StoreI8
		}
	}
	for t := range types {
		rows[t].cases++
	}
	g, err := compiler.Lower(n.Graph, compiler.Options{Inputs: s.InputShapes(), Outputs: s.OutputNames(), Threads: 1})
	if err != nil {
		return nil // counted as a case that is not compiled
	}
	for t := range types {
		rows[t].lowered++
	}
	for _, o := range g.Ops {
		for _, l := range o.Layers {
			r := rows[l.Type]
			if r == nil {
				continue
			}
			switch o.Kind {
			case op.Conv, op.Depthwise:
				r.asm, r.channels, r.rows = true, true, true
			case op.Pool, op.Map, op.Rows:
				r.asm, r.rows = true, true
			case op.Copy:
				r.rows = true
			case op.Call:
				r.calls[o.Call.Func] = true
				r.asm = r.asm || len(o.Call.Products) > 0
			}
		}
	}
	return nil
}

// networks writes the table of whole networks.
func networks(models, verified string) error {
	type output struct{ Distance float64 }
	type network struct {
		Name, Path string
		OK         bool
		Outputs    []output
	}
	errors := map[string]network{}
	for _, f := range strings.Split(verified, ",") {
		if f == "" {
			continue
		}
		raw, err := os.ReadFile(f)
		if err != nil {
			return err
		}
		var v struct{ Results []network }
		if err := json.Unmarshal(raw, &v); err != nil {
			return fmt.Errorf("%s: %w", f, err)
		}
		for _, n := range v.Results {
			errors[n.Name] = n
		}
	}
	fmt.Print(`
## Networks

*Error* is max |x - reference| / max |reference| over all outputs. *Smallest budget* holds weights, activations and scratch for one
compute thread; *all in memory* is what a plan without a limit takes.

| network | error | smallest budget | all in memory |
|---|---|---|---|
`)
	for _, set := range []string{"trained", "synthetic"} {
		paths, err := cases.Find(filepath.Join(models, set))
		if err != nil {
			return err
		}
		for _, p := range paths {
			s, err := cases.Read(p)
			if err != nil {
				return err
			}
			n, err := ncnn.Open(s.Param, s.Bin)
			if err != nil {
				return err
			}
			text := "not run"
			if e, ok := errors[s.Name]; ok {
				worst := 0.0
				for _, o := range e.Outputs {
					worst = max(worst, o.Distance)
				}
				text = fmt.Sprintf("%.1e", worst)
				if !e.OK {
					text += ", fails"
				}
			}
			least, most := smallest(n.Graph, s)
			fmt.Printf("| %s/%s | %s | %s | %s |\n", set, s.Name, text, least, most)
			n.Close()
		}
	}
	return nil
}

// smallest plans a network twice.
func smallest(g *ir.Graph, s *cases.Suite) (least, most string) {
	o := compiler.Options{Inputs: s.InputShapes(), Outputs: s.OutputNames(), Threads: 1}
	lowered, err := compiler.Lower(g, o)
	if err != nil {
		return "not compiled", ""
	}
	all, err := compiler.Plan(lowered, o)
	if err != nil {
		return "not planned", ""
	}
	o.Min = true
	min, err := compiler.Plan(lowered, o)
	if err != nil {
		return "not planned", ""
	}
	mib := func(n int64) string { return fmt.Sprintf("%.2f MiB", float64(n)/(1<<20)) }
	return mib(int64(min.Arena)), mib(int64(all.Arena))
}
