package runner

import (
	"runtime"
	"sort"
	"time"
)

const (
	warmTime    = 300 * time.Millisecond
	warmRuns    = 3
	timedTime   = 3 * time.Second // where the number of runs is not given
	leastRuns   = 10
	mostRuns    = 2000
	blockTime   = 40 * time.Millisecond // of runs between two looks at the peak
	stepRuns    = 30                    // most runs in which steps are timed
	stepTime    = 2 * time.Second
	restTime    = 10 * time.Millisecond // runs longer than this need no fresh start after a pause
	againstRuns = 8                     // rounds of taking turns
)

// measure makes all measurements of a network.
func measure(n *Net, o *options) (*report, error) {
	s, err := n.Open(o.threads, o.weights)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	r := &report{
		Network: n.Name, Budget: n.Budget, Threads: o.threads, Kernels: n.Kernels(), Platform: runtime.GOOS + "/" + runtime.GOARCH,
		ArenaBytes: n.ArenaBytes, WeightsBytes: n.WeightsBytes, StreamedBytes: n.StreamedBytes,
	}
	for _, t := range n.Steps {
		r.MACs += t.MACs
	}
	typical, err := warm(s)
	if err != nil {
		return nil, err
	}
	if o.against != "" {
		if err := r.takeTurns(s, o, typical); err != nil {
			return nil, err
		}
	}
	if err := r.timeRuns(n, s, o, typical); err != nil {
		return nil, err
	}
	r.RSSBytes = peakRSS() // before anything is allocated for the rest
	if err := r.timeSteps(n, s, typical); err != nil {
		return nil, err
	}
	r.CopyGBs = copySpeed()
	return r, nil
}

// warm runs until times can be trusted, and returns what a run takes.
func warm(s *Session) (typical time.Duration, err error) {
	start := time.Now()
	for i := 0; i < warmRuns || time.Since(start) < warmTime; i++ {
		from := time.Now()
		if err := s.Run(); err != nil {
			return 0, err
		}
		typical = time.Since(from)
	}
	return typical, nil
}

// timeRuns is the measurement that counts: blocks of runs, and the peak in between.
func (r *report) timeRuns(n *Net, s *Session, o *options, typical time.Duration) error {
	want := o.runs
	if want == 0 {
		want = min(max(leastRuns, int(timedTime/max(typical, 1))), mostRuns)
	}
	block := max(1, int(blockTime/max(typical, 1)))
	times := make([]time.Duration, 0, want)
	cpu := make([]time.Duration, 0, want)
	peak := newPeak(n, o.threads)
	peak.sample()
	waited := s.Waited()
	for len(times) < want {
		if typical < restTime && len(times) > 0 {
			// Threads went to sleep while the peak was measured.
			before := s.Waited()
			if err := s.Run(); err != nil {
				return err
			}
			waited += s.Waited() - before
		}
		for range min(block, want-len(times)) {
			before, from := cpuTime(), time.Now()
			if err := s.Run(); err != nil {
				return err
			}
			times = append(times, time.Since(from))
			cpu = append(cpu, cpuTime()-before)
		}
		peak.sample()
	}
	r.Runs = want
	r.StallMS = ms(s.Waited()-waited) / float64(want)
	sortDurations(times)
	sortDurations(cpu)
	r.MedianMS, r.MinMS = ms(quantile(times, 0.5)), ms(times[0])
	r.P10MS, r.P90MS = ms(quantile(times, 0.1)), ms(quantile(times, 0.9))
	r.CPUMS = ms(quantile(cpu, 0.5))
	r.PeakGFLOPS = peak.gflops()
	r.GFLOPS = rate(2*r.MACs, r.MedianMS)
	r.ShareOfPeak = share(r.GFLOPS, r.PeakGFLOPS)
	return nil
}

