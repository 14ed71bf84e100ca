//go:build linux

package kernels

import (
	"math/rand"
	"testing"
	"unsafe"
)

// TestInterleave compares kernels with their definition at every number of columns
// around those that they take at a time.
func TestInterleave(t *testing.T) {
	for _, tab := range assemblyTables() {
		for rows, f := range tab.interleave {
			for cols := 1; f != nil && cols <= 40; cols++ {
				r := rand.New(rand.NewSource(int64(cols)))
				step := cols + cols%3
				in, out := guarded(t, step*(rows-1)+cols), guarded(t, rows*cols)
				values(r, in, 0)
				f(&interleaveArgs{unsafe.Pointer(&out[0]), unsafe.Pointer(&in[0]), cols, 4 * step})
				checkRed(t, "interleave", out)
				for i, got := range out {
					if want := in[i%rows*step+i/rows]; !same(got, want) {
						t.Fatalf("%s, %d rows, %d columns: float %d is %g, want %g", tab.name, rows, cols, i, got, want)
					}
				}
			}
		}
	}
}
