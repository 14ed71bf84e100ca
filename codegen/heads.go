package codegen

import (
	"slices"

	"github.com/dave/jennifer/jen"

	"github.com/flexnnc/flexnnc/ir/op"
	"github.com/flexnnc/flexnnc/ir/plan"
)

// headArgs renders the operands of a step that makes a range of an attention's heads,
// as those of an attention of no others, and gives the numbers of that one.
func (u *unit) headArgs(l *literal, s *plan.Step, numbers []int) []int {
	o := s.Op
	width := o.Call.HeadWidth
	first := s.Panels.Lo * op.PanelWidth
	end := min(s.Panels.Hi*op.PanelWidth, o.Out[0].Len()/o.Out[0].Dims[0])
	// Heads lie side by side in rows of end-first channels, of which there may be no others.
	heads := func(t *op.Tensor) *jen.Statement {
		rows, row := t.Dims[0], 0
		p := u.mustPlace(s, t.Root())
		off := p.off + t.Offset*t.Type.Bytes()
		if p.width > 0 {
			row, off = p.width*t.Type.Bytes(), off+first%p.width*t.Type.Bytes()
		} else {
			row, off = t.Strides[0]*t.Type.Bytes(), off+first*t.Type.Bytes()
		}
		return jen.Values(jen.Id("off").Op(":").Lit(off), jen.Id("dims").Op(":").Add(ints(4, []int{1, 1, rows, end - first})),
			jen.Id("strides").Op(":").Add(ints(4, []int{0, 0, row, t.Type.Bytes()})))
	}
	numbers = slices.Clone(numbers)
	numbers[0] = (end - first) / width
	for i := 6; i < 14; i += 2 {
		numbers[i], numbers[i+1] = width, end-first
	}
	l.code("in", jen.Index().Id("callTensor").ValuesFunc(func(g *jen.Group) {
		for _, t := range o.In[:3] {
			g.Line().Add(heads(t))
		}
		for _, t := range o.In[3:] {
			p := u.mustPlace(s, t)
			if numbers[14] != 0 { // a mask per head
				p.off += first / width * p.strides[len(p.strides)-3]
			}
			g.Line().Add(callTensorAt(t, p))
		}
		g.Line()
	}))
	l.code("out", jen.Index().Id("callTensor").Values(jen.Line().Add(heads(o.Out[0])), jen.Line()))
	return numbers
}
