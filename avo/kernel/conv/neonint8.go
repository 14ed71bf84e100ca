package conv

import (
	"fmt"

	"github.com/flexnnc/flexnnc/avo/arm64"
)

// int8LoopNEON emits the loops over taps and groups of four channels: `many` at a time
// while there are as many, then one. These move the pointers along the weights.
func int8LoopNEON(c *arm64.Context, args arm64.GP, pixels, many int, several, one func(a []arm64.GP)) {
	base, ind, taps := field(c, args, convBase), field(c, args, convInd), field(c, args, convTaps)
	k := field(c, args, convK)
	c.Label("tap")
	a := make([]arm64.GP, pixels)
	for m := range a {
		a[m] = c.GP()
		c.LDRWPost(4, ind, a[m])
		c.ADD(base, a[m], a[m])
	}
	n := c.GP()
	c.SUBSI(many, k, n)
	c.BMI("tail")
	c.Label("loop")
	several(a)
	c.SUBSI(many, n, n)
	c.BPL("loop")
	c.Label("tail")
	c.ADDI(many, n, n)
	c.CBZ(n, "next")
	c.Label("one")
	one(a)
	c.SUBI(1, n, n)
	c.CBNZ(n, "one")
	c.Label("next")
	c.SUBI(1, taps, taps)
	c.CBNZ(taps, "tap")
}

// int8Panels gives pointers to the first weights of the panels of a tile, the first of
// which is at head.
func int8Panels(c *arm64.Context, args, head arm64.GP, panels int) []arm64.GP {
	w := []arm64.GP{c.GP()}
	c.ADDI(int8Weights, head, w[0])
	if panels > 1 {
		step := field(c, args, convWStep)
		for p := 1; p < panels; p++ {
			w = append(w, c.GP())
			c.ADD(step, w[p-1], w[p])
		}
	}
	return w
}

// finishInt8NEON makes float32 of sums, four registers per panel and pixel, times
// factors, plus biases, applies the activation and stores: from the panel at head on, to
// out, of the last panel as many channels as last says. Both pointers are spoiled. Then
// comes what end emits.
func finishInt8NEON(c *arm64.Context, args, head, out, last arm64.GP, acc [][]arm64.Vec, end func()) {
	var all []arm64.Vec
	for n := range acc[0] {
		if n > 0 && n%4 == 0 {
			step := field(c, args, convWStep)
			c.ADD(step, head, head)
		}
		scale, bias := c.Vec(), c.Vec()
		c.LDRQ(16*(n%4), head, scale)
		c.LDRQ(int8Bias+16*(n%4), head, bias)
		for m := range acc {
			r := acc[m][n]
			c.SCVTF(r, r)
			c.FMUL(scale, r, r)
			c.FADD(bias, r, r)
			all = append(all, r)
		}
	}
	reluNEON(c, field(c, args, convAct), all, "store")
	outStep := field(c, args, convOutStep)
	rounding := c.GP()
	c.LDRW(convQuantize, args, rounding)
	c.CBNZ(rounding, "bytes")
	pairs := func(m, n int) {
		for i := 0; i < n; i += 2 {
			c.STPQ(acc[m][i], acc[m][i+1], 16*i, out)
		}
	}
	whole := len(acc[0])
	c.CMPI(PanelWidth, last)
	c.BNE("partial")
	for m := range acc {
		pairs(m, whole)
		c.ADD(outStep, out, out)
	}
	end()
	c.Label("partial")
	for m := range acc {
		pairs(m, whole-4)
		at := c.GP()
		c.ADDI(16*(whole-4), out, at)
		storeFirst(c, at, [4]arm64.Vec(acc[m][whole-4:]), last, fmt.Sprintf("pixel%d", m))
		c.ADD(outStep, out, out)
	}
	end()
	storeBytes(c, args, acc, out, outStep, last)
	end()
}

// rounder makes int32 of float32 times a number: at least -127, which also becomes of what
// is no number, and rounded to the nearest, halves away from zero. Packing them bounds them from
// above, by saturation.
type rounder struct {
	*arm64.Context
	scale, least arm64.Vec
}

