//go:build linux

package kernels

import (
	"fmt"
	"math/rand"
	"testing"
	"unsafe"

	"github.com/flexnnc/flexnnc/avo/kernel/conv"
)

// TestDepthwiseRunKernels compares kernels of runs with their definition: at every
// number of pixels around the tiles' edges, with rows and columns outside the image.
func TestDepthwiseRunKernels(t *testing.T) {
	for _, tab := range assemblyTables() {
		tested := 0
		for _, half := range []bool{false, true} {
			runs := &tab.depthwiseRun
			if half {
				runs = &tab.depthwiseRunHalf
			}
			for kw := range runs {
				for sw, f := range runs[kw] {
					if f == nil {
						continue
					}
					tested++
					for i, n := range channelCounts {
						for pixels := runPixels; pixels <= 3*runPixels; pixels++ {
							testRun(t, f, half, kw, sw, n, pixels, i+pixels)
						}
					}
				}
			}
		}
		if want := 2 * len(conv.Runs(false)); tab.name == tableName(conv.NEON) && tested != want {
			t.Errorf("%d kernels, want %d", tested, want)
		}
	}
}

func testRun(t *testing.T, f func(*depthwiseRunArgs), half bool, kw, sw, n, pixels, seed int) {
	r := rand.New(rand.NewSource(int64(seed)))
	height := 1 + seed%5
	panels, taps := (n+panelWidth-1)/panelWidth, height*kw
	step := n + seed%3 // floats between cells
	left := -r.Intn(kw/2 + 1)
	width := left + (pixels-1)*sw + kw - r.Intn(kw/2+1) // of the image
	x, w := guarded(t, height*width*step-(step-n)), guarded(t, panels*panelBytes(taps, half)/4)
	zeros := guarded(t, n)
	values(r, x, seed%4)
	panelValues(r, w, panels, taps, seed%4, half)
	clear(zeros)
	rows := make([]windowRow, height)
	base := unsafe.Pointer(&x[0])
	for y, p := range r.Perm(height) {
		rows[y] = windowRow{4 * p * width * step, 4 * step}
		if r.Intn(4) == 0 {
			rows[y] = windowRow{int(uintptr(unsafe.Pointer(&zeros[0])) - uintptr(base)), 0}
		}
	}
	outStep := n + seed%2
	out := guarded(t, outStep*(pixels-1)+n)
	a := &depthwiseRunArgs{
		base: base, rows: unsafe.Pointer(&rows[0]), height: height, w: unsafe.Pointer(&w[0]), wstep: panelBytes(taps, half),
		channels: n, out: unsafe.Pointer(&out[0]), outStep: 4 * outStep, pixels: pixels, act: seed % 2, left: left, width: width,
	}
	f(a)
	what := fmt.Sprintf("half %v, windows of %dx%d at %d, %d channels, %d pixels", half, height, kw, sw, n, pixels)
	checkRed(t, what, out)
	for o, got := range out {
		m, c := o/outStep, o%outStep
		want := pattern
		if c < n {
			p := unsafe.Pointer(&w[c/panelWidth*panelBytes(taps, half)/4])
			want = f32(p, c%panelWidth)
			for y := range height {
				for kx := range kw {
					v := float32(0)
					if at := left + m*sw + kx; rows[y].step != 0 && at >= 0 && at < width {
						v = x[rows[y].off/4+at*step+c]
					}
					want = fma32(v, panelWeight(p, y*kw+kx, c%panelWidth, half), want)
				}
			}
			if a.act == actRelu {
				want = relu32(want)
			}
		}
		if !same(got, want) && !(isPattern(got) && isPattern(want)) {
			t.Fatalf("%s: pixel %d, channel %d: %g, want %g", what, m, c, got, want)
		}
	}
}
