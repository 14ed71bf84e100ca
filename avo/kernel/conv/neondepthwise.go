package conv

import (
	"fmt"

	"github.com/flexnnc/flexnnc/avo/arm64"
)

// Run is the shape of a kernel that makes depthwise convolutions along a row: the
// width of its windows and their distance.
type Run struct {
	Width, Stride int
	Half          bool
}

// Runs are all that there are for a form of weights, on NEON.
func Runs(half bool) []Run {
	return []Run{{3, 1, half}, {3, 2, half}, {5, 1, half}, {5, 2, half}}
}

// Name is the kernel's: depthwiseRunF32w3s1NEON.
func (r Run) Name() string {
	return fmt.Sprintf("depthwiseRun%sw%ds%dNEON", weightName(r.Half), r.Width, r.Stride)
}

// runPixels is the pixels that a kernel of a run makes at a time; it also needs as
// many.
const runPixels = 4

// loadWeightsNEON loads len(d) quads of weights at off bytes from w.
func loadWeightsNEON(c *arm64.Context, w arm64.GP, off int, half bool, d []arm64.Vec) {
	if !half {
		for i := 0; i < len(d); i += 2 {
			if i+1 == len(d) {
				c.LDRQ(off+16*i, w, d[i])
			} else {
				c.LDPQ(off+16*i, w, d[i], d[i+1])
			}
		}
		return
	}
	for i := 0; i < len(d); i += 2 {
		if i+1 == len(d) {
			c.LDRD(off+8*i, w, d[i])
			c.FCVTL(d[i], d[i])
			break
		}
		c.LDRQ(off+8*i, w, d[i+1])
		c.FCVTL(d[i+1], d[i])
		c.FCVTL2(d[i+1], d[i+1])
	}
}

// depthwiseRunNEON generates the kernel of a run. Each cell of the image is loaded
// once per four pixels; it meets as many weights as windows hold it. A window's
// terms are still added in its order. Up to half a window may lie beyond a side.
func depthwiseRunNEON(c *arm64.Context, r Run) {
	c.Function(r.Name(), "func(a *depthwiseRunArgs)",
		fmt.Sprintf("%s computes pixels of a row from windows of %d columns at a distance of %d; see depthwiseRunArgs.", r.Name(), r.Width, r.Stride))
	args := c.Load("a")
	k := &runNEON{Context: c, Run: r, args: args,
		base: field(c, args, runBase), rows: field(c, args, runRows), out: field(c, args, runOut), outStep: field(c, args, runOutStep),
		act: field(c, args, runAct), done: c.GP()}
	count := field(c, args, runChannels)
	c.MOVZ(0, 0, k.done)
	blocks := []int{16, 8, 4, 1}
	if r.Width == 5 {
		blocks = blocks[1:] // more registers than there are
	}
	for i, n := range blocks {
		label := fmt.Sprintf("by%d", n)
		next := "done"
		if i+1 < len(blocks) {
			next = fmt.Sprintf("by%d", blocks[i+1])
		}
		c.Label(label)
		c.CMPI(n, count)
		c.BLT(next)
		// Where the block lies in its panel.
		panel, lane := c.GP(), c.GP()
		k.bias, k.first = c.GP(), c.GP()
		c.LSRI(4, k.done, panel)
		c.ANDI(PanelWidth-1, k.done, lane)
		c.MADD(field(c, args, runWStep), field(c, args, runW), panel, panel)
		c.ADDI(4*PanelWidth, panel, k.first)
		c.LSLI(2, lane, lane)
		c.ADD(lane, panel, k.bias)
		if r.Half {
			c.LSRI(1, lane, lane)
		}
		c.ADD(lane, k.first, k.first)
		k.block(n, label, i == 0)
		c.ADDI(n, k.done, k.done)
		c.ADDI(4*n, k.base, k.base)
		c.ADDI(4*n, k.out, k.out)
		c.SUBI(n, count, count)
		c.B(label)
	}
	c.Label("done")
	c.RET()
}

type runNEON struct {
	*arm64.Context
	Run
	args, base, rows, out, outStep, act arm64.GP
	done                                arm64.GP // channels so far
	bias, first                         arm64.GP // the block's bias and first weight

	n       int // channels of a block, which fill as many registers as:
	acc     [runPixels][]arm64.Vec
	weights [][]arm64.Vec
	cells   [2][]arm64.Vec
}

// registers shares them out for blocks of n channels.
func (k *runNEON) registers(n int) {
	quads := max(1, n/4)
	list := func(at func(q int) int) (l []arm64.Vec) {
		for q := range quads {
			l = append(l, arm64.V(at(q)))
		}
		return l
	}
	k.n, k.weights = n, nil
	for m := range k.acc {
		k.acc[m] = list(func(q int) int { return quads*m + q })
	}
	for i := range k.Width {
		k.weights = append(k.weights, list(func(q int) int { return 16 + quads*i + q }))
	}
	for i := range k.cells {
		k.cells[i] = list(func(q int) int { return 28 + (quads*i+q)%4 })
	}
}