// rounderOf reads the number from a field of an argument struct.
func rounderOf(c *arm64.Context, args arm64.GP, offset int) rounder {
	at, r := c.GP(), rounder{c, c.Vec(), c.Vec()}
	c.ADDI(offset, args, at)
	c.LD1R_4S(at, r.scale)
	c.DUPImm32(int8Least, r.least)
	return r
}

func (r rounder) round(x arm64.Vec) {
	r.FMUL(r.scale, x, x)
	r.FMAXNM(r.least, x, x)
	r.FCVTAS(x, x)
}

// pack makes 16 bytes of four registers of int32, in the first.
func (r rounder) pack(x []arm64.Vec) arm64.Vec {
	r.SQXTN_4H(x[0], x[0])
	r.SQXTN2_8H(x[1], x[0])
	r.SQXTN_4H(x[2], x[2])
	r.SQXTN2_8H(x[3], x[2])
	r.SQXTN_8B(x[0], x[0])
	r.SQXTN2_16B(x[2], x[0])
	return x[0]
}

// storeBytes rounds and stores a tile as int8. The last panel may end after 4, 8 or
// 12 channels.
func storeBytes(c *arm64.Context, args arm64.GP, acc [][]arm64.Vec, out, outStep, last arm64.GP) {
	c.Label("bytes")
	r := rounderOf(c, args, convQuantize)
	panels := len(acc[0]) / 4
	for m := range acc {
		for p := range panels {
			quads := acc[m][4*p:][:4]
			for _, x := range quads {
				r.round(x)
			}
			x := r.pack(quads)
			if p < panels-1 {
				c.STRQ(x, PanelWidth*p, out)
				continue
			}
			at, label := c.GP(), fmt.Sprintf("bytes%d", m)
			c.ADDI(PanelWidth*p, out, at)
			c.TBZ(4, last, label+"part")
			c.STRQ(x, 0, at)
			c.B(label + "done")
			c.Label(label + "part")
			c.TBZ(3, last, label+"four")
			c.STRDPost(x, 8, at)
			c.EXT(8, x, x, x)
			c.Label(label + "four")
			c.TBZ(2, last, label+"done")
			c.STRS(x, 0, at)
			c.Label(label + "done")
		}
		c.ADD(outStep, out, out)
	}
}

// convSDOT generates kernels of tiles with dot products. Those of many pixels loop over
// panels, as floats' do.
func convSDOT(c *arm64.Context, tiles []Int8Tile) {
	body := func(pixels int) string { return fmt.Sprintf("convI8x%dSDOT", pixels) }
	bodies := map[int]bool{}
	for _, t := range tiles {
		c.Function(t.Name(), "func(a *convArgs)",
			fmt.Sprintf("%s computes %d pixels of %d int8 panels; see int8Kernels.", t.Name(), t.Pixels, t.Panels))
		args := c.Load("a")
		if t.Pixels < loopPixels {
			head := field(c, args, convW)
			acc := sumsSDOT(c, args, head, t.Pixels, t.Panels)
			finishInt8NEON(c, args, head, field(c, args, convOut), field(c, args, convLast), acc, c.RET)
			continue
		}
		n := c.GP()
		c.MOVImm(uint64(t.Panels), n)
		c.STRX(n, convPanels, args)
		c.Jump(body(t.Pixels))
		bodies[t.Pixels] = true
	}
	for pixels := loopPixels; pixels <= SDOT.Pixels(); pixels++ {
		if !bodies[pixels] {
			continue
		}
		c.Function(body(pixels), "func(a *convArgs)",
			fmt.Sprintf("%s computes %d pixels of as many int8 panels as a.panels says; see int8Kernels.", body(pixels), pixels))
		args := c.Load("a")
		w, out, panels := field(c, args, convW), field(c, args, convOut), field(c, args, convPanels)
		c.Label("panel")
		acc := sumsSDOT(c, args, w, pixels, 1)
		head, at, last := c.GP(), c.GP(), field(c, args, convLast)
		c.MOV(w, head)
		c.MOV(out, at)
		c.CMPI(1, panels)
		c.BEQ("ending")
		c.MOVImm(PanelWidth, last)
		c.Label("ending")
		finishInt8NEON(c, args, head, at, last, acc, func() { c.B("stored") })
		c.Label("stored")
		c.ADD(field(c, args, convWStep), w, w)
		bytes := c.GP()
		c.LDRW(convQuantize, args, bytes)
		c.ADDI(PanelWidth, out, out)
		c.CBNZ(bytes, "on")
		c.ADDI(3*PanelWidth, out, out)
		c.Label("on")
		c.SUBI(1, panels, panels)
		c.CBNZ(panels, "panel")
		c.RET()
	}
}

