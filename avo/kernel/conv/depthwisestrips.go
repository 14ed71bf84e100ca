package conv

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
	"github.com/mmcloughlin/avo/x86"
)

// stripPixels is the most pixels of a strip's row, 0 where there are no kernels of
// strips. Windows of 3x3 have all weights in registers, and on AVX-512 sums of as many rows as
// share a row of cells; widths of images are most often multiples of 7.
func (r Run) stripPixels(i ISA) int {
	switch {
	case i == NEON:
		return 0
	case i == AVX512 && r.Width == 5:
		return 14
	}
	return 7
}

// stripChannels is what channels for kernels of strips are a multiple of.
func (i ISA) stripChannels() int { return [...]int{1, 8, 0}[i] }

// stripRows is how many rows of pixels 2 KiB apart kernels of strips had better make of a panel before they go to
// the next.
func (i ISA) stripRows() int { return [...]int{4, 2, 0}[i] }

// stripsName is the name of a kernel of strips: depthwiseStripsF32w3s1AVX512.
func (r Run) stripsName(i ISA) string {
	return fmt.Sprintf("depthwiseStrips%sw%ds%d%s", weightName(r.Half), r.Width, r.Stride, i)
}

// depthwiseStrips is a kernel of strips in the making. It hands out vector registers itself, as nearly
// all are in use.
type depthwiseStrips struct {
	*vector
	run   Run
	args  reg.GPVirtual
	x     reg.GPVirtual // first pixel of the strip
	w     [][]weight    // by row and column, where they stay in registers
	taken int           // vector registers

	// Of the strip at hand:
	pixels int
	table  reg.GPVirtual
	column reg.GPVirtual     // of the image, of the first cell
	panel  reg.GPVirtual     // weights of the panel at hand, or of half of it for AVX2
	shift  reg.GPVirtual     // bytes of the channels before
	whole  reg.OpmaskVirtual // channels of the panel, for AVX-512
}

// weight is one vector of weights, in a register or in memory.
type weight struct {
	r  reg.Register
	at operand.Mem
}

// next is the first vector register that is not taken.
func (k *depthwiseStrips) next() reg.Register {
	spec := reg.S256
	if k.avx512 {
		spec = reg.S512
	}
	return reg.Vector.Lookup(reg.Index(k.taken), spec)
}

// take takes a vector register.
func (k *depthwiseStrips) take() reg.Register {
	r := k.next()
	k.taken++
	return r
}

// depthwiseStripsX86 generates the kernel of one panel over rows of strips of some pixels.
func depthwiseStripsX86(v *vector, i ISA, r Run, sizes []int) {
	v.Function(r.stripsName(i), "func(a *depthwiseStripsArgs)",
		fmt.Sprintf("%s computes strips of a panel; see depthwiseStripsArgs.", r.stripsName(i)))
	k := &depthwiseStrips{vector: v, run: r, args: v.Load("a"), x: v.GP64()}
	v.I(x86.XORQ(k.x, k.x))
	v.Label("strip")
	rest, n := v.GP64(), v.GP64()
	v.I(x86.MOVQ(mem(k.args, stripsPixels), rest))
	v.I(x86.SUBQ(k.x, rest))
	v.I(x86.JEQ(operand.LabelRef("done")))
	v.I(x86.MOVQ(mem(k.args, stripsTile), n))
	v.I(x86.CMPQ(k.x, mem(k.args, stripsLarger)))
	v.I(x86.ADCQ(operand.I8(-1), n)) // the carry says x < larger
	v.I(x86.CMPQ(n, rest))
	v.I(x86.CMOVQGT(rest, n))
	for _, size := range sizes[:len(sizes)-1] {
		v.I(x86.CMPQ(n, operand.I8(size)))
		v.I(x86.JGE(operand.LabelRef(fmt.Sprintf("strip%d", size))))
	}
	for i := len(sizes) - 1; i >= 0; i-- {
		k.strip(fmt.Sprintf("strip%d", sizes[i]), sizes[i])
		v.I(x86.ADDQ(operand.I8(sizes[i]), k.x))
		v.I(x86.JMP(operand.LabelRef("strip")))
	}
	v.Label("done")
	v.end()
}