// columns are those of the image that a tile's windows take.
func (k *runNEON) columns() int { return (runPixels-1)*k.Stride + k.Width }

// rowWeights loads the weights of a row of windows and moves on to the next.
func (k *runNEON) rowWeights(w arm64.GP) {
	if k.Half || k.n == 1 {
		for i, d := range k.weights {
			k.loadWeights(k.n, w, weightRow(k.Half)*i, d)
		}
		k.ADDI(weightRow(k.Half)*k.Width, w, w)
		return
	}
	for _, d := range k.weights {
		switch k.n {
		case 16:
			k.LD1x4_4SPost(w, d[0], d[1], d[2], d[3])
		case 8:
			k.LDPQPost(4*PanelWidth, w, d[0], d[1])
		default:
			k.LDRQPost(4*PanelWidth, w, d[0])
		}
	}
}

// rowTerms adds the terms of a row of windows; load loads its cells, column by column.
func (k *runNEON) rowTerms(load func(column int, cell []arm64.Vec)) {
	for c := range k.columns() {
		cell := k.cells[c%2]
		load(c, cell)
		for i, w := range k.weights {
			m := (c - i) / k.Stride
			if c < i || (c-i)%k.Stride != 0 || m >= runPixels {
				continue
			}
			for q := range cell {
				k.FMLA(cell[q], w[q], k.acc[m][q])
			}
		}
	}
}

// sums are the registers of a tile's.
func (k *runNEON) sums() (all []arm64.Vec) {
	for _, a := range k.acc {
		all = append(all, a...)
	}
	return all
}

// inner computes tiles of square windows that lie inside the image, from pixel x on: as
// many as there are before the side. column is the first one's first, over minus the
// columns behind its last, and left the pixels behind it. It moves x and left to the last.
func (k *runNEON) inner(label string, x, left, column, over arm64.GP) {
	k.Label(label + "inner")
	tiles, more := k.GP(), k.GP()
	k.NEG(over, tiles)
	k.LSRI(1+k.Stride, tiles, tiles)
	k.LSRI(2, left, more)
	k.CMP(more, tiles)
	k.CSEL(arm64.LT, tiles, more, tiles)
	to := k.GP()
	k.MADD(k.outStep, k.out, x, to)
	k.ADDLSL(tiles, 2, x, x)
	k.SUBLSL(tiles, 2, left, left)
	k.ADDI(1, tiles, tiles)
	var at, step []arm64.GP
	for y := range k.Width {
		p, s := k.GP(), k.GP()
		k.LDPX(16*y, k.rows, p, s)
		k.ADD(k.base, p, p)
		k.MADD(s, p, column, p)
		at, step = append(at, p), append(step, s)
	}
	w := k.GP()
	k.Label(label + "innertile")
	k.MOV(k.first, w)
	for m := range k.acc {
		k.load(k.n, k.bias, k.acc[m])
	}
	last := k.columns() - 1
	for y, at := range at {
		k.rowWeights(w)
		k.rowTerms(func(c int, cell []arm64.Vec) {
			if c < last {
				k.loadStep(k.n, step[y], at, cell)
				return
			}
			// The next tile begins some columns before.
			k.load(k.n, at, cell)
			switch k.Width - 1 - k.Stride {
			case 3:
				k.SUBLSL(step[y], 1, at, at)
				k.SUB(step[y], at, at)
			case 2:
				k.SUBLSL(step[y], 1, at, at)
			case 1:
				k.SUB(step[y], at, at)
			}
		})
	}
	reluNEON(k.Context, k.act, k.sums(), label+"innerstore")
	for m := range k.acc {
		k.storeStep(k.n, k.acc[m], k.outStep, to)
	}
	k.SUBSI(1, tiles, tiles)
	k.BGT(label + "innertile")
	k.B(label + "next")
}

