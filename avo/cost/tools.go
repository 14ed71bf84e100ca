// Package cost tells what a program would cost on arm64 CPUs that are not at hand:
// it runs the program under qemu with a plugin that counts how often each block of
// code is executed, and multiplies the counts by the cycles that a model of the
// CPU gives the block: llvm-mca for out-of-order cores, an own model for the
// in-order ones. Counts are the same on every run; cycles are a model, without
// caches. The package knows nothing of networks and plans.
package cost

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

//go:embed plugin/count.c
var pluginSource []byte

// MissingError says that a program is not installed, or is of no use.
type MissingError struct {
	Tool string
	Why  string
}

func (e *MissingError) Error() string { return e.Tool + ": " + e.Why }

// Tools are the programs that do the work.
type Tools struct {
	QEMU    string // dynamically linked qemu-aarch64, which can load plugins
	Plugin  string // built from our source
	MCA     string
	Objdump string
	LLVM    string // version of MCA
}

// Find looks for the tools and builds the plugin in the folder work. What is
// missing comes back as a *MissingError.
func Find(ctx context.Context, work string) (*Tools, error) {
	t := &Tools{}
	var err error
	if t.QEMU, err = exec.LookPath("qemu-aarch64"); err != nil {
		return nil, &MissingError{"qemu-aarch64", "is not installed (the static one cannot load plugins)"}
	}
	if t.MCA, t.Objdump, t.LLVM, err = findLLVM(ctx); err != nil {
		return nil, err
	}
	cc := ""
	for _, name := range []string{"gcc", "cc", "clang"} {
		if cc, err = exec.LookPath(name); err == nil {
			break
		}
	}
	if cc == "" {
		return nil, &MissingError{"gcc", "is not installed, nor cc or clang: one of them builds qemu's plugin"}
	}
	source := filepath.Join(work, "count.c")
	if err := os.WriteFile(source, pluginSource, 0o644); err != nil {
		return nil, err
	}
	t.Plugin = filepath.Join(work, "count.so")
	out, err := exec.CommandContext(ctx, cc, "-O2", "-Wall", "-shared", "-fPIC", "-o", t.Plugin, source).CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("building qemu's plugin with %s: %w\n%s", cc, err, out)
	}
	return t, t.checkPlugin(ctx)
}

// checkPlugin tells a qemu that cannot load plugins from one that can: both fail
// to run a file that does not exist.
func (t *Tools) checkPlugin(ctx context.Context) error {
	out, _ := exec.CommandContext(ctx, t.QEMU, "-plugin", "file="+t.Plugin+",lo=0,hi=1,out=/dev/null", "/nonexistent").CombinedOutput()
	text := string(out)
	if strings.Contains(text, "plugin") || strings.Contains(text, "unknown option") || strings.Contains(text, "version") {
		return &MissingError{"qemu-aarch64", "does not load a plugin of API version 1: " + strings.TrimSpace(text)}
	}
	return nil
}

const (
	newestLLVM = 29
	oldestLLVM = 14
	// neoverseLLVM is the first version with models of the Neoverse N1 and V1; the
	// ones before it take that of the Cortex-A57.
	neoverseLLVM = 17
	// skippingLLVM is the first that can leave out instructions that a model does
	// not have, as those on system registers.
	skippingLLVM = 19
)

var llvmVersion = regexp.MustCompile(`LLVM version (\d+)(\.\d+)*`)

// findLLVM prefers version 19, which committed figures are made with, then the
// newest.
func findLLVM(ctx context.Context) (mca, objdump, version string, err error) {
	suffixes := []string{"-19"}
	for v := newestLLVM; v >= oldestLLVM; v-- {
		suffixes = append(suffixes, "-"+strconv.Itoa(v))
	}
	for _, s := range append(suffixes, "") {
		m, err1 := exec.LookPath("llvm-mca" + s)
		d, err2 := exec.LookPath("llvm-objdump" + s)
		if err1 != nil || err2 != nil {
			continue
		}
		out, err := exec.CommandContext(ctx, m, "--version").Output()
		if err != nil {
			continue
		}
		if v := llvmVersion.FindStringSubmatch(string(out)); v != nil {
			if n, _ := strconv.Atoi(v[1]); n >= oldestLLVM {
				return m, d, strings.TrimPrefix(v[0], "LLVM version "), nil
			}
		}
	}
	return "", "", "", &MissingError{"llvm-mca", fmt.Sprintf("is not installed with llvm-objdump, in version %d or later", oldestLLVM)}
}

// major is the major version of LLVM.
func (t *Tools) major() int {
	s, _, _ := strings.Cut(t.LLVM, ".")
	n, _ := strconv.Atoi(s)
	return n
}

// Models says which models of cores the tools have.
func (t *Tools) Models() string {
	s := "llvm-mca " + t.LLVM
	if t.major() < neoverseLLVM {
		s += " (which has the Cortex-A57's model for the Neoverse cores)"
	}
	return s
}