// weights loads the row ky of the weights at w, the first n to registers.
func (k *depthwiseStrips) weights(w reg.GPVirtual, ky, n int) []weight {
	var b []weight
	for kx := range k.run.Width {
		at := weight{at: mem(w, 4*PanelWidth+weightRow(k.run.Half)*(k.run.Width*ky+kx))}
		if kx < n {
			at.r = k.take()
			k.loadWeights(at.at, at.r, k.run.Half)
		}
		b = append(b, at)
	}
	return b
}

// multiply adds cells times weights to a sum.
func (k *depthwiseStrips) multiply(w weight, x, sum reg.Register) {
	switch {
	case w.r != nil:
		k.I(x86.VFMADD231PS(w.r, x, sum))
	case k.run.Half:
		k.taken++ // that of the cells
		k.loadWeights(w.at, k.next(), true)
		k.I(x86.VFMADD231PS(k.next(), x, sum))
		k.taken--
	default:
		k.I(x86.VFMADD231PS(w.at, x, sum))
	}
}

// cells is the number of cells that a row of pixels reads of a row.
func (k *depthwiseStrips) cells() int { return (k.pixels-1)*k.run.Stride + k.run.Width }

// strip emits the way through a strip of so many pixels: down each of the panels, or halves of
// panels, after the other.
func (k *depthwiseStrips) strip(label string, pixels int) {
	k.Label(label)
	k.pixels = pixels
	k.table, k.column, k.panel, k.shift = k.GP64(), k.GP64(), k.GP64(), k.GP64()
	k.I(x86.MOVQ(k.x, k.column))
	if k.run.Stride == 2 {
		k.I(x86.ADDQ(k.x, k.column))
	}
	k.I(x86.SUBQ(mem(k.args, stripsPad), k.column))
	k.I(x86.MOVQ(mem(k.args, stripsW), k.panel))
	k.I(x86.XORQ(k.shift, k.shift))
	k.Label(label + "panel")
	k.taken, k.w = 0, nil
	if k.avx512 {
		k.mask()
	}
	k.I(x86.MOVQ(mem(k.args, stripsTable), k.table))
	switch {
	case !k.avx512, pixels > 7:
		k.byRow(label)
	case k.run.Width == 5:
		k.pairs(label)
	default:
		for ky := range k.run.Width {
			k.w = append(k.w, k.weights(k.panel, ky, k.run.Width))
		}
		if k.run.Stride == 1 {
			k.three(label)
		} else {
			k.two(label)
		}
	}
	k.I(x86.ADDQ(operand.I8(4*PanelWidth), k.shift))
	k.I(x86.ADDQ(mem(k.args, stripsWStep), k.panel))
	k.I(x86.CMPQ(k.shift, mem(k.args, stripsChannels)))
	k.I(x86.JLT(operand.LabelRef(label + "panel")))
}

// mask makes that of the panel's channels.
func (k *depthwiseStrips) mask() {
	left, most, all := k.GP64(), k.constant(PanelWidth), k.constant(1<<PanelWidth-1)
	k.I(x86.MOVQ(mem(k.args, stripsChannels), left))
	k.I(x86.SUBQ(k.shift, left))
	k.I(x86.SHRQ(operand.U8(2), left))
	k.I(x86.CMPQ(left, most)) // BZHI looks at eight bits
	k.I(x86.CMOVQGT(most, left))
	k.I(x86.BZHIQ(left, all, all))
	k.whole = k.K()
	k.I(x86.KMOVW(all.As32(), k.whole))
}

// side tells whether cell j may lie beside the image.
func (k *depthwiseStrips) side(j int) bool {
	return j < k.run.Width/2 || j >= k.cells()-k.run.Width/2
}

// sums are those of a row of pixels.
type sums []reg.Register

func (k *depthwiseStrips) sums() sums {
	s := make(sums, k.pixels)
	for i := range s {
		s[i] = k.take()
	}
	return s
}

// start sets sums to the bias.
func (k *depthwiseStrips) start(s sums) {
	at := mem(k.panel, 0)
	if !k.avx512 && k.run.Half {
		// Weights of half a panel are half as many bytes as its biases.
		at.Index, at.Scale = k.GP64(), 1
		k.I(x86.MOVQ(k.shift, at.Index))
		k.I(x86.ANDQ(operand.I8(4*PanelWidth/2), at.Index))
		k.I(x86.SHRQ(operand.U8(1), at.Index))
	}
	k.I(x86.VMOVUPS(at, s[0]))
	for _, r := range s[1:] {
		k.I(x86.VMOVAPS(s[0], r))
	}
}

