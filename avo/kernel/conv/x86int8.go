package conv

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
	"github.com/mmcloughlin/avo/x86"
)

// splat is a register with one 32-bit word in all lanes.
func (v *vector) splat(word uint32) reg.VecVirtual {
	g, x, r := v.GP32(), v.XMM(), v.reg()
	v.I(x86.MOVL(operand.U32(word), g))
	v.I(x86.VMOVD(g, x))
	v.I(x86.VPBROADCASTD(x, r))
	return r
}

// dequantize makes float32 of the sums of pixels, times the factors and plus the
// biases of their channels, and applies the activation. at is the address of a byte
// of a panel's head.
func (v *vector) dequantize(acc [][]reg.VecVirtual, at func(p, disp int) operand.Mem, act operand.Mem) {
	per := v.perPanel()
	var all []reg.VecVirtual
	for n := range acc[0] {
		scale, bias := v.reg(), v.reg()
		v.I(x86.VMOVUPS(at(n/per, 64/per*(n%per)), scale))
		v.I(x86.VMOVUPS(at(n/per, int8Bias+64/per*(n%per)), bias))
		for m := range acc {
			r := acc[m][n]
			v.I(x86.VCVTDQ2PS(r, r))
			v.I(x86.VMULPS(scale, r, r))
			v.I(x86.VADDPS(bias, r, r))
			all = append(all, r)
		}
	}
	v.relu(act, all, "store")
}

// storeTile stores pixels of panels, the last of which may be partial.
func (v *vector) storeTile(acc [][]reg.VecVirtual, args reg.GPVirtual) {
	per := v.perPanel()
	whole := len(acc[0]) - per
	out, outStep, last := v.GP64(), v.GP64(), v.GP64()
	v.I(x86.MOVQ(mem(args, convOut), out))
	v.I(x86.MOVQ(mem(args, convOutStep), outStep))
	v.I(x86.MOVQ(mem(args, convLast), last))
	store := func(ms *masks) {
		for m := range acc {
			for n, r := range acc[m] {
				if ms == nil || n < whole {
					v.I(x86.VMOVUPS(r, mem(out, 64/per*n)))
				} else {
					v.storeMasked(r, *ms, n-whole, mem(out, 64/per*n))
				}
			}
			if m < len(acc)-1 {
				v.I(x86.ADDQ(outStep, out))
			}
		}
		v.end()
	}
	v.I(x86.CMPQ(last, operand.I8(PanelWidth)))
	v.I(x86.JNE(operand.LabelRef("partial")))
	store(nil)
	v.Label("partial")
	ms := v.masksFor(last, per)
	store(&ms)
}

// finishInt8 makes float32 of the sums of a tile and stores them, or int8.
func (v *vector) finishInt8(t Int8Tile, acc [][]reg.VecVirtual, args reg.GPVirtual) {
	v.dequantize(acc, v.head(args, t.Panels), mem(args, convAct))
	v.I(x86.CMPL(mem(args, convQuantize), operand.I8(0)))
	v.I(x86.JNE(operand.LabelRef("bytes")))
	v.storeTile(acc, args)
	v.Label("bytes")
	per := v.perPanel()
	whole := len(acc[0]) - per
	out, outStep, last := v.GP64(), v.GP64(), v.GP64()
	v.I(x86.MOVQ(mem(args, convOut), out))
	v.I(x86.MOVQ(mem(args, convOutStep), outStep))
	v.I(x86.MOVQ(mem(args, convLast), last))
	round := v.rounding(mem(args, convQuantize), v.reg)
	var ms masks
	if v.avx512 {
		ms = v.masksFor(last, 1)
	}
	for m := range acc {
		for n, r := range acc[m] {
			v.roundInt8(r, round)
			at := mem(out, PanelWidth/per*n)
			switch {
			case n < whole:
				v.storeInt8(r, at)
			case v.avx512:
				v.I(x86.VPMOVDB(r, ms.k, at))
			default:
				v.storeFours(r, at, last, n-whole, fmt.Sprintf("pixel%dregister%d", m, n))
			}
		}
		if m < len(acc)-1 {
			v.I(x86.ADDQ(outStep, out))
		}
	}
	v.end()
}

