package conv

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
	"github.com/mmcloughlin/avo/x86"

	"github.com/flexnnc/flexnnc/avo/amd64"
)

// vector is the vector unit of an amd64 ISA: its registers and the ways to load
// and store the last panel's channels.
type vector struct {
	*amd64.Context
	avx512 bool
	ones   operand.Mem // 16 words of ones, then 16 of zeros
	limits operand.Mem // of rounding to int8: limitWords
	// transpose orders the cells of a column: transposeWords.
	transpose operand.Mem
}

// floats is the width of a register.
func (v *vector) floats() int {
	if v.avx512 {
		return 16
	}
	return 8
}

// perPanel is registers per panel.
func (v *vector) perPanel() int { return PanelWidth / v.floats() }

func (v *vector) reg() reg.VecVirtual {
	if v.avx512 {
		return v.ZMM()
	}
	return v.YMM()
}

func (v *vector) zero() reg.VecVirtual {
	z := v.reg()
	if v.avx512 {
		v.I(x86.VPXORD(z, z, z))
	} else {
		v.I(x86.VXORPS(z, z, z))
	}
	return z
}

// loadWeights loads the weights at m to r, widened where they are float16.
func (v *vector) loadWeights(m operand.Mem, r reg.Register, half bool) {
	if half {
		v.I(x86.VCVTPH2PS(m, r))
	} else {
		v.I(x86.VMOVUPS(m, r))
	}
}

func (v *vector) end() {
	v.I(x86.VZEROUPPER())
	v.I(x86.RET())
}

func mem(base reg.Register, disp int) operand.Mem { return operand.Mem{Base: base, Disp: disp} }

// counter is a 64-bit register with a constant.
func (v *vector) constant(n int) reg.GPVirtual {
	r := v.GP64()
	v.I(x86.MOVQ(operand.I32(n), r))
	return r
}

// masks selects the first `count` lanes of a panel: AVX-512 as one opmask, AVX2 as
// a vector per register.
type masks struct {
	k reg.OpmaskVirtual
	y []reg.VecVirtual
}

// masksFor makes masks for a count of 1 to 16 lanes over n registers.
func (v *vector) masksFor(count reg.GPVirtual, n int) masks {
	if v.avx512 {
		m, k := v.GP32(), v.K()
		v.I(x86.MOVL(operand.U32(1), m))
		v.I(x86.SHLXL(count.As32(), m, m))
		v.I(x86.DECL(m))
		v.I(x86.KMOVW(m, k))
		return masks{k: k}
	}
	at := v.GP64()
	v.I(x86.LEAQ(v.ones, at))
	neg := v.GP64()
	v.I(x86.MOVQ(count, neg))
	v.I(x86.NEGQ(neg))
	var ms masks
	for i := range n {
		y := v.YMM()
		v.I(x86.VMOVUPS(operand.Mem{Base: at, Index: neg, Scale: 4, Disp: 4 * (PanelWidth + 8*i)}, y))
		ms.y = append(ms.y, y)
	}
	return ms
}

func (v *vector) storeMasked(r reg.Register, ms masks, i int, m operand.Mem) {
	if v.avx512 {
		v.I(x86.VMOVUPS(r, ms.k, m))
	} else {
		v.I(x86.VMASKMOVPS(r, ms.y[i], m))
	}
}

// loadMasked loads lanes of the mask and zero elsewhere; no byte beyond is touched.
func (v *vector) loadMasked(m operand.Mem, ms masks, i int) reg.VecVirtual {
	r := v.reg()
	if v.avx512 {
		v.I(x86.VMOVUPS_Z(m, ms.k, r))
	} else {
		v.I(x86.VMASKMOVPS(m, ms.y[i], r))
	}
	return r
}

// relu makes x < 0 ? 0 : x of every register where the act field says so.
func (v *vector) relu(act operand.Mem, acc []reg.VecVirtual, label string) {
	v.I(x86.CMPQ(act, operand.I8(actRelu)))
	v.I(x86.JNE(operand.LabelRef(label)))
	v.clip(acc, v.zero())
	v.Label(label)
}

