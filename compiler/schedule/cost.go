package schedule

import "github.com/flexnnc/flexnnc/ir/plan"

// Speed predicts times, in integers so that a plan is the same wherever it is
// made. A zero field takes the default, that of a board with four small cores
// and a card reader's successor.
type Speed struct {
	MAC   int64 // picoseconds per multiply-add, all threads together
	Touch int64 // picoseconds per byte of activations read or written
	Step  int64 // picoseconds per step
	Read  int64 // picoseconds per byte of the weights file
	Load  int64 // picoseconds per load
}

func (s Speed) withDefaults() Speed {
	d := Speed{MAC: 60, Touch: 100, Step: 5_000_000, Read: 2500, Load: 20_000_000}
	set := func(v *int64, d int64) {
		if *v <= 0 {
			*v = d
		}
	}
	set(&s.MAC, d.MAC)
	set(&s.Touch, d.Touch)
	set(&s.Step, d.Step)
	set(&s.Read, d.Read)
	set(&s.Load, d.Load)
	return s
}

// compute is the time of a unit's slice of n of its panels (of all); n and all
// are 1 where it has none. Every slice reads all of the input again.
func (s Speed) compute(u *unit, n, all int) int64 {
	return s.Step + s.MAC*(u.macs*int64(n)/int64(all)) + s.Touch*u.touched
}

func (s Speed) read(n plan.Bytes) int64 { return s.Load + s.Read*int64(n) }

// makespan plays a draft: loads one after another, each once the steps before it
// are complete; steps one after another, each once its loads are complete.
func (d *draft) makespan(t *timeline, s Speed) int64 {
	loaded := make([]int64, len(d.streamed)+1) // when load i-1 is complete
	done := make([]int64, len(d.steps)+1)      // when step i-1 is complete
	next := 0
	for i := range d.steps {
		st := &d.steps[i]
		for next < st.wait {
			p := &d.streamed[next]
			loaded[next+1] = max(loaded[next], done[p.start]) + s.read(p.size)
			next++
		}
		u := &t.units[st.unit]
		n, all := 1, 1
		if u.panels >= 0 {
			n, all = st.panels.Len(), u.op.Panels.Count()
		}
		done[i+1] = max(done[i], loaded[st.wait]) + s.compute(u, n, all)
	}
	return done[len(d.steps)]
}
