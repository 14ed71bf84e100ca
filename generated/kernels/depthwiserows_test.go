//go:build linux

package kernels

import (
	"fmt"
	"math/rand"
	"testing"
	"unsafe"

	"github.com/flexnnc/flexnnc/avo/kernel/conv"
)

// TestDepthwiseRowsKernels computes rows of a panel whose cells lie where the table
// says: in rows of an image, or all in one place, as those outside it.
func TestDepthwiseRowsKernels(t *testing.T) {
	forTables(t, func(t *testing.T, tab *kernelTable) {
		for _, half := range []bool{false, true} {
			for _, run := range conv.Runs(half) {
				kernel := tab.depthwiseRows[run.Width][run.Stride]
				if half {
					kernel = tab.depthwiseRowsHalf[run.Width][run.Stride]
				}
				if kernel == nil {
					continue
				}
				r := rand.New(rand.NewSource(int64(run.Width)))
				for last := 1; last <= panelWidth; last++ {
					for i, pixels := range []int{1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 17, 29} {
						testDepthwiseRows(t, r, kernel, run, 1+r.Intn(3), last, pixels, i)
					}
				}
			}
		}
	})
}

func testDepthwiseRows(t *testing.T, r *rand.Rand, kernel func(*depthwiseRowsArgs), run conv.Run, rows, last, pixels, seed int) {
	kh, kw, stride := 1+r.Intn(5), run.Width, run.Stride
	before, after := r.Intn(kw+1), r.Intn(kw+1) // columns beyond the image's sides
	width := (pixels-1)*stride + kw
	columns := max(1, width-before-after) // of the image
	wide := last + r.Intn(3)              // floats from pixel to pixel
	apart := 1 + r.Intn(min(2, kh))       // rows of cells from row to row of pixels
	cells := guarded(t, (((rows-1)*apart+kh)*columns-1)*wide+last)
	w := guarded(t, panelBytes(kh*kw, run.Half)/4)
	outWide := last + r.Intn(3)
	out := guarded(t, (rows*pixels-1)*outWide+last)
	rowBytes := 8 + 16*kh
	ind := guarded(t, rows*rowBytes/4)
	values(r, cells, seed%4)
	panelValues(r, w, 1, kh*kw, seed%4, run.Half)
	order := r.Perm(rows)
	taps := make([][]depthwiseRow, rows)
	outside := map[int]bool{} // rows of cells
	for y := range (rows-1)*apart + kh {
		outside[y] = r.Intn(4) == 0
	}
	for y := range rows {
		at := unsafe.Add(unsafe.Pointer(&ind[0]), y*rowBytes)
		*(*int64)(at) = int64(4 * order[y] * pixels * outWide)
		taps[y] = unsafe.Slice((*depthwiseRow)(unsafe.Add(at, 8)), kh)
		for ky := range kh {
			row := y*apart + ky
			taps[y][ky] = depthwiseRow{int64(4 * (row*columns - before) * wide), uint32(4 * wide), uint32(4 * stride * wide)}
			if outside[row] {
				taps[y][ky] = depthwiseRow{off: int64(4 * row * columns * wide)}
			}
		}
	}
	left := 0
	for left < pixels && left*stride < before {
		left++
	}
	right := pixels
	for right > left && (right-1)*stride+kw-1-before >= columns {
		right--
	}
	a := depthwiseRowsArgs{
		base: unsafe.Pointer(&cells[0]), ind: unsafe.Pointer(&ind[0]), rows: rows, pixels: pixels, kh: kh,
		w: unsafe.Pointer(&w[0]), out: unsafe.Pointer(&out[0]), outStep: 4 * outWide, last: last, act: seed % 2, tile: 1 + r.Intn(9),
		left: left, right: right, columns: columns, stride: stride, pad: before,
	}
	a.larger = a.tile * r.Intn(4)
	kernel(&a)
	what := fmt.Sprintf("%+v, %d channels, %d pixels of %d rows, kernel %dx%d, %d columns after %d", run, last, pixels, rows, kh, kw, columns, before)
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
		want := w[n]
		for k := range kh * kw {
			e := taps[y][k/kw]
			cell := float32(0)
			if c := x*stride + k%kw - before; c >= 0 && c < columns {
				cell = cells[(int(e.off)+k%kw*int(e.tap)+x*int(e.pixel))/4+n]
			}
			want = fma32(cell, panelWeight(unsafe.Pointer(&w[0]), k, n, run.Half), want)
		}
		if a.act == actRelu {
			want = relu32(want)
		}
		if !same(got, want) {
			t.Fatalf("%s: row %d, pixel %d, channel %d: %g, want %g", what, y, x, n, got, want)
		}
	}
}
