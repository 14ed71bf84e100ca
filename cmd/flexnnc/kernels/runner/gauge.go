package runner

import (
	"sort"
	"sync"
	"time"
)

const (
	sampleTime = 30 * time.Microsecond // least time of what is timed at once
	leastRound = 7                     // rounds of a kernel
	mostRound  = 60
	perRound   = 3 // samples of the kernel in a round

	leastMemory = 64 << 20 // bytes to copy from, and to
)

// gauge measures kernels.
type gauge struct {
	k                *Kernels
	threads          int
	limit            time.Duration // for a kernel
	peak, peakInt8   *loop
	peaks, peaksInt8 []float64 // of all rounds, for a thread
	from, to         []byte    // of copies
}

// loop is one on registers, and how many iterations make a sample.
type loop struct {
	run func(int) float64
	n   int // 0: there is none
}

func newLoop(run func(int) float64) *loop {
	l := &loop{run: run, n: 1}
	for l.n < 1<<28 {
		from := time.Now()
		if run(l.n) == 0 {
			l.n = 0
			break
		}
		if time.Since(from) > sampleTime {
			break
		}
		l.n *= 2
	}
	return l
}

// rate is operations per nanosecond of a sample on so many threads, 0 where there is no
// such loop.
func (l *loop) rate(threads int) float64 {
	if l.n == 0 {
		return 0
	}
	flops := 0.0
	took := together(threads, func(i int) {
		f := l.run(l.n)
		if i == 0 {
			flops = f
		}
	})
	return flops * float64(threads) / took
}

// together runs f on so many threads, and returns the nanoseconds that it took.
func together(threads int, f func(i int)) float64 {
	if threads == 1 {
		from := time.Now()
		f(0)
		return nanoseconds(from)
	}
	var group sync.WaitGroup
	from := time.Now()
	for i := range threads {
		group.Add(1)
		go func() {
			defer group.Done()
			f(i)
		}()
	}
	group.Wait()
	return nanoseconds(from)
}

func nanoseconds(from time.Time) float64 { return float64(max(time.Since(from), 1)) }

// kernel measures one, which run runs a number of times. A share of a limit is the
// median over rounds of those that were measured within one round.
func (g *gauge) kernel(c Shape, run func(n int)) Kernel {
	r := Kernel{Group: c.Group, Name: c.Name, MACs: c.MACs, ReadBytes: int64(c.Read), WrittenBytes: int64(c.Written)}
	peak, peaks := g.peak, &g.peaks
	if c.Int8 {
		peak, peaks = g.peakInt8, &g.peaksInt8
	}
	run(1)
	reps := repeated(run)
	copies, streams, reads := g.memory(int(c.Read + c.Written))
	var copyReps, streamReps, readReps int
	if copies != nil {
		copyReps, streamReps, readReps = repeated(copies), repeated(streams), repeated(reads)
	}
	var times, ofPeak, ofCopy, ofLimit []float64
	computing := 0
	start := time.Now()
	for round := 0; round < leastRound || round < mostRound && time.Since(start) < g.limit; round++ {
		top := peak.rate(g.threads)
		if top > 0 {
			*peaks = append(*peaks, top/float64(g.threads))
		}
		copied, read := 0.0, 0.0
		if copies != nil {
			copied, read = min(sample(copies, copyReps), sample(streams, streamReps)), sample(reads, readReps)
		}
		for range perRound {
			t := sample(run, reps)
			times = append(times, t)
			compute, memory := 0.0, 0.0
			if top > 0 {
				compute = 2 * c.Work / top
				ofPeak = append(ofPeak, 2*c.MACs/top/t)
			}
			if copies != nil {
				// What is written is copied from as much, and the rest is read.
				part := min(1, 2*c.Written/(c.Read+c.Written))
				memory = part*copied + (1-part)*read
				ofCopy = append(ofCopy, copied/t)
			}
			if compute >= memory {
				computing++
			}
			ofLimit = append(ofLimit, max(compute, memory)/t)
		}
	}
	sort.Float64s(times)
	r.Samples = len(times)
	r.US, r.P10US, r.P90US = quantile(times, 0.5)/1e3, quantile(times, 0.1)/1e3, quantile(times, 0.9)/1e3
	r.GFLOPS, r.GBs = 2*c.MACs/r.US/1e3, (c.Read+c.Written)/r.US/1e3
	r.ShareOfPeak, r.ShareOfCopy, r.ShareOfLimit = median(ofPeak), median(ofCopy), median(ofLimit)
	switch {
	case r.ShareOfLimit == 0:
	case 2*computing >= len(times):
		r.Limit = "compute"
	default:
		r.Limit = "memory"
	}
	return r
}

// repeated is how many runs make a sample.
func repeated(run func(n int)) int {
	n := 1
	for ; n < 1<<20; n *= 2 {
		from := time.Now()
		run(n)
		if time.Since(from) >= sampleTime {
			break
		}
	}
	return n
}

// sample is the nanoseconds of one of n runs.
func sample(run func(n int), n int) float64 {
	from := time.Now()
	run(n)
	return nanoseconds(from) / float64(n)
}

// memory is a copy by Go's copy, one by a loop of loads and stores, and a read, of so
// many bytes in all, on all threads; nil for none.
func (g *gauge) memory(bytes int) (copies, streams, reads func(n int)) {
	if bytes == 0 {
		return nil, nil, nil
	}
	const block = 512 // of a read
	share := (bytes/g.threads + 2*block - 1) / (2 * block) * block
	size := 2 * share * g.threads
	if len(g.from) < size {
		// Addresses equal in their last 12 bits would look to CPUs as if loads met stores.
		const apart = 33 * 64
		size = max(size, leastMemory)
		g.from, g.to = pages(size), pages(size + apart)[apart:]
		for i := range g.from {
			g.from[i], g.to[i] = 1, 1 // pages that were never written are all the same one
		}
	}
	copies = func(n int) {
		together(g.threads, func(i int) {
			from, to := g.from[i*share:][:share], g.to[i*share:][:share]
			for range n {
				copy(to, from)
			}
		})
	}
	streams = func(n int) {
		together(g.threads, func(i int) {
			for range n {
				if !g.k.Copy(&g.to[i*share], &g.from[i*share], share/block) {
					copy(g.to[i*share:][:share], g.from[i*share:][:share])
				}
			}
		})
	}
	reads = func(n int) {
		together(g.threads, func(i int) {
			for range n {
				g.k.Read(&g.from[2*i*share], 2*share/block)
			}
		})
	}
	return copies, streams, reads
}

// median of values in any order; 0 of none.
func median(list []float64) float64 {
	s := append([]float64(nil), list...)
	sort.Float64s(s)
	return quantile(s, 0.5)
}

// quantile of sorted values.
func quantile(s []float64, q float64) float64 {
	if len(s) == 0 {
		return 0
	}
	x := q * float64(len(s)-1)
	i := int(x)
	if i+1 >= len(s) {
		return s[len(s)-1]
	}
	return s[i] + (x-float64(i))*(s[i+1]-s[i])
}
