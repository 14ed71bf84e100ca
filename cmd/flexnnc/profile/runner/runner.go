// Package runner is the part of a profiling program that does not depend on the
// network: it times the steps of an emitted package, the memory and the storage,
// fits the planner's cost model to the times and prints a target as JSON. Its source
// goes into the module of the program, so it imports the standard library only.
package runner

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"time"
)

// Net leads into the emitted package.
type Net struct {
	MaxThreads int
	Steps      []Step
	Classes    []string // of kernels, those without a step too
	Kernels    func() string
	Open       func(threads int) (*Session, error)
}

// Step is the work of one step, in the units of the cost model.
type Step struct {
	Name, Class  string
	Units, Bytes int64
	Weights      int64 // in units of class vector
}

// Session is an opened network with its arrays.
type Session struct {
	Run     func() error
	Close   func() error
	Observe func(func(step int, complete bool))
}

// target is the JSON that is printed.
type target struct {
	Name             string             `json:"name"`
	Note             string             `json:"note"`
	Cores            int                `json:"cores"`
	Parallel         float64            `json:"parallel"`
	Apart            bool               `json:"caches_apart,omitempty"`
	Kernels          map[string]float64 `json:"kernels_per_second"`
	StepNS           int64              `json:"step_ns"`
	MemoryBandwidth  float64            `json:"memory_bytes_per_second"`
	StorageBandwidth float64            `json:"storage_bytes_per_second"`
	StorageLatencyNS int64              `json:"storage_latency_ns"`
	Fit              fitted             `json:"fit"`
}

type fitted struct {
	Steps     int        `json:"steps"`
	MeanError float64    `json:"mean_error"`
	Residuals []residual `json:"residuals"`
}

type residual struct {
	Step        string `json:"step"`
	Class       string `json:"class"`
	MeasuredNS  int64  `json:"measured_ns"`
	PredictedNS int64  `json:"predicted_ns"`
}

// Main is the program's main function.
func Main(n *Net) {
	if err := run(n, os.Args[1:], os.Stdout, os.Stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "profile:", err)
		os.Exit(1)
	}
}

func run(n *Net, args []string, stdout, stderr io.Writer) error {
	f := flag.NewFlagSet("profile", flag.ContinueOnError)
	f.SetOutput(stderr)
	name := f.String("name", "", "`name` of the target; by default the host's")
	dir := f.String("dir", ".", "`folder` on the storage that weights will be read from; a file of up to 128 MiB is written and removed")
	if err := f.Parse(args); err != nil {
		return err
	}
	if f.NArg() > 0 {
		return fmt.Errorf("there is no argument %q", f.Arg(0))
	}
	if *name == "" {
		*name, _ = os.Hostname()
		if *name == "" {
			*name = "device"
		}
	}
	cores := min(runtime.NumCPU(), n.MaxThreads)
	start := time.Now()
	fmt.Fprintln(stderr, "timing kernels on one core")
	one, err := timeSteps(n, 1)
	if err != nil {
		return err
	}
	t := &target{Name: *name, Cores: cores, Kernels: map[string]float64{}}
	t.fit(n, one)
	if cores > 1 {
		fmt.Fprintf(stderr, "timing kernels on %d cores\n", cores)
		all, err := timeSteps(n, cores)
		if err != nil {
			return err
		}
		t.Parallel = parallel(n, one, all, cores)
		t.Apart = cachesApart("/sys/devices/system/cpu")
	}
	fmt.Fprintln(stderr, "timing storage")
	how := ""
	if t.StorageBandwidth, t.StorageLatencyNS, how, err = storage(*dir); err != nil {
		return fmt.Errorf("measuring storage in %s: %w", *dir, err)
	}
	t.Note = fmt.Sprintf("measured by flexnnc profile on %s/%s with %s kernels; storage: %s", runtime.GOOS, runtime.GOARCH, n.Kernels(), how)
	fmt.Fprintf(stderr, "done in %v; the model explains the steps' times to within %.0f %% (mean of %d)\n",
		time.Since(start).Round(time.Second/10), 100*t.Fit.MeanError, t.Fit.Steps)
	e := json.NewEncoder(stdout)
	e.SetIndent("", " ")
	return e.Encode(t)
}

const (
	stepTime  = 8 * time.Second // of runs in which steps are timed
	leastRuns = 5
	mostRuns  = 200
)

// timeSteps is the time of each step in ns, of all runs the third best in ten.
func timeSteps(n *Net, threads int) ([]float64, error) {
	s, err := n.Open(threads)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	for range 2 {
		if err := s.Run(); err != nil {
			return nil, err
		}
	}
	times := make([][]float64, len(n.Steps))
	var from time.Time
	s.Observe(func(step int, complete bool) {
		if !complete {
			from = time.Now()
			return
		}
		times[step] = append(times[step], float64(time.Since(from)))
	})
	start := time.Now()
	for i := 0; i < mostRuns && (i < leastRuns || time.Since(start) < stepTime); i++ {
		if err := s.Run(); err != nil {
			return nil, err
		}
	}
	best := make([]float64, len(times))
	for i, t := range times {
		slices.Sort(t)
		best[i] = t[len(t)*3/10]
	}
	return best, nil
}

// largeStep is the time from which a step counts for the gain of more cores.
const largeStep = 100e3 // ns

// parallel is what a core beyond the first adds: the median over large steps of
// products, which make up nearly all of the time of networks.
func parallel(n *Net, one, all []float64, cores int) float64 {
	var gains []float64
	for i, s := range n.Steps {
		switch s.Class {
		case "conv", "stem", "pointwise", "winograd", "depthwise":
			if one[i] > largeStep {
				gains = append(gains, (one[i]/all[i]-1)/float64(cores-1))
			}
		}
	}
	if len(gains) == 0 {
		return 0
	}
	slices.Sort(gains)
	return float64(int(1000*min(1, max(0, gains[len(gains)/2])))) / 1000
}
