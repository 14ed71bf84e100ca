package conv

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
	"github.com/mmcloughlin/avo/x86"
)

// interleaved is the row and column of element p of interleaved rows.
func interleaved(rows, p int) (row, col int) { return p % rows, p / rows }

// interleaveX86 generates the kernel that interleaves some rows of each plane, a
// register of columns at a time; the last columns go under masks on AVX-512, one by
// one on AVX2.
func interleaveX86(v *vector, i ISA, rows int) {
	if v.avx512 && rows == 2 {
		interleavePairs(v)
		return
	}
	lanes := v.floats()
	k := v.interleave(i, rows)
	weave := v.weave(rows)
	k.planes(func() {
		v.I(x86.SUBQ(operand.I8(lanes), k.cols))
		v.I(x86.JLT(operand.LabelRef("end")))
		v.Label("block")
		for j, r := range weave(func(r int) reg.VecVirtual {
			x := v.reg()
			v.I(x86.VMOVUPS(mem(k.in[r], 0), x))
			return x
		}) {
			v.I(x86.VMOVUPS(r, mem(k.out, 4*lanes*j)))
		}
		for _, p := range k.in {
			v.I(x86.ADDQ(operand.I32(4*lanes), p))
		}
		v.I(x86.ADDQ(operand.I32(4*lanes*rows), k.out))
		v.I(x86.SUBQ(operand.I8(lanes), k.cols))
		v.I(x86.JGE(operand.LabelRef("block")))
		v.Label("end")
		v.I(x86.ADDQ(operand.I8(lanes), k.cols))
		v.I(x86.JEQ(operand.LabelRef("next")))
		if !v.avx512 {
			k.oneByOne()
			return
		}
		ks := v.someMasks(k.cols, rows)
		for j, r := range weave(func(r int) reg.VecVirtual { return v.loadMasked(mem(k.in[r], 0), masks{k: ks[0]}, 0) }) {
			if j > 0 { // registers that few columns do not reach
				v.I(x86.CMPQ(k.cols, operand.I8(lanes*j/rows)))
				v.I(x86.JLE(operand.LabelRef("next")))
			}
			v.I(x86.VMOVUPS(r, ks[1+j], mem(k.out, 4*lanes*j)))
		}
	})
}

// interleavePairs generates the AVX-512 kernel for two rows: eight columns at a time,
// which make a line of cache. The first eight of a plane lead to one, the last eight end
// where the plane does; both may lie over others.
func interleavePairs(v *vector) {
	const n = 8
	k := v.interleave(AVX512, 2)
	var words []uint32
	for p := range 2 * n {
		row, col := interleaved(2, p)
		words = append(words, uint32(n*row+col))
	}
	order := v.tables("interleave2", words)[0]
	k.planes(func() {
		pair := func(at reg.GPVirtual) { // columns from `at` on
			r := v.reg()
			v.I(x86.VBROADCASTF64X4(operand.Mem{Base: k.in[0], Index: at, Scale: 4}, r)) // what is above changes
			v.I(x86.VINSERTF64X4(operand.U8(1), operand.Mem{Base: k.in[1], Index: at, Scale: 4}, r, r))
			v.I(x86.VPERMPS(r, order, r))
			v.I(x86.VMOVUPS(r, operand.Mem{Base: k.out, Index: at, Scale: 8}))
		}
		v.I(x86.SUBQ(operand.I8(n), k.cols)) // where the last eight begin
		v.I(x86.JLT(operand.LabelRef("few")))
		at := v.GP64()
		v.I(x86.XORQ(at, at))
		pair(at)
		// Behind them, at a line of cache.
		v.I(x86.MOVQ(k.out, at))
		v.I(x86.SHRQ(operand.U8(3), at))
		v.I(x86.ORQ(operand.I8(-n), at))
		v.I(x86.NEGQ(at))
		v.I(x86.JMP(operand.LabelRef("test")))
		v.Label("pair")
		pair(at)
		v.I(x86.ADDQ(operand.I8(n), at))
		v.Label("test")
		v.I(x86.CMPQ(at, k.cols))
		v.I(x86.JLT(operand.LabelRef("pair")))
		pair(k.cols)
		v.I(x86.JMP(operand.LabelRef("next")))
		v.Label("few")
		v.I(x86.ADDQ(operand.I8(n), k.cols))
		k.oneByOne()
	})
}

// interleave is what kernels that interleave rows share.
type interleave struct {
	*vector
	args, step reg.GPVirtual
	in         []reg.GPVirtual // rows of a plane
	out, cols  reg.GPVirtual
}

func (v *vector) interleave(i ISA, rows int) *interleave {
	v.Function(interleaveName(i, rows), "func(a *transposeArgs)",
		fmt.Sprintf("%s interleaves %d rows of each plane; see transposeArgs.", interleaveName(i, rows), rows))
	k := &interleave{vector: v, args: v.Load("a"), step: v.GP64(), out: v.GP64(), cols: v.GP64()}
	v.I(x86.MOVQ(mem(k.args, transposeInStep), k.step))
	for range rows {
		k.in = append(k.in, v.GP64())
	}
	return k
}

