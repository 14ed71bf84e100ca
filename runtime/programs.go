package runtime

import (
	"fmt"
	"strings"
	"unsafe"
)

// program is one plan of the package, for one shape of its inputs and one budget.
// Sizes and offsets are in bytes.
type program struct {
	arenaBytes   int
	scratch      int // arena offset of per-thread scratch
	scratchBytes int // per thread
	zeros        int // arena offset of the zeros that padding reads
	zerosBytes   int
	steps        []step
	resident     []load // stay in the arena between runs; in the order of the file
	loads        []load // made in each run, in this order
}

// network is everything that the engine needs to know about the emitted package.
type network struct {
	file       weightsFile
	maxThreads int
	inputs     int        // of the user's arrays
	ports      int        // all of them, inputs first
	slices     int        // the most that a function of the user's is given
	budgets    []int      // in bytes, largest first
	programs   []*program // that of shape s within budget b is at s*len(budgets) + b
}

// program is the one for a shape and a budget.
func (n *network) program(shape, budget int) *program {
	return n.programs[shape*len(n.budgets)+budget]
}

// arenaBytes is what the programs of a budget take, whatever the shape.
func (n *network) arenaBytes(budget int) int {
	size := 0
	for s := range len(n.programs) / len(n.budgets) {
		size = max(size, n.program(s, budget).arenaBytes)
	}
	return size
}

// needsLoader reports whether any run loads weights: in every run, or in one
// that follows a change of plans.
func (n *network) needsLoader() bool {
	for _, p := range n.programs {
		if len(p.loads) > 0 {
			return true
		}
	}
	return len(n.programs) > 1
}

// fitting is the largest of the budgets that bytes hold.
func (n *network) fitting(bytes int) (int, error) {
	for i, b := range n.budgets {
		if b <= bytes {
			return i, nil
		}
	}
	var list strings.Builder
	for i, b := range n.budgets {
		if i > 0 {
			list.WriteString(", ")
		}
		fmt.Fprint(&list, b)
	}
	return 0, fmt.Errorf("%d bytes are less than the smallest budget that this package was compiled for (%s)", bytes, &list)
}

// setBudget asks for the largest budget that bytes hold. Where no run is under
// way it is adopted at once, else by the end of that run.
func (e *engine) setBudget(bytes int) error {
	i, err := e.net.fitting(bytes)
	if err != nil {
		return fmt.Errorf("SetBudget: %w", err)
	}
	if e.closing.Load() {
		return ErrClosed
	}
	e.asked.Store(int32(i))
	if !e.owner.TryLock() {
		return nil // whoever owns the arena sees to it
	}
	if e.arena == nil {
		e.owner.Unlock()
		return ErrClosed
	}
	e.resize()
	err, e.refused = e.refused, nil
	e.disown()
	return err
}

// disown gives the arena up, and adopts a budget that was asked for meanwhile.
func (e *engine) disown() {
	for {
		e.resize()
		e.owner.Unlock()
		if e.asked.Load() == e.adopted.Load() || !e.owner.TryLock() {
			return
		}
	}
}

// resize adopts the budget that is asked for: memory beyond it goes back to the
// system. The next run brings the weights that are to stay in the arena.
func (e *engine) resize() {
	i := int(e.asked.Load())
	if i == e.budget || e.arena == nil || e.closing.Load() {
		e.adopted.Store(int32(i))
		return
	}
	e.ahead, e.settled = 0, false
	kept, err := e.arena.resize(e.net.arenaBytes(i))
	resident := e.prog.resident
	for k, have := range e.have[e.at] {
		e.have[e.at][k] = have && resident[k].end() <= kept
	}
	if err == nil {
		shape := e.at / len(e.net.budgets)
		e.budget = i
		e.adopt(shape)
	}
	e.refused = err
	e.adopted.Store(int32(i))
	e.bind()
}

// adopt makes the program of a shape, within the adopted budget, the one that
// runs next. Residents of the last one that it has at the same place stay.
func (e *engine) adopt(shape int) {
	at := shape*len(e.net.budgets) + e.budget
	if e.prog != nil && e.at == at {
		return
	}
	p := e.net.programs[at]
	if e.prog != nil {
		e.inherit(at)
	}
	e.ahead, e.settled = 0, false
	// The zeros are where another program has something else.
	clear(e.arena.mem[p.zeros : p.zeros+p.zerosBytes])
	e.prog, e.at = p, at
	e.bind()
}

// inherit notes which residents of program `to` the current program leaves at
// their place. Both lists are in the order of the file.
func (e *engine) inherit(to int) {
	from, have := e.prog.resident, e.have[e.at]
	k := 0
	for i := range e.net.programs[to].resident {
		r := &e.net.programs[to].resident[i]
		for k < len(from) && from[k].offset+int64(from[k].bytes) <= r.offset {
			k++
		}
		e.have[to][i] = k < len(from) && have[k] && from[k].covers(r)
	}
}

// settle loads the residents of the first program.
func (e *engine) settle() error {
	have := e.have[e.at]
	for i := range have {
		if have[i] {
			continue
		}
		if err := e.weights.keep(&e.prog.resident[i], e.arena.mem, e.tmp[:], &e.halt); err != nil {
			return err
		}
		have[i] = true
	}
	e.settled = true
	return nil
}

// bind tells the compute threads where the arena and their scratch are.
func (e *engine) bind() {
	for i := range e.team.threads {
		t := &e.team.threads[i]
		t.arena = unsafe.Pointer(unsafe.SliceData(e.arena.mem))
		t.scratch = t.at(e.prog.scratch + i*e.prog.scratchBytes)
	}
}
