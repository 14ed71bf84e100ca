package conv

import (
	"fmt"

	"github.com/flexnnc/flexnnc/avo/arm64"
)

// loopPixels is the fewest pixels of a NEON tile whose kernel takes one panel at a
// time and loops over panels and tiles itself. Smaller ones need several panels at once for
// as many sums as the latency of a multiply-add asks for.
const loopPixels = 4

// tileNEON is what the kernel of a tile holds in registers: sums from V31 down,
// then weights, and what is left for the image.
type tileNEON struct {
	*arm64.Context
	pixels, panels int // computed at once
	quads          int // registers that a panel's channels fill: fewer than 4 in its narrow forms
	half           bool
	prefix         string // of labels

	args, base, k, act arm64.GP
	inOrder            arm64.GP   // not 0 on cores that issue in order; of kernels that loop
	split              func()     // emits the loop for those, where there is one
	w                  []arm64.GP // of each panel, at the weights to be read next
	acc                [][]arm64.Vec
	b                  [4]arm64.Vec  // weights
	x                  [][]arm64.Vec // of the image: a register of four cells a pixel, or two
}

// convNEON generates the kernels of tiles with one form of weights. narrow tells
// which numbers of channels, in quads, the last panel of a tile of so many pixels
// may have.
func convNEON(c *arm64.Context, tiles []Tile, narrow func(pixels, quads int) bool) {
	bodies := map[int]bool{}
	for _, t := range tiles {
		c.Function(t.Name(), "func(a *convArgs)",
			fmt.Sprintf("%s computes %d pixels of %d panels; see convArgs.", t.Name(), t.Pixels, t.Panels))
		if t.Pixels < loopPixels {
			v := newTileNEON(c, t.Pixels, t.Panels, t.Half)
			v.compute()
			v.epilogue()
			v.storeAll()
			c.RET()
			continue
		}
		args, n := c.Load("a"), c.GP()
		c.MOVImm(uint64(t.Panels), n)
		c.STRX(n, convPanels, args)
		c.Jump(bodyName(t))
		bodies[t.Pixels] = true
	}
	for pixels := loopPixels; pixels <= NEON.Pixels(); pixels++ {
		if bodies[pixels] {
			convLoopNEON(c, Tile{NEON, pixels, 0, tiles[0].Half}, narrow)
		}
	}
}

// bodyName is the kernel that loops over the panels of a tile.
func bodyName(t Tile) string {
	return fmt.Sprintf("conv%sx%d%s", weightName(t.Half), t.Pixels, t.ISA)
}

// convLoopNEON generates the kernel for tiles of so many pixels, any number of
// panels and any number of such tiles in a row: each panel's weights meet all tiles
// while they are in L1.
func convLoopNEON(c *arm64.Context, t Tile, narrow func(pixels, quads int) bool) {
	c.Function(bodyName(t), "func(a *convArgs)",
		fmt.Sprintf("%s computes tiles of %d pixels of as many panels as a.panels says; see convArgs.", bodyName(t), t.Pixels))
	v := newTileNEON(c, t.Pixels, 1, t.Half)
	w, wstep := field(c, v.args, convW), field(c, v.args, convWStep)
	out, outStep := field(c, v.args, convOut), field(c, v.args, convOutStep)
	panels, last := field(c, v.args, convPanels), field(c, v.args, convLast)
	at, to, tiles := c.GP(), c.GP(), c.GP()
	forms := []int{4}
	c.Label("panel")
	for q := 3; q >= 1; q-- {
		if narrow(t.Pixels, q) {
			forms = append(forms, q)
		}
	}
	if len(forms) > 1 {
		c.CMPI(1, panels)
		c.BNE("quads4")
		for i, q := range forms[1:] {
			c.CMPI(4*q, last)
			c.BGT(fmt.Sprintf("quads%d", forms[i]))
		}
		c.B(fmt.Sprintf("quads%d", forms[len(forms)-1]))
	}
	for _, q := range forms {
		v.quads, v.prefix = q, fmt.Sprintf("quads%d", q)
		c.Label(v.prefix)
		c.LDRX(convBase, v.args, v.base)
		c.LDRX(convTiles, v.args, tiles)
		c.MOV(out, at)
		c.Label(v.prefix + "tile")
		c.MOV(w, v.w[0])
		v.compute()
		v.epilogue()
		c.MOV(at, to)
		if q == 4 {
			c.CMPI(1, panels)
			c.BNE(v.prefix + "whole")
		}
		c.CMPI(4*q, last)
		c.BNE(v.prefix + "partial")
		c.Label(v.prefix + "whole")
		v.storePixels(to, outStep)
		c.Label(v.prefix + "stored")
		c.ADD(field(c, v.args, convTileIn), v.base, v.base)
		c.ADD(field(c, v.args, convTileOut), at, at)
		c.SUBI(1, tiles, tiles)
		c.CMPI(0, tiles)
		c.BGT(v.prefix + "tile")
		if q == 4 {
			c.ADD(wstep, w, w)
			c.ADDI(4*PanelWidth, out, out)
			c.SUBI(1, panels, panels)
			c.CBNZ(panels, "panel")
		}
		c.RET()
		c.Label(v.prefix + "partial")
		v.storePartial(to, outStep, last)
		c.B(v.prefix + "stored")
		if v.split != nil {
			v.split()
			v.split = nil
		}
	}
}

