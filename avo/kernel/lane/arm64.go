package lane

import (
	"fmt"
	"math"

	"github.com/flexnnc/flexnnc/avo/arm64"
	"github.com/flexnnc/flexnnc/ir/lane"
)

// neonKernel emits the NEON version of a program. A tail goes through
// mapArgs.room: its inputs are copied there, the group is worked on as a whole,
// and as many results as there are elements are copied out.
type neonKernel struct {
	c     *arm64.Context
	p     *lane.Program
	k     *kernel
	accs  []arm64.Vec
	join  int // vector register for the mask of a maximum
	args  arm64.GP
	in    []arm64.GP // current group of each input
	splat []arm64.GP
	out   arm64.GP
	table arm64.GP // constants that are not pinned
	where map[int]int
	once  []bool  // inputs that each group loads once: their pointers walk
	first halfway // of a pair of loads or stores, the one that waits for the other
}

// halfway is a load or store that becomes one instruction with the next one, unless
// the allocator puts something between them.
type halfway struct {
	store bool
	emit  func()
	reg   int
}

const neonBytes = 16

func neonVersion(c *arm64.Context, p *lane.Program) error {
	g := &neonKernel{c: c, p: p}
	reserved := 0
	take := func() int {
		reserved++
		return neon.registers() - reserved
	}
	if p.Reduce != lane.Store {
		for range neon.vectors() {
			g.accs = append(g.accs, arm64.V(take()))
		}
		g.join = take()
	}
	g.k = newKernel(p, neon, g, reserved, nil)
	g.findOnce()
	pl, err := g.k.choose()
	if err != nil {
		return err
	}
	name := Name(p) + neon.String()
	c.Function(name, "func(a *mapArgs)", fmt.Sprintf("%s runs lane program %q.", name, p.Name))
	return g.function(name, pl)
}

func (g *neonKernel) constants(i *lane.Inst) []uint32                     { return nil }
func (g *neonKernel) maskResult(i *lane.Inst, _ func(lane.Reg) bool) bool { return false }
func (g *neonKernel) maskOperand(i *lane.Inst, k int) bool                { return false }
func (g *neonKernel) pairs() bool                                         { return true }

func (g *neonKernel) move(_ class, d, s int) {
	g.flush()
	g.c.VMOV(arm64.V(s), arm64.V(d))
}

func (g *neonKernel) spill(slot, s int) {
	g.flush()
	g.c.STRQ(arm64.V(s), spillAt+slot*slotBytes, g.args)
}

func (g *neonKernel) reload(slot, d int) {
	g.flush()
	g.c.LDRQ(spillAt+slot*slotBytes, g.args, arm64.V(d))
}

func (g *neonKernel) invariant(k, d int) {
	g.flush()
	if v := g.k.invariants[k]; v.input >= 0 {
		g.c.LD1R_4S(g.splat[v.input], arm64.V(d))
		return
	}
	g.c.LDRQ(neonBytes*g.where[k], g.table, arm64.V(d))
}

type neonThree func(c *arm64.Context, m, n, d arm64.Vec)

// neonBinary are the operations that take B, A and the destination.
var neonBinary = map[lane.Code]neonThree{
	lane.Add: (*arm64.Context).FADD, lane.Sub: (*arm64.Context).FSUB, lane.Mul: (*arm64.Context).FMUL,
	lane.Div: (*arm64.Context).FDIV, lane.And: (*arm64.Context).AND_16B, lane.Or: (*arm64.Context).ORR_16B,
	lane.Xor: (*arm64.Context).EOR_16B, lane.AndNot: (*arm64.Context).BIC_16B,
	lane.IAdd: (*arm64.Context).ADD_4S, lane.ISub: (*arm64.Context).SUB_4S, lane.Eq: (*arm64.Context).FCMEQ,
}

type neonTwo func(c *arm64.Context, n, d arm64.Vec)

var neonUnary = map[lane.Code]neonTwo{
	lane.Neg: (*arm64.Context).FNEG, lane.Abs: (*arm64.Context).FABS, lane.Sqrt: (*arm64.Context).FSQRT,
	lane.Floor: (*arm64.Context).FRINTM, lane.Ceil: (*arm64.Context).FRINTP, lane.Round: (*arm64.Context).FRINTN,
	lane.Trunc: (*arm64.Context).FRINTZ, lane.ToInt: (*arm64.Context).FCVTZS, lane.FromInt: (*arm64.Context).SCVTF,
}

