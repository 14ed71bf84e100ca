package conv

import (
	"fmt"

	"github.com/flexnnc/flexnnc/avo/arm64"
)

// neonArith is arith on vector registers, with four factors in a register.
type neonArith struct {
	*arm64.Context
	factors []arm64.Vec
	first   int // the factor in the first lane
}

// factorRegisters loads the factors that kernels of a kind use, from the first on.
func factorRegisters(c *arm64.Context, args arm64.GP, first, registers int) neonArith {
	a := neonArith{c, quads(c, registers), first}
	at := field(c, args, winogradFactors)
	for i, f := range a.factors {
		c.LDRQ(4*first+16*i, at, f)
	}
	return a
}

func (a neonArith) add(x, y arm64.Vec) arm64.Vec {
	d := a.Vec()
	a.FADD(y, x, d)
	return d
}

func (a neonArith) sub(x, y arm64.Vec) arm64.Vec {
	d := a.Vec()
	a.FSUB(y, x, d)
	return d
}

func (a neonArith) mul(x arm64.Vec, f int) arm64.Vec {
	d := a.Vec()
	a.FMULElem(a.factors[(f-a.first)/4], (f-a.first)%4, x, d)
	return d
}

func (a neonArith) fma(x arm64.Vec, f int, acc arm64.Vec, last bool) arm64.Vec {
	d := acc
	if !last {
		d = a.Vec()
		a.VMOV(acc, d)
	}
	a.FMLAElem(a.factors[(f-a.first)/4], (f-a.first)%4, x, d)
	return d
}

// tileRows are pointers to the rows of a tile's positions.
func tileRows(c *arm64.Context, at, step arm64.GP, n int) []arm64.GP {
	rows := []arm64.GP{at}
	rowStep, by := c.GP(), c.GP()
	c.MOVImm(uint64(n), by)
	c.MUL(by, step, rowStep)
	for i := 1; i < n; i++ {
		p := c.GP()
		c.ADD(rowStep, rows[i-1], p)
		rows = append(rows, p)
	}
	return rows
}

// moves loads and stores 4 channels, or 1, at a base plus an offset in a register.
type moves struct {
	load  func(offset, base arm64.GP, x arm64.Vec)
	store func(x arm64.Vec, offset, base arm64.GP)
}

func move(c *arm64.Context, lanes int) moves {
	if lanes == 1 {
		return moves{c.LDRSReg, c.STRSReg}
	}
	return moves{c.LDRQReg, c.STRQReg}
}

// byQuads emits the loop over channels of a transform in two passes: first makes what the
// second needs of up to `wide` channels at a time, by quads, or of a single one, to tmp,
// where each quad has so many bytes; second works off a quad, or a single channel.
func byQuads(c *arm64.Context, count, tmp arm64.GP, wide, bytes int, first func(tmp []arm64.GP, lanes int), second func(tmp arm64.GP, lanes int, label string)) {
	places := []arm64.GP{tmp}
	for q := 1; q < wide/4; q++ {
		places = append(places, c.GP())
		c.ADDI(bytes, places[q-1], places[q])
	}
	quads, at := c.GP(), c.GP()
	c.Label("wide")
	if wide > 4 {
		c.SUBSI(wide, count, count)
		c.BMI("narrow")
		first(places, 4)
		c.MOVImm(uint64(wide/4), quads)
		c.B("quads")
		c.Label("narrow")
		c.ADDI(wide, count, count)
	}
	c.CBZ(count, "done")
	c.SUBSI(4, count, count)
	c.BMI("few")
	first(places[:1], 4)
	c.MOVImm(1, quads)
	c.Label("quads")
	c.MOV(tmp, at)
	c.Label("quad")
	second(at, 4, "quad")
	c.ADDI(bytes, at, at)
	c.SUBI(1, quads, quads)
	c.CBNZ(quads, "quad")
	c.B("wide")
	c.Label("few")
	c.ADDI(4, count, count)
	c.CBZ(count, "done")
	c.Label("single")
	first(places[:1], 1)
	second(tmp, 1, "single")
	c.SUBI(1, count, count)
	c.CBNZ(count, "single")
	c.Label("done")
	c.RET()
}

// wideFor is the channels that the first pass of a transform of so many rows or columns
// has registers for. Where there are six, sixteens are made before, by blocks.
func wideFor(n int) int {
	switch {
	case n > 6:
		return 8
	case n == 6:
		return 4
	}
	return 16
}

// lists are n lists of consecutive registers for some quads of channels each.
func lists(n, quads int) [][]arm64.Vec {
	var l [][]arm64.Vec
	for i := range n {
		var r []arm64.Vec
		for q := range quads {
			r = append(r, arm64.V(i*quads+q))
		}
		l = append(l, r)
	}
	return l
}

