package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sort"
	"strings"

	"github.com/flexnnc/flexnnc/avo/cost"
)

// reference is what ncnn's arm64 build in float32 costs in its kernels for an inference,
// in millions: instructions, and modelled cycles in the order of cost.CPUs. It was counted
// once, the same way. On the in-order cores it takes kernels of its own for these.
var reference = map[string]struct {
	all    float64
	cycles []float64
}{
	"squeezenet":    {91.4, []float64{42.72, 25.28, 82.71, 94.24, 118.72}},
	"mobilenet":     {171.5, []float64{79.18, 43.63, 154.94, 167.63, 223.03}},
	"mobilenet_v2":  {103.8, []float64{49.98, 29.62, 95.65, 110.84, 139.70}},
	"mobilenet_v3":  {87.9, []float64{41.39, 24.66, 81.09, 95.78, 117.93}},
	"shufflenet_v2": {52.3, []float64{23.45, 13.57, 44.52, 52.63, 65.78}},
	"resnet18":      {244.1, []float64{109.84, 73.75, 212.77, 270.68, 319.03}},
	"resnet50":      {770, []float64{348.75, 200.91, 687.49, 769.34, 999.59}},
	"resnet152":     {2322, nil},
	"vgg19":         {1619, []float64{736.48, 408.59, 1427.63, 1635.38, 2111.17}},
}

func millions(n uint64) string { return fmt.Sprintf("%.2f", float64(n)/1e6) }

func percent(part, whole uint64) string {
	if whole == 0 {
		return "–"
	}
	return fmt.Sprintf("%.1f", 100*float64(part)/float64(whole))
}

// against is the ratio to ncnn's instructions.
func against(network string, s *cost.Sum) string {
	ref, ok := reference[network]
	if !ok {
		return "–"
	}
	return fmt.Sprintf("%.3f", float64(s.All())/1e6/ref.all)
}

// line sums a network up.
func (r *result) line() string {
	t := &r.total
	s := fmt.Sprintf("%-14s %8s M (kernels %s, Go %s, library %s; FMLA %s, %s %% of GEMM loops) of ncnn's %s; M cycles", r.name, millions(t.All()),
		millions(t.Instructions[cost.Kernel]), millions(t.Instructions[cost.Driver]), millions(t.Instructions[cost.Library]),
		millions(t.FMLAs), percent(t.GEMMFMLAs, t.GEMM), against(r.name, t))
	for _, c := range cost.CPUs() {
		s += fmt.Sprintf(" %s %.2f (%.0f %%)", c, t.Cycles[c]/1e6, 100*t.PeakShare(c))
	}
	if d := &r.byDefault().total; r.shared != nil {
		s += fmt.Sprintf("; the default plan %s M, of ncnn's %s", millions(d.All()), against(r.name, d))
	}
	return s
}

// printFunctions lists what executes instructions, by step.
func (r *result) printFunctions(w io.Writer) {
	all := map[string]uint64{}
	for _, l := range r.layers {
		fmt.Fprintf(w, "%10s M %s (%s)\n", millions(l.sum.All()), l.name, l.kind)
		printMost(w, l.functions, l.sum.All()/100, "  ")
		for f, n := range l.functions {
			all[f] += n
		}
	}
	fmt.Fprintf(w, "all of %s\n", r.name)
	printMost(w, all, r.total.All()/500, "  ")
}

func printMost(w io.Writer, functions map[string]uint64, least uint64, indent string) {
	var names []string
	for f, n := range functions {
		if n >= least {
			names = append(names, f)
		}
	}
	sort.Slice(names, func(i, j int) bool {
		a, b := functions[names[i]], functions[names[j]]
		return a > b || a == b && names[i] < names[j]
	})
	for _, f := range names {
		fmt.Fprintf(w, "%s%10.3f M %s\n", indent, float64(functions[f])/1e6, f)
	}
}

// head writes the head of a table whose last columns are the CPUs.
func head(b *strings.Builder, columns, rule string) {
	b.WriteString(columns)
	for _, c := range cost.CPUs() {
		fmt.Fprintf(b, " %s |", c)
		rule += "---:|"
	}
	b.WriteString("\n" + rule + "\n")
}