// newTileNEON loads arguments and gives out registers.
func newTileNEON(c *arm64.Context, pixels, panels int, half bool) *tileNEON {
	v := &tileNEON{Context: c, pixels: pixels, panels: panels, quads: 4, half: half, args: c.Load("a")}
	v.base, v.k, v.act = field(c, v.args, convBase), field(c, v.args, convK), field(c, v.args, convAct)
	if panels > 1 || pixels < loopPixels {
		v.w = append(v.w, field(c, v.args, convW))
		step := field(c, v.args, convWStep)
		for p := 1; p < panels; p++ {
			v.w = append(v.w, c.GP())
			c.ADD(step, v.w[p-1], v.w[p])
		}
	} else {
		v.w = append(v.w, c.GP())
		v.inOrder = field(c, v.args, convInOrder)
	}
	next := 31
	take := func() arm64.Vec {
		next--
		return arm64.V(next + 1)
	}
	for range pixels {
		row := make([]arm64.Vec, 4*panels)
		for i := range row {
			row[len(row)-1-i] = take() // a panel's are consecutive, upwards
		}
		v.acc = append(v.acc, row)
	}
	for i := range v.b {
		v.b[3-i] = take()
	}
	for range pixels {
		v.x = append(v.x, []arm64.Vec{take()})
	}
	for m := 0; m < pixels && next >= 0; m++ {
		v.x[m] = append(v.x[m], take())
	}
	return v
}

// sums are the registers of all sums.
func (v *tileNEON) sums() []arm64.Vec {
	var all []arm64.Vec
	for _, row := range v.acc {
		for p := range v.panels {
			all = append(all, row[4*p:4*p+v.quads]...)
		}
	}
	return all
}

// loadQuads loads a panel's channels as float32.
func (v *tileNEON) loadQuads(at arm64.GP, d []arm64.Vec) {
	switch v.quads {
	case 4:
		v.LD1x4_4S(at, d[0], d[1], d[2], d[3])
	case 3:
		v.LD1x3_4S(at, d[0], d[1], d[2])
	case 2:
		v.LDPQ(0, at, d[0], d[1])
	default:
		v.LDRQ(0, at, d[0])
	}
}

// weights loads those of one term of the sums, number s of those to which the
// pointer will be moved on by finish.
func (v *tileNEON) weights(w arm64.GP, s int) {
	b := v.b
	off := weightRow(v.half) * s
	switch {
	case v.half && v.quads == 4:
		v.LDPQ(off, w, b[1], b[3])
	case v.half && v.quads == 3:
		v.LDRQ(off, w, b[1])
		v.LDRD(off+16, w, b[2])
	case v.half && v.quads == 2:
		v.LDRQ(off, w, b[1])
	case v.half:
		v.LDRD(off, w, b[0])
	case v.quads == 4:
		v.LD1x4_4SPost(w, b[0], b[1], b[2], b[3])
	case v.quads == 3:
		v.LDPQ(off, w, b[0], b[1])
		v.LDRQ(off+32, w, b[2])
	case v.quads == 2:
		v.LDPQ(off, w, b[0], b[1])
	default:
		v.LDRQ(off, w, b[0])
	}
	if !v.half {
		return
	}
	switch v.quads {
	case 4:
		v.FCVTL(b[1], b[0])
		v.FCVTL2(b[1], b[1])
		v.FCVTL(b[3], b[2])
		v.FCVTL2(b[3], b[3])
	case 3:
		v.FCVTL(b[1], b[0])
		v.FCVTL2(b[1], b[1])
		v.FCVTL(b[2], b[2])
	case 2:
		v.FCVTL(b[1], b[0])
		v.FCVTL2(b[1], b[1])
	default:
		v.FCVTL(b[0], b[0])
	}
}

