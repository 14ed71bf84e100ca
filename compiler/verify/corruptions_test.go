package verify_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/flexnnc/flexnnc/compiler/verify"
	"github.com/flexnnc/flexnnc/ir/op"
	"github.com/flexnnc/flexnnc/ir/plan"
)

// streamedLoad is a load of panels that waits for steps.
func streamedLoad(p *plan.Plan) *plan.Load {
	for i := range p.Loads {
		if l := &p.Loads[i]; !l.Resident && l.After > 0 && l.Panels.Len() > 0 {
			return l
		}
	}
	return nil
}

var corruptions = []corruption{
	{"arena beyond budget", "the budget is", func(p *plan.Plan) bool { p.Budget = p.Arena - 1; return true }},
	{"arena too small", "not inside the arena", func(p *plan.Plan) bool { p.Arena -= 64; return true }},
	{"no threads", "threads", func(p *plan.Plan) bool { p.Threads = 0; return true }},
	{"more threads", "for all threads", func(p *plan.Plan) bool { p.Threads++; return true }},
	{"no steps", "no steps", func(p *plan.Plan) bool { p.Steps = nil; return true }},
	{"a step is missing", "leave", func(p *plan.Plan) bool {
		p.Steps = p.Steps[:len(p.Steps)-1]
		for i := range p.Buffers {
			p.Buffers[i].Last = min(p.Buffers[i].Last, len(p.Steps)-1)
			p.Buffers[i].First = min(p.Buffers[i].First, len(p.Steps)-1)
		}
		return true
	}},
	{"a step runs twice", "again", func(p *plan.Plan) bool {
		last := p.Steps[len(p.Steps)-1]
		last.Index++
		p.Steps = append(p.Steps, last)
		for i := range p.Buffers {
			if p.Buffers[i].Last == last.Index-1 {
				p.Buffers[i].Last++
			}
		}
		return true
	}},
	{"steps swapped", "", func(p *plan.Plan) bool {
		s := p.Steps
		s[2], s[3] = s[3], s[2]
		s[2].Index, s[3].Index = 2, 3
		return true
	}},
	{"slices swapped", "its buffer holds", func(p *plan.Plan) bool {
		for i := 1; i < len(p.Steps); i++ {
			a, b := &p.Steps[i-1], &p.Steps[i]
			if a.Op == b.Op && a.Panels != b.Panels && a.Weights >= 0 {
				a.Panels, b.Panels = b.Panels, a.Panels
				return true
			}
		}
		return false
	}},
	{"foreign op", "not in the graph", func(p *plan.Plan) bool {
		o := *p.Steps[1].Op
		p.Steps[1].Op = &o
		return true
	}},
	{"panels shifted", "", func(p *plan.Plan) bool {
		s := firstStep(p, func(s *plan.Step) bool { return weighted(s) && s.Panels.Len() > 1 })
		if s == nil {
			return false
		}
		s.Panels.Lo++
		return true
	}},
	{"panels beyond the end", "panels", func(p *plan.Plan) bool { firstStep(p, weighted).Panels.Hi += 50; return true }},
	{"rows missing", "row panels", func(p *plan.Plan) bool { p.Steps[0].Rows = plan.Range{Lo: 0, Hi: 5}; return true }},
	{"rows off the grain", "not by 4", func(p *plan.Plan) bool {
		o := *p.Steps[0].Op
		o.RowGrain = 4
		for i, g := range p.Graph.Ops {
			if g == p.Steps[0].Op {
				p.Graph.Ops[i] = &o
			}
		}
		p.Steps[0].Op, p.Steps[0].Rows = &o, plan.Range{Lo: 0, Hi: 5}
		return true
	}},
	{"wrong weights", "", func(p *plan.Plan) bool {
		s := firstStep(p, weighted)
		p.Steps[s.Index].Weights = p.Loads[len(p.Loads)-1].Buffer
		return true
	}},
	{"no weights", "no weights", func(p *plan.Plan) bool { firstStep(p, weighted).Weights = -1; return true }},
	{"weights from an activation", "takes panels from", func(p *plan.Plan) bool {
		firstStep(p, weighted).Weights = firstBuffer(p, kind(plan.Activation)).ID
		return true
	}},
	{"const missing", "consts", func(p *plan.Plan) bool {
		s := firstStep(p, func(s *plan.Step) bool { return len(s.Consts) > 0 })
		s.Consts = nil
		return true
	}},
	{"wrong const", "takes const", func(p *plan.Plan) bool {
		s := firstStep(p, func(s *plan.Step) bool { return len(s.Consts) > 0 })
		s.Consts = []int{firstStep(p, weighted).Weights}
		return true
	}},
	{"no scratch", "no scratch", func(p *plan.Plan) bool {
		firstStep(p, func(s *plan.Step) bool { return s.Scratch >= 0 }).Scratch = -1
		return true
	}},
	{"scratch too small", "as scratch", func(p *plan.Plan) bool { firstBuffer(p, kind(plan.Scratch)).Size = 64; return true }},
	{"zeros missing", "zeros", func(p *plan.Plan) bool { firstBuffer(p, kind(plan.Zeros)).Kind = plan.ThreadScratch; return true }},
	{"zeros too small", "zeros", func(p *plan.Plan) bool { firstBuffer(p, kind(plan.Zeros)).Size = 64; return true }},
	{"zeros not live throughout", "must be in all", func(p *plan.Plan) bool { firstBuffer(p, kind(plan.Zeros)).First = 1; return true }},
	{"wait too short", "waits for", func(p *plan.Plan) bool {
		firstStep(p, func(s *plan.Step) bool { return s.Wait > 0 }).Wait--
		return true
	}},
	{"wait too long", "waits for", func(p *plan.Plan) bool {
		firstStep(p, func(s *plan.Step) bool { return s.Wait > 0 }).Wait++
		return true
	}},
	{"load too early", "live from step", func(p *plan.Plan) bool {
		l := streamedLoad(p)
		for i := range p.Loads[:l.Index+1] {
			if p.Loads[i].After == l.After {
				p.Loads[i].After--
			}
		}
		return true
	}},
	{"load and life too early", "overlaps", func(p *plan.Plan) bool {
		for i := range p.Loads {
			l := &p.Loads[i]
			if b := &p.Buffers[l.Buffer]; l.After > 1 && l.After > p.Loads[i-1].After {
				l.After--
				b.First--
				return true
			}
		}
		return false
	}},
	{"load too late", "waits for load", func(p *plan.Plan) bool {
		for i := range p.Loads {
			if !p.Loads[i].Resident {
				for ; i < len(p.Loads); i++ {
					p.Loads[i].After = len(p.Steps) - 1
				}
				return true
			}
		}
		return false
	}},
	{"loads out of order", "the one before it", func(p *plan.Plan) bool {
		l := streamedLoad(p)
		p.Loads[l.Index-1].After = l.After + 1
		return true
	}},
	{"load of the wrong bytes", "reads", func(p *plan.Plan) bool { streamedLoad(p).FileOffset += 64; return true }},
	{"load too short", "reads", func(p *plan.Plan) bool { streamedLoad(p).Bytes -= 64; return true }},
	{"load of the wrong item", "", func(p *plan.Plan) bool { streamedLoad(p).Item--; return true }},
	{"load to the wrong place", "writes", func(p *plan.Plan) bool { streamedLoad(p).Arena += 64; return true }},
	{"load into an activation", "fills", func(p *plan.Plan) bool {
		streamedLoad(p).Buffer = firstBuffer(p, kind(plan.Activation)).ID
		return true
	}},
	{"load missing", "", func(p *plan.Plan) bool { p.Loads = p.Loads[:len(p.Loads)-1]; return true }},
	{"load not used", "never used", func(p *plan.Plan) bool {
		b := *firstBuffer(p, kind(plan.Zeros))
		it := p.File.Items[0]
		b.ID, b.Kind, b.Offset, b.Size = len(p.Buffers), plan.Weights, p.Arena, (it.Bytes+63)&^63
		p.Arena += b.Size
		p.Budget = p.Arena
		p.Buffers = append(p.Buffers, b)
		l := plan.Load{Index: len(p.Loads), Buffer: b.ID, FileOffset: it.Offset, Bytes: it.Bytes, Arena: b.Offset, After: p.Loads[len(p.Loads)-1].After}
		if it.Panels != nil {
			l.Panels.Hi = it.Panels.Count()
		}
		p.Loads = append(p.Loads, l)
		return true
	}},
	{"resident after streamed", "resident", func(p *plan.Plan) bool {
		b := firstBuffer(p, resident)
		if b == nil {
			return false
		}
		b.Resident = false
		return true
	}},
	{"resident not live throughout", "must be in all", func(p *plan.Plan) bool { firstBuffer(p, resident).Last--; return true }},
	{"resident overwritten", "overlaps", func(p *plan.Plan) bool {
		b := firstBuffer(p, resident)
		for i := range p.Buffers {
			if a := &p.Buffers[i]; a.Kind == plan.Activation && a.Size >= b.Size && a.SharesWith < 0 {
				a.Offset = b.Offset
				return a.Offset+a.Size <= p.Arena
			}
		}
		return false
	}},
	{"buffer misaligned", "lies at", func(p *plan.Plan) bool { firstBuffer(p, kind(plan.Activation)).Offset += 4; return true }},
	{"buffer below the arena", "lies at", func(p *plan.Plan) bool { firstBuffer(p, kind(plan.Activation)).Offset = -64; return true }},
	{"buffer too small", "bytes for", func(p *plan.Plan) bool { firstBuffer(p, kind(plan.Activation)).Size -= 64; return true }},
	{"tensor without buffer", "no buffer", func(p *plan.Plan) bool {
		b := firstBuffer(p, kind(plan.Activation))
		o := *b.Tensor
		b.Tensor = &o
		return true
	}},
	{"life ends early", "live in steps", func(p *plan.Plan) bool {
		b := firstBuffer(p, func(b *plan.Buffer) bool { return b.Kind == plan.Activation && b.Last > b.First })
		b.Last--
		return true
	}},
	{"life begins late", "live in steps", func(p *plan.Plan) bool {
		b := firstBuffer(p, func(b *plan.Buffer) bool { return b.Kind == plan.Activation && b.Last > b.First })
		b.First++
		return true
	}},
	{"weights die early", "live in steps", func(p *plan.Plan) bool {
		b := firstBuffer(p, func(b *plan.Buffer) bool { return b.Kind == plan.Weights && !b.Resident && b.Last > b.First })
		if b == nil {
			return false
		}
		b.Last--
		return true
	}},
	{"in place without saying so", "overlaps", func(p *plan.Plan) bool { firstBuffer(p, shared).SharesWith = -1; return true }},
	{"in place elsewhere", "not there", func(p *plan.Plan) bool { firstBuffer(p, shared).Offset += 64; return true }},
	{"in place over a stranger", "overlaps", func(p *plan.Plan) bool {
		b := firstBuffer(p, shared)
		b.SharesWith = firstBuffer(p, kind(plan.Activation)).ID
		return b.ID != b.SharesWith
	}},
	{"in place convolution", "not there", func(p *plan.Plan) bool {
		s := firstStep(p, func(s *plan.Step) bool { return s.Op.Kind == op.Depthwise })
		var in, out *plan.Buffer
		for i := range p.Buffers {
			switch p.Buffers[i].Tensor {
			case s.Op.In[0].Root():
				in = &p.Buffers[i]
			case s.Op.Out[0]:
				out = &p.Buffers[i]
			}
		}
		out.Offset, out.SharesWith = in.Offset, in.ID
		return true
	}},
	{"in place over a live input", "not there", func(p *plan.Plan) bool {
		b := firstBuffer(p, shared)
		s := &p.Steps[p.Buffers[b.SharesWith].Last]
		// the input is read once more, at the end
		extra := *p.Steps[len(p.Steps)-1].Op
		extra.In = []*op.Tensor{s.Op.In[0]}
		p.Steps[len(p.Steps)-1].Op = &extra
		g := *p.Graph
		g.Ops = append(slices.Clone(g.Ops[:len(g.Ops)-1]), &extra)
		p.Graph = &g
		return true
	}},
	{"file item missing", "in the file 0 times", func(p *plan.Plan) bool {
		p.File.Items = p.File.Items[:len(p.File.Items)-1]
		p.File.Bytes = p.File.Items[len(p.File.Items)-1].Offset + p.File.Items[len(p.File.Items)-1].Bytes
		p.Loads = p.Loads[:1]
		return true
	}},
	{"file items overlap", "the one before ends", func(p *plan.Plan) bool { p.File.Items[1].Offset -= 64; return true }},
	{"file item of the wrong size", "want", func(p *plan.Plan) bool { p.File.Items[1].Bytes += 64; return true }},
	{"file checksum chunk", "chunks", func(p *plan.Plan) bool { p.File.Items[1].Chunk = 64; return true }},
	{"file too short", "items end", func(p *plan.Plan) bool { p.File.Bytes -= 64; return true }},
	{"ring of rows that are still read", "not there", func(p *plan.Plan) bool { firstBuffer(p, kind(plan.Activation)).RingRows = 2; return true }},
	{"buffer index", "uses buffer", func(p *plan.Plan) bool { firstStep(p, weighted).Weights = len(p.Buffers); return true }},
	{"load index", "has index", func(p *plan.Plan) bool { p.Loads[0].Index = 7; return true }},
	{"step index", "has index", func(p *plan.Plan) bool { p.Steps[0].Index = 7; return true }},
}

func TestCorruptions(t *testing.T) {
	for _, c := range corruptions {
		t.Run(c.name, func(t *testing.T) {
			p := squeeze(t)
			if err := verify.Check(p); err != nil {
				t.Fatal(err)
			}
			if !c.do(p) {
				t.Fatal("the plan has nothing to corrupt this way")
			}
			err := verify.Check(p)
			var faults *verify.Error
			if !errors.As(err, &faults) {
				t.Fatalf("not caught: %v", err)
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("want a fault with %q, got %v", c.want, err)
			}
		})
	}
}
