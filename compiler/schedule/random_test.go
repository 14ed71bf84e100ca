package schedule

import (
	"github.com/flexnnc/flexnnc/compiler/schedule/sample"
	"pgregory.net/rapid"
)

func randomTimeline(t *rapid.T) *timeline {
	g := sample.Random(func(k int) int { return rapid.IntRange(0, k-1).Draw(t, "pick") })
	o := Options{Threads: 1, Speed: Speed{}.withDefaults(1)}
	n, err := newNetwork(g, o)
	if err != nil {
		t.Fatal(err)
	}
	cuts := newCutter(n, o).cuttings()
	return newTimeline(n, cuts[rapid.IntRange(0, len(cuts)-1).Draw(t, "cutting")], o)
}
