package conv

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
	"github.com/mmcloughlin/avo/x86"
)

// transposeName is the name of an ISA's kernel for matrices of any size.
func (i ISA) transposeName() string { return "transposeF32" + i.String() }

// transposeBlock is the number that rows and columns of a matrix for the kernel must
// be multiples of; 0 where there is none.
func (i ISA) transposeBlock() int { return [...]int{1, 8, 4}[i] }

// stepped calls f for the addresses of n places that lie a step apart from `from` on.
func (v *vector) stepped(from, step reg.GPVirtual, n int, f func(i int, m operand.Mem)) {
	at, three := v.GP64(), v.GP64()
	v.I(x86.MOVQ(from, at))
	v.I(x86.LEAQ(operand.Mem{Base: step, Index: step, Scale: 2}, three))
	for i := range n {
		if i > 0 && i%4 == 0 {
			v.I(x86.LEAQ(operand.Mem{Base: at, Index: step, Scale: 4}, at))
		}
		m := mem(at, 0)
		switch i % 4 {
		case 1, 2:
			m.Index, m.Scale = step, uint8(i%4)
		case 3:
			m.Index, m.Scale = three, 1
		}
		f(i, m)
	}
}

// blocks are the loops of a transposition over blocks of n rows by 16 columns: along the
// rows of the output, whose lines of cache so fill one after the other, as lines of the
// input are read at once.
type blocks struct {
	*vector
	n                     int
	rows, cols            reg.GPVirtual // that are left, of the columns at hand and of all
	from, to              reg.GPVirtual // where the block comes from and goes to
	args, inStep, outStep reg.GPVirtual
	in, out               reg.GPVirtual // where the columns at hand begin
}

func (v *vector) blocks(n int, args reg.GPVirtual) *blocks {
	b := &blocks{vector: v, n: n, args: args, rows: v.GP64(), cols: v.GP64(), from: v.GP64(), to: v.GP64(),
		inStep: v.GP64(), outStep: v.GP64(), in: v.GP64(), out: v.GP64()}
	v.I(x86.MOVQ(mem(args, transposeIn), b.in))
	v.I(x86.MOVQ(mem(args, transposeOut), b.out))
	v.I(x86.MOVQ(mem(args, transposeCols), b.cols))
	v.I(x86.MOVQ(mem(args, transposeInStep), b.inStep))
	v.I(x86.MOVQ(mem(args, transposeOutStep), b.outStep))
	return b
}

// each emits the loops around body; columns starts each group of columns.
func (b *blocks) each(columns, body func()) {
	const columnsAtOnce = 16
	// advance moves a pointer on by n steps.
	advance := func(p, step reg.GPVirtual, n int) {
		d := b.GP64()
		b.I(x86.MOVQ(step, d))
		b.I(x86.IMUL3Q(operand.I8(n), d, d))
		b.I(x86.ADDQ(d, p))
	}
	b.Label("columns")
	b.I(x86.MOVQ(mem(b.args, transposeRows), b.rows))
	b.I(x86.MOVQ(b.in, b.from))
	b.I(x86.MOVQ(b.out, b.to))
	columns()
	b.Label("block")
	body()
	b.Label("next")
	advance(b.from, b.inStep, b.n)
	b.I(x86.ADDQ(operand.I8(4*b.n), b.to))
	b.I(x86.SUBQ(operand.I8(b.n), b.rows))
	b.I(x86.JGT(operand.LabelRef("block")))
	b.I(x86.ADDQ(operand.I8(4*columnsAtOnce), b.in))
	advance(b.out, b.outStep, columnsAtOnce)
	b.I(x86.SUBQ(operand.I8(columnsAtOnce), b.cols))
	b.I(x86.JGT(operand.LabelRef("columns")))
	b.end()
}

// transposeAVX512 generates the kernel that turns blocks of 16 by 16 in registers.
// Blocks at the ends are loaded and stored under masks.
func transposeAVX512(v *vector) {
	const n = 16
	name := AVX512.transposeName()
	v.Function(name, "func(a *transposeArgs)", name+" transposes; see transposeArgs.")
	b := v.blocks(n, v.Load("a"))
	// lanes is the mask of the first `count` lanes, up to all.
	lanes := func(count, c reg.GPVirtual, k reg.OpmaskVirtual) {
		m := v.constant(n)
		v.I(x86.MOVQ(count, c))
		v.I(x86.CMPQ(c, m))
		v.I(x86.CMOVQGT(m, c))
		v.I(x86.MOVQ(operand.I32(-1), m))
		v.I(x86.BZHIQ(c, m, m))
		v.I(x86.KMOVW(m.As32(), k))
	}
	width, colMask := v.GP64(), v.K()
	b.each(func() { lanes(b.cols, width, colMask) }, func() {
		height, rowMask := v.GP64(), v.K()
		lanes(b.rows, height, rowMask)
		r := make([]reg.VecVirtual, n)
		for i := range r {
			r[i] = v.reg()
		}
		v.I(x86.CMPQ(height, operand.I8(n)))
		v.I(x86.JLT(operand.LabelRef("few")))
		v.stepped(b.from, b.inStep, n, func(i int, m operand.Mem) { v.I(x86.VMOVUPS_Z(m, colMask, r[i])) })
		v.I(x86.JMP(operand.LabelRef("turn")))
		v.Label("few") // rows that are not there turn into lanes that are not stored
		zero := v.zero()
		for i := range r {
			v.I(x86.VMOVAPS(zero, r[i]))
		}
		v.stepped(b.from, b.inStep, n, func(i int, m operand.Mem) {
			if i > 0 {
				v.I(x86.CMPQ(height, operand.I8(i)))
				v.I(x86.JEQ(operand.LabelRef("turn")))
			}
			v.I(x86.VMOVUPS_Z(m, colMask, r[i]))
		})
		v.Label("turn")
		cols := v.turn16(r)
		v.I(x86.ADDQ(width, height))
		v.I(x86.CMPQ(height, operand.I8(2*n)))
		v.I(x86.JLT(operand.LabelRef("masked")))
		v.stepped(b.to, b.outStep, n, func(i int, m operand.Mem) { v.I(x86.VMOVUPS(cols[i], m)) })
		v.I(x86.JMP(operand.LabelRef("next")))
		v.Label("masked")
		v.stepped(b.to, b.outStep, n, func(i int, m operand.Mem) {
			if i > 0 {
				v.I(x86.CMPQ(width, operand.I8(i)))
				v.I(x86.JEQ(operand.LabelRef("next")))
			}
			v.I(x86.VMOVUPS(cols[i], rowMask, m))
		})
	})
}

