//go:build linux

package kernels

import (
	"fmt"
	"math/rand"
	"testing"
	"unsafe"
)

// TestProduct packs and multiplies matrices that lie in either order, with every
// table: operands end at a guard page, and bits are those of a plain chain.
func TestProduct(t *testing.T) {
	forTables(t, func(t *testing.T, tab *kernelTable) {
		use(t, tab)
		r := rand.New(rand.NewSource(1))
		for i := range 60 {
			rows, depth, columns := 1+r.Intn(30), 1+r.Intn(40), 1+r.Intn(70)
			aStep, gap, outStep := depth+r.Intn(3), r.Intn(3), columns+r.Intn(3)
			columnStep, depthStep := depth+gap, 1
			if i%2 == 0 {
				columnStep, depthStep = 1, columns+gap
			}
			a := guarded(t, (rows-1)*aStep+depth)
			b := guarded(t, (columns-1)*columnStep+(depth-1)*depthStep+1)
			panels := guarded(t, (columns+15)/16*16*(depth+1))
			out := guarded(t, (rows-1)*outStep+columns)
			values(r, a, i%4)
			values(r, b, i%4)
			table := guarded(t, productPanels/4)
			th := &thread{scratch: unsafe.Pointer(&table[0])}
			new(thread).packPanels(unsafe.Pointer(&panels[0]), unsafe.Pointer(&b[0]), columns, depth, 4*columnStep, 4*depthStep)
			p := product{rows: rows, depth: depth, columns: columns, a: unsafe.Pointer(&a[0]), aStep: 4 * aStep,
				panels: unsafe.Pointer(&panels[0]), out: unsafe.Pointer(&out[0]), outStep: 4 * outStep}
			p.multiply(th)
			what := fmt.Sprintf("%d x %d x %d", rows, depth, columns)
			for _, f := range [][]float32{a, b, panels, out, table} {
				checkRed(t, what, f)
			}
			for at, got := range out {
				m, n := at/outStep, at%outStep
				if n >= columns {
					if !isPattern(got) {
						t.Fatalf("%s: wrote %g beyond the columns of row %d", what, got, m)
					}
					continue
				}
				want := float32(0)
				for k := range depth {
					want = fma32(a[m*aStep+k], b[n*columnStep+k*depthStep], want)
				}
				if !same(got, want) {
					t.Fatalf("%s: row %d, column %d: %g, want %g", what, m, n, got, want)
				}
			}
		}
	})
}
