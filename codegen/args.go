package codegen

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/dave/jennifer/jen"

	"github.com/flexnnc/flexnnc/ir/op"
	"github.com/flexnnc/flexnnc/ir/plan"
)

// stepArgs is the static description that a step's driver takes, and the
// driver's name. Every arena offset in it is final.
func (u *unit) stepArgs(s *plan.Step) (*jen.Statement, string, error) {
	switch s.Op.Kind {
	case op.Input:
		return u.portArgs(s, s.Op.Out[0], u.portIndex(u.inputs, s.Op)), "runInput", nil
	case op.Output:
		return u.portArgs(s, s.Op.In[0], len(u.inputs)+u.portIndex(u.outputs, s.Op)), "runOutput", nil
	case op.Conv:
		if s.Op.Panels.Int8 != nil {
			a, err := u.int8Args(s, "convStep", "int8Step")
			return a, "runConvInt8", err
		}
		a, err := u.convArgs(s, "convStep")
		if s.Op.Conv.Winograd != 0 && err == nil {
			return u.winogradArgs(s, a), "runWinograd", nil
		}
		return a, "runConv", err
	case op.Depthwise:
		if s.Op.Panels.Int8 != nil {
			a, err := u.int8Args(s, "depthwiseStep", "depthwiseInt8Step")
			return a, "runDepthwiseInt8", err
		}
		a, err := u.convArgs(s, "depthwiseStep")
		return a, "runDepthwise", err
	case op.Quantize:
		return u.quantizeArgs(s), "runQuantize", nil
	case op.Pool:
		return u.poolArgs(s), "runPool", nil
	case op.Map:
		a, err := u.mapArgs(s)
		return a, "runMap", err
	case op.Rows:
		a, err := u.rowsArgs(s)
		return a, "runRows", err
	case op.Copy:
		return u.copyArgs(s), "runCopy", nil
	case op.Call:
		if s.Picks {
			return u.pickArgs(s), "runPick", nil
		}
		if isCustom(s.Op) {
			return u.customArgs(s), "runCustom", nil
		}
		return u.callArgs(s), "runCall", nil
	}
	return nil, "", fmt.Errorf("BUG: no driver for %s", s.Op.Kind)
}

// field is one "name: value" of a struct literal.
func field(name string, v int) jen.Code { return jen.Id(name).Op(":").Lit(v) }

// literal is a struct literal, one field a line. Zero-valued ints are left out.
type literal struct{ codes []jen.Code }

func (l *literal) int(name string, v int) {
	if v != 0 {
		l.codes = append(l.codes, jen.Line().Add(field(name, v)))
	}
}

func (l *literal) code(name string, c jen.Code) {
	l.codes = append(l.codes, jen.Line().Id(name).Op(":").Add(c))
}

func (l *literal) of(typ string) *jen.Statement {
	return jen.Id(typ).Values(append(l.codes, jen.Line())...)
}

// ints is an array literal of fixed length.
func ints(n int, v []int) *jen.Statement {
	return jen.Index(jen.Lit(n)).Int().ValuesFunc(func(g *jen.Group) {
		for _, x := range v {
			g.Lit(x)
		}
	})
}

// place is where a tensor lies: bytes from the arena's start to its first
// element, and bytes between the elements of each axis.
type place struct {
	off     int
	strides []int
	ring    int // rows that exist at a time, 0 = all: row y lies at (first+y) mod ring
	first   int
	width   int // channels that exist at a time, 0 = all
}

// where finds a tensor's place. const tensors lie in a step's own buffer.
func (u *unit) where(s *plan.Step, t *op.Tensor) (place, error) {
	b := u.bufferOf(s, t.Root())
	if b == nil {
		return place{}, fmt.Errorf("BUG: tensor %q has no buffer", t.Name)
	}
	size := t.Type.Bytes()
	p := place{off: int(b.Offset) + t.Offset*size}
	for _, st := range t.Strides {
		p.strides = append(p.strides, st*size)
	}
	if b.RingRows > 0 {
		// Rows of a window may be rows of its buffer, equal parts of them, or several
		// of them from a multiple on. The buffer has no other windows then.
		row := t.Root().Len() / t.Root().Dims[0] * size
		step := row
		if t.Dims[0] > 1 && len(t.Dims) > 1 {
			step = p.strides[0]
		}
		p.ring, p.first = b.RingRows*row/step, t.Offset*size/step
		p.off -= p.first * step
	}
	if b.RingPanels > 0 { // the tensor owns the buffer, which is dense
		p.width = min(t.Dims[len(t.Dims)-1], b.RingPanels*op.PanelWidth)
		n := size * p.width
		for i := len(t.Dims) - 2; i >= 0; i-- {
			p.strides[i] = n
			n *= t.Dims[i]
		}
	}
	return p, nil
}

