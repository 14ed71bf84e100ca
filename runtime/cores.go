package runtime

import (
	"fmt"
	"runtime"
)

// coreSet is a set of CPU numbers, as the kernel takes it: bit n of a row of words.
type coreSet [16]uint64

func (s *coreSet) add(n int)      { s[n/64] |= 1 << (n % 64) }
func (s *coreSet) has(n int) bool { return n >= 0 && n < 64*len(s) && s[n/64]>>(n%64)&1 != 0 }

func (s *coreSet) count() int {
	n := 0
	for i := range 64 * len(s) {
		if s.has(i) {
			n++
		}
	}
	return n
}

// placement is where the goroutines of an engine run. Where it is pinned, compute
// threads keep to some cores, and the loader to the others, if there are any.
type placement struct {
	pinned           bool
	compute, loading coreSet
	before           coreSet // where the thread that is in Run may run otherwise
}

// placementFor follows Options.Cores. Without it, threads keep to the large cores of
// a machine that has large and small ones.
func placementFor(cores []int) (placement, error) {
	var p placement
	allowed, known := threadCores()
	if cores == nil {
		if known {
			cores = largeCores(coreFolder, &allowed)
		}
		if len(cores) == 0 {
			return p, nil
		}
	}
	if !known {
		return p, fmt.Errorf("Options.Cores: %s does not let a program choose its cores", runtime.GOOS)
	}
	if len(cores) == 0 {
		return p, fmt.Errorf("Options.Cores names no core")
	}
	for _, n := range cores {
		if !allowed.has(n) {
			return p, fmt.Errorf("Options.Cores: core %d is none of those that this process may use", n)
		}
		p.compute.add(n)
	}
	p.pinned = true
	p.loading = allowed
	for i := range p.loading {
		p.loading[i] &^= p.compute[i]
	}
	if p.loading.count() == 0 {
		p.loading = allowed
	}
	return p, nil
}

// enter takes the calling goroutine's thread to the cores of compute threads until
// leave. A core that has gone away since New changes nothing but speed.
func (p *placement) enter() {
	runtime.LockOSThread()
	p.before, _ = threadCores()
	setThreadCores(&p.compute)
}

func (p *placement) leave() {
	setThreadCores(&p.before)
	runtime.UnlockOSThread()
}

// stay takes a goroutine that lives as long as the engine to a set of cores.
func (p *placement) stay(cores *coreSet) {
	if p != nil && p.pinned {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		setThreadCores(cores)
	}
}
