package lane

import "fmt"

// value is a result in a sequence, before it has a register.
type value int

// class is a kind of register.
type class int

const (
	vec class = iota
	mask
	classes
)

// instr is one machine instruction, or a few that act as one, of a sequence.
type instr struct {
	dst  value // -1 = none
	srcs []value
	// ties are the sources, as bits, one of which must be in the register of
	// dst; 0 leaves dst free.
	ties uint
	// early says that dst is written before all sources have been read.
	early bool
	// emit is called with the registers of dst and srcs and the source tied; that
	// one is in d, whatever s says.
	emit func(d int, s []int, tied int)
}

// sequence is straight-line code over values. The first values are invariants:
// they can be loaded anywhere, at no cost but the load.
type sequence struct {
	invariants int
	class      []class
	instrs     []instr
}

func (s *sequence) value(c class) value {
	s.class = append(s.class, c)
	return value(len(s.class) - 1)
}

// add appends an instruction with a new result.
func (s *sequence) add(c class, ties uint, emit func(d int, s []int, tied int), srcs ...value) value {
	d := s.value(c)
	s.instrs = append(s.instrs, instr{dst: d, srcs: srcs, ties: ties, emit: emit})
	return d
}

// effect appends an instruction without a result.
func (s *sequence) effect(emit func(s []int), srcs ...value) {
	s.instrs = append(s.instrs, instr{dst: -1, srcs: srcs, emit: func(_ int, s []int, _ int) { emit(s) }})
}

// machine emits what the allocator adds.
type machine interface {
	move(c class, d, s int)
	invariant(k, d int) // load invariant k
	spill(slot, s int)  // vectors only
	reload(slot, d int)
}

// files says which registers a sequence may use: free ones, and those where
// invariants are kept throughout.
type files struct {
	free   [classes][]int
	pinned map[value]int
}

// cost is what an allocation added.
type cost struct{ moves, loads, spills int }

func (c cost) weight() int { return c.moves + 2*c.loads + 6*c.spills }

func (c cost) plus(d cost) cost {
	return cost{c.moves + d.moves, c.loads + d.loads, c.spills + d.spills}
}

// none is a machine for trial allocations.
type none struct{}

func (none) move(class, int, int) {}
func (none) invariant(int, int)   {}
func (none) spill(int, int)       {}
func (none) reload(int, int)      {}

const never = 1 << 30

// sweep is the state of an allocation.
type sweep struct {
	*sequence
	m      machine
	files  files
	uses   [][]int // per value: instructions that read it, those done removed
	at     []int   // register, -1 = none
	slot   []int   // spill slot, -1 = none
	held   [classes]map[int]value
	spare  []int // slots that nothing is in
	slots  int   // slots in use so far
	locked map[value]bool
	cost   cost
}

// allocate assigns registers in one sweep and emits the sequence on m; with emit
// false it only counts.
func (s *sequence) allocate(f files, m machine, emit bool) (cost, error) {
	w := &sweep{sequence: s, m: m, files: f, locked: map[value]bool{}}
	if !emit {
		w.m = none{}
	}
	w.uses = make([][]int, len(s.class))
	w.at = make([]int, len(s.class))
	w.slot = make([]int, len(s.class))
	for v := range w.at {
		w.at[v], w.slot[v] = -1, -1
	}
	for v, r := range f.pinned {
		w.at[v] = r
	}
	for c := range w.held {
		w.held[c] = map[int]value{}
	}
	for k, i := range s.instrs {
		for _, v := range i.srcs {
			if u := w.uses[v]; len(u) == 0 || u[len(u)-1] != k {
				w.uses[v] = append(w.uses[v], k)
			}
		}
	}
	for k := range s.instrs {
		if err := w.step(&s.instrs[k], emit); err != nil {
			return w.cost, err
		}
	}
	return w.cost, nil
}

func (w *sweep) isPinned(v value) bool {
	_, ok := w.files.pinned[v]
	return ok
}

func (w *sweep) isInvariant(v value) bool { return int(v) < w.invariants }

// next is the next instruction that reads v.
func (w *sweep) next(v value) int {
	if len(w.uses[v]) == 0 {
		return never
	}
	return w.uses[v][0]
}

func (w *sweep) release(v value) {
	if r := w.at[v]; r >= 0 && !w.isPinned(v) {
		delete(w.held[w.class[v]], r)
		w.at[v] = -1
	}
}

