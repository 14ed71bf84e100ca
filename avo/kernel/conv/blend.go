package conv

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
	"github.com/mmcloughlin/avo/x86"

	"github.com/flexnnc/flexnnc/avo/arm64"
)

// blendName is the kernel of weighted sums of cells.
func (i ISA) blendName() string { return "blendF32" + i.String() }

func blendDoc(i ISA) string {
	return i.blendName() + " makes places of weighted sums of cells; see blendArgs."
}

// blendX86 generates the kernel: for each place four registers of channels at a time,
// then one, then the last channels under a mask.
func blendX86(v *vector, i ISA) {
	v.Function(i.blendName(), "func(a *blendArgs)", blendDoc(i))
	args := v.Load("a")
	places, place, out := v.GP64(), v.GP64(), v.GP64()
	v.I(x86.MOVQ(mem(args, blendPlaces), places))
	v.I(x86.MOVQ(mem(args, blendOut), out))
	v.I(x86.XORQ(place, place))
	at, weights := v.GP64(), v.GP64()
	v.I(x86.MOVQ(mem(args, blendAt), at))
	v.I(x86.MOVQ(mem(args, blendWeights), weights))
	v.Label("place")
	in, to, chans := v.GP64(), v.GP64(), v.GP64()
	v.I(x86.MOVQ(mem(args, blendIn), in))
	v.I(x86.MOVQ(out, to))
	v.I(x86.MOVQ(mem(args, blendChans), chans))

	block := func(label string, n int, ms *masks) {
		tap, taps, cell, w := v.GP64(), v.GP64(), v.GP64(), v.reg()
		next := func() { // the cell and the weight of a tap
			v.I(x86.MOVL(operand.Mem{Base: at, Index: tap, Scale: 1}, cell.As32()))
			v.I(x86.IMULQ(mem(args, blendInStep), cell))
			v.I(x86.VBROADCASTSS(operand.Mem{Base: weights, Index: tap, Scale: 1}, w))
			v.I(x86.ADDQ(mem(args, blendTapStep), tap))
		}
		channels := func(i int) operand.Mem {
			return operand.Mem{Base: in, Index: cell, Scale: 1, Disp: 4 * v.floats() * i}
		}
		v.I(x86.MOVQ(place, tap))
		v.I(x86.MOVQ(mem(args, blendTaps), taps))
		acc := make([]reg.VecVirtual, n)
		next()
		for i := range acc {
			acc[i] = v.reg()
			if ms != nil {
				v.I(x86.VMULPS(v.loadMasked(channels(i), *ms, i), w, acc[i]))
			} else {
				v.I(x86.VMULPS(channels(i), w, acc[i]))
			}
		}
		v.I(x86.DECQ(taps))
		v.I(x86.JEQ(operand.LabelRef(label + "store")))
		v.Label(label + "tap")
		next()
		for i, r := range acc {
			if ms != nil {
				v.I(x86.VFMADD231PS(v.loadMasked(channels(i), *ms, i), w, r))
			} else {
				v.I(x86.VFMADD231PS(channels(i), w, r))
			}
		}
		v.I(x86.DECQ(taps))
		v.I(x86.JNE(operand.LabelRef(label + "tap")))
		v.Label(label + "store")
		for i, r := range acc {
			if ms != nil {
				v.storeMasked(r, *ms, i, mem(to, 4*v.floats()*i))
			} else {
				v.I(x86.VMOVUPS(r, mem(to, 4*v.floats()*i)))
			}
		}
	}
	loop := func(label, otherwise string, n int) {
		step := n * v.floats()
		v.Label(label)
		v.I(x86.CMPQ(chans, operand.I32(step)))
		v.I(x86.JLT(operand.LabelRef(otherwise)))
		block(label, n, nil)
		for _, p := range []reg.GPVirtual{in, to} {
			v.I(x86.ADDQ(operand.I32(4*step), p))
		}
		v.I(x86.SUBQ(operand.I32(step), chans))
		v.I(x86.JMP(operand.LabelRef(label)))
	}
	loop("four", "single", 4)
	loop("single", "partial", 1)
	v.Label("partial")
	v.I(x86.TESTQ(chans, chans))
	v.I(x86.JEQ(operand.LabelRef("next")))
	ms := v.masksFor(chans, 1)
	block("partial", 1, &ms)
	v.Label("next")
	v.I(x86.ADDQ(mem(args, blendPlaceStep), place))
	v.I(x86.ADDQ(mem(args, blendOutStep), out))
	v.I(x86.DECQ(places))
	v.I(x86.JNE(operand.LabelRef("place")))
	v.end()
}

// blendNEON generates the kernel.
func blendNEON(c *arm64.Context) {
	c.Function(NEON.blendName(), "func(a *blendArgs)", blendDoc(NEON))
	args := c.Load("a")
	places, out := field(c, args, blendPlaces), field(c, args, blendOut)
	at, weights := field(c, args, blendAt), field(c, args, blendWeights)
	placeStep, tapStep := field(c, args, blendPlaceStep), field(c, args, blendTapStep)
	inStep, outStep := field(c, args, blendInStep), field(c, args, blendOutStep)
	c.Label("place")
	in, count := field(c, args, blendIn), field(c, args, blendChans)
	to := c.GP()
	c.MOV(out, to)
	overChannels(c, count, func(ch channels, label string) {
		cellAt, weightAt, taps := c.GP(), c.GP(), field(c, args, blendTaps)
		c.MOV(at, cellAt)
		c.MOV(weights, weightAt)
		acc := quads(c, ch.regs())
		next := func() (w arm64.Vec, x []arm64.Vec) {
			cell := c.GP()
			c.LDRW(0, cellAt, cell)
			c.MADD(inStep, in, cell, cell)
			w = c.Vec()
			c.LD1R_4S(weightAt, w)
			c.ADD(tapStep, cellAt, cellAt)
			c.ADD(tapStep, weightAt, weightAt)
			return w, ch.load(cell)
		}
		w, x := next()
		for i := range acc {
			c.FMUL(w, x[i], acc[i])
		}
		c.SUBI(1, taps, taps)
		c.CBZ(taps, label+"store")
		c.Label(label + "tap")
		w, x = next()
		for i := range acc {
			c.FMLA(w, x[i], acc[i])
		}
		c.SUBI(1, taps, taps)
		c.CBNZ(taps, label+"tap")
		c.Label(label + "store")
		ch.store(acc, to)
		c.ADDI(4*ch.n, in, in)
		c.ADDI(4*ch.n, to, to)
	})
	c.ADD(placeStep, at, at)
	c.ADD(placeStep, weights, weights)
	c.ADD(outStep, out, out)
	c.SUBI(1, places, places)
	c.CBNZ(places, "place")
	c.RET()
}
