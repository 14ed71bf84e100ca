// Package program builds static programs around emitted packages: it emits plans
// into a Go module of its own, with a hook on the packages' steps and a loop that
// reaches the CPU's peak, and builds the main program that is put beside them. Of
// how plans are made, and of what the programs measure, this package knows nothing.
package program

import (
	"context"
	"embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/flexnnc/flexnnc/cmd/flexnnc/workspace"
	"github.com/flexnnc/flexnnc/codegen"
	"github.com/flexnnc/flexnnc/ir/plan"
)

// inputsSource is copied into every module: what its runs are given.
//
//go:embed inputs/inputs.go
var inputsSource embed.FS

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

// Module is a folder with a Go module: emitted packages with the functions of hook,
// package inputs, and what a program adds: package runner and main.go.
type Module struct {
	Dir     string
	imports []string // packages of the user's that the emitted ones call functions of
}

// ModuleName is the path of the modules that are built.
const ModuleName = "flexnncprogram"

// New begins a module in the folder dir.
func New(dir string) (*Module, error) {
	m := &Module{Dir: dir}
	if err := m.copySources(inputsSource, "inputs"); err != nil {
		return nil, err
	}
	return m, m.write("go.mod", "module "+ModuleName+"\n\ngo 1.24\n")
}

// Package is an emitted package of a module.
type Package struct {
	Name    string
	Path    string // by which it is imported
	Dir     string
	Weights string // the weights file, "" where it is embedded
}

// Where the weights of a package go, beside what codegen embeds by itself.
const (
	EmbedSmall = 0  // into the binary, up to codegen's limit
	EmbedNone  = -1 // into a file
)

// Emit adds the package of a plan. Without a name it gets that of the network.
func (m *Module) Emit(p *plan.Plan, name, version string, embed int64) (*Package, error) {
	if name == "" {
		name = codegen.PackageName(p.Graph.Name)
		if slices.Contains([]string{"main", "runner", "inputs"}, name) {
			name = "net" + name
		}
	}
	k := &Package{Name: name, Path: ModuleName + "/" + name, Dir: filepath.Join(m.Dir, name)}
	r, err := codegen.Emit(p, codegen.Options{Dir: k.Dir, Package: name, Command: "flexnnc bench", Version: version, EmbedLimit: embed})
	if err != nil {
		return nil, err
	}
	files, err := hook(name)
	if err != nil {
		return nil, err
	}
	for file, b := range files {
		if err := os.WriteFile(filepath.Join(k.Dir, file), b, 0o644); err != nil {
			return nil, err
		}
	}
	if err := Narrow(k.Dir, name); err != nil {
		return nil, err
	}
	if !r.Embedded {
		k.Weights = filepath.Join(k.Dir, "weights.bin")
	}
	for _, i := range workspace.Imports(p.Graph.Source) {
		if !slices.Contains(m.imports, i) {
			m.imports = append(m.imports, i)
		}
	}
	return k, nil
}

// AddRunner adds package runner, from an embedded folder of that name.
func (m *Module) AddRunner(from embed.FS) error { return m.copySources(from, "runner") }

// WriteMain writes the main program.
func (m *Module) WriteMain(text string) error { return m.write("main.go", text) }

func (m *Module) write(name, text string) error {
	return os.WriteFile(filepath.Join(m.Dir, name), []byte(text), 0o644)
}

// copySources copies the Go files of an embedded folder, tests excepted.
func (m *Module) copySources(from embed.FS, folder string) error {
	if err := os.MkdirAll(filepath.Join(m.Dir, folder), 0o755); err != nil {
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
		if err := m.write(filepath.Join(folder, e.Name()), string(b)); err != nil {
			return err
		}
	}
	return nil
}

// Build compiles the main program to a static binary at path.
func (m *Module) Build(ctx context.Context, p Platform, path string) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	env, err := workspace.Environ(ctx, m.Dir, m.imports)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-w", "-o", path, ".")
	cmd.Dir = m.Dir
	cmd.Env = append(append(os.Environ(), env...), "GOOS="+p.OS, "GOARCH="+p.Arch, "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("building for %s: %v\n%s", p, err, strings.TrimSpace(string(out)))
	}
	return nil
}