// finish moves the pointers to weights on by n terms.
func (v *tileNEON) finish(n int) {
	if !v.half && v.quads == 4 {
		return // each load did
	}
	for _, w := range v.w {
		v.ADDI(weightRow(v.half)*n, w, w)
	}
}

// term adds one term to every sum: weights number s, times the lane of register
// reg of each pixel.
func (v *tileNEON) term(s, lane int, reg func(m int) arm64.Vec) {
	for p, w := range v.w {
		v.weights(w, s)
		for q := range v.quads {
			for m := range v.acc {
				v.FMLAElem(reg(m), lane, v.b[q], v.acc[m][4*p+q])
			}
		}
	}
}

// compute makes the sums of the panels at v.w.
func (v *tileNEON) compute() {
	for p, w := range v.w {
		for m := range v.acc {
			v.loadQuads(w, v.acc[m][4*p:])
		}
	}
	for _, w := range v.w {
		v.ADDI(4*PanelWidth, w, w)
	}
	ind, taps := field(v.Context, v.args, convInd), field(v.Context, v.args, convTaps)
	n := v.GP()
	v.Label(v.prefix + "tap")
	a := make([]arm64.GP, v.pixels)
	for m := range a {
		a[m] = v.GP()
	}
	for m := 0; m < v.pixels; m += 2 {
		if m+1 == v.pixels {
			v.LDRWPost(4, ind, a[m])
		} else {
			v.LDPWPost(8, ind, a[m], a[m+1])
		}
	}
	for m := range a {
		v.ADD(v.base, a[m], a[m])
	}
	v.LSRI(3, v.k, n)
	v.CBZ(n, v.prefix+"four")
	if v.quads == 4 && !v.half && v.pixels >= loopPixels {
		v.CBNZ(v.inOrder, v.prefix+"split")
		v.split = func() { v.splitLoop(a, n) }
	}
	v.Label(v.prefix + "eight")
	for m, x := range v.x {
		if len(x) == 2 {
			v.LDPQPost(32, a[m], x[0], x[1])
		} else {
			v.LDRQPost(16, a[m], x[0])
		}
	}
	for s := range 8 {
		for m, x := range v.x {
			if s == 4 && len(x) == 1 {
				v.LDRQPost(16, a[m], x[0])
			}
		}
		v.term(s, s%4, func(m int) arm64.Vec { return v.x[m][s/4%len(v.x[m])] })
	}
	v.finish(8)
	v.SUBI(1, n, n)
	v.CBNZ(n, v.prefix+"eight")
	v.Label(v.prefix + "four")
	v.ANDI(7, v.k, n)
	v.CBZ(n, v.prefix+"next")
	v.TBZ(2, n, v.prefix+"one")
	v.ANDI(3, n, n)
	for m, x := range v.x {
		v.LDRQPost(16, a[m], x[0])
	}
	for s := range 4 {
		v.term(s, s, func(m int) arm64.Vec { return v.x[m][0] })
	}
	v.finish(4)
	v.CBZ(n, v.prefix+"next")
	v.Label(v.prefix + "one")
	for m, x := range v.x {
		v.LDRSPost(4, a[m], x[0])
	}
	v.term(0, 0, func(m int) arm64.Vec { return v.x[m][0] })
	v.finish(1)
	v.SUBI(1, n, n)
	v.CBNZ(n, v.prefix+"one")
	v.Label(v.prefix + "next")
	v.SUBI(1, taps, taps)
	v.CBNZ(taps, v.prefix+"tap")
}

