package conv

import "github.com/flexnnc/flexnnc/avo/arm64"

// blocksNEON are transforms of tiles of 4 x 4 pixels for sixteen channels at a time: six
// blocks of registers hold a row or column, a seventh its next result. What a result is
// accumulated on and is needed again is loaded anew, which is one instruction where a copy
// is four. The last block's registers have the factors, and one to spare.
type blocksNEON struct {
	expandNEON
	x [6]block
	t block
}

func newBlocksNEON(c *arm64.Context, args arm64.GP, first, factors int) *blocksNEON {
	b := &blocksNEON{expandNEON: expandNEON{Context: c, m: 4, first: first}}
	for i := range b.x {
		b.x[i] = blockAt(4 * i)
	}
	b.t = blockAt(24)
	at := field(c, args, winogradFactors)
	for i := range factors {
		b.factors = append(b.factors, arm64.V(28+i))
		c.LDRQ(4*first+16*i, at, b.factors[i])
	}
	return b
}

// constant is a register with a number of either sign.
func constant(c *arm64.Context, v int) arm64.GP {
	d := c.GP()
	c.MOVImm(uint64(v), d)
	return d
}

// get loads a block and moves on by step, put stores one.
func (b *blocksNEON) get(at, step arm64.GP, d block) {
	b.LD1x4_4SPostReg(step, at, d[0], d[1], d[2], d[3])
}

func (b *blocksNEON) put(d block, step, at arm64.GP) {
	b.ST1x4_4SPostReg(d[0], d[1], d[2], d[3], step, at)
}

// stay loads a block.
func (b *blocksNEON) stay(at arm64.GP, d block) { b.LD1x4_4S(at, d[0], d[1], d[2], d[3]) }

// input is inputTransform of x: third and fourth load x[3] and x[4] again, the latter twice.
// Results come in the order 5, 0, 1, 2, 3, 4.
func (b *blocksNEON) input(third, fourth func(d block), out func(i int, d block)) {
	const f = factorsInput4
	x := b.x
	b.fma(x[3], f, x[5])
	b.fma(x[1], f+1, x[5])
	out(5, x[5])
	fourth(x[5])
	b.fma(x[2], f, x[5])
	b.fma(x[0], f+1, x[5])
	out(0, x[5])
	fourth(x[5])
	b.fma(x[2], f+2, x[5])
	third(x[0])
	b.fma(x[1], f+2, x[0])
	b.mul(x[0], f+4, x[0])
	b.add(x[5], x[0], b.t)
	out(1, b.t)
	b.sub(x[5], x[0], x[5])
	out(2, x[5])
	b.fma(x[2], f+3, x[4])
	b.fma(x[1], f+3, x[3])
	b.mul(x[3], f+5, x[3])
	b.add(x[4], x[3], b.t)
	out(3, b.t)
	b.sub(x[4], x[3], x[4])
	out(4, x[4])
}

// output is outputTransform of x; bias loads the biases, or is nil. Beside each result
// comes a block that is free.
func (b *blocksNEON) output(bias func(d block), out func(i int, d, free block)) {
	const f = factorsOutput4
	x, t := b.x, b.t
	plus := func(y block, factor int, d block) {
		if bias == nil {
			b.mul(y, factor, d)
			return
		}
		bias(d)
		b.fma(y, factor, d)
	}
	b.add(x[1], x[2], t)
	b.sub(x[1], x[2], x[2])
	b.add(x[3], x[4], x[1])
	b.sub(x[3], x[4], x[4])
	if bias != nil {
		bias(x[3])
		b.add(x[5], x[3], x[5])
	}
	plus(x[0], f, x[3])
	b.fma(t, f+1, x[3])
	b.fma(x[1], f+5, x[3])
	out(0, x[3], x[0])
	plus(x[2], f+2, x[0])
	b.fma(x[4], f+6, x[0])
	out(1, x[0], x[3])
	plus(t, f+3, x[3])
	b.fma(x[1], f+7, x[3])
	out(2, x[3], t)
	b.fma(x[2], f+4, x[5])
	b.fma(x[4], f+8, x[5])
	out(3, x[5], t)
}

// relu makes x < 0 ? 0 : x.
func (b *blocksNEON) relu(d, free block) {
	for i := range d {
		b.FCMLT0(d[i], free[i])
	}
	for i := range d {
		b.BIC_16B(free[i], d[i], d[i])
	}
}