// sumsSDOT makes the sums of a tile of panels, the first of which is at head.
func sumsSDOT(c *arm64.Context, args, head arm64.GP, pixels, panels int) [][]arm64.Vec {
	w := int8Panels(c, args, head, panels)
	acc := make([][]arm64.Vec, pixels)
	for m := range acc {
		acc[m] = quads(c, 4*panels)
		for _, r := range acc[m] {
			c.VZERO(r)
		}
	}
	step := func(lane int, x []arm64.Vec) {
		for p := range w {
			for q := 0; q < 4; q += 2 {
				b := quads(c, 2)
				c.LDPQPost(32, w[p], b[0], b[1])
				for i := range b {
					for m := range acc {
						c.SDOTElem(x[m], lane, b[i], acc[m][4*p+q+i])
					}
				}
			}
		}
	}
	int8LoopNEON(c, args, pixels, 4, func(a []arm64.GP) {
		x := quads(c, pixels)
		for m := range a {
			c.LDRQPost(16, a[m], x[m])
		}
		for s := range 4 {
			step(s, x)
		}
	}, func(a []arm64.GP) {
		x := quads(c, pixels)
		for m := range a {
			c.LDRSPost(4, a[m], x[m])
		}
		step(0, x)
	})
	return acc
}

// convInt8NEON generates the kernel of a tile for CPUs without dot products.
// Products of two groups are added as int16, which ±2*127*128 does not overflow,
// then pairs of neighbours to int32: of each channel there are two sums until the
// end.
func convInt8NEON(c *arm64.Context, t Int8Tile) {
	c.Function(t.Name(), "func(a *convArgs)",
		fmt.Sprintf("%s computes %d pixels of %d int8 panels; see int8Kernels.", t.Name(), t.Pixels, t.Panels))
	args := c.Load("a")
	head := field(c, args, convW)
	w := int8Panels(c, args, head, t.Panels)
	acc := make([][]arm64.Vec, t.Pixels) // [m][2*(4*p+q)]: channels 0 and 1 of four, then 2 and 3
	for m := range acc {
		acc[m] = quads(c, 8*t.Panels)
		for _, r := range acc[m] {
			c.VZERO(r)
		}
	}
	// spread loads a group of each pixel into all lanes.
	spread := func(a []arm64.GP) []arm64.Vec {
		x := quads(c, t.Pixels)
		for m := range a {
			c.LD1R_4SPost(a[m], x[m])
		}
		return x
	}
	step := func(groups int, x ...[]arm64.Vec) {
		for p := range w {
			for q := range 4 {
				b := quads(c, groups)
				for g := range b {
					c.LDRQ(int8Group*g+16*q, w[p], b[g])
				}
				for m := range acc {
					lo, hi := c.Vec(), c.Vec()
					c.SMULL_8H(x[0][m], b[0], lo)
					c.SMULL2_8H(x[0][m], b[0], hi)
					if groups == 2 {
						c.SMLAL_8H(x[1][m], b[1], lo)
						c.SMLAL2_8H(x[1][m], b[1], hi)
					}
					c.SADALP_4S(lo, acc[m][2*(4*p+q)])
					c.SADALP_4S(hi, acc[m][2*(4*p+q)+1])
				}
			}
			c.ADDI(int8Group*groups, w[p], w[p])
		}
	}
	int8LoopNEON(c, args, t.Pixels, 2, func(a []arm64.GP) {
		step(2, spread(a), spread(a))
	}, func(a []arm64.GP) {
		step(1, spread(a))
	})
	sums := make([][]arm64.Vec, t.Pixels)
	for m := range acc {
		for i := 0; i < len(acc[m]); i += 2 {
			c.ADDP_4S(acc[m][i+1], acc[m][i], acc[m][i])
			sums[m] = append(sums[m], acc[m][i])
		}
	}
	finishInt8NEON(c, args, head, field(c, args, convOut), field(c, args, convLast), sums, c.RET)
}

