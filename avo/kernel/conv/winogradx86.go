package conv

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
	"github.com/mmcloughlin/avo/x86"
)

// x86Arith is arith on vector registers, with the factors in memory.
type x86Arith struct {
	*vector
	factors reg.GPVirtual
}

func (a x86Arith) add(x, y reg.VecVirtual) reg.VecVirtual {
	d := a.reg()
	a.I(x86.VADDPS(y, x, d))
	return d
}

func (a x86Arith) sub(x, y reg.VecVirtual) reg.VecVirtual {
	d := a.reg()
	a.I(x86.VSUBPS(y, x, d))
	return d
}

func (a x86Arith) factor(f int) reg.VecVirtual {
	k := a.reg()
	a.I(x86.VBROADCASTSS(mem(a.factors, 4*f), k))
	return k
}

func (a x86Arith) mul(x reg.VecVirtual, f int) reg.VecVirtual {
	d := a.reg()
	if a.avx512 {
		a.I(x86.VMULPS_BCST(mem(a.factors, 4*f), x, d))
	} else {
		a.I(x86.VMULPS(a.factor(f), x, d))
	}
	return d
}

func (a x86Arith) fma(x reg.VecVirtual, f int, acc reg.VecVirtual, last bool) reg.VecVirtual {
	d := acc
	if !last {
		d = a.reg()
		a.I(x86.VMOVAPS(acc, d))
	}
	if a.avx512 {
		a.I(x86.VFMADD231PS_BCST(mem(a.factors, 4*f), x, d))
	} else {
		a.I(x86.VFMADD231PS(a.factor(f), x, d))
	}
	return d
}

// fields loads fields of the arguments to new registers.
func (v *vector) fields(args reg.GPVirtual, offsets ...int) []reg.GPVirtual {
	var rs []reg.GPVirtual
	for _, o := range offsets {
		r := v.GP64()
		v.I(x86.MOVQ(mem(args, o), r))
		rs = append(rs, r)
	}
	return rs
}

// overVectors emits body for whole vectors of channels while count lasts, and once
// for the rest under masks. at are pointers that move with the channels.
func (v *vector) overVectors(count reg.GPVirtual, at []reg.GPVirtual, body func(label string, ms *masks)) {
	v.Label("vector")
	v.I(x86.CMPQ(count, operand.I32(v.floats())))
	v.I(x86.JLT(operand.LabelRef("rest")))
	body("whole", nil)
	for _, p := range at {
		v.I(x86.ADDQ(operand.I32(4*v.floats()), p))
	}
	v.I(x86.SUBQ(operand.I32(v.floats()), count))
	v.I(x86.JMP(operand.LabelRef("vector")))
	v.Label("rest")
	v.I(x86.TESTQ(count, count))
	v.I(x86.JEQ(operand.LabelRef("done")))
	ms := v.masksFor(count, 1)
	body("partial", &ms)
	v.Label("done")
	v.end()
}

// columns returns how to go from one column of a tile's positions to the next, and
// the addresses of its rows.
func (v *vector) columns(at, step reg.GPVirtual, n int) (next func(), address func(row int) operand.Mem) {
	p, rowStep := v.GP64(), v.GP64()
	v.I(x86.MOVQ(at, p))
	v.I(x86.IMUL3Q(operand.I32(n), step, rowStep))
	row := v.panelAddresses(p, rowStep, n)
	return func() { v.I(x86.ADDQ(step, p)) }, func(r int) operand.Mem { return row(r, 0) }
}

