//go:build linux

package kernels

import (
	"fmt"
	"math/rand"
	"testing"
	"unsafe"

	"github.com/flexnnc/flexnnc/avo/kernel/conv"
)

// TestDepthwiseStripsKernels computes strips of a panel whose rows of cells and of pixels lie where
// the table says, with columns beside the image.
func TestDepthwiseStripsKernels(t *testing.T) {
	forTables(t, func(t *testing.T, tab *kernelTable) {
		tested := 0
		for _, half := range []bool{false, true} {
			for _, run := range conv.Runs(half) {
				kernel := tab.depthwiseStrips[run.Width][run.Stride]
				if half {
					kernel = tab.depthwiseStripsHalf[run.Width][run.Stride]
				}
				if kernel == nil {
					continue
				}
				tested++
				r := rand.New(rand.NewSource(int64(run.Width)))
				most := tab.stripPixels[run.Width]
				for last := tab.stripChannels; last <= 3*panelWidth; last += tab.stripChannels {
					for range 12 {
						testDepthwiseStrips(t, r, kernel, run, most, last, 1+r.Intn(2*most+1))
					}
				}
				for _, last := range []int{256, 264, 272, 528} {
					testDepthwiseStrips(t, r, kernel, run, most, last, 1+r.Intn(2*most+1))
				}
				for _, last := range []int{256, 288, 528} { // more than eight bits count
					testDepthwiseStrips(t, r, kernel, run, tab.stripPixels[run.Width], last, 3)
				}
			}
		}
		if want := 2 * len(conv.Runs(false)); tab.stripChannels != 0 && tested != want {
			t.Errorf("%d kernels, want %d", tested, want)
		}
	})
}

func testDepthwiseStrips(t *testing.T, r *rand.Rand, kernel func(*depthwiseStripsArgs), run conv.Run, most, last, pixels int) {
	k, stride := run.Width, run.Stride
	rows, seed := 1+r.Intn(6), r.Intn(4)
	before, after := r.Intn(k/2+1), r.Intn(k/2+1) // columns beyond the image's sides
	columns := (pixels-1)*stride + k - before - after
	if columns < 1 {
		before, columns = 0, max(1, columns)
	}
	wide, outWide := last+r.Intn(3), last+r.Intn(3) // floats from pixel to pixel
	height := (rows-1)*stride + k
	cells := guarded(t, height*columns*wide-(wide-last))
	zeros := guarded(t, last)
	panels, wstep := (last+panelWidth-1)/panelWidth, panelBytes(k*k, run.Half)
	w := guarded(t, panels*wstep/4)
	out := guarded(t, rows*pixels*outWide-(outWide-last))
	const ahead = 3
	table := make([]depthwiseCells, height+ahead)
	values(r, cells, seed)
	panelValues(r, w, panels, k*k, seed, run.Half)
	clear(zeros)
	base, from, order := unsafe.Pointer(&cells[0]), r.Perm(height), r.Perm(rows)
	for y := range height {
		table[y] = depthwiseCells{off: int64(4 * from[y] * columns * wide), tap: int64(4 * wide)}
		if r.Intn(4) == 0 {
			table[y] = depthwiseCells{off: int64(uintptr(unsafe.Pointer(&zeros[0])) - uintptr(base))}
		}
		if n := y - k + 1; n >= 0 && n%stride == 0 {
			table[y].out = int64(4 * order[n/stride] * pixels * outWide)
		}
	}
	a := depthwiseStripsArgs{
		base: base, table: unsafe.Pointer(&table[0]), rows: rows, pixels: pixels, w: unsafe.Pointer(&w[0]),
		out: unsafe.Pointer(&out[0]), outStep: 4 * outWide, channels: 4 * last, act: seed % 2, wstep: wstep,
		tile: 1 + r.Intn(most), columns: columns, pad: before, ahead: r.Intn(ahead+1) * int(unsafe.Sizeof(depthwiseCells{})),
	}
	a.larger = a.tile * r.Intn(4)
	if a.tile == 1 {
		a.larger = pixels
	}
	kernel(&a)
	what := fmt.Sprintf("%+v, %d channels, %d rows of %d pixels, %d columns after %d, strips of %d", run, last, rows, pixels, columns, before, a.tile)
	checkRed(t, what, out)
	for at, got := range out {
		n := at % outWide
		if n >= last {
			if !isPattern(got) {
				t.Fatalf("%s: wrote %g beyond the channels of a pixel", what, got)
			}
			continue
		}
		x, y := at/outWide%pixels, 0
		for order[y] != at/outWide/pixels {
			y++
		}
		panel := unsafe.Pointer(&w[n/panelWidth*wstep/4])
		want := f32(panel, n%panelWidth)
		for i := range k * k {
			e := table[y*stride+i/k]
			cell := float32(0)
			if c := x*stride + i%k - before; c >= 0 && c < columns && e.tap != 0 {
				cell = cells[(int(e.off)+c*int(e.tap))/4+n]
			}
			want = fma32(cell, panelWeight(panel, i, n%panelWidth, run.Half), want)
		}
		if a.act == actRelu {
			want = relu32(want)
		}
		if !same(got, want) {
			t.Fatalf("%s: row %d, pixel %d, channel %d: %g, want %g", what, y, x, n, got, want)
		}
	}
}