// limit is a number of the rounding to int8, as often as any register holds it.
func (v *vector) limit(which int) operand.Mem {
	m := v.limits
	m.Disp += 4 * PanelWidth * which
	return m
}

// rounding is the numbers of the rounding to int8, in registers where there are
// many: what values are multiplied by, and the bounds and parts that limit counts.
type rounding struct {
	scale                        regVec
	most, least, sign, belowHalf regVec // of 512 bits only; least is an int32
}

// rounding reads the factor, to a register that fresh makes, and for those of
// AVX-512 the other numbers.
func (v *vector) rounding(factor operand.Mem, fresh func() regVec) rounding {
	r := rounding{scale: fresh()}
	v.I(x86.VBROADCASTSS(factor, r.scale))
	if r.scale.Size() == 64 {
		r.most, r.least, r.sign, r.belowHalf = v.splat(int8Most), v.splat(^uint32(126)), v.splat(signBit), v.splat(belowHalf)
	}
	return r
}

// roundInt8 makes int32 of x times scale: within ±127, plus what is just below a
// half with its sign, cut.
func (v *vector) roundInt8(x regVec, r rounding) {
	h := v.like(x)
	if x.Size() == 64 {
		v.I(x86.VMULPS(r.scale, x, x))
		// The second source is the answer where either is NaN. What is far below, and NaN,
		// is converted to the least int32.
		v.I(x86.VMINPS(x, r.most, x))
		v.I(x86.VMOVDQA32(x, h))
		v.I(x86.VPTERNLOGD(operand.U8(0xea), r.belowHalf, r.sign, h)) // h and sign, or belowHalf
		v.I(x86.VADDPS(h, x, x))
		v.I(x86.VCVTTPS2DQ(x, x))
		v.I(x86.VPMAXSD(r.least, x, x))
		return
	}
	v.I(x86.VMULPS(r.scale, x, x))
	// The second source is the answer where the first is NaN.
	v.I(x86.VMAXPS(v.limit(0), x, x))
	v.I(x86.VMINPS(v.limit(1), x, x))
	v.I(x86.VANDPS(v.limit(2), x, h))
	v.I(x86.VORPS(v.limit(3), h, h))
	v.I(x86.VADDPS(h, x, x))
	v.I(x86.VCVTTPS2DQ(x, x))
}

// like is a fresh register of r's size.
func (v *vector) like(r regVec) regVec {
	switch r.Size() {
	case 16:
		return v.XMM()
	case 32:
		return v.YMM()
	}
	return v.ZMM()
}

// storeInt8 stores the int32 of a register, within ±127, as bytes.
func (v *vector) storeInt8(r regVec, at operand.Mem) {
	switch r.Size() {
	case 64:
		v.I(x86.VPMOVDB(r, at))
	case 32:
		v.I(x86.VMOVQ(v.packInt8(r), at))
	default:
		v.I(x86.VPACKSSDW(r, r, r))
		v.I(x86.VPACKSSWB(r, r, r))
		v.I(x86.VMOVD(r, at))
	}
}

// packInt8 makes 8 bytes of the int32 of a YMM register.
func (v *vector) packInt8(r regVec) regVec {
	upper := v.XMM()
	v.I(x86.VEXTRACTI128(operand.U8(1), r, upper))
	v.I(x86.VPACKSSDW(upper, r.(reg.Vec).AsX(), upper))
	v.I(x86.VPACKSSWB(upper, upper, upper))
	return upper
}

// storeFours stores register i of a panel that ends after last channels, a multiple
// of four: 8 channels, 4 or none.
func (v *vector) storeFours(r regVec, at operand.Mem, last reg.GPVirtual, i int, label string) {
	bytes := v.packInt8(r)
	v.I(x86.CMPQ(last, operand.I8(8*i+4)))
	v.I(x86.JLT(operand.LabelRef(label + "done")))
	v.I(x86.JEQ(operand.LabelRef(label + "four")))
	v.I(x86.VMOVQ(bytes, at))
	v.I(x86.JMP(operand.LabelRef(label + "done")))
	v.Label(label + "four")
	v.I(x86.VMOVD(bytes, at))
	v.Label(label + "done")
}