// clip makes x < 0 ? 0 : x of every register, with zeros in z.
func (v *vector) clip(acc []reg.VecVirtual, z reg.VecVirtual) {
	for _, r := range acc {
		// The second source is the answer where either is NaN or both are zero.
		v.I(x86.VMAXPS(r, z, r))
	}
}

// prefetchAhead is how many bytes ahead of use kernels of one pixel ask for weights.
const prefetchAhead = 1024

// fetchesTwo tells that kernels of several panels can ask for two lines of later
// weights with each term of their sums: that their tiles are large enough to hide it.
func (i ISA) fetchesTwo() bool { return i == AVX512 }

// convX86 generates the kernel of a tile. narrow tells which numbers of channels, in
// quads, the last panel may have: AVX2, whose masked stores are slow, has stores for
// these, and for one panel of up to 8 channels sums of 8.
func convX86(v *vector, t Tile, narrow func(quads int) bool) {
	v.Function(t.Name(), "func(a *convArgs)",
		fmt.Sprintf("%s computes %d pixels of %d panels; see convArgs.", t.Name(), t.Pixels, t.Panels))
	half := !v.avx512 && t.Panels == 1 && (narrow(1) || narrow(2))
	if half {
		v.I(x86.CMPQ(mem(v.Load("a"), convLast), operand.I8(PanelWidth/2)))
		v.I(x86.JLE(operand.LabelRef("half")))
	}
	v.convTile(t, "", t.Panels*v.perPanel(), narrow)
	if half {
		v.Label("half")
		v.convTile(t, "half", 1, narrow)
	}
}

