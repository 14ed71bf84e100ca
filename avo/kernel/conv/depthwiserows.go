package conv

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
	"github.com/mmcloughlin/avo/x86"
)

// rowPixels is the most pixels of a tile of a kernel of rows, 0 where there are none.
func (i ISA) rowPixels() int { return [...]int{8, 4, 0}[i] }

// rowsName is the name of a kernel of rows: depthwiseRowsF32w3s1AVX512.
func (r Run) rowsName(i ISA) string {
	return fmt.Sprintf("depthwiseRows%sw%ds%d%s", weightName(r.Half), r.Width, r.Stride, i)
}

// depthwiseRowsX86 generates the kernel of one panel over the pixels of some rows.
// Tiles of up to eight pixels (AVX-512) or four hide the latency of sums; sizes are
// those there is code for, the largest first, the last of which is 1. Each weight and
// each cell is loaded once per row of a tile's windows.
func depthwiseRowsX86(v *vector, i ISA, r Run, sizes []int) {
	v.Function(r.rowsName(i), "func(a *depthwiseRowsArgs)",
		fmt.Sprintf("%s computes some rows of a panel; see depthwiseRowsArgs.", r.rowsName(i)))
	per := v.perPanel()
	args := v.Load("a")
	last := v.GP64()
	v.I(x86.MOVQ(mem(args, rowsLast), last))
	ms := v.masksFor(last, per)
	out, x := v.GP64(), v.GP64()
	load := func(from operand.Mem, i int, partial bool) reg.VecVirtual {
		if partial {
			return v.loadMasked(from, ms, i)
		}
		r := v.reg()
		v.I(x86.VMOVUPS(from, r))
		return r
	}

	// tile computes pixels from x on, a whole panel or, with masks, part of one.
	tile := func(label string, pixels int, partial, edge bool) {
		table, w, ky := v.GP64(), v.GP64(), v.GP64()
		v.I(x86.MOVQ(mem(args, rowsInd), table))
		v.I(x86.ADDQ(mem(args, rowsAt), table))
		v.I(x86.MOVQ(mem(args, rowsW), w))
		v.I(x86.MOVQ(mem(args, rowsKH), ky))
		acc := make([][]reg.VecVirtual, pixels)
		var all []reg.VecVirtual
		for m := range acc {
			for i := range per {
				a := v.reg()
				if m == 0 {
					v.I(x86.VMOVUPS(mem(w, 64/per*i), a))
				} else {
					v.I(x86.VMOVAPS(acc[0][i], a))
				}
				acc[m] = append(acc[m], a)
			}
			all = append(all, acc[m]...)
		}
		v.I(x86.ADDQ(operand.I32(64), w))
		v.Label(label + "row")
		cell, tap, step := v.GP64(), v.GP64(), v.GP64()
		v.I(x86.MOVL(mem(table, 20), step.As32()))
		v.I(x86.MOVQ(step, cell))
		v.I(x86.IMULQ(x, cell))
		v.I(x86.ADDQ(mem(table, 8), cell))
		v.I(x86.ADDQ(mem(args, rowsBase), cell))
		v.I(x86.MOVL(mem(table, 16), tap.As32()))
		sums := windowSums{v, r, w, acc, func(from operand.Mem, i int) reg.VecVirtual { return load(from, i, partial) }}
		if edge {
			sums.row(v.cellsOrZeros(args, x, cell, tap))
		} else {
			sums.row(v.neighbours(cell, tap, sums.cells()))
		}
		v.I(x86.ADDQ(operand.I32(weightRow(r.Half)*r.Width), w))
		v.I(x86.ADDQ(operand.I8(16), table))
		v.I(x86.DECQ(ky))
		v.I(x86.JNE(operand.LabelRef(label + "row")))
		v.relu(mem(args, rowsAct), all, label+"store")
		for m := range acc {
			for i, r := range acc[m] {
				if partial {
					v.storeMasked(r, ms, i, mem(out, 64/per*i))
				} else {
					v.I(x86.VMOVUPS(r, mem(out, 64/per*i)))
				}
			}
			v.I(x86.ADDQ(mem(args, rowsOutStep), out))
		}
		v.I(x86.ADDQ(operand.I8(pixels), x))
	}
	path := func(name string, partial bool) {
		v.Label(name)
		table, left := v.GP64(), v.GP64()
		v.I(x86.MOVQ(mem(args, rowsInd), table))
		v.I(x86.ADDQ(mem(args, rowsAt), table))
		v.I(x86.MOVQ(mem(table, 0), out))
		v.I(x86.ADDQ(mem(args, rowsOut), out))
		v.I(x86.XORQ(x, x))
		// Tiles of `tile` pixels up to pixel `larger`, then such of one less.
		v.Label(name + "tile")
		rest := v.GP64()
		v.I(x86.MOVQ(mem(args, rowsPixels), rest))
		v.I(x86.SUBQ(x, rest))
		v.I(x86.JEQ(operand.LabelRef(name + "end")))
		v.I(x86.MOVQ(mem(args, rowsTile), left))
		v.I(x86.CMPQ(x, mem(args, rowsLarger)))
		v.I(x86.ADCQ(operand.I8(-1), left)) // the carry says x < larger
		v.I(x86.CMPQ(left, rest))
		v.I(x86.CMOVQGT(rest, left))
		for i, n := range sizes {
			label := fmt.Sprintf("%s%d", name, n)
			if i+1 < len(sizes) {
				v.I(x86.CMPQ(left, operand.I8(n)))
				v.I(x86.JGE(operand.LabelRef(label)))
			}
		}
		for i := len(sizes) - 1; i >= 0; i-- {
			label := fmt.Sprintf("%s%d", name, sizes[i])
			v.Label(label)
			// Is every cell inside the image?
			v.I(x86.CMPQ(x, mem(args, rowsLeft)))
			v.I(x86.JLT(operand.LabelRef(label + "edge")))
			end := v.GP64()
			v.I(x86.LEAQ(mem(x, sizes[i]), end))
			v.I(x86.CMPQ(end, mem(args, rowsRight)))
			v.I(x86.JGT(operand.LabelRef(label + "edge")))
			tile(label, sizes[i], partial, false)
			v.I(x86.JMP(operand.LabelRef(name + "tile")))
			v.Label(label + "edge")
			tile(label+"edge", sizes[i], partial, true)
			v.I(x86.JMP(operand.LabelRef(name + "tile")))
		}
		v.Label(name + "end")
		v.I(x86.MOVQ(mem(args, rowsKH), left))
		v.I(x86.LEAQ(operand.Mem{Base: left, Index: left, Scale: 1, Disp: 1}, left))
		v.I(x86.SHLQ(operand.U8(3), left)) // bytes of a row's table
		v.I(x86.ADDQ(left, mem(args, rowsAt)))
		v.I(x86.DECQ(mem(args, rowsRows)))
		v.I(x86.JNE(operand.LabelRef(name)))
		v.end()
	}
	v.I(x86.CMPQ(last, operand.I8(PanelWidth)))
	v.I(x86.JNE(operand.LabelRef("partial")))
	path("whole", false)
	path("partial", true)
}

