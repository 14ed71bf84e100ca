package harness

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"

	"github.com/flexnnc/flexnnc/cmd/flexnnc/workspace"
)

// moduleName is that of the module that is built.
const moduleName = "flexnncverify"

//go:embed runner/runner.go
var runnerSource []byte

// buildAttempts bounds how often packages that do not build are left out.
const buildAttempts = 5

// build makes the binary of an instruction set. Packages that the Go tools reject
// are marked as failed and left out.
func (s *session) build(ctx context.Context, arch string) (string, error) {
	if err := s.writeModule(); err != nil {
		return "", err
	}
	bin, err := filepath.Abs(filepath.Join(s.o.Work, "bin", arch))
	if err != nil {
		return "", err
	}
	var imports []string
	s.live(func(t *suite, _ *pack) { imports = append(imports, t.imports...) })
	slices.Sort(imports)
	env, err := workspace.Environ(ctx, s.source(), slices.Compact(imports))
	if err != nil {
		return "", err
	}
	for range buildAttempts {
		if err := s.writeMain(); err != nil {
			return "", err
		}
		args := []string{"build", "-trimpath", "-ldflags=-w", "-o", bin}
		goos, goarch := runtime.GOOS, runtime.GOARCH
		switch {
		case arch == Portable:
			args = append(args, "-tags", "noasm")
		case arch != runtime.GOARCH:
			goos, goarch = "linux", arch
		}
		cmd := exec.CommandContext(ctx, "go", append(args, ".")...)
		cmd.Dir = s.source()
		cmd.Env = append(append(os.Environ(), env...), "GOOS="+goos, "GOARCH="+goarch, "CGO_ENABLED=0")
		out, err := cmd.CombinedOutput()
		if err == nil {
			return bin, nil
		}
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		if !s.blame(out, arch) {
			return "", fmt.Errorf("building for %s: %v\n%s", arch, err, bytes.TrimSpace(out))
		}
	}
	return "", fmt.Errorf("building for %s: packages keep failing", arch)
}

// writeModule writes the parts of the module that are not emitted packages.
func (s *session) writeModule() error {
	dir := filepath.Join(s.source(), "runner")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "runner.go"), runnerSource, 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(s.source(), "go.mod"), []byte("module "+moduleName+"\n\ngo 1.26\n"), 0o644)
}

// live calls f for every package that can be run, once.
func (s *session) live(f func(t *suite, k *pack)) {
	for _, t := range s.suites {
		seen := map[*pack]bool{}
		for _, k := range t.packages {
			if k.failed == "" && !seen[k] && t.report.Error == "" {
				seen[k] = true
				f(t, k)
			}
		}
	}
}

func (s *session) writeMain() error {
	var imports, nets strings.Builder
	watch := ""
	if s.o.RedZones {
		watch = "n.RedZones()"
	}
	if s.o.Assembly {
		watch += "\n\t\t\t\tn.WatchTwins()"
	}
	s.live(func(_ *suite, k *pack) {
		fmt.Fprintf(&imports, "\t%q\n", moduleName+"/"+k.name)
		fmt.Fprintf(&nets, `		{
			Name: %[1]q,
			Ports: func() (any, any) { return %[1]s.NewInputs(), %[1]s.NewOutputs() },
			Open: func(threads int, weights string, in, out any) (func() error, func() error, error) {
				n, err := %[1]s.New(%[1]s.Options{Threads: threads, WeightsPath: weights})
				if err != nil {
					return nil, nil, err
				}
				%[2]s
				i, o, ctx := in.(*%[1]s.Inputs), out.(*%[1]s.Outputs), context.Background()
				return func() error { return n.Run(ctx, i, o) }, n.Close, nil
			},
		},
`, k.name, watch)
	})
	use := "var _ context.Context\n"
	text := fmt.Sprintf("package main\n\nimport (\n\t\"context\"\n\n\t%q\n%s)\n\n%s\nfunc main() {\n\trunner.Main([]runner.Net{\n%s\t})\n}\n",
		moduleName+"/runner", imports.String(), use, nets.String())
	return os.WriteFile(filepath.Join(s.source(), "main.go"), []byte(text), 0o644)
}

// header is the line with which the Go tools say whose errors follow.
var header = regexp.MustCompile(`(?m)^# ` + moduleName + `/(\S+)$`)

// blame marks the packages that the output of a build complains about.
func (s *session) blame(out []byte, arch string) bool {
	found := false
	at := header.FindAllSubmatchIndex(out, -1)
	for i, m := range at {
		end := len(out)
		if i+1 < len(at) {
			end = at[i+1][0]
		}
		name := string(out[m[2]:m[3]])
		s.live(func(_ *suite, k *pack) {
			if k.name == name {
				k.failed = fmt.Sprintf("BUG: the package does not build for %s: %s", arch, firstLines(out[m[1]:end], 5))
				found = true
			}
		})
	}
	return found
}

func firstLines(b []byte, n int) string {
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	if len(lines) > n {
		lines = append(lines[:n], "...")
	}
	return strings.Join(lines, "; ")
}
