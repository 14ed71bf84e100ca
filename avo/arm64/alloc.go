package arm64

import (
	"errors"
	"fmt"
	"math/bits"
	"slices"

	"github.com/mmcloughlin/avo/ir"
	"github.com/mmcloughlin/avo/reg"
)

// Pressure is the largest number of registers alive after one instruction.
type Pressure struct{ GP, Vec int }

func pressure(fn *ir.Function) (p Pressure) {
	for _, i := range fn.Instructions() {
		n := map[reg.Kind]int{}
		for id := range i.LiveOut {
			n[id.Kind()]++
		}
		p.GP, p.Vec = max(p.GP, n[kindGP]), max(p.Vec, n[kindVec])
	}
	return p
}

// checkReadBeforeWrite reports an instruction that may read a register, or the
// flags, which no instruction before it wrote. Avo's liveness pass does not.
func (c *Context) checkReadBeforeWrite(fn *ir.Function) error {
	is := fn.Instructions()
	if len(is) == 0 {
		return fmt.Errorf("arm64: %s: empty function", fn.Name)
	}
	entry := is[0].LiveIn
	if len(entry) == 0 {
		return nil
	}
	for _, i := range is {
		for _, r := range i.InputRegisters() {
			if entry[r.ID()] != 0 {
				return fmt.Errorf("arm64: %s (%s): %s reads %s before it is written (%d such registers)",
					fn.Name, c.inst[i].pos, i.Opcode, name(r), len(entry))
			}
		}
	}
	return fmt.Errorf("BUG: %s: live registers at entry but no reader", fn.Name)
}

func name(r reg.Register) string {
	if r.ID().IsPhysical() {
		return r.Asm()
	}
	return fmt.Sprintf("%s %d", map[reg.Kind]string{kindGP: "general register", kindVec: "vector register"}[r.Kind()], r.ID().Index())
}

// checkEnd reports control falling off the end of the function.
func (c *Context) checkEnd(fn *ir.Function) error {
	is := fn.Instructions()
	if len(is) == 0 {
		return fmt.Errorf("arm64: %s: empty function", fn.Name)
	}
	if last := is[len(is)-1]; !last.IsTerminal && !last.IsUnconditionalBranch() {
		return fmt.Errorf("arm64: %s (%s): control reaches the end of the function", fn.Name, c.inst[last].pos)
	}
	return nil
}

// allocate colours each register file; avo's own pass knows only x86 families
// and never backtracks.
func (c *Context) allocate(fn *ir.Function) error {
	fn.Allocation = reg.NewEmptyAllocation()
	for _, k := range []reg.Kind{kindGP, kindVec} {
		if err := c.allocateKind(fn, k); err != nil {
			p := pressure(fn)
			return fmt.Errorf("arm64: %s: %w; at most %d of %d general and %d of %d vector registers are alive at once",
				fn.Name, err, p.GP, len(allocatable[kindGP]), p.Vec, len(allocatable[kindVec]))
		}
	}
	return nil
}

