package bench

import (
	"strings"

	"github.com/flexnnc/flexnnc/cmd/flexnnc/bench/runner"
	"github.com/flexnnc/flexnnc/compiler/cost"
	"github.com/flexnnc/flexnnc/ir/op"
	"github.com/flexnnc/flexnnc/ir/plan"
)

// Steps describes the steps of a plan for a report: what they are called and how
// much they do.
func Steps(p *plan.Plan) []runner.Step {
	steps := make([]runner.Step, len(p.Steps))
	for i := range p.Steps {
		s := &p.Steps[i]
		steps[i] = runner.Step{Layer: s.Op.Name, Kind: kind(s.Op), MACs: MACs(s), Bytes: moved(s)}
	}
	// A load is made for the first step that waits for it.
	streamed, i := 0, 0
	for k := range p.Loads {
		l := &p.Loads[k]
		if l.Resident {
			continue
		}
		for streamed++; i < len(p.Steps) && p.Steps[i].Wait < streamed; i++ {
		}
		if i < len(p.Steps) {
			steps[i].Streamed += int64(l.Bytes)
		}
	}
	return steps
}

// kind is the operation, the kernel's size, and the layers fused into it.
func kind(o *op.Op) string {
	t := o.Kind.String()
	switch {
	case o.Conv != nil:
		t += " " + window(o.Conv.KH, o.Conv.KW, o.Conv.SH, o.Conv.SW)
	case o.Pool != nil && !o.Pool.Adaptive:
		t += " " + window(o.Pool.KH, o.Pool.KW, o.Pool.SH, o.Pool.SW)
	case o.Call != nil:
		t += " " + o.Call.Func
	case len(o.Layers) > 0:
		t += " " + o.Layers[0].Type
	}
	if len(o.Layers) > 1 {
		var more []string
		for _, l := range o.Layers[1:] {
			more = append(more, l.Type)
		}
		t += " + " + strings.Join(more, " + ")
	}
	return t
}

func window(kh, kw, sh, sw int) string {
	t := decimal(kh) + "x" + decimal(kw)
	if sh != 1 || sw != 1 {
		t += "/" + decimal(max(sh, sw))
	}
	return t
}

// MACs is the multiply-adds of a step as the direct algorithm makes them, zeros
// of the padding included. Operations that are no sums of products have none.
func MACs(s *plan.Step) float64 {
	o := s.Op
	n := 0.0
	switch {
	case o.Conv != nil:
		c := o.Conv
		n = float64(c.Taps()) * float64(c.Pixels()) * float64(channels(s))
		if o.Kind == op.Conv {
			n *= float64(c.InC)
		}
	case o.Call != nil:
		n = float64(cost.CallMultiplyAdds(o.Call))
	}
	if s.Panels != (plan.Range{}) && o.Call != nil { // some heads
		all := o.Out[0].Len() / o.Out[0].Dims[0]
		n *= float64(min(s.Panels.Hi*op.PanelWidth, all)-s.Panels.Lo*op.PanelWidth) / float64(all)
	}
	return n * share(s)
}

// channels is the output channels that a step computes.
func channels(s *plan.Step) int {
	if s.Panels == (plan.Range{}) {
		return s.Op.Conv.OutC
	}
	return min(s.Panels.Hi*op.PanelWidth, s.Op.Conv.OutC) - s.Panels.Lo*op.PanelWidth
}

// share is the part of the operation's rows that a step computes.
func share(s *plan.Step) float64 {
	if s.Rows == (plan.Range{}) || len(s.Op.Out) == 0 {
		return 1
	}
	return float64(s.Rows.Len()) / float64(s.Op.Out[0].Dims[0])
}

// moved is the bytes of operands that a step reads and writes, each once.
func moved(s *plan.Step) float64 {
	read, written := Moved(s)
	return read + written
}

// Moved is the bytes of operands that a step reads, and those that it writes, each once.
func Moved(s *plan.Step) (read, written float64) {
	o := s.Op
	bytes := func(lists ...[]*op.Tensor) (n float64) {
		for _, list := range lists {
			for _, t := range list {
				n += float64(t.Len()) * float64(t.Type.Bytes())
			}
		}
		return n * share(s)
	}
	read, written = bytes(o.In, o.EpilogueIn), bytes(o.Out)
	if o.Panels != nil {
		read += float64(o.Panels.PanelBytes()) * float64(s.Panels.Len())
	}
	return read, written
}