// windowSums are the sums of some pixels' windows, which have cells in common.
type windowSums struct {
	*vector
	run  Run
	w    reg.GPVirtual
	acc  [][]reg.VecVirtual
	load func(operand.Mem, int) reg.VecVirtual
}

// cells is how many of a row the pixels read.
func (s windowSums) cells() int { return (len(s.acc)-1)*s.run.Stride + s.run.Width }

// row adds a row of the windows. It takes cells from left to right, so that each sum
// still takes its terms in order. at is asked for the cells in that order, for byte 0
// of each first.
func (s windowSums) row(at func(j, disp int) operand.Mem) {
	per, row := s.perPanel(), weightRow(s.run.Half)
	// With few registers weights are loaded for each use. AVX2 has masks in two.
	room := 14
	if s.avx512 {
		room = 32
	}
	weight := func(k, i int) reg.VecVirtual {
		r := s.reg()
		s.loadWeights(mem(s.w, row*k+row/per*i), r, s.run.Half)
		return r
	}
	var b [][]reg.VecVirtual
	if (s.run.Width+len(s.acc))*per+1 <= room {
		for k := range s.run.Width {
			b = append(b, nil)
			for i := range per {
				b[k] = append(b[k], weight(k, i))
			}
		}
	}
	for j := range s.cells() {
		for i := range per {
			x := s.load(at(j, 64/per*i), i)
			for m := range s.acc {
				k := j - m*s.run.Stride
				switch {
				case k < 0 || k >= s.run.Width:
				case b != nil:
					s.I(x86.VFMADD231PS(b[k][i], x, s.acc[m][i]))
				case s.run.Half:
					s.I(x86.VFMADD231PS(weight(k, i), x, s.acc[m][i]))
				default:
					s.I(x86.VFMADD231PS(mem(s.w, row*k+row/per*i), x, s.acc[m][i]))
				}
			}
		}
	}
}

// neighbours gives the addresses of cells that lie a tap apart from cell on.
func (v *vector) neighbours(cell, tap reg.GPVirtual, n int) func(j, disp int) operand.Mem {
	at := v.panelAddresses(cell, tap, min(n, 8))
	return func(j, disp int) operand.Mem {
		if j > 0 && j%8 == 0 && disp == 0 {
			v.I(x86.LEAQ(operand.Mem{Base: cell, Index: tap, Scale: 8}, cell))
		}
		return at(j%8, disp)
	}
}

// cellsOrZeros gives the addresses of cells that lie a tap apart from cell on, the
// first of pixel x, or where a cell's column is none of the image's that of zeros.
func (v *vector) cellsOrZeros(args, x, cell, tap reg.GPVirtual) func(j, disp int) operand.Mem {
	column, zeros, at := v.GP64(), v.GP64(), v.GP64()
	v.I(x86.MOVQ(x, column))
	v.I(x86.IMULQ(mem(args, rowsStride), column))
	v.I(x86.SUBQ(mem(args, rowsPad), column))
	v.I(x86.LEAQ(v.ones, zeros))
	v.I(x86.ADDQ(operand.I32(4*PanelWidth), zeros))
	return func(j, disp int) operand.Mem {
		if disp == 0 {
			if j > 0 {
				v.I(x86.ADDQ(tap, cell))
				v.I(x86.INCQ(column))
			}
			v.I(x86.MOVQ(cell, at))
			v.I(x86.CMPQ(column, mem(args, rowsColumns)))
			v.I(x86.CMOVQCC(zeros, at)) // unsigned: a column before the first counts as large
		}
		return mem(at, disp)
	}
}