// convTile emits the tile's code for so many registers of channels, the last of which
// may have fewer. prefix is that of its labels.
func (v *vector) convTile(t Tile, prefix string, regs int, narrow func(quads int) bool) {
	label := func(name string) { v.Label(prefix + name) }
	to := func(name string) operand.LabelRef { return operand.LabelRef(prefix + name) }
	const unroll = 4
	per, row := v.perPanel(), weightRow(t.Half)
	label("tile")
	args := v.Load("a")
	w, wstep, ind, taps := v.GP64(), v.GP64(), v.GP64(), v.GP64()
	v.I(x86.MOVQ(mem(args, convW), w))
	v.I(x86.MOVQ(mem(args, convWStep), wstep))
	v.I(x86.MOVQ(mem(args, convInd), ind))
	v.I(x86.MOVQ(mem(args, convTaps), taps))
	panel := v.panelAddresses(w, wstep, t.Panels)

	// The lines that the result will go to come while it is computed.
	ahead, aheadStep := v.GP64(), v.GP64()
	v.I(x86.MOVQ(mem(args, convAhead), ahead))
	v.I(x86.MOVQ(mem(args, convAheadStep), aheadStep))
	for m := range t.Pixels {
		for p := range t.Panels {
			v.I(x86.PREFETCHT0(mem(ahead, 64*p)))
		}
		if m < t.Pixels-1 {
			v.I(x86.ADDQ(aheadStep, ahead))
		}
	}

	fetch := v.GP64()
	v.I(x86.MOVQ(mem(args, convFetch), fetch))

	// acc[m][p*per+i]: biases to begin with.
	acc := make([][]reg.VecVirtual, t.Pixels)
	for m := range acc {
		for n := range regs {
			r := v.reg()
			if m == 0 {
				v.I(x86.VMOVUPS(panel(n/per, 64/per*(n%per)), r))
			} else {
				v.I(x86.VMOVAPS(acc[0][n], r))
			}
			acc[m] = append(acc[m], r)
		}
	}
	v.I(x86.ADDQ(operand.I32(4*PanelWidth), w))

	// Pointers to the pixels' cells of a tap are 4*k bytes further on, and k counts
	// from -k to 0.
	end := v.GP64()
	v.I(x86.MOVQ(mem(args, convK), end))
	v.I(x86.SHLQ(operand.U8(2), end))
	v.I(x86.ADDQ(mem(args, convBase), end))
	label("tap")
	a := make([]reg.GPVirtual, t.Pixels)
	for m := range a {
		a[m] = v.GP64()
		v.I(x86.MOVL(mem(ind, 4*m), a[m].As32()))
		v.I(x86.ADDQ(end, a[m]))
	}
	v.I(x86.ADDQ(operand.I32(4*t.Pixels), ind))
	k := v.Load("a")
	v.I(x86.MOVQ(mem(k, convK), k))
	v.I(x86.NEGQ(k))

	step := func(s, disp int) {
		cell := func(m int) reg.VecVirtual {
			r := v.reg()
			v.I(x86.VBROADCASTSS(operand.Mem{Base: a[m], Index: k, Scale: 4, Disp: disp}, r))
			return r
		}
		if v.avx512 && t.Panels == 1 && t.Pixels > 1 {
			// Each cell is used once: one instruction loads, spreads and uses it.
			b := v.reg()
			v.loadWeights(panel(0, row*s), b, t.Half)
			for m := range a {
				v.I(x86.VFMADD231PS_BCST(operand.Mem{Base: a[m], Index: k, Scale: 4, Disp: disp}, b, acc[m][0]))
			}
			return
		}
		weight := func(n int) operand.Mem { return panel(n/per, row*s+row/per*(n%per)) }
		if t.Pixels == 1 {
			// Memory is what limits a single pixel: ask for weights a page's quarter ahead.
			for p := range t.Panels {
				v.I(x86.PREFETCHT0(panel(p, row*s+prefetchAhead)))
			}
			x := cell(0)
			for n, r := range acc[0] {
				if !t.Half {
					v.I(x86.VFMADD231PS(weight(n), x, r))
					continue
				}
				b := v.reg()
				v.loadWeights(weight(n), b, true)
				v.I(x86.VFMADD231PS(b, x, r))
			}
			return
		}
		if t.Pixels < regs {
			var x []reg.VecVirtual
			for m := range a {
				x = append(x, cell(m))
			}
			for n := range acc[0] {
				b := v.reg()
				v.loadWeights(weight(n), b, t.Half)
				for m := range a {
					v.I(x86.VFMADD231PS(b, x[m], acc[m][n]))
				}
			}
			return
		}
		var b []reg.VecVirtual
		for n := range acc[0] {
			b = append(b, v.reg())
			v.loadWeights(weight(n), b[n], t.Half)
		}
		for m := range a {
			x := cell(m)
			for n := range b {
				v.I(x86.VFMADD231PS(b[n], x, acc[m][n]))
			}
		}
	}
	v.I(x86.ADDQ(operand.I8(unroll), k))
	v.I(x86.JGT(to("tail")))
	label("loop")
	for s := range unroll {
		step(s, 4*(s-unroll))
		v.I(x86.PREFETCHT1(mem(fetch, 64*s)))
	}
	v.I(x86.ADDQ(operand.I32(64*unroll), fetch))
	if t.Panels > 1 && t.ISA.fetchesTwo() {
		v.I(x86.TESTB(operand.U8(1), fetch.As8()))
		v.I(x86.JEQ(to("fetched")))
		for s := range unroll {
			v.I(x86.PREFETCHT1(mem(fetch, 64*s)))
		}
		v.I(x86.ADDQ(operand.I32(64*unroll), fetch))
		label("fetched")
	}
	v.I(x86.ADDQ(operand.I32(row*unroll), w))
	v.I(x86.ADDQ(operand.I8(unroll), k))
	v.I(x86.JLE(to("loop")))
	label("tail")
	v.I(x86.SUBQ(operand.I8(unroll), k))
	v.I(x86.JEQ(to("next")))
	label("one")
	step(0, 0)
	v.I(x86.ADDQ(operand.I32(row), w))
	v.I(x86.INCQ(k))
	v.I(x86.JNE(to("one")))
	label("next")
	v.I(x86.DECQ(taps))
	v.I(x86.JNE(to("tap")))

	args = v.Load("a")
	var all []reg.VecVirtual
	for m := range acc {
		all = append(all, acc[m]...)
	}
	v.relu(mem(args, convAct), all, prefix+"store")
	out, outStep, last := v.GP64(), v.GP64(), v.GP64()
	v.I(x86.MOVQ(mem(args, convOut), out))
	v.I(x86.MOVQ(mem(args, convOutStep), outStep))
	v.I(x86.MOVQ(mem(args, convLast), last))
	// store stores all registers, the last of them with so many channels.
	store := func(last int, masked func(r reg.VecVirtual, i int, m operand.Mem)) {
		for m := range acc {
			for n, r := range acc[m] {
				at, left := mem(out, 64/per*n), last-v.floats()*(n-(t.Panels-1)*per)
				switch {
				case n < (t.Panels-1)*per || left >= v.floats():
					v.I(x86.VMOVUPS(r, at))
				case masked != nil:
					masked(r, n-(t.Panels-1)*per, at)
				case left > 0:
					v.I(x86.VMOVUPS(r.AsX(), at))
				}
			}
			v.I(x86.ADDQ(outStep, out))
		}
	}
	full := regs*v.floats() - PanelWidth*(t.Panels-1) // channels of the last panel, where it is whole
	v.I(x86.CMPQ(last, operand.I8(int8(full))))
	v.I(x86.JNE(to("partial")))
	store(full, nil)
	label("stored")
	// Where there are more tiles their arguments take the place of this one's.
	tiles, on := v.GP64(), v.GP64()
	v.I(x86.MOVQ(mem(args, convTiles), tiles))
	v.I(x86.DECQ(tiles))
	v.I(x86.JLE(to("done")))
	v.I(x86.MOVQ(tiles, mem(args, convTiles)))
	v.I(x86.MOVQ(out, mem(args, convOut)))
	v.I(x86.MOVQ(mem(args, convTileIn), on))
	v.I(x86.ADDQ(on, mem(args, convBase)))
	v.I(x86.IMUL3Q(operand.I8(int8(t.Pixels)), mem(args, convAheadStep), on))
	v.I(x86.ADDQ(on, mem(args, convAhead)))
	// What later tiles need is asked for on and on, and these weights again each time.
	v.I(x86.MOVQ(mem(args, convFetch), on))
	v.I(x86.CMPQ(on, mem(args, convW)))
	v.I(x86.JEQ(to("tile")))
	v.I(x86.MOVQ(fetch, mem(args, convFetch)))
	v.I(x86.JMP(to("tile")))
	label("done")
	v.end()
	label("partial")
	for q := 1; 4*q < full && !v.avx512; q++ {
		if !narrow(q) || regs > 1 && q <= 2 && t.Panels == 1 {
			continue
		}
		v.I(x86.CMPQ(last, operand.I8(int8(4*q))))
		v.I(x86.JNE(to(fmt.Sprintf("not%d", q))))
		store(4*q, nil)
		v.I(x86.JMP(to("stored")))
		label(fmt.Sprintf("not%d", q))
	}
	ms := v.masksFor(last, (full+v.floats()-1)/v.floats())
	store(0, func(r reg.VecVirtual, i int, m operand.Mem) { v.storeMasked(r, ms, i, m) })
	v.I(x86.JMP(to("stored")))
}

// panelAddresses returns the address of a byte of panel p at w: w itself moves
// along the panels, wstep and its multiples lead from one to the next.
func (v *vector) panelAddresses(w, wstep reg.GPVirtual, panels int) func(p, disp int) operand.Mem {
	multiple := map[int]reg.GPVirtual{1: wstep}
	for _, n := range []int{3, 5, 7} {
		if n >= panels {
			break
		}
		r := v.GP64()
		if n == 7 {
			v.I(x86.LEAQ(operand.Mem{Base: multiple[3], Index: wstep, Scale: 4}, r))
		} else {
			v.I(x86.LEAQ(operand.Mem{Base: wstep, Index: wstep, Scale: uint8(n - 1)}, r))
		}
		multiple[n] = r
	}
	return func(p, disp int) operand.Mem {
		if p == 0 {
			return mem(w, disp)
		}
		scale := 1
		for p%2 == 0 {
			p, scale = p/2, 2*scale
		}
		return operand.Mem{Base: w, Index: multiple[p], Scale: uint8(scale), Disp: disp}
	}
}