func winogradInputNEON(c *arm64.Context, name string, m int) {
	c.Function(name, "func(a *winogradArgs)", name+" transforms the inputs of a tile; see winogradArgs.")
	n := m + 2
	args := c.Load("a")
	var a neonArith
	switch m {
	case 2:
		a = neonArith{Context: c}
	case 4:
		a = factorRegisters(c, args, factorsInput4, 2)
	case 6:
		a = factorRegisters(c, args, factorsInput6, 2)
	}
	from, ind, tmp := field(c, args, winogradFrom), field(c, args, winogradInd), field(c, args, winogradTmp)
	to, step, count := field(c, args, winogradTo), field(c, args, winogradToStep), field(c, args, winogradN)
	if m == 4 {
		winogradInputBlocks(c, args, from, ind, tmp, to, step, count)
		c.CBZ(count, "done")
	}
	rows := tileRows(c, to, step, n)
	channel := c.GP()
	c.MOVZ(0, 0, channel)
	byQuads(c, count, tmp, wideFor(n), 16*n*n, func(tmp []arm64.GP, lanes int) {
		for i := range n {
			cells := lists(n, len(tmp))
			for j := 0; j < n; j += 2 {
				o := []arm64.GP{c.GP(), c.GP()}
				c.LDPW(4*(i*n+j), ind, o[0], o[1])
				for k, o := range o {
					d := cells[j+k]
					switch len(d) {
					case 4:
						c.ADD(from, o, o)
						c.LD1x4_4S(o, d[0], d[1], d[2], d[3])
					case 2:
						c.ADD(from, o, o)
						c.LDPQ(0, o, d[0], d[1])
					default:
						move(c, lanes).load(o, from, d[0])
					}
				}
			}
			for q, tmp := range tmp {
				d, v := make([]arm64.Vec, n), make([]arm64.Vec, n)
				for j := range d {
					d[j] = cells[j][q]
				}
				inputTransform[arm64.Vec](a, m, d, func(j int, x arm64.Vec) { v[j] = x })
				for j := 0; j < n; j += 2 {
					c.STPQ(v[j], v[j+1], 16*(i*n+j), tmp)
				}
			}
		}
		c.ADDI(4*lanes*len(tmp), from, from)
	}, func(tmp arm64.GP, lanes int, _ string) {
		at := c.GP()
		c.MOV(channel, at)
		for j := 0; j < n; j += 2 {
			d0, d1 := quads(c, n), quads(c, n)
			for i := range n {
				c.LDPQ(16*(i*n+j), tmp, d0[i], d1[i])
			}
			for _, d := range [][]arm64.Vec{d0, d1} {
				inputTransform[arm64.Vec](a, m, d, func(i int, x arm64.Vec) { move(c, lanes).store(x, at, rows[i]) })
				c.ADD(step, at, at)
			}
		}
		c.ADDI(4*lanes, channel, channel)
	})
}

func winogradOutputNEON(c *arm64.Context, name string, m int) {
	c.Function(name, "func(a *winogradArgs)", name+" transforms the sums of a tile to outputs; see winogradArgs.")
	n := m + 2
	args := c.Load("a")
	var a neonArith
	switch m {
	case 2:
		a = factorRegisters(c, args, factorsOutput2, 1)
	case 4:
		a = factorRegisters(c, args, factorsOutput4, 3)
	case 6:
		a = factorRegisters(c, args, factorsOutput6, 4)
	}
	from, step, tmp := field(c, args, winogradFrom), field(c, args, winogradFromStep), field(c, args, winogradTmp)
	to, ind, w := field(c, args, winogradTo), field(c, args, winogradInd), field(c, args, winogradW)
	count, act := field(c, args, winogradN), field(c, args, winogradAct)
	if m == 4 {
		winogradOutputBlocks(c, args, from, step, tmp, to, ind, w, count, act)
	}
	rowStep, by := c.GP(), c.GP()
	c.MOVImm(uint64(n), by)
	c.MUL(by, step, rowStep)
	byQuads(c, count, tmp, wideFor(n), 16*m*n, func(tmp []arm64.GP, lanes int) {
		// Pointers to the rows of positions walk along the columns.
		rows := []arm64.GP{c.GP()}
		c.MOV(from, rows[0])
		for i := 1; i < n; i++ {
			rows = append(rows, c.GP())
			c.ADD(rowStep, rows[i-1], rows[i])
		}
		for j := range n {
			sums := lists(n, len(tmp))
			for i, x := range sums {
				switch {
				case len(x) == 4:
					c.LD1x4_4SPostReg(step, rows[i], x[0], x[1], x[2], x[3])
				case len(x) == 2:
					c.LD1x2_4SPostReg(step, rows[i], x[0], x[1])
				case lanes == 4:
					c.LD1x1_4SPostReg(step, rows[i], x[0])
				default:
					c.LDRS(0, rows[i], x[0])
					c.ADD(step, rows[i], rows[i])
				}
			}
			for q, tmp := range tmp {
				x := make([]arm64.Vec, n)
				for i := range x {
					x[i] = sums[i][q]
				}
				y := make([]arm64.Vec, m)
				outputTransform[arm64.Vec](a, m, x, nil, func(i int, v arm64.Vec) { y[i] = v })
				for i := 0; i < m; i += 2 {
					c.STPQ(y[i], y[i+1], 16*(j*m+i), tmp)
				}
			}
		}
		c.ADDI(4*lanes*len(tmp), from, from)
	}, func(tmp arm64.GP, lanes int, label string) {
		bias := c.Vec()
		if lanes == 4 {
			c.LDRQPost(16, w, bias)
		} else {
			c.LDRSPost(4, w, bias)
		}
		for i := 0; i < m; i += 2 {
			x := [][]arm64.Vec{quads(c, n), quads(c, n)}
			for j := range n {
				c.LDPQ(16*(j*m+i), tmp, x[0][j], x[1][j])
			}
			for r, x := range x {
				y := make([]arm64.Vec, m)
				outputTransform[arm64.Vec](a, m, x, &bias, func(j int, v arm64.Vec) { y[j] = v })
				reluNEON(c, act, y, fmt.Sprintf("%sstore%d", label, i+r))
				for j := 0; j < m; j += 2 {
					o0, o1 := c.GP(), c.GP()
					c.LDPW(4*((i+r)*m+j), ind, o0, o1)
					for k, o := range []arm64.GP{o0, o1} {
						move(c, lanes).store(y[j+k], o, to)
					}
				}
			}
		}
		c.ADDI(4*lanes, to, to)
	})
}