// int8Loop emits the loops over taps and groups of four channels around step, which
// gets the addresses of a pixel's group and of a byte of a panel's weights of it.
func (v *vector) int8Loop(t Int8Tile, args, w, wstep reg.GPVirtual, step func(cell func(m int) operand.Mem, weights func(p, disp int) operand.Mem)) {
	panel := v.panelAddresses(w, wstep, t.Panels)
	ind, taps := v.GP64(), v.GP64()
	v.I(x86.MOVQ(mem(args, convInd), ind))
	v.I(x86.MOVQ(mem(args, convTaps), taps))
	// Pointers to the pixels' cells of a tap are 4*k bytes further on, and k counts
	// from -k to 0.
	end := v.GP64()
	v.I(x86.MOVQ(mem(args, convK), end))
	v.I(x86.SHLQ(operand.U8(2), end))
	v.I(x86.ADDQ(mem(args, convBase), end))
	v.I(x86.ADDQ(operand.I32(int8Weights), w))
	v.Label("tap")
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
	v.Label("group")
	step(func(m int) operand.Mem { return operand.Mem{Base: a[m], Index: k, Scale: 4} }, panel)
	v.I(x86.ADDQ(operand.I32(int8Group), w))
	v.I(x86.INCQ(k))
	v.I(x86.JNE(operand.LabelRef("group")))
	v.I(x86.DECQ(taps))
	v.I(x86.JNE(operand.LabelRef("tap")))
}

// head gives the address of a byte of panel p's head, once the loops are done.
func (v *vector) head(args reg.GPVirtual, panels int) func(p, disp int) operand.Mem {
	w, wstep := v.GP64(), v.GP64()
	v.I(x86.MOVQ(mem(args, convW), w))
	v.I(x86.MOVQ(mem(args, convWStep), wstep))
	return v.panelAddresses(w, wstep, panels)
}

// convVNNI generates the kernel of a tile with AVX-512's dot products, of unsigned
// with signed bytes: 128 is added to activations by turning their sign bits, and the
// sums start from what that adds, negated.
func convVNNI(v *vector, t Int8Tile) {
	v.Function(t.Name(), "func(a *convArgs)",
		fmt.Sprintf("%s computes %d pixels of %d int8 panels; see int8Kernels.", t.Name(), t.Pixels, t.Panels))
	args := v.Load("a")
	w, wstep := v.GP64(), v.GP64()
	v.I(x86.MOVQ(mem(args, convW), w))
	v.I(x86.MOVQ(mem(args, convWStep), wstep))
	acc := make([][]reg.VecVirtual, t.Pixels)
	at := v.panelAddresses(w, wstep, t.Panels)
	for m := range acc {
		for n := range t.Panels {
			r := v.reg()
			if m == 0 {
				v.I(x86.VMOVDQU32(at(n, int8Offset), r))
			} else {
				v.I(x86.VMOVDQA32(acc[0][n], r))
			}
			acc[m] = append(acc[m], r)
		}
	}
	signs := v.splat(0x80808080)
	v.int8Loop(t, args, w, wstep, func(cell func(m int) operand.Mem, weights func(p, disp int) operand.Mem) {
		x := func(m int) reg.VecVirtual {
			r := v.reg()
			v.I(x86.VPXORD_BCST(cell(m), signs, r))
			return r
		}
		if t.Pixels == 1 {
			c := x(0)
			for n, r := range acc[0] {
				v.I(x86.VPDPBUSD(weights(n, 0), c, r))
			}
			return
		}
		var b []reg.VecVirtual
		for n := range t.Panels {
			b = append(b, v.reg())
			v.I(x86.VMOVDQU32(weights(n, 0), b[n]))
		}
		for m := range acc {
			c := x(m)
			for n, r := range acc[m] {
				v.I(x86.VPDPBUSD(b[n], c, r))
			}
		}
	})
	args = v.Load("a")
	v.finishInt8(t, acc, args)
}

