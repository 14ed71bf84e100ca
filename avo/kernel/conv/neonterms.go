package conv

import "github.com/flexnnc/flexnnc/avo/arm64"

// This file has the innermost loops of NEON kernels: they add terms, 8 at a time while
// there are as many, to the sums of a tile. Each term is a row of weights, loaded once,
// times one cell of each pixel.

// tileNEON is what the kernel of a tile holds in registers: sums, weights, and parts of
// the image.
type tileNEON struct {
	*arm64.Context
	pixels, panels int // computed at once
	quads          int // registers that a panel's channels fill: fewer than 4 in its narrow forms
	half           bool
	prefix         string // of labels

	args, base, k arm64.GP
	inOrder       arm64.GP   // not 0 on cores that issue in order; of kernels that have a loop for them
	split         func()     // emits that loop, once there is need of it
	w             []arm64.GP // of each panel, at the weights to be read next
	acc           [][]arm64.Vec
	b             [4]arm64.Vec  // weights
	x             [][]arm64.Vec // of the image: a register of four cells a pixel, or two
}

// imageRegisters shares registers out among pixels: one for each, then a second one
// while there are some.
func (v *tileNEON) imageRegisters(free []arm64.Vec) {
	v.x = make([][]arm64.Vec, v.pixels)
	for m := range v.x {
		v.x[m] = free[m : m+1 : m+1]
	}
	for m := 0; m < v.pixels && v.pixels+m < len(free); m++ {
		v.x[m] = append(v.x[m], free[v.pixels+m])
	}
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

// terms adds v.k terms with the cells at a, and goes on at the label next. n is
// spoiled.
func (v *tileNEON) terms(a []arm64.GP, n arm64.GP, next string) {
	v.LSRI(3, v.k, n)
	v.CBZ(n, v.prefix+"four")
	if v.quads == 4 && v.pixels >= loopPixels {
		v.TBNZ(0, v.inOrder, v.prefix+"split")
		v.split = func() { v.splitLoop(a, n) }
	}
	if v.ofFive() {
		v.SUBI(1, n, n)
	}
	v.eights(a, n)
	v.Label(v.prefix + "four")
	v.ANDI(7, v.k, n)
	v.CBZ(n, next)
	v.TBZ(2, n, v.prefix+"one")
	v.ANDI(3, n, n)
	for m, x := range v.x {
		v.LDRQPost(16, a[m], x[0])
	}
	for s := range 4 {
		v.term(s, s, func(m int) arm64.Vec { return v.x[m][0] })
	}
	v.finish(4)
	v.CBZ(n, next)
	v.Label(v.prefix + "one")
	for m, x := range v.x {
		v.LDRSPost(4, a[m], x[0])
	}
	v.term(0, 0, func(m int) arm64.Vec { return v.x[m][0] })
	v.finish(1)
	v.SUBI(1, n, n)
	v.CBNZ(n, v.prefix+"one")
}

// ofFive says that eights is eightsOfFive.
func (v *tileNEON) ofFive() bool {
	return v.pixels == 5 && len(v.x[2]) == 2 && len(v.x[3]) == 1
}

// loop is a loop, n times over body, of which there are two a round where panels are whole.
func (v *tileNEON) loop(n arm64.GP, body func()) {
	if v.quads < 4 {
		v.Label(v.prefix + "eight")
		body()
		v.SUBI(1, n, n)
		v.CBNZ(n, v.prefix+"eight")
		return
	}
	v.TBNZ(0, n, v.prefix+"odd")
	v.Label(v.prefix + "eight")
	body()
	v.Label(v.prefix + "odd")
	body()
	v.SUBSI(2, n, n)
	v.BGT(v.prefix + "eight")
}

// eights adds eight terms n times over, or once more where ofFive says so. n is spoiled.
func (v *tileNEON) eights(a []arm64.GP, n arm64.GP) {
	if v.ofFive() {
		v.eightsOfFive(a, n)
		return
	}
	v.loop(n, func() {
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
	})
}

// eightsOfFive is that for five pixels and eight registers for their cells, all of
// which are loaded in pairs: those of the last two pixels four terms later than the
// others, when the first registers of two others are free. So these are four terms ahead
// all the time, but for the last eight terms, which have code of their own and are not
// counted in n.
func (v *tileNEON) eightsOfFive(a []arm64.GP, n arm64.GP) {
	eight := func(last bool) {
		for m := range 3 {
			v.LDPQPost(32, a[m], v.x[m][0], v.x[m][1])
		}
		for s := range 8 {
			for m := 3; m < 5 && s == 4; m++ {
				if last {
					v.LDRQPost(16, a[m], v.x[m-3][0])
				} else {
					v.LDPQPost(32, a[m], v.x[m-3][0], v.x[m][0])
				}
			}
			v.term(s, s%4, func(m int) arm64.Vec {
				switch {
				case m < 3:
					return v.x[m][s/4]
				case s < 4:
					return v.x[m][0]
				}
				return v.x[m-3][0]
			})
		}
		v.finish(8)
	}
	for m := 3; m < 5; m++ {
		v.LDRQPost(16, a[m], v.x[m][0])
	}
	v.CBZ(n, v.prefix+"last")
	v.loop(n, func() { eight(false) })
	v.Label(v.prefix + "last")
	eight(true)
}
