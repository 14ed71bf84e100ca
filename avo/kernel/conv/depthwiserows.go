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

// rowWalk is what kernels of rows share: the way over rows, and over tiles of pixels.
// Sizes of tiles are those that there is code for, the largest first, the last of
// which is 1.
type rowWalk struct {
	*vector
	args reg.GPVirtual
	out  reg.GPVirtual // where pixel x goes
	x    reg.GPVirtual // first pixel of the tile
}

// rowTile is the code of tiles of so many pixels, of a whole panel or of part of one.
// With edge set, cells may lie outside the image. It leaves out at the next pixel.
type rowTile func(label string, pixels int, partial, edge bool)

// walkRows starts a kernel of rows.
func (v *vector) walkRows(args reg.GPVirtual) *rowWalk {
	return &rowWalk{v, args, v.GP64(), v.GP64()}
}

// table is the address of the table of the row at hand.
func (k *rowWalk) table() reg.GPVirtual {
	t := k.GP64()
	k.I(x86.MOVQ(mem(k.args, rowsInd), t))
	k.I(x86.ADDQ(mem(k.args, rowsAt), t))
	return t
}

// window reads an entry of the table: the first cell of the tile, and the bytes from
// cell to cell.
func (k *rowWalk) window(table reg.GPVirtual, ky int) (cell, tap reg.GPVirtual) {
	cell, tap = k.GP64(), k.GP64()
	step := k.GP64()
	k.I(x86.MOVL(mem(table, 20+16*ky), step.As32()))
	k.I(x86.MOVQ(step, cell))
	k.I(x86.IMULQ(k.x, cell))
	k.I(x86.ADDQ(mem(table, 8+16*ky), cell))
	k.I(x86.ADDQ(mem(k.args, rowsBase), cell))
	k.I(x86.MOVL(mem(table, 16+16*ky), tap.As32()))
	return cell, tap
}

// rows emits the loops over rows, and tiles of a panel, or of part of one.
func (k *rowWalk) rows(name string, partial bool, sizes []int, tile rowTile) {
	k.Label(name)
	left := k.GP64()
	k.I(x86.MOVQ(mem(k.table(), 0), k.out))
	k.I(x86.ADDQ(mem(k.args, rowsOut), k.out))
	k.I(x86.XORQ(k.x, k.x))
	// Tiles of `tile` pixels up to pixel `larger`, then such of one less.
	k.Label(name + "tile")
	rest := k.GP64()
	k.I(x86.MOVQ(mem(k.args, rowsPixels), rest))
	k.I(x86.SUBQ(k.x, rest))
	k.I(x86.JEQ(operand.LabelRef(name + "end")))
	k.I(x86.MOVQ(mem(k.args, rowsTile), left))
	k.I(x86.CMPQ(k.x, mem(k.args, rowsLarger)))
	k.I(x86.ADCQ(operand.I8(-1), left)) // the carry says x < larger
	k.I(x86.CMPQ(left, rest))
	k.I(x86.CMOVQGT(rest, left))
	for i, n := range sizes {
		label := fmt.Sprintf("%s%d", name, n)
		if i+1 < len(sizes) {
			k.I(x86.CMPQ(left, operand.I8(n)))
			k.I(x86.JGE(operand.LabelRef(label)))
		}
	}
	for i := len(sizes) - 1; i >= 0; i-- {
		label := fmt.Sprintf("%s%d", name, sizes[i])
		k.Label(label)
		// Is every cell inside the image?
		k.I(x86.CMPQ(k.x, mem(k.args, rowsLeft)))
		k.I(x86.JLT(operand.LabelRef(label + "edge")))
		end := k.GP64()
		k.I(x86.LEAQ(mem(k.x, sizes[i]), end))
		k.I(x86.CMPQ(end, mem(k.args, rowsRight)))
		k.I(x86.JGT(operand.LabelRef(label + "edge")))
		for _, edge := range []bool{false, true} {
			if edge {
				label += "edge"
				k.Label(label)
			}
			tile(label, sizes[i], partial, edge)
			k.I(x86.ADDQ(operand.I8(sizes[i]), k.x))
			k.I(x86.JMP(operand.LabelRef(name + "tile")))
		}
	}
	k.Label(name + "end")
	k.I(x86.MOVQ(k.rowBytes(), left))
	k.I(x86.ADDQ(left, mem(k.args, rowsAt)))
	k.I(x86.DECQ(mem(k.args, rowsRows)))
	k.I(x86.JNE(operand.LabelRef(name)))
	k.end()
}

// rowBytes is the bytes of a row's table.
func (k *rowWalk) rowBytes() reg.GPVirtual {
	n := k.GP64()
	k.I(x86.MOVQ(mem(k.args, rowsKH), n))
	k.I(x86.LEAQ(operand.Mem{Base: n, Index: n, Scale: 1, Disp: 1}, n))
	k.I(x86.SHLQ(operand.U8(3), n))
	return n
}

