package plan

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// Print writes the plan as text: a header, then one table each for the weights
// file, buffers, steps and loads. It is complete (two plans with equal text are
// equal, but for what their ops compute) and stable from one run to the next.
// Sizes and offsets are bytes; ranges are half open, lives inclusive.
func Print(w io.Writer, p *Plan) error {
	b := bufio.NewWriter(w)
	resident, streamed := p.Traffic()
	budget := "unlimited"
	if p.Budget > 0 {
		budget = fmt.Sprint(int64(p.Budget))
	}
	fmt.Fprintf(b, "plan %s\nbudget %s\narena %d\nthreads %d\nresident %d\nstreamed %d per run\nfile %d\nforecast run %v, compute %v, read %v, bound %v\n",
		p.Graph.Name, budget, p.Arena, p.Threads, resident, streamed, p.File.Bytes,
		p.Forecast.Run, p.Forecast.Compute, p.Forecast.Read, p.Forecast.Bound)

	fmt.Fprintf(b, "\nitems %d\n%5s %11s %11s %7s  name\n", len(p.File.Items), "item", "offset", "bytes", "chunk")
	for i, it := range p.File.Items {
		shape := ""
		if it.Panels != nil {
			shape = fmt.Sprintf(" (%d panels of %d, %v)", it.Panels.Count(), it.Panels.PanelBytes(), it.Panels.Type)
		} else if it.Const != nil && it.Const.Packed != nil {
			q := it.Const.Packed
			shape = fmt.Sprintf(" (const, %d panels of %d, %v)", q.Count(), q.PanelBytes(), q.Type)
		} else if it.Const != nil {
			shape = fmt.Sprintf(" (const of %d, %v)", it.Const.Len, it.Const.Type)
		}
		fmt.Fprintf(b, "%5d %11d %11d %7d  %s%s\n", i, it.Offset, it.Bytes, it.Chunk, it.Name, shape)
	}

	fmt.Fprintf(b, "\nbuffers %d\n%6s %11s %11s %6s %6s  %-10s  name\n", len(p.Buffers), "buffer", "offset", "size", "first", "last", "kind")
	for i := range p.Buffers {
		u := &p.Buffers[i]
		notes := ""
		if u.Resident {
			notes += ", resident"
		}
		if u.Expanded {
			notes += ", expanded"
		}
		if u.Ahead > 0 {
			notes += fmt.Sprintf(", for the next run from %d", u.Ahead)
		}
		if u.RingRows > 0 {
			notes += fmt.Sprintf(", ring of %d rows", u.RingRows)
		}
		if u.RingPanels > 0 {
			notes += fmt.Sprintf(", ring of %d panels", u.RingPanels)
		}
		if u.SharesWith >= 0 {
			notes += fmt.Sprintf(", over %d", u.SharesWith)
		}
		if u.Tensor != nil {
			notes += fmt.Sprintf(", %v %s", u.Tensor.Type, dims(u.Tensor.Dims))
		}
		fmt.Fprintf(b, "%6d %11d %11d %6d %6d  %-10s  %s%s\n", u.ID, u.Offset, u.Size, u.First, u.Last, u.Kind, u.Name, notes)
	}

	fmt.Fprintf(b, "\nsteps %d\n%6s %6s  %-10s op\n", len(p.Steps), "step", "wait", "kind")
	for i := range p.Steps {
		s := &p.Steps[i]
		notes := ""
		if s.Panels != (Range{}) {
			notes += fmt.Sprintf(", panels %v", s.Panels)
			if s.Op.Panels != nil {
				notes += fmt.Sprintf(" of %d", s.Op.Panels.Count())
			}
		}
		if s.Rows != (Range{}) {
			notes += fmt.Sprintf(", rows %v", s.Rows)
		}
		if s.Weights >= 0 {
			notes += fmt.Sprintf(", weights %d", s.Weights)
		}
		if len(s.Consts) > 0 {
			notes += fmt.Sprintf(", consts %s", strings.Trim(fmt.Sprint(s.Consts), "[]"))
		}
		if s.Picks {
			notes += ", picks rows"
		}
		if s.Scratch >= 0 {
			notes += fmt.Sprintf(", scratch %d", s.Scratch)
		}
		fmt.Fprintf(b, "%6d %6d  %-10s %s%s\n", s.Index, s.Wait, s.Op.Kind, s.Op.Name, notes)
	}

	fmt.Fprintf(b, "\nloads %d\n%6s %6s %11s %11s %11s %6s  item\n", len(p.Loads), "load", "after", "file", "bytes", "arena", "buffer")
	for i := range p.Loads {
		l := &p.Loads[i]
		after := fmt.Sprint(l.After)
		if l.Resident {
			after = "new"
		}
		if l.Ahead > 0 {
			after = fmt.Sprintf("-%d", len(p.Steps)-l.Ahead)
		}
		part := ""
		if l.Panels != (Range{}) {
			part = fmt.Sprintf(" %v", l.Panels)
		}
		name := "?"
		if l.Item >= 0 && l.Item < len(p.File.Items) {
			name = p.File.Items[l.Item].Name
		}
		fmt.Fprintf(b, "%6d %6s %11d %11d %11d %6d  %d %s%s\n", l.Index, after, l.FileOffset, l.Bytes, l.Arena, l.Buffer, l.Item, name, part)
	}
	return b.Flush()
}

// String prints "lo:hi".
func (r Range) String() string { return fmt.Sprintf("%d:%d", r.Lo, r.Hi) }

func dims(d []int) string { return strings.ReplaceAll(strings.Trim(fmt.Sprint(d), "[]"), " ", "×") }

// Traffic is the bytes of weights that stay in the arena, and those that every
// run reads from the weights file.
func (p *Plan) Traffic() (resident, streamed Bytes) {
	for i := range p.Loads {
		if p.Loads[i].Resident {
			resident += p.Loads[i].Bytes
		} else {
			streamed += p.Loads[i].Bytes
		}
	}
	return resident, streamed
}
