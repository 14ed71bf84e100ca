package main

import (
	"fmt"
	"strings"
)

// groups are what executes instructions, by the beginnings of functions' names.
var groups = []struct {
	name     string
	prefixes []string
}{
	{"products", []string{"convF", "winogradProduct"}},
	{"Winograd's weights", []string{"winogradExpand"}},
	{"Winograd's transforms", []string{"winogradInput", "winogradOutput"}},
	{"depthwise", []string{"depthwise"}},
	{"other kernels", []string{"map", "pool", "rows", "interleave", "transpose", "lane"}},
}

// bounds is the table of what a network's instructions are, by its default plan.
func bounds(nets []*result) string {
	var b strings.Builder
	b.WriteString("\nWhat the instructions of the default plan are, in % of them: multiply-adds in the inner loops of products, and what else there is.\n\n")
	b.WriteString("| network | multiply-adds of products | rest of products |")
	for _, g := range groups[1:] {
		fmt.Fprintf(&b, " %s |", g.name)
	}
	b.WriteString(" Go |\n|---|---:|---:|" + strings.Repeat("---:|", len(groups)) + "\n")
	for _, r := range nets {
		r = r.byDefault()
		sums, rest := make([]uint64, len(groups)), uint64(0)
		for _, l := range r.layers {
			for f, n := range l.functions {
				if i := groupOf(f); i >= 0 {
					sums[i] += n
				} else {
					rest += n
				}
			}
		}
		all, adds := r.total.All(), min(r.total.GEMMFMLAs, sums[0])
		fmt.Fprintf(&b, "| %s | %s | %s |", r.name, percent(adds, all), percent(sums[0]-adds, all))
		for _, n := range append(sums[1:], rest) {
			fmt.Fprintf(&b, " %s |", percent(n, all))
		}
		b.WriteString("\n")
	}
	return b.String()
}

func groupOf(function string) int {
	for i, g := range groups {
		for _, p := range g.prefixes {
			if strings.HasPrefix(function, p) && strings.Contains(function, "NEON") {
				return i
			}
		}
	}
	return -1
}