// winogradProductNEON generates the product kernel of some rows, at most 5, and one
// panel. A row's sums, and the weights of a term, are four registers in a row, which
// one instruction loads or stores.
func winogradProductNEON(c *arm64.Context, t Tile) {
	c.Function(productName(t), "func(a *winogradArgs)",
		fmt.Sprintf("%s multiplies blocks of %d rows by a panel, for one position after the other; see winogradArgs.", productName(t), t.Pixels))
	args := c.Load("a")
	position, fromStep := field(c, args, winogradFrom), field(c, args, winogradFromStep)
	sums, toStep := field(c, args, winogradTo), field(c, args, winogradToStep)
	v := &tileNEON{Context: c, pixels: t.Pixels, panels: 1, quads: 4, args: args, k: field(c, args, winogradN), w: []arm64.GP{c.GP()}}
	if t.Pixels >= loopPixels {
		v.inOrder = field(c, args, winogradInOrder)
	}
	for m := range t.Pixels {
		v.acc = append(v.acc, []arm64.Vec{arm64.V(4 * m), arm64.V(4*m + 1), arm64.V(4*m + 2), arm64.V(4*m + 3)})
	}
	var free []arm64.Vec
	for i := range 8 {
		free = append(free, arm64.V(24+i))
	}
	v.b = [4]arm64.Vec{arm64.V(20), arm64.V(21), arm64.V(22), arm64.V(23)}
	v.imageRegisters(free[:min(len(free), 2*t.Pixels)])
	w, positions := field(c, args, winogradW), field(c, args, winogradPositions)
	from, to, blocks := c.GP(), c.GP(), c.GP()
	c.Label("position")
	c.MOV(position, from)
	c.MOV(sums, to)
	c.LDRX(winogradBlocks, args, blocks)
	c.Label("block")
	c.CBZ(field(c, args, winogradAdd), "zero")
	at := c.GP()
	c.MOV(to, at)
	for _, acc := range v.acc {
		c.LD1x4_4SPostReg(toStep, at, acc[0], acc[1], acc[2], acc[3])
	}
	c.B("start")
	c.Label("zero")
	if t.Pixels >= loopPixels {
		c.CBNZ(v.inOrder, "zeros")
	}
	zeros := field(c, args, winogradFactors)
	c.ADDI(4*factorsZeros, zeros, zeros)
	for _, acc := range v.acc {
		c.LD1x4_4S(zeros, acc[0], acc[1], acc[2], acc[3])
	}
	c.Label("start")
	c.MOV(w, v.w[0])
	a := []arm64.GP{c.GP()}
	c.MOV(from, a[0])
	for m := 1; m < t.Pixels; m++ {
		a = append(a, c.GP())
		c.ADD(fromStep, a[m-1], a[m])
	}
	c.ADD(fromStep, a[len(a)-1], from)
	v.terms(a, c.GP(), "store")
	c.Label("store")
	for _, acc := range v.acc {
		c.ST1x4_4SPostReg(acc[0], acc[1], acc[2], acc[3], toStep, to)
	}
	c.SUBI(1, blocks, blocks)
	c.CBNZ(blocks, "block")
	c.ADD(field(c, args, winogradFromPosition), position, position)
	c.ADD(field(c, args, winogradToPosition), sums, sums)
	c.ADD(field(c, args, winogradWPosition), w, w)
	c.SUBSI(1, positions, positions)
	c.BGT("position")
	c.RET()
	if t.Pixels >= loopPixels {
		// A load of four registers takes longer there.
		c.Label("zeros")
		for _, acc := range v.acc {
			for _, r := range acc {
				c.VZERO(r)
			}
		}
		c.B("start")
	}
	if v.split != nil {
		v.split()
	}
}