// document is the report in Markdown.
func document(tools *cost.Tools, nets []*result) []byte {
	var b strings.Builder
	b.WriteString(preface(tools))
	head(&b, "| network | instructions, M | kernels | Go | library | of ncnn's | FMLA, M | FMLA, % of GEMM loops |", "|---|---:|---:|---:|---:|---:|---:|---:|")
	for _, r := range nets {
		t := &r.total
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s | %s |", r.name, millions(t.All()), millions(t.Instructions[cost.Kernel]),
			millions(t.Instructions[cost.Driver]), millions(t.Instructions[cost.Library]), against(r.name, t), millions(t.FMLAs), percent(t.GEMMFMLAs, t.GEMM))
		for _, c := range cost.CPUs() {
			fmt.Fprintf(&b, " %.2f |", t.Cycles[c]/1e6)
		}
		b.WriteString("\n")
	}
	b.WriteString("\nWhat the inner loops of matrix products reach of each model's peak rate of multiply-adds, in %:\n\n")
	head(&b, "| network |", "|---|")
	for _, r := range nets {
		fmt.Fprintf(&b, "| %s |", r.name)
		for _, c := range cost.CPUs() {
			fmt.Fprintf(&b, " %.1f |", 100*r.total.PeakShare(c))
		}
		b.WriteString("\n")
	}
	b.WriteString("\nCycles, divided by those of the kernels of ncnn's arm64 build in float32 in the same models:\n\n")
	head(&b, "| network |", "|---|")
	for _, r := range nets {
		ref := reference[r.name].cycles
		if ref == nil {
			continue
		}
		fmt.Fprintf(&b, "| %s |", r.name)
		for i, c := range cost.CPUs() {
			fmt.Fprintf(&b, " %.3f |", r.total.Cycles[c]/1e6/ref[i])
		}
		b.WriteString("\n")
	}
	b.WriteString("\nThe default plan, which is for four threads, run by one. It leaves more of Winograd's weights to be expanded in each run:\nfour cores do that faster than their memory brings the four times as many bytes. Cycles are of the loops for out-of-order CPUs.\n\n")
	b.WriteString("| network | instructions, M | of the plan for one thread | of ncnn's |")
	rule := "|---|---:|---:|---:|"
	for _, c := range cost.CPUs() {
		if !c.InOrder() {
			fmt.Fprintf(&b, " %s | of ncnn's |", c)
			rule += "---:|---:|"
		}
	}
	b.WriteString("\n" + rule + "\n")
	for _, r := range nets {
		t, ref := &r.byDefault().total, reference[r.name].cycles
		fmt.Fprintf(&b, "| %s | %s | %.3f | %s |", r.name, millions(t.All()), float64(t.All())/float64(r.total.All()), against(r.name, t))
		for i, c := range cost.CPUs() {
			if c.InOrder() {
				continue
			}
			of := "–"
			if ref != nil {
				of = fmt.Sprintf("%.3f", t.Cycles[c]/1e6/ref[i])
			}
			fmt.Fprintf(&b, " %.2f | %s |", t.Cycles[c]/1e6, of)
		}
		b.WriteString("\n")
	}
	b.WriteString(bounds(nets))
	for _, r := range nets {
		fmt.Fprintf(&b, "\n## %s\n\n", r.name)
		head(&b, "| layer | what | instructions, k | of them not kernels | FMLA, % |", "|---|---|---:|---:|---:|")
		for _, l := range r.layers {
			s := &l.sum
			fmt.Fprintf(&b, "| %s | %s | %.1f | %.1f | %s |", l.name, l.kind, float64(s.All())/1e3, float64(s.All()-s.Instructions[cost.Kernel])/1e3, percent(s.FMLAs, s.All()))
			for _, c := range cost.CPUs() {
				fmt.Fprintf(&b, " %.1f |", s.Cycles[c]/1e3)
			}
			b.WriteString("\n")
		}
	}
	return []byte(b.String())
}

