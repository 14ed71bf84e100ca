package harness

import (
	"testing"

	"github.com/flexnnc/flexnnc/cmd/flexnnc/harness/runner"
)

// TestMeasuredAgain: of two measurements the less counts, of faults all.
func TestMeasuredAgain(t *testing.T) {
	k := &task{k: &pack{arena: 1000}, runs: map[int]runner.Event{
		1: {Threads: 1, Idle: 500, Peak: 1500 + Slack},
		2: {Threads: 2, Idle: 500, Peak: 1501 + Slack, Unstable: true, Allocs: 3},
		3: {Threads: 3, Idle: 0, Peak: 10},
	}}
	if !k.over() {
		t.Fatal("a byte too much is not seen")
	}
	was := k.runs
	k.runs = map[int]runner.Event{
		1: {Threads: 1, Idle: 600, Peak: 1700 + Slack},
		2: {Threads: 2, Idle: 600, Peak: 1500},
	}
	if !k.over() {
		t.Fatal("too much in both is not seen")
	}
	k.keepLess(was)
	if k.over() {
		t.Errorf("too much in one of two counts: %+v", k.runs)
	}
	for threads, want := range map[int]int64{1: 1000 + Slack, 2: 900, 3: 10} {
		if e := k.runs[threads]; e.Peak-e.Idle != want {
			t.Errorf("%d threads take %d, want %d", threads, e.Peak-e.Idle, want)
		}
	}
	if e := k.runs[2]; !e.Unstable || e.Allocs != 3 {
		t.Errorf("faults of the first measurement are gone: %+v", e)
	}
}
