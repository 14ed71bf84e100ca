// Package kernels builds the program that measures kernels: shapes of layers in a
// network of their own, compiled as any other, whose steps the program runs one by one,
// and a package of all kernels, whose tiles it calls. What it measures is in package
// runner, whose source goes with it.
package kernels

import (
	"context"
	"embed"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/flexnnc/flexnnc/avo/kernel/whole"
	"github.com/flexnnc/flexnnc/cmd/flexnnc/bench"
	"github.com/flexnnc/flexnnc/cmd/flexnnc/program"
	"github.com/flexnnc/flexnnc/cmd/flexnnc/random"
	"github.com/flexnnc/flexnnc/compiler"
	"github.com/flexnnc/flexnnc/compiler/cost"
	"github.com/flexnnc/flexnnc/compiler/lower"
	"github.com/flexnnc/flexnnc/compiler/ncnn"
	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/diag"
	"github.com/flexnnc/flexnnc/ir/op"
	"github.com/flexnnc/flexnnc/ir/plan"
)

// runnerSources are copied into the module that is built.
//
//go:embed runner/*.go
var runnerSources embed.FS

// tilesSource is what the package of all kernels has besides, with PKG for its name.
//
//go:embed tiles.go.txt
var tilesSource string

// threads is the most that the program can be asked to use.
const threads = 16

// Options say what to build.
type Options struct {
	Only    *regexp.Regexp // of "group: name"; nil = all
	Target  *cost.Target   // by whose model plans are made
	Version string
	Work    string // folder for what is made on the way
	Path    string // of the program
}

// Build makes the program. It returns the path of its weights file, which the program
// looks for in its own folder.
func Build(ctx context.Context, t program.Platform, o Options) (weights string, err error) {
	shapes := slices.DeleteFunc(Shapes(), func(s Shape) bool { return o.Only != nil && !o.Only.MatchString(s.Group+": "+s.Name) })
	only := ""
	if o.Only != nil {
		only = o.Only.String()
	}
	m, err := program.New(filepath.Join(o.Work, "src"))
	if err != nil {
		return "", err
	}
	if err := writeTiles(m.Dir); err != nil {
		return "", err
	}
	if err := m.AddRunner(runnerSources); err != nil {
		return "", err
	}
	var k *program.Package
	var p *plan.Plan
	if len(shapes) > 0 {
		if p, err = Plan(shapes, o.Target); err != nil {
			return "", err
		}
		if k, err = m.Emit(p, "kernels", o.Version, program.EmbedNone); err != nil {
			return "", err
		}
	}
	if err := m.WriteMain(mainSource(shapes, p, only)); err != nil {
		return "", err
	}
	if err := m.Build(ctx, t, o.Path); err != nil {
		return "", err
	}
	if k == nil {
		return "", nil
	}
	weights = filepath.Join(filepath.Dir(o.Path), k.Name+".weights.bin")
	return weights, program.Move(k.Weights, weights)
}

// writeTiles adds the package of all kernels to a module.
func writeTiles(module string) error {
	dir := filepath.Join(module, "tiles")
	files, err := whole.Sources("tiles", func() (map[string][]byte, error) { return program.Peak("tiles") })
	if err != nil {
		return err
	}
	files["bench_tiles.go"] = []byte(strings.Replace(tilesSource, "PKG", "tiles", 1))
	for name, text := range loops {
		files["bench_loops_"+name+".go"] = []byte(strings.Replace(text, "PKG", "tiles", 1))
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for name, b := range files {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			return err
		}
	}
	return program.Narrow(dir, "tiles")
}

// Plan plans the network of shapes with all the memory that it wants, each operation as
// steps of its own.
func Plan(shapes []Shape, target *cost.Target) (*plan.Plan, error) {
	var warnings diag.List
	g, faults := ncnn.ParseParam("kernels.param", []byte(text(shapes)), &warnings)
	if err := faults.Err(); err != nil {
		return nil, err
	}
	random.Weights(g)
	layers := map[string]*Shape{}
	for i := range shapes {
		layers[layerName(i)] = &shapes[i]
	}
	for _, l := range g.Layers {
		if s := layers[l.Name]; s != nil && s.form == half {
			for _, w := range l.Weights {
				if w.Name == "weight" {
					w.Storage, w.Source = ir.StoreF16, halves{}
				}
			}
		}
	}
	o := compiler.Options{Threads: threads, Target: target, Without: "bands"}
	lowered, err := compiler.Lower(g, o)
	if err != nil {
		return nil, err
	}
	for _, x := range lowered.Ops {
		s := shapeOf(layers, x)
		switch {
		case s == nil || s.side == 0:
		case s.side == direct:
			lower.Direct(x)
		case !lower.Winograd(x, s.side):
			return nil, fmt.Errorf("BUG: %s %s is nothing for Winograd's algorithm", s.Group, s.Name)
		}
	}
	return compiler.Plan(lowered, o)
}

