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

	"github.com/dave/jennifer/jen"

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
	// Answer is a recorded run for the emitted test, or nil.
	Answer *Answer
	// Progress, where not nil, is told how many bytes of weights are packed.
	Progress func(done, total int64)
}

// DefaultEmbedLimit is 64 MiB.
const DefaultEmbedLimit = 64 << 20

// Result describes what was written.
type Result struct {
	Package  string
	Files    []string // base names, sorted
	Weights  int64    // bytes of weights.bin
	Embedded bool
}

// unit is one package while it is being generated.
type unit struct {
	p       *plan.Plan
	o       Options
	file    weightsFile
	embed   bool
	idents  names // package-level identifiers in use
	inputs  []port
	outputs []port
	kernels kernelSet
	banded  map[*op.Op]bool    // ops whose steps take ranges of rows
	buffers map[*op.Tensor]int // the activation buffer of each root tensor
}

var packageName = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

// Emit writes the package of a plan. It refuses a plan that the validator does
// not accept. A failed Emit leaves the folder as it was, but for temporary files
// that it could not remove.
func Emit(p *plan.Plan, o Options) (*Result, error) {
	if err := verify.Check(p); err != nil {
		return nil, fmt.Errorf("BUG: the validator refuses the plan: %w", err)
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
	u := &unit{p: p, o: o, file: describe(p), idents: names{}, buffers: map[*op.Tensor]int{}, banded: map[*op.Op]bool{}}
	for i := range p.Steps {
		if p.Steps[i].Rows.Hi != 0 {
			u.banded[p.Steps[i].Op] = true
		}
	}
	for i, b := range p.Buffers {
		if b.Tensor != nil {
			u.buffers[b.Tensor] = i
		}
	}
	u.embed = u.file.dataOffset+u.file.dataBytes <= limit
	u.reserve()

	if err := os.MkdirAll(o.Dir, 0o755); err != nil {
		return nil, err
	}
	tmp, err := os.MkdirTemp(o.Dir, ".flexnnc-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(tmp)
	weights := filepath.Join(tmp, "weights.bin")
	if err := writeWeights(weights, p, &u.file, o.Progress); err != nil {
		return nil, err
	}
	files, err := u.sources()
	if err != nil {
		return nil, err
	}
	return u.install(tmp, files)
}

// sources generates every file but the weights.
func (u *unit) sources() (map[string][]byte, error) {
	files := map[string][]byte{}
	steps, err := u.stepsFile()
	if err != nil {
		return nil, err
	}
	for name, f := range map[string]*jen.File{"model.go": u.apiFile(), "plan.go": steps, "plan_test.go": u.testFile()} {
		var b bytes.Buffer
		if err := f.Render(&b); err != nil {
			return nil, fmt.Errorf("BUG: generating %s: %w", name, err)
		}
		files[name] = b.Bytes()
	}
	for _, add := range []func() (map[string][]byte, error){u.runtimeFiles, u.kernelFiles} {
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
func (u *unit) install(tmp string, files map[string][]byte) (*Result, error) {
	r := &Result{Package: u.o.Package, Weights: u.file.dataOffset + u.file.dataBytes, Embedded: u.embed}
	for n, b := range files {
		if err := os.WriteFile(filepath.Join(tmp, n), b, 0o644); err != nil {
			return nil, err
		}
		r.Files = append(r.Files, n)
	}
	r.Files = append(r.Files, "weights.bin")
	sort.Strings(r.Files)
	var errs []error
	for _, n := range r.Files {
		errs = append(errs, os.Rename(filepath.Join(tmp, n), filepath.Join(u.o.Dir, n)))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return r, removeStale(u.o.Dir, files)
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
