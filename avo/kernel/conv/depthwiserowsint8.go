package conv

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
	"github.com/mmcloughlin/avo/x86"
)

// int8Runs are the windows that kernels of rows of int8 images are for: of 3x3 cells.
var int8Runs = []Run{{Width: 3, Stride: 1}, {Width: 3, Stride: 2}}

// int8RowsName is the name of a kernel of rows of int8: depthwiseRowsI8w3s1VNNI.
func (r Run) int8RowsName(u Unit) string {
	return fmt.Sprintf("depthwiseRowsI8w%ds%d%s", r.Width, r.Stride, u)
}

// rowPixels is the most pixels of a tile of a kernel of rows, 0 where there are none.
func (u Unit) rowPixels() int {
	if u == VNNI {
		return 8
	}
	return 0
}

// transposeWords are two vectors: where the words of four rows of 16 bytes go so that
// each quarter holds four channels of all rows, and the bytes of a quarter in the
// order of its channels, each with all its rows.
func transposeWords() []uint32 {
	var w []uint32
	for i := range uint32(PanelWidth) {
		w = append(w, 4*(i%4)+i/4)
	}
	for i := range uint32(PanelWidth) {
		w = append(w, 0x0c080400+0x01010101*(i%4))
	}
	return w
}

// depthwiseRowsVNNI generates the kernel of one int8 panel over the pixels of some
// rows. The cells of a column of the windows, one of each row, lie side by side for
// each channel: one dot product multiplies a column by its weights. A column is made
// once for all pixels of a tile whose windows have it. 128 is added to activations to
// have them unsigned; the sums start from what that adds, negated.
func depthwiseRowsVNNI(v *vector, r Run, sizes []int) {
	v.Function(r.int8RowsName(VNNI), "func(a *depthwiseRowsArgs)",
		fmt.Sprintf("%s computes some rows of an int8 panel; see depthwiseRowsArgs.", r.int8RowsName(VNNI)))
	args := v.Load("a")
	last := v.GP64()
	v.I(x86.MOVQ(mem(args, rowsLast), last))
	ms := v.masksFor(last, 1)
	words, bytes := v.ZMM(), v.ZMM()
	v.I(x86.VMOVDQU32(v.transpose, words))
	second := v.transpose
	second.Disp += 4 * PanelWidth
	v.I(x86.VMOVDQU32(second, bytes))
	signs, none := v.splat(0x80808080), v.zero()
	// column makes x one of three rows of 16 bytes. Its fourth row is any where rest is
	// not set, and zero where it is.
	column := func(x reg.VecVirtual, at func(ky int) operand.Mem, partial, rest bool) {
		first := 0
		if partial || rest {
			v.I(x86.VMOVDQA32(none, x))
		} else {
			v.I(x86.VBROADCASTI32X4(at(0), x))
			first = 1
		}
		for ky := first; ky < 3; ky++ {
			if !partial {
				v.I(x86.VINSERTI32X4(operand.U8(ky), at(ky), x, x))
				continue
			}
			part := v.XMM()
			v.I(x86.VMOVDQU8_Z(at(ky), ms.k, part))
			v.I(x86.VINSERTI32X4(operand.U8(ky), part, x, x))
		}
		v.I(x86.VPERMD(x, words, x))
		v.I(x86.VPSHUFB(bytes, x, x))
	}
	w := v.GP64()
	v.I(x86.MOVQ(mem(args, rowsW), w))
	scale, bias, start := v.ZMM(), v.ZMM(), v.zero()
	v.I(x86.VMOVUPS(mem(w, 0), scale))
	v.I(x86.VMOVUPS(mem(w, int8Bias), bias))
	var weights []reg.VecVirtual
	for kx := range r.Width {
		b := v.ZMM()
		column(b, func(ky int) operand.Mem { return mem(w, int8Depthwise+PanelWidth*(r.Width*ky+kx)) }, false, true)
		v.I(x86.VPDPBUSD(b, signs, start))
		weights = append(weights, b)
	}
	v.I(x86.VPSUBD(start, none, start))
	round := v.rounding(mem(args, rowsQuantize), v.reg)
	walk := v.walkRows(args)

	tile := func(label string, pixels int, partial, edge bool) {
		table := walk.table()
		var cell, tap [3]reg.GPVirtual
		for ky := range cell {
			cell[ky], tap[ky] = walk.window(table, ky)
		}
		var index reg.GPVirtual // of the image's column
		if edge {
			index = v.GP64()
			v.I(x86.MOVQ(walk.x, index))
			v.I(x86.IMULQ(mem(args, rowsStride), index))
			v.I(x86.SUBQ(mem(args, rowsPad), index))
		}
		acc := make([]reg.VecVirtual, pixels)
		for m := range acc {
			acc[m] = v.ZMM()
			v.I(x86.VMOVDQA32(start, acc[m]))
		}
		for j := range (pixels-1)*r.Stride + r.Width {
			if j > 0 {
				for ky := range cell {
					v.I(x86.ADDQ(tap[ky], cell[ky]))
				}
				if edge {
					v.I(x86.INCQ(index))
				}
			}
			x, next := v.ZMM(), fmt.Sprintf("%scell%d", label, j)
			if edge {
				v.I(x86.VMOVDQA32(signs, x))
				v.I(x86.CMPQ(index, mem(args, rowsColumns)))
				v.I(x86.JCC(operand.LabelRef(next))) // unsigned: a column before the first counts as large
			}
			column(x, func(ky int) operand.Mem { return mem(cell[ky], 0) }, partial, false)
			v.I(x86.VPXORD(signs, x, x))
			if edge {
				v.Label(next)
			}
			for m := range acc {
				if k := j - m*r.Stride; k >= 0 && k < r.Width {
					v.I(x86.VPDPBUSD(weights[k], x, acc[m]))
				}
			}
		}
		for _, r := range acc {
			v.I(x86.VCVTDQ2PS(r, r))
			v.I(x86.VMULPS(scale, r, r))
			v.I(x86.VADDPS(bias, r, r))
		}
		v.I(x86.CMPQ(mem(args, rowsAct), operand.I8(actRelu)))
		v.I(x86.JNE(operand.LabelRef(label + "store")))
		v.clip(acc, none)
		v.Label(label + "store")
		v.I(x86.CMPL(mem(args, rowsQuantize), operand.I8(0)))
		v.I(x86.JNE(operand.LabelRef(label + "bytes")))
		for _, r := range acc {
			if partial {
				v.storeMasked(r, ms, 0, mem(walk.out, 0))
			} else {
				v.I(x86.VMOVUPS(r, mem(walk.out, 0)))
			}
			v.I(x86.ADDQ(mem(args, rowsOutStep), walk.out))
		}
		v.I(x86.JMP(operand.LabelRef(label + "stored")))
		v.Label(label + "bytes")
		for _, r := range acc {
			v.roundInt8(r, round)
			if partial {
				v.I(x86.VPMOVDB(r, ms.k, mem(walk.out, 0)))
			} else {
				v.I(x86.VPMOVDB(r, mem(walk.out, 0)))
			}
			v.I(x86.ADDQ(mem(args, rowsOutStep), walk.out))
		}
		v.Label(label + "stored")
	}
	v.I(x86.CMPQ(last, operand.I8(PanelWidth)))
	v.I(x86.JNE(operand.LabelRef("partial")))
	walk.rows("whole", false, sizes, tile)
	walk.rows("partial", true, sizes, tile)
}
