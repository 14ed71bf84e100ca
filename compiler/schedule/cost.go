package schedule

import (
	"github.com/flexnnc/flexnnc/compiler/cost"
	"github.com/flexnnc/flexnnc/ir/plan"
)

// Speed predicts times. The zero Speed is that of the default target.
type Speed struct{ *cost.Model }

func (s Speed) withDefaults(threads int) Speed {
	if s.Model == nil {
		s.Model = cost.Standard().Model(threads)
	}
	return s
}

// step is the time of one step: a slice of n of a node's panels of all, and of
// so many of its rows. n and all are 1 where it has no slices, rows 0 stands for
// all. scratch is what the step has, near what of the node's activations the cache holds.
func (s Speed) step(d *node, n, all, rows int, scratch plan.Bytes, expanded bool, near int64) int64 {
	return d.cost.Part(cost.Part{Panels: n, All: all, Rows: rows, Height: d.height, Near: near, Lean: scratch < d.ample, Shared: scratch < d.own, Expanded: expanded})
}

// unit is the time of a unit's steps, if nothing is sliced and an item of the file,
// or none, is kept expanded.
func (s Speed) unit(n *network, u *unit, expanded int) (time int64) {
	if u.turns == nil {
		d := &n.nodes[u.lo]
		return s.step(d, 1, 1, 0, d.scratch, d.panels >= 0 && d.panels == expanded, d.near)
	}
	scratch := n.scratch(u.lo, u.hi)
	for _, t := range u.turns {
		p, all := 1, 1
		if u.width > 0 {
			p, all = t.panels.Len(), n.nodes[u.lo].op.Panels.Count()
		}
		d := &n.nodes[t.node]
		time += s.step(d, p, all, t.rows.Len(), scratch, d.panels >= 0 && d.panels == expanded, u.nearOf(n, t.node))
	}
	return time
}

func (s Speed) read(n plan.Bytes) int64 { return s.Load + s.Read*int64(n) }

// forecast is what a draft would take, in picoseconds. What steps pick from the
// file themselves is part of compute.
type forecast struct{ span, compute, read int64 }

// stepTime is that of a step, with what it picks from the file itself.
func (d *draft) stepTime(t *timeline, step int, s Speed) int64 {
	st := &d.steps[step]
	node := &t.n.nodes[st.node]
	n, all := 1, 1
	if st.panels.Hi > 0 {
		n, all = st.panels.Len(), t.n.panels(st.node)
	}
	scratch := plan.Bytes(0)
	if k := t.units[st.unit].scratch; k >= 0 {
		scratch = t.blocks[k].size
	}
	expanded := st.weights.resident && d.resident[st.weights.index].expanded > 0
	compute := s.step(node, n, all, st.rows.Len(), scratch, expanded, t.units[st.unit].nearOf(t.n, st.node))
	if node.table >= 0 && st.table == none {
		chunk := t.n.file.Items[node.table].Chunk
		compute += int64(node.picks) * s.read(chunk)
	}
	return compute
}

// predict plays a draft: loads one after another, each once the steps before it
// are complete; steps one after another, each once its loads are complete. Those
// that are made ahead are there at the start, and those for the next run come last.
func (d *draft) predict(t *timeline, s Speed) (f forecast) {
	loaded := make([]int64, len(d.streamed)+1) // when load i-1 is complete
	done := make([]int64, len(d.steps)+1)      // when step i-1 is complete
	next := 0
	for i := range d.steps {
		st := &d.steps[i]
		for next < st.wait {
			p := &d.streamed[next]
			if next < d.ahead {
				next++
				continue
			}
			read := s.read(p.size)
			loaded[next+1] = max(loaded[next], done[p.start]) + read
			f.read += read
			next++
		}
		compute := d.stepTime(t, i, s)
		done[i+1] = max(done[i], loaded[st.wait]) + compute
		f.compute += compute
	}
	f.span = done[len(d.steps)]
	last := loaded[next]
	for i := range d.ahead {
		p := &d.streamed[i]
		read := s.read(p.size)
		last = max(last, done[p.ahead]) + read
		f.read += read
		f.span = max(f.span, last)
	}
	f.span = cost.Slowed(f.span, f.compute, f.read)
	return f
}
