package lane

import (
	"fmt"
	"sort"

	"github.com/flexnnc/flexnnc/ir/lane"
)

// invariant is a constant or a splat input: one value for all lanes.
type invariant struct {
	input int // -1 = constant
	bits  uint32
	uses  int
}

// backend appends the machine instructions of one ISA to a sequence. Vector k of
// a group holds its elements k*W .. k*W+W-1.
type backend interface {
	machine
	// op appends the instructions of i, whose operands are a, with a result in a
	// mask register if so wanted; want gives the value of a constant.
	op(s *sequence, i *lane.Inst, a []value, toMask bool, want func(bits uint32) value) value
	// pair says that what follows is the same for the next vector: asked for where pairs says so.
	load(s *sequence, input, vector int, pair bool) value
	store(s *sequence, v value, vector int, pair bool)
	pairs() bool
	// accumulate joins v into the accumulator of the vector.
	accumulate(s *sequence, v value, vector int)
	// constants lists the constants that op will want for i.
	constants(i *lane.Inst) []uint32
	// maskResult reports whether i's result can live in a mask register.
	maskResult(i *lane.Inst, operand func(lane.Reg) bool) bool
	// maskOperand reports whether operand k of i can be read from one.
	maskOperand(i *lane.Inst, k int) bool
}

// kernel is what the generation of one version shares.
type kernel struct {
	p          *lane.Program
	isa        isa
	back       backend
	live       []bool
	invariants []invariant // most used first
	index      map[invariant]int
	masks      []bool // results in mask registers
	files      files
}

// newKernel prepares p; reserved vector registers are the highest ones.
func newKernel(p *lane.Program, i isa, b backend, reserved int, masks []int) *kernel {
	k := &kernel{p: p, isa: i, back: b, live: live(p), index: map[invariant]int{}}
	for n := range p.Insts {
		if k.live[n] {
			k.count(&p.Insts[n])
		}
	}
	sort.SliceStable(k.invariants, func(a, b int) bool { return k.invariants[a].uses > k.invariants[b].uses })
	for n, v := range k.invariants {
		v.uses = 0
		k.index[v] = n
	}
	k.findMasks(masks != nil)
	for r := range i.registers() - reserved {
		k.files.free[vec] = append(k.files.free[vec], r)
	}
	k.files.free[mask] = masks
	return k
}

func (k *kernel) count(i *lane.Inst) {
	for _, c := range k.back.constants(i) {
		k.use(invariant{input: -1, bits: c})
	}
	for _, r := range i.Args() {
		if v, ok := k.invariantOf(r); ok {
			k.use(v)
		}
	}
	if n := &k.p.Insts[k.p.Result]; i == n {
		if v, ok := k.invariantOf(k.p.Result); ok {
			k.use(v)
		}
	}
}

func (k *kernel) use(v invariant) {
	n, ok := k.index[v]
	if !ok {
		n = len(k.invariants)
		k.index[v] = n
		k.invariants = append(k.invariants, v)
	}
	k.invariants[n].uses++
}

func (k *kernel) invariantOf(r lane.Reg) (invariant, bool) {
	switch i := &k.p.Insts[r]; {
	case i.Code == lane.Const:
		return invariant{input: -1, bits: i.Bits}, true
	case i.Code == lane.In && k.p.Inputs[i.Arg] == lane.Splat:
		return invariant{input: i.Arg}, true
	}
	return invariant{}, false
}

// findMasks decides which results live in mask registers: those that can, and
// that nobody reads otherwise.
func (k *kernel) findMasks(have bool) {
	k.masks = make([]bool, len(k.p.Insts))
	if !have {
		return
	}
	isMask := func(r lane.Reg) bool { return k.masks[r] }
	for n := range k.p.Insts {
		k.masks[n] = k.live[n] && lane.Reg(n) != k.p.Result && k.back.maskResult(&k.p.Insts[n], isMask)
	}
	for changed := true; changed; {
		changed = false
		drop := func(n int) {
			if k.masks[n] {
				k.masks[n], changed = false, true
			}
		}
		for n := range k.p.Insts {
			i := &k.p.Insts[n]
			if !k.live[n] {
				continue
			}
			if k.masks[n] && !k.back.maskResult(i, isMask) {
				drop(n)
			}
			for o, r := range i.Args() {
				if k.masks[r] && !k.masks[n] && !k.back.maskOperand(i, o) {
					drop(int(r))
				}
			}
		}
	}
}