func winogradInputX86(v *vector, name string, m int) {
	v.Function(name, "func(a *winogradArgs)", name+" transforms the inputs of a tile; see winogradArgs.")
	n, size := m+2, 4*v.floats()
	args := v.Load("a")
	r := v.fields(args, winogradFrom, winogradInd, winogradTo, winogradToStep, winogradTmp, winogradFactors, winogradN, winogradAhead)
	from, ind, to, toStep, tmp, count, ahead := r[0], r[1], r[2], r[3], r[4], r[6], r[7]
	a := x86Arith{v, r[5]}
	v.overVectors(count, []reg.GPVirtual{from, to, ahead}, func(label string, ms *masks) {
		for i := range n {
			var d []reg.VecVirtual
			for j := range n {
				off := v.GP64()
				v.I(x86.MOVL(mem(ind, 4*(i*n+j)), off.As32()))
				at := operand.Mem{Base: from, Index: off, Scale: 1}
				v.I(x86.PREFETCHT0(operand.Mem{Base: ahead, Index: off, Scale: 1}))
				if ms != nil {
					d = append(d, v.loadMasked(at, *ms, 0))
					continue
				}
				x := v.reg()
				v.I(x86.VMOVUPS(at, x))
				d = append(d, x)
			}
			inputTransform[reg.VecVirtual](a, m, d, func(j int, x reg.VecVirtual) { v.I(x86.VMOVUPS(x, mem(tmp, size*(i*n+j)))) })
		}
		next, row := v.columns(to, toStep, n)
		for j := range n {
			var d []reg.VecVirtual
			for i := range n {
				x := v.reg()
				v.I(x86.VMOVUPS(mem(tmp, size*(i*n+j)), x))
				d = append(d, x)
			}
			inputTransform[reg.VecVirtual](a, m, d, func(i int, x reg.VecVirtual) { v.I(x86.VMOVUPS(x, row(i))) })
			next()
		}
	})
}

// winogradExpandX86 generates the kernel that expands weights. Each row of positions is made
// of the columns of the one before, and of taps, all of which are in registers.
func winogradExpandX86(v *vector, name string, m int, half bool) {
	v.Function(name, "func(a *winogradArgs)", name+" transforms weights; see winogradArgs.")
	n, size := m+2, 4*v.floats()
	args := v.Load("a")
	r := v.fields(args, winogradFrom, winogradFromStep, winogradTo, winogradToStep, winogradFactors, winogradN)
	from, fromStep, to, toStep, count := r[0], r[1], r[2], r[3], r[5]
	a := x86Arith{v, r[4]}
	if !v.avx512 {
		v.I(x86.SHLQ(operand.U8(1), count)) // registers to a vector
	}
	middle, below := v.GP64(), v.GP64()
	v.I(x86.LEAQ(operand.Mem{Base: fromStep, Index: fromStep, Scale: 2}, middle))
	v.I(x86.LEAQ(operand.Mem{Base: from, Index: middle, Scale: 2}, below))
	v.I(x86.ADDQ(from, middle))
	p, rowStep := v.GP64(), v.GP64()
	v.I(x86.IMUL3Q(operand.I32(n), toStep, rowStep))
	position := v.panelAddresses(p, toStep, n)
	v.Label("loop")
	v.I(x86.MOVQ(to, p))
	taps := func(at reg.GPVirtual) (g [3]reg.VecVirtual) {
		for j := range g {
			g[j] = v.reg()
			cell := mem(at, 0)
			if j > 0 {
				cell.Index, cell.Scale = fromStep, uint8(j)
			}
			v.loadWeights(cell, g[j], half)
		}
		return g
	}
	step := func(s expandStep, tap, acc reg.VecVirtual) {
		switch s.factor {
		case added:
			v.I(x86.VADDPS(tap, acc, acc))
		case subtracted:
			v.I(x86.VSUBPS(tap, acc, acc))
		default:
			a.fma(tap, s.factor, acc, true)
		}
	}
	// row makes the positions of a row of its columns, the first of which it spoils.
	row := func(g [3]reg.VecVirtual) {
		v.I(x86.VMOVUPS(g[0], position(0, 0)))
		v.I(x86.VMOVUPS(g[2], position(n-1, 0)))
		for i, steps := range expandSteps(m) {
			for _, s := range steps {
				step(s, g[s.tap], g[0])
			}
			v.I(x86.VMOVUPS(g[0], position(i+1, 0)))
		}
	}
	columns, tap1, tap2 := taps(from), taps(middle), taps(below)
	spoilt := v.reg()
	for _, steps := range append([][]expandStep{nil}, expandSteps(m)...) {
		for _, s := range steps {
			for k, acc := range columns {
				if s.tap == 1 {
					step(s, tap1[k], acc)
				} else {
					step(s, tap2[k], acc)
				}
			}
		}
		v.I(x86.VMOVAPS(columns[0], spoilt))
		row([3]reg.VecVirtual{spoilt, columns[1], columns[2]})
		v.I(x86.ADDQ(rowStep, p))
	}
	row(tap2)
	for _, p := range []reg.GPVirtual{from, middle, below} {
		v.I(x86.ADDQ(operand.I32(v.floats()*weightRow(half)/PanelWidth), p))
	}
	v.I(x86.ADDQ(operand.I32(size), to))
	v.I(x86.DECQ(count))
	v.I(x86.JNE(operand.LabelRef("loop")))
	v.end()
}

