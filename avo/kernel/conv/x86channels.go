package conv

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
	"github.com/mmcloughlin/avo/x86"
)

// depthwisePixels are the tiles of depthwise kernels on every ISA.
var depthwisePixels = []int{1, 4}

func depthwiseName(i ISA, pixels int, half bool) string {
	return fmt.Sprintf("depthwise%sx%dx%d%s", weightName(half), pixels, PanelWidth, i)
}

func poolName(i ISA, max bool) string {
	if max {
		return "poolMaxF32" + i.String()
	}
	return "poolAvgF32" + i.String()
}

// depthwiseX86 generates the kernel of some pixels, which loops over panels.
func depthwiseX86(v *vector, name string, pixels int, half bool) {
	v.Function(name, "func(a *depthwiseArgs)",
		fmt.Sprintf("%s computes %d pixels of all panels; see depthwiseArgs.", name, pixels))
	per, row := v.perPanel(), weightRow(half)
	args := v.Load("a")
	base, w, panels, out := v.GP64(), v.GP64(), v.GP64(), v.GP64()
	v.I(x86.MOVQ(mem(args, depthwiseBase), base))
	v.I(x86.MOVQ(mem(args, depthwiseW), w))
	v.I(x86.MOVQ(mem(args, depthwisePanels), panels))
	v.I(x86.MOVQ(mem(args, depthwiseOut), out))
	v.I(x86.DECQ(panels))
	v.I(x86.JEQ(operand.LabelRef("last")))

	// panel computes one panel, with masks or whole.
	panel := func(label string, ms *masks) {
		acc := make([][]reg.VecVirtual, pixels)
		var all []reg.VecVirtual
		tap := v.GP64() // at the weights of a tap
		v.I(x86.LEAQ(mem(w, 4*PanelWidth), tap))
		for m := range acc {
			for i := range per {
				r := v.reg()
				if m == 0 {
					v.I(x86.VMOVUPS(mem(w, 64/per*i), r))
				} else {
					v.I(x86.VMOVAPS(acc[0][i], r))
				}
				acc[m] = append(acc[m], r)
			}
			all = append(all, acc[m]...)
		}
		ind, taps := v.GP64(), v.GP64()
		v.I(x86.MOVQ(mem(args, depthwiseInd), ind))
		v.I(x86.MOVQ(mem(args, depthwiseTaps), taps))
		v.Label(label + "tap")
		var b []reg.VecVirtual
		for i := range per {
			b = append(b, v.reg())
			v.loadWeights(mem(tap, row/per*i), b[i], half)
		}
		v.I(x86.ADDQ(operand.I32(row), tap))
		for m := range acc {
			off := v.GP64()
			v.I(x86.MOVL(mem(ind, 4*m), off.As32()))
			for i, r := range acc[m] {
				x := operand.Mem{Base: base, Index: off, Scale: 1, Disp: 64 / per * i}
				if ms == nil {
					v.I(x86.VFMADD231PS(x, b[i], r))
				} else {
					v.I(x86.VFMADD231PS(v.loadMasked(x, *ms, i), b[i], r))
				}
			}
		}
		v.I(x86.ADDQ(operand.I32(4*pixels), ind))
		v.I(x86.DECQ(taps))
		v.I(x86.JNE(operand.LabelRef(label + "tap")))
		v.I(x86.ADDQ(mem(args, depthwiseWStep), w))
		v.I(x86.ADDQ(operand.I32(64), base))
		v.relu(mem(args, depthwiseAct), all, label+"store")
		at := v.GP64()
		v.I(x86.MOVQ(out, at))
		for m := range acc {
			for i, r := range acc[m] {
				if ms == nil {
					v.I(x86.VMOVUPS(r, mem(at, 64/per*i)))
				} else {
					v.storeMasked(r, *ms, i, mem(at, 64/per*i))
				}
			}
			if m < len(acc)-1 {
				v.I(x86.ADDQ(mem(args, depthwiseOutStep), at))
			}
		}
	}
	v.Label("whole")
	panel("whole", nil)
	v.I(x86.ADDQ(operand.I32(64), out))
	v.I(x86.DECQ(panels))
	v.I(x86.JGT(operand.LabelRef("whole")))
	v.I(x86.JLT(operand.LabelRef("done"))) // that was the last panel
	v.Label("last")
	last := v.GP64()
	v.I(x86.MOVQ(mem(args, depthwiseLast), last))
	v.I(x86.CMPQ(last, operand.I8(PanelWidth)))
	v.I(x86.JEQ(operand.LabelRef("whole")))
	ms := v.masksFor(last, per)
	panel("partial", &ms)
	v.Label("done")
	v.end()
}

