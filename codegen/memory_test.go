//go:build linux

package codegen_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flexnnc/flexnnc/codegen"
	"github.com/flexnnc/flexnnc/compiler"
	"github.com/flexnnc/flexnnc/compiler/ncnn"
	"github.com/flexnnc/flexnnc/compiler/reside"
	"github.com/flexnnc/flexnnc/ir/plan"
)

// TestMemoryFollowsBudget runs a real network in a program of its own, and changes
// its budget: the memory of the whole process, above what it had before the net
// was made, must stay within each budget and 1 MiB, the embedded weights included.
func TestMemoryFollowsBudget(t *testing.T) {
	if testing.Short() {
		t.Skip("not in the short suite")
	}
	models := os.Getenv("FLEXNNC_MODELS")
	if models == "" {
		models = filepath.Join("..", "..", "shared", "models")
	}
	file := filepath.Join(models, "trained", "squeezenet_v1.1", "squeezenet_v1.1")
	if _, err := os.Stat(file + ".param"); err != nil {
		t.Skip("no reference networks: set FLEXNNC_MODELS")
	}
	n, err := ncnn.Open(file+".param", file+".bin")
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	g, err := compiler.Lower(n.Graph, compiler.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	plans := planBudgets(t, g, 1, 3<<20, 0)
	reside.Together(plans)
	dir := t.TempDir()
	_, err = codegen.EmitSet(codegen.Set{Plans: [][]*plan.Plan{plans}, Budgets: []string{"min", "middle", "max"}}, codegen.Options{
		Dir: filepath.Join(dir, "net"), Package: "net", Command: "test", Version: "test",
	})
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, "go.mod"), "module memory\n\ngo 1.24\n")
	writeFile(t, filepath.Join(dir, "main.go"), memoryProgram)
	goTool(t, dir, nil, "build", "-o", "memory", ".")
	out, err := exec.Command(filepath.Join(dir, "memory")).CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Fatal(err)
	}
	if lines := strings.Count(string(out), "within"); lines != 9 {
		t.Errorf("%d measurements, want 9", lines)
	}
}

const memoryProgram = `package main

import (
	"bytes"
	"context"
	"fmt"
	"log"
	"os"
	"runtime/debug"
	"slices"
	"time"

	"memory/net"
)

// resident is the memory of this process, in bytes.
func resident() int {
	debug.FreeOSMemory()
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		log.Fatal(err)
	}
	_, rest, _ := bytes.Cut(text, []byte("VmRSS:"))
	var kb int
	fmt.Sscan(string(rest), &kb)
	return kb << 10
}

func main() {
	in, out, ctx := net.NewInputs(), net.NewOutputs(), context.Background()
	for i := range in.Data {
		in.Data[i] = float32(i%251) - 125
	}
	for i := range out.Prob {
		out.Prob[i] = 1
	}
	idle := resident()
	n, err := net.New(net.Options{Threads: 1})
	if err != nil {
		log.Fatal(err)
	}
	defer n.Close()
	var first []float32
	for _, budget := range []int{
		net.BudgetMax, net.BudgetMin, net.BudgetMiddle, net.BudgetMax, net.BudgetMiddle,
		net.BudgetMin, net.BudgetMax, net.BudgetMin, net.BudgetMiddle,
	} {
		from := time.Now()
		if err := n.SetBudget(budget); err != nil {
			log.Fatal(err)
		}
		took := time.Since(from)
		after := resident() - idle
		for range 2 {
			if err := n.Run(ctx, in, out); err != nil {
				log.Fatal(err)
			}
		}
		first = append(first, out.Prob...)
		if !slices.Equal(first[:len(out.Prob)], out.Prob) {
			log.Fatal("the answer changes with the budget")
		}
		first = first[:len(out.Prob)]
		now := resident() - idle
		fmt.Printf("within %d: switched in %v, %d resident, after runs %d\n", budget, took, after, now)
		if max(after, now) > budget+1<<20 {
			log.Fatal("that is more than the budget and 1 MiB")
		}
	}
}
`
