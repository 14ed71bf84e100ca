// Package codegen writes a plan as a standalone Go package: its API, one function
// per step, the tables of buffers and loads, the kernels and runtime sources that
// it needs, a test, and the packed weights file. It says how a plan is run and
// nothing of how it was found.
package codegen

import (
	"bytes"
	"errors"
	"fmt"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"

	"github.com/flexnnc/flexnnc/compiler/verify"
	"github.com/flexnnc/flexnnc/ir/op"
	"github.com/flexnnc/flexnnc/ir/plan"
)

// Options say where a package goes and what its header records.
type Options struct {
	Dir     string // created where absent; files that flexnnc wrote before are replaced
	Package string // Go package name; "" = from Dir
	Command string // the command line, recorded without paths of the machine
	Version string // of flexnnc
	// EmbedLimit is the largest weights file that is embedded in the binary; 0
	// means DefaultEmbedLimit, negative never.
	EmbedLimit int64
	// Answers are recorded runs for the emitted test, one per shape of a Set; nil
	// ones, and those beyond the end, are left out.
	Answers []*Answer
	// State pairs inputs with the outputs that become their next values.
	State []State
	// Progress, where not nil, is told how many bytes of weights are packed.
	Progress func(done, total int64)
}

// State is an input blob, and the output blob of the same shape that is its value
// in the next run: a recurrent network's memory.
type State struct{ Input, Output string }

// DefaultEmbedLimit is 64 MiB.
const DefaultEmbedLimit = 64 << 20

// Result describes what was written.
type Result struct {
	Package  string
	Files    []string // base names, sorted
	Weights  int64    // bytes of weights.bin
	Embedded bool
	// Assembly is the bytes of .s files for each GOARCH, Go those of the rest.
	Assembly map[string]int
	Go       int
}

// Set is the plans of one package. They are of one network: Plans[s][b] is for
// shape s of its inputs within budget b.
type Set struct {
	Plans [][]*plan.Plan
	// Budgets are names for the budgets, as the user wrote them ("4MiB", "min");
	// where they are missing, sizes are the names.
	Budgets []string
}

// pkg is one package while it is being generated.
type pkg struct {
	o       Options
	file    weightsFile
	embed   bool
	units   []*unit // those of shape s are at s*len(budgets)
	budgets []budget
	kernels kernelSet
	funcs   map[string]*stepFunc // by driver and arguments
}

// unit is one plan of a package.
type unit struct {
	*pkg
	p       *plan.Plan
	name    string // of identifiers; "" where it is the only one
	within  string // of comments: " within 65536 bytes"
	inputs  []port
	outputs []port
	items   []int              // where each item of the plan's file is in the package's
	banded  map[*op.Op]bool    // ops whose steps take ranges of rows
	buffers map[*op.Tensor]int // the activation buffer of each root tensor
	first   []*stepFunc        // those that this plan is the first to call
}

var packageName = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

// Emit writes the package of one plan. It refuses a plan that the validator does
// not accept. A failed Emit leaves the folder as it was, but for temporary files
// that it could not remove.
func Emit(p *plan.Plan, o Options) (*Result, error) {
	return EmitSet(Set{Plans: [][]*plan.Plan{{p}}}, o)
}

