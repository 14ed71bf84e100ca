//go:build linux

package kernels

import (
	"fmt"
	"math/rand"
	"testing"
	"unsafe"
)

// TestBlend compares the kernels with their portable twin, at channels around the
// edges of what they take at a time, gaps and red zones included.
func TestBlend(t *testing.T) {
	r := rand.New(rand.NewSource(1))
	for _, tab := range assemblyTables() {
		for channels := 1; channels <= 150; channels++ {
			taps, places, gap, pixels := 1+r.Intn(5), 1+r.Intn(4), r.Intn(3), 1+r.Intn(6)
			placeStep, tapStep := 4*taps, 4
			if r.Intn(2) == 0 { // taps far from each other
				placeStep, tapStep = 4, 4*places
			}
			in, weights := guarded(t, pixels*(channels+gap)-gap), guarded(t, places*taps)
			values(r, in, 0)
			values(r, weights, 0)
			at := make([]uint32, places*taps)
			for i := range at {
				at[i] = uint32(r.Intn(pixels))
			}
			n := places*(channels+gap) - gap
			got, want := guarded(t, n), guarded(t, n)
			a := blendArgs{out: unsafe.Pointer(&got[0]), in: unsafe.Pointer(&in[0]), at: unsafe.Pointer(&at[0]), weights: unsafe.Pointer(&weights[0]),
				places: places, taps: taps, channels: channels, inStep: 4 * (channels + gap), outStep: 4 * (channels + gap), placeStep: placeStep, tapStep: tapStep}
			tab.blend(&a)
			a.out = unsafe.Pointer(&want[0])
			blendPortable(&a)
			what := fmt.Sprintf("%s, %d places of %d taps, %d channels", tab.name, places, taps, channels)
			checkRed(t, what, got)
			for i := range want {
				if !same(got[i], want[i]) && !(isPattern(got[i]) && isPattern(want[i])) {
					t.Fatalf("%s: float %d is %g, want %g", what, i, got[i], want[i])
				}
			}
		}
	}
}
