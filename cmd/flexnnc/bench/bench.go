// Package bench builds benchmark programs of compiled networks: it emits a plan's
// package into a module of its own, adds what measuring needs (a hook on the
// package's steps, a loop that reaches the CPU's peak, a main program) and builds
// a static binary. What the binary measures is in package runner, whose source
// goes with it; of how plans are made this package knows nothing.
package bench

import (
	"context"
	"embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/flexnnc/flexnnc/cmd/flexnnc/workspace"
	"github.com/flexnnc/flexnnc/codegen"
	"github.com/flexnnc/flexnnc/ir/plan"
)

// Target is what a binary is built for.
type Target struct{ OS, Arch string }

// Host is the machine at hand.
func Host() Target { return Target{runtime.GOOS, runtime.GOARCH} }

func (t Target) String() string { return t.OS + "/" + t.Arch }

// ParseTarget reads "linux/arm64".
func ParseTarget(s string) (Target, error) {
	system, arch, ok := strings.Cut(s, "/")
	if !ok || system == "" || arch == "" || strings.Contains(arch, "/") {
		return Target{}, fmt.Errorf("%q is no target; write GOOS/GOARCH, as linux/arm64", s)
	}
	return Target{system, arch}, nil
}

// Program is a benchmark binary.
type Program struct {
	Path string
	// Weights is the weights file, which the binary looks for in its own folder;
	// "" where it is embedded in the binary.
	Weights string
}

// Prediction is what a run with so many threads should take, by the cost model of
// a target; Steps are the plan's.
type Prediction struct {
	Target  string
	Threads int
	Run     time.Duration
	Steps   []time.Duration
}

// Build makes the benchmark binary of a plan at path. All that is made on the way
// lies in the folder work.
func Build(ctx context.Context, p *plan.Plan, predicted Prediction, t Target, version, work, path string) (*Program, error) {
	m, err := NewModule(work, p, version)
	if err != nil {
		return nil, err
	}
	if err := m.writeRunner(p, predicted); err != nil {
		return nil, err
	}
	if path, err = filepath.Abs(path); err != nil {
		return nil, err
	}
	if err := m.Build(ctx, t, path); err != nil {
		return nil, err
	}
	r := &Program{Path: path}
	if m.Weights != "" {
		r.Weights = filepath.Join(filepath.Dir(path), m.Package+".weights.bin")
		if err := Move(m.Weights, r.Weights); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// Move renames a file, or copies it where the other place is on another disk.
func Move(from, to string) error {
	if os.Rename(from, to) == nil {
		return nil
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	if _, err := out.ReadFrom(in); err != nil {
		out.Close()
		return err
	}
	return out.Close()
}

// Module is a folder with a Go module: the package of a plan, hooked, and room
// for a main program.
type Module struct {
	Dir     string
	Package string   // of the network; imported as ModuleName/Package
	Weights string   // file, "" where it is embedded
	Imports []string // packages of the user's that it calls functions of
}

// ModuleName is the path of the modules that are built.
const ModuleName = "flexnncbench"

// NewModule emits the package of a plan into a module in dir, with the methods of
// hook.
func NewModule(dir string, p *plan.Plan, version string) (*Module, error) {
	m := &Module{Dir: dir, Package: codegen.PackageName(p.Graph.Name), Imports: workspace.Imports(p.Graph.Source)}
	if m.Package == "main" || m.Package == "runner" {
		m.Package = "net" + m.Package
	}
	weights, err := emit(filepath.Join(dir, m.Package), p, m.Package, version, 0)
	if err != nil {
		return nil, err
	}
	m.Weights = weights
	return m, os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module "+ModuleName+"\n\ngo 1.24\n"), 0o644)
}

// Emit writes the package of a plan into a folder, with the methods of hook, and
// returns the path of its weights file, which is not embedded.
func Emit(dir string, p *plan.Plan, pkg, version string) (weights string, err error) {
	return emit(dir, p, pkg, version, -1)
}

func emit(dir string, p *plan.Plan, pkg, version string, embedLimit int64) (weights string, err error) {
	r, err := codegen.Emit(p, codegen.Options{Dir: dir, Package: pkg, Command: "flexnnc bench", Version: version, EmbedLimit: embedLimit})
	if err != nil {
		return "", err
	}
	files, err := hook(pkg)
	if err != nil {
		return "", err
	}
	for name, b := range files {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			return "", err
		}
	}
	if !r.Embedded {
		weights = filepath.Join(dir, "weights.bin")
	}
	return weights, nil
}

// CopySources copies the Go files of an embedded folder, tests excepted.
func CopySources(from embed.FS, folder, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	entries, err := from.ReadDir(folder)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		b, err := from.ReadFile(folder + "/" + e.Name())
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, e.Name()), b, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// Build compiles the main program in the module's root, without cgo.
func (m *Module) Build(ctx context.Context, t Target, path string) error {
	env, err := workspace.Environ(ctx, m.Dir, m.Imports)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-w", "-o", path, ".")
	cmd.Dir = m.Dir
	cmd.Env = append(append(os.Environ(), env...), "GOOS="+t.OS, "GOARCH="+t.Arch, "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("building the benchmark for %s: %v\n%s", t, err, strings.TrimSpace(string(out)))
	}
	return nil
}