// depthwiseInt8NEON generates the depthwise kernel of some pixels: 16 channels at a
// time, then four.
func depthwiseInt8NEON(c *arm64.Context, name string, pixels int) {
	c.Function(name, "func(a *depthwiseArgs)",
		fmt.Sprintf("%s computes %d pixels of all int8 panels; see int8Kernels.", name, pixels))
	args := c.Load("a")
	base, head, out := field(c, args, depthwiseBase), field(c, args, depthwiseW), field(c, args, depthwiseOut)
	outStep, act := field(c, args, depthwiseOutStep), field(c, args, depthwiseAct)
	count, last := field(c, args, depthwisePanels), field(c, args, depthwiseLast)
	first := c.GP() // at the first weight of the channel whose factor is at head
	c.ADDI(int8Depthwise, head, first)
	c.SUBI(1, count, count)
	c.LSLI(4, count, count)
	c.ADD(last, count, count)

	// block computes n channels of each pixel, 16 or 4.
	block := func(label string, n int) [][]arm64.Vec {
		acc := make([][]arm64.Vec, pixels)
		for m := range acc {
			acc[m] = quads(c, n/4)
			for _, r := range acc[m] {
				c.VZERO(r)
			}
		}
		// load widens n bytes to int16: one register of 4, or two of 8.
		load := func(at arm64.GP) []arm64.Vec {
			if n == 4 {
				x := c.Vec()
				c.LDRS(0, at, x)
				c.SXTL_8H(x, x)
				return []arm64.Vec{x}
			}
			x, y := c.Vec(), c.Vec()
			c.LDRQ(0, at, x)
			c.SXTL2_8H(x, y)
			c.SXTL_8H(x, x)
			return []arm64.Vec{x, y}
		}
		ind, taps, tap := field(c, args, depthwiseInd), field(c, args, depthwiseTaps), c.GP()
		c.MOV(first, tap)
		c.Label(label + "tap")
		b := load(tap)
		c.ADDI(PanelWidth, tap, tap)
		for m := range acc {
			at := c.GP()
			c.LDRWPost(4, ind, at)
			c.ADD(base, at, at)
			for i, x := range load(at) {
				c.SMLAL_4S(x, b[i], acc[m][2*i])
				if n == PanelWidth {
					c.SMLAL2_4S(x, b[i], acc[m][2*i+1])
				}
			}
		}
		c.SUBI(1, taps, taps)
		c.CBNZ(taps, label+"tap")
		var all []arm64.Vec
		for i := range n / 4 {
			scale, bias := c.Vec(), c.Vec()
			c.LDRQ(16*i, head, scale)
			c.LDRQ(int8Bias+16*i, head, bias)
			for m := range acc {
				r := acc[m][i]
				c.SCVTF(r, r)
				c.FMUL(scale, r, r)
				c.FADD(bias, r, r)
				all = append(all, r)
			}
		}
		reluNEON(c, act, all, label+"store")
		return acc
	}
	rounding := c.GP()
	c.LDRW(depthwiseQuantize, args, rounding)
	r := rounderOf(c, args, depthwiseQuantize)
	c.Label("panels")
	c.CMPI(PanelWidth, count)
	c.BLT("fours")
	at := c.GP()
	acc := block("panel", PanelWidth)
	c.MOV(out, at)
	c.CBNZ(rounding, "panelbytes")
	for m := range acc {
		c.STPQ(acc[m][0], acc[m][1], 0, at)
		c.STPQ(acc[m][2], acc[m][3], 32, at)
		c.ADD(outStep, at, at)
	}
	c.ADDI(4*PanelWidth, out, out)
	c.B("panelstored")
	c.Label("panelbytes")
	for m := range acc {
		for _, x := range acc[m] {
			r.round(x)
		}
		c.STRQ(r.pack(acc[m]), 0, at)
		c.ADD(outStep, at, at)
	}
	c.ADDI(PanelWidth, out, out)
	c.Label("panelstored")
	step := field(c, args, depthwiseWStep)
	c.ADD(step, head, head)
	c.ADD(step, first, first)
	c.ADDI(PanelWidth, base, base)
	c.SUBI(PanelWidth, count, count)
	c.B("panels")

	c.Label("fours")
	c.CMPI(1, count)
	c.BLT("done")
	acc = block("four", 4)
	at = c.GP()
	c.MOV(out, at)
	c.CBNZ(rounding, "fourbytes")
	c.CMPI(4, count)
	c.BLT("some")
	for m := range acc {
		c.STRQ(acc[m][0], 0, at)
		c.ADD(outStep, at, at)
	}
	c.ADDI(16, out, out)
	c.B("fourstored")
	c.Label("fourbytes")
	for m := range acc {
		r.round(acc[m][0])
		c.SQXTN_4H(acc[m][0], acc[m][0])
		c.SQXTN_8B(acc[m][0], acc[m][0])
		c.STRS(acc[m][0], 0, at)
		c.ADD(outStep, at, at)
	}
	c.ADDI(4, out, out)
	c.Label("fourstored")
	c.ADDI(16, head, head)
	c.ADDI(4, first, first)
	c.ADDI(4, base, base)
	c.SUBI(4, count, count)
	c.B("fours")
	c.Label("some")
	for m := range acc {
		to, label := c.GP(), fmt.Sprintf("pixel%d", m)
		c.MOV(at, to)
		c.TBZ(1, count, label+"one")
		c.STRDPost(acc[m][0], 8, to)
		c.EXT(8, acc[m][0], acc[m][0], acc[m][0])
		c.Label(label + "one")
		c.TBZ(0, count, label+"done")
		c.STRS(acc[m][0], 0, to)
		c.Label(label + "done")
		c.ADD(outStep, at, at)
	}
	c.Label("done")
	c.RET()
}