func preface(tools *cost.Tools) string {
	return fmt.Sprintf(`# What networks cost on arm64

Written by `+"`make arm64-cost`"+`. One inference, one thread, everything in memory, weights made up. No arm64 silicon was used.

- *Instructions* are executed ones, counted in an emulator by a plugin, from the beginning to the end of each step: of the
  generated assembly (kernels), of the Go code of the emitted package (drivers and portable kernels), and of Go's library
  (memmove and the like). They are the same on every run.
- *of ncnn's*: divided by what ncnn's arm64 build executes in its float32 kernels.
- *FMLA, %% of GEMM loops*: multiply-adds among the instructions of the innermost loops of matrix products.
- *Cycles* are modelled: each straight piece of code by %s, or for the in-order Cortex-A53 and A55 by a model of
  dual issue of our own (avo/cost) with the loops that are chosen there, times its executions. The models see ports, latencies and issue rules; not caches, memory,
  branches or frequency. They rank kernels; they are no promise of speed.

What there is room for: the loop for whole panels makes 320 multiply-adds, of 5 pixels and 16 channels, in 348 instructions (16 loads
of weights, 10 of pixels, 2 to count), and 256 of 282 for 4 pixels. So a network's instructions are at least its multiply-adds over 0.92. On a
Cortex-A53 loads of weights and pixels do not go beside multiply-adds: 42 for 160, which makes 79 %% at most, and 76 %% for 4 pixels.
Last panels of 12 channels or fewer have fewer sums at a time than the latency of the Neoverse V1 asks for, but for those of 8, two
tiles of which are made at once; and no loop for in-order cores. Nor have products of two or three tiles by Winograd's algorithm, which the
edges of images of 14 or 7 pixels have. To expand a panel's weights of one input channel for tiles of 4x4 takes 278 instructions: 216
multiply-adds, 36 stores, 19 loads and 7 to count.

Millions of cycles in the first table, thousands in the others.

`, tools.Models())
}

// figures are what a baseline keeps of a network: instructions and modelled cycles.
type figures struct {
	Instructions uint64            `json:"instructions"`
	Cycles       map[string]uint64 `json:"cycles"`
}

// baseline is the file that figures are compared with.
type baseline struct {
	LLVM     string             `json:"llvm"` // of llvm-mca: another version has other models
	Networks map[string]figures `json:"networks"`
}

func newBaseline(tools *cost.Tools, nets []*result) *baseline {
	b := &baseline{LLVM: tools.LLVM, Networks: map[string]figures{}}
	add := func(name string, s *cost.Sum, inOrder bool) {
		f := figures{s.All(), map[string]uint64{}}
		for _, c := range cost.CPUs() {
			if inOrder || !c.InOrder() {
				f.Cycles[string(c)] = uint64(s.Cycles[c] + 0.5)
			}
		}
		b.Networks[name] = f
	}
	for _, r := range nets {
		add(r.name, &r.total, true)
		if r.shared != nil {
			add(r.name+", default plan", &r.shared.total, false)
		}
	}
	return b
}

// tolerance is the growth that a check lets pass.
const tolerance = 0.02

// grown lists the figures that have grown too much. Cycles of llvm-mca are not
// compared with those of another version of it.
func (b *baseline) grown(now *baseline) []error {
	var errs []error
	var names []string
	for n := range now.Networks {
		names = append(names, n)
	}
	sort.Strings(names)
	for _, n := range names {
		old, ok := b.Networks[n]
		if !ok {
			continue
		}
		over := func(what string, before, after uint64) {
			if float64(after) > (1+tolerance)*float64(before) {
				errs = append(errs, fmt.Errorf("%s: %s grew from %d to %d, by %.1f %%", n, what, before, after, 100*(float64(after)/float64(before)-1)))
			}
		}
		over("executed instructions", old.Instructions, now.Networks[n].Instructions)
		for _, c := range cost.CPUs() {
			if before := old.Cycles[string(c)]; before > 0 && (c.InOrder() || b.LLVM == now.LLVM) {
				over("modelled cycles of "+string(c), before, now.Networks[n].Cycles[string(c)])
			}
		}
	}
	return errs
}

// finish writes or prints the report, and writes or checks the baseline.
func (o *options) finish(w io.Writer, tools *cost.Tools, nets []*result) error {
	if o.out != "" {
		if err := os.WriteFile(o.out, document(tools, nets), 0o644); err != nil {
			return err
		}
	}
	now := newBaseline(tools, nets)
	switch {
	case o.write:
		b, err := json.MarshalIndent(now, "", "  ")
		if err != nil {
			return err
		}
		return os.WriteFile(o.baseline, append(b, '\n'), 0o644)
	case o.check:
		b, err := os.ReadFile(o.baseline)
		if err != nil {
			return err
		}
		var old baseline
		if err := json.Unmarshal(b, &old); err != nil {
			return fmt.Errorf("%s: %w", o.baseline, err)
		}
		if old.LLVM != now.LLVM {
			fmt.Fprintf(w, "SKIP comparing cycles of llvm-mca: the baseline is of version %s, this is %s\n", old.LLVM, now.LLVM)
		}
		if errs := old.grown(now); len(errs) > 0 {
			return errors.Join(append(errs, fmt.Errorf("if that has its reason, write a new baseline: make arm64-cost"))...)
		}
		fmt.Fprintln(w, "ok: no network's instructions or modelled cycles grew by over 2 %")
	}
	return nil
}
