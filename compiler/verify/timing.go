package verify

import (
	"github.com/flexnnc/flexnnc/ir/op"
	"github.com/flexnnc/flexnnc/ir/plan"
)

// timing checks weights: that steps find what they need, wait for exactly that,
// can wait for it without end, and that no load can write outside its buffer's life.
func (c *checker) timing() {
	p := c.p
	used := make([]bool, len(p.Loads))
	for i := range p.Steps {
		s := &p.Steps[i]
		need := 0
		// use notes that the step reads a Weights buffer.
		use := func(buffer int, what string) *plan.Load {
			b := &p.Buffers[buffer]
			if b.Kind != plan.Weights {
				c.fault("%s takes %s from %s", stepName(s), what, c.name(buffer))
				return nil
			}
			if i < b.First || i > b.Last {
				c.fault("%s takes %s from %s, which is live in steps %d to %d", stepName(s), what, c.name(buffer), b.First, b.Last)
			}
			l := c.loadOf[buffer]
			used[l] = true
			need = max(need, c.position[l]+1)
			return &p.Loads[l]
		}
		if s.Weights >= 0 {
			if l := use(s.Weights, "panels"); l != nil {
				if it := &p.File.Items[l.Item]; it.Panels == nil || it.Panels != s.Op.Panels {
					c.fault("%s takes its panels from %s, which holds %s", stepName(s), c.name(s.Weights), it.Name)
				}
				if l.Panels.Lo != s.Panels.Lo || l.Panels.Hi < s.Panels.Hi {
					c.fault("%s uses panels %v, its buffer holds %v", stepName(s), s.Panels, l.Panels)
				}
				if b := &p.Buffers[s.Weights]; b.Expanded && b.Size != expandedBytes(s.Op, l.Panels.Len()) {
					c.fault("%s takes %d panels from %s of %d bytes, expanded they have %d", stepName(s), l.Panels.Len(), c.name(s.Weights), b.Size, expandedBytes(s.Op, l.Panels.Len()))
				}
			}
		} else if s.Op.Panels != nil {
			c.fault("%s has no weights", stepName(s))
		}
		if s.Weights >= 0 && s.Op.Panels == nil {
			c.fault("%s has weights and needs none", stepName(s))
		}
		consts := constsOf(s.Op)
		if len(consts) != len(s.Consts) {
			c.fault("%s has %d consts, want %d", stepName(s), len(s.Consts), len(consts))
			continue
		}
		picked := 0
		for k, b := range s.Consts {
			if b >= 0 && p.Buffers[b].Expanded {
				c.fault("%s takes const %d from %s, which is expanded", stepName(s), k, c.name(b))
			}
			if b < 0 && s.Picks && c.picks(s, consts[k]) {
				picked++
				continue
			}
			if b < 0 {
				c.fault("%s lacks const %d", stepName(s), k)
				continue
			}
			if l := use(b, "a const"); l != nil && p.File.Items[l.Item].Const != consts[k] {
				c.fault("%s takes const %s from %s", stepName(s), consts[k].Name, c.name(b))
			}
		}
		if s.Picks != (picked == 1) {
			c.fault("%s picks rows of %d consts", stepName(s), picked)
		}
		if s.Wait != need {
			c.fault("%s waits for %d loads, and needs %d", stepName(s), s.Wait, need)
		}
		for l := range p.Loads {
			if at := c.position[l]; at >= 0 && at < s.Wait && c.begin[l] > i {
				c.fault("%s waits for load %d, which waits for %d steps", stepName(s), l, c.begin[l])
				break
			}
		}
	}
	for l := range p.Loads {
		if !used[l] {
			c.fault("load %d (%s) is never used", l, p.File.Items[p.Loads[l].Item].Name)
		}
		// It ends before a step in the buffer's life, the one that uses it.
		if b := &p.Buffers[p.Loads[l].Buffer]; c.begin[l] < b.First {
			c.fault("load %d may begin in step %d, %s is live from step %d", l, c.begin[l], c.name(p.Loads[l].Buffer), b.First)
		}
	}
}

// expandedBytes is the size of so many panels of a convolution as Winograd's
// algorithm takes them, 64 bytes apart for each of its positions, with room for
// one panel of the file behind them; -1 where the op does not work so.
func expandedBytes(o *op.Op, panels int) plan.Bytes {
	if o.Kind != op.Conv || o.Conv.Winograd == 0 || o.Panels.Taps != 9 {
		return -1
	}
	side := o.Conv.Winograd + 2
	position := 64*o.Panels.Chans + 64
	return plan.Bytes(panels*(64+side*side*position) + o.Panels.PanelBytes())
}