func winogradOutputX86(v *vector, name string, m int) {
	v.Function(name, "func(a *winogradArgs)", name+" transforms the sums of a tile to outputs; see winogradArgs.")
	n, size := m+2, 4*v.floats()
	args := v.Load("a")
	r := v.fields(args, winogradFrom, winogradFromStep, winogradTo, winogradInd, winogradW, winogradTmp, winogradFactors, winogradN, winogradAhead)
	from, fromStep, to, ind, w, tmp, count, ahead := r[0], r[1], r[2], r[3], r[4], r[5], r[7], r[8]
	a := x86Arith{v, r[6]}
	v.overVectors(count, []reg.GPVirtual{from, to, w, ahead}, func(label string, ms *masks) {
		next, row := v.columns(from, fromStep, n)
		for j := range n {
			var x []reg.VecVirtual
			for i := range n {
				y := v.reg()
				v.I(x86.VMOVUPS(row(i), y))
				x = append(x, y)
			}
			outputTransform[reg.VecVirtual](a, m, x, nil, func(i int, y reg.VecVirtual) { v.I(x86.VMOVUPS(y, mem(tmp, size*(i*n+j)))) })
			next()
		}
		bias := v.reg()
		v.I(x86.VMOVUPS(mem(w, 0), bias))
		for i := range m {
			var x []reg.VecVirtual
			for j := range n {
				y := v.reg()
				v.I(x86.VMOVUPS(mem(tmp, size*(i*n+j)), y))
				x = append(x, y)
			}
			y := make([]reg.VecVirtual, m)
			outputTransform[reg.VecVirtual](a, m, x, &bias, func(j int, x reg.VecVirtual) { y[j] = x })
			again := v.Load("a")
			v.relu(mem(again, winogradAct), y, fmt.Sprintf("%sstore%d", label, i))
			for j := range m {
				off := v.GP64()
				v.I(x86.MOVL(mem(ind, 4*(i*m+j)), off.As32()))
				at := operand.Mem{Base: to, Index: off, Scale: 1}
				v.I(x86.PREFETCHT0(operand.Mem{Base: ahead, Index: off, Scale: 1}))
				if ms != nil {
					v.storeMasked(y[j], *ms, 0, at)
				} else {
					v.I(x86.VMOVUPS(y[j], at))
				}
			}
		}
	})
}

