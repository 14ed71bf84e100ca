package harness

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/flexnnc/flexnnc/ir/op"
	"github.com/flexnnc/flexnnc/ir/plan"
)

// twin matches the first line of what stands in for assembly in plain Go: kernels of
// the runtime, and those of lane programs.
var twin = regexp.MustCompile(`(?m)^func (\w+Portable|depthwiseMult|depthwiseInt8|transposeColumns|map\w+Go)\(.*\{$`)

// fewColumns excepts matrices of less than a block of their kernel each way.
const fewColumns = " && min(rows, cols) >= max(kernels.transposeBlock, 4)"

// portable are the steps that may run a twin where there is assembly, and why.
var portable = []struct {
	twin   string
	reason string
	of     func(o *op.Op) bool
}{
	{"depthwiseMult", "several outputs of one input channel, which no network in sight has in a layer of weight: lanes would read it by turns", multiplied},
	{"depthwiseInt8", "the same of int8", multiplied},
}

func multiplied(o *op.Op) bool { return o.Conv != nil && o.Conv.Mult > 1 }

// mayRun tells whether a step of an op may run a twin.
func mayRun(o *op.Op, name string) bool {
	for _, p := range portable {
		if p.twin == name && p.of(o) {
			return true
		}
	}
	return false
}

// watchTwins has the twins of an emitted package say when they are called, and adds
// the method WatchTwins.
func watchTwins(dir, pkg string, p *plan.Plan) error {
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return err
	}
	var names []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		changed := twin.ReplaceAllFunc(text, func(line []byte) []byte {
			name := string(twin.FindSubmatch(line)[1])
			names = append(names, name)
			when := ""
			if name == "transposeColumns" {
				when = fewColumns
			}
			return fmt.Appendf(bytes.Clone(line), "\n\ttwins[%d].called.CompareAndSwap(false, true%s)", len(names)-1, when)
		})
		if err := os.WriteFile(file, changed, 0o644); err != nil {
			return err
		}
	}
	var twins, steps strings.Builder
	for _, n := range names {
		fmt.Fprintf(&twins, "\t{name: %q},\n", n)
	}
	for i := range p.Steps {
		o := p.Steps[i].Op
		var types []string
		for _, l := range o.Layers {
			types = append(types, l.Type)
		}
		may := ""
		for k, n := range names {
			if mayRun(o, n) {
				may += fmt.Sprintf("%d, ", k)
			}
		}
		fmt.Fprintf(&steps, "\t{%q, []int{%s}},\n", fmt.Sprintf("%s (%v of %s)", o.Name, o.Kind, strings.Join(types, ", ")), may)
	}
	for file, text := range map[string]string{
		"twins.go":       fmt.Sprintf(twinsSource, pkg, twins.String()),
		"twins_watch.go": fmt.Sprintf(twinsWatchSource, pkg, steps.String()),
		"twins_none.go":  fmt.Sprintf(twinsNoneSource, pkg),
	} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

const twinsSource = `package %s

import "sync/atomic"

var twins = []struct {
	name   string
	called atomic.Bool
}{
%s}
`

const twinsNoneSource = `//go:build noasm || !amd64 && !arm64

package %s

// WatchTwins does nothing where there is no assembly.
func (n *Net) WatchTwins() {}
`

const twinsWatchSource = `//go:build (amd64 || arm64) && !noasm

package %s

import (
	"fmt"
	"slices"
	"strings"
)

// WatchTwins has a run end with a panic where steps called twins that they may not run.
func (n *Net) WatchTwins() {
	if kernels.name == portableKernels.name {
		return // the CPU has none of the instruction sets
	}
	also, found := n.engine.observe, []string(nil)
	n.engine.observe = func(step int, complete bool) {
		if also != nil {
			also(step, complete)
		}
		for i := range twins {
			if twins[i].called.Swap(false) && complete && !slices.Contains(twinSteps[step].may, i) {
				found = append(found, fmt.Sprintf("%%s: %%s runs in place of assembly", twinSteps[step].name, twins[i].name))
			}
		}
		if step == len(twinSteps)-1 && complete && found != nil {
			panic(strings.Join(found, "; "))
		}
	}
}

var twinSteps = []struct {
	name string
	may  []int
}{
%s}
`
