// Package harness runs reference cases: it compiles each network for each budget,
// builds all packages into one binary per instruction set, runs that, and judges
// the answers. It must not print, parse flags or exit.
package harness

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"time"

	"github.com/flexnnc/flexnnc/compiler/cases"
	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/plan"
)

// Options say what to run.
type Options struct {
	Paths    []string // of case.json files
	Net      *Net     // without recorded answers, beside those; or nil
	Bin      string   // weights for cases that name none
	Customs  []*ir.Custom
	Budgets  []Budget
	Arches   []string // of Amd64, Arm64, Portable
	Threads  []int
	Half     bool    // weights rounded to float16
	Effort   int     // of the planner; 0 = 1
	Direct   bool    // --algorithm direct
	Tol      float64 // in place of what the cases say, where positive
	Work     string  // folder for everything that is made; "" is a temporary one, removed at the end
	Version  string  // of flexnnc, for the emitted packages
	Parallel int     // networks compiled, or processes run, at a time
	Progress func(format string, args ...any)
	// RedZones has packages spoil the memory of activations before each run, and
	// watch over the bytes of the arena that belong to nothing. Resident memory is then
	// not measured.
	RedZones bool
	// Assembly has packages fail where a step runs plain Go though the instruction set has
	// an assembly kernel; what may do so is in a table, with the reasons.
	Assembly bool
	// alter changes an emitted package, which tests of this one break.
	alter func(dir string) error
}

// Budget is one of --budget.
type Budget struct {
	Name  string     // as given
	Kind  BudgetKind // and Bytes for Size
	Bytes plan.Bytes
}

// BudgetKind tells how a budget follows from the network.
type BudgetKind int

// Min is the smallest that works, Max no limit, Half the middle between the
// arenas of both.
const (
	Size BudgetKind = iota
	Min
	Half
	Max
)

// What packages are built for and run on.
const (
	Amd64    = "amd64"
	Arm64    = "arm64"    // under qemu-aarch64 on another host
	Portable = "portable" // the host, with the build tag noasm
)

// Slack is what the peak of resident memory may be above the budget.
const Slack = 1 << 20

// Report is the outcome.
type Report struct {
	Networks []*Network
	Elapsed  time.Duration
}

// Network is one case.json.
type Network struct {
	Name, Path string
	Expected   string // what the case's author says of the answers
	Error      string // why nothing was run
	Outputs    []Judged
	Runs       []*Run
}

// Judged is one output of one case, and how it compares.
type Judged struct {
	Case, Output string
	Rule         cases.Rule
	cases.Verdict
	// Sway, where positive, is how far the reference moves if each blob is rounded to
	// float32: the answer was too far away, and is accepted for that if it is near it.
	Sway float64
}

// Run is one combination of budget, instruction set and threads.
type Run struct {
	Budget  string
	Bytes   int64 // of the budget; of the arena for min and max
	Arena   int64
	Arch    string
	Threads int
	Error   string
	First   bool     // the run that bits are compared with
	Equal   bool     // bits, to those
	Differs []Judged // the outputs whose bits differ
	// Foreign says that functions of the user's are a part of the network: what memory
	// they take is not judged.
	Foreign bool
	// Unstable says that a second run gave other bits; Allocs counts the heap
	// allocations of all runs, two for each case.
	Unstable bool
	Allocs   uint64
	// Peak is the most resident memory above the idle process, -1 where it was not
	// measured.
	Peak int64
}

// Failures lists what is wrong with a network, nothing where all holds.
func (n *Network) Failures() []string {
	var list []string
	if n.Error != "" {
		return []string{n.Error}
	}
	for _, o := range n.Outputs {
		if o.Why != "" {
			list = append(list, fmt.Sprintf("%s/%s: %s", o.Case, o.Output, o.Why))
		}
	}
	for _, r := range n.Runs {
		for _, why := range r.Failures() {
			list = append(list, fmt.Sprintf("%s, %s, %d threads: %s", r.Budget, r.Arch, r.Threads, why))
		}
	}
	return list
}

