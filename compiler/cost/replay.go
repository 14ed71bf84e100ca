package cost

import (
	"github.com/flexnnc/flexnnc/ir/op"
	"github.com/flexnnc/flexnnc/ir/plan"
)

// Span is from a begin to an end, in picoseconds from the start of a run.
type Span struct{ Begin, End int64 }

// Len is the time between.
func (s Span) Len() int64 { return s.End - s.Begin }

// Timeline is a run as the model sees it.
type Timeline struct {
	Steps []Span
	Loads []Span // {0, 0} for resident ones
	// Waits is how long each step has waited for its loads.
	Waits []int64
	// End is that of the run, with what loads slow all steps by; spans are without it.
	End int64
}

// Replay plays a plan: loads one after another, each once the steps that it waits
// for are complete; steps one after another, each once its loads are complete.
// Loads for the next run are those of the run before, which are there at the start.
func (m *Model) Replay(p *plan.Plan) *Timeline {
	t := &Timeline{Steps: make([]Span, len(p.Steps)), Loads: make([]Span, len(p.Loads)), Waits: make([]int64, len(p.Steps))}
	var streamed []int
	for i := range p.Loads {
		if !p.Loads[i].Resident {
			streamed = append(streamed, i)
		}
	}
	done := make([]int64, len(p.Steps)+1) // when so many steps are complete
	loaded := int64(0)                    // when the last load so far is
	next := 0
	ops := map[*op.Op]*Op{}
	rings := ringsOf(p)
	for i := range p.Steps {
		s := &p.Steps[i]
		for ; next < s.Wait; next++ {
			l := &p.Loads[streamed[next]]
			if l.Ahead > 0 { // it is there
				continue
			}
			begin := max(loaded, done[l.After])
			loaded = begin + m.Load + m.Read*int64(l.Bytes)
			t.Loads[l.Index] = Span{begin, loaded}
		}
		begin := done[i]
		if s.Wait > 0 && p.Loads[streamed[s.Wait-1]].Ahead == 0 {
			begin = max(begin, t.Loads[streamed[s.Wait-1]].End)
		}
		o := ops[s.Op]
		if o == nil {
			o = m.Op(s.Op)
			ops[s.Op] = o
		}
		t.Waits[i] = begin - done[i]
		part := partOf(p, s)
		part.Near = rings[i].near(m, s.Op)
		done[i+1] = begin + o.Part(part) + m.picks(p, s)
		t.Steps[i] = Span{begin, done[i+1]}
	}
	t.End = done[len(p.Steps)]
	for _, i := range streamed { // the head of the next run comes last
		l := &p.Loads[i]
		if l.Ahead == 0 {
			break
		}
		begin := max(loaded, done[l.Ahead])
		loaded = begin + m.Load + m.Read*int64(l.Bytes)
		t.Loads[i] = Span{begin, loaded}
		t.End = max(t.End, loaded)
	}
	var compute, read int64
	for _, s := range t.Steps {
		compute += s.Len()
	}
	for _, l := range t.Loads {
		read += l.Len()
	}
	t.End = Slowed(t.End, compute, read)
	return t
}

// besides is the part of the time that steps and loads go on at once by which the
// loads slow the steps: they take memory bandwidth, and time of a core.
const besides = 16

// Slowed is the end of a run, in picoseconds, with what loads slow steps by, for
// steps and loads that take compute and read altogether and end after span if
// they do not hinder each other. It grows with each of the three.
func Slowed(span, compute, read int64) int64 {
	return span + max(0, compute+read-span)/besides
}

// picks is the time of the reads that a step makes itself, of rows of a table.
func (m *Model) picks(p *plan.Plan, s *plan.Step) (time int64) {
	if !s.Picks {
		return 0
	}
	for _, c := range plan.Consts(s.Op) {
		if c.RowLen == 0 {
			continue
		}
		rows := int64(s.Op.Out[0].Len() / c.RowLen)
		for i := range p.File.Items {
			if p.File.Items[i].Const == c {
				time += rows * (m.Load + m.Read*int64(p.File.Items[i].Chunk))
			}
		}
	}
	return time
}

// partOf is what a step makes of its op.
func partOf(p *plan.Plan, s *plan.Step) Part {
	part := Part{Panels: s.Panels.Len(), All: 1, Rows: s.Rows.Len(), Height: rowsOf(s.Op)}
	switch {
	case part.Panels == 0:
		part.Panels = 1
	case s.Op.Panels != nil:
		part.All = s.Op.Panels.Count()
	default:
		dims := s.Op.Out[0].Dims
		part.All = (dims[len(dims)-1] + op.PanelWidth - 1) / op.PanelWidth
	}
	if s.Scratch >= 0 {
		part.Lean = p.Buffers[s.Scratch].Size < plan.Bytes(s.Op.StepScratch(p.Threads))
		part.Shared = p.Buffers[s.Scratch].Size < plan.Bytes(s.Op.OwnStepScratch(p.Threads))
	}
	if s.Weights >= 0 {
		part.Expanded = p.Buffers[s.Weights].Expanded
	}
	return part
}

// rowsOf is the length of the axis that a step's rows count.
func rowsOf(o *op.Op) int {
	if o.Kind == op.Output {
		return o.In[0].Dims[0]
	}
	return o.Out[0].Dims[0]
}