// convInt8AVX2 generates the kernel of a tile with AVX2's products of unsigned with
// signed bytes, which are added in pairs as int16 with saturation: the absolute
// weights, at most 128, times the activations, within ±127, with the weights' signs.
// A pair is within ±2*128*127 = ±32512, so nothing saturates.
func convInt8AVX2(v *vector, t Int8Tile) {
	v.Function(t.Name(), "func(a *convArgs)",
		fmt.Sprintf("%s computes %d pixels of %d int8 panels; see int8Kernels.", t.Name(), t.Pixels, t.Panels))
	args := v.Load("a")
	w, wstep := v.GP64(), v.GP64()
	v.I(x86.MOVQ(mem(args, convW), w))
	v.I(x86.MOVQ(mem(args, convWStep), wstep))
	acc := make([][]reg.VecVirtual, t.Pixels)
	for m := range acc {
		for range 2 * t.Panels {
			acc[m] = append(acc[m], v.zero())
		}
	}
	one := v.splat(0x00010001)
	v.int8Loop(t, args, w, wstep, func(cell func(m int) operand.Mem, weights func(p, disp int) operand.Mem) {
		for n := range 2 * t.Panels {
			b, size := v.reg(), v.reg()
			v.I(x86.VMOVDQU(weights(n/2, 32*(n%2)), b))
			v.I(x86.VPABSB(b, size))
			for m := range acc {
				x := v.reg()
				v.I(x86.VPBROADCASTD(cell(m), x))
				v.I(x86.VPSIGNB(b, x, x))
				v.I(x86.VPMADDUBSW(x, size, x))
				v.I(x86.VPMADDWD(one, x, x))
				v.I(x86.VPADDD(x, acc[m][n], acc[m][n]))
			}
		}
	})
	args = v.Load("a")
	v.finishInt8(t, acc, args)
}

