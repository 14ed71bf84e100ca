package lane

import (
	"fmt"
	"math"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
	"github.com/mmcloughlin/avo/x86"

	"github.com/flexnnc/flexnnc/avo/amd64"
	"github.com/flexnnc/flexnnc/ir/lane"
)

// tailMask is where AVX-512 has the mask of a tail; programs use K1 to K6.
var tailMask = reg.K7

// Counters that have no register: rows left, bytes of the whole groups of a row.
const (
	roomLeft  = argRoom
	roomWhole = argRoom + 8
)

// x86Kernel emits one version of a program for AVX-512 or AVX2.
type x86Kernel struct {
	c      *amd64.Context
	isa    isa
	p      *lane.Program
	k      *kernel
	accs   []int
	args   reg.Register
	in     []reg.Register // row of each input
	out    reg.Register
	at     reg.Register // byte offset in the row
	tail   bool
	half   [2]reg.Register // AVX2: addresses of the masks of a tail
	mask   int             // AVX2: vector register for them
	joined int             // AVX2: vector register of a reduction's tail
	table  operand.Mem     // constants
	where  map[int]int     // invariant to offset in table
}

// x86Files are what the versions of a file share.
type x86Files struct{ ones operand.Mem }

// newX86Files defines shared data: 8 words of ones, 8 of zeros.
func newX86Files(c *amd64.Context) x86Files {
	words := make([]uint32, 16)
	for i := range 8 {
		words[i] = ^uint32(0)
	}
	return x86Files{c.Words("laneMask", words...)}
}

// x86Version writes the function of p for one ISA.
func x86Version(c *amd64.Context, f x86Files, p *lane.Program, i isa) error {
	x, pl, err := planX86(c, p, i, true)
	if err == errMasks {
		x, pl, err = planX86(c, p, i, false)
	}
	if err != nil {
		return err
	}
	name := Name(p) + i.String()
	c.Function(name, "func(a *mapArgs)", x86Doc(p, name)...)
	x.pool(name, pl)
	x.args = c.Load("a")
	return x.function(f, pl)
}

func x86Doc(p *lane.Program, name string) []string {
	return []string{fmt.Sprintf("%s runs lane program %q.", name, p.Name)}
}

func planX86(c *amd64.Context, p *lane.Program, i isa, useMasks bool) (*x86Kernel, plan, error) {
	x := &x86Kernel{c: c, isa: i, p: p}
	reserved := 0
	take := func() int {
		reserved++
		return i.registers() - reserved
	}
	if p.Reduce != lane.Store {
		for range i.vectors() {
			x.accs = append(x.accs, take())
		}
	}
	if i == avx2 {
		x.mask = take()
		if p.Reduce != lane.Store {
			x.joined = take()
		}
	}
	var masks []int
	if i == avx512 && useMasks {
		masks = []int{1, 2, 3, 4, 5, 6}
	}
	x.k = newKernel(p, i, x, reserved, masks)
	pl, err := x.k.choose()
	return x, pl, err
}

// pool defines the constants that are not pinned.
func (x *x86Kernel) pool(name string, p plan) {
	var words []uint32
	x.where = map[int]int{}
	for n, v := range x.k.invariants {
		if v.input < 0 {
			x.where[n] = 4 * len(words)
			words = append(words, v.bits)
		}
	}
	if len(words) > 0 {
		x.table = x.c.Words(name+"Const", words...)
	}
}

func (x *x86Kernel) move(c class, d, s int) {
	if c == mask {
		x.c.I(x86.KMOVW(kmask[s], kmask[d]))
		return
	}
	x.c.I(x86.VMOVAPS(x.v(s), x.v(d)))
}

func (x *x86Kernel) invariant(k, d int) {
	if v := x.k.invariants[k]; v.input >= 0 {
		x.c.I(x86.VBROADCASTSS(operand.Mem{Base: x.in[v.input]}, x.v(d)))
		return
	}
	x.c.I(x86.VBROADCASTSS(x.table.Offset(x.where[k]), x.v(d)))
}

func (x *x86Kernel) slot(n int) operand.Mem {
	return operand.Mem{Base: x.args, Disp: spillAt + n*slotBytes}
}

func (x *x86Kernel) spill(slot, s int)  { x.c.I(x86.VMOVUPS(x.v(s), x.slot(slot))) }
func (x *x86Kernel) reload(slot, d int) { x.c.I(x86.VMOVUPS(x.slot(slot), x.v(d))) }

