package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/flexnnc/flexnnc/avo/cost"
	"github.com/flexnnc/flexnnc/cmd/flexnnc/program"
	"github.com/flexnnc/flexnnc/cmd/flexnnc/random"
	"github.com/flexnnc/flexnnc/compiler"
	"github.com/flexnnc/flexnnc/compiler/ncnn"
	"github.com/flexnnc/flexnnc/ir/plan"
)

// inference is a network's package in a binary for arm64 that makes one inference
// and marks the steps.
type inference struct {
	path    string
	plan    *plan.Plan
	pkg     string          // import path of the network's package
	kernels map[string]bool // functions in assembly
}

// plans are a network's plans, with weights that are made up, for the budget that keeps
// everything in memory: for one thread, and for planThreads.
func plans(param string) (one, shared *plan.Plan, err error) {
	var p [2]*plan.Plan
	for i, threads := range []int{1, planThreads} {
		n, err := ncnn.Open(param, "")
		if err != nil {
			return nil, nil, err
		}
		defer n.Close()
		random.Weights(n.Graph)
		if p[i], err = compiler.Compile(n.Graph, compiler.Options{Threads: threads}); err != nil {
			return nil, nil, err
		}
	}
	return p[0], p[1], nil
}

// alike tells whether one thread does the same work by two plans of a network.
func alike(p, q *plan.Plan) bool {
	return slices.EqualFunc(p.Steps, q.Steps, func(s, t plan.Step) bool {
		expanded := func(p *plan.Plan, s *plan.Step) bool { return s.Weights >= 0 && p.Buffers[s.Weights].Expanded }
		return s.Op.Name == t.Op.Name && s.Rows == t.Rows && s.Panels == t.Panels && expanded(p, &s) == expanded(q, &t)
	})
}

// build makes the package of a plan, and a program that runs it.
func build(ctx context.Context, work string, p *plan.Plan) (*inference, error) {
	m, err := program.New(filepath.Join(work, "src"))
	if err != nil {
		return nil, err
	}
	k, err := m.Emit(p, "", "", program.EmbedSmall)
	if err != nil {
		return nil, err
	}
	weights := k.Weights
	if weights != "" {
		if weights, err = filepath.Abs(weights); err != nil {
			return nil, err
		}
	}
	order := "package " + k.Name + "\n\n// BenchInOrder takes the loops for cores that issue in order.\nfunc BenchInOrder() { inOrder = 1 }\n"
	if err := os.WriteFile(filepath.Join(k.Dir, "bench_inorder.go"), []byte(order), 0o644); err != nil {
		return nil, err
	}
	if err := m.WriteMain(fmt.Sprintf(mainSource, program.ModuleName+"/inputs", k.Path, cost.Mark, inOrderArg, weights)); err != nil {
		return nil, err
	}
	r := &inference{path: filepath.Join(work, "program"), plan: p, pkg: k.Path, kernels: map[string]bool{}}
	if err := r.findKernels(k.Dir); err != nil {
		return nil, err
	}
	return r, m.Build(ctx, program.Platform{OS: "linux", Arch: "arm64"}, r.path)
}

var text = regexp.MustCompile(`(?m)^TEXT ·(\w+)\(SB\)`)

// findKernels reads the names of the functions in assembly.
func (p *inference) findKernels(dir string) error {
	files, err := filepath.Glob(filepath.Join(dir, "*_arm64.s"))
	if err != nil {
		return err
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			return err
		}
		for _, m := range text.FindAllSubmatch(b, -1) {
			p.kernels[string(m[1])] = true
		}
	}
	return nil
}

// library is the functions of Go's library that a package calls in its steps.
var library = regexp.MustCompile(`^(runtime\.(memmove|memclrNoHeapPointers|memequal|duff\w+)|math\.[\w.]+|math/bits\.\w+|internal/runtime/atomic\.[\w.()*]+)(\.abi0)?$`)

// counted tells which functions' instructions count.
func (p *inference) counted(symbol string) bool {
	return strings.HasPrefix(symbol, p.pkg+".") || library.MatchString(symbol)
}

// kind tells who wrote a function.
func (p *inference) kind(symbol string) cost.Kind {
	name, ok := strings.CutPrefix(symbol, p.pkg+".")
	switch {
	case !ok:
		return cost.Library
	case p.kernels[strings.TrimSuffix(name, ".abi0")]:
		return cost.Kernel
	}
	return cost.Driver
}

// inOrderArg has the program take the loops for cores that issue in order.
const inOrderArg = "inorder"

// mainSource makes one inference on one thread. What lies between steps has label
// 0; step i has label i+1.
const mainSource = `package main

import (
	"context"
	"fmt"
	"os"
	"syscall"

	%q
	net %q
)

func mark(label int) { syscall.RawSyscall(syscall.SYS_GETPGID, %#x, uintptr(label), 0) }

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	if len(os.Args) > 1 && os.Args[1] == %q {
		net.BenchInOrder()
	}
	n, err := net.New(net.Options{Threads: 1, WeightsPath: %q})
	if err != nil {
		return err
	}
	defer n.Close()
	in, out := net.NewInputs(), net.NewOutputs()
	inputs.Fill(in)
	n.BenchObserve(func(step int, complete bool) {
		if complete {
			mark(step + 1)
		} else {
			mark(0)
		}
	})
	mark(1 << 30) // what came before the run
	return n.Run(context.Background(), in, out)
}
`
