package conv

import (
	"fmt"

	"github.com/flexnnc/flexnnc/avo/arm64"
)

// field loads a 64-bit field of an argument struct.
func field(c *arm64.Context, args arm64.GP, offset int) arm64.GP {
	d := c.GP()
	c.LDRX(offset, args, d)
	return d
}

// quads allocates n vector registers.
func quads(c *arm64.Context, n int) []arm64.Vec {
	var v []arm64.Vec
	for range n {
		v = append(v, c.Vec())
	}
	return v
}

// weightPair loads the pair q, q+1 of quads of weights at off bytes from w; those
// of float16 are widened.
func weightPair(c *arm64.Context, w arm64.GP, off, q int, half bool) (b0, b1 arm64.Vec) {
	b0, b1 = c.Vec(), c.Vec()
	if !half {
		c.LDPQ(off+16*q, w, b0, b1)
		return b0, b1
	}
	c.LDRQ(off+8*q, w, b1)
	c.FCVTL(b1, b0)
	c.FCVTL2(b1, b1)
	return b0, b1
}

// reluNEON makes x < 0 ? 0 : x of every register where act says so.
func reluNEON(c *arm64.Context, act arm64.GP, acc []arm64.Vec, label string) {
	c.CBZ(act, label)
	for _, r := range acc {
		below := c.Vec()
		c.FCMLT0(r, below)
		c.BIC_16B(below, r, r)
	}
	c.Label(label)
}

// storeFirst stores the first n lanes, 1 to 15, of four registers, which it spoils.
func storeFirst(c *arm64.Context, at arm64.GP, v [4]arm64.Vec, n arm64.GP, label string) {
	c.TBZ(3, n, label+"four")
	c.STPQPost(v[0], v[1], 32, at)
	c.VMOV(v[2], v[0])
	c.VMOV(v[3], v[1])
	c.Label(label + "four")
	c.TBZ(2, n, label+"two")
	c.STRQPost(v[0], 16, at)
	c.VMOV(v[1], v[0])
	c.Label(label + "two")
	c.TBZ(1, n, label+"one")
	c.STRDPost(v[0], 8, at)
	c.EXT(8, v[0], v[0], v[0])
	c.Label(label + "one")
	c.TBZ(0, n, label+"done")
	c.STRS(v[0], 0, at)
	c.Label(label + "done")
}

// channels loads or stores 16, 4 or 1 channels as registers.
type channels struct {
	*arm64.Context
	n int
}

func (c channels) regs() int { return max(1, c.n/4) }

func (c channels) load(at arm64.GP) []arm64.Vec {
	v := quads(c.Context, c.regs())
	switch c.n {
	case 16:
		c.LDPQ(0, at, v[0], v[1])
		c.LDPQ(32, at, v[2], v[3])
	case 4:
		c.LDRQ(0, at, v[0])
	default:
		c.LDRS(0, at, v[0])
	}
	return v
}

// loadBlock is load to the first registers of a block.
func (c channels) loadBlock(at arm64.GP, d block) {
	switch c.n {
	case 16:
		c.LD1x4_4S(at, d[0], d[1], d[2], d[3])
	case 4:
		c.LDRQ(0, at, d[0])
	default:
		c.LDRS(0, at, d[0])
	}
}

// loadWeights is load for weights, which are float16 if half.
func (c channels) loadWeights(at arm64.GP, half bool) []arm64.Vec {
	if !half {
		return c.load(at)
	}
	if c.n == 16 {
		b0, b1 := weightPair(c.Context, at, 0, 0, true)
		b2, b3 := weightPair(c.Context, at, 0, 2, true)
		return []arm64.Vec{b0, b1, b2, b3}
	}
	b := c.Vec()
	if c.n == 4 {
		c.LDRD(0, at, b)
	} else {
		c.LDRHalf(0, at, b)
	}
	c.FCVTL(b, b)
	return []arm64.Vec{b}
}

func (c channels) store(v []arm64.Vec, at arm64.GP) {
	switch c.n {
	case 16:
		c.STPQ(v[0], v[1], 0, at)
		c.STPQ(v[2], v[3], 32, at)
	case 4:
		c.STRQ(v[0], 0, at)
	default:
		c.STRS(v[0], 0, at)
	}
}

// overChannels emits body for 16, then 4, then single channels while count lasts.
func overChannels(c *arm64.Context, count arm64.GP, body func(channels, string)) {
	for i, n := range []int{16, 4, 1} {
		label := fmt.Sprintf("by%d", n)
		next := [...]string{"by4", "by1", "done"}[i]
		c.Label(label)
		c.CMPI(n, count)
		c.BLT(next)
		body(channels{c, n}, label)
		c.SUBI(n, count, count)
		c.B(label)
	}
	c.Label("done")
}

