package compiler

import "github.com/flexnnc/flexnnc/compiler/schedule"

// techniques are the switches of the planner, for ablation: each leaves one out.
var techniques = []struct {
	name string
	off  func(*schedule.Options)
}{
	{"preload", func(o *schedule.Options) { o.NoPreload = true }},
	{"next-run preload", func(o *schedule.Options) { o.NoAhead = true }},
	{"residents", func(o *schedule.Options) { o.NoResidents = true }},
	{"bands", func(o *schedule.Options) { o.NoBands = true }},
	{"flow", func(o *schedule.Options) { o.NoFlow = true }},
	{"in-place", func(o *schedule.Options) { o.NoInPlace = true }},
	{"slices", func(o *schedule.Options) { o.NoSlices = true }},
	{"exact packing", func(o *schedule.Options) { o.NoExact = true }},
	{"search", func(o *schedule.Options) { o.NoSearch = true }},
}

// Techniques names what Options.Without can leave out.
func Techniques() []string {
	var names []string
	for _, t := range techniques {
		names = append(names, t.name)
	}
	return names
}

// without switches a technique off.
func without(name string, o *schedule.Options) {
	for _, t := range techniques {
		if t.name == name {
			t.off(o)
			return
		}
	}
	panic("BUG: no technique " + name)
}
