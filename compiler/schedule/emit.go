package schedule

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/flexnnc/flexnnc/ir/op"
	"github.com/flexnnc/flexnnc/ir/plan"
)

// emit writes a draft out as a plan.
func emit(t *timeline, d *draft, o Options) *plan.Plan {
	n := t.n
	p := &plan.Plan{Graph: n.graph, Budget: o.Budget, Threads: o.Threads, File: n.file}
	p.Forecast = plan.Forecast{Run: duration(d.span), Compute: duration(d.compute), Read: duration(d.read)}
	last := len(d.steps) - 1
	begin := make([]int, len(t.units)+1) // first step of each unit
	for i := len(d.steps) - 1; i >= 0; i-- {
		begin[d.steps[i].unit] = i
	}
	begin[len(t.units)] = len(d.steps)
	add := func(b plan.Buffer) int {
		b.ID = len(p.Buffers)
		p.Buffers = append(p.Buffers, b)
		p.Arena = max(p.Arena, b.Offset+b.Size)
		return b.ID
	}
	if n.zeros > 0 {
		add(plan.Buffer{Name: "zeros", Kind: plan.Zeros, Size: n.zeros, Last: last, SharesWith: -1})
	}
	if n.threads > 0 {
		add(plan.Buffer{Name: "threads", Kind: plan.ThreadScratch, Offset: n.zeros, Size: n.threads, Last: last, SharesWith: -1})
	}
	blocks := make([]int, len(t.blocks))
	order := make([]int, len(t.blocks))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(t.blocks[a].first, t.blocks[b].first) })
	for _, i := range order {
		b := &t.blocks[i]
		shares := -1
		if b.shares >= 0 {
			shares = blocks[b.shares]
		}
		var tensor *op.Tensor
		if b.root >= 0 {
			tensor = n.roots[b.root].tensor
		}
		blocks[i] = add(plan.Buffer{
			Name: b.name, Kind: b.kind, Tensor: tensor, RingRows: b.ring * t.fold(b), RingPanels: b.panels, SharesWith: shares,
			Offset: t.base + d.place.offsets[b.span] + b.at, Size: b.size, First: begin[b.first], Last: begin[b.last+1] - 1,
		})
	}
	buffers := map[ref]int{}
	load := func(r ref, c piece) {
		it := &n.file.Items[c.item]
		name, at := it.Name, it.Offset
		if it.Panels != nil {
			at += plan.Bytes(c.panels.Lo * it.Panels.PanelBytes())
			if c.panels.Len() < it.Panels.Count() {
				name = fmt.Sprintf("%s[%d:%d]", it.Name, c.panels.Lo, c.panels.Hi)
			}
		}
		b := plan.Buffer{
			Name: name, Kind: plan.Weights, Offset: c.at, Size: c.room(),
			First: c.start, Last: c.last, SharesWith: -1, Resident: r.resident, Expanded: c.expanded > 0,
		}
		ahead := 0
		if r.resident {
			b.First, b.Last = 0, last
		} else if r.index < d.ahead {
			b.First, b.Ahead, ahead = 0, c.ahead, c.ahead
		}
		buffers[r] = add(b)
		p.Loads = append(p.Loads, plan.Load{
			Index: len(p.Loads), Buffer: buffers[r], Item: c.item, Panels: c.panels, FileOffset: at,
			Bytes: c.size, Arena: c.at, After: b.First, Ahead: ahead, Resident: r.resident,
		})
	}
	for i, c := range d.resident {
		load(ref{true, i}, c)
	}
	for i, c := range d.streamed {
		load(ref{false, i}, c)
	}
	if o.Min {
		p.Arena = o.Budget
	}
	for i, s := range d.steps {
		node := &n.nodes[s.node]
		st := plan.Step{Index: i, Op: node.op, Panels: s.panels, Rows: s.rows, Weights: -1, Scratch: -1, Wait: s.wait}
		if s.weights != none {
			st.Weights = buffers[s.weights]
		}
		if node.scratch > 0 {
			st.Scratch = blocks[t.units[s.unit].scratch]
		}
		for _, c := range plan.Consts(node.op) {
			if c.RowLen > 0 {
				at := -1
				if st.Picks = s.table == none; !st.Picks {
					at = buffers[s.table]
				}
				st.Consts = append(st.Consts, at)
				continue
			}
			for k, item := range node.consts {
				if n.file.Items[item].Const == c {
					st.Consts = append(st.Consts, buffers[s.consts[k]])
				}
			}
		}
		p.Steps = append(p.Steps, st)
	}
	return p
}

func duration(picoseconds int64) time.Duration { return time.Duration(picoseconds / 1000) }
