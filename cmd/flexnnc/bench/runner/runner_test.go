package runner

import (
	"bytes"
	"encoding/json"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"
)

// fake is a network of two steps that counts its runs and does no work.
func fake(runs *int) *Net {
	var observe func(int, bool)
	return &Net{
		Name: "fake", Budget: "max", Target: "toy", PredictedThreads: 1, PredictedMS: 4, MaxThreads: 4, ArenaBytes: 4096, WeightsBytes: 64, StreamedBytes: 32,
		Steps: []Step{
			{Layer: "a", Kind: "conv 1x1", MACs: 3e6, Bytes: 100, PredictedMS: 2},
			{Layer: "a", Kind: "conv 1x1", MACs: 1e6, Bytes: 50, Streamed: 32},
		},
		Kernels: func() string { return "none" },
		Peak:    func(n int) float64 { time.Sleep(time.Duration(n)); return float64(n) },
		Open: func(int, string) (*Session, error) {
			return &Session{
				Run: func() error {
					*runs++
					for i := range 2 {
						if observe != nil {
							observe(i, false)
						}
						time.Sleep(time.Millisecond)
						if observe != nil {
							observe(i, true)
						}
					}
					return nil
				},
				Close:   func() error { return nil },
				Observe: func(f func(int, bool)) { observe = f },
				Waited:  func() time.Duration { return 0 },
			}, nil
		},
	}
}

func TestReportHasWhatWasAskedFor(t *testing.T) {
	runs := 0
	var out bytes.Buffer
	if err := run(fake(&runs), []string{"-threads", "1", "-runs", "5", "-json", "-against", "echo other 0.001"}, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	var raw map[string]any
	if err := json.Unmarshal(out.Bytes(), &raw); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"median_ms", "gflops", "peak_gflops", "share_of_peak", "rss_bytes", "arena_bytes", "layers", "against"} {
		if _, ok := raw[key]; !ok {
			t.Errorf("no %s in %s", key, out.String())
		}
	}
	var r report
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatal(err)
	}
	if r.Runs != 5 || runs < 5+againstRuns {
		t.Errorf("%d timed runs of %d", r.Runs, runs)
	}
	if r.MedianMS < 2 || r.GFLOPS > 4 || r.GFLOPS <= 0 {
		t.Errorf("%g ms and %g GFLOP/s for 8 million operations in 2 ms or more", r.MedianMS, r.GFLOPS)
	}
	if len(r.Layers) != 1 || r.Layers[0].Steps != 2 || r.Layers[0].MACs != 4e6 || r.Layers[0].Bytes != 150 || r.Layers[0].StreamedBytes != 32 || r.Layers[0].MS < 2 {
		t.Errorf("layers %+v", r.Layers)
	}
	if p := r.Prediction; p == nil || p.Target != "toy" || p.MS != 4 || p.Error != 4/r.MedianMS-1 || p.LayerError <= 0 || r.Layers[0].PredictedMS != 2 {
		t.Errorf("prediction %+v of %+v", p, r.Layers)
	}
	if a := r.Against; a == nil || len(a.Pairs) != againstRuns || a.Ratio < 2000 {
		t.Errorf("against %+v", r.Against)
	}
	for _, p := range r.Against.Pairs {
		if p.OtherMS != 0.001 || p.Ratio != p.OwnMS/p.OtherMS {
			t.Errorf("pair %+v", p)
		}
	}
}

func TestTextNamesLayersAndPairs(t *testing.T) {
	runs := 0
	var out bytes.Buffer
	if err := run(fake(&runs), []string{"-threads", "1", "-runs", "1", "-against", "echo 4"}, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"fake, budget max, 1 thread, none kernels", "arena 4096 bytes", "each run reads 32", "a (conv 1x1)", "median of 8 pairs"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}

func TestFaults(t *testing.T) {
	for _, c := range []struct{ want, args string }{
		{"no argument", "-threads 1 more"},
		{"at least 1 thread", "-threads 0"},
		{"exit status 3", "-threads 1 -runs 1 -against exit|3"},
		{"printed no line", "-threads 1 -runs 1 -against echo|fast"},
	} {
		args := strings.Fields(c.args)
		for i := range args {
			args[i] = strings.ReplaceAll(args[i], "|", " ")
		}
		runs := 0
		err := run(fake(&runs), args, io.Discard, io.Discard)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q gave %v, want %q in it", c.args, err, c.want)
		}
	}
}

func TestMilliseconds(t *testing.T) {
	text := "loop_count = 8\n\nsqueezenet  min =  6.9  max =  7.2  avg =  7.05\n1.5\nnan\n-3\nno number\n"
	if got, want := milliseconds(text), []float64{8, 7.05, 1.5}; !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestQuantile(t *testing.T) {
	d := []time.Duration{10, 20, 30, 40}
	for _, c := range []struct {
		q    float64
		want time.Duration
	}{{0, 10}, {0.5, 25}, {1, 40}} {
		if got := quantile(d, c.q); got != c.want {
			t.Errorf("quantile %g is %d, want %d", c.q, got, c.want)
		}
	}
}
