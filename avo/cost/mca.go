package cost

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

// CPU is a core whose cycles are modelled.
type CPU string

// The cores. Those of llvm-mca have models of their own there; its models of the
// in-order cores rank hand-tuned kernels last, so these are modelled here.
const (
	NeoverseN1 CPU = "neoverse-n1"
	NeoverseV1 CPU = "neoverse-v1"
	CortexA72  CPU = "cortex-a72"
	CortexA53  CPU = "cortex-a53"
	CortexA55  CPU = "cortex-a55"
)

// CPUs lists them.
func CPUs() []CPU { return []CPU{NeoverseN1, NeoverseV1, CortexA72, CortexA55, CortexA53} }

// InOrder tells that the model is not llvm-mca's.
func (c CPU) InOrder() bool { return c == CortexA53 || c == CortexA55 }

// peak is the multiply-adds of four lanes per cycle that the model of a core has room
// for.
func (c CPU) peak() float64 {
	switch c {
	case NeoverseN1:
		return 2
	case NeoverseV1:
		return 4
	}
	return 1
}

// Model gives blocks their cycles, and remembers them. It may be used concurrently.
type Model struct {
	tools *Tools
	mu    sync.Mutex
	known map[CPU]map[string]float64 // by the block's text
}

// NewModel starts with nothing known.
func (t *Tools) NewModel() *Model {
	m := &Model{tools: t, known: map[CPU]map[string]float64{}}
	for _, c := range CPUs() {
		m.known[c] = map[string]float64{}
	}
	return m
}

// iterations that a block is repeated for.
const iterations = 100

// Cycles of one pass over each block, in a row of many.
func (m *Model) Cycles(ctx context.Context, cpu CPU, bs []*Block) ([]float64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	known := m.known[cpu]
	var fresh []string
	texts := make([]string, len(bs))
	asked := map[string]bool{}
	for i, b := range bs {
		texts[i] = modelText(b)
		if _, ok := known[texts[i]]; !ok && !asked[texts[i]] {
			asked[texts[i]] = true
			fresh = append(fresh, texts[i])
		}
	}
	if len(fresh) > 0 {
		cycles, err := m.ask(ctx, cpu, fresh)
		if err != nil {
			return nil, err
		}
		for i, t := range fresh {
			known[t] = cycles[i]
		}
	}
	v := make([]float64, len(bs))
	for i, t := range texts {
		v[i] = known[t]
	}
	return v, nil
}

func (m *Model) ask(ctx context.Context, cpu CPU, texts []string) ([]float64, error) {
	if !cpu.InOrder() {
		return m.tools.mca(ctx, cpu, texts)
	}
	v := make([]float64, len(texts))
	for i, t := range texts {
		v[i] = inOrderCycles(cpu, strings.Split(t, "\n"))
	}
	return v, nil
}

var (
	jump    = regexp.MustCompile(`^(bl|blr|br|ret)\b.*`)
	address = regexp.MustCompile(`^((?:b|b\.\w+|cbn?z|tbn?z|adrp?) (?:.*, )?)0x[0-9a-f]+$`)
)

// modelText is a block as a model takes it: addresses away, and calls and returns,
// which say nothing of where they go, as plain branches.
func modelText(b *Block) string {
	lines := make([]string, len(b.Code))
	for i, in := range b.Code {
		t := jump.ReplaceAllString(in.Text, "b 0x0")
		lines[i] = address.ReplaceAllString(t, "${1}0")
	}
	return strings.Join(lines, "\n")
}

var totalCycles = regexp.MustCompile(`(?m)^Total Cycles:\s+(\d+)$`)

// mca asks llvm-mca for many blocks at once.
func (t *Tools) mca(ctx context.Context, cpu CPU, texts []string) ([]float64, error) {
	var in strings.Builder
	for i, text := range texts {
		fmt.Fprintf(&in, "# LLVM-MCA-BEGIN b%d\n%s\n# LLVM-MCA-END\n", i, text)
	}
	args := []string{"-mtriple=aarch64", "-mcpu=" + string(cpu), "-mattr=+fullfp16,+dotprod", "-iterations=" + strconv.Itoa(iterations),
		"-instruction-info=false", "-resource-pressure=false"}
	if t.major() >= skippingLLVM {
		args = append(args, "-skip-unsupported-instructions=any")
	}
	cmd := exec.CommandContext(ctx, t.MCA, args...)
	cmd.Stdin = strings.NewReader(in.String())
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%s -mcpu=%s: %w\n%.2000s", t.MCA, cpu, err, stderr.String())
	}
	found := totalCycles.FindAllStringSubmatch(stdout.String(), -1)
	if len(found) != len(texts) {
		return nil, fmt.Errorf("%s -mcpu=%s reported on %d of %d blocks\n%.2000s", t.MCA, cpu, len(found), len(texts), stderr.String())
	}
	v := make([]float64, len(texts))
	for i, f := range found {
		n, err := strconv.ParseFloat(f[1], 64)
		if err != nil {
			return nil, err
		}
		v[i] = n / iterations
	}
	return v, nil
}