// bufferOf is the buffer that holds a root tensor during a step.
func (u *unit) bufferOf(s *plan.Step, root *op.Tensor) *plan.Buffer {
	if root.Const != nil {
		i := 0
		for _, list := range [][]*op.Tensor{s.Op.In, s.Op.EpilogueIn} {
			for _, t := range list {
				r := t.Root()
				if r.Const == nil {
					continue
				}
				if r == root {
					return &u.p.Buffers[s.Consts[i]]
				}
				i++
			}
		}
		return nil
	}
	if id, ok := u.buffers[root]; ok {
		return &u.p.Buffers[id]
	}
	return nil
}

// mustPlace is where for tensors that the validator has seen.
func (u *unit) mustPlace(s *plan.Step, t *op.Tensor) place {
	p, err := u.where(s, t)
	if err != nil {
		panic(err.Error())
	}
	return p
}

// image renders a tensor as the runtime's image of [rows][pixels][channels];
// missing outer axes have length one.
func (u *unit) image(s *plan.Step, t *op.Tensor, channel int) *jen.Statement {
	p := u.mustPlace(s, t)
	n := len(p.strides)
	var l []jen.Code
	add := func(name string, v int) {
		if v != 0 {
			l = append(l, field(name, v))
		}
	}
	if p.width > 0 {
		channel %= p.width
	}
	add("off", p.off+channel*t.Type.Bytes())
	if n >= 3 {
		add("row", p.strides[n-3])
	} else if u.column(s.Op) {
		add("row", p.strides[0])
	}
	if n >= 2 {
		add("pix", p.strides[n-2])
	} else {
		add("pix", t.Dims[0]*t.Type.Bytes())
	}
	add("ring", p.ring)
	add("first", p.first)
	return jen.Id("image").Values(l...)
}

func (u *unit) portIndex(ports []port, o *op.Op) int {
	for i, p := range ports {
		if p.op == o {
			return i
		}
	}
	panic("BUG: port of no graph input or output")
}

// portArgs renders an Input or Output step.
func (u *unit) portArgs(s *plan.Step, t *op.Tensor, index int) *jen.Statement {
	p := u.mustPlace(s, t)
	axes := s.Op.Port.Shape.Axes()
	user := make([]int, len(axes)) // elements between neighbours on each user axis
	n := 1
	for i := len(axes) - 1; i >= 0; i-- {
		user[i] = n
		n *= axes[i]
	}
	var dims, us, as [4]int
	for i := range dims {
		dims[i] = 1
	}
	for i, d := range t.Dims {
		k := 4 - len(t.Dims) + i
		from := i
		if s.Op.Port.Perm != nil {
			from = s.Op.Port.Perm[i]
		}
		dims[k], us[k], as[k] = d, user[from], p.strides[i]
	}
	var l literal
	l.int("port", index)
	l.int("off", p.off)
	l.code("dims", ints(4, dims[:]))
	l.code("user", ints(4, us[:]))
	l.code("arena", ints(4, as[:]))
	l.int("rows", 4-len(t.Dims))
	l.int("ring", p.ring)
	l.int("first", p.first)
	return l.of("portStep")
}

// shares says whether a step has its arguments in common with the other slices of
// its convolution: they are then of all channels, and the step's entry in the run
// table says which part it computes. Where the output is a ring of channels a
// slice's place is none that the part tells.
func (u *unit) shares(s *plan.Step) bool {
	o := s.Op
	return o.Kind == op.Conv && s.Panels.Len() < o.Panels.Count() && u.mustPlace(s, o.Out[0]).width == 0
}

