package conv

import "github.com/flexnnc/flexnnc/avo/arm64"

// block is sixteen lanes: consecutive registers, which one instruction loads or
// stores.
type block [4]arm64.Vec

func blockAt(first int) (b block) {
	for i := range b {
		b[i] = arm64.V(first + i)
	}
	return b
}

// expandNEON is expandTransform for the sixteen channels of a panel at once.
type expandNEON struct {
	*arm64.Context
	m, first int // side of a tile, and the first factor that is loaded
	factors  []arm64.Vec
	half     bool

	cellStep, step arm64.GP // from cell to cell, and from position to position
	to             arm64.GP // the position to be written next
}

// fma adds x times a factor to acc.
func (e *expandNEON) fma(x block, f int, acc block) {
	for i := range x {
		e.FMLAElem(e.factors[(f-e.first)/4], (f-e.first)%4, x[i], acc[i])
	}
}

func (e *expandNEON) mul(x block, f int, d block) {
	for i := range x {
		e.FMULElem(e.factors[(f-e.first)/4], (f-e.first)%4, x[i], d[i])
	}
}

func (e *expandNEON) add(x, y, d block) {
	for i := range x {
		e.FADD(y[i], x[i], d[i])
	}
}

func (e *expandNEON) sub(x, y, d block) {
	for i := range x {
		e.FSUB(y[i], x[i], d[i])
	}
}

func (e *expandNEON) copy(x, d block) {
	for i := range x {
		e.VMOV(x[i], d[i])
	}
}

// load loads a cell and moves on to the next one.
func (e *expandNEON) load(at arm64.GP, d block) {
	if !e.half {
		e.LD1x4_4SPostReg(e.cellStep, at, d[0], d[1], d[2], d[3])
		return
	}
	e.LDPQ(0, at, d[1], d[3])
	for i := 0; i < 4; i += 2 {
		e.FCVTL(d[i+1], d[i])
		e.FCVTL2(d[i+1], d[i+1])
	}
	e.ADD(e.cellStep, at, at)
}

// store writes a position, and moves the pointer on to the next one.
func (e *expandNEON) store(d block, to arm64.GP) {
	e.ST1x4_4SPostReg(d[0], d[1], d[2], d[3], e.step, to)
}

// even makes of three taps the sum e of the pair of positions from i on, and odd the
// difference o, where they are to be e+o and e-o. Either may be made in the place of a tap;
// where keep is set taps stay.
func (e *expandNEON) even(i int, g [3]block, d block, keep bool) block {
	const f = factorsExpand
	acc, x, factor := g[0], g[2], 0
	switch {
	case i == 1 && e.m != 4:
		e.add(g[0], g[2], d)
		return d
	case e.m == 4:
		factor = f + 1 + i
	case i == 3:
		factor = f
	default:
		acc, x, factor = g[2], g[0], f
	}
	if keep {
		e.copy(acc, d)
		acc = d
	}
	e.fma(x, factor, acc)
	return acc
}

func (e *expandNEON) odd(i int, g, d block) block {
	switch {
	case e.m == 4:
		e.mul(g, factorsExpand+i, d)
	case i == 1:
		return g
	default:
		e.add(g, g, d)
	}
	return d
}

// row expands three columns to the positions of a row. It spoils the columns and t.
func (e *expandNEON) row(g, t [3]block) {
	e.store(g[0], e.to)
	for i := 1; i < e.m+1; i += 2 {
		// With side 4 the first tap is not needed any more for the last pair.
		even := e.even(i, g, t[0], e.m != 4 || i < 3)
		odd := e.odd(i, g[1], t[1])
		e.add(even, odd, t[2])
		e.store(t[2], e.to)
		e.sub(even, odd, t[2])
		e.store(t[2], e.to)
	}
	e.store(g[2], e.to)
}

// winogradExpandNEON generates the kernel that expands weights. Rows of positions are made
// two at a time, for which the taps are loaded anew; the second one's columns wait where
// the first positions of that row will be.
func winogradExpandNEON(c *arm64.Context, name string, m int, half bool) {
	c.Function(name, "func(a *winogradArgs)", name+" transforms weights; see winogradArgs.")
	n := m + 2
	args := c.Load("a")
	e := &expandNEON{Context: c, m: m, first: factorsExpand, half: half}
	if m > 2 {
		e.factors = []arm64.Vec{arm64.V(28), arm64.V(29)}
		at := field(c, args, winogradFactors)
		c.LDPQ(4*factorsExpand, at, e.factors[0], e.factors[1])
	}
	from := field(c, args, winogradFrom)
	e.cellStep, e.step, e.to = field(c, args, winogradFromStep), field(c, args, winogradToStep), field(c, args, winogradTo)
	count := field(c, args, winogradN)
	columns := [3]block{blockAt(0), blockAt(4), blockAt(8)}
	temporary := [3]block{blockAt(12), blockAt(16), blockAt(20)}
	last := blockAt(24)
	three, rowStep, all := c.GP(), c.GP(), c.GP()
	c.ADDLSL(e.cellStep, 1, e.cellStep, three)
	c.MOVImm(uint64(n), rowStep)
	c.MUL(e.step, rowStep, rowStep)
	c.MOVImm(uint64(n), all)
	c.MUL(rowStep, all, all)
	c.SUBI(4*PanelWidth, all, all)
	taps := []arm64.GP{from, c.GP(), c.GP()}
	for i := range 2 {
		c.ADD(three, taps[i], taps[i+1])
	}
	c.Label("loop")
	edge := func(i int) {
		for _, g := range columns {
			e.load(taps[i], g)
		}
		c.SUB(three, taps[i], taps[i])
		e.row(columns, temporary)
	}
	edge(0)
	for i := 1; i < m+1; i += 2 {
		wait := c.GP()
		c.ADD(rowStep, e.to, wait)
		for _, to := range columns {
			for k, at := range taps {
				e.load(at, temporary[k])
			}
			even := e.even(i, temporary, temporary[0], false)
			odd := e.odd(i, temporary[1], temporary[1])
			e.add(even, odd, to)
			e.sub(even, odd, last)
			e.store(last, wait)
		}
		for _, at := range taps {
			c.SUB(three, at, at)
		}
		e.row(columns, temporary)
		wait = c.GP()
		c.MOV(e.to, wait)
		for _, g := range columns {
			c.LD1x4_4SPostReg(e.step, wait, g[0], g[1], g[2], g[3])
		}
		e.row(columns, temporary)
	}
	edge(2)
	for _, at := range taps {
		c.ADDI(weightRow(half), at, at)
	}
	c.SUB(all, e.to, e.to)
	c.SUBI(1, count, count)
	c.CBNZ(count, "loop")
	c.RET()
}
