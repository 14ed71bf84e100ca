package program

import (
	"strings"

	"github.com/flexnnc/flexnnc/avo/kernel/conv"
)

// hook is the files that give programs a view into an emitted package: when its
// steps run, which kernels it uses, and what the CPU can do at most.
func hook(pkg string) (map[string][]byte, error) {
	files, err := Peak(pkg)
	if err != nil {
		return nil, err
	}
	files["bench_hook.go"] = []byte(strings.Replace(hookSource, "PKG", pkg, 1))
	return files, nil
}

// Peak is the files of the loops of conv.Peak, and of BenchPeak over one of them, for
// package pkg, which has the runtime's sources: base name to content.
func Peak(pkg string) (map[string][]byte, error) {
	files, err := conv.Peak(pkg)
	if err != nil {
		return nil, err
	}
	for name, text := range map[string]string{
		"bench_peak_amd64.go": peakAMD64,
		"bench_peak_arm64.go": peakARM64,
		"bench_peak_other.go": peakOther,
	} {
		files[name] = []byte(strings.Replace(text, "PKG", pkg, 1))
	}
	return files, nil
}

const hookSource = `package PKG

import "time"

// BenchObserve has f called when a step begins and when it is complete; nil ends it.
func (n *Net) BenchObserve(f func(step int, complete bool)) { n.engine.observe = f }

// BenchSteps gives f a function that runs one step by itself, on what lies in the
// arena, and the arena.
func (n *Net) BenchSteps(f func(run func(step int), arena []byte)) {
	e := &n.engine
	if e.place.pinned {
		e.place.enter()
		defer e.place.leave()
	}
	e.team.threads[0].following = 0
	f(func(i int) {
		s := &e.prog.steps[i]
		e.team.step(s.run, s.part, [2]int{int(s.rows[0]), int(s.rows[1])})
	}, e.arena.mem)
}

// BenchWaited is the time that all runs have waited for loads.
func (n *Net) BenchWaited() time.Duration { return n.engine.waited }

// BenchKernels names the instruction set of the kernels in use.
func BenchKernels() string { return kernels.name }
`

// Iterations of the loops of conv.Peak are 96 vector FMAs.
const peakAMD64 = `//go:build amd64 && !noasm

package PKG

// BenchPeak runs n iterations of FMAs on registers and returns how many floating
// point operations that were, 0 where there is no such loop.
func BenchPeak(n int) float64 {
	switch {
	case hasAVX512:
		peakAVX512(n)
		return float64(n) * 96 * 16 * 2
	case hasAVX2:
		peakAVX2(n)
		return float64(n) * 96 * 8 * 2
	}
	return 0
}
`

const peakARM64 = `//go:build arm64 && !noasm

package PKG

// BenchPeak runs n iterations of FMAs on registers and returns how many floating
// point operations that were, 0 where there is no such loop.
func BenchPeak(n int) float64 {
	peakNEON(n)
	return float64(n) * 96 * 4 * 2
}
`

const peakOther = `//go:build noasm || !amd64 && !arm64

package PKG

// BenchPeak returns 0: there is no loop that reaches the peak.
func BenchPeak(n int) float64 { return 0 }
`