// turn16 transposes sixteen registers: pairs of elements, pairs of pairs, then lanes
// of four twice. Lane l of u[g][j] is column 4*l+j of rows 4*g to 4*g+3.
func (v *vector) turn16(r []reg.VecVirtual) []reg.VecVirtual {
	u := v.turnLanes(r)
	cols := make([]reg.VecVirtual, 16)
	shuffle := func(imm uint64, a, b reg.VecVirtual) reg.VecVirtual {
		d := v.reg()
		v.I(x86.VSHUFF32X4(operand.U8(imm), b, a, d))
		return d
	}
	for j := range 4 {
		evenLow, oddLow := shuffle(0x88, u[0][j], u[1][j]), shuffle(0xdd, u[0][j], u[1][j])
		evenHigh, oddHigh := shuffle(0x88, u[2][j], u[3][j]), shuffle(0xdd, u[2][j], u[3][j])
		cols[j], cols[8+j] = shuffle(0x88, evenLow, evenHigh), shuffle(0xdd, evenLow, evenHigh)
		cols[4+j], cols[12+j] = shuffle(0x88, oddLow, oddHigh), shuffle(0xdd, oddLow, oddHigh)
	}
	return cols
}

// turnLanes transposes the four elements of each lane of four registers at a time.
func (v *vector) turnLanes(r []reg.VecVirtual) [][4]reg.VecVirtual {
	u := make([][4]reg.VecVirtual, len(r)/4)
	for g := range u {
		q := r[4*g:]
		low, high := [2]reg.VecVirtual{v.reg(), v.reg()}, [2]reg.VecVirtual{v.reg(), v.reg()}
		for i := range 2 {
			v.I(x86.VUNPCKLPS(q[2*i+1], q[2*i], low[i]))
			v.I(x86.VUNPCKHPS(q[2*i+1], q[2*i], high[i]))
		}
		for i, pair := range [][2]reg.VecVirtual{low, high} {
			u[g][2*i], u[g][2*i+1] = v.reg(), v.reg()
			v.I(x86.VUNPCKLPD(pair[1], pair[0], u[g][2*i]))
			v.I(x86.VUNPCKHPD(pair[1], pair[0], u[g][2*i+1]))
		}
	}
	return u
}

// transposeAVX2 generates the kernel that turns blocks of 8 by 8 in registers. Rows i
// and i+4 meet in one register as they are loaded, four columns of each.
func transposeAVX2(v *vector) {
	const n = 8
	name := AVX2.transposeName()
	v.Function(name, "func(a *transposeArgs)",
		fmt.Sprintf("%s transposes matrices of multiples of %d rows and columns; see transposeArgs.", name, n))
	b := v.blocks(n, v.Load("a"))
	turn := func(column int, to reg.GPVirtual) {
		r := make([]reg.VecVirtual, n) // columns 0 to 3, then 4 to 7
		v.stepped(b.from, b.inStep, n, func(i int, m operand.Mem) {
			for half := range 2 {
				m.Disp = 4*column + 16*half
				if i < 4 {
					r[4*half+i] = v.YMM()
					v.I(x86.VBROADCASTF128(m, r[4*half+i])) // what is above changes
				} else {
					d := r[4*half+i-4]
					v.I(x86.VINSERTF128(operand.U8(1), m, d, d))
				}
			}
		})
		u := v.turnLanes(r)
		v.stepped(to, b.outStep, n, func(i int, m operand.Mem) { v.I(x86.VMOVUPS(u[i/4][i%4], m)) })
	}
	b.each(func() {}, func() {
		turn(0, b.to)
		v.I(x86.CMPQ(b.cols, operand.I8(n)))
		v.I(x86.JLE(operand.LabelRef("next")))
		second := v.GP64()
		v.I(x86.LEAQ(operand.Mem{Base: b.to, Index: b.outStep, Scale: n}, second))
		turn(n, second)
	})
}