// move makes a row's sums those of the row above.
func (k *depthwiseStrips) move(from, to sums) {
	for i := range from {
		k.I(x86.VMOVAPS(from[i], to[i]))
	}
}

// use is a row of weights that cells are multiplied by, for some sums.
type use struct {
	w    []weight
	sums sums
}

// entry reads an entry of the table, some bytes on: where the first cell is, and the bytes
// from cell to cell.
func (k *depthwiseStrips) entry(table operand.Mem) (cell, tap reg.GPVirtual) {
	cell, tap = k.GP64(), k.GP64()
	at := func(disp int) operand.Mem { m := table; m.Disp += disp; return m }
	k.I(x86.MOVQ(at(8), tap))
	k.I(x86.MOVQ(k.column, cell))
	k.I(x86.IMULQ(tap, cell))
	k.I(x86.ADDQ(at(0), cell))
	k.I(x86.ADDQ(mem(k.args, stripsBase), cell))
	k.I(x86.ADDQ(k.shift, cell))
	return cell, tap
}

// row goes over the next row of cells, each of which is loaded once.
func (k *depthwiseStrips) row(fetch bool, uses ...use) {
	cell, tap := k.entry(mem(k.table, 0))
	at := k.neighbours(cell, tap, k.cells())
	for j := range k.cells() {
		x := k.load(j, at(j, 0))
		for _, u := range uses {
			for m, acc := range u.sums {
				if c := j - m*k.run.Stride; c >= 0 && c < k.run.Width {
					k.multiply(u.w[c], x, acc)
				}
			}
		}
	}
	if fetch {
		k.fetch(0)
	}
	k.I(x86.ADDQ(operand.I8(stripsRow), k.table))
}

// fetch asks for the cells of the entry that comes so many entries before what lies ahead of the table's place.
func (k *depthwiseStrips) fetch(before int) {
	ahead := k.GP64()
	k.I(x86.MOVQ(mem(k.args, stripsAhead), ahead))
	cell, tap := k.entry(operand.Mem{Base: k.table, Index: ahead, Scale: 1, Disp: -stripsRow * before})
	at := k.neighbours(cell, tap, k.cells())
	for j := range k.cells() {
		k.I(x86.PREFETCHT0(at(j, 0)))
	}
}

// load loads cell j. Where it lies beside the image zeros are read in its place: a load that a mask keeps
// from memory which is not there would take hundreds of cycles.
func (k *depthwiseStrips) load(j int, at operand.Mem) reg.Register {
	if k.side(j) {
		cell, from := k.GP64(), k.GP64()
		zeros := k.ones
		zeros.Disp += 4 * PanelWidth
		k.I(x86.LEAQ(mem(k.column, j), from))
		k.I(x86.CMPQ(from, mem(k.args, stripsColumns)))
		k.I(x86.LEAQ(zeros, from)) // which leaves the flags
		k.I(x86.LEAQ(at, cell))
		k.I(x86.CMOVQCS(cell, from)) // unsigned: a column before the first counts as large
		at = mem(from, 0)
	}
	r := k.next()
	if k.avx512 {
		k.I(x86.VMOVUPS_Z(at, k.whole, r))
	} else {
		k.I(x86.VMOVUPS(at, r))
	}
	return r
}

// pixelsAt is where the pixels of an entry of the table are.
func (k *depthwiseStrips) pixelsAt(table operand.Mem) func(m, disp int) operand.Mem {
	at, step := k.GP64(), k.GP64()
	k.I(x86.MOVQ(mem(k.args, stripsOutStep), step))
	k.I(x86.MOVQ(k.x, at))
	k.I(x86.IMULQ(step, at))
	k.I(x86.ADDQ(table, at))
	k.I(x86.ADDQ(mem(k.args, stripsOut), at))
	k.I(x86.ADDQ(k.shift, at))
	return k.neighbours(at, step, k.pixels)
}

// store finishes sums and stores them where an entry so many before the table's place says.
func (k *depthwiseStrips) store(s sums, before int, label string) {
	k.I(x86.CMPQ(mem(k.args, stripsAct), operand.I8(actRelu)))
	k.I(x86.JNE(operand.LabelRef(label)))
	zero := k.next()
	if k.avx512 {
		k.I(x86.VPXORD(zero, zero, zero))
	} else {
		k.I(x86.VXORPS(zero, zero, zero))
	}
	for _, r := range s {
		k.I(x86.VMAXPS(r, zero, r)) // as clip does
	}
	k.Label(label)
	at := k.pixelsAt(mem(k.table, 16-stripsRow*before))
	for m, r := range s {
		if k.avx512 {
			k.I(x86.VMOVUPS(r, k.whole, at(m, 0)))
		} else {
			k.I(x86.VMOVUPS(r, at(m, 0)))
		}
	}
}

