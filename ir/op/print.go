package op

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/flexnnc/flexnnc/ir"
)

// Print writes the graph as stable text, an operation a line:
//
//	squeezenet: 3 ops, 2 tensors
//	  0 input "data": -> %0 data f32[227,227,3]  user 227,227,3 perm 1,2,0
//	  1 conv "conv1": %0 data -> %1 conv1 f32[113,113,64]  kernel 3,3 stride 2,2; panels 4 of K 27; then relu
//	  2 output "conv1": %1 conv1 ->  user 113,113,64 perm 1,2,0
//
// A window says "in %BASE +OFFSET by STRIDES". Dims and window are given where a
// tensor is produced, and where it is read if no operation produces it as a whole:
// const tensors, and after placement what was a view or a concatenation.
func (g *Graph) Print(w io.Writer) error {
	b := bufio.NewWriter(w)
	fmt.Fprintf(b, "%s: %d ops, %d tensors\n", g.Name, len(g.Ops), len(g.Tensors))
	for _, o := range g.Ops {
		fmt.Fprintf(b, "%3d %s\n", o.Index, o)
	}
	return b.Flush()
}

// String is what Print writes.
func (g *Graph) String() string {
	var b strings.Builder
	g.Print(&b)
	return b.String()
}

// String is one line of Print, without the index.
func (o *Op) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %q:", o.Kind, o.Name)
	for _, t := range o.In {
		b.WriteString(" " + t.use())
	}
	b.WriteString(" ->")
	for _, t := range o.Out {
		b.WriteString(" " + t.String())
	}
	if a := o.attributes(); len(a) > 0 {
		b.WriteString("  " + strings.Join(a, "; "))
	}
	return b.String()
}

func (o *Op) attributes() []string {
	var a []string
	add := func(format string, args ...any) { a = append(a, fmt.Sprintf(format, args...)) }
	if p := o.Port; p != nil {
		add("user %s perm %s", p.Shape, ints(p.Perm))
	}
	if c := o.Conv; c != nil {
		add("kernel %d,%d stride %d,%d%s%s", c.KH, c.KW, c.SH, c.SW,
			unless(c.DH == 1 && c.DW == 1, " dilation %d,%d", c.DH, c.DW), unless(c.PadT == 0 && c.PadL == 0, " pad %d,%d", c.PadT, c.PadL))
		if d := c.Depth; d != nil {
			add("depth kernel %d stride %d dilation %d pad %d", d.K, d.S, d.D, d.Pad)
		}
		if c.Winograd != 0 {
			add("winograd %d,%d by %d tiles", c.Winograd, c.Winograd, c.WinogradTiles)
		}
	}
	if p := o.Pool; p != nil {
		how := "average"
		if p.Max {
			how = "max"
		}
		add("%s kernel %d,%d stride %d,%d%s%s%s", how, p.KH, p.KW, p.SH, p.SW, unless(p.PadT == 0 && p.PadL == 0, " pad %d,%d", p.PadT, p.PadL),
			unless(!p.CountPad, " counting pads"), unless(!p.Adaptive, " adaptive"))
	}
	if m := o.Map; m != nil && m.Program != nil {
		add("%s", m.Program.Name)
	}
	if r := o.Rows; r != nil {
		add("passes %s", r.passes())
	}
	if c := o.Call; c != nil {
		add("%s(%s%s)", c.Func, ints(c.Ints), unless(len(c.Floats) == 0, "; %v", c.Floats))
		if c.Rows != nil {
			add("by rows")
		}
	}
	if p := o.Panels; p != nil {
		add("panels %d of K %d%s%s", p.Count(), p.K(), unless(len(p.Fold) == 0, " folding %d", len(p.Fold)), p.storage())
	}
	if o.Kind == Concat {
		add("axis %d", o.Axis)
	}
	if o.Perm != nil {
		add("perm %s", ints(o.Perm))
	}
	if o.Start != nil {
		add("from %s", ints(o.Start))
	}
	if o.Affine != nil {
		add("affine")
	}
	if o.Epilogue != nil {
		with := ""
		for _, t := range o.EpilogueIn {
			with += " " + t.use()
		}
		add("then %s%s", o.Epilogue.Name, with)
	}
	if o.Quantize != 0 {
		add("times %v to int8", o.Quantize)
	}
	if o.Scratch != 0 || o.WorkScratch != 0 || o.ThreadScratch != 0 {
		add("scratch %d%s, per thread %d", o.Scratch, unless(o.WorkScratch == 0, " and %d per thread", o.WorkScratch), o.ThreadScratch)
	}
	if o.LeanScratch != 0 || o.LeanWorkScratch != 0 {
		add("at least %d and %d per thread", o.LeanScratch, o.LeanWorkScratch)
	}
	if o.RowGrain > 1 {
		add("rows from multiples of %d", o.RowGrain)
	}
	return a
}

// storage says in which form weights are packed where that is not float32, or is
// so although the file holds them as float16: folding makes other numbers of them.
func (p *Panels) storage() string {
	if p.Type == F32 && p.Weight != nil && p.Weight.Storage == ir.StoreF16 {
		return " f16 widened"
	}
	return unless(p.Type == F32, " %s", p.Type)
}

func (r *RowsAttr) passes() string {
	var s []string
	for _, p := range r.Passes {
		var in []string
		for _, src := range p.In {
			in = append(in, src.String())
		}
		t := p.Program.Name + "(" + strings.Join(in, ",") + ")"
		if p.To >= 0 && (p.Scalar || p.Program.Reduce != 0) {
			t += "->r" + strconv.Itoa(p.To)
		}
		if p.Out {
			t += "->out"
		}
		s = append(s, t)
	}
	return strings.Join(s, " ")
}

func (s Source) String() string {
	switch s.Kind {
	case FromInput:
		return "in" + strconv.Itoa(s.Index)
	case FromOutput:
		return "out"
	}
	return "r" + strconv.Itoa(s.Index)
}

// String names the tensor, its type and dims, and where it is a window, of what.
func (t *Tensor) String() string {
	s := fmt.Sprintf("%%%d %s %s[%s]", t.ID, t.Name, t.Type, ints(t.Dims))
	if t.Const != nil {
		s += " const"
	}
	if t.Base != nil {
		s += fmt.Sprintf(" in %%%d +%d by %s", t.Base.ID, t.Offset, ints(t.Strides))
	}
	return s
}

// use names a tensor that an operation reads.
func (t *Tensor) use() string {
	if t.Const != nil || t.Producer == nil || !slices.Contains(t.Producer.Out, t) {
		return t.String()
	}
	return fmt.Sprintf("%%%d %s", t.ID, t.Name)
}

func ints(v []int) string {
	s := make([]string, len(v))
	for i, x := range v {
		s[i] = strconv.Itoa(x)
	}
	return strings.Join(s, ",")
}

func unless(usual bool, format string, args ...any) string {
	if usual {
		return ""
	}
	return fmt.Sprintf(format, args...)
}
