package conv

import (
	"fmt"

	"github.com/flexnnc/flexnnc/avo/arm64"
)

// loopPixels is the fewest pixels of a NEON tile whose kernel takes one panel at a
// time and loops over panels and tiles itself. Smaller ones need several panels at once for
// as many sums as the latency of a multiply-add asks for.
const loopPixels = 4

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
	w, out := field(c, v.args, convW), field(c, v.args, convOut)
	outStep, panels := field(c, v.args, convOutStep), field(c, v.args, convPanels)
	at, tiles := c.GP(), c.GP()
	forms := []int{4}
	for q := 3; q >= 1; q-- {
		if narrow(t.Pixels, q) {
			forms = append(forms, q)
		}
	}
	v.findRuns()
	// partial is not 0 where the panel is the last one and has fewer channels than the form
	// at hand.
	partial := c.GP()
	c.Label("panel")
	c.MOVZ(0, 0, partial)
	c.CMPI(1, panels)
	c.BNE("quads4")
	last := field(c, v.args, convLast)
	for i, q := range forms {
		c.SUBI(4*q, last, partial)
		if i+1 < len(forms) {
			c.CMPI(4*forms[i+1], last)
			c.BGT(fmt.Sprintf("quads%d", q))
		} else if i > 0 {
			c.B(fmt.Sprintf("quads%d", q))
		}
	}
	for _, q := range forms {
		v.quads, v.prefix = q, fmt.Sprintf("quads%d", q)
		c.Label(v.prefix)
		c.LDRX(convBase, v.args, v.base)
		c.LDRX(convTiles, v.args, tiles)
		c.MOV(out, at)
		twin := q < 3 && v.ofFive()
		switch {
		case q == 4:
			c.CMPI(2, v.inOrder)
			c.BNE("quads4tile")
			c.CBZ(partial, "run")
		case twin:
			c.TBZ(1, v.inOrder, v.prefix+"tile")
			c.CBZ(partial, v.prefix+"twin")
		}
		c.Label(v.prefix + "tile")
		c.MOV(w, v.w[0])
		v.compute()
		v.epilogue()
		c.CBNZ(partial, v.prefix+"partial")
		v.storePixels(at, outStep)
		c.Label(v.prefix + "stored")
		c.ADD(field(c, v.args, convTileIn), v.base, v.base)
		c.SUBSI(1, tiles, tiles)
		c.BGT(v.prefix + "tile")
		if q == 4 {
			c.Label("next")
			c.ADD(field(c, v.args, convWStep), w, w)
			c.ADDI(4*PanelWidth, out, out)
			c.SUBI(1, panels, panels)
			c.CBNZ(panels, "panel")
		}
		c.RET()
		if q == 4 {
			v.run(w, at, outStep, tiles)
			v.prefix = "quads4"
		}
		if twin {
			v.twins(w, at, outStep, tiles)
		}
		c.Label(v.prefix + "partial")
		v.storePartial(at, outStep, field(c, v.args, convLast))
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
	v.base, v.k = field(c, v.args, convBase), field(c, v.args, convK)
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
	var free []arm64.Vec
	for next >= 0 {
		free = append(free, take())
	}
	v.imageRegisters(free[:min(len(free), 2*pixels)])
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

// biases begins the sums with the biases, and moves on to the weights.
func (v *tileNEON) biases() {
	for p, w := range v.w {
		for m := range v.acc {
			if m+1 == v.pixels && v.quads == 4 {
				acc := v.acc[m][4*p:]
				v.LD1x4_4SPost(w, acc[0], acc[1], acc[2], acc[3])
			} else {
				v.loadQuads(w, v.acc[m][4*p:])
			}
		}
		if v.quads < 4 {
			v.ADDI(4*PanelWidth, w, w)
		}
	}
}

// findRuns sets bit 1 of inOrder where sums are over one tap of a multiple of eight
// channels: twins serves, and run on a core that does not issue in order.
func (v *tileNEON) findRuns() {
	v.CMPI(1, field(v.Context, v.args, convTaps))
	v.BNE("found")
	v.TSTI(7, v.k)
	v.BNE("found")
	v.ADDI(2, v.inOrder, v.inOrder)
	v.Label("found")
}

// run computes all tiles of a whole panel: one tap a tile, so that the pointers to cells
// need no table but for the first tile, and only whole eights of channels.
func (v *tileNEON) run(w, at, outStep, tiles arm64.GP) {
	v.Label("run")
	v.prefix = "run"
	a := v.cellPointers(field(v.Context, v.args, convInd))
	// What lies between the end of a tile's cells and the next tile's.
	skip, rounds, n := field(v.Context, v.args, convTileIn), v.GP(), v.GP()
	v.SUBLSL(v.k, 2, skip, skip)
	v.LSRI(3, v.k, rounds)
	if v.ofFive() {
		v.SUBI(1, rounds, rounds)
	}
	act := field(v.Context, v.args, convAct)
	v.Label("runtile")
	v.MOV(w, v.w[0])
	v.biases()
	v.MOV(rounds, n)
	v.eights(a, n)
	v.CBZ(act, "runstore")
	v.relu()
	v.Label("runstore")
	v.storePixels(at, outStep)
	for _, a := range a {
		v.ADD(skip, a, a)
	}
	v.SUBSI(1, tiles, tiles)
	v.BGT("runtile")
	v.B("next")
}

// twins computes tiles of a narrow panel by twos, for as many independent sums as the
// latency of multiply-adds asks for. A last single one is left at v.base.
func (v *tileNEON) twins(w, at, outStep, tiles arm64.GP) {
	t := *v
	t.pixels, t.prefix = 2*v.pixels, v.prefix+"twin"
	t.acc, t.x = nil, nil
	next := 0
	take := func(n int) (l []arm64.Vec) {
		for range n {
			l = append(l, arm64.V(next))
			next++
		}
		return l
	}
	for range t.pixels {
		t.acc = append(t.acc, take(v.quads))
	}
	for range t.pixels {
		t.x = append(t.x, take(3-v.quads))
	}
	copy(t.b[:], take(v.quads))
	t.Label(t.prefix)
	t.CMPI(2, tiles)
	t.BLT(v.prefix + "tile")
	a := v.cellPointers(field(v.Context, v.args, convInd))
	step := field(v.Context, v.args, convTileIn)
	for m := range v.pixels {
		a = append(a, t.GP())
		t.ADD(step, a[m], a[v.pixels+m])
	}
	t.LSLI(1, step, step)
	skip, rounds, n := t.GP(), t.GP(), t.GP()
	t.SUBLSL(t.k, 2, step, skip)
	t.LSRI(3, t.k, rounds)
	t.Label(t.prefix + "tile")
	t.MOV(w, t.w[0])
	t.biases()
	t.MOV(rounds, n)
	t.eights(a, n)
	t.epilogue()
	t.storePixels(at, outStep)
	for _, a := range a {
		t.ADD(skip, a, a)
	}
	t.ADD(step, t.base, t.base)
	t.SUBI(2, tiles, tiles)
	t.CMPI(2, tiles)
	t.BGE(t.prefix + "tile")
	t.CBNZ(tiles, v.prefix+"tile")
	t.RET()
}

// cellPointers takes the addresses of a tap's cells, one for each pixel, from the table.
func (v *tileNEON) cellPointers(ind arm64.GP) []arm64.GP {
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
	return a
}

// compute makes the sums of the panels at v.w.
func (v *tileNEON) compute() {
	v.biases()
	ind, taps := field(v.Context, v.args, convInd), field(v.Context, v.args, convTaps)
	n := v.GP()
	v.Label(v.prefix + "tap")
	a := v.cellPointers(ind)
	v.terms(a, n, v.prefix+"next")
	v.Label(v.prefix + "next")
	v.SUBI(1, taps, taps)
	v.CBNZ(taps, v.prefix+"tap")
}

// epilogue applies the activation.
func (v *tileNEON) epilogue() {
	v.CBZ(field(v.Context, v.args, convAct), v.prefix+"store")
	v.relu()
	v.Label(v.prefix + "store")
}

// relu makes x < 0 ? 0 : x of all sums, four at a time: registers of weights, or of the
// image, are free.
func (v *tileNEON) relu() {
	free := v.b
	for m := 0; m < len(free) && v.pixels >= len(free); m++ {
		free[m] = v.x[m][0]
	}
	sums := v.sums()
	for i := 0; i < len(sums); i += len(free) {
		four := sums[i:min(i+len(free), len(sums))]
		for j, r := range four {
			v.FCMLT0(r, free[j])
		}
		for j, r := range four {
			v.BIC_16B(free[j], r, r)
		}
	}
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