// take finds a register of class c, making one free where needed.
func (w *sweep) take(c class) (int, error) {
	for _, r := range w.files.free[c] {
		if _, busy := w.held[c][r]; !busy {
			return r, nil
		}
	}
	victim, best := value(-1), -1
	for _, r := range w.files.free[c] { // in order: maps have none
		v := w.held[c][r]
		if w.locked[v] {
			continue
		}
		far := w.next(v)
		if w.isInvariant(v) || w.slot[v] >= 0 {
			far += never // nothing to store
		}
		if far > best {
			victim, best = v, far
		}
	}
	if victim < 0 {
		return 0, fmt.Errorf("one instruction needs more than %d registers", len(w.files.free[c]))
	}
	if !w.isInvariant(victim) && w.slot[victim] < 0 {
		if c != vec {
			return 0, errMasks
		}
		if len(w.spare) > 0 {
			w.slot[victim] = w.spare[len(w.spare)-1]
			w.spare = w.spare[:len(w.spare)-1]
		} else if w.slots < slots {
			w.slot[victim] = w.slots
			w.slots++
		} else {
			return 0, fmt.Errorf("more than %d values to spill", slots)
		}
		w.m.spill(w.slot[victim], w.at[victim])
		w.cost.spills++
	}
	r := w.at[victim]
	w.release(victim)
	return r, nil
}

// errMasks says that mask registers ran out.
var errMasks = fmt.Errorf("too many masks at a time")

func (w *sweep) hold(v value, r int) {
	w.at[v] = r
	w.held[w.class[v]][r] = v
}

// fetch brings v, which is in no register, to r.
func (w *sweep) fetch(v value, r int) {
	if w.isInvariant(v) {
		w.m.invariant(int(v), r)
		w.cost.loads++
		return
	}
	w.m.reload(w.slot[v], r)
	w.cost.spills++
}

func (w *sweep) step(i *instr, emit bool) error {
	clear(w.locked)
	for _, v := range i.srcs {
		w.locked[v] = true
	}
	for _, v := range i.srcs { // this use is done
		if u := w.uses[v]; len(u) > 0 && &w.instrs[u[0]] == i {
			w.uses[v] = u[1:]
		}
	}
	tied, fresh := -1, false
	if i.ties != 0 {
		tied, fresh = w.chooseTie(i)
	}
	for k, v := range i.srcs {
		if w.at[v] >= 0 || fresh && v == i.srcs[tied] && k == tied && count(i.srcs, v) == 1 {
			continue
		}
		r, err := w.take(w.class[v])
		if err != nil {
			return err
		}
		w.fetch(v, r)
		w.hold(v, r)
	}
	regs := make([]int, len(i.srcs))
	for k, v := range i.srcs {
		regs[k] = w.at[v]
	}
	d := -1
	var err error
	switch {
	case i.dst < 0:
	case tied >= 0:
		v := i.srcs[tied]
		if w.at[v] >= 0 && !w.isPinned(v) && w.next(v) == never {
			d = w.at[v]
			w.release(v)
			break
		}
		if d, err = w.take(w.class[i.dst]); err != nil {
			return err
		}
		if w.at[v] < 0 {
			w.fetch(v, d)
		} else {
			w.m.move(w.class[v], d, w.at[v])
			w.cost.moves++
		}
	default:
		if !i.early {
			w.finish(i)
		}
		if d, err = w.take(w.class[i.dst]); err != nil {
			return err
		}
	}
	if i.dst >= 0 {
		w.hold(i.dst, d)
	}
	if emit {
		i.emit(d, regs, tied)
	}
	w.finish(i)
	if i.dst >= 0 && w.next(i.dst) == never {
		w.release(i.dst)
	}
	return nil
}

// finish frees the sources that nothing reads any more.
func (w *sweep) finish(i *instr) {
	for _, v := range i.srcs {
		if w.next(v) != never {
			continue
		}
		w.release(v)
		if n := w.slot[v]; n >= 0 {
			w.spare, w.slot[v] = append(w.spare, n), -1
		}
	}
}

// chooseTie picks the source that dst overwrites: best one that dies here, then
// one that has to be loaded anyway (fresh).
func (w *sweep) chooseTie(i *instr) (tied int, fresh bool) {
	tied = -1
	for k, v := range i.srcs {
		if i.ties>>k&1 == 0 {
			continue
		}
		if w.at[v] >= 0 && !w.isPinned(v) && w.next(v) == never {
			return k, false
		}
		if w.at[v] < 0 && !fresh && (w.next(v) == never || w.isInvariant(v)) && count(i.srcs, v) == 1 {
			tied, fresh = k, true
		}
		if tied < 0 {
			tied = k
		}
	}
	return tied, fresh
}

func count(vs []value, v value) int {
	n := 0
	for _, u := range vs {
		if u == v {
			n++
		}
	}
	return n
}