func (c *Context) allocateKind(fn *ir.Function, k reg.Kind) error {
	var class uint32
	for _, n := range allocatable[k] {
		class |= 1 << n
	}
	regs := gpRegs[:]
	if k == kindVec {
		regs = vecRegs[:]
	}
	number := map[reg.ID]int{}
	for n, r := range regs {
		number[r.ID()] = n
	}
	// Nodes in order of first use.
	g, node := &graph{}, map[reg.ID]int{}
	var ids []reg.ID
	for _, i := range fn.Instructions() {
		for _, r := range i.Registers() {
			switch {
			case r.Kind() != k:
			case r.ID().IsVirtual():
				if _, ok := node[r.ID()]; !ok {
					node[r.ID()] = len(ids)
					ids = append(ids, r.ID())
					allow := class
					if c.low[r.ID()] {
						allow &= 0xffff
					}
					g.allow = append(g.allow, allow)
				}
			default:
				n, ok := number[r.ID()]
				if !ok || class>>n&1 == 0 {
					return fmt.Errorf("%s is not a register kernels may use (%s)", r.Asm(), c.inst[i].pos)
				}
			}
		}
	}
	g.adj = make([][]int, len(ids))
	edge := func(x, y reg.ID) {
		switch {
		case x == y:
		case x.IsVirtual() && y.IsVirtual():
			a, b := node[x], node[y]
			g.adj[a], g.adj[b] = append(g.adj[a], b), append(g.adj[b], a)
		case x.IsVirtual():
			g.allow[node[x]] &^= 1 << number[y]
		case y.IsVirtual():
			g.allow[node[y]] &^= 1 << number[x]
		}
	}
	for _, i := range fn.Instructions() {
		outs := ofKind(i.OutputRegisters(), k)
		for n, d := range outs {
			for id := range i.LiveOut {
				if id.Kind() == k {
					edge(d.ID(), id)
				}
			}
			// Two results never share a register, even when one is dead.
			for _, e := range outs[:n] {
				edge(d.ID(), e.ID())
			}
		}
		if err := c.list(g, i, k, node, number); err != nil {
			return err
		}
	}
	g.same = forced(fn, k, bits.OnesCount32(class), node)
	for n := range g.adj {
		slices.Sort(g.adj[n])
		g.adj[n] = slices.Compact(g.adj[n])
	}
	if p := pressure(fn); k == kindGP && p.GP > bits.OnesCount32(class) || k == kindVec && p.Vec > bits.OnesCount32(class) {
		return errors.New("too many registers alive")
	}
	colors, _, err := g.color()
	if err != nil {
		return err
	}
	for n, id := range ids {
		fn.Allocation[id] = regs[colors[n]].ID()
	}
	return nil
}

// forced finds pairs that must share a register: where the whole file is alive
// before and after an instruction and one value takes the place of another, that
// one frees the only register left. Colouring tight loops without this is a
// search in the dark.
func forced(fn *ir.Function, k reg.Kind, size int, node map[reg.ID]int) (pairs [][2]int) {
	for _, i := range fn.Instructions() {
		in, out := i.LiveIn.OfKind(k), i.LiveOut.OfKind(k)
		if len(in) != size || len(out) != size {
			continue
		}
		dead, born := in.Difference(out), out.Difference(in)
		if len(dead) != 1 || len(born) != 1 {
			continue
		}
		for d := range dead {
			for b := range born {
				if d.IsVirtual() && b.IsVirtual() {
					pairs = append(pairs, [2]int{node[d], node[b]})
				}
			}
		}
	}
	return pairs
}

// list records the register list of i, if it has one of kind k.
func (c *Context) list(g *graph, i *ir.Instruction, k reg.Kind, node, number map[reg.ID]int) error {
	in := c.inst[i]
	if in.form == nil || len(in.form.List) == 0 || k != kindVec {
		return nil
	}
	var virtual []int
	fixed := -1 // number the first of the list must have
	for n, x := range in.form.List {
		id := in.regs[x].ID()
		if id.IsPhysical() {
			fixed = (number[id] - n) & 31
			continue
		}
		virtual = append(virtual, node[id])
	}
	if fixed < 0 {
		g.lists = append(g.lists, virtual)
		return nil
	}
	// A list with a fixed member fixes the others; Encode checks the rest.
	for n, x := range in.form.List {
		if id := in.regs[x].ID(); id.IsVirtual() {
			g.allow[node[id]] &= 1 << ((fixed + n) & 31)
		}
	}
	return nil
}

func ofKind(rs []reg.Register, k reg.Kind) (out []reg.Register) {
	for _, r := range rs {
		if r.Kind() == k {
			out = append(out, r)
		}
	}
	return out
}

// verifyAllocation checks the result of allocate against liveness, so that a
// fault of the allocator cannot reach a kernel.
func (c *Context) verifyAllocation(fn *ir.Function) error {
	at := func(id reg.ID) reg.ID { return fn.Allocation.LookupDefault(id) }
	for _, i := range fn.Instructions() {
		for _, d := range i.OutputRegisters() {
			for id := range i.LiveOut {
				if id != d.ID() && at(id) == at(d.ID()) {
					return fmt.Errorf("BUG: %s: %s overwrites a live register", fn.Name, i.Opcode)
				}
			}
		}
	}
	return nil
}
