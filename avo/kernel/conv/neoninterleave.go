package conv

import (
	"fmt"

	"github.com/flexnnc/flexnnc/avo/arm64"
)

// MostInterleaved is the most rows that every ISA has a kernel for that interleaves them.
const MostInterleaved = 3

// interleaveRows are the numbers of rows that an ISA has kernels for.
func (i ISA) interleaveRows() []int {
	switch i {
	case NEON:
		return []int{2, 3, 4}
	}
	return []int{2, 3}
}

func interleaveName(i ISA, rows int) string { return fmt.Sprintf("interleaveF32x%d%s", rows, i) }

// interleaveNEON generates the kernel that interleaves some rows of each plane: four
// columns at a time, which a store of several registers orders, then one.
func interleaveNEON(c *arm64.Context, rows int) {
	c.Function(interleaveName(NEON, rows), "func(a *transposeArgs)",
		fmt.Sprintf("%s interleaves %d rows of each plane; see transposeArgs.", interleaveName(NEON, rows), rows))
	args := c.Load("a")
	step, planes := field(c, args, transposeInStep), field(c, args, transposePlanes)
	from, to := field(c, args, transposeIn), field(c, args, transposeOut)
	inPlane, outPlane := field(c, args, transposeInPlane), field(c, args, transposeOutPlane)
	c.Label("plane")
	out, in := c.GP(), []arm64.GP{c.GP()}
	c.MOV(to, out)
	c.MOV(from, in[0])
	cols := field(c, args, transposeCols)
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
	c.ADD(inPlane, from, from)
	c.ADD(outPlane, to, to)
	c.SUBI(1, planes, planes)
	c.CBNZ(planes, "plane")
	c.RET()
}

// transposeNEON generates the kernel that turns blocks of 4 by 4 in registers.
func transposeNEON(c *arm64.Context) {
	const n = 4
	name := NEON.transposeName()
	c.Function(name, "func(a *transposeArgs)",
		fmt.Sprintf("%s transposes matrices of multiples of %d rows and columns; see transposeArgs.", name, n))
	args := c.Load("a")
	in, out, rows := field(c, args, transposeIn), field(c, args, transposeOut), field(c, args, transposeRows)
	inStep, outStep := field(c, args, transposeInStep), field(c, args, transposeOutStep)
	c.Label("rows")
	from, to := [n]arm64.GP{}, [n]arm64.GP{}
	for i := range n {
		from[i], to[i] = c.GP(), c.GP()
		if i == 0 {
			c.MOV(in, from[0])
			c.MOV(out, to[0])
		} else {
			c.ADD(inStep, from[i-1], from[i])
			c.ADD(outStep, to[i-1], to[i])
		}
	}
	left := field(c, args, transposeCols)
	c.Label("block")
	r, low, high := quads(c, n), quads(c, 2), quads(c, 2)
	for i, p := range from {
		c.LDRQPost(16, p, r[i])
	}
	for i := range 2 {
		c.ZIP1_4S(r[2*i+1], r[2*i], low[i])
		c.ZIP2_4S(r[2*i+1], r[2*i], high[i])
	}
	for i, pair := range [][]arm64.Vec{low, high} {
		even, odd := c.Vec(), c.Vec()
		c.ZIP1_2D(pair[1], pair[0], even)
		c.ZIP2_2D(pair[1], pair[0], odd)
		c.STRQ(even, 0, to[2*i])
		c.STRQ(odd, 0, to[2*i+1])
	}
	for _, p := range to {
		c.ADDLSL(outStep, 2, p, p)
	}
	c.SUBI(n, left, left)
	c.CBNZ(left, "block")
	c.ADDLSL(inStep, 2, in, in)
	c.ADDI(4*n, out, out)
	c.SUBI(n, rows, rows)
	c.CBNZ(rows, "rows")
	c.RET()
}