var neonShift = map[lane.Code]func(c *arm64.Context, shift int, n, d arm64.Vec){
	lane.Shl: (*arm64.Context).SHL_4S, lane.Shr: (*arm64.Context).USHR_4S, lane.Sar: (*arm64.Context).SSHR_4S,
}

func (g *neonKernel) op(s *sequence, i *lane.Inst, a []value, _ bool, _ func(uint32) value) value {
	code, shift := i.Code, i.Arg
	if f, ok := neonUnary[code]; ok {
		return s.add(vec, 0, func(d int, r []int, _ int) { f(g.c, arm64.V(r[0]), arm64.V(d)) }, a...)
	}
	switch code {
	case lane.FMA, lane.FNMA:
		return s.add(vec, 4, func(d int, r []int, _ int) {
			if code == lane.FMA {
				g.c.FMLA(arm64.V(r[1]), arm64.V(r[0]), arm64.V(d))
			} else {
				g.c.FMLS(arm64.V(r[1]), arm64.V(r[0]), arm64.V(d))
			}
		}, a...)
	case lane.Lt: // B > A
		return g.binary(s, (*arm64.Context).FCMGT, a[1], a[0])
	case lane.Le:
		return g.binary(s, (*arm64.Context).FCMGE, a[1], a[0])
	case lane.Max:
		return g.sel(s, g.binary(s, (*arm64.Context).FCMGT, a[0], a[1]), a[0], a[1])
	case lane.Min:
		return g.sel(s, g.binary(s, (*arm64.Context).FCMGT, a[1], a[0]), a[0], a[1])
	case lane.Sel:
		return g.sel(s, a[0], a[1], a[2])
	case lane.Shl, lane.Shr, lane.Sar:
		return s.add(vec, 0, func(d int, r []int, _ int) { neonShift[code](g.c, shift, arm64.V(r[0]), arm64.V(d)) }, a...)
	}
	return g.binary(s, neonBinary[code], a[0], a[1])
}

func (g *neonKernel) binary(s *sequence, f neonThree, a, b value) value {
	return s.add(vec, 0, func(d int, r []int, _ int) { f(g.c, arm64.V(r[1]), arm64.V(r[0]), arm64.V(d)) }, a, b)
}

// sel is m ? x : y; the destination may be any of them.
func (g *neonKernel) sel(s *sequence, m, x, y value) value {
	return s.add(vec, 7, func(d int, r []int, tied int) {
		m, x, y := arm64.V(r0(r, 0)), arm64.V(r0(r, 1)), arm64.V(r0(r, 2))
		switch tied {
		case 0:
			g.c.BSL(y, x, arm64.V(d))
		case 1:
			g.c.BIF(m, y, arm64.V(d))
		default:
			g.c.BIT(m, x, arm64.V(d))
		}
	}, m, x, y)
}

// r0 is register k, or any where the source has none of its own.
func r0(r []int, k int) int { return max(r[k], 0) }

func (g *neonKernel) load(s *sequence, input, vector int, pair bool) value {
	return s.add(vec, 0, func(d int, _ []int, _ int) {
		in, off := g.in[input], neonBytes*vector
		g.half(false, pair, d, func() {
			if g.once[input] {
				g.c.LDRQPost(neonBytes, in, arm64.V(d))
			} else {
				g.c.LDRQ(off, in, arm64.V(d))
			}
		}, func(first int) {
			if g.once[input] {
				g.c.LDPQPost(2*neonBytes, in, arm64.V(first), arm64.V(d))
			} else {
				g.c.LDPQ(off-neonBytes, in, arm64.V(first), arm64.V(d))
			}
		})
	})
}

func (g *neonKernel) store(s *sequence, v value, vector int, pair bool) {
	s.effect(func(r []int) {
		g.half(true, pair, r[0], func() { g.c.STRQPost(arm64.V(r[0]), neonBytes, g.out) },
			func(first int) { g.c.STPQPost(arm64.V(first), arm64.V(r[0]), 2*neonBytes, g.out) })
	}, v)
}