// Failures lists what is wrong with one run.
func (r *Run) Failures() []string {
	var list []string
	if r.Error != "" {
		list = append(list, r.Error)
	}
	if r.Error == "" && !r.Equal {
		list = append(list, fmt.Sprintf("the bits of %d outputs differ from those of the first run", len(r.Differs)))
	}
	if r.Unstable {
		list = append(list, "a second run gave other bits")
	}
	if r.Allocs > 0 && !r.Foreign {
		list = append(list, fmt.Sprintf("its runs make %d heap allocations", r.Allocs))
	}
	if r.Over() {
		list = append(list, fmt.Sprintf("the peak of resident memory, %d bytes, is beyond the budget of %d and 1 MiB", r.Peak, r.Bytes))
	}
	return list
}

// Over says that a run took more memory than it may.
func (r *Run) Over() bool { return r.Peak > r.Bytes+Slack && !r.Foreign }

// Arches lists what can run on this machine, the host first.
func Arches() []string {
	var list []string
	if runtime.GOARCH == Amd64 || runtime.GOARCH == Arm64 {
		list = append(list, runtime.GOARCH)
	}
	list = append(list, Portable)
	if runtime.GOARCH != Arm64 && qemu() != "" {
		list = append(list, Arm64)
	}
	return list
}

// qemu finds the user mode emulator.
func qemu() string {
	for _, name := range []string{"qemu-aarch64", "qemu-aarch64-static"} {
		if p, err := exec.LookPath(name); err == nil {
			return p
		}
	}
	return ""
}

// checkArch says why an instruction set cannot run here.
func checkArch(a string) error {
	switch {
	case a == Portable || a == runtime.GOARCH && (a == Amd64 || a == Arm64):
		return nil
	case a == Arm64 && qemu() == "":
		return fmt.Errorf("arm64 needs qemu-aarch64, which is not installed (Debian: apt-get install qemu-user)")
	case a == Arm64:
		return nil
	}
	return fmt.Errorf("%s programs do not run on this machine (%s)", a, runtime.GOARCH)
}

// Verify does it all. Its error is about the machine or the options; what is
// wrong with a network is in the report.
func Verify(ctx context.Context, o Options) (*Report, error) {
	start := time.Now()
	for _, a := range o.Arches {
		if err := checkArch(a); err != nil {
			return nil, err
		}
	}
	o.Parallel = max(1, o.Parallel)
	if o.Progress == nil {
		o.Progress = func(string, ...any) {}
	}
	if o.Work == "" {
		dir, err := os.MkdirTemp("", "flexnnc-verify-")
		if err != nil {
			return nil, err
		}
		defer os.RemoveAll(dir)
		o.Work = dir
	}
	s := &session{o: o}
	for i, path := range o.Paths {
		s.suites = append(s.suites, &suite{index: i, report: &Network{Path: path, Name: path}})
	}
	if o.Net != nil {
		s.suites = append(s.suites, &suite{index: len(o.Paths), net: o.Net, report: &Network{Path: o.Net.Param, Name: o.Net.Param}})
	}
	if err := s.makeFolders(); err != nil {
		return nil, err
	}
	done := 0
	s.parallel(len(s.suites), func(i int) {
		s.suites[i].prepare(ctx, s)
		s.mu.Lock()
		done++
		o.Progress("compiled %d of %d networks", done, len(s.suites))
		s.mu.Unlock()
	})
	for _, arch := range o.Arches {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		o.Progress("building for %s", arch)
		bin, err := s.build(ctx, arch)
		if err != nil {
			return nil, err
		}
		if err := s.runAll(ctx, arch, bin); err != nil {
			return nil, err
		}
	}
	r := &Report{Elapsed: time.Since(start)}
	for _, t := range s.suites {
		if err := t.sway(s); err != nil {
			return nil, err
		}
		t.order(o)
		r.Networks = append(r.Networks, t.report)
	}
	return r, ctx.Err()
}

// session is one call of Verify.
type session struct {
	o      Options
	suites []*suite
	mu     sync.Mutex // of progress counts
}

// parallel calls f(0) to f(n-1), several at a time.
func (s *session) parallel(n int, f func(i int)) {
	next := make(chan int)
	var group sync.WaitGroup
	for range min(n, s.o.Parallel) {
		group.Add(1)
		go func() {
			defer group.Done()
			for i := range next {
				f(i)
			}
		}()
	}
	for i := range n {
		next <- i
	}
	close(next)
	group.Wait()
}
