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
		w: field(c, args, runW), act: field(c, args, runAct), done: c.GP()}
	count, step := field(c, args, runChannels), field(c, args, runWStep)
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
		c.MADD(step, k.w, panel, panel)
		c.ADDI(4*PanelWidth, panel, k.first)
		c.LSLI(2, lane, lane)
		c.ADD(lane, panel, k.bias)
		if r.Half {
			c.LSRI(1, lane, lane)
		}
		c.ADD(lane, k.first, k.first)
		k.block(n, label)
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
	args, base, rows, out, outStep, w, act arm64.GP
	done                                   arm64.GP // channels so far
	bias, first                            arm64.GP // the block's bias and first weight
}

// block computes n channels of all pixels.
func (k *runNEON) block(n int, label string) {
	quads := max(1, n/4)
	var acc [runPixels][]arm64.Vec
	for m := range acc {
		for q := range quads {
			acc[m] = append(acc[m], arm64.V(quads*m+q))
		}
	}
	weights := make([][]arm64.Vec, k.Width)
	for i := range weights {
		for q := range quads {
			weights[i] = append(weights[i], arm64.V(16+quads*i+q))
		}
	}
	cells := [][]arm64.Vec{nil, nil}
	for i := range cells {
		for q := range quads {
			cells[i] = append(cells[i], arm64.V(28+(quads*i+q)%4))
		}
	}
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
	for m := range acc {
		k.load(n, k.bias, acc[m])
	}
	// The columns of the image that the tile's windows take; where some of them lie
	// outside, the other loop serves.
	columns := (runPixels-1)*k.Stride + k.Width
	column, over := k.GP(), k.GP()
	k.ADD(field(k.Context, k.args, runLeft), x, column)
	if k.Stride == 2 {
		k.ADD(x, column, column)
	}
	k.ADDI(columns, column, over)
	k.SUB(field(k.Context, k.args, runWidth), over, over)
	row, rows, w := k.GP(), field(k.Context, k.args, runHeight), k.GP()
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
		if k.Half || n == 1 {
			for i := range weights {
				k.loadWeights(n, w, weightRow(k.Half)*i, weights[i])
			}
			k.ADDI(weightRow(k.Half)*k.Width, w, w)
		} else {
			for _, d := range weights {
				switch n {
				case 16:
					k.LD1x4_4SPost(w, d[0], d[1], d[2], d[3])
				case 8:
					k.LDPQPost(4*PanelWidth, w, d[0], d[1])
				default:
					k.LDRQPost(4*PanelWidth, w, d[0])
				}
			}
		}
		for c := range columns {
			cell := cells[c%2]
			load(c, step, cell)
			for i := range weights {
				m := (c - i) / k.Stride
				if c < i || (c-i)%k.Stride != 0 || m >= runPixels {
					continue
				}
				for q := range quads {
					k.FMLA(cell[q], weights[i][q], acc[m][q])
				}
			}
		}
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
	var all []arm64.Vec
	for m := range acc {
		all = append(all, acc[m]...)
	}
	reluNEON(k.Context, k.act, all, label+"store")
	k.MADD(k.outStep, k.out, x, at)
	for m := range acc {
		k.storeStep(n, acc[m], k.outStep, at)
	}
	k.ADDI(runPixels, x, x)
	k.CMPI(0, left)
	k.BGT(label + "tile")
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
