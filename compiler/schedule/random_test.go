package schedule

import (
	"github.com/flexnnc/flexnnc/compiler/schedule/sample"
	"github.com/flexnnc/flexnnc/ir/plan"
	"pgregory.net/rapid"
)

func randomTimeline(t *rapid.T) *timeline {
	g := sample.Random(func(k int) int { return rapid.IntRange(0, k-1).Draw(t, "pick") })
	o := Options{Threads: 1, Speed: Speed{}.withDefaults(1)}
	n, err := newNetwork(g, o)
	if err != nil {
		t.Fatal(err)
	}
	var cuts []cutting
	newCutter(n, o).offerCuttings(func(cut cutting) plan.Bytes {
		cuts = append(cuts, cut)
		return 0
	})
	return newTimeline(n, cuts[rapid.IntRange(0, len(cuts)-1).Draw(t, "cutting")], o)
}