// convArgs renders a convolution or depthwise step.
func (u *unit) convArgs(s *plan.Step, typ string) (*jen.Statement, error) {
	o, c := s.Op, u.convShape(s.Op)
	first, end := s.Panels.Lo*op.PanelWidth, min(s.Panels.Hi*op.PanelWidth, o.Panels.N)
	weights := int(u.p.Buffers[s.Weights].Offset)
	if u.shares(s) {
		first, end, weights = 0, o.Panels.N, 0
	}
	var l literal
	l.code("in", u.image(s, o.In[0], u.depthwiseInput(s, first)))
	l.code("out", u.image(s, o.Out[0], first))
	l.int("zeros", u.zeros())
	l.int("inH", c.InH)
	l.int("inW", c.InW)
	if o.Kind == op.Conv {
		if o.Panels.Int8 != nil {
			l.int("inC", c.InC/4)
		} else {
			l.int("inC", c.InC)
		}
	}
	l.int("outH", c.OutH)
	l.int("outW", c.OutW)
	l.int("kh", c.KH)
	l.int("kw", c.KW)
	l.int("sh", c.SH)
	l.int("sw", c.SW)
	l.int("dh", c.DH)
	l.int("dw", c.DW)
	l.int("padT", c.PadT)
	l.int("padL", c.PadL)
	if d := c.Depth; d != nil {
		l.code("depth", jen.Op("&").Id("convDepth").Values(
			field("in", d.In), field("out", d.Out), field("k", d.K), field("s", d.S), field("d", d.D), field("pad", d.Pad),
			field("inPlane", u.mustPlace(s, o.In[0]).strides[0]), field("outPlane", u.mustPlace(s, o.Out[0]).strides[0])))
	}
	l.int("weights", weights)
	if o.Panels.Type == op.F16 {
		l.code("half", jen.True())
	}
	l.int("channels", end-first)
	if o.Kind == op.Depthwise {
		l.int("mult", max(1, c.Mult))
		l.int("firstChannel", first)
	}
	err := u.epilogue(&l, s, first)
	return l.of(typ), err
}

// winogradSize is the memory that a step by Winograd's algorithm has, and whether each
// thread has its own for the inputs of tiles.
func (u *unit) winogradSize(s *plan.Step) (size op.WinogradSize, own bool) {
	ample, lean := s.Op.Conv.WinogradSizes()
	has := u.p.Buffers[s.Scratch].Size
	if has < plan.Bytes(s.Op.StepScratch(u.p.Threads)) {
		return lean, false
	}
	return ample, has >= plan.Bytes(s.Op.OwnStepScratch(u.p.Threads))
}

// winogradArgs renders a convolution step that works by Winograd's algorithm.
func (u *unit) winogradArgs(s *plan.Step, conv *jen.Statement) *jen.Statement {
	var l literal
	size, own := u.winogradSize(s)
	l.code("conv", conv)
	if u.p.Buffers[s.Weights].Expanded {
		l.code("expanded", jen.True())
	}
	l.int("m", s.Op.Conv.Winograd)
	l.int("tiles", size.Tiles)
	l.int("panels", size.Panels)
	l.int("scratch", int(u.p.Buffers[s.Scratch].Offset))
	if own {
		l.code("own", jen.True())
	}
	l.int("shared", size.Shared)
	l.int("work", size.PerThread)
	return l.of("winogradStep")
}

// int8Args renders a step of int8 images: that of float32 ones and what is beside it.
func (u *unit) int8Args(s *plan.Step, typ, int8Type string) (*jen.Statement, error) {
	base, err := u.convArgs(s, typ)
	if err != nil {
		return nil, err
	}
	var l literal
	l.code(typ, base)
	if q := s.Op.Quantize; q != 0 {
		l.code("quantize", float32Lit(q))
		l.int("aside", (4*tilePixels*s.Op.Conv.KH*s.Op.Conv.KW+63)&^63)
	}
	return l.of(int8Type), nil
}

// float32Lit is a constant that is v exactly.
func float32Lit(v float32) jen.Code {
	return jen.Op(strconv.FormatFloat(float64(v), 'g', -1, 32))
}

// quantizeArgs renders the rounding of an image to int8.
func (u *unit) quantizeArgs(s *plan.Step) *jen.Statement {
	in, out := s.Op.In[0], s.Op.Out[0]
	h, w := 1, 1
	n := len(in.Dims)
	for _, d := range in.Dims[:max(0, n-2)] {
		h *= d
	}
	if n >= 2 {
		w = in.Dims[n-2]
	}
	if u.column(s.Op) {
		h, w = w, 1
	}
	var l literal
	l.code("in", u.image(s, in, 0))
	l.code("out", u.image(s, out, 0))
	l.int("h", h)
	l.int("w", w)
	l.int("inC", in.Dims[n-1])
	l.int("outC", out.Dims[n-1])
	l.code("scale", float32Lit(s.Op.Quantize))
	return l.of("quantizeStep")
}

