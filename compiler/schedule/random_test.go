package schedule

import (
	"github.com/flexnnc/flexnnc/compiler/schedule/sample"
	"pgregory.net/rapid"
)

func randomTimeline(t *rapid.T) *timeline {
	g := sample.Random(func(k int) int { return rapid.IntRange(0, k-1).Draw(t, "pick") })
	tl, err := newTimeline(g, Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	return tl
}
