package runner

import (
	"bytes"
	"encoding/json"
	"io"
	"math"
	"strings"
	"testing"
	"time"
)

// steps of two classes, made to take a known time.
func model() (*Net, []float64) {
	n := &Net{Classes: []string{"conv", "copy", "winograd", "call"}, MaxThreads: 2, Kernels: func() string { return "none" }}
	var times []float64
	for i := range 6 {
		s := Step{Name: "a", Class: "conv", Units: int64(1000000 * (i + 1)), Bytes: int64(5000 * (7 - i) * (i + 1))}
		if i%2 == 1 {
			s.Class, s.Units = "copy", int64(10000*i)
		}
		rate := map[string]float64{"conv": 0.25, "copy": 1.5}[s.Class]
		n.Steps = append(n.Steps, s)
		times = append(times, 2000+0.1*float64(s.Bytes)+rate*float64(s.Units))
	}
	return n, times
}

func TestFitFindsTheModel(t *testing.T) {
	n, times := model()
	target := &target{Kernels: map[string]float64{}}
	target.fit(n, times)
	near := func(what string, got, want float64) {
		if math.Abs(got/want-1) > 0.01 {
			t.Errorf("%s is %g, want %g", what, got, want)
		}
	}
	near("the time per step", float64(target.StepNS), 2000)
	near("memory", target.MemoryBandwidth, 1e10)
	near("conv", target.Kernels["conv"], 4e9)
	near("copy", target.Kernels["copy"], 1e9/1.5)
	near("winograd, of which there is no step", target.Kernels["winograd"], 4e9)
	near("call, of which there is none", target.Kernels["call"], 1e9/1.5)
	if target.Fit.MeanError > 0.002 || target.Fit.Steps != 6 || len(target.Fit.Residuals) != 6 {
		t.Errorf("%+v", target.Fit)
	}
}

func TestFitIsNeverNegative(t *testing.T) {
	n, times := model()
	for i := range times {
		times[i] = float64(n.Steps[i].Units) / 4 // nothing for bytes, nor for steps
	}
	target := &target{Kernels: map[string]float64{}}
	target.fit(n, times)
	if target.StepNS < 0 || target.MemoryBandwidth <= 0 || target.MemoryBandwidth > 1e12 {
		t.Errorf("%+v", target)
	}
}

func TestRunPrintsATarget(t *testing.T) {
	if testing.Short() {
		t.Skip("writes a file of 128 MiB")
	}
	n, _ := model()
	n.Open = func(int) (*Session, error) {
		var observe func(int, bool)
		return &Session{
			Run: func() error {
				for i := range n.Steps {
					if observe != nil {
						observe(i, false)
						time.Sleep(time.Millisecond)
						observe(i, true)
					}
				}
				return nil
			},
			Close:   func() error { return nil },
			Observe: func(f func(int, bool)) { observe = f },
		}, nil
	}
	var out bytes.Buffer
	if err := run(n, []string{"-dir", t.TempDir(), "-name", "me"}, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	var got target
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got.Name != "me" || got.Cores < 1 || got.StorageBandwidth <= 0 || got.StorageLatencyNS <= 0 || len(got.Kernels) != 4 {
		t.Errorf("%s", out.String())
	}
	if err := run(n, []string{"-dir", "/no/such/folder"}, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), "/no/such/folder") {
		t.Errorf("no folder: %v", err)
	}
}