// depthwiseInt8X86 generates the depthwise kernel of some pixels. Channels are
// taken 16 and then 4 at a time, as int32. They are multiplied as pairs of int16, of
// which weights have a zero for the upper one: that is one instruction, where
// multiplying int32 is two and slow.
func depthwiseInt8X86(v *vector, name string, pixels int) {
	v.Function(name, "func(a *depthwiseArgs)",
		fmt.Sprintf("%s computes %d pixels of all int8 panels; see int8Kernels.", name, pixels))
	args := v.Load("a")
	base, head, first, out, count := v.GP64(), v.GP64(), v.GP64(), v.GP64(), v.GP64()
	v.I(x86.MOVQ(mem(args, depthwiseBase), base))
	v.I(x86.MOVQ(mem(args, depthwiseW), head))     // factor of the next channel
	v.I(x86.LEAQ(mem(head, int8Depthwise), first)) // its first weight
	v.I(x86.MOVQ(mem(args, depthwiseOut), out))
	v.I(x86.MOVQ(mem(args, depthwisePanels), count))
	v.I(x86.DECQ(count))
	v.I(x86.SHLQ(operand.U8(4), count))
	v.I(x86.ADDQ(mem(args, depthwiseLast), count))

	lower := v.splat(0x0000ffff)
	// block computes n channels in registers that fresh makes, of some lanes each, and
	// hands them to store.
	block := func(label string, n, lanes int, fresh func() regVec, store func(acc []regVec, at reg.GPVirtual, bytes bool)) {
		acc := make([][]regVec, pixels)
		for m := range acc {
			for range n / lanes {
				r := fresh()
				v.clearWords(r, lanes)
				acc[m] = append(acc[m], r)
			}
		}
		ind, taps, tap := v.GP64(), v.GP64(), v.GP64()
		v.I(x86.MOVQ(mem(args, depthwiseInd), ind))
		v.I(x86.MOVQ(mem(args, depthwiseTaps), taps))
		v.I(x86.MOVQ(first, tap))
		v.Label(label + "tap")
		var b []regVec
		for i := range n / lanes {
			b = append(b, fresh())
			v.I(x86.VPMOVSXBD(mem(tap, lanes*i), b[i]))
			switch {
			case lanes == 16:
				v.I(x86.VPANDD(lower, b[i], b[i]))
			case lanes == 8:
				v.I(x86.VPAND(lower, b[i], b[i]))
			default:
				v.I(x86.VPAND(lower.(reg.Vec).AsX(), b[i], b[i]))
			}
		}
		for m := range acc {
			off := v.GP64()
			v.I(x86.MOVL(mem(ind, 4*m), off.As32()))
			for i, r := range acc[m] {
				x := fresh()
				v.I(x86.VPMOVSXBD(operand.Mem{Base: base, Index: off, Scale: 1, Disp: lanes * i}, x))
				if v.avx512 {
					v.I(x86.VPDPWSSD(b[i], x, r))
					continue
				}
				v.I(x86.VPMADDWD(b[i], x, x))
				v.I(x86.VPADDD(x, r, r))
			}
		}
		v.I(x86.ADDQ(operand.I32(PanelWidth), tap))
		v.I(x86.ADDQ(operand.I32(4*pixels), ind))
		v.I(x86.DECQ(taps))
		v.I(x86.JNE(operand.LabelRef(label + "tap")))
		for i := range n / lanes {
			scale, bias := fresh(), fresh()
			v.I(x86.VMOVUPS(mem(head, 4*lanes*i), scale))
			v.I(x86.VMOVUPS(mem(head, int8Bias+4*lanes*i), bias))
			for m := range acc {
				r := acc[m][i]
				v.I(x86.VCVTDQ2PS(r, r))
				v.I(x86.VMULPS(scale, r, r))
				v.I(x86.VADDPS(bias, r, r))
			}
		}
		v.I(x86.CMPQ(mem(args, depthwiseAct), operand.I8(actRelu)))
		v.I(x86.JNE(operand.LabelRef(label + "store")))
		zero := fresh()
		v.clearWords(zero, lanes)
		for m := range acc {
			for _, r := range acc[m] {
				v.I(x86.VMAXPS(r, zero, r))
			}
		}
		v.Label(label + "store")
		at := v.GP64()
		v.I(x86.MOVQ(out, at))
		pixelsOut := func(bytes bool) {
			for m := range acc {
				store(acc[m], at, bytes)
				if m < len(acc)-1 {
					v.I(x86.ADDQ(mem(args, depthwiseOutStep), at))
				}
			}
		}
		v.I(x86.CMPL(mem(args, depthwiseQuantize), operand.I8(0)))
		v.I(x86.JNE(operand.LabelRef(label + "bytes")))
		pixelsOut(false)
		v.I(x86.ADDQ(operand.I32(4*n), out))
		v.I(x86.JMP(operand.LabelRef(label + "stored")))
		v.Label(label + "bytes")
		round := v.rounding(mem(args, depthwiseQuantize), fresh)
		for m := range acc {
			for _, r := range acc[m] {
				v.roundInt8(r, round)
			}
		}
		pixelsOut(true)
		v.I(x86.ADDQ(operand.I32(n), out))
		v.Label(label + "stored")
	}
	v.Label("panels")
	v.I(x86.CMPQ(count, operand.I8(PanelWidth)))
	v.I(x86.JLT(operand.LabelRef("fours")))
	block("panel", PanelWidth, v.floats(), v.reg, func(acc []regVec, at reg.GPVirtual, bytes bool) {
		for i, r := range acc {
			if bytes {
				v.storeInt8(r, mem(at, v.floats()*i))
			} else {
				v.I(x86.VMOVUPS(r, mem(at, 4*v.floats()*i)))
			}
		}
	})
	for _, p := range []reg.GPVirtual{head, first} {
		v.I(x86.ADDQ(mem(args, depthwiseWStep), p))
	}
	v.I(x86.ADDQ(operand.I32(PanelWidth), base))
	v.I(x86.SUBQ(operand.I32(PanelWidth), count))
	v.I(x86.JMP(operand.LabelRef("panels")))

	v.Label("fours")
	v.I(x86.CMPQ(count, operand.I8(1)))
	v.I(x86.JLT(operand.LabelRef("done")))
	// Of 1 to 3 channels only those are stored; four or more are a whole register.
	some, neg, four := v.GP64(), v.GP64(), v.constant(4)
	v.I(x86.MOVQ(count, neg))
	v.I(x86.CMPQ(neg, four))
	v.I(x86.CMOVQGT(four, neg))
	v.I(x86.NEGQ(neg))
	v.I(x86.LEAQ(v.ones, some))
	mask := v.XMM()
	v.I(x86.VMOVUPS(operand.Mem{Base: some, Index: neg, Scale: 4, Disp: 4 * PanelWidth}, mask))
	block("four", 4, 4, func() regVec { return v.XMM() }, func(acc []regVec, at reg.GPVirtual, bytes bool) {
		if bytes {
			v.storeInt8(acc[0], mem(at, 0))
		} else {
			v.I(x86.VMASKMOVPS(acc[0], mask, mem(at, 0)))
		}
	})
	v.I(x86.ADDQ(operand.I32(16), head))
	v.I(x86.ADDQ(operand.I32(4), first))
	v.I(x86.ADDQ(operand.I32(4), base))
	v.I(x86.SUBQ(operand.I32(4), count))
	v.I(x86.JMP(operand.LabelRef("fours")))
	v.Label("done")
	v.end()
}

