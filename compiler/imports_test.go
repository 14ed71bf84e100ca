package compiler_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const module = "github.com/flexnnc/flexnnc/"

// mayImport is the table of docs/architecture.md: which folders of the project a
// folder's packages may depend on. Longer prefixes win.
var mayImport = map[string][]string{
	"ir":             {"ir"},
	"compiler":       {"compiler", "ir"},
	"avo":            {"avo", "ir/lane", "runtime"}, // gen writes runtime's sources with the kernels
	"avo/arm64":      {"avo/arm64"},
	"runtime":        {"runtime"},
	"codegen":        {"codegen", "compiler/verify", "ir", "avo", "runtime"},
	"cmd":            {"cmd", "compiler", "codegen", "ir", "avo"},
	"generated":      {"generated"},
	"compiler/arena": {"compiler/arena"},
}

// TestImports asserts that arrows never turn back, and that the runtime and the
// emitted packages need nothing but the standard library.
func TestImports(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}}:{{join .Imports " "}}`, module+"...").Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) < 20 {
		t.Fatalf("only %d packages found", len(lines))
	}
	for _, line := range lines {
		path, imports, _ := strings.Cut(line, ":")
		path = strings.TrimPrefix(path, module)
		rule, best := []string(nil), ""
		for prefix, allowed := range mayImport {
			if under(path, prefix) && len(prefix) > len(best) {
				rule, best = allowed, prefix
			}
		}
		if best == "" {
			t.Errorf("%s lies in no folder that the table names", path)
			continue
		}
		for _, imp := range strings.Fields(imports) {
			if !strings.HasPrefix(imp, module) {
				if (best == "runtime" || best == "generated") && strings.Contains(imp, ".") {
					t.Errorf("%s imports %s; only the standard library is allowed", path, imp)
				}
				continue
			}
			ok := false
			for _, a := range rule {
				ok = ok || under(strings.TrimPrefix(imp, module), a)
			}
			if !ok {
				t.Errorf("%s imports %s; %s may depend on %v", path, imp, best, rule)
			}
		}
	}
}

func under(path, prefix string) bool { return path == prefix || strings.HasPrefix(path, prefix+"/") }

// TestTopLevel asserts that the repository's root holds what the README describes and
// nothing that a stray redirection left there, and that no file is large.
func TestTopLevel(t *testing.T) {
	out, err := exec.Command("git", "-C", "..", "ls-files").Output()
	if err != nil {
		t.Skipf("not a git checkout: %v", err)
	}
	known := map[string]bool{}
	for _, name := range strings.Fields(".ci .gitignore LICENSE Makefile README.md go.mod go.sum avo cmd codegen compiler docs generated ir runtime testdata") {
		known[name] = true
	}
	for _, path := range strings.Fields(string(out)) {
		if top, _, _ := strings.Cut(path, "/"); !known[top] {
			t.Errorf("%s does not belong at the top of the repository", path)
		}
		if f, err := os.Stat(filepath.Join("..", path)); err == nil && f.Size() > 2e6 {
			t.Errorf("%s has %d bytes, over 2 MB: too large for a repository", path, f.Size())
		}
	}
}
