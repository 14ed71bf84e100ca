package harness

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/flexnnc/flexnnc/cmd/flexnnc/workspace"
	"github.com/flexnnc/flexnnc/codegen"
	"github.com/flexnnc/flexnnc/compiler"
	"github.com/flexnnc/flexnnc/compiler/cases"
	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/op"
	"github.com/flexnnc/flexnnc/ir/plan"
)

// embedLimit is smaller than what users get: a binary holds many packages here,
// and the packages of a network share one weights file.
const embedLimit = 1 << 20

// suite is one case.json on its way.
type suite struct {
	index  int
	net    *Net // where the answers are computed here, else nil
	cases  *cases.Suite
	report *Network
	// packages by their position among the budgets; those of equal plans are one
	packages []*pack
	inputs   [][]string // files, per case and input port
	outputs  []outPort
	steps    bool                // the network quantises
	imports  []string            // packages of the user's that compute layers of it
	bits     map[string][32]byte // hash of each output in the first run, by "case/output"
}

// pack is one emitted package.
type pack struct {
	name    string // of the Go package, "" where there is none
	weights string // file, where it is not embedded
	arena   int64
	text    string // of the plan, to tell equal ones
	failed  string // why it cannot be run
}

// outPort is an output of the emitted package.
type outPort struct {
	name  string
	shape ir.Shape
	ints  bool
	row   int // elements of a row, where the package tells how many rows it found; else 0
}

// mayBe reports whether an output whose rows are counted can come out in a shape.
func (o outPort) mayBe(s ir.Shape) bool {
	if o.row == 0 || s.Dims != o.shape.Dims {
		return false
	}
	have, want := o.shape.Axes(), s.Axes()
	return want[0] <= have[0] && slices.Equal(want[1:], have[1:])
}

func (s *session) makeFolders() error {
	for _, d := range []string{s.source(), filepath.Join(s.o.Work, "in"), filepath.Join(s.o.Work, "out"), filepath.Join(s.o.Work, "bin")} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return err
		}
	}
	return nil
}

// source is the folder of the module that is built.
func (s *session) source() string { return filepath.Join(s.o.Work, "src") }

// prepare compiles a suite for every budget. What goes wrong is recorded.
func (t *suite) prepare(ctx context.Context, s *session) {
	defer func() {
		if p := recover(); p != nil {
			t.report.Error = fmt.Sprintf("BUG: the compiler panicked: %v", p)
		}
	}()
	if ctx.Err() != nil {
		return
	}
	if err := t.compile(s); err != nil {
		t.report.Error = err.Error()
	}
}

func (t *suite) compile(s *session) error {
	n, remove, err := t.open(s)
	if err != nil {
		return err
	}
	defer remove()
	t.report.Name, t.report.Expected = t.cases.Name, t.cases.Expected
	threads := 1
	for _, k := range s.o.Threads {
		threads = max(threads, k)
	}
	o := compiler.Options{Inputs: t.cases.InputShapes(), Outputs: t.cases.OutputNames(), Threads: threads, Direct: s.o.Direct, Half: s.o.Half, Effort: s.o.Effort}
	lowered, err := compiler.Lower(n.Graph, o)
	if err != nil {
		return err
	}
	t.steps, t.imports = quantises(n.Graph), workspace.Imports(n.Graph)
	if err := t.ports(lowered, s); err != nil {
		return err
	}
	for _, b := range s.o.Budgets {
		p, err := planFor(lowered, o, b)
		if err != nil {
			t.packages = append(t.packages, &pack{failed: err.Error()})
			continue
		}
		k, err := t.emit(s, p, b)
		if err != nil {
			k = &pack{failed: err.Error()}
		}
		t.packages = append(t.packages, k)
	}
	return nil
}

// weights gives the .bin file, and how to be rid of it.
func (t *suite) weights(s *session) (path string, remove func(), err error) {
	remove = func() {}
	switch {
	case t.cases.Synth != "":
		path = filepath.Join(s.o.Work, fmt.Sprintf("n%03d.bin", t.index))
		f, err := os.Create(path)
		if err != nil {
			return "", remove, err
		}
		err = errors.Join(cases.WriteBin(t.cases.Synth, f), f.Close())
		return path, func() { os.Remove(path) }, err
	case t.cases.Bin != "":
		return t.cases.Bin, remove, nil
	case s.o.Bin != "":
		return s.o.Bin, remove, nil
	}
	return "", remove, fmt.Errorf("%s names no weights: give them with --bin", t.cases.Path)
}

func planFor(g *op.Graph, o compiler.Options, b Budget) (*plan.Plan, error) {
	switch b.Kind {
	case Size:
		o.Budget = b.Bytes
	case Min:
		o.Min = true
	case Half:
		o.Min = true
		low, err := compiler.Plan(g, o)
		if err != nil {
			return nil, err
		}
		o.Min = false
		high, err := compiler.Plan(g, o)
		if err != nil {
			return nil, err
		}
		o.Budget = (low.Arena + high.Arena) / 2
	}
	return compiler.Plan(g, o)
}