type regVec = reg.VecVirtual

// clearWords zeroes a register of some 32-bit lanes.
func (v *vector) clearWords(r regVec, lanes int) {
	if lanes == 16 {
		v.I(x86.VPXORD(r, r, r))
	} else {
		v.I(x86.VPXOR(r, r, r))
	}
}

// quantizeX86 generates the kernel that makes int8 of float32.
func quantizeX86(v *vector) {
	name := "quantizeAVX2"
	if v.avx512 {
		name = "quantizeAVX512"
	}
	v.Function(name, "func(a *quantizeArgs)", name+" makes int8 of float32; see quantizeArgs.")
	args := v.Load("a")
	in, out, rows := v.GP64(), v.GP64(), v.GP64()
	v.I(x86.MOVQ(mem(args, quantizeIn), in))
	v.I(x86.MOVQ(mem(args, quantizeOut), out))
	v.I(x86.MOVQ(mem(args, quantizeRows), rows))
	round := v.rounding(mem(args, quantizeScale), v.reg)
	width := v.floats()
	integers := func(x reg.VecVirtual) { v.roundInt8(x, round) }
	v.Label("row")
	from, to, n := v.GP64(), v.GP64(), v.GP64()
	v.I(x86.MOVQ(in, from))
	v.I(x86.MOVQ(out, to))
	v.I(x86.MOVQ(mem(args, quantizeN), n))
	v.Label("whole")
	v.I(x86.SUBQ(operand.I32(width), n))
	v.I(x86.JLT(operand.LabelRef("rest")))
	x := v.reg()
	v.I(x86.VMOVUPS(mem(from, 0), x))
	integers(x)
	v.storeInt8(x, mem(to, 0))
	v.I(x86.ADDQ(operand.I32(4*width), from))
	v.I(x86.ADDQ(operand.I32(width), to))
	v.I(x86.JMP(operand.LabelRef("whole")))

	v.Label("rest")
	v.I(x86.ADDQ(operand.I32(width), n))
	v.I(x86.JEQ(operand.LabelRef("pad")))
	x = v.reg()
	if v.avx512 {
		ms := v.masksFor(n, 1)
		v.I(x86.VMOVUPS_Z(mem(from, 0), ms.k, x))
		integers(x)
		v.I(x86.VPMOVDB(x, ms.k, mem(to, 0)))
		v.I(x86.ADDQ(n, to))
	} else {
		v.Label("one")
		v.I(x86.VBROADCASTSS(mem(from, 0), x))
		integers(x)
		b := v.GP32()
		v.I(x86.VMOVD(x.(reg.Vec).AsX(), b))
		v.I(x86.MOVB(b.As8(), mem(to, 0)))
		v.I(x86.ADDQ(operand.I8(4), from))
		v.I(x86.INCQ(to))
		v.I(x86.DECQ(n))
		v.I(x86.JNE(operand.LabelRef("one")))
	}
	v.Label("pad")
	v.I(x86.MOVQ(mem(args, quantizePad), n))
	v.Label("zero")
	v.I(x86.DECQ(n))
	v.I(x86.JLT(operand.LabelRef("next")))
	v.I(x86.MOVB(operand.U8(0), mem(to, 0)))
	v.I(x86.INCQ(to))
	v.I(x86.JMP(operand.LabelRef("zero")))
	v.Label("next")
	v.I(x86.ADDQ(mem(args, quantizeInStep), in))
	v.I(x86.ADDQ(mem(args, quantizeOutStep), out))
	v.I(x86.DECQ(rows))
	v.I(x86.JNE(operand.LabelRef("row")))
	v.end()
}