// fetchPixels asks for the lines that an entry's row of pixels will go to.
func (k *depthwiseStrips) fetchPixels(before int) {
	ahead := k.GP64()
	k.I(x86.MOVQ(mem(k.args, stripsAhead), ahead))
	at := k.pixelsAt(operand.Mem{Base: k.table, Index: ahead, Scale: 1, Disp: 16 - stripsRow*before})
	for m := range k.pixels {
		k.I(x86.PREFETCHT0(at(m, 0)))
	}
}

// three emits the walk down a strip whose windows lie a row apart: a row of cells
// belongs to windows of three rows, whose sums are a, b and c.
func (k *depthwiseStrips) three(label string) {
	a, b, c := k.sums(), k.sums(), k.sums()
	left := k.GP64()
	k.I(x86.MOVQ(mem(k.args, stripsRows), left))
	k.start(a)
	k.row(true, use{k.w[0], a})
	k.I(x86.SUBQ(operand.I8(2), left))
	k.I(x86.JLT(operand.LabelRef(label + "single")))
	k.start(b)
	k.row(true, use{k.w[1], a}, use{k.w[0], b})
	k.I(x86.TESTQ(left, left))
	k.I(x86.JEQ(operand.LabelRef(label + "end")))
	k.Label(label + "row")
	k.start(c)
	k.row(true, use{k.w[2], a}, use{k.w[1], b}, use{k.w[0], c})
	k.store(a, 1, label+"store")
	k.fetchPixels(1)
	k.move(b, a)
	k.move(c, b)
	k.I(x86.DECQ(left))
	k.I(x86.JNE(operand.LabelRef(label + "row")))
	k.Label(label + "end")
	k.row(true, use{k.w[2], a}, use{k.w[1], b})
	k.store(a, 1, label+"endstore")
	k.fetchPixels(1)
	k.move(b, a)
	k.I(x86.JMP(operand.LabelRef(label + "last")))
	k.Label(label + "single")
	k.row(true, use{k.w[1], a})
	k.Label(label + "last")
	k.row(true, use{k.w[2], a})
	k.store(a, 1, label+"laststore")
	k.fetchPixels(1)
}

// two emits the walk down a strip whose windows lie two rows apart: every other row of
// cells belongs to windows of two rows.
func (k *depthwiseStrips) two(label string) {
	a, b := k.sums(), k.sums()
	left := k.GP64()
	k.I(x86.MOVQ(mem(k.args, stripsRows), left))
	k.start(a)
	k.row(true, use{k.w[0], a})
	k.Label(label + "row")
	k.row(true, use{k.w[1], a})
	k.I(x86.DECQ(left))
	k.I(x86.JEQ(operand.LabelRef(label + "last")))
	k.start(b)
	k.row(true, use{k.w[2], a}, use{k.w[0], b})
	k.store(a, 1, label+"store")
	k.fetchPixels(1)
	k.move(b, a)
	k.I(x86.JMP(operand.LabelRef(label + "row")))
	k.Label(label + "last")
	k.row(true, use{k.w[2], a})
	k.store(a, 1, label+"laststore")
	k.fetchPixels(1)
}

