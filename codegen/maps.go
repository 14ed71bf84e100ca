package codegen

import (
	"fmt"
	"slices"

	"github.com/dave/jennifer/jen"

	"github.com/flexnnc/flexnnc/ir/lane"
	"github.com/flexnnc/flexnnc/ir/op"
	"github.com/flexnnc/flexnnc/ir/plan"
)

// reluProgram is the activation that convolution kernels apply themselves.
const reluProgram = "relu"

// loops is the loop nest of a Map or Rows step: at most four outer loops, those
// of length one in front, and the innermost run.
type loops struct {
	dims  [4]int
	n     int
	rows  int // the loop over the outermost axis, -1 where none is told apart
	steps [][4]int
	inner []int // bytes between neighbours of a run, per operand
}

// nestOf collapses the loops over dims for operands at places. The outermost axis
// stays a loop of its own where steps take ranges of it or a ring holds it.
func nestOf(dims []int, places []place, banded, keepInner bool) (loops, error) {
	strides := make([][]int, len(places))
	for i, p := range places {
		strides[i] = p.strides
		banded = banded || p.ring != 0
	}
	l := loops{rows: -1, dims: [4]int{1, 1, 1, 1}}
	body, cut := dims, 0
	if banded && len(dims) > 1 {
		body, cut = dims[1:], 1
	}
	inner := make([][]int, len(places))
	for i := range strides {
		inner[i] = strides[i][cut:]
	}
	var n nest
	if keepInner { // the innermost axis is a row: only the others may be joined
		last := len(body) - 1
		outer := make([][]int, len(places))
		for i := range inner {
			outer[i] = inner[i][:last]
		}
		if last > 0 {
			n = collapse(body[:last], outer)
		}
		if last == 0 || len(n.dims) == 1 && n.dims[0] == 1 {
			n = nest{strides: make([][]int, len(places))}
		}
		n.dims = append(n.dims, body[last])
		for i := range inner {
			n.strides[i] = append(n.strides[i], inner[i][last])
		}
	} else {
		n = collapse(body, inner)
	}
	k := len(n.dims) - 1
	if k+cut > 4 {
		return l, fmt.Errorf("BUG: %d loops around a run", k+cut)
	}
	l.n = n.dims[k]
	copy(l.dims[4-k:], n.dims[:k])
	l.steps = make([][4]int, len(places))
	for i := range places {
		copy(l.steps[i][4-k:], n.strides[i][:k])
		l.inner = append(l.inner, n.strides[i][k])
	}
	if cut == 1 {
		l.rows = 4 - k - 1
		l.dims[l.rows] = dims[0]
		for i := range places {
			l.steps[i][l.rows] = strides[i][0]
		}
	}
	return l, nil
}

// broadcast aligns an input's strides with the output's dims: axes of length one
// (or missing in front) are not stepped along.
func broadcast(t *op.Tensor, p place, dims []int) place {
	s := make([]int, len(dims))
	skip := len(dims) - len(t.Dims)
	for i := range t.Dims {
		if t.Dims[i] != 1 || dims[skip+i] == 1 {
			s[skip+i] = p.strides[i]
		}
	}
	p.strides = s
	return p
}

// operandLit renders one operand of a loop nest.
func operandLit(p place, step [4]int, splat bool) *jen.Statement {
	vals := []jen.Code{jen.Id("off").Op(":").Lit(p.off), jen.Id("step").Op(":").Add(ints(4, step[:]))}
	if p.ring != 0 {
		vals = append(vals, field("ring", p.ring))
		if p.first != 0 {
			vals = append(vals, field("first", p.first))
		}
	}
	if splat {
		vals = append(vals, jen.Id("splat").Op(":").True())
	}
	return jen.Values(vals...)
}

// mapArgs renders a program over the elements of its output.
func (u *unit) mapArgs(s *plan.Step) (*jen.Statement, error) {
	p, out, in := s.Op.Map.Program, s.Op.Out[0], s.Op.In
	places := []place{u.mustPlace(s, out)}
	for _, t := range in {
		places = append(places, broadcast(t, u.mustPlace(s, t), out.Dims))
	}
	n, err := nestOf(out.Dims, places, u.banded[s.Op], false)
	if err != nil {
		return nil, err
	}
	if n.n > 1 && !runsAreDense(p, n.inner) {
		// Windows of a tensor with rows of one: the run is that one.
		single := make([]place, len(places))
		for i, q := range places {
			single[i] = q
			single[i].strides = append(slices.Clone(q.strides), 4)
		}
		if n, err = nestOf(append(slices.Clone(out.Dims), 1), single, u.banded[s.Op], true); err != nil {
			return nil, err
		}
	}
	for i := range in {
		want := 0
		if p.Inputs[i] == lane.Vector {
			want = 4
		}
		if n.inner[i+1] != want && n.n > 1 {
			return nil, fmt.Errorf("BUG: input %d of program %s steps by %d bytes", i, p.Name, n.inner[i+1])
		}
	}
	if n.inner[0] != 4 && n.n > 1 {
		return nil, fmt.Errorf("BUG: the output of program %s steps by %d bytes", p.Name, n.inner[0])
	}
	var l literal
	l.code("kernel", jen.Op("&").Id(u.kernels.program(p)))
	l.code("out", jen.Id("operand").Add(operandLit(places[0], n.steps[0], false)))
	l.code("in", jen.Index().Id("operand").ValuesFunc(func(g *jen.Group) {
		for i := range in {
			g.Line().Add(operandLit(places[i+1], n.steps[i+1], p.Inputs[i] == lane.Splat))
		}
		g.Line()
	}))
	l.code("dims", ints(4, n.dims[:]))
	l.int("n", n.n)
	l.codes = append(l.codes, jen.Line().Id("rows").Op(":").Lit(n.rows))
	return l.of("mapStep"), nil
}