// winogradProductX86 generates the product kernel of some rows and panels.
func winogradProductX86(v *vector, t Tile) {
	v.Function(productName(t), "func(a *winogradArgs)",
		fmt.Sprintf("%s multiplies blocks of %d rows by %d panels; see winogradArgs.", productName(t), t.Pixels, t.Panels))
	const unroll = 4
	per := v.perPanel()
	args := v.Load("a")
	r := v.fields(args, winogradFrom, winogradFromStep, winogradTo)
	from, fromStep, to := r[0], r[1], r[2]
	ahead := v.fields(args, winogradAhead)[0]
	for i := range winogradLines {
		v.I(x86.PREFETCHT1(mem(ahead, 64*i)))
	}
	v.Label("block")
	acc := make([][]reg.VecVirtual, t.Pixels)
	for m := range acc {
		for range t.Panels * per {
			acc[m] = append(acc[m], v.reg())
		}
	}
	args = v.Load("a")
	r = v.fields(args, winogradToStep)
	toStep := r[0]
	v.I(x86.CMPQ(mem(args, winogradAdd), operand.I8(0)))
	v.I(x86.JEQ(operand.LabelRef("zero")))
	at := v.GP64()
	v.I(x86.MOVQ(to, at))
	for m := range acc {
		for n, x := range acc[m] {
			v.I(x86.VMOVUPS(mem(at, 64/per*n), x))
		}
		if m < len(acc)-1 {
			v.I(x86.ADDQ(toStep, at))
		}
	}
	v.I(x86.JMP(operand.LabelRef("start")))
	v.Label("zero")
	for m := range acc {
		for _, x := range acc[m] {
			if v.avx512 {
				v.I(x86.VPXORD(x, x, x))
			} else {
				v.I(x86.VXORPS(x, x, x))
			}
		}
	}
	v.Label("start")
	// A pointer to every third row; the two between are one and two steps on.
	var rows []reg.GPVirtual
	for m := 0; m < t.Pixels; m += 3 {
		p := v.GP64()
		if m == 0 {
			v.I(x86.MOVQ(from, p))
		} else {
			v.I(x86.LEAQ(operand.Mem{Base: rows[len(rows)-1], Index: fromStep, Scale: 2}, p))
			v.I(x86.ADDQ(fromStep, p))
		}
		rows = append(rows, p)
	}
	r = v.fields(args, winogradW, winogradN)
	w, k := []reg.GPVirtual{r[0]}, r[1]
	for p := 1; p < t.Panels; p++ {
		q := v.GP64()
		v.I(x86.MOVQ(mem(args, winogradWStep), q))
		v.I(x86.ADDQ(w[p-1], q))
		w = append(w, q)
	}
	step := func(s int) {
		var b []reg.VecVirtual
		for n := range t.Panels * per {
			x := v.reg()
			v.I(x86.VMOVUPS(mem(w[n/per], 64*s+64/per*(n%per)), x))
			b = append(b, x)
		}
		for m := range acc {
			cell := mem(rows[m/3], 4*s)
			if m%3 > 0 {
				cell.Index, cell.Scale = fromStep, uint8(m%3)
			}
			if v.avx512 && t.Panels == 1 {
				v.I(x86.VFMADD231PS_BCST(cell, b[0], acc[m][0]))
				continue
			}
			x := v.reg()
			v.I(x86.VBROADCASTSS(cell, x))
			for n := range b {
				v.I(x86.VFMADD231PS(b[n], x, acc[m][n]))
			}
		}
	}
	advance := func(n int) {
		for _, p := range rows {
			v.I(x86.ADDQ(operand.I32(4*n), p))
		}
		for _, p := range w {
			v.I(x86.ADDQ(operand.I32(64*n), p))
		}
	}
	v.I(x86.SUBQ(operand.I8(unroll), k))
	v.I(x86.JLT(operand.LabelRef("tail")))
	v.Label("loop")
	for s := range unroll {
		step(s)
	}
	advance(unroll)
	v.I(x86.SUBQ(operand.I8(unroll), k))
	v.I(x86.JGE(operand.LabelRef("loop")))
	v.Label("tail")
	v.I(x86.ADDQ(operand.I8(unroll), k))
	v.I(x86.JEQ(operand.LabelRef("store")))
	v.Label("one")
	step(0)
	advance(1)
	v.I(x86.DECQ(k))
	v.I(x86.JNE(operand.LabelRef("one")))
	v.Label("store")
	for m := range acc {
		for n, x := range acc[m] {
			v.I(x86.VMOVUPS(x, mem(to, 64/per*n)))
		}
		v.I(x86.ADDQ(toStep, to))
	}
	rowsStep := v.GP64()
	v.I(x86.IMUL3Q(operand.I32(t.Pixels), fromStep, rowsStep))
	v.I(x86.ADDQ(rowsStep, from))
	again := v.Load("a")
	v.I(x86.DECQ(mem(again, winogradBlocks)))
	v.I(x86.JNE(operand.LabelRef("block")))
	v.end()
}