// picks says whether a step's driver can read rows of a const from the file: the op
// takes ids and a table and nothing else, and every thread has room for a chunk.
func (c *checker) picks(s *plan.Step, k *op.Const) bool {
	o := s.Op
	return o.Kind == op.Call && o.Call.Func == "embed" && len(o.In) == 2 && o.In[1].Const == k && len(o.EpilogueIn) == 0 &&
		k.RowLen > 0 && (k.Type == op.F32 || k.Type == op.F16) && o.Out[0].Dims[len(o.Out[0].Dims)-1] == k.RowLen && k.Len%k.RowLen == 0 &&
		o.Scratch == 0 && o.WorkScratch >= (k.PickBytes()+plan.Align-1)&^(plan.Align-1)
}

// cover checks that the steps of every op make its whole output once, rows in order.
func (c *checker) cover() {
	p := c.p
	steps := map[*op.Op][]*plan.Step{}
	for i := range p.Steps {
		s := &p.Steps[i]
		steps[s.Op] = append(steps[s.Op], s)
	}
	for _, o := range p.Graph.Ops {
		if o.Kind == op.View || o.Kind == op.Concat {
			c.fault("op %s is a %v, which has no steps", o.Name, o.Kind)
			continue
		}
		rows, panels := outRows(o), 1
		switch {
		case o.Panels != nil:
			panels = o.Panels.Count()
		case o.Kind == op.Pool: // channel by channel, so in any slices of them
			panels = (o.Pool.C + op.PanelWidth - 1) / op.PanelWidth
		case heads(o) > 0:
			panels = (heads(o)*o.Call.HeadWidth + op.PanelWidth - 1) / op.PanelWidth
		}
		done := make([]bool, rows*panels)
		left := len(done)
		for k, s := range steps[o] {
			r, n := s.Rows, s.Panels
			if r == (plan.Range{}) {
				r = plan.Range{Lo: 0, Hi: rows}
			}
			if o.Panels == nil && n == (plan.Range{}) {
				n = plan.Range{Lo: 0, Hi: panels}
			} else if o.Panels == nil && o.Kind != op.Pool && heads(o) == 0 {
				c.fault("%s has panels %v", stepName(s), n)
				continue
			}
			if s.Rows != (plan.Range{}) && !banded(o) {
				c.fault("%s makes rows %v, and its driver knows no rows", stepName(s), r)
			}
			if r.Lo < 0 || r.Lo >= r.Hi || r.Hi > rows || n.Lo < 0 || n.Lo >= n.Hi || n.Hi > panels {
				c.fault("%s makes rows %v of %d, panels %v of %d", stepName(s), r, rows, n, panels)
				continue
			}
			if g := max(1, o.RowGrain); r.Lo%g != 0 || r.Hi%g != 0 && r.Hi != rows {
				c.fault("%s makes rows %v, and not by %d", stepName(s), r, g)
			}
			if k > 0 {
				before := steps[o][k-1]
				if s.Panels == before.Panels && s.Rows.Lo < before.Rows.Lo {
					c.fault("%s is out of order", stepName(s))
				}
			}
			for y := r.Lo; y < r.Hi; y++ {
				for q := n.Lo; q < n.Hi; q++ {
					if done[y*panels+q] {
						c.fault("%s makes row %d, panel %d again", stepName(s), y, q)
						y = r.Hi
						break
					}
					done[y*panels+q] = true
					left--
				}
			}
		}
		if left > 0 {
			c.fault("the steps of %s leave %d of %d row panels", o.Name, left, len(done))
		}
	}
}

// banded says whether an op's driver can make a range of rows: of images where it
// looks beyond a row, of anything where it does not.
func banded(o *op.Op) bool {
	switch o.Kind {
	case op.Conv, op.Depthwise, op.Pool:
		n := len(o.Out[0].Dims)
		one := o.Conv != nil && o.Conv.InH == 1 || o.Pool != nil && o.Pool.InH == 1
		return n == len(o.In[0].Dims) && (n == 3 || n == 2 && one)
	case op.Call:
		return o.Call.Rows != nil
	case op.Copy:
		return len(o.Out[0].Dims) > 1 && (o.Perm == nil || o.Perm[0] == 0)
	}
	return true
}

// outRows is the length of the axis that Step.Rows counts, of the output or, where
// an op has none, of its input; a vector is one row.
func outRows(o *op.Op) int {
	like := append(o.Out[:len(o.Out):len(o.Out)], o.In...)[0]
	if len(like.Dims) == 1 {
		return 1
	}
	return like.Dims[0]
}