// EmitSet writes one package that holds several plans.
func EmitSet(set Set, o Options) (*Result, error) {
	k, err := newPackage(set, o)
	if err != nil {
		return nil, err
	}
	o = k.o
	if err := os.MkdirAll(o.Dir, 0o755); err != nil {
		return nil, err
	}
	tmp, err := os.MkdirTemp(o.Dir, ".flexnnc-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(tmp)
	weights := filepath.Join(tmp, "weights.bin")
	if err := writeWeights(weights, &k.file, o.Progress); err != nil {
		return nil, err
	}
	files, err := k.sources()
	if err != nil {
		return nil, err
	}
	return k.install(tmp, files)
}

// Sources are the files of the package of one plan, by base name, without the weights:
// what is asked of its code alone. The package accepts no weights file.
func Sources(p *plan.Plan, o Options) (map[string][]byte, error) {
	k, err := newPackage(Set{Plans: [][]*plan.Plan{{p}}}, o)
	if err != nil {
		return nil, err
	}
	return k.sources()
}

// newPackage arranges the plans of a package, up to what its files say of the weights.
func newPackage(set Set, o Options) (*pkg, error) {
	for _, row := range set.Plans {
		for _, p := range row {
			if err := verify.Check(p); err != nil {
				return nil, fmt.Errorf("BUG: the validator refuses the plan: %w", err)
			}
		}
	}
	if o.Package == "" {
		o.Package = PackageName(filepath.Base(o.Dir))
	}
	if !packageName.MatchString(o.Package) || token.IsKeyword(o.Package) {
		return nil, fmt.Errorf("%q is no good Go package name; give another with --package", o.Package)
	}
	if o.Progress == nil {
		o.Progress = func(int64, int64) {}
	}
	limit := o.EmbedLimit
	if limit == 0 {
		limit = DefaultEmbedLimit
	}
	k := &pkg{o: o, funcs: map[string]*stepFunc{}}
	if err := k.arrange(set); err != nil {
		return nil, err
	}
	k.reserve()
	if err := k.checkShapes(); err != nil {
		return nil, err
	}
	if err := k.checkState(); err != nil {
		return nil, err
	}
	k.nameUnits()
	var err error
	if k.file, err = k.describe(); err != nil {
		return nil, err
	}
	k.embed = k.file.dataOffset+k.file.dataBytes <= limit
	return k, nil
}

// sources generates every file but the weights.
func (k *pkg) sources() (map[string][]byte, error) {
	files := map[string][]byte{}
	sources, err := k.planFiles()
	if err != nil {
		return nil, err
	}
	sources["model.go"], sources["plan_test.go"] = k.apiFile(), k.testFile()
	for name, f := range sources {
		var b bytes.Buffer
		if err := f.Render(&b); err != nil {
			return nil, fmt.Errorf("BUG: generating %s: %w", name, err)
		}
		files[name] = b.Bytes()
	}
	for _, add := range []func() (map[string][]byte, error){k.runtimeFiles, k.kernelFiles} {
		more, err := add()
		if err != nil {
			return nil, err
		}
		for n, b := range more {
			if files[n] != nil {
				return nil, fmt.Errorf("BUG: two sources for %s", n)
			}
			files[n] = b
		}
	}
	return files, nil
}

// install moves the generated files into place, the weights first, and removes
// files of an earlier generation.
func (k *pkg) install(tmp string, files map[string][]byte) (*Result, error) {
	r := &Result{Package: k.o.Package, Weights: k.file.dataOffset + k.file.dataBytes, Embedded: k.embed, Assembly: map[string]int{}}
	for n, b := range files {
		if base, ok := strings.CutSuffix(n, ".s"); ok {
			r.Assembly[base[strings.LastIndexByte(base, '_')+1:]] += len(b)
		} else {
			r.Go += len(b)
		}
		if err := os.WriteFile(filepath.Join(tmp, n), b, 0o644); err != nil {
			return nil, err
		}
		r.Files = append(r.Files, n)
	}
	r.Files = append(r.Files, "weights.bin")
	sort.Strings(r.Files)
	var errs []error
	for _, n := range r.Files {
		errs = append(errs, os.Rename(filepath.Join(tmp, n), filepath.Join(k.o.Dir, n)))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return r, removeStale(k.o.Dir, files)
}

// removeStale deletes generated sources that this generation did not write.
func removeStale(dir string, files map[string][]byte) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		n := e.Name()
		ext := filepath.Ext(n)
		if e.IsDir() || files[n] != nil || ext != ".go" && ext != ".s" {
			continue
		}
		b, err := os.ReadFile(filepath.Join(dir, n))
		if err != nil {
			return err
		}
		if bytes.HasPrefix(b, []byte(generatedMark)) {
			if err := os.Remove(filepath.Join(dir, n)); err != nil {
				return err
			}
		}
	}
	return nil
}

// PackageName makes a Go package name of any text.
func PackageName(s string) string {
	var b []byte
	for _, c := range []byte(s) {
		switch {
		case c >= 'A' && c <= 'Z':
			b = append(b, c+'a'-'A')
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9' && len(b) > 0:
			b = append(b, c)
		}
	}
	if len(b) == 0 || token.IsKeyword(string(b)) {
		return "net" + string(b)
	}
	return string(b)
}