// planes emits the loop around what makes a plane, which ends at the label next.
func (k *interleave) planes(plane func()) {
	left, in, out := k.GP64(), k.GP64(), k.GP64()
	k.I(x86.MOVQ(mem(k.args, transposePlanes), left))
	k.I(x86.MOVQ(mem(k.args, transposeIn), in))
	k.I(x86.MOVQ(mem(k.args, transposeOut), out))
	k.Label("plane")
	k.I(x86.MOVQ(in, k.in[0]))
	k.I(x86.MOVQ(out, k.out))
	k.I(x86.MOVQ(mem(k.args, transposeCols), k.cols))
	for r := 1; r < len(k.in); r++ {
		k.I(x86.LEAQ(operand.Mem{Base: k.in[r-1], Index: k.step, Scale: 1}, k.in[r]))
	}
	plane()
	k.Label("next")
	k.I(x86.ADDQ(mem(k.args, transposeInPlane), in))
	k.I(x86.ADDQ(mem(k.args, transposeOutPlane), out))
	k.I(x86.DECQ(left))
	k.I(x86.JNE(operand.LabelRef("plane")))
	k.end()
}

// oneByOne interleaves the columns that are left, at least one.
func (k *interleave) oneByOne() {
	k.Label("one")
	for r, p := range k.in {
		w := k.GP32()
		k.I(x86.MOVL(mem(p, 0), w))
		k.I(x86.MOVL(w, mem(k.out, 4*r)))
		k.I(x86.ADDQ(operand.I8(4), p))
	}
	k.I(x86.ADDQ(operand.I8(4*len(k.in)), k.out))
	k.I(x86.DECQ(k.cols))
	k.I(x86.JNE(operand.LabelRef("one")))
}

// someMasks are those of n columns, fewer than lanes, and of the registers that
// interleaving them fills.
func (v *vector) someMasks(n reg.GPVirtual, rows int) []reg.OpmaskVirtual {
	all, m, ks := v.constant(-1), v.GP64(), []reg.OpmaskVirtual{v.K()}
	v.I(x86.BZHIQ(n, all, m))
	v.I(x86.KMOVW(m.As32(), ks[0]))
	filled := v.GP64()
	v.I(x86.IMUL3Q(operand.I8(rows), n, filled)) // at most 3*15
	v.I(x86.BZHIQ(filled, all, m))
	for range rows {
		k := v.K()
		v.I(x86.KMOVW(m.As32(), k))
		v.I(x86.SHRQ(operand.U8(16), m))
		ks = append(ks, k)
	}
	return ks
}

// weave prepares what orders registers of rows, and returns what loads each row and
// makes the registers of the output.
func (v *vector) weave(rows int) func(load func(row int) reg.VecVirtual) []reg.VecVirtual {
	if rows == 2 {
		return func(load func(int) reg.VecVirtual) []reg.VecVirtual {
			a, b := load(0), load(1)
			low, high, first, second := v.reg(), v.reg(), v.reg(), v.reg()
			v.I(x86.VUNPCKLPS(b, a, low))
			v.I(x86.VUNPCKHPS(b, a, high))
			v.I(x86.VPERM2F128(operand.U8(0x20), high, low, first))
			v.I(x86.VPERM2F128(operand.U8(0x31), high, low, second))
			return []reg.VecVirtual{first, second}
		}
	}
	// Lane i of result j is column (lanes*j+i)/rows, of every row: one table orders all
	// rows, of which each lane takes its own: AVX2 by blending, AVX-512 from a pair of
	// rows and then from that and the third.
	lanes := v.floats()
	var words, third []uint32
	take := make([][3]uint64, rows) // lanes of result j that are of a row
	for p := range rows * lanes {
		row, col := interleaved(rows, p)
		take[p/lanes][row] |= 1 << (p % lanes)
		if !v.avx512 {
			words = append(words, uint32(col))
			continue
		}
		words = append(words, uint32(col+row%2*lanes)) // where row is 2, any
		if row < 2 {
			col = p%lanes - lanes
		}
		third = append(third, uint32(col+lanes))
	}
	index := v.tables(fmt.Sprintf("interleave%dx%d", rows, lanes), append(words, third...))
	return func(load func(int) reg.VecVirtual) []reg.VecVirtual {
		var x, out []reg.VecVirtual
		for r := range rows {
			x = append(x, load(r))
		}
		for j := range rows {
			d := v.reg()
			if v.avx512 {
				v.I(x86.VMOVAPS(x[0], d))
				v.I(x86.VPERMT2PS(x[1], index[j], d))
				v.I(x86.VPERMT2PS(x[2], index[rows+j], d))
				out = append(out, d)
				continue
			}
			v.I(x86.VPERMPS(x[0], index[j], d))
			for r := 1; r < rows; r++ {
				o := v.reg()
				v.I(x86.VPERMPS(x[r], index[j], o))
				v.I(x86.VBLENDPS(operand.U8(take[j][r]), o, d, d))
			}
			out = append(out, d)
		}
		return out
	}
}

// tables loads registers of words.
func (v *vector) tables(name string, words []uint32) []reg.VecVirtual {
	at := v.GP64()
	v.I(x86.LEAQ(v.Words(name, words...), at))
	var index []reg.VecVirtual
	for i := range len(words) / v.floats() {
		index = append(index, v.reg())
		v.I(x86.VMOVUPS(mem(at, 4*v.floats()*i), index[i]))
	}
	return index
}