// splitLoop is the loop over eight terms for cores that issue in order, as
// Cortex-A53 and A55. There a load of a register's 128 bits takes two cycles in which
// nothing else issues, while one of 64 bits goes beside a multiply-add: so most
// registers come in halves, the second by way of a general register, two quads of
// weights ahead.
func (v *tileNEON) splitLoop(a []arm64.GP, n arm64.GP) {
	w := v.w[0]
	half := []arm64.GP{v.GP(), v.GP(), v.GP()}
	v.Label(v.prefix + "split")
	for m, x := range v.x {
		v.LDRQPost(16, a[m], x[0])
	}
	v.LDRQ(0, w, v.b[0])
	v.LDRQ(16, w, v.b[1])
	var image []func() // loads of the pixels' second registers
	for m, x := range v.x {
		if len(x) == 1 {
			continue
		}
		image = append(image,
			func() { v.LDRDPost(8, a[m], x[1]) },
			func() { v.LDRXPost(8, a[m], half[2]) },
			nil, // until it is there
			func() { v.INS_D(half[2], 1, x[1]) })
	}
	const quads = 8 * 4
	for i := range quads {
		if i == quads/2 {
			if len(image) > 0 {
				panic("BUG: too little room for the image's loads")
			}
			for m, x := range v.x {
				if len(x) == 1 {
					v.LDRQPost(16, a[m], x[0])
				}
			}
		}
		beside := make([]func(), v.pixels)
		if next := i + 2; next < quads {
			b := v.b[next%4]
			beside[0] = func() { v.LDRD(16*next, w, b) }
			beside[1] = func() { v.LDRX(16*next+8, w, half[i%2]) }
			beside[v.pixels-1] = func() { v.INS_D(half[i%2], 1, b) }
		}
		for m, x := range v.x {
			v.FMLAElem(x[i/4/4%len(x)], i/4%4, v.b[i%4], v.acc[m][i%4])
			switch {
			case beside[m] != nil:
				beside[m]()
			case len(image) > 0:
				if image[0] != nil {
					image[0]()
				}
				image = image[1:]
			}
		}
	}
	v.ADDI(64*8, w, w)
	v.SUBI(1, n, n)
	v.CBNZ(n, v.prefix+"split")
	v.B(v.prefix + "four")
}

// epilogue applies the activation.
func (v *tileNEON) epilogue() {
	v.CMPI(actRelu, v.act)
	v.BNE(v.prefix + "store")
	below := v.x[0][0]
	for _, r := range v.sums() {
		v.FCMLT0(r, below)
		v.BIC_16B(below, r, r)
	}
	v.Label(v.prefix + "store")
}

// storePixels stores one whole panel of all pixels.
func (v *tileNEON) storePixels(at, outStep arm64.GP) {
	for _, acc := range v.acc {
		switch v.quads {
		case 4:
			v.ST1x4_4SPostReg(acc[0], acc[1], acc[2], acc[3], outStep, at)
		case 3:
			v.ST1x3_4SPostReg(acc[0], acc[1], acc[2], outStep, at)
		case 2:
			v.ST1x2_4SPostReg(acc[0], acc[1], outStep, at)
		default:
			v.ST1x1_4SPostReg(acc[0], outStep, at)
		}
	}
}

// storePartial stores the first n channels, fewer than the quads have, of all
// pixels of one panel.
func (v *tileNEON) storePartial(at, outStep, n arm64.GP) {
	to := v.GP()
	for m, acc := range v.acc {
		v.MOV(at, to)
		v.storeFirstOf(to, acc[:v.quads], n, fmt.Sprintf("%spixel%d", v.prefix, m))
		v.ADD(outStep, at, at)
	}
}

func (v *tileNEON) storeFirstOf(to arm64.GP, acc []arm64.Vec, n arm64.GP, label string) {
	var four [4]arm64.Vec
	for i := range four {
		four[i] = acc[min(i, len(acc)-1)]
	}
	storeFirst(v.Context, to, four, n, label)
}

// storeAll stores the sums of several panels, of the last as many channels as the
// arguments say.
func (v *tileNEON) storeAll() {
	c := v.Context
	out, outStep, last := field(c, v.args, convOut), field(c, v.args, convOutStep), field(c, v.args, convLast)
	c.CMPI(PanelWidth, last)
	c.BNE("partial")
	row := func(acc []arm64.Vec, panels int) {
		for p := range panels {
			for q := 0; q < 4; q += 2 {
				c.STPQ(acc[4*p+q], acc[4*p+q+1], 64*p+16*q, out)
			}
		}
	}
	for m := range v.acc {
		row(v.acc[m], v.panels)
		c.ADD(outStep, out, out)
	}
	c.RET()
	c.Label("partial")
	for m := range v.acc {
		row(v.acc[m], v.panels-1)
		at := c.GP()
		c.ADDI(64*(v.panels-1), out, at)
		v.storeFirstOf(at, v.acc[m][4*(v.panels-1):], last, fmt.Sprintf("pixel%d", m))
		c.ADD(outStep, out, out)
	}
}