// timeSteps times each step, and what it waits for its weights, in runs that count for nothing else: clocks
// between steps take time themselves.
func (r *report) timeSteps(n *Net, s *Session, typical time.Duration) error {
	runs := min(max(3, int(stepTime/max(typical, 1))), stepRuns)
	times, stalls := make([][]time.Duration, len(n.Steps)), make([][]time.Duration, len(n.Steps))
	var from time.Time
	waited := s.Waited()
	s.Observe(func(step int, complete bool) {
		if !complete {
			before := waited
			waited = s.Waited()
			stalls[step] = append(stalls[step], waited-before)
			from = time.Now()
			return
		}
		times[step] = append(times[step], time.Since(from))
	})
	defer s.Observe(nil)
	for range runs {
		if err := s.Run(); err != nil {
			return err
		}
	}
	at := map[string]int{}
	total := 0.0
	for i, t := range n.Steps {
		sortDurations(times[i])
		sortDurations(stalls[i])
		k, ok := at[t.Layer]
		if !ok {
			k = len(r.Layers)
			at[t.Layer] = k
			r.Layers = append(r.Layers, layer{Name: t.Layer, Kind: t.Kind})
		}
		l := &r.Layers[k]
		l.Steps++
		l.MS += ms(quantile(times[i], 0.5))
		l.MACs += t.MACs
		l.Bytes += t.Bytes
		l.StreamedBytes += t.Streamed
		l.StallMS += ms(quantile(stalls[i], 0.5))
		if n.PredictedThreads == r.Threads {
			l.PredictedMS += t.PredictedMS
		}
	}
	for i := range r.Layers {
		total += r.Layers[i].MS
	}
	for i := range r.Layers {
		l := &r.Layers[i]
		l.Share = share(l.MS, total)
		l.GFLOPS = rate(2*l.MACs, l.MS)
		l.ShareOfPeak = share(l.GFLOPS, r.PeakGFLOPS)
		l.GBs = rate(l.Bytes, l.MS)
	}
	r.predict(n)
	return nil
}

// predict compares the prediction with what was measured.
func (r *report) predict(n *Net) {
	if n.PredictedThreads != r.Threads || r.MedianMS <= 0 {
		return
	}
	p := &prediction{Target: n.Target, MS: n.PredictedMS, Error: n.PredictedMS/r.MedianMS - 1}
	off, sum := 0.0, 0.0
	for _, l := range r.Layers {
		off += max(l.PredictedMS-l.MS, l.MS-l.PredictedMS)
		sum += l.MS
	}
	p.LayerError = share(off, sum)
	r.Prediction = p
}

// peak samples the rate of FMAs on registers, on as many threads as compute.
type peak struct {
	loop    func(int) float64
	threads int
	n       int         // iterations of a sample
	rates   [][]float64 // GFLOP/s, per thread
}

const peakTime = time.Millisecond / 2

func newPeak(n *Net, threads int) *peak {
	p := &peak{loop: n.Peak, threads: threads, n: 1, rates: make([][]float64, threads)}
	for p.n < 1<<30 {
		from := time.Now()
		if p.loop(p.n) == 0 {
			p.n = 0
			break
		}
		if time.Since(from) > peakTime {
			break
		}
		p.n *= 2
	}
	return p
}

// sample takes four samples, on all threads at once.
func (p *peak) sample() {
	if p.n == 0 {
		return
	}
	done := make(chan struct{})
	for i := range p.threads {
		go func() {
			for range 4 {
				from := time.Now()
				flops := p.loop(p.n)
				p.rates[i] = append(p.rates[i], flops/float64(max(time.Since(from), 1)))
			}
			done <- struct{}{}
		}()
	}
	for range p.threads {
		<-done
	}
}

// gflops is the sum of the threads' medians.
func (p *peak) gflops() float64 {
	sum := 0.0
	for _, r := range p.rates {
		if len(r) > 0 {
			sort.Float64s(r)
			sum += r[len(r)/2]
		}
	}
	return sum
}

// copySpeed is what copying 32 MiB to 32 MiB reaches, in GB/s read plus GB/s
// written, on one thread.
func copySpeed() float64 {
	const size = 32 << 20
	a, b := make([]byte, size), make([]byte, size)
	for i := range a {
		a[i] = byte(i)
	}
	best := 0.0
	for range 8 {
		from := time.Now()
		copy(b, a)
		best = max(best, 2*size/float64(max(time.Since(from), 1)))
	}
	return best
}

func ms(d time.Duration) float64 { return float64(d) / 1e6 }

// rate is in 10^9 per second.
func rate(n, ms float64) float64 {
	if ms <= 0 {
		return 0
	}
	return n / ms / 1e6
}

func share(part, whole float64) float64 {
	if whole <= 0 {
		return 0
	}
	return part / whole
}

func sortDurations(d []time.Duration) { sort.Slice(d, func(i, j int) bool { return d[i] < d[j] }) }

// quantile of sorted times.
func quantile(d []time.Duration, q float64) time.Duration {
	if len(d) == 0 {
		return 0
	}
	x := q * float64(len(d)-1)
	i := int(x)
	if i+1 >= len(d) {
		return d[len(d)-1]
	}
	return d[i] + time.Duration((x-float64(i))*float64(d[i+1]-d[i]))
}