// runsAreDense tells whether the elements of a run are neighbours in the output and
// in every input that is read as a vector.
func runsAreDense(p *lane.Program, inner []int) bool {
	for i, step := range inner[1:] {
		if p.Inputs[i] == lane.Vector && step != 4 {
			return false
		}
	}
	return inner[0] == 4
}

// rowsArgs renders passes over rows.
func (u *unit) rowsArgs(s *plan.Step) (*jen.Statement, error) {
	o := s.Op
	out := o.Out[0]
	places := []place{u.mustPlace(s, out)}
	for _, t := range o.In {
		places = append(places, broadcast(t, u.mustPlace(s, t), out.Dims))
	}
	n, err := nestOf(out.Dims, places, u.banded[o], true)
	if err != nil {
		return nil, err
	}
	var l literal
	l.code("out", jen.Id("operand").Add(operandLit(places[0], n.steps[0], false)))
	l.code("in", jen.Index().Id("operand").ValuesFunc(func(g *jen.Group) {
		for i := range o.In {
			g.Line().Add(operandLit(places[i+1], n.steps[i+1], false))
		}
		g.Line()
	}))
	l.code("dims", ints(4, n.dims[:]))
	l.int("n", n.n)
	l.codes = append(l.codes, jen.Line().Id("rows").Op(":").Lit(n.rows))
	l.code("passes", u.passes(o.Rows.Passes))
	return l.of("rowsStep"), nil
}

// passes renders passes over a row.
func (u *unit) passes(passes []op.Pass) *jen.Statement {
	return jen.Index().Id("rowPass").ValuesFunc(func(g *jen.Group) {
		for _, p := range passes {
			vals := []jen.Code{
				jen.Id("kernel").Op(":").Op("&").Id(u.kernels.program(p.Program)),
				jen.Id("in").Op(":").Index().Id("rowSource").ValuesFunc(func(g *jen.Group) {
					for _, src := range p.In {
						g.Values(jen.Id([...]string{"rowInput", "rowOutput", "rowRegister"}[src.Kind]), jen.Lit(src.Index))
					}
				}),
				jen.Id("to").Op(":").Lit(p.To),
			}
			if p.Scalar {
				vals = append(vals, jen.Id("scalar").Op(":").True())
			}
			g.Line().Values(vals...)
		}
		g.Line()
	})
}

// tilePixels is the most pixels of a tile of the runtime's convolutions, whose
// table of offsets comes first in the scratch of a thread.
const tilePixels = 8

// overlaid says whether the output of a step lies over what its epilogue reads.
func (u *unit) overlaid(s *plan.Step) bool {
	out := u.bufferOf(s, s.Op.Out[0].Root())
	for _, t := range s.Op.EpilogueIn {
		b := u.bufferOf(s, t.Root())
		if t.Root().Const == nil && b.Offset < out.Offset+out.Size && out.Offset < b.Offset+b.Size {
			return true
		}
	}
	return false
}

// epilogue renders what follows a convolution on each piece of its output: the
// activation that the kernels apply themselves, or a program.
func (u *unit) epilogue(l *literal, s *plan.Step, first int) error {
	o := s.Op
	switch {
	case o.Epilogue == nil:
		return nil
	case o.Epilogue.Name == reluProgram && len(o.EpilogueIn) == 0:
		l.code("act", jen.Id("actRelu"))
		return nil
	}
	in := make([]jen.Code, 0, len(o.EpilogueIn)+1)
	for i, t := range o.EpilogueIn {
		p := broadcast(t, u.mustPlace(s, t), o.Out[0].Dims)
		splat := o.Epilogue.Inputs[i+1] == lane.Splat
		last := len(p.strides) - 1
		if !splat {
			if p.strides[last] != 4 && o.Out[0].Dims[last] > 1 {
				return fmt.Errorf("BUG: input %d of epilogue %s steps by %d bytes", i+1, o.Epilogue.Name, p.strides[last])
			}
			p.off += 4 * first
		}
		var step [4]int // rows and pixels are loops 2 and 3
		copy(step[4-last:], p.strides[:last])
		if u.column(o) {
			step = [4]int{2: p.strides[0]}
		}
		in = append(in, jen.Line().Add(operandLit(p, step, splat)))
	}
	fields := []jen.Code{jen.Id("kernel").Op(":").Op("&").Id(u.kernels.program(o.Epilogue))}
	if len(in) > 0 {
		fields = append(fields, jen.Id("in").Op(":").Index().Id("operand").Values(append(in, jen.Line())...))
	}
	if u.overlaid(s) {
		fields = append(fields, field("aside", (4*tilePixels*o.Conv.KH*o.Conv.KW+63)&^63))
	}
	l.code("epilogue", jen.Id("epilogue").Values(fields...))
	return nil
}