// shapeOf is the shape whose layer an op computes, with what is fused to it; or nil.
func shapeOf(layers map[string]*Shape, o *op.Op) *Shape {
	if o.Port != nil {
		return nil
	}
	for _, l := range o.Layers {
		if s := layers[l.Name]; s != nil {
			return s
		}
	}
	return nil
}

// halves are weights of 2 bytes, float16 of 0.0078125 to 0.015.
type halves struct{}

func (halves) ReadAt(b []byte, at int64) (int, error) {
	for i := range b {
		if x := at + int64(i); x%2 == 0 {
			b[i] = byte(x * 37 >> 1)
		} else {
			b[i] = 0x20
		}
	}
	return len(b), nil
}

// mainSource is the main program: what each shape's steps are, and do.
func mainSource(shapes []Shape, p *plan.Plan, only string) string {
	var b strings.Builder
	imports := fmt.Sprintf("\t%q\n\t%q\n", program.ModuleName+"/runner", program.ModuleName+"/tiles")
	if p != nil {
		imports += fmt.Sprintf("\t%q\n", program.ModuleName+"/kernels")
	}
	fmt.Fprintf(&b, "package main\n\nimport (\n%s)\n\nfunc main() { runner.Main(&described) }\n\nvar described = runner.Kernels{\n", imports)
	fmt.Fprintf(&b, "\tVariable: %q,\n\tISAs: tiles.BenchISAs,\n\tPeak: tiles.BenchPeak,\n\tPeakInt8: tiles.BenchPeakInt8,\n\tRead: tiles.BenchRead,\n\tCopy: tiles.BenchCopy,\n\tOnly: %q,\n", program.ISAVariable, only)
	b.WriteString("\tTiles: func() (list []runner.Tile) {\n\t\tfor _, t := range tiles.BenchTiles() {\n\t\t\tlist = append(list, runner.Tile(t))\n\t\t}\n\t\treturn list\n\t},\n")
	if p != nil {
		fmt.Fprintf(&b, "\tMaxThreads: %d,\n\tOpen: open,\n\tShapes: []runner.Shape{\n", threads)
		layers := map[string]*Shape{}
		for i := range shapes {
			layers[layerName(i)] = &shapes[i]
		}
		for i := range shapes {
			writeShape(&b, p, layers, &shapes[i])
		}
		b.WriteString("\t},\n")
	}
	b.WriteString("}\n")
	if p != nil {
		b.WriteString(openSource)
	}
	return b.String()
}

const openSource = `
func open(threads int, weights string) (*runner.Session, error) {
	n, err := kernels.New(kernels.Options{Threads: threads, WeightsPath: weights})
	if err != nil {
		return nil, err
	}
	return &runner.Session{Close: n.Close, Steps: n.BenchSteps}, nil
}
`

// writeShape writes what a shape's steps do, and which bytes of the arena they find
// values in.
func writeShape(b *strings.Builder, p *plan.Plan, layers map[string]*Shape, s *Shape) {
	var steps, fill []string
	var macs, work, read, written float64
	int8s := false
	made := map[*op.Tensor]bool{}
	for i := range p.Steps {
		step := &p.Steps[i]
		if shapeOf(layers, step.Op) != s {
			continue
		}
		steps = append(steps, fmt.Sprint(i))
		n := bench.MACs(step)
		macs += n
		work += slots(step, n)
		r, w := bench.Moved(step)
		read, written = read+r, written+w
		int8s = int8s || step.Op.Panels != nil && step.Op.Panels.Int8 != nil
		for _, in := range slices.Concat(step.Op.In, step.Op.EpilogueIn) {
			t := in.Root()
			if t.Const != nil || made[t] {
				continue
			}
			made[t] = true
			for _, x := range p.Buffers {
				if x.Kind == plan.Activation && x.Tensor == t && x.First <= i && i <= x.Last {
					fill = append(fill, fmt.Sprintf("{%d, %d, %d}", x.Offset, t.Len()*t.Type.Bytes(), t.Type.Bytes()))
				}
			}
		}
		for _, out := range step.Op.Out {
			made[out.Root()] = true
		}
	}
	fmt.Fprintf(b, "\t\t{Group: %q, Name: %q, Steps: []int{%s}, MACs: %.0f, Work: %.0f, Read: %.0f, Written: %.0f, Int8: %v, Fill: [][3]int{%s}},\n",
		s.Group, s.Name, strings.Join(steps, ", "), macs, work, read, written, int8s, strings.Join(fill, ", "))
}

// slots is the least vector instructions, times lanes, that a step takes: its
// multiply-adds, those of Winograd's products, or the instructions of programs and the
// cells of windows.
func slots(s *plan.Step, macs float64) float64 {
	switch w := cost.Of(s.Op); {
	case s.Op.Conv != nil && s.Op.Conv.Winograd != 0:
		c := s.Op.Conv
		side := c.Winograd
		tiles := ((c.OutH + side - 1) / side) * ((c.OutW + side - 1) / side)
		return float64(tiles) * float64((side+2)*(side+2)) * float64(c.InC) * float64(c.OutC)
	case w.Class == cost.Map || w.Class == cost.Rows || w.Class == cost.Pool:
		return float64(w.Units)
	}
	return macs
}