// element is where a vector of the group lies in a row.
func (x *x86Kernel) element(row reg.Register, vector int) operand.Mem {
	return operand.Mem{Base: row, Index: x.at, Scale: 1, Disp: 4 * lane.Groups / x.isa.vectors() * vector}
}

// halfMask brings AVX2's mask of a vector of a tail to its register.
func (x *x86Kernel) halfMask(vector int) reg.Register {
	m := x.v(x.mask)
	x.c.I(x86.VMOVUPS(operand.Mem{Base: x.half[vector]}, m))
	return m
}

func (x *x86Kernel) load(s *sequence, input, vector int, _ bool) value {
	return s.add(vec, 0, func(d int, _ []int, _ int) {
		m := x.element(x.in[input], vector)
		switch {
		case !x.tail:
			x.c.I(x86.VMOVUPS(m, x.v(d)))
		case x.isa == avx512:
			x.c.I(x86.VMOVUPS_Z(m, tailMask, x.v(d)))
		default:
			x.c.I(x86.VMASKMOVPS(m, x.halfMask(vector), x.v(d)))
		}
	})
}

func (x *x86Kernel) store(s *sequence, v value, vector int, _ bool) {
	s.effect(func(r []int) {
		m := x.element(x.out, vector)
		switch {
		case !x.tail:
			x.c.I(x86.VMOVUPS(x.v(r[0]), m))
		case x.isa == avx512:
			x.c.I(x86.VMOVUPS(x.v(r[0]), tailMask, m))
		default:
			x.c.I(x86.VMASKMOVPS(x.v(r[0]), x.halfMask(vector), m))
		}
	}, v)
}

func (x *x86Kernel) pairs() bool { return false }

// join is the operation of the reduction.
func (x *x86Kernel) join() three {
	switch x.p.Reduce {
	case lane.ReduceMax:
		return x86.VMAXPS
	case lane.ReduceMin:
		return x86.VMINPS
	}
	return x86.VADDPS
}

func (x *x86Kernel) accumulate(s *sequence, v value, vector int) {
	s.effect(func(r []int) {
		acc, v := x.v(x.accs[vector]), x.v(r[0])
		switch {
		case !x.tail:
			x.c.I(x.join()(acc, v, acc))
		case x.isa == avx512:
			x.c.I(x.join()(acc, v, tailMask, acc))
		default:
			t := x.v(x.joined)
			x.c.I(x.join()(acc, v, t))
			x.c.I(x86.VBLENDVPS(x.halfMask(vector), t, acc, acc))
		}
	}, v)
}

// function writes the loops over rows and groups.
func (x *x86Kernel) function(f x86Files, p plan) error {
	c := x.c
	mem := func(off int) operand.Mem { return operand.Mem{Base: x.args, Disp: off} }
	field := func(off int) reg.Register {
		r := c.GP64()
		c.I(x86.MOVQ(mem(off), r))
		return r
	}
	x.in = make([]reg.Register, len(x.p.Inputs))
	for k, u := range used(x.p) {
		if u {
			x.in[k] = field(argIn + 8*k)
		}
	}
	rows := x.p.Reduce == lane.Store
	if stores(x.p) {
		x.out = field(argOut)
	}
	count := field(argN)
	for n := range x.k.invariants {
		if r, ok := p.files.pinned[value(n)]; ok && x.k.invariants[n].input < 0 {
			x.invariant(n, r)
		}
	}
	for _, a := range x.accs {
		x.start(x.v(a))
	}
	x.at = c.GP64()
	rest := c.GP64()
	c.I(x86.MOVQ(count, rest))
	c.I(x86.ANDQ(operand.Imm(lane.Groups-1), rest))
	c.I(x86.SUBQ(rest, count))
	c.I(x86.SHLQ(operand.Imm(2), count))
	whole := mem(roomWhole)
	c.I(x86.MOVQ(count, whole))
	x.masks(f, rest)
	if rows {
		c.I(x86.CMPQ(mem(argRows), operand.Imm(0)))
		c.I(x86.JLE(operand.LabelRef("done")))
		left := field(argRows)
		c.I(x86.MOVQ(left, mem(roomLeft)))
		c.Label("row")
		if err := x.row(p, whole, rest); err != nil {
			return err
		}
		c.I(x86.DECQ(mem(roomLeft)))
		c.I(x86.JLE(operand.LabelRef("done")))
		for k, r := range x.in {
			if r != nil {
				c.I(x86.ADDQ(mem(argInStep+8*k), r))
			}
		}
		c.I(x86.ADDQ(mem(argOutStep), x.out))
		c.I(x86.JMP(operand.LabelRef("row")))
		c.Label("done")
	} else {
		if err := x.row(p, whole, rest); err != nil {
			return err
		}
		x.reduce(mem(argResult))
	}
	c.I(x86.VZEROUPPER())
	c.I(x86.RET())
	return nil
}

