// Package workspace lets a module that is made to be built once import packages of
// the user's, for layers that Go functions compute: it finds the modules that the
// user works in, and makes a Go workspace of them and of the new one. What is built
// it does not know.
package workspace

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/flexnnc/flexnnc/ir"
)

// Imports lists the packages that a network's layers call functions of.
func Imports(g *ir.Graph) (paths []string) {
	for _, l := range g.Layers {
		if l.Custom != nil && !slices.Contains(paths, l.Custom.Import) {
			paths = append(paths, l.Custom.Import)
		}
	}
	return paths
}

// Environ is what the go command is to be called with, beside the environment, so
// that the module in dir builds: by itself where it imports nothing of the user's, else
// in a workspace with the modules of the folder that this program was called in.
func Environ(ctx context.Context, dir string, imports []string) ([]string, error) {
	if len(imports) == 0 {
		return []string{"GO111MODULE=on", "GOWORK=off", "GOFLAGS=-mod=mod"}, nil
	}
	if out, err := exec.CommandContext(ctx, "go", append([]string{"list"}, imports...)...).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("--custom: call flexnnc in the Go module that has the function: go list %s: %s", strings.Join(imports, " "), lines(out))
	}
	modules, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return nil, fmt.Errorf("--custom: go list -m: %v", err)
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	work := filepath.Join(dir, "go.work")
	if err := os.Remove(work); err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	env := []string{"GO111MODULE=on", "GOWORK=" + work, "GOFLAGS="}
	init := exec.CommandContext(ctx, "go", append([]string{"work", "init", dir}, strings.Split(strings.TrimSpace(string(modules)), "\n")...)...)
	init.Dir, init.Env = dir, append(os.Environ(), env...)
	if out, err := init.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("--custom: go work init: %s", lines(out))
	}
	return env, nil
}

// lines makes one line of what a command says.
func lines(out []byte) string {
	return strings.ReplaceAll(string(bytes.TrimSpace(out)), "\n", "; ")
}