// half emits a load or store of a register: alone or, where another has been waiting for
// it, both. With pair it waits itself.
func (g *neonKernel) half(store, pair bool, reg int, alone func(), both func(first int)) {
	if f := g.first; f.emit != nil && f.store == store && !pair {
		g.first = halfway{}
		both(f.reg)
		return
	}
	g.flush()
	if pair {
		g.first = halfway{store, alone, reg}
		return
	}
	alone()
}

// flush emits what waits.
func (g *neonKernel) flush() {
	if f := g.first; f.emit != nil {
		g.first = halfway{}
		f.emit()
	}
}

// findOnce fills once.
func (g *neonKernel) findOnce() {
	g.once = make([]bool, len(g.p.Inputs))
	loads := make([]int, len(g.p.Inputs))
	for n := range g.p.Insts {
		if i := &g.p.Insts[n]; i.Code == lane.In && g.k.live[n] {
			loads[i.Arg]++
		}
	}
	for k, n := range loads {
		g.once[k] = n == 1
	}
}

func (g *neonKernel) accumulate(s *sequence, v value, vector int) {
	s.effect(func(r []int) {
		g.flush()
		g.joinTo(g.accs[vector], arm64.V(r[0]))
	}, v)
}

// joinTo joins v into an accumulator.
func (g *neonKernel) joinTo(acc, v arm64.Vec) {
	m := arm64.V(g.join)
	switch g.p.Reduce {
	case lane.ReduceMax:
		g.c.FCMGT(acc, v, m)
		g.c.BIT(m, v, acc)
	case lane.ReduceMin:
		g.c.FCMGT(v, acc, m)
		g.c.BIT(m, v, acc)
	default:
		g.c.FADD(acc, v, acc)
	}
}

// function writes the loops over rows and groups.
func (g *neonKernel) function(name string, p plan) error {
	c := g.c
	g.args = c.Load("a")
	g.constantsTo(name, p)
	uses := used(g.p)
	g.in = make([]arm64.GP, len(uses))
	g.splat = make([]arm64.GP, len(uses))
	for k, u := range uses {
		if u && g.p.Inputs[k] == lane.Splat {
			g.splat[k] = c.GP()
		} else if u {
			g.in[k] = c.GP()
		}
	}
	g.out = c.GP()
	n, rows, row := c.GP(), c.GP(), c.GP()
	c.LDRX(argN, g.args, n)
	for _, a := range g.accs {
		c.DUPImm32(math.Float32bits(g.p.Reduce.Start()), a)
	}
	c.MOVImm(0, row)
	byRow := g.p.Reduce == lane.Store
	if byRow {
		c.LDRX(argRows, g.args, rows)
		c.CMPI(0, rows)
		c.BLE("done")
	}
	c.Label("row")
	g.pointers(row)
	for v := range g.k.invariants {
		if r, ok := p.files.pinned[value(v)]; ok && g.k.invariants[v].input >= 0 {
			g.invariant(v, r)
		}
	}
	left := c.GP()
	c.MOV(n, left)
	c.SUBSI(lane.Groups, left, left)
	c.BLT("rest")
	c.Label("group")
	if err := g.k.emit(p, true); err != nil {
		return err
	}
	g.advance()
	c.SUBSI(lane.Groups, left, left)
	c.BGE("group")
	c.Label("rest")
	c.ADDI(lane.Groups, left, left)
	c.CBZ(left, "end")
	if err := g.tail(p, left); err != nil {
		return err
	}
	c.Label("end")
	if byRow {
		c.ADDI(1, row, row)
		c.CMP(rows, row)
		c.BLT("row")
		c.Label("done")
	} else {
		g.reduce()
	}
	c.RET()
	return nil
}

// constantsTo pins constants, and defines a table of the others.
func (g *neonKernel) constantsTo(name string, p plan) {
	var words []uint32
	g.where = map[int]int{}
	for n, v := range g.k.invariants {
		if v.input >= 0 {
			continue
		}
		if r, ok := p.files.pinned[value(n)]; ok {
			g.c.DUPImm32(v.bits, arm64.V(r))
			continue
		}
		g.where[n] = len(words) / 4
		words = append(words, v.bits, v.bits, v.bits, v.bits)
	}
	if len(words) > 0 {
		g.table = g.c.GP()
		g.c.Addr(g.c.Data(name+"Const", words...), g.table)
	}
}