// depthwiseNEON generates the kernel of some pixels.
func depthwiseNEON(c *arm64.Context, name string, pixels int, half bool) {
	c.Function(name, "func(a *depthwiseArgs)",
		fmt.Sprintf("%s computes %d pixels of all panels; see depthwiseArgs.", name, pixels))
	args := c.Load("a")
	base, w, out := field(c, args, depthwiseBase), field(c, args, depthwiseW), field(c, args, depthwiseOut)
	outStep, act := field(c, args, depthwiseOutStep), field(c, args, depthwiseAct)
	count, last := field(c, args, depthwisePanels), field(c, args, depthwiseLast)
	// w is at the bias of the next channel, first at its first weight.
	first := c.GP()
	c.ADDI(4*PanelWidth, w, first)
	c.SUBI(1, count, count)
	c.LSLI(4, count, count)
	c.ADD(last, count, count)
	overChannels(c, count, func(ch channels, label string) {
		tap := c.GP()
		c.MOV(first, tap)
		acc := [][]arm64.Vec{ch.load(w)}
		all := acc[0]
		for m := 1; m < pixels; m++ {
			acc = append(acc, quads(c, ch.regs()))
			for i := range acc[m] {
				c.VMOV(acc[0][i], acc[m][i])
			}
			all = append(all, acc[m]...)
		}
		ind, taps := field(c, args, depthwiseInd), field(c, args, depthwiseTaps)
		c.Label(label + "tap")
		b := ch.loadWeights(tap, half)
		c.ADDI(weightRow(half), tap, tap)
		for m := range acc {
			at := c.GP()
			c.LDRWPost(4, ind, at)
			c.ADD(base, at, at)
			for i, x := range ch.load(at) {
				c.FMLA(x, b[i], acc[m][i])
			}
		}
		c.SUBI(1, taps, taps)
		c.CBNZ(taps, label+"tap")
		reluNEON(c, act, all, label+"store")
		at := c.GP()
		c.MOV(out, at)
		for m := range acc {
			ch.store(acc[m], at)
			c.ADD(outStep, at, at)
		}
		if ch.n == PanelWidth {
			step := field(c, args, depthwiseWStep)
			c.ADD(step, w, w)
			c.ADD(step, first, first)
		} else {
			c.ADDI(4*ch.n, w, w)
			c.ADDI(weightRow(half)/PanelWidth*ch.n, first, first)
		}
		c.ADDI(4*ch.n, base, base)
		c.ADDI(4*ch.n, out, out)
	})
	c.RET()
}

// poolNEON generates a pooling kernel.
func poolNEON(c *arm64.Context, name string, max bool) {
	what := "sum, or the average,"
	if max {
		what = "maximum"
	}
	c.Function(name, "func(a *poolArgs)",
		fmt.Sprintf("%s computes the %s of a window; see poolArgs.", name, what))
	args := c.Load("a")
	base, first, out := field(c, args, poolBase), field(c, args, poolFirst), field(c, args, poolOut)
	count := field(c, args, poolChans)
	overChannels(c, count, func(ch channels, label string) {
		acc := blockAt(0)
		pool := func(x block) {
			for i := range ch.regs() {
				if max {
					above := c.Vec()
					c.FCMGT(acc[i], x[i], above)
					c.BIT(above, x[i], acc[i])
				} else {
					c.FADD(x[i], acc[i], acc[i])
				}
			}
		}
		ch.loadBlock(first, acc)
		ind, cells := field(c, args, poolInd), field(c, args, poolCells)
		at, next := c.GP(), c.GP()
		c.TBZ(0, cells, label+"pairs")
		c.LDRWPost(4, ind, at)
		c.ADD(base, at, at)
		ch.loadBlock(at, blockAt(4))
		pool(blockAt(4))
		c.Label(label + "pairs")
		c.LSRI(1, cells, cells)
		c.CBZ(cells, label+"store")
		c.Label(label + "cell")
		c.LDPWPost(8, ind, at, next)
		c.ADD(base, at, at)
		ch.loadBlock(at, blockAt(4))
		c.ADD(base, next, next)
		ch.loadBlock(next, blockAt(8))
		pool(blockAt(4))
		pool(blockAt(8))
		c.SUBI(1, cells, cells)
		c.CBNZ(cells, label+"cell")
		c.Label(label + "store")
		if !max {
			c.CBZ(field(c, args, poolDivide), label+"whole")
			at, d := c.GP(), c.Vec()
			c.ADDI(poolDivisor, args, at)
			c.LD1R_4S(at, d)
			for _, r := range acc[:ch.regs()] {
				c.FDIV(d, r, r)
			}
			c.Label(label + "whole")
		}
		ch.store(acc[:], out)
		for _, p := range []arm64.GP{base, first, out} {
			c.ADDI(4*ch.n, p, p)
		}
	})
	c.RET()
}