// quantizeNEON generates the kernel that makes int8 of float32.
func quantizeNEON(c *arm64.Context) {
	c.Function("quantizeNEON", "func(a *quantizeArgs)", "quantizeNEON makes int8 of float32; see quantizeArgs.")
	args := c.Load("a")
	in, out, rows := field(c, args, quantizeIn), field(c, args, quantizeOut), field(c, args, quantizeRows)
	r := rounderOf(c, args, quantizeScale)
	c.Label("row")
	from, to, n := c.GP(), c.GP(), field(c, args, quantizeN)
	c.MOV(in, from)
	c.MOV(out, to)
	c.Label("by16")
	c.CMPI(16, n)
	c.BLT("by4")
	x := quads(c, 4)
	c.LDPQPost(32, from, x[0], x[1])
	c.LDPQPost(32, from, x[2], x[3])
	for _, v := range x {
		r.round(v)
	}
	c.STRQPost(r.pack(x), 16, to)
	c.SUBI(16, n, n)
	c.B("by16")
	for _, by := range []int{4, 1} {
		label, next := "by4", "by1"
		if by == 1 {
			label, next = "by1", "pad"
		}
		c.Label(label)
		c.CMPI(by, n)
		c.BLT(next)
		v := c.Vec()
		if by == 4 {
			c.LDRQPost(16, from, v)
		} else {
			c.LDRSPost(4, from, v)
		}
		r.round(v)
		c.SQXTN_4H(v, v)
		c.SQXTN_8B(v, v)
		if by == 4 {
			c.STRSPost(v, 4, to)
		} else {
			c.STRBytePost(v, 1, to)
		}
		c.SUBI(by, n, n)
		c.B(label)
	}
	c.Label("pad")
	pad, zero := field(c, args, quantizePad), c.Vec()
	c.VZERO(zero)
	c.Label("zero")
	c.CBZ(pad, "next")
	c.STRBytePost(zero, 1, to)
	c.SUBI(1, pad, pad)
	c.B("zero")
	c.Label("next")
	inStep, outStep := field(c, args, quantizeInStep), field(c, args, quantizeOutStep)
	c.ADD(inStep, in, in)
	c.ADD(outStep, out, out)
	c.SUBI(1, rows, rows)
	c.CBNZ(rows, "row")
	c.RET()
}
