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

// expandNEON is winogradExpand1 for the sixteen channels of a panel at once.
type expandNEON struct {
	*arm64.Context
	m, first int // side of a tile, and the first factor that is loaded
	factors  []arm64.Vec
	half     bool

	cellStep, stepTo arm64.GP // from cell to cell, and from position to position
	to               arm64.GP // the position to be written next
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
	e.ST1x4_4SPostReg(d[0], d[1], d[2], d[3], e.stepTo, to)
}

// step adds a tap times a factor to acc.
func (e *expandNEON) step(s expandStep, tap, acc block) {
	switch s.factor {
	case added:
		e.add(acc, tap, acc)
	case subtracted:
		e.sub(acc, tap, acc)
	default:
		e.fma(tap, s.factor, acc)
	}
}

// row expands three columns to the positions of a row. It spoils the first one.
func (e *expandNEON) row(g [3]block) {
	e.store(g[0], e.to)
	for _, steps := range expandSteps(e.m) {
		for _, s := range steps {
			e.step(s, g[s.tap], g[0])
		}
		e.store(g[0], e.to)
	}
	e.store(g[2], e.to)
}

// winogradExpandNEON generates the kernel that expands weights. Three blocks of registers
// hold the columns of a row of positions, from which those of the next one are made, and
// three more the middle taps. What a row spoils is loaded from where it has been stored.
func winogradExpandNEON(c *arm64.Context, name string, m int, half bool) {
	c.Function(name, "func(a *winogradArgs)", name+" transforms weights; see winogradArgs.")
	n := m + 2
	args := c.Load("a")
	e := &expandNEON{Context: c, m: m, first: factorsExpand6, half: half, factors: []arm64.Vec{arm64.V(28), arm64.V(29)}}
	if m == 4 {
		e.first = factorsExpand4
	}
	c.LDPQ(4*e.first, field(c, args, winogradFactors), e.factors[0], e.factors[1])
	from := field(c, args, winogradFrom)
	e.cellStep, e.stepTo, e.to = field(c, args, winogradFromStep), field(c, args, winogradToStep), field(c, args, winogradTo)
	count := field(c, args, winogradN)
	columns := [3]block{blockAt(0), blockAt(4), blockAt(8)}
	middle := [3]block{blockAt(12), blockAt(16), blockAt(20)}
	tap := blockAt(24)
	three, rowStep, again := c.GP(), c.GP(), c.GP()
	c.ADDLSL(e.cellStep, 1, e.cellStep, three)
	c.MOVImm(uint64(n), rowStep)
	c.MUL(e.stepTo, rowStep, rowStep)
	next, first := c.GP(), c.GP() // to what follows the taps of a panel's row, and to its first position
	c.ADDLSL(three, 1, three, next)
	c.NEG(next, next)
	c.ADDI(weightRow(half), next, next)
	c.MUL(constant(c, n), rowStep, first)
	c.NEG(first, first)
	c.ADDI(4*PanelWidth, first, first)
	c.MOV(e.to, again)
	c.Label("loop")
	taps := func(g [3]block) {
		for _, g := range g {
			e.load(from, g)
		}
	}
	taps(columns)
	e.row(columns)
	taps(middle)
	for _, steps := range expandSteps(m) {
		c.LD1x4_4SPostReg(rowStep, again, columns[0][0], columns[0][1], columns[0][2], columns[0][3])
		for _, s := range steps {
			for k, acc := range columns {
				if s.tap == 1 {
					e.step(s, middle[k], acc)
					continue
				}
				e.load(from, tap)
				e.step(s, tap, acc)
			}
			if s.tap == 2 {
				c.SUB(three, from, from)
			}
		}
		e.row(columns)
	}
	taps(columns)
	e.row(columns)
	c.ADD(next, from, from)
	c.ADD(first, e.to, e.to)
	c.MOV(e.to, again)
	c.SUBI(1, count, count)
	c.CBNZ(count, "loop")
	c.RET()
}