// emit writes the package of a plan, unless an earlier budget has the same plan.
func (t *suite) emit(s *session, p *plan.Plan, b Budget) (*pack, error) {
	var text strings.Builder
	unlimited := *p
	unlimited.Budget = 0
	if err := plan.Print(&text, &unlimited); err != nil {
		return nil, err
	}
	weights := ""
	for _, k := range t.packages {
		if k.failed == "" && k.text == text.String() {
			return k, nil
		}
		if k.weights != "" {
			weights = k.weights
		}
	}
	name := codegen.PackageName(t.cases.Name)
	k := &pack{
		// Names of budgets alone can be alike as identifiers: 1MB and 2MB, 1.5MB and 15MB.
		name:  fmt.Sprintf("n%03d_%.40s_%d_%s", t.index, name, len(t.packages), codegen.PackageName(b.Name)),
		arena: int64(p.Arena), text: text.String(),
	}
	dir := filepath.Join(s.source(), k.name)
	r, err := codegen.Emit(p, codegen.Options{
		Dir: dir, Package: k.name, Command: "flexnnc verify", Version: s.o.Version, EmbedLimit: embedLimit,
	})
	if err != nil {
		return nil, err
	}
	if s.o.alter != nil {
		if err := s.o.alter(dir); err != nil {
			return nil, err
		}
	}
	if s.o.RedZones {
		if err := writeRedZones(dir, k.name, p); err != nil {
			return nil, err
		}
	}
	if s.o.Assembly {
		if err := watchTwins(dir, k.name, p); err != nil {
			return nil, err
		}
	}
	if !r.Embedded {
		// Every budget of a network has the same weights file: keep one.
		own := filepath.Join(dir, "weights.bin")
		if weights != "" {
			if err := os.Remove(own); err != nil {
				return nil, err
			}
			own = weights
		}
		k.weights = own
	}
	return k, nil
}

// ports writes the inputs of all cases in the package's order, and checks the
// outputs' shapes.
func (t *suite) ports(g *op.Graph, s *session) error {
	for _, out := range g.Outputs {
		if out.Port.Count {
			p := &t.outputs[len(t.outputs)-1]
			p.row = p.shape.Len() / p.shape.Axes()[0]
			continue
		}
		t.outputs = append(t.outputs, outPort{name: out.Port.Blob.Name, shape: out.Port.Shape, ints: out.Port.Blob.Ints})
	}
	for i := range t.cases.Cases {
		c := &t.cases.Cases[i]
		var files []string
		for k, port := range g.Inputs {
			in := inputNamed(c, port.Port.Blob.Name)
			if in == nil {
				return fmt.Errorf("case %q has no input %q, which the network needs", c.Name, port.Port.Blob.Name)
			}
			words, err := in.Words()
			if err != nil {
				return err
			}
			path := filepath.Join(s.o.Work, "in", fmt.Sprintf("n%03d.%d.%d", t.index, i, k))
			if err := writeWords(path, words); err != nil {
				return err
			}
			files = append(files, path)
		}
		t.inputs = append(t.inputs, files)
		for _, o := range c.Outputs {
			at := t.port(o.Name)
			if at < 0 {
				return fmt.Errorf("case %q: the network has no output %q", c.Name, o.Name)
			}
			if got := t.outputs[at]; got.shape != o.Shape && !got.mayBe(o.Shape) {
				return fmt.Errorf("case %q: output %q has shape %v, in the reference %v", c.Name, o.Name, got.shape, o.Shape)
			}
		}
	}
	return nil
}

func inputNamed(c *cases.Case, name string) *cases.Input {
	for i := range c.Inputs {
		if c.Inputs[i].Name == name {
			return &c.Inputs[i]
		}
	}
	return nil
}

func (t *suite) port(name string) int {
	for i, o := range t.outputs {
		if o.name == name {
			return i
		}
	}
	return -1
}

func writeWords(path string, words []uint32) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	return errors.Join(binary.Write(w, binary.LittleEndian, words), w.Flush(), f.Close())
}

// quantises reports whether a network computes with int8 values.
func quantises(g *ir.Graph) bool {
	for _, l := range g.Layers {
		switch l.Type {
		case "Quantize", "Requantize", "Dequantize":
			return true
		case "Convolution", "ConvolutionDepthWise", "InnerProduct":
			if l.Params.Int(8, 0) != 0 { // int8_scale_term
				return true
			}
		case "Gemm":
			if l.Params.Int(18, 0) != 0 {
				return true
			}
		}
		for _, w := range l.Weights {
			if w.Storage == ir.StoreI8 {
				return true
			}
		}
	}
	return false
}