// depthwiseRowsX86 generates the kernel of one panel over the pixels of some rows. Tiles of
// up to eight pixels (AVX-512) or four hide some of the latency of sums. Each weight
// and each cell is loaded once per row of a tile's windows.
func depthwiseRowsX86(v *vector, i ISA, r Run, sizes []int) {
	v.Function(r.rowsName(i), "func(a *depthwiseRowsArgs)",
		fmt.Sprintf("%s computes some rows of a panel; see depthwiseRowsArgs.", r.rowsName(i)))
	k := &depthwiseRows{v.walkRows(v.Load("a")), r, masks{}}
	last := v.GP64()
	v.I(x86.MOVQ(mem(k.args, rowsLast), last))
	k.ms = v.masksFor(last, v.perPanel())
	tile := func(label string, pixels int, partial, edge bool) { k.tile(label, pixels, partial, edge) }
	v.I(x86.CMPQ(last, operand.I8(PanelWidth)))
	v.I(x86.JNE(operand.LabelRef("partial")))
	k.rows("whole", false, sizes, tile)
	k.rows("partial", true, sizes, tile)
}

// depthwiseRows is a kernel of rows in the making.
type depthwiseRows struct {
	*rowWalk
	run Run
	ms  masks
}

// tile emits a tile of some pixels.
func (k *depthwiseRows) tile(label string, pixels int, partial, edge bool) {
	per, row, width := k.perPanel(), weightRow(k.run.Half), k.run.Width
	table, left, w := k.table(), k.GP64(), k.GP64()
	k.I(x86.MOVQ(mem(k.args, rowsW), w))
	acc := make([][]reg.VecVirtual, pixels)
	var all []reg.VecVirtual
	for m := range acc {
		for n := range per {
			a := k.reg()
			if m == 0 {
				k.I(x86.VMOVUPS(mem(w, 64/per*n), a))
			} else {
				k.I(x86.VMOVAPS(acc[0][n], a))
			}
			acc[m] = append(acc[m], a)
		}
		all = append(all, acc[m]...)
	}
	k.I(x86.ADDQ(operand.I32(64), w))
	load := func(from operand.Mem, i int) reg.VecVirtual {
		if partial {
			return k.loadMasked(from, k.ms, i)
		}
		r := k.reg()
		k.I(x86.VMOVUPS(from, r))
		return r
	}
	k.I(x86.MOVQ(mem(k.args, rowsKH), left))
	k.Label(label + "row")
	cell, tap := k.window(table, 0)
	if edge {
		k.addRow(acc, w, load, k.cellsOrZeros(k.args, k.x, cell, tap))
	} else {
		k.addRow(acc, w, load, k.neighbours(cell, tap, (pixels-1)*k.run.Stride+width))
	}
	k.I(x86.ADDQ(operand.I32(int32(row*width)), w))
	k.I(x86.ADDQ(operand.I8(16), table))
	k.I(x86.DECQ(left))
	k.I(x86.JNE(operand.LabelRef(label + "row")))
	k.relu(mem(k.args, rowsAct), all, label+"store")
	for _, a := range acc {
		for n, r := range a {
			if partial {
				k.storeMasked(r, k.ms, n, mem(k.out, 64/per*n))
			} else {
				k.I(x86.VMOVUPS(r, mem(k.out, 64/per*n)))
			}
		}
		k.I(x86.ADDQ(mem(k.args, rowsOutStep), k.out))
	}
}

// addRow adds a row of cells to sums. It takes cells from left to right, so that each sum takes
// its terms in order. at is asked for the cells in that order, for byte 0 of each first.
func (k *depthwiseRows) addRow(acc [][]reg.VecVirtual, w reg.GPVirtual, load func(operand.Mem, int) reg.VecVirtual, at func(j, disp int) operand.Mem) {
	per, row, width := k.perPanel(), weightRow(k.run.Half), k.run.Width
	// Where registers are few weights are loaded for each use. AVX2 has masks in two.
	room := 14
	if k.avx512 {
		room = 24 // the allocator needs some to spare
	}
	weight := func(n, i int) reg.VecVirtual {
		r := k.reg()
		k.loadWeights(mem(w, row*n+row/per*i), r, k.run.Half)
		return r
	}
	var b [][]reg.VecVirtual
	if 1+len(acc)*per+width*per <= room {
		for x := range width {
			b = append(b, nil)
			for i := range per {
				b[x] = append(b[x], weight(x, i))
			}
		}
	}
	for j := range (len(acc)-1)*k.run.Stride + width {
		for i := range per {
			x := load(at(j, 64/per*i), i)
			for m := range acc {
				c := j - m*k.run.Stride
				switch {
				case c < 0 || c >= width:
				case b != nil:
					k.I(x86.VFMADD231PS(b[c][i], x, acc[m][i]))
				case k.run.Half:
					k.I(x86.VFMADD231PS(weight(c, i), x, acc[m][i]))
				default:
					k.I(x86.VFMADD231PS(mem(w, row*c+row/per*i), x, acc[m][i]))
				}
			}
		}
	}
}

// neighbours gives the addresses of cells that lie a tap apart from cell on.
func (v *vector) neighbours(cell, tap reg.GPVirtual, n int) func(j, disp int) operand.Mem {
	at := v.panelAddresses(cell, tap, min(n, 4))
	return func(j, disp int) operand.Mem {
		if j > 0 && j%4 == 0 && disp == 0 {
			v.I(x86.LEAQ(operand.Mem{Base: cell, Index: tap, Scale: 4}, cell))
		}
		return at(j%4, disp)
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