// block computes n channels of all pixels. inner says that there is a loop of its own for
// tiles that do not reach a side.
func (k *runNEON) block(n int, label string, inner bool) {
	k.registers(n)
	at, left := k.GP(), field(k.Context, k.args, runPixelsLeft)
	x := k.GP() // the tile's first pixel
	k.MOVZ(0, 0, x)
	k.Label(label + "tile")
	// The last tile may overlap the one before.
	k.SUBI(runPixels, left, left)
	k.CMPI(0, left)
	k.BGE(label + "whole")
	k.ADD(left, x, x)
	k.Label(label + "whole")
	// The columns of the image that the tile's windows take; where some of them lie
	// outside, the other loop serves.
	columns := k.columns()
	column, over := k.GP(), k.GP()
	k.ADD(field(k.Context, k.args, runLeft), x, column)
	if k.Stride == 2 {
		k.ADD(x, column, column)
	}
	k.ADDI(columns, column, over)
	k.SUB(field(k.Context, k.args, runWidth), over, over)
	row, rows, w := k.GP(), field(k.Context, k.args, runHeight), k.GP()
	if inner {
		k.CMPI(k.Width, rows)
		k.BNE(label + "begin")
		k.ORR(left, column, row)
		k.TBNZ(63, row, label+"begin")
		k.CMPI(0, over)
		k.BLE(label + "inner")
		k.Label(label + "begin")
	}
	for m := range k.acc {
		k.load(n, k.bias, k.acc[m])
	}
	k.MOV(k.rows, row)
	k.MOV(k.first, w)
	k.TBNZ(63, column, label+"side")
	k.CMPI(0, over)
	k.BGT(label + "side")
	loop := func(label string, load func(c int, step arm64.GP, cell []arm64.Vec)) {
		k.Label(label + "row")
		step := k.GP()
		k.LDPXPost(16, row, at, step)
		k.ADD(k.base, at, at)
		k.MADD(step, at, column, at)
		k.rowWeights(w)
		k.rowTerms(func(c int, cell []arm64.Vec) { load(c, step, cell) })
		k.SUBI(1, rows, rows)
		k.CBNZ(rows, label+"row")
	}
	loop(label, func(c int, step arm64.GP, cell []arm64.Vec) { k.loadStep(n, step, at, cell) })
	k.B(label + "finish")
	k.Label(label + "side")
	before := k.GP()
	k.NEG(column, before)
	loop(label+"side", func(c int, step arm64.GP, cell []arm64.Vec) {
		half := k.Width / 2
		at2 := fmt.Sprintf("%sside%d", label, c)
		switch {
		case c < half:
			k.CMPI(c, before)
			k.BLE(at2)
		case c >= columns-half:
			k.CMPI(columns-1-c, over)
			k.BLE(at2)
		default:
			k.loadStep(n, step, at, cell)
			return
		}
		for _, r := range cell {
			k.VZERO(r)
		}
		k.ADD(step, at, at)
		k.B(at2 + "zero")
		k.Label(at2)
		k.loadStep(n, step, at, cell)
		k.Label(at2 + "zero")
	})
	k.Label(label + "finish")
	reluNEON(k.Context, k.act, k.sums(), label+"store")
	k.MADD(k.outStep, k.out, x, at)
	for m := range k.acc {
		k.storeStep(n, k.acc[m], k.outStep, at)
	}
	k.Label(label + "next")
	k.ADDI(runPixels, x, x)
	k.CMPI(0, left)
	k.BGT(label + "tile")
	if inner {
		k.B(label + "end")
		k.inner(label, x, left, column, over)
		k.Label(label + "end")
	}
}

// load loads n channels.
func (k *runNEON) load(n int, at arm64.GP, d []arm64.Vec) {
	switch n {
	case 16:
		k.LD1x4_4S(at, d[0], d[1], d[2], d[3])
	case 8:
		k.LDPQ(0, at, d[0], d[1])
	case 4:
		k.LDRQ(0, at, d[0])
	default:
		k.LDRS(0, at, d[0])
	}
}

// loadWeights loads those of n channels.
func (k *runNEON) loadWeights(n int, at arm64.GP, off int, d []arm64.Vec) {
	switch {
	case n >= 4:
		loadWeightsNEON(k.Context, at, off, k.Half, d)
	case k.Half:
		k.LDRHalf(off, at, d[0])
		k.FCVTL(d[0], d[0])
	default:
		k.LDRS(off, at, d[0])
	}
}

// loadStep loads n channels and moves on by step.
func (k *runNEON) loadStep(n int, step, at arm64.GP, d []arm64.Vec) {
	switch n {
	case 16:
		k.LD1x4_4SPostReg(step, at, d[0], d[1], d[2], d[3])
	case 8:
		k.LD1x2_4SPostReg(step, at, d[0], d[1])
	case 4:
		k.LD1x1_4SPostReg(step, at, d[0])
	default:
		k.LDRS(0, at, d[0])
		k.ADD(step, at, at)
	}
}

// storeStep stores n channels and moves on by step.
func (k *runNEON) storeStep(n int, d []arm64.Vec, step, at arm64.GP) {
	switch n {
	case 16:
		k.ST1x4_4SPostReg(d[0], d[1], d[2], d[3], step, at)
	case 8:
		k.ST1x2_4SPostReg(d[0], d[1], step, at)
	case 4:
		k.ST1x1_4SPostReg(d[0], step, at)
	default:
		k.STRS(d[0], 0, at)
		k.ADD(step, at, at)
	}
}
