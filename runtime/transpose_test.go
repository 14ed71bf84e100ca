package runtime

import (
	"math/rand"
	"testing"
	"unsafe"
)

// TestTranspose checks every element and the gaps around them.
func TestTranspose(t *testing.T) {
	r := rand.New(rand.NewSource(1))
	for _, rows := range []int{1, 2, 3, 4, 5, 6, 7, 8, 11, 33} {
		for _, cols := range []int{1, 2, 3, 16, 17, transposeTile - 1, transposeTile, transposeTile + 1, 3 * transposeTile} {
			inStep, outStep := cols+r.Intn(3), rows+r.Intn(2)*r.Intn(3)
			in := make([]uint32, rows*inStep)
			for i := range in {
				in[i] = r.Uint32()
			}
			const untouched = 0xdeadbeef
			out := make([]uint32, cols*outStep+16)
			for i := range out {
				out[i] = untouched
			}
			transpose(unsafe.Pointer(&out[8]), unsafe.Pointer(&in[0]), rows, cols, 4*outStep, 4*inStep)
			for i, v := range out {
				want := uint32(untouched)
				if at := i - 8; at >= 0 && at%outStep < rows && at/outStep < cols {
					want = in[at%outStep*inStep+at/outStep]
				}
				if v != want {
					t.Fatalf("%d rows of %d: element %d is %#x, want %#x", rows, cols, i-8, v, want)
				}
			}
		}
	}
}