// winogradInputBlocks emits the loop over sixteens of count channels of tiles of 4 x 4.
// What remains is left to what follows.
func winogradInputBlocks(c *arm64.Context, args, from, ind, tmp, to, step, count arm64.GP) {
	const (
		n      = 6
		vector = 4 * PanelWidth
		row    = n * vector
	)
	b := newBlocksNEON(c, args, factorsInput4, 2)
	c.SUBSI(PanelWidth, count, count)
	c.BMI("rest")
	forth, back, next, again := constant(c, row), constant(c, -5*vector), constant(c, row+vector), constant(c, -row)
	column := constant(c, vector-5*row)
	six, toRow, toBack, toNext := constant(c, n), c.GP(), c.GP(), c.GP()
	c.MUL(six, step, toRow)
	c.ADDLSL(toRow, 2, toRow, toBack)
	c.ADD(toRow, step, toNext)
	c.NEG(toBack, toBack)
	c.Label("sixteen")
	at, cell, left := c.GP(), c.GP(), c.GP()
	c.ADDI(5*vector, tmp, at)
	c.MOV(ind, cell)
	c.MOVImm(n, left)
	c.Label("row")
	var o [n]arm64.GP
	for j := range o {
		o[j] = c.GP()
	}
	for j := 0; j < n; j += 2 {
		c.LDPWPost(8, cell, o[j], o[j+1])
	}
	for j, o := range o {
		c.ADD(from, o, o)
		b.stay(o, b.x[j])
	}
	b.input(func(d block) { b.stay(o[3], d) }, func(d block) { b.stay(o[4], d) }, func(i int, d block) {
		switch i {
		case 5:
			b.put(d, back, at)
		case 4:
			b.put(d, next, at)
		default:
			c.ST1x4_4SPost(d[0], d[1], d[2], d[3], at)
		}
	})
	c.SUBI(1, left, left)
	c.CBNZ(left, "row")
	x, y, z := c.GP(), c.GP(), c.GP()
	c.MOV(tmp, x)
	c.ADDI(4*row, tmp, y)
	c.SUB(toBack, to, z)
	c.MOVImm(n, left)
	c.Label("column")
	for i := range n {
		by := forth
		if i == n-1 {
			by = column
		}
		b.get(x, by, b.x[i])
	}
	second := false
	b.input(func(d block) { b.get(y, next, d) }, func(d block) {
		if second {
			b.get(y, again, d)
		} else {
			b.stay(y, d)
		}
		second = true
	}, func(i int, d block) {
		switch i {
		case 5:
			b.put(d, toBack, z)
		case 4:
			b.put(d, toNext, z)
		default:
			b.put(d, toRow, z)
		}
	})
	c.SUBI(1, left, left)
	c.CBNZ(left, "column")
	c.ADDI(vector, from, from)
	c.ADDI(vector, to, to)
	c.SUBSI(PanelWidth, count, count)
	c.BPL("sixteen")
	c.Label("rest")
	c.ADDI(PanelWidth, count, count)
}

// winogradOutputBlocks emits the transform of a whole panel of sums of tiles of 4 x 4,
// and goes on at "rest" where count is less.
func winogradOutputBlocks(c *arm64.Context, args, from, step, tmp, to, ind, w, count, act arm64.GP) {
	const (
		m, n   = 4, 6
		vector = 4 * PanelWidth
		row    = m * vector
	)
	c.CMPI(PanelWidth, count)
	c.BLT("rest")
	b := newBlocksNEON(c, args, factorsOutput4, 3)
	six, down, column := constant(c, n), c.GP(), c.GP()
	c.MUL(six, step, down)
	c.ADDLSL(down, 2, down, column)
	c.SUB(column, step, column)
	x, at, left := c.GP(), c.GP(), c.GP()
	c.MOV(from, x)
	c.MOV(tmp, at)
	c.MOVImm(n, left)
	c.Label("column")
	for i := range n {
		by := down
		if i == n-1 {
			by = column
		}
		b.get(x, by, b.x[i])
	}
	b.output(nil, func(_ int, d, _ block) { c.ST1x4_4SPost(d[0], d[1], d[2], d[3], at) })
	c.SUBI(1, left, left)
	c.CBNZ(left, "column")
	forth, back := constant(c, row), constant(c, vector-5*row)
	y := c.GP()
	c.MOV(tmp, y)
	c.MOVImm(m, left)
	c.CBNZ(act, "relu")
	rows := func(label string, relu bool) {
		c.Label(label)
		for j := range n {
			by := forth
			if j == n-1 {
				by = back
			}
			b.get(y, by, b.x[j])
		}
		var o [m]arm64.GP
		for j := range o {
			o[j] = c.GP()
		}
		for j := 0; j < m; j += 2 {
			c.LDPWPost(8, ind, o[j], o[j+1])
		}
		b.output(func(d block) { b.stay(w, d) }, func(j int, d, free block) {
			if relu {
				b.relu(d, free)
			}
			c.ADD(to, o[j], o[j])
			c.ST1x4_4S(d[0], d[1], d[2], d[3], o[j])
		})
		c.SUBI(1, left, left)
		c.CBNZ(left, label)
		c.RET()
	}
	rows("plain", false)
	rows("relu", true)
	c.Label("rest")
}
