package main

import (
	"fmt"
	"strings"

	"github.com/flexnnc/flexnnc/cmd/flexnnc/kernels/runner"
)

// tables are the section on speed.
func tables(r *runner.Report, picture string) string {
	var b strings.Builder
	for i, isa := range r.ISAs {
		sep := map[bool]string{true: "", false: "; "}[i == 0]
		fmt.Fprintf(&b, "%s%s: FMAs on registers %.0f GFLOP/s, products of bytes %.0f Gop/s", sep, isaName(isa.Name), isa.PeakGFLOPS, isa.PeakInt8GOPS)
	}
	fmt.Fprintf(&b, ", a thread; %s, threads: %d.\n\n![share of the limit, by kernel](%s)\n", r.Platform, r.Threads, picture)
	for _, g := range groups(r) {
		fmt.Fprintf(&b, "\n### %s\n\n", strings.ToUpper(g[:1])+g[1:])
		if isTile(g) {
			tileTable(&b, r, g)
		} else {
			shapeTable(&b, r, g)
		}
	}
	return b.String()
}

// groups are those of all kernels, in order.
func groups(r *runner.Report) (list []string) {
	seen := map[string]bool{}
	for _, isa := range r.ISAs {
		for _, k := range isa.Kernels {
			if !seen[k.Group] {
				seen[k.Group] = true
				list = append(list, k.Group)
			}
		}
	}
	return list
}

// isTile tells whether a group is of kernels whose operands lie in L1 or L2: one rate says all.
func isTile(group string) bool {
	return strings.HasPrefix(group, "tile") || group == "Winograd, products"
}

// names are those of a group's kernels of any instruction set, in order.
func names(r *runner.Report, group string) (list []string) {
	seen := map[string]bool{}
	for _, isa := range r.ISAs {
		for _, k := range isa.Kernels {
			if k.Group == group && !seen[k.Name] {
				seen[k.Name] = true
				list = append(list, k.Name)
			}
		}
	}
	return list
}

func find(isa *runner.ISA, group, name string) *runner.Kernel {
	for i := range isa.Kernels {
		if k := &isa.Kernels[i]; k.Group == group && k.Name == name {
			return k
		}
	}
	return nil
}

func tileTable(b *strings.Builder, r *runner.Report, group string) {
	fmt.Fprintf(b, "| tile |")
	for _, isa := range r.ISAs {
		fmt.Fprintf(b, " %s, GFLOP/s | %% of peak |", isaName(isa.Name))
	}
	fmt.Fprintf(b, "\n|---|%s\n", strings.Repeat("---|---|", len(r.ISAs)))
	for _, name := range names(r, group) {
		fmt.Fprintf(b, "| %s |", name)
		for i := range r.ISAs {
			if k := find(&r.ISAs[i], group, name); k != nil {
				fmt.Fprintf(b, " %.0f | %.0f |", k.GFLOPS, 100*k.ShareOfPeak)
			} else {
				b.WriteString(" - | - |")
			}
		}
		b.WriteString("\n")
	}
}

func shapeTable(b *strings.Builder, r *runner.Report, group string) {
	b.WriteString("| shape | ISA | us | p10 to p90 | GFLOP/s | % of peak | GB/s | % of a copy | % of the limit |\n|---|---|---|---|---|---|---|---|---|\n")
	for _, name := range names(r, group) {
		shown := name
		for i := range r.ISAs {
			k := find(&r.ISAs[i], group, name)
			if k == nil {
				continue
			}
			fmt.Fprintf(b, "| %s | %s | %s | %s to %s | %s | %s | %s | %s | %.0f, %s |\n", shown, isaName(r.ISAs[i].Name),
				three(k.US), three(k.P10US), three(k.P90US), whole(k.GFLOPS), whole(100*k.ShareOfPeak), whole(k.GBs), whole(100*k.ShareOfCopy), 100*k.ShareOfLimit, k.Limit)
			shown = ""
		}
	}
}

func isaName(s string) string {
	if name, ok := map[string]string{"avx512": "AVX-512", "avx2": "AVX2", "neon": "NEON"}[s]; ok {
		return name
	}
	return s
}

// three is a number of three digits.
func three(v float64) string {
	switch {
	case v < 10:
		return fmt.Sprintf("%.2f", v)
	case v < 100:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.0f", v)
}

func whole(v float64) string {
	if v == 0 {
		return "-"
	}
	return fmt.Sprintf("%.0f", v)
}
