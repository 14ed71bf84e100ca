package schedule

import (
	"github.com/flexnnc/flexnnc/compiler/schedule/sample"
	"pgregory.net/rapid"
)

func randomTimeline(t *rapid.T) *timeline {
	g := sample.Random(func(k int) int { return rapid.IntRange(0, k-1).Draw(t, "pick") })
	n, err := newNetwork(g, 1)
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Speed: Speed{}.withDefaults()}
	cuts := newCutter(n, o).cuttings()
	return newTimeline(n, cuts[rapid.IntRange(0, len(cuts)-1).Draw(t, "cutting")], o)
}