// depthwiseInput is the input channel of a depthwise slice's first output channel.
func (u *unit) depthwiseInput(s *plan.Step, first int) int {
	if s.Op.Kind != op.Depthwise {
		return 0
	}
	return first / max(1, s.Op.Conv.Mult)
}

// poolArgs renders a pooling step.
func (u *unit) poolArgs(s *plan.Step) *jen.Statement {
	o, c := s.Op, u.poolShape(s.Op)
	var l literal
	first, end := 0, c.C
	if s.Panels != (plan.Range{}) {
		first, end = s.Panels.Lo*op.PanelWidth, min(s.Panels.Hi*op.PanelWidth, c.C)
	}
	l.code("in", u.image(s, o.In[0], first))
	l.code("out", u.image(s, o.Out[0], first))
	l.int("channels", end-first)
	l.int("inH", c.InH)
	l.int("inW", c.InW)
	l.int("outH", c.OutH)
	l.int("outW", c.OutW)
	l.int("kh", c.KH)
	l.int("kw", c.KW)
	l.int("sh", c.SH)
	l.int("sw", c.SW)
	l.int("padT", c.PadT)
	l.int("padL", c.PadL)
	if c.Max {
		l.code("max", jen.True())
	}
	if c.CountPad {
		l.code("countPad", jen.True())
	}
	if c.Adaptive {
		l.code("adaptive", jen.True())
	}
	return l.of("poolStep")
}

// callFiles are the runtime sources of a portable kernel: by default one of its
// own name.
func callFiles(name string) []string {
	if files := sharedCalls[name]; files != nil {
		return files
	}
	return []string{name}
}

// sharedCalls are the sources of those kernels that share some.
var sharedCalls = map[string][]string{
	"deconv":           {"conv3d"},
	"lstm":             {"lstm", "product"},
	"gru":              {"gru", "product"},
	"rnn":              {"rnn", "product"},
	"recurrent_int8":   {"recurrent_int8", "product"},
	"fold":             {"unfold"},
	"deform":           {"deform", "cells"},
	"grid_sample":      {"grid_sample", "cells"},
	"roi_pool":         {"roi", "corners"},
	"psroi_pool":       {"roi", "corners"},
	"roi_align":        {"roi", "corners"},
	"detection_output": {"detection_output", "boxes"},
	"yolov3_output":    {"yolo", "boxes"},
	"yolov2_output":    {"yolo", "boxes"},
	"proposal":         {"proposal", "boxes"},
}

// callFunc is the function of a portable kernel.

func callFunc(name string) string { return "call" + names{}.exported(name) }

// callTensor renders an operand of a portable kernel.
func (u *unit) callTensor(s *plan.Step, t *op.Tensor) *jen.Statement {
	return callTensorAt(t, u.mustPlace(s, t))
}

func callTensorAt(t *op.Tensor, p place) *jen.Statement {
	dims, strides := []int{1, 1, 1, 1}, []int{0, 0, 0, 0}
	copy(dims[4-len(t.Dims):], t.Dims)
	copy(strides[4-len(t.Dims):], p.strides)
	vals := []jen.Code{jen.Id("off").Op(":").Lit(p.off), jen.Id("dims").Op(":").Add(ints(4, dims)), jen.Id("strides").Op(":").Add(ints(4, strides))}
	if p.ring != 0 {
		vals = append(vals, field("ring", p.ring), field("first", p.first), field("axis", 4-len(t.Dims)))
	}
	return jen.Values(vals...)
}