// pointers sets the pointers to the start of a row.
func (g *neonKernel) pointers(row arm64.GP) {
	set := func(p arm64.GP, base, step int) {
		t := g.c.GP()
		g.c.LDRX(base, g.args, p)
		if g.p.Reduce == lane.Store {
			g.c.LDRX(step, g.args, t)
			g.c.MADD(t, p, row, p)
		}
	}
	for k, u := range used(g.p) {
		if u && g.p.Inputs[k] == lane.Splat {
			set(g.splat[k], argIn+8*k, argInStep+8*k)
		} else if u {
			set(g.in[k], argIn+8*k, argInStep+8*k)
		}
	}
	if stores(g.p) {
		set(g.out, argOut, argOutStep)
	}
}

func (g *neonKernel) vectorInputs() []int {
	var ks []int
	for k, u := range used(g.p) {
		if u && g.p.Inputs[k] == lane.Vector {
			ks = append(ks, k)
		}
	}
	return ks
}

func (g *neonKernel) advance() {
	for _, k := range g.vectorInputs() {
		if !g.once[k] {
			g.c.ADDI(4*lane.Groups, g.in[k], g.in[k])
		}
	}
}

// tail works on the last left elements of a row.
func (g *neonKernel) tail(p plan, left arm64.GP) error {
	c := g.c
	t := arm64.V(0) // free between groups
	for _, k := range g.vectorInputs() {
		to := c.GP()
		c.ADDI(argRoom+k*stageBytes, g.args, to)
		g.copy(g.in[k], to, left, t, fmt.Sprintf("in%d", k))
		c.ADDI(argRoom+k*stageBytes, g.args, g.in[k])
	}
	stage := argRoom + lane.MaxInputs*stageBytes
	out := c.GP()
	if stores(g.p) {
		c.MOV(g.out, out)
	}
	c.ADDI(stage, g.args, g.out)
	if err := g.k.emit(p, false); err != nil {
		return err
	}
	if stores(g.p) {
		from := c.GP()
		c.ADDI(stage, g.args, from)
		g.copy(from, out, left, t, "out")
	}
	if g.p.Reduce == lane.Store {
		return nil
	}
	// Beyond the elements put what leaves an accumulator alone.
	end, w, k := c.GP(), c.GP(), c.GP()
	c.ADDI(stage, g.args, end)
	c.LSLI(2, left, k)
	c.ADD(k, end, end)
	c.MOVImm(uint64(neutral(g.p.Reduce)), w)
	c.MOVImm(lane.Groups, k)
	c.SUB(left, k, k)
	c.Label("neutral")
	c.STRWPost(w, 4, end)
	c.SUBSI(1, k, k)
	c.BNE("neutral")
	for v, acc := range g.accs {
		c.LDRQ(stage+neonBytes*v, g.args, t)
		g.joinTo(acc, t)
	}
	return nil
}

// neutral is the value that a reduction does not notice: -0 for a sum.
func neutral(r lane.Reduction) uint32 {
	if r == lane.ReduceSum {
		return signMask
	}
	return math.Float32bits(r.Start())
}

// copy moves 1 to 15 floats.
func (g *neonKernel) copy(from, to, n arm64.GP, t arm64.Vec, label string) {
	c := g.c
	k, w := c.GP(), c.GP()
	c.SUBSI(4, n, k)
	c.BLT(label + "words")
	c.Label(label + "fours")
	c.LDRQPost(neonBytes, from, t)
	c.STRQPost(t, neonBytes, to)
	c.SUBSI(4, k, k)
	c.BGE(label + "fours")
	c.Label(label + "words")
	c.ADDI(4, k, k)
	c.CBZ(k, label+"done")
	c.Label(label + "word")
	c.LDRWPost(4, from, w)
	c.STRWPost(w, 4, to)
	c.SUBSI(1, k, k)
	c.BNE(label + "word")
	c.Label(label + "done")
}

// reduce joins the accumulators and stores the result: j with j+8, j+4, j+2, j+1.
func (g *neonKernel) reduce() {
	c := g.c
	a, t := g.accs, arm64.V(0)
	g.joinTo(a[0], a[2])
	g.joinTo(a[1], a[3])
	g.joinTo(a[0], a[1])
	for _, bytes := range []int{8, 4} {
		c.EXT(bytes, a[0], a[0], t)
		g.joinTo(a[0], t)
	}
	c.STRS(a[0], argResult, g.args)
}
