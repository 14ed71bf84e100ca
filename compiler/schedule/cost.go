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

// forecast is what a draft would take, in picoseconds.
type forecast struct{ span, compute, read int64 }

// hiddenRead is the part of a read that counts even where compute hides it: it
// takes energy, and memory bandwidth from the kernels.
const hiddenRead = 8

// cost is what the search minimises.
func (f forecast) cost() int64 { return f.span + f.read/hiddenRead }

// predict plays a draft: loads one after another, each once the steps before it
// are complete; steps one after another, each once its loads are complete.
func (d *draft) predict(t *timeline, s Speed) (f forecast) {
	loaded := make([]int64, len(d.streamed)+1) // when load i-1 is complete
	done := make([]int64, len(d.steps)+1)      // when step i-1 is complete
	next := 0
	for i := range d.steps {
		st := &d.steps[i]
		for next < st.wait {
			p := &d.streamed[next]
			read := s.read(p.size)
			loaded[next+1] = max(loaded[next], done[p.start]) + read
			f.read += read
			next++
		}
		u := &t.units[st.unit]
		n, all := 1, 1
		if u.panels >= 0 {
			n, all = st.panels.Len(), u.op.Panels.Count()
		}
		compute := s.compute(u, n, all)
		done[i+1] = max(done[i], loaded[st.wait]) + compute
		f.compute += compute
	}
	f.span = done[len(d.steps)]
	return f
}

// bound is a time that no plan within a budget can beat, by this cost model and
// with these activations live during these units. For any two units a <= b: when a starts, the arena holds
// at most what is free beside its activations; the rest of the weights of a to b
// is read after the compute before a and before the compute after b.
func (t *timeline) bound(o Options) int64 {
	n := len(t.units)
	compute := make([]int64, n+1)      // of units before i
	weights := make([]plan.Bytes, n+1) // first read by units before i
	for i := range t.units {
		compute[i+1] = compute[i] + o.Speed.compute(&t.units[i], 1, 1)
		weights[i+1] = weights[i]
		for _, item := range t.read(&t.units[i]) {
			if t.first[item] == i {
				weights[i+1] += t.file.Items[item].Bytes
			}
		}
	}
	best := compute[n]
	if o.Budget == 0 {
		return best
	}
	for a := range t.units {
		room := o.Budget - t.base - t.liveBytes(a)
		for b := a; b < n; b++ {
			read := o.Speed.Read * int64(weights[b+1]-weights[a]-room)
			best = max(best, compute[a]+read+compute[n]-compute[b+1])
		}
	}
	return best
}