// byRow emits the walk down a strip row of pixels by row of pixels, half a panel after the other, for AVX2.
func (k *depthwiseStrips) byRow(label string) {
	const registers = 16
	a, width := k.sums(), k.run.Width
	left, half := k.GP64(), 4*k.floats()
	k.I(x86.MOVQ(mem(k.args, stripsRows), left))
	k.Label(label + "row")
	k.start(a)
	if width == 3 {
		// Most weights are in registers.
		room := registers - len(a) - 1
		if k.run.Half {
			room--
		}
		var uses []use
		for ky := range width {
			uses = append(uses, use{k.weights(k.panel, ky, min(max(room, 0), width)), a})
			room -= width
		}
		for _, u := range uses {
			k.row(false, u)
		}
	} else {
		w, rows := k.GP64(), k.constant(width)
		k.I(x86.MOVQ(k.panel, w))
		k.through(label+"cells", rows, []reg.GPVirtual{w}, []sums{a})
	}
	k.taken = len(a)
	k.store(a, 1, label+"store")
	if !k.avx512 {
		k.I(x86.TESTQ(operand.U32(half), k.shift))
		k.I(x86.JNE(operand.LabelRef(label + "second")))
	}
	for e := range k.run.Stride {
		k.fetch(1 + e)
	}
	k.fetchPixels(1)
	if k.avx512 {
		k.again(label, left)
		return
	}
	k.I(x86.ADDQ(operand.I8(int8(half)), k.shift))
	k.I(x86.CMPQ(k.shift, mem(k.args, stripsChannels)))
	k.I(x86.JGE(operand.LabelRef(label + "only")))
	k.I(x86.SUBQ(operand.I8(int8(stripsRow*width)), k.table))
	k.I(x86.ADDQ(operand.I8(int8(weightRow(k.run.Half)/2)), k.panel))
	k.I(x86.JMP(operand.LabelRef(label + "row")))
	k.Label(label + "second")
	k.I(x86.SUBQ(operand.I8(int8(weightRow(k.run.Half)/2)), k.panel))
	k.Label(label + "only")
	k.I(x86.ANDQ(operand.I8(-4*PanelWidth), k.shift))
	k.again(label, left)
}

// again goes on to the next row of pixels, if one is left.
func (k *depthwiseStrips) again(label string, left reg.GPVirtual) {
	k.I(x86.SUBQ(operand.I8(int8(stripsRow*(k.run.Width-k.run.Stride))), k.table))
	k.I(x86.DECQ(left))
	k.I(x86.JNE(operand.LabelRef(label + "row")))
}

// through goes over some rows of cells, for sums whose rows of weights are at w.
func (k *depthwiseStrips) through(label string, rows reg.GPVirtual, w []reg.GPVirtual, s []sums) {
	defer func(n int) { k.taken = n }(k.taken)
	width := k.run.Width
	k.Label(label)
	var uses []use
	for i := range s {
		uses = append(uses, use{k.weights(w[i], 0, width), s[i]})
		k.I(x86.ADDQ(operand.I32(int32(weightRow(k.run.Half)*width)), w[i]))
	}
	k.row(false, uses...)
	k.I(x86.DECQ(rows))
	k.I(x86.JNE(operand.LabelRef(label)))
}

// pairs emits the walk down a strip by two rows of pixels at a time, which hide the latency of
// sums better than one and share rows of cells.
func (k *depthwiseStrips) pairs(label string) {
	a, b, width, down := k.sums(), k.sums(), k.run.Width, k.run.Stride
	left, first, second := k.GP64(), k.GP64(), k.GP64()
	rows := k.GP64()
	k.I(x86.MOVQ(mem(k.args, stripsRows), left))
	k.Label(label + "row")
	k.I(x86.MOVQ(k.panel, first))
	k.start(a)
	k.I(x86.MOVQ(operand.I32(int32(width)), rows))
	k.I(x86.SUBQ(operand.I8(2), left))
	k.I(x86.JLT(operand.LabelRef(label + "first"))) // all rows of one
	k.I(x86.MOVQ(operand.I32(int32(down)), rows))
	k.through(label+"first", rows, []reg.GPVirtual{first}, []sums{a})
	k.I(x86.TESTQ(left, left))
	k.I(x86.JLT(operand.LabelRef(label + "single")))
	k.I(x86.MOVQ(k.panel, second))
	k.start(b)
	k.I(x86.MOVQ(operand.I32(int32(width-down)), rows))
	k.through(label+"both", rows, []reg.GPVirtual{first, second}, []sums{a, b})
	k.I(x86.MOVQ(operand.I32(int32(down)), rows))
	k.through(label+"second", rows, []reg.GPVirtual{second}, []sums{b})
	k.store(a, 1+down, label+"stored")
	k.store(b, 1, label+"bothstored")
	for e := range 2 * down {
		k.fetch(1 + e)
	}
	k.fetchPixels(1 + down)
	k.fetchPixels(1)
	k.I(x86.SUBQ(operand.I8(int8(stripsRow*(width-down))), k.table))
	k.I(x86.TESTQ(left, left))
	k.I(x86.JNE(operand.LabelRef(label + "row")))
	k.I(x86.JMP(operand.LabelRef(label + "end")))
	k.Label(label + "single")
	k.store(a, 1, label+"singlestored")
	k.Label(label + "end")
}
