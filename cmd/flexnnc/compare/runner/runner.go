// Package runner is the part of a comparing program that does not depend on the
// network: it lets emitted packages take turns and prints a table. Its source goes
// into the module of the program, so it imports the standard library only.
package runner

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"time"
)

// Variant is one emitted package.
type Variant struct {
	Name          string
	ArenaBytes    int64
	StreamedBytes int64 // read in each run
	Steps         int
	PredictedMS   float64
	Open          func(threads int, weights io.ReaderAt) (*Session, error)
}

// Session is an opened package with its arrays.
type Session struct {
	Run    func() error
	Close  func() error
	Waited func() time.Duration // for loads, in all runs
}

type options struct {
	threads, rounds int
	pace            float64
	weights         string
	json            bool
}

// result is a line of the table.
type result struct {
	Name          string  `json:"name"`
	ArenaBytes    int64   `json:"arena_bytes"`
	StreamedBytes int64   `json:"streamed_bytes"`
	Steps         int     `json:"steps"`
	PredictedMS   float64 `json:"predicted_ms"`
	MedianMS      float64 `json:"median_ms"`
	StallMS       float64 `json:"stall_ms"` // waited for loads, per run
	// Ratio is the median over rounds of the time by the first variant's in the same
	// round.
	Ratio float64 `json:"ratio"`
	// IdealMS is what computing or reading alone takes, whichever is more; 0 where
	// storage has no given pace.
	IdealMS float64 `json:"ideal_ms,omitempty"`
	times   []float64
}

// Main is the program's main function.
func Main(network string, variants []Variant) {
	if err := run(network, variants, os.Args[1:], os.Stdout, os.Stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "compare:", err)
		os.Exit(1)
	}
}

func run(network string, variants []Variant, args []string, stdout, stderr io.Writer) error {
	var o options
	f := flag.NewFlagSet("compare", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.IntVar(&o.threads, "threads", 1, "compute `threads`")
	f.IntVar(&o.rounds, "rounds", 8, "`rounds` of taking turns")
	f.Float64Var(&o.pace, "pace", 0, "`bytes` per second that storage gives; 0 = as fast as it is")
	f.StringVar(&o.weights, "weights", "", "weights `file`; by default beside the program")
	f.BoolVar(&o.json, "json", false, "print JSON")
	if err := f.Parse(args); err != nil {
		return err
	}
	if f.NArg() > 0 || o.threads < 1 || o.rounds < 1 || o.pace < 0 {
		return fmt.Errorf("usage: -threads N -rounds N -pace BYTES -weights FILE -json")
	}
	if o.weights == "" {
		exe, err := os.Executable()
		if err != nil {
			return err
		}
		o.weights = exe + ".weights.bin"
	}
	file, err := os.Open(o.weights)
	if err != nil {
		return err
	}
	defer file.Close()
	results, err := measure(variants, &o, file)
	if err != nil {
		return err
	}
	if o.json {
		e := json.NewEncoder(stdout)
		e.SetIndent("", " ")
		return e.Encode(results)
	}
	print(stdout, network, &o, results)
	return nil
}

// turn is the least time of a variant's runs in a round.
const turn = 150 * time.Millisecond

// measure lets the variants take turns. Only one is open at a time where they would
// not be paced: what lies in memory of others would be in the way.
func measure(variants []Variant, o *options, file io.ReaderAt) ([]result, error) {
	results := make([]result, len(variants))
	sessions := make([]*Session, len(variants))
	source := &paced{src: file, pace: o.pace}
	for i, v := range variants {
		results[i] = result{Name: v.Name, ArenaBytes: v.ArenaBytes, StreamedBytes: v.StreamedBytes, Steps: v.Steps, PredictedMS: v.PredictedMS}
		source.free = true // the resident weights
		s, err := v.Open(o.threads, source)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", v.Name, err)
		}
		defer s.Close()
		if err := s.Run(); err != nil {
			return nil, fmt.Errorf("%s: %w", v.Name, err)
		}
		source.free = false
		sessions[i] = s
	}
	waited := make([]time.Duration, len(variants))
	runs := make([]int, len(variants))
	for range o.rounds {
		for i, s := range sessions {
			if err := s.Run(); err != nil { // the others have had the caches
				return nil, err
			}
			before, start := s.Waited(), time.Now()
			n := 0
			for ; n == 0 || time.Since(start) < turn; n++ {
				if err := s.Run(); err != nil {
					return nil, err
				}
			}
			results[i].times = append(results[i].times, float64(time.Since(start))/1e6/float64(n))
			waited[i] += s.Waited() - before
			runs[i] += n
		}
	}
	for i := range results {
		r := &results[i]
		r.MedianMS = median(r.times)
		r.StallMS = float64(waited[i]) / 1e6 / float64(runs[i])
		ratios := make([]float64, len(r.times))
		for k := range ratios {
			ratios[k] = r.times[k] / results[0].times[k]
		}
		r.Ratio = median(ratios)
		if o.pace > 0 {
			r.IdealMS = max(r.MedianMS-r.StallMS, 1000*float64(r.StreamedBytes)/o.pace)
		}
	}
	return results, nil
}

func median(v []float64) float64 {
	v = slices.Clone(v)
	slices.Sort(v)
	n := len(v)
	return (v[(n-1)/2] + v[n/2]) / 2
}

func print(w io.Writer, network string, o *options, results []result) {
	storage := "as fast as it is, most likely from the page cache"
	if o.pace > 0 {
		storage = fmt.Sprintf("paced to %.0f MB/s", o.pace/1e6)
	}
	fmt.Fprintf(w, "%s, %d compute thread(s), %d rounds, storage %s\n", network, o.threads, o.rounds, storage)
	fmt.Fprintf(w, "%-22s %12s %7s %12s %10s %10s %10s %7s", "plan", "arena", "steps", "read/run", "predicted", "median ms", "waits ms", "ratio")
	if o.pace > 0 {
		fmt.Fprintf(w, " %10s %7s", "ideal ms", "over")
	}
	fmt.Fprintln(w)
	for _, r := range results {
		fmt.Fprintf(w, "%-22s %12d %7d %12d %10.2f %10.2f %10.2f %7.3f", r.Name, r.ArenaBytes, r.Steps, r.StreamedBytes, r.PredictedMS, r.MedianMS, r.StallMS, r.Ratio)
		if o.pace > 0 {
			fmt.Fprintf(w, " %10.2f %6.1f%%", r.IdealMS, 100*(r.MedianMS/r.IdealMS-1))
		}
		fmt.Fprintln(w)
	}
}

// paced is a file that gives so many bytes per second to one read after another.
// The time between two reads is lost. That this program wakes up late is not: the
// device would have gone on.
type paced struct {
	src   io.ReaderAt
	pace  float64 // 0 = any
	free  bool
	mu    sync.Mutex
	ready time.Time // when the device has given all that it was asked for
	last  time.Time // when the last read returned
}

// ReadAt implements io.ReaderAt.
func (p *paced) ReadAt(b []byte, at int64) (int, error) {
	if p.pace <= 0 || p.free {
		return p.src.ReadAt(b, at)
	}
	asked := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ready = p.ready.Add(max(0, asked.Sub(p.last)))
	if p.last.IsZero() {
		p.ready = asked
	}
	p.ready = p.ready.Add(time.Duration(1e9 * float64(len(b)) / p.pace))
	n, err := p.src.ReadAt(b, at)
	time.Sleep(time.Until(p.ready))
	p.last = time.Now()
	return n, err
}