// poolX86 generates a pooling kernel: as many registers of channels at a time as keep
// loading while sums wait for the ones before, then four, then one, then the last channels
// under a mask.
func poolX86(v *vector, name string, max bool) {
	what := "sum, or the average,"
	if max {
		what = "maximum"
	}
	v.Function(name, "func(a *poolArgs)",
		fmt.Sprintf("%s computes the %s of a window; see poolArgs.", name, what))
	args := v.Load("a")
	base, first, out, chans := v.GP64(), v.GP64(), v.GP64(), v.GP64()
	v.I(x86.MOVQ(mem(args, poolBase), base))
	v.I(x86.MOVQ(mem(args, poolFirst), first))
	v.I(x86.MOVQ(mem(args, poolOut), out))
	v.I(x86.MOVQ(mem(args, poolChans), chans))

	block := func(label string, n int, ms *masks) {
		var acc []reg.VecVirtual
		for i := range n {
			if ms != nil {
				acc = append(acc, v.loadMasked(mem(first, 4*v.floats()*i), *ms, i))
				continue
			}
			acc = append(acc, v.reg())
			v.I(x86.VMOVUPS(mem(first, 4*v.floats()*i), acc[i]))
		}
		ind, cells := v.GP64(), v.GP64()
		v.I(x86.MOVQ(mem(args, poolInd), ind))
		v.I(x86.MOVQ(mem(args, poolCells), cells))
		v.I(x86.TESTQ(cells, cells))
		v.I(x86.JEQ(operand.LabelRef(label + "store")))
		v.Label(label + "cell")
		off := v.GP64()
		v.I(x86.MOVL(mem(ind, 0), off.As32()))
		for i, r := range acc {
			at := operand.Mem{Base: base, Index: off, Scale: 1, Disp: 4 * v.floats() * i}
			switch {
			case max:
				var x reg.VecVirtual
				if ms != nil {
					x = v.loadMasked(at, *ms, i)
				} else {
					x = v.reg()
					v.I(x86.VMOVUPS(at, x))
				}
				// x > r ? x : r, and r where either is NaN.
				v.I(x86.VMAXPS(r, x, r))
			case ms != nil:
				v.I(x86.VADDPS(v.loadMasked(at, *ms, i), r, r))
			default:
				v.I(x86.VADDPS(at, r, r))
			}
		}
		v.I(x86.ADDQ(operand.I8(4), ind))
		v.I(x86.DECQ(cells))
		v.I(x86.JNE(operand.LabelRef(label + "cell")))
		v.Label(label + "store")
		if !max {
			v.I(x86.CMPQ(mem(args, poolDivide), operand.I8(0)))
			v.I(x86.JEQ(operand.LabelRef(label + "whole")))
			if v.avx512 {
				for _, r := range acc {
					v.I(x86.VDIVPS_BCST(mem(args, poolDivisor), r, r))
				}
			} else {
				d := v.reg()
				v.I(x86.VBROADCASTSS(mem(args, poolDivisor), d))
				for _, r := range acc {
					v.I(x86.VDIVPS(d, r, r))
				}
			}
			v.Label(label + "whole")
		}
		for i, r := range acc {
			if ms != nil {
				v.storeMasked(r, *ms, i, mem(out, 4*v.floats()*i))
			} else {
				v.I(x86.VMOVUPS(r, mem(out, 4*v.floats()*i)))
			}
		}
	}
	loop := func(label, otherwise string, n int) {
		step := n * v.floats()
		v.Label(label)
		v.I(x86.CMPQ(chans, operand.I32(step)))
		v.I(x86.JLT(operand.LabelRef(otherwise)))
		block(label, n, nil)
		for _, p := range []reg.GPVirtual{base, first, out} {
			v.I(x86.ADDQ(operand.I32(4*step), p))
		}
		v.I(x86.SUBQ(operand.I32(step), chans))
		v.I(x86.JMP(operand.LabelRef(label)))
	}
	if !max {
		// Long runs of each cell fall on many sets of L1, however far apart the cells lie.
		most := 12
		if v.avx512 {
			most = 32
		}
		loop("most", "many", most)
	}
	loop("many", "four", v.floats())
	loop("four", "single", 4)
	loop("single", "partial", 1)
	v.Label("partial")
	v.I(x86.TESTQ(chans, chans))
	v.I(x86.JEQ(operand.LabelRef("done")))
	ms := v.masksFor(chans, 1)
	block("partial", 1, &ms)
	v.Label("done")
	v.end()
}
