//go:build linux

package kernels

import (
	"fmt"
	"math/rand"
	"testing"
	"unsafe"
)

// TestInt8DepthwiseRowsKernels computes rows of an int8 panel of 3x3 windows.
func TestInt8DepthwiseRowsKernels(t *testing.T) {
	forInt8Units(t, func(t *testing.T, u int8Unit) {
		for kw, strides := range u.table.depthwiseRows {
			for stride, kernel := range strides {
				if kernel == nil {
					continue
				}
				if kw != 3 {
					t.Fatalf("a kernel of width %d", kw)
				}
				r := rand.New(rand.NewSource(int64(stride)))
				for last := 1; last <= panelWidth; last++ {
					for i, pixels := range []int{1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 17, 29} {
						for _, quantize := range []float32{0, 0.05} {
							if quantize == 0 || last%4 == 0 {
								testInt8DepthwiseRows(t, r, kernel, stride, last, pixels, i, quantize)
							}
						}
					}
				}
			}
		}
	})
}

func testInt8DepthwiseRows(t *testing.T, r *rand.Rand, kernel func(*depthwiseRowsArgs), stride, last, pixels, seed int, quantize float32) {
	const k = 3
	rows := 1 + r.Intn(3)
	before, after := r.Intn(k+1), r.Intn(k+1) // columns beyond the image's sides
	columns := max(1, (pixels-1)*stride+k-before-after)
	fours := (last + 3) &^ 3
	wide := fours + 4*r.Intn(3) // bytes from pixel to pixel
	cells := guarded(t, (((rows+k-1)*columns-1)*wide+fours)/4)
	activations(r, asBytes(cells))
	w := guarded(t, int8DepthwiseBytes(k*k)/4)
	panel := int8PanelAt(unsafe.Pointer(&w[0]), k*k*panelWidth, true)
	panel.fill(r, last)
	outWide, size := last+r.Intn(3), 4 // elements from pixel to pixel, and bytes of one
	if quantize != 0 {
		outWide, size = fours+4*r.Intn(2), 1
	}
	out := guarded(t, ((rows*pixels-1)*outWide+last)*size/4)
	const rowBytes = 8 + 16*k
	ind := guarded(t, rows*rowBytes/4)
	order := r.Perm(rows)
	taps := make([][]depthwiseRow, rows)
	for y := range rows {
		at := unsafe.Add(unsafe.Pointer(&ind[0]), y*rowBytes)
		*(*int64)(at) = int64(size * order[y] * pixels * outWide)
		taps[y] = unsafe.Slice((*depthwiseRow)(unsafe.Add(at, 8)), k)
		for ky := range k {
			taps[y][ky] = depthwiseRow{int64(((y+ky)*columns - before) * wide), uint32(wide), uint32(stride * wide)}
			if r.Intn(4) == 0 {
				taps[y][ky] = depthwiseRow{off: int64((y + ky) * columns * wide)}
			}
		}
	}
	left := 0
	for left < pixels && left*stride < before {
		left++
	}
	right := pixels
	for right > left && (right-1)*stride+k-1-before >= columns {
		right--
	}
	a := depthwiseRowsArgs{
		base: unsafe.Pointer(&cells[0]), ind: unsafe.Pointer(&ind[0]), rows: rows, pixels: pixels, kh: k,
		w: unsafe.Pointer(&w[0]), out: unsafe.Pointer(&out[0]), outStep: size * outWide, last: last, act: seed % 2, tile: 1 + r.Intn(9),
		left: left, right: right, columns: columns, stride: stride, pad: before, quantize: quantize,
	}
	a.larger = a.tile * r.Intn(4)
	kernel(&a)
	what := fmt.Sprintf("stride %d, %d channels, %d pixels of %d rows, %d columns after %d, quantize %g", stride, last, pixels, rows, columns, before, quantize)
	checkRed(t, what, out)
	for p := range rows * pixels {
		x, y := p%pixels, 0
		for order[y] != p/pixels {
			y++
		}
		for n := range min(outWide, len(out)*4/size-p*outWide) {
			at := p*outWide + n
			if n >= last {
				if size == 4 && !isPattern(out[at]) {
					t.Fatalf("%s: wrote %g beyond the channels of a pixel", what, out[at])
				}
				continue
			}
			sum := int64(0)
			for tap := range k * k {
				e := taps[y][tap/k]
				if c := x*stride + tap%k - before; c >= 0 && c < columns {
					sum += int64(asBytes(cells)[int(e.off)+tap%k*int(e.tap)+x*int(e.pixel)+n]) * int64(panel.w[panelWidth*tap+n])
				}
			}
			want := panel.finish(sum, n, a.act)
			if size == 1 {
				if got, want := asBytes(out)[at], quantizedExactly(want, quantize); got != want {
					t.Fatalf("%s: row %d, pixel %d, channel %d: %d, want %d", what, y, x, n, got, want)
				}
			} else if !same(out[at], want) {
				t.Fatalf("%s: row %d, pixel %d, channel %d: %g, want %g", what, y, x, n, out[at], want)
			}
		}
	}
}
