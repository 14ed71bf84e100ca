//go:build linux

package kernels

import (
	"math"
	"math/rand"
	"testing"
	"unsafe"

	"github.com/flexnnc/flexnnc/ir"
)

// panelValues fills w with panels of k weights per channel. Weights of float16
// are any bits at all; where the numbers are to be tame, so are they.
func panelValues(r *rand.Rand, w []float32, panels, k, kind int, half bool) {
	values(r, w, kind)
	if !half {
		return
	}
	for p := range panels {
		at := unsafe.Add(unsafe.Pointer(&w[0]), p*panelBytes(k, true)+4*panelWidth)
		for i := range panelWidth * k {
			h := uint16(r.Uint32())
			if kind != 3 || r.Intn(20) != 0 {
				h = h&0x83ff | uint16(r.Intn(20))<<10 // up to 16, and subnormals
			}
			*(*uint16)(unsafe.Add(at, 2*i)) = h
		}
	}
}

// panelWeight is weight i of channel n of the panel at p, from the definition.
func panelWeight(p unsafe.Pointer, i, n int, half bool) float32 {
	if half {
		return ir.HalfToFloat(*(*uint16)(unsafe.Add(p, 4*panelWidth+2*(panelWidth*i+n))))
	}
	return f32(p, panelWidth*(i+1)+n)
}

// TestHalf widens every float16: by the portable function, and by each table's
// kernels, as the sum of -0 and 1 times the weight.
func TestHalf(t *testing.T) {
	for h := range 1 << 16 {
		if got, want := fromHalf(uint16(h)), ir.HalfToFloat(uint16(h)); !same(got, want) {
			t.Fatalf("%#04x: %g, want %g", h, got, want)
		}
	}
	forTables(t, func(t *testing.T, tab *kernelTable) {
		const panels = 1 << 12
		w := guarded(t, panels*panelBytes(1, true)/4)
		for p := range panels {
			at := p * panelBytes(1, true) / 4
			for i := range panelWidth {
				w[at+i] = float32(math.Copysign(0, -1))
				*(*uint16)(unsafe.Add(unsafe.Pointer(&w[at+panelWidth]), 2*i)) = uint16(p*panelWidth + i)
			}
		}
		x, out := guarded(t, panelWidth), guarded(t, panels*panelWidth)
		for i := range x {
			x[i] = 1
		}
		ind := guarded(t, 1)
		ind[0] = 0
		check := func(what string) {
			t.Helper()
			for h, got := range out {
				if want := ir.HalfToFloat(uint16(h)); !same(got, want) {
					t.Fatalf("%s: %#04x is %g, want %g", what, h, got, want)
				}
			}
		}
		for p := range panels {
			tab.convHalf[1][1](&convArgs{
				base: unsafe.Pointer(&x[0]), ind: unsafe.Pointer(&ind[0]), taps: 1, k: 1, w: unsafe.Pointer(&w[p*panelBytes(1, true)/4]),
				out: unsafe.Pointer(&out[p*panelWidth]), outStep: 4 * panelWidth, last: panelWidth,
			})
		}
		check("convolution")
		fillPattern(out)
		for p := range panels {
			tab.depthwiseHalf[1](&depthwiseArgs{
				base: unsafe.Pointer(&x[0]), ind: unsafe.Pointer(&ind[0]), taps: 1, w: unsafe.Pointer(&w[p*panelBytes(1, true)/4]), panels: 1,
				out: unsafe.Pointer(&out[p*panelWidth]), outStep: 4 * panelWidth, last: panelWidth, wstep: panelBytes(1, true),
			})
		}
		check("depthwise")
	})
}
