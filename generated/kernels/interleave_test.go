//go:build linux

package kernels

import (
	"fmt"
	"math/rand"
	"testing"
	"unsafe"
)

// testTranspose compares a kernel with its definition, gaps and red zones included.
func testTranspose(t *testing.T, f func(*transposeArgs), name string, planes, rows, cols, outGap, inGap int) {
	t.Helper()
	r := rand.New(rand.NewSource(int64(rows*1000 + cols)))
	outStep, inStep := rows+outGap, cols+inGap
	outPlane, inPlane := cols*outStep+outGap, rows*inStep+inGap
	in, out := guarded(t, inPlane*(planes-1)+inStep*(rows-1)+cols), guarded(t, outPlane*(planes-1)+outStep*(cols-1)+rows)
	values(r, in, 0)
	f(&transposeArgs{out: unsafe.Pointer(&out[0]), in: unsafe.Pointer(&in[0]), rows: rows, cols: cols, outStep: 4 * outStep, inStep: 4 * inStep,
		planes: planes, outPlane: 4 * outPlane, inPlane: 4 * inPlane})
	what := fmt.Sprintf("%s, %d planes of %d rows, %d columns", name, planes, rows, cols)
	checkRed(t, what, out)
	for i, got := range out {
		want := pattern
		if p, c, r := i/outPlane, i%outPlane/outStep, i%outPlane%outStep; c < cols && r < rows {
			want = in[p*inPlane+r*inStep+c]
		}
		if !same(got, want) && !(isPattern(got) && isPattern(want)) {
			t.Fatalf("%s: float %d is %g, want %g", what, i, got, want)
		}
	}
}

// TestInterleave is at every number of columns around those that kernels take at a time.
func TestInterleave(t *testing.T) {
	for _, tab := range assemblyTables() {
		for rows, f := range tab.interleave {
			for cols := 1; f != nil && cols <= 50; cols++ {
				testTranspose(t, f, tab.name, 1+cols%3, rows, cols, 0, cols%3)
			}
		}
	}
}

// TestTransposeKernels is at sizes around the edges of blocks.
func TestTransposeKernels(t *testing.T) {
	for _, tab := range assemblyTables() {
		if tab.transpose == nil {
			t.Fatalf("%s: no kernel", tab.name)
		}
		sizes := []int{1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 40, 67}
		for i, rows := range sizes {
			for j, cols := range sizes {
				if rows%tab.transposeBlock == 0 && cols%tab.transposeBlock == 0 {
					testTranspose(t, tab.transpose, tab.name, 1, rows, cols, i%3, j%3)
				}
			}
		}
	}
}

// TestTransposeDriver is with every table, at sizes that kernels take parts of.
func TestTransposeDriver(t *testing.T) {
	forTables(t, func(t *testing.T, tab *kernelTable) {
		use(t, tab)
		for i, rows := range []int{1, 2, 3, 4, 5, 8, 13, 16, 20, 37} {
			for j, cols := range []int{1, 3, 8, 19, 24, 130} {
				var th thread
				testTranspose(t, func(a *transposeArgs) { th.transpose(*a) }, tab.name, 1+i%3, rows, cols, j%2, i%2)
			}
		}
	})
}
