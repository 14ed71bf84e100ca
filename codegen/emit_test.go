package codegen_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/flexnnc/flexnnc/codegen"
	"github.com/flexnnc/flexnnc/compiler"
	"github.com/flexnnc/flexnnc/compiler/ncnn"
	"github.com/flexnnc/flexnnc/ir/plan"
)

// emit compiles testdata's character reader into a fresh module.
func emit(t *testing.T, o compiler.Options, dir string) *plan.Plan {
	t.Helper()
	p := emitWith(t, "../testdata/glyphs/glyphs.bin", o, dir)
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module glyphs\n\ngo 1.24\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	return p
}

// emitWith writes just the package, with weights of another file.
func emitWith(t *testing.T, bin string, o compiler.Options, dir string) *plan.Plan {
	t.Helper()
	n, err := ncnn.Open("../testdata/glyphs/glyphs.param", bin)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	p, err := compiler.Compile(n.Graph, o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := codegen.Emit(p, codegen.Options{Dir: dir, Package: "glyphs", Command: "test", Version: "test"}); err != nil {
		t.Fatal(err)
	}
	return p
}

// goTool runs the go command in a module.
func goTool(t *testing.T, dir string, env []string, args ...string) {
	t.Helper()
	c := exec.Command("go", args...)
	c.Dir = dir
	c.Env = append(append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off", "CGO_ENABLED=0"), env...)
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("go %v with %v: %v\n%s", args, env, err, out)
	}
}

// TestEmittedPackage vets the package for several platforms and runs its own test
// with assembly and with the portable twins, at the smallest budget and at the
// largest.
func TestEmittedPackage(t *testing.T) {
	for name, o := range map[string]compiler.Options{
		"min": {Min: true, Threads: 2},
		"max": {Threads: 2},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			p := emit(t, o, dir)
			t.Logf("arena %d bytes, %d steps, %d loads", p.Arena, len(p.Steps), len(p.Loads))
			for _, env := range [][]string{{"GOOS=linux", "GOARCH=amd64"}, {"GOOS=linux", "GOARCH=arm64"}, {"GOOS=windows", "GOARCH=386"}} {
				goTool(t, dir, env, "vet", ".")
			}
			goTool(t, dir, nil, "test", "-count=1", ".")
			goTool(t, dir, nil, "test", "-count=1", "-tags=noasm", ".")
		})
	}
}

// TestEmitTwice compares two generations byte for byte.
func TestEmitTwice(t *testing.T) {
	a, b := t.TempDir(), t.TempDir()
	emit(t, compiler.Options{Min: true, Threads: 2}, a)
	emit(t, compiler.Options{Min: true, Threads: 2}, b)
	entries, err := os.ReadDir(a)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		x, err := os.ReadFile(filepath.Join(a, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		y, err := os.ReadFile(filepath.Join(b, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(x, y) {
			t.Errorf("%s differs between two generations", e.Name())
		}
	}
}