// sequence lays out the program over the given vectors of a group, interleaved.
// Where whole is set results are reduced or stored as the program says, else they
// are stored only.
func (k *kernel) sequence(vectors []int, whole bool) *sequence {
	s := &sequence{invariants: len(k.invariants), class: make([]class, len(k.invariants))}
	const unset = -1
	at := make([][]value, len(k.p.Insts))
	for n := range at {
		at[n] = make([]value, len(vectors))
		for c := range at[n] {
			at[n][c] = unset
		}
	}
	want := func(bits uint32) value { return k.known(invariant{input: -1, bits: bits}) }
	read := func(r lane.Reg, c int) value {
		if v, ok := k.invariantOf(r); ok {
			return k.known(v)
		}
		if at[r][c] == unset { // an input, loaded at its first use
			pair := k.back.pairs() && c+1 < len(vectors) && at[r][c+1] == unset
			at[r][c] = k.back.load(s, k.p.Insts[r].Arg, vectors[c], pair)
			if pair {
				at[r][c+1] = k.back.load(s, k.p.Insts[r].Arg, vectors[c+1], false)
			}
		}
		return at[r][c]
	}
	for n := range k.p.Insts {
		i := &k.p.Insts[n]
		if !k.live[n] || i.Code == lane.In || i.Code == lane.Const {
			continue
		}
		for c := range vectors {
			var a []value
			for _, r := range i.Args() {
				a = append(a, read(r, c))
			}
			at[n][c] = k.lower(s, n, i, a, want)
		}
	}
	for c, vector := range vectors {
		v := read(k.p.Result, c)
		if whole && k.p.Reduce != lane.Store {
			k.back.accumulate(s, v, vector)
		}
		if stores(k.p) || !whole {
			k.back.store(s, v, vector, k.back.pairs() && c%2 == 0 && c+1 < len(vectors))
		}
	}
	return s
}

func (k *kernel) lower(s *sequence, n int, i *lane.Inst, a []value, want func(uint32) value) value {
	switch i.Code {
	case lane.Shl, lane.Shr, lane.Sar:
		if i.Arg == 0 {
			return a[0]
		}
	}
	mark := len(s.class)
	v := k.back.op(s, i, a, k.masks[n], want)
	if (s.class[v] == mask) != k.masks[n] && int(v) >= mark {
		panic(fmt.Sprintf("BUG: %s: result %d is of the wrong class", k.p.Name, n))
	}
	return v
}

func (k *kernel) known(v invariant) value {
	n, ok := k.index[v]
	if !ok {
		panic(fmt.Sprintf("BUG: %s: constant %#x was not counted", k.p.Name, v.bits))
	}
	return value(n)
}

// split cuts the vectors of a group into blocks of n that are interleaved.
func (k *kernel) split(n int) [][]int {
	var blocks [][]int
	for v := 0; v < k.isa.vectors(); v += n {
		var b []int
		for c := range n {
			b = append(b, v+c)
		}
		blocks = append(blocks, b)
	}
	return blocks
}

// trial is what the blocks of a group cost with the first pin invariants pinned.
func (k *kernel) trial(n, pin int, whole bool) (cost, error) {
	var total cost
	f := k.pin(pin)
	for _, b := range k.split(n) {
		c, err := k.sequence(b, whole).allocate(f, nil, false)
		if err != nil {
			return total, err
		}
		total = total.plus(c)
	}
	return total, nil
}

// pin takes the highest free vector registers for the first n invariants.
func (k *kernel) pin(n int) files {
	f := files{free: k.files.free, pinned: map[value]int{}}
	all := f.free[vec]
	for v := range n {
		f.pinned[value(v)] = all[len(all)-1-v]
	}
	f.free[vec] = all[:len(all)-n]
	return f
}

// plan is how a group is laid out.
type plan struct {
	interleave int
	files      files
}

// choose decides how many vectors to interleave, as many as need no spilling, and
// how many invariants to pin.
func (k *kernel) choose() (plan, error) {
	var best plan
	low := 0
	var failure error
	for n := k.isa.vectors(); n >= 1; n /= 2 {
		good, floor := false, never
		for pin := min(len(k.invariants), len(k.files.free[vec])-1); pin >= 0; pin-- {
			c, err := k.trial(n, pin, true)
			if err == nil && k.p.Reduce != lane.Store {
				_, err = k.trial(n, pin, false)
			}
			if err == errMasks {
				return plan{}, err
			}
			if err != nil {
				failure = err
				continue
			}
			w := c.weight()
			floor = min(floor, w)
			if best.interleave == 0 || w < low {
				best, low = plan{n, k.pin(pin)}, w
				good = c.spills == 0
			} else if w > floor+16 {
				break // it only gets worse
			}
		}
		if good {
			break
		}
	}
	if best.interleave == 0 {
		return best, fmt.Errorf("lane program %q: %w", k.p.Name, failure)
	}
	return best, nil
}

// emit lays a group out for real.
func (k *kernel) emit(p plan, whole bool) error {
	for _, b := range k.split(p.interleave) {
		if _, err := k.sequence(b, whole).allocate(p.files, k.back, true); err != nil {
			return fmt.Errorf("lane program %q: %w", k.p.Name, err)
		}
	}
	return nil
}
