package main

import (
	"bytes"
	"debug/elf"
	"encoding/json"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/flexnnc/flexnnc/cmd/flexnnc/kernels/runner"
	"github.com/flexnnc/flexnnc/compiler/cost"
)

const glyphsParam = "../../testdata/glyphs/glyphs.param"

// command runs a command line and returns what it printed.
func command(t *testing.T, want int, args ...string) (stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	if code := run(append([]string{"flexnnc"}, args...), &out, &errs); code != want {
		t.Fatalf("flexnnc %s: exit code %d, want %d\n%s", strings.Join(args, " "), code, want, errs.String())
	}
	return out.String(), errs.String()
}

func TestBenchFlagsThatExcludeEachOther(t *testing.T) {
	for _, args := range [][]string{
		{"--random", "--bin", "x"},
		{},
		{"--random", "--out", "x"},
		{"--random", "--platform", "linux"},
		{"--random", "--platform", "plan9/mips"},
		{"--random", "--runs", "-1"},
		{"--random", "--target", "linux/arm64", "--platform", "linux/riscv64", "--build-only"},
		{"--random", "--budget", "lots"},
		{"--random", "--build-only", "--against", "echo 1"},
		{"--random", "--kernel", "pooling"},
		{"--kernels"}, // and the network
	} {
		command(t, exitUsage, append([]string{"bench", "--param", glyphsParam}, args...)...)
	}
}

func TestBench(t *testing.T) {
	if testing.Short() {
		t.Skip("builds binaries")
	}
	for _, weights := range [][]string{{"--random"}, {"--bin", "../../testdata/glyphs/glyphs.bin"}} {
		args := append([]string{"bench", "--param", glyphsParam, "--runs", "3", "--budget", "min", "--json", "--against", "echo 2.5"}, weights...)
		text, _ := command(t, exitOK, args...)
		var r struct {
			MedianMS   float64 `json:"median_ms"`
			GFLOPS     float64 `json:"gflops"`
			ArenaBytes int64   `json:"arena_bytes"`
			Streamed   int64   `json:"streamed_bytes"`
			Layers     []struct {
				Name     string
				MACs     float64
				Streamed int64 `json:"streamed_bytes"`
			}
			Against struct{ Pairs []struct{ Ratio float64 } }
		}
		if err := json.Unmarshal([]byte(text), &r); err != nil {
			t.Fatalf("%v in %s", err, text)
		}
		macs, streamed := 0.0, int64(0)
		for _, l := range r.Layers {
			macs += l.MACs
			streamed += l.Streamed
		}
		if streamed == 0 || streamed != r.Streamed {
			t.Errorf("layers read %d bytes of weights, the run %d", streamed, r.Streamed)
		}
		if r.MedianMS <= 0 || r.GFLOPS <= 0 || r.ArenaBytes <= 0 || macs <= 0 || len(r.Against.Pairs) == 0 {
			t.Errorf("%s", text)
		}
	}
}

func TestBenchKernels(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a binary")
	}
	command(t, exitUsage, "bench", "--kernels", "--kernel", "(")
	command(t, exitUsage, "bench", "--kernels", "--out", "x")
	text, _ := command(t, exitOK, "bench", "--kernels", "--kernel", "max 3x3/2|14x14x120|^tile: 4x16", "--json")
	var r runner.Report
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	for _, isa := range r.ISAs {
		groups := map[string]int{}
		for _, k := range isa.Kernels {
			groups[k.Group]++
			if k.US <= 0 || k.P10US > k.US || k.P90US < k.US || (k.GFLOPS == 0 && k.GBs == 0) {
				t.Errorf("%+v", k)
			}
			if isa.PeakGFLOPS > 0 && (k.ShareOfLimit <= 0 || k.Limit == "") {
				t.Errorf("%s without a limit: %+v", isa.Name, k)
			}
		}
		if groups["pooling"] != 2 || groups["depthwise"] != 1 || isa.Name != "portable" && groups["tile"] != 2 {
			t.Errorf("%s: %v", isa.Name, groups)
		}
	}
	if len(r.ISAs) == 0 {
		t.Error("no instruction set")
	}
}

func TestBenchForAnotherMachine(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a binary")
	}
	target := "linux/arm64"
	machine := elf.EM_AARCH64
	if runtime.GOARCH == "arm64" {
		target, machine = "linux/amd64", elf.EM_X86_64
	}
	out := filepath.Join(t.TempDir(), "glyphs-bench")
	command(t, exitUsage, "bench", "--param", glyphsParam, "--random", "--target", target)
	text, _ := command(t, exitOK, "bench", "--param", glyphsParam, "--random", "--target", target, "--build-only", "--out", out)
	if !strings.Contains(text, out) {
		t.Errorf("%q does not name %s", text, out)
	}
	if want := "planned for " + cost.Default; !strings.Contains(text, want) {
		t.Errorf("%q: a plan by the model of this machine; want it %s", text, want)
	}
	f, err := elf.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if f.Machine != machine {
		t.Errorf("built for %v", f.Machine)
	}
}
