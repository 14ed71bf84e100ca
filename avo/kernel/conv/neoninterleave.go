package conv

import (
	"fmt"

	"github.com/flexnnc/flexnnc/avo/arm64"
)

// interleaveRows are the numbers of rows that an ISA has kernels for.
func (i ISA) interleaveRows() []int {
	switch i {
	case NEON:
		return []int{2, 3, 4}
	case AVX512:
		return []int{2, 3}
	}
	return nil
}

func interleaveName(i ISA, rows int) string { return fmt.Sprintf("interleaveF32x%d%s", rows, i) }

// interleaveNEON generates the kernel that interleaves some rows: four columns at a
// time, which a store of several registers orders, then one.
func interleaveNEON(c *arm64.Context, rows int) {
	c.Function(interleaveName(NEON, rows), "func(a *interleaveArgs)",
		fmt.Sprintf("%s interleaves %d rows; see interleaveArgs.", interleaveName(NEON, rows), rows))
	args := c.Load("a")
	out, in := field(c, args, interleaveOut), []arm64.GP{field(c, args, interleaveIn)}
	cols, step := field(c, args, interleaveCols), field(c, args, interleaveStep)
	for r := 1; r < rows; r++ {
		in = append(in, c.GP())
		c.ADD(step, in[r-1], in[r])
	}
	loop := func(label string, n int, body func()) {
		end := label + "end"
		c.SUBI(n, cols, cols)
		c.TBNZ(63, cols, end)
		c.Label(label)
		body()
		c.SUBI(n, cols, cols)
		c.TBZ(63, cols, label)
		c.Label(end)
		c.ADDI(n, cols, cols)
	}
	if rows == 2 {
		loop("eight", 8, func() {
			c.LDPQPost(32, in[0], arm64.V(0), arm64.V(2))
			c.LDPQPost(32, in[1], arm64.V(1), arm64.V(3))
			c.ST2_4SPost(arm64.V(0), arm64.V(1), out)
			c.ST2_4SPost(arm64.V(2), arm64.V(3), out)
		})
	}
	loop("four", 4, func() {
		for r, p := range in {
			c.LDRQPost(16, p, arm64.V(r))
		}
		switch rows {
		case 2:
			c.ST2_4SPost(arm64.V(0), arm64.V(1), out)
		case 3:
			c.ST3_4SPost(arm64.V(0), arm64.V(1), arm64.V(2), out)
		default:
			c.ST4_4SPost(arm64.V(0), arm64.V(1), arm64.V(2), arm64.V(3), out)
		}
	})
	loop("one", 1, func() {
		for _, p := range in {
			w := c.GP()
			c.LDRWPost(4, p, w)
			c.STRWPost(w, 4, out)
		}
	})
	c.RET()
}
