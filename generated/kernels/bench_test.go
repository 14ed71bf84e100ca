//go:build linux

package kernels

import (
	"fmt"
	"math/rand"
	"testing"
	"time"
)

// best is the shortest time of one call of f among many, which neighbours on the
// machine disturb least.
func best(f func()) time.Duration {
	b := time.Duration(1 << 62)
	for start := time.Now(); time.Since(start) < 60*time.Millisecond; {
		t := time.Now()
		f()
		b = min(b, time.Since(t))
	}
	return b
}

// report gives GFLOP/s of f, and its share of the FMA rate measured between calls;
// and for f that reads and writes so many bytes, each once, GB/s and its share of
// what copying reaches between as many bytes.
func report(b *testing.B, tab *kernelTable, threads int, flops, bytes float64, f func()) {
	loop, per := peakFMA(tab)
	from, to := make([]float32, int(bytes/8)+1), make([]float32, int(bytes/8)+1)
	for i := range from {
		from[i] = 1 // pages that were never written are all the same one
	}
	least, peak, copied := 1e300, 0.0, 0.0
	for range 5 {
		least = min(least, float64(best(f).Nanoseconds()))
		if loop != nil {
			const n = 2000
			peak = max(peak, n*per/float64(best(func() { loop(n) }).Nanoseconds()))
		}
		if bytes > 0 {
			copied = max(copied, 8*float64(len(to))/float64(best(func() { copy(to, from) }).Nanoseconds()))
		}
	}
	for range b.N {
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(least/1e3, "us")
	if flops > 0 {
		b.ReportMetric(flops/least, "GFLOP/s")
	}
	if flops > 0 && loop != nil {
		b.ReportMetric(100*flops/least/peak/float64(threads), "%peak")
	}
	if bytes > 0 {
		b.ReportMetric(bytes/least, "GB/s")
		b.ReportMetric(100*bytes/least/copied, "%copy")
	}
}

func forBenchTables(b *testing.B, f func(*testing.B, *kernelTable)) {
	for _, tab := range append(assemblyTables(), &portableKernels) {
		b.Run(tab.name, func(b *testing.B) { f(b, tab) })
	}
}

// BenchmarkConvKernel times single tiles. With 96 terms their operands stay in L1,
// with 1152 the weights come from L2.
func BenchmarkConvKernel(b *testing.B) {
	forBenchTables(b, func(b *testing.B, tab *kernelTable) {
		for np := range tab.conv {
			for mr, f := range tab.conv[np] {
				if f == nil {
					continue
				}
				for _, k := range []int{96, 1152} {
					b.Run(fmt.Sprintf("%dx%d/K=%d", mr, np*panelWidth, k), func(b *testing.B) {
						a, _ := convOperands(b, rand.New(rand.NewSource(1)), mr, np, 3, k/3, 16, 0, false)
						reps := max(1, 1<<21/(mr*np*panelWidth*k))
						report(b, tab, 1, 2*float64(reps*mr*np*panelWidth*k), 0, func() {
							for range reps {
								f(a)
							}
						})
					})
				}
			}
		}
	})
}

// BenchmarkConv times whole layers, scheduling of tiles and tables included.
func BenchmarkConv(b *testing.B) {
	for _, c := range []struct {
		name string
		convCase
	}{
		{"224x224x3-64_7x7s2", convCase{inH: 224, inW: 224, inC: 3, channels: 64, kh: 7, kw: 7, sh: 2, sw: 2, padT: 3, padL: 3, padB: 3, padR: 3}},
		{"224x224x3-32_3x3s2", convCase{inH: 224, inW: 224, inC: 3, channels: 32, kh: 3, kw: 3, sh: 2, sw: 2, padT: 1, padL: 1, padB: 1, padR: 1}},
		{"224x224x64-64_3x3", convCase{inH: 224, inW: 224, inC: 64, channels: 64, kh: 3, kw: 3, padT: 1, padL: 1, padB: 1, padR: 1}},
		{"56x56x64-64_3x3", convCase{inH: 56, inW: 56, inC: 64, channels: 64, kh: 3, kw: 3, padT: 1, padL: 1, padB: 1, padR: 1}},
		{"28x28x512-512_3x3", convCase{inH: 28, inW: 28, inC: 512, channels: 512, kh: 3, kw: 3, padT: 1, padL: 1, padB: 1, padR: 1}},
		{"28x28x256-256_1x1", convCase{inH: 28, inW: 28, inC: 256, channels: 256, kh: 1, kw: 1}},
		{"56x56x24-144_1x1", convCase{inH: 56, inW: 56, inC: 24, channels: 144, kh: 1, kw: 1}},
		{"56x56x144-24_1x1", convCase{inH: 56, inW: 56, inC: 144, channels: 24, kh: 1, kw: 1}},
		{"7x7x512-512_3x3", convCase{inH: 7, inW: 7, inC: 512, channels: 512, kh: 3, kw: 3, padT: 1, padL: 1, padB: 1, padR: 1}},
		{"7x7x960-320_1x1", convCase{inH: 7, inW: 7, inC: 960, channels: 320, kh: 1, kw: 1}},
		{"fc25088-4096", convCase{inH: 1, inW: 1, inC: 25088, channels: 4096, kh: 1, kw: 1}},
		{"fc4096-1000", convCase{inH: 1, inW: 1, inC: 4096, channels: 1000, kh: 1, kw: 1}},
		{"tokens128x768-3072", convCase{inH: 1, inW: 128, inC: 768, channels: 3072, kh: 1, kw: 1}},
	} {
		c.sh, c.sw, c.dh, c.dw = max(c.sh, 1), max(c.sw, 1), 1, 1
		b.Run(c.name, func(b *testing.B) {
			oh, ow := c.out()
			k := c.kh * c.kw * c.inC
			var l layout
			s := convStep{
				zeros: l.add(c.inC), in: arenaImage(&l, c.inH, c.inW, c.inC, 0, 0, 0), out: arenaImage(&l, oh, ow, c.channels, 0, 0, 0),
				inH: c.inH, inW: c.inW, inC: c.inC, outH: oh, outW: ow, channels: c.channels,
				kh: c.kh, kw: c.kw, sh: c.sh, sw: c.sw, dh: 1, dw: 1, padT: c.padT, padL: c.padL,
				weights: l.add((c.channels + 15) / 16 * 16 * (k + 1)),
			}
			flops := 2 * float64(oh*ow*c.channels*k)
			benchStep(b, l.floats, convScratch(c.kh*c.kw), flops, 4*float64(l.floats), func(t *thread) { runConv(t, &s) })
		})
	}
}

// benchStep times a step for every table and for 1 and 2 threads.
func benchStep(b *testing.B, floats, scratch int, flops, bytes float64, step func(*thread)) {
	mem := guarded(b, floats)
	for i := range mem {
		mem[i] = float32(i%37) * 0.01
	}
	forBenchTables(b, func(b *testing.B, tab *kernelTable) {
		use(b, tab)
		for _, threads := range []int{1, 2} {
			b.Run(fmt.Sprintf("threads=%d", threads), func(b *testing.B) {
				m := startTeam(b, mem, threads, scratch)
				defer m.stop()
				report(b, tab, threads, flops, bytes, func() { m.step(step, part{}, [2]int{}) })
			})
		}
	})
}

func BenchmarkDepthwise(b *testing.B) {
	for _, c := range []struct{ size, channels, k, stride int }{{112, 32, 3, 1}, {112, 96, 3, 2}, {112, 64, 3, 2}, {56, 144, 3, 1}, {56, 128, 3, 1}, {56, 128, 3, 2}, {28, 256, 3, 1}, {14, 512, 3, 1}, {14, 576, 3, 1}, {7, 960, 3, 1}, {14, 120, 5, 1}} {
		b.Run(fmt.Sprintf("%dx%dx%d_%dx%ds%d", c.size, c.size, c.channels, c.k, c.k, c.stride), func(b *testing.B) {
			var l layout
			o := (c.size-1)/c.stride + 1
			s := depthwiseStep{
				zeros: l.add(c.channels), in: arenaImage(&l, c.size, c.size, c.channels, 0, 0, 0), out: arenaImage(&l, o, o, c.channels, 0, 0, 0),
				inH: c.size, inW: c.size, outH: o, outW: o, kh: c.k, kw: c.k, sh: c.stride, sw: c.stride, dh: 1, dw: 1, padT: c.k / 2, padL: c.k / 2,
				weights: l.add((c.channels + 15) / 16 * 16 * (c.k*c.k + 1)), channels: c.channels, mult: 1,
			}
			flops := 2 * float64(o*o*c.channels*c.k*c.k)
			benchStep(b, l.floats, depthwiseScratch(c.k, c.k), flops, 4*float64(l.floats), func(t *thread) { runDepthwise(t, &s) })
		})
	}
}

func BenchmarkPool(b *testing.B) {
	for _, c := range []struct {
		size, channels, k, stride int
		max                       bool
	}{{112, 64, 3, 2, true}, {224, 64, 2, 2, true}, {7, 2048, 7, 1, false}} {
		b.Run(fmt.Sprintf("%dx%dx%d_%dx%ds%d", c.size, c.size, c.channels, c.k, c.k, c.stride), func(b *testing.B) {
			var l layout
			o := (c.size-c.k)/c.stride + 1
			s := poolStep{
				in: arenaImage(&l, c.size, c.size, c.channels, 0, 0, 0), out: arenaImage(&l, o, o, c.channels, 0, 0, 0), max: c.max,
				inH: c.size, inW: c.size, channels: c.channels, outH: o, outW: o, kh: c.k, kw: c.k, sh: c.stride, sw: c.stride,
			}
			benchStep(b, l.floats, poolScratch, 0, 4*float64(l.floats), func(t *thread) { runPool(t, &s) })
		})
	}
}

// BenchmarkCopy times changes of the order of axes: pictures that come in, channels
// that are shuffled, images made planar and back.
func BenchmarkCopy(b *testing.B) {
	for _, c := range []struct {
		name               string
		planes, rows, cols int
	}{
		{"picture_224x224x3", 1, 3, 224 * 224},
		{"shuffle_28x28x116", 28 * 28, 2, 58},
		{"shuffle_7x7x464", 7 * 7, 2, 232},
		{"shuffle_28x28x240_3groups", 28 * 28, 3, 80},
		{"planar_56x56x64", 1, 56 * 56, 64},
		{"planar_14x14x512", 1, 14 * 14, 512},
		{"planar_104x104x24", 1, 104 * 104, 24},
		{"last_56x56x64", 1, 64, 56 * 56},
		{"last_14x14x512", 1, 512, 14 * 14},
		{"tokens_577x768", 1, 577, 768},
	} {
		b.Run(c.name, func(b *testing.B) {
			n := c.planes * c.rows * c.cols
			s := copyStep{
				out: (4*n + 63) &^ 63, dims: [5]int{1, 1, c.planes, c.rows, c.cols},
				inStep:  [5]int{0, 0, 4 * c.rows * c.cols, 4 * c.cols, 4},
				outStep: [5]int{0, 0, 4 * c.rows * c.cols, 4, 4 * c.rows},
			}
			benchStep(b, s.out/4+n, 64, 0, 8*float64(n), func(t *thread) { runCopy(t, &s) })
		})
	}
}