// row writes the loop over a row.
func (x *x86Kernel) row(p plan, whole operand.Mem, rest reg.Register) error {
	c := x.c
	for n := range x.k.invariants {
		if r, ok := p.files.pinned[value(n)]; ok && x.k.invariants[n].input >= 0 {
			x.invariant(n, r)
		}
	}
	c.I(x86.XORQ(x.at, x.at))
	c.I(x86.CMPQ(x.at, whole))
	c.I(x86.JGE(operand.LabelRef("tail")))
	c.Label("group")
	x.tail = false
	if err := x.k.emit(p, true); err != nil {
		return err
	}
	c.I(x86.ADDQ(operand.Imm(4*lane.Groups), x.at))
	c.I(x86.CMPQ(x.at, whole))
	c.I(x86.JLT(operand.LabelRef("group")))
	c.Label("tail")
	c.I(x86.TESTQ(rest, rest))
	c.I(x86.JE(operand.LabelRef("end")))
	x.tail = true
	if err := x.k.emit(p, true); err != nil {
		return err
	}
	c.Label("end")
	return nil
}

// masks prepares the masks of a tail of rest elements.
func (x *x86Kernel) masks(f x86Files, rest reg.Register) {
	c := x.c
	if x.isa == avx512 {
		m := c.GP64()
		c.I(x86.MOVQ(operand.U32(0xffff), m))
		c.I(x86.BZHIQ(rest, m, m))
		c.I(x86.KMOVW(m.As32(), tailMask))
		return
	}
	// The mask of m elements begins 8-m words into the table.
	base, eight := c.GP64(), c.GP64()
	c.I(x86.LEAQ(f.ones, base))
	c.I(x86.MOVQ(operand.U32(8), eight))
	low, high := c.GP64(), c.GP64()
	c.I(x86.MOVQ(rest, low))
	c.I(x86.CMPQ(rest, eight))
	c.I(x86.CMOVQGT(eight, low))
	c.I(x86.MOVQ(rest, high))
	c.I(x86.SUBQ(low, high))
	for n, m := range []reg.GPVirtual{low, high} {
		c.I(x86.NEGQ(m))
		c.I(x86.LEAQ(operand.Mem{Base: base, Index: m, Scale: 4, Disp: 32}, m))
		x.half[n] = m
	}
}

// start sets an accumulator to the reduction's first value.
func (x *x86Kernel) start(acc reg.Register) {
	if x.p.Reduce == lane.ReduceSum {
		x.c.I(x86.VXORPS(acc, acc, acc))
		return
	}
	t := x.c.GP32()
	x.c.I(x86.MOVL(operand.U32(math.Float32bits(x.p.Reduce.Start())), t))
	low := acc.(reg.VecPhysical).AsX()
	x.c.I(x86.VMOVD(t, low))
	x.c.I(x86.VBROADCASTSS(low, acc))
}

// reduce joins the accumulators and stores the result: j with j+8, j+4, j+2, j+1.
func (x *x86Kernel) reduce(to operand.Mem) {
	c, join := x.c, x.join()
	a := zmmOrYmm(x, x.accs[0])
	t := zmmOrYmm(x, 0) // programs are done with it
	ay, ty := a.AsY(), t.AsY()
	if x.isa == avx512 {
		c.I(x86.VEXTRACTF64X4(operand.Imm(1), a, ty))
		c.I(join(ay, ty, ay))
	} else {
		c.I(join(ay, x.v(x.accs[1]), ay))
	}
	ax, tx := a.AsX(), t.AsX()
	if x.isa == avx512 {
		c.I(x86.VEXTRACTF32X4(operand.Imm(1), ay, tx))
	} else {
		c.I(x86.VEXTRACTF128(operand.Imm(1), ay, tx))
	}
	c.I(join(ax, tx, ax))
	for _, lanes := range []uint64{0x0e, 0x01} {
		c.I(x86.VPERMILPS(operand.Imm(lanes), ax, tx))
		c.I(join(ax, tx, ax))
	}
	c.I(x86.VMOVSS(ax, to))
}

func zmmOrYmm(x *x86Kernel, n int) reg.VecPhysical { return x.v(n).(reg.VecPhysical) }