// pickArgs renders a step that reads rows of a table from the weights file.
func (u *unit) pickArgs(s *plan.Step) *jen.Statement {
	table := s.Op.In[1].Root().Const
	item := slices.IndexFunc(u.p.File.Items, func(it plan.Item) bool { return it.Const == table })
	it := &u.file.items[u.items[item]]
	var l, of literal
	l.code("ids", jen.Id("callTensor").Add(u.callTensor(s, s.Op.In[0])))
	l.code("out", jen.Id("callTensor").Add(u.callTensor(s, s.Op.Out[0])))
	l.int("words", s.Op.Out[0].Len()/table.RowLen)
	l.int("n", table.RowLen)
	l.int("rows", table.Len/table.RowLen)
	switch table.Type {
	case op.F16:
		l.code("form", jen.Id("formHalf"))
	case op.I8:
		l.code("form", jen.Id("formInt8"))
	}
	of.int("offset", int(it.Offset))
	of.int("firstChunk", it.firstChunk)
	of.int("chunkBytes", int(it.Chunk))
	l.code("table", of.of("load"))
	l.int("bytes", int(it.Bytes))
	l.int("scratch", int(u.p.Buffers[s.Scratch].Offset))
	return l.of("pickStep")
}

// callArgs renders a use of a portable kernel.
func (u *unit) callArgs(s *plan.Step) *jen.Statement {
	tensors := func(ts []*op.Tensor) *jen.Statement {
		return jen.Index().Id("callTensor").ValuesFunc(func(g *jen.Group) {
			for _, t := range ts {
				g.Line().Add(u.callTensor(s, t))
			}
			g.Line()
		})
	}
	c := s.Op.Call
	numbers := c.Ints
	if c.LeanInts != nil && u.p.Buffers[s.Scratch].Size < plan.Bytes(s.Op.StepScratch(u.p.Threads)) {
		numbers = c.LeanInts
	}
	var l literal
	l.code("kernel", jen.Id(callFunc(c.Func)))
	if s.Panels != (plan.Range{}) {
		numbers = u.headArgs(&l, s, numbers)
	} else {
		l.code("in", tensors(s.Op.In))
		l.code("out", tensors(s.Op.Out))
	}
	if len(numbers) > 0 {
		l.code("ints", jen.Index().Int().ValuesFunc(func(g *jen.Group) {
			for _, v := range numbers {
				g.Lit(v)
			}
		}))
	}
	if len(c.Floats) > 0 {
		l.code("floats", jen.Index().Float32().ValuesFunc(func(g *jen.Group) {
			for _, v := range c.Floats {
				g.Lit(float64(v))
			}
		}))
	}
	if len(c.Passes) > 0 {
		l.code("passes", u.passes(c.Passes))
	}
	if c.Rows != nil {
		l.int("rows", 4-len(s.Op.Out[0].Dims))
	}
	if s.Scratch >= 0 {
		l.int("scratch", int(u.p.Buffers[s.Scratch].Offset))
	}
	return l.of("callStep")
}

// copyArgs renders a strided copy. Axes come in the order of the output.
func (u *unit) copyArgs(s *plan.Step) *jen.Statement {
	in, out := s.Op.In[0], s.Op.Out[0]
	pi, po := u.mustPlace(s, in), u.mustPlace(s, out)
	from := pi.strides
	if s.Op.Perm != nil {
		from = make([]int, len(s.Op.Perm))
		for i, a := range s.Op.Perm {
			from[i] = pi.strides[a]
		}
	}
	// The rows that steps take ranges of, or that a ring holds, stay a loop of their own.
	banded := (u.banded[s.Op] || pi.ring != 0 || po.ring != 0) && len(out.Dims) > 1
	cut := 0
	if banded {
		cut = 1
	}
	n := collapse(out.Dims[cut:], [][]int{from[cut:], po.strides[cut:]})
	if k := len(n.dims); k >= 2 && n.strides[0][k-1] != 4 && n.strides[0][k-2] != 4 {
		n.nearest(0)
	}
	dims, inStep, outStep := []int{1, 1, 1, 1, 1}, []int{0, 0, 0, 0, 0}, []int{0, 0, 0, 0, 0}
	at := 5 - len(n.dims)
	copy(dims[at:], n.dims)
	copy(inStep[at:], n.strides[0])
	copy(outStep[at:], n.strides[1])
	var l literal
	if banded {
		dims[0], inStep[0], outStep[0] = out.Dims[0], from[0], po.strides[0]
		l.code("rows", jen.True())
		l.int("inRing", pi.ring)
		l.int("outRing", po.ring)
		l.int("inFirst", pi.first)
		l.int("outFirst", po.first)
	}
	l.int("in", pi.off)
	l.int("out", po.off)
	l.code("dims", ints(5, dims))
	l.code("inStep", ints(5, inStep))
	l.code("outStep", ints(5, outStep))
	return l.of("copyStep")
}
