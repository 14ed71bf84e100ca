package codegen_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/flexnnc/flexnnc/codegen"
	"github.com/flexnnc/flexnnc/compiler"
	"github.com/flexnnc/flexnnc/compiler/ncnn"
	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/op"
	"github.com/flexnnc/flexnnc/ir/plan"
)

// planBudgets plans a lowered network within several budgets; 0 is unlimited and
// 1 the smallest that works.
func planBudgets(t *testing.T, g *op.Graph, budgets ...plan.Bytes) []*plan.Plan {
	t.Helper()
	var plans []*plan.Plan
	for _, b := range budgets {
		p, err := compiler.Plan(g, compiler.Options{Budget: b, Min: b == 1, Threads: 2})
		if err != nil {
			t.Fatal(err)
		}
		plans = append(plans, p)
	}
	return plans
}

// glyphsSet plans testdata's character reader within several budgets, for every
// width of its input.
func glyphsSet(t *testing.T, widths []int, budgets ...plan.Bytes) codegen.Set {
	t.Helper()
	var set codegen.Set
	for _, w := range widths {
		set.Plans = append(set.Plans, planBudgets(t, lowerGlyphs(t, w), budgets...))
	}
	return set
}

func lowerGlyphs(t *testing.T, width int) *op.Graph {
	t.Helper()
	n, err := ncnn.Open("../testdata/glyphs/glyphs.param", "../testdata/glyphs/glyphs.bin")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	inputs := map[string]ir.Shape{"data": {Dims: 3, W: width, H: 32, D: 1, C: 1}}
	g, err := compiler.Lower(n.Graph, compiler.Options{Threads: 2, Inputs: inputs})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// emitSet writes a package of several plans as a module.
func emitSet(t *testing.T, set codegen.Set, dir string) *codegen.Result {
	t.Helper()
	r, err := codegen.EmitSet(set, codegen.Options{Dir: dir, Package: "several", Command: "test", Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, "go.mod"), "module several\n\ngo 1.24\n")
	return r
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// testEverywhere runs a package's own test, and what was put beside it, with
// assembly and with the portable twins; unless the test is to be short, it also
// vets the package for platforms that others do not, and runs it for arm64.
func testEverywhere(t *testing.T, dir string) {
	t.Helper()
	goTool(t, dir, nil, "vet", ".")
	goTool(t, dir, nil, "test", "-count=1", ".")
	goTool(t, dir, nil, "test", "-count=1", "-tags=noasm", ".")
	if testing.Short() {
		goTool(t, dir, []string{"GOOS=linux", "GOARCH=arm64"}, "vet", ".")
		return
	}
	for _, env := range [][]string{{"GOOS=windows", "GOARCH=386"}, {"GOOS=darwin", "GOARCH=arm64"}, {"GOOS=linux", "GOARCH=riscv64"}} {
		goTool(t, dir, env, "vet", ".")
	}
	if qemu, err := exec.LookPath("qemu-aarch64"); err != nil {
		t.Log("qemu-aarch64 is not installed: not run for arm64")
	} else {
		goTool(t, dir, []string{"GOOS=linux", "GOARCH=arm64"}, "test", "-count=1", "-exec", qemu, ".")
	}
}

// TestSeveralBudgets compiles three budgets into one package, and switches between
// them while runs are under way.
func TestSeveralBudgets(t *testing.T) {
	dir := t.TempDir()
	set := glyphsSet(t, []int{32}, 1, 96<<10, 0)
	set.Budgets = []string{"min", "96KiB", "max"}
	emitSet(t, set, dir)
	writeFile(t, filepath.Join(dir, "load_test.go"), switchUnderLoad)
	writeFile(t, filepath.Join(dir, "memory_linux_test.go"), arenaMemory)
	testEverywhere(t, dir)
	if testing.Verbose() {
		c := exec.Command("go", "test", "-count=1", "-v", "-run", "Load|Arena", ".")
		c.Dir, c.Env = dir, append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off")
		out, err := c.CombinedOutput()
		t.Logf("%v\n%s", err, out)
	}
}

// TestExpanded compiles convolutions by Winograd's algorithm, whose weights stay
// expanded in one plan, in part in the next, and not in the last.
func TestExpanded(t *testing.T) {
	dir := t.TempDir()
	r := rand.New(rand.NewSource(1))
	param, bin := "7767517\n5 5\nInput data 0 1 data 0=40 1=36 2=16\n", []byte(nil)
	channels := 16
	for i, c := range []int{32, 48, 24} {
		from := "data"
		if i > 0 {
			from = fmt.Sprint("c", i-1)
		}
		param += fmt.Sprintf("Convolution c%d 1 1 %s c%d 0=%d 1=3 4=1 5=1 6=%d 9=1\n", i, from, i, c, 9*channels*c)
		bin = append(bin, 0, 0, 0, 0)
		for range 9*channels*c + c {
			bin = binary.LittleEndian.AppendUint32(bin, math.Float32bits(float32(r.NormFloat64()/12)))
		}
		channels = c
	}
	param += "ReLU last 1 1 c2 out\n"
	file := filepath.Join(t.TempDir(), "net")
	writeFile(t, file+".param", param)
	writeFile(t, file+".bin", string(bin))
	n, err := ncnn.Open(file+".param", file+".bin")
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	g, err := compiler.Lower(n.Graph, compiler.Options{})
	if err != nil {
		t.Fatal(err)
	}
	expanded := func(p *plan.Plan) (n int) {
		for i := range p.Buffers {
			if p.Buffers[i].Expanded {
				n++
			}
		}
		return n
	}
	planned := func(b plan.Bytes) *plan.Plan {
		p, err := compiler.Plan(g, compiler.Options{Budget: b, Min: b == 1})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	plans := []*plan.Plan{planned(0), planned(1)}
	for b := plans[0].Arena; len(plans) == 2 && b > plans[1].Arena; b -= plans[0].Arena / 20 {
		if p := planned(b); expanded(p) < 3 && expanded(p) > 0 {
			plans = append(plans, p)
		}
	}
	if len(plans) != 3 || expanded(plans[0]) != 3 || expanded(plans[1]) != 0 {
		t.Fatalf("%d plans; %d are expanded in the largest, %d in the smallest", len(plans), expanded(plans[0]), expanded(plans[1]))
	}
	emitSet(t, codegen.Set{Plans: [][]*plan.Plan{plans}, Budgets: []string{"max", "min", "some"}}, dir)
	testEverywhere(t, dir)
}

// TestSeveralShapes compiles two widths within two budgets each into one package:
// the weights are in its file once.
func TestSeveralShapes(t *testing.T) {
	dir, one := t.TempDir(), t.TempDir()
	r := emitSet(t, glyphsSet(t, []int{32, 56}, 100<<10, 0), dir)
	if alone := emitSet(t, glyphsSet(t, []int{32}, 0), one); r.Weights != alone.Weights {
		t.Errorf("the weights of two shapes take %d bytes, those of one %d", r.Weights, alone.Weights)
	}
	testEverywhere(t, dir)
}

// switchUnderLoad is a test beside a package of three budgets.
const switchUnderLoad = `package several

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"time"
)

// TestLoad changes the budget from a goroutine of its own while runs follow runs.
func TestLoad(t *testing.T) {
	want := answerRun(t, 1, BudgetMax, 0)
	n, err := New(Options{Threads: 2, Budget: Budget96KiB})
	if err != nil {
		t.Fatal(err)
	}
	stop, done := make(chan struct{}), make(chan int)
	go func() {
		k := 0
		defer func() { done <- k }()
		for ; ; k++ {
			select {
			case <-stop:
				return
			default:
			}
			if err := n.SetBudget([]int{BudgetMin, BudgetMax, Budget96KiB, BudgetMax, BudgetMin + 1}[k%5]); err != nil {
				t.Error(err)
				return
			}
			time.Sleep(time.Duration(k%7) * 100 * time.Microsecond)
		}
	}()
	in, out := answerInputs(t, 0), NewOutputs()
	deadline := time.Now().Add(2 * time.Second)
	for i := 0; i < 300 || time.Now().Before(deadline) && i < 3000; i++ {
		if err := n.Run(context.Background(), in, out); err != nil {
			t.Fatal(err)
		}
		sameBits(t, "run "+strconv.Itoa(i), want, out)
	}
	close(stop)
	t.Logf("%d switches", <-done)
	if err := n.SetBudget(BudgetMin - 1); err == nil {
		t.Error("a budget below the smallest is accepted")
	} else {
		t.Log(err)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	if err := n.SetBudget(BudgetMin); !errors.Is(err, ErrClosed) {
		t.Errorf("SetBudget of a closed net: %v", err)
	}
	if _, err := New(Options{Budget: 1}); err == nil {
		t.Error("a budget of one byte is accepted")
	}
}
`

// arenaMemory is another, for Linux.
const arenaMemory = `package several

import (
	"context"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
	"unsafe"
)

// TestArena measures that memory beyond a smaller budget is given back at once.
func TestArena(t *testing.T) {
	n, err := New(Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	in, out := answerInputs(t, 0), NewOutputs()
	for _, b := range []int{BudgetMax, BudgetMin, Budget96KiB, BudgetMin} {
		from := time.Now()
		if err := n.SetBudget(b); err != nil {
			t.Fatal(err)
		}
		took := time.Since(from)
		after := resident(n)
		if err := n.Run(context.Background(), in, out); err != nil {
			t.Fatal(err)
		}
		now := resident(n)
		if now == 0 && runtime.GOARCH == "amd64" { // qemu does not tell
			t.Error("no memory of the arena is found")
		}
		if after > b+os.Getpagesize() || now > b+os.Getpagesize() {
			t.Errorf("within %d bytes, %d of the arena are resident after the switch and %d after a run", b, after, now)
		} else {
			t.Logf("%d bytes: switched in %v, %d resident, %d after a run", b, took, after, now)
		}
	}
}

// resident is how many bytes of the arena are in memory.
func resident(n *Net) int {
	text, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		return 0
	}
	total, inside := 0, false
	lo := uintptr(unsafe.Pointer(&n.engine.arena.reserved[0]))
	hi := lo + uintptr(len(n.engine.arena.reserved)+os.Getpagesize())
	for _, line := range strings.Split(string(text), "\n") {
		if from, rest, ok := strings.Cut(line, "-"); ok {
			if a, err := strconv.ParseUint(from, 16, 64); err == nil && !strings.Contains(from, ":") {
				to, _, _ := strings.Cut(rest, " ")
				b, _ := strconv.ParseUint(to, 16, 64)
				inside = uintptr(a) >= lo && uintptr(b) <= hi
				continue
			}
		}
		if f := strings.Fields(line); inside && len(f) == 3 && f[0] == "Rss:" {
			kb, _ := strconv.Atoi(f[1])
			total += kb << 10
		}
	}
	return total
}
`
