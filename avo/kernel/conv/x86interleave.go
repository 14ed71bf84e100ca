package conv

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
	"github.com/mmcloughlin/avo/x86"
)

// interleaveX86 generates the AVX-512 kernel that interleaves some rows, sixteen
// columns at a time. The last sixteen overlap those before; fewer than sixteen go one
// by one.
func interleaveX86(v *vector, rows int) {
	const lanes = 16
	// Lane i of result j is column p/rows of row p%rows, p = 16*j+i: chosen among the
	// first two rows, then among that and the third.
	var words []uint32
	for _, pair := range []bool{true, false} {
		for p := range rows * lanes {
			row, col := p%rows, uint32(p/rows)
			switch {
			case pair && row == 0:
			case pair: // the third row's lanes do not matter yet
				col += lanes
			case row == 2:
				col += lanes
			default:
				col = uint32(p % lanes)
			}
			words = append(words, col)
		}
	}
	table := v.Words(fmt.Sprintf("interleave%d", rows), words[:(rows-1)*rows*lanes]...)

	v.Function(interleaveName(AVX512, rows), "func(a *interleaveArgs)",
		fmt.Sprintf("%s interleaves %d rows; see interleaveArgs.", interleaveName(AVX512, rows), rows))
	args := v.Load("a")
	out, cols, step := v.GP64(), v.GP64(), v.GP64()
	in := []reg.GPVirtual{v.GP64()}
	v.I(x86.MOVQ(mem(args, interleaveOut), out))
	v.I(x86.MOVQ(mem(args, interleaveCols), cols))
	v.I(x86.MOVQ(mem(args, interleaveStep), step))
	v.I(x86.MOVQ(mem(args, interleaveIn), in[0]))
	for r := 1; r < rows; r++ {
		in = append(in, v.GP64())
		v.I(x86.LEAQ(operand.Mem{Base: in[r-1], Index: step, Scale: 1}, in[r]))
	}
	v.I(x86.CMPQ(cols, operand.I8(lanes)))
	v.I(x86.JLT(operand.LabelRef("few")))
	at := v.GP64()
	v.I(x86.LEAQ(table, at))
	index := make([]reg.VecVirtual, (rows-1)*rows)
	for i := range index {
		index[i] = v.reg()
		v.I(x86.VMOVUPS(mem(at, 64*i), index[i]))
	}
	v.Label("block")
	for j := range rows {
		r := v.reg()
		v.I(x86.VMOVUPS(mem(in[0], 0), r))
		v.I(x86.VPERMT2PS(mem(in[1], 0), index[j], r))
		if rows == 3 {
			v.I(x86.VPERMT2PS(mem(in[2], 0), index[rows+j], r))
		}
		v.I(x86.VMOVUPS(r, mem(out, 64*j)))
	}
	for _, p := range in {
		v.I(x86.ADDQ(operand.I32(4*lanes), p))
	}
	v.I(x86.ADDQ(operand.I32(4*lanes*rows), out))
	v.I(x86.SUBQ(operand.I8(lanes), cols))
	v.I(x86.JEQ(operand.LabelRef("done")))
	v.I(x86.CMPQ(cols, operand.I8(lanes)))
	v.I(x86.JGE(operand.LabelRef("block")))
	// Back by what sixteen columns are more than those left.
	back := v.GP64()
	v.I(x86.LEAQ(mem(cols, -lanes), back))
	v.I(x86.MOVQ(operand.I32(lanes), cols))
	v.I(x86.SHLQ(operand.U8(2), back))
	for _, p := range in {
		v.I(x86.ADDQ(back, p))
		v.I(x86.ADDQ(back, out)) // as often as there are rows
	}
	v.I(x86.JMP(operand.LabelRef("block")))

	v.Label("few")
	v.I(x86.TESTQ(cols, cols))
	v.I(x86.JEQ(operand.LabelRef("done")))
	for r, p := range in {
		w := v.GP32()
		v.I(x86.MOVL(mem(p, 0), w))
		v.I(x86.MOVL(w, mem(out, 4*r)))
		v.I(x86.ADDQ(operand.I8(4), p))
	}
	v.I(x86.ADDQ(operand.I8(4*rows), out))
	v.I(x86.DECQ(cols))
	v.I(x86.JMP(operand.LabelRef("few")))
	v.Label("done")
	v.end()
}
