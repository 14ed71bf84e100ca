package codegen

import (
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/dave/jennifer/jen"

	"github.com/flexnnc/flexnnc/ir/op"
	"github.com/flexnnc/flexnnc/ir/plan"
)

// stepsFile is plan.go: the run, one function per step, and the tables.
func (u *unit) stepsFile() (*jen.File, error) {
	f := u.newFile()
	calls, bodies, err := u.steps()
	if err != nil {
		return nil, err
	}
	resident, streamed := u.loads()
	f.Comment("planned is the whole plan: the engine runs steps in order, and each waits until so")
	f.Comment("many of the loads are complete.")
	f.Var().Id("planned").Op("=").Id("program").Values(
		jen.Line().Id("arenaBytes").Op(":").Id("ArenaBytes"),
		jen.Line().Id("maxThreads").Op(":").Id("MaxThreads"),
		jen.Line().Id("scratch").Op(":").Lit(u.threadScratch().offset),
		jen.Line().Id("scratchBytes").Op(":").Lit(u.threadScratch().bytes),
		jen.Line().Id("resident").Op(":").Id("residentLoads"),
		jen.Line().Id("loads").Op(":").Id("streamedLoads"),
		jen.Line().Id("file").Op(":").Id("weightsFile").Values(
			jen.Line().Id("name").Op(":").Lit(u.weightsName()),
			jen.Line().Id("modelHash").Op(":").Add(hashLit(u.file.modelHash)),
			jen.Line().Id("planHash").Op(":").Add(hashLit(u.file.layoutHash)),
			jen.Line().Id("dataOffset").Op(":").Lit(int(u.file.dataOffset)),
			jen.Line().Id("dataBytes").Op(":").Lit(int(u.file.dataBytes)),
			jen.Line().Id("chunks").Op(":").Lit(u.file.chunks),
			jen.Line().Id("headCRC").Op(":").Op(fmt.Sprintf("0x%08x", u.file.headCRC)),
			jen.Line(),
		),
		jen.Line().Id("steps").Op(":").Index().Id("step").Values(append(calls, jen.Line())...),
		jen.Line(),
	)
	f.Line()
	f.Comment("residentLoads are made once, by New; streamedLoads in every run, in this order, each as")
	f.Comment("soon as `after` steps of the run are complete.")
	f.Var().Id("residentLoads").Op("=").Index().Id("load").Values(resident...)
	f.Var().Id("streamedLoads").Op("=").Index().Id("load").Values(streamed...)
	f.Line()
	u.bufferTable(f)
	for _, b := range bodies {
		f.Add(b)
	}
	return f, nil
}

// slice is what the steps of one function have in common.
type slice struct {
	op      *op.Op
	panels  plan.Range
	weights int
}

// steps renders the run table, and one function with its arguments for each
// slice of an operation; the bands of a slice are calls of the same function.
func (u *unit) steps() (table, bodies []jen.Code, err error) {
	known := map[slice]string{}
	for i := range u.p.Steps {
		s := &u.p.Steps[i]
		key := slice{s.Op, s.Panels, s.Weights}
		name, ok := known[key]
		if !ok {
			name = u.stepName(s)
			known[key] = name
			args, driver, err := u.stepArgs(s)
			if err != nil {
				return nil, nil, fmt.Errorf("step %d, %q: %w", i, s.Op.Name, err)
			}
			data := "args" + strings.TrimPrefix(name, "step")
			bodies = append(bodies,
				comment(u.stepComment(s)),
				jen.Func().Id(name).Params(jen.Id("t").Op("*").Id("thread")).Block(jen.Id(driver).Call(jen.Id("t"), jen.Op("&").Id(data))),
				jen.Line(),
				jen.Var().Id(data).Op("=").Add(args),
				jen.Line(),
			)
		}
		vals := []jen.Code{jen.Id("run").Op(":").Id(name)}
		if s.Wait > 0 {
			vals = append(vals, jen.Id("wait").Op(":").Lit(s.Wait))
		}
		if s.Rows.Hi != 0 {
			vals = append(vals, jen.Id("rows").Op(":").Add(ints(2, []int{s.Rows.Lo, s.Rows.Hi})))
		}
		table = append(table, jen.Line().Values(vals...))
	}
	return table, bodies, nil
}

// comment renders one comment line per text.
func comment(lines []string) jen.Code {
	var c jen.Statement
	for i, l := range lines {
		if i > 0 {
			c.Line()
		}
		c.Comment(l)
	}
	return &c
}

func hashLit(h [32]byte) jen.Code {
	text := hex.EncodeToString(h[:])
	return jen.Index(jen.Lit(32)).Byte().ValuesFunc(func(g *jen.Group) {
		for i := range h {
			g.Op("0x" + text[2*i:2*i+2])
		}
	})
}

// loads renders the load tables; each row's comment says what it brings.
func (u *unit) loads() (resident, streamed []jen.Code) {
	for i := range u.p.Loads {
		l := &u.p.Loads[i]
		it := u.p.File.Items[l.Item]
		group, _ := groups(it)
		first := u.file.firstChunk[l.Item] + l.Panels.Lo*chunksPerGroup(it)
		vals := []jen.Code{
			jen.Id("offset").Op(":").Lit(int(l.FileOffset)),
			jen.Id("bytes").Op(":").Lit(int(l.Bytes)),
			jen.Id("arena").Op(":").Lit(int(l.Arena)),
			jen.Id("after").Op(":").Lit(l.After),
			jen.Id("firstChunk").Op(":").Lit(first),
			jen.Id("groupBytes").Op(":").Lit(group),
			jen.Id("chunkBytes").Op(":").Lit(int(it.Chunk)),
		}
		what := it.Name
		if it.Panels != nil {
			what = fmt.Sprintf("%s, panels %d to %d of %d", it.Name, l.Panels.Lo, l.Panels.Hi, it.Panels.Count())
		}
		row := jen.Line().Comment(what).Line().Values(vals...)
		if l.Resident {
			resident = append(resident, row)
		} else {
			streamed = append(streamed, row)
		}
	}
	for _, list := range []*[]jen.Code{&resident, &streamed} {
		if len(*list) > 0 {
			*list = append(*list, jen.Line())
		}
	}
	return resident, streamed
}

// bufferTable emits what lies where, for readers and for the test.
func (u *unit) bufferTable(f *jen.File) {
	f.Comment("buffers is the arena's map: what lies at which offset, from the start of step first to")
	f.Comment("the end of step last. over names the buffer that one replaces on purpose.")
	f.Var().Id("buffers").Op("=").Index().Struct(
		jen.Id("name").String(),
		jen.List(jen.Id("offset"), jen.Id("size")).Int(),
		jen.List(jen.Id("first"), jen.Id("last")).Int(),
		jen.Id("over").String(),
	).ValuesFunc(func(g *jen.Group) {
		for _, b := range u.p.Buffers {
			over := ""
			if b.SharesWith >= 0 {
				over = u.bufferName(u.p.Buffers[b.SharesWith])
			}
			g.Line().Values(jen.Lit(u.bufferName(b)), jen.Lit(int(b.Offset)), jen.Lit(int(b.Size)),
				jen.Lit(b.First), jen.Lit(b.Last), jen.Lit(over))
		}
		g.Line()
	})
	f.Line()
}

func (u *unit) bufferName(b plan.Buffer) string {
	return fmt.Sprintf("%d %s %s", b.ID, b.Kind, b.Name)
}

type region struct{ offset, bytes int }

// threadScratch is the arena region of per-thread scratch; bytes are per thread.
func (u *unit) threadScratch() region {
	for _, b := range u.p.Buffers {
		if b.Kind == plan.ThreadScratch {
			return region{int(b.Offset), int(b.Size) / u.p.Threads}
		}
	}
	return region{}
}

// zeros is the arena offset of the zero buffer, 0 where there is none.
func (u *unit) zeros() int {
	for _, b := range u.p.Buffers {
		if b.Kind == plan.Zeros {
			return int(b.Offset)
		}
	}
	return 0
}

// stepName is "step012Fire2Expand3x3".
func (u *unit) stepName(s *plan.Step) string {
	return fmt.Sprintf("step%0*d%s", len(fmt.Sprint(len(u.p.Steps)-1)), s.Index, names{}.exported(s.Op.Name))
}

// stepComment says what a step does: layers, shapes, slice, weights.
func (u *unit) stepComment(s *plan.Step) []string {
	o := s.Op
	lines := []string{fmt.Sprintf("Step %d: %s %q%s", s.Index, o.Kind, o.Name, kindText(o))}
	var b strings.Builder
	for i, t := range o.In {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(fmt.Sprintf("%s%v", t.Name, t.Dims))
	}
	if len(o.In) > 0 {
		b.WriteString(" -> ")
	}
	for i, t := range o.Out {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(fmt.Sprintf("%s%v", t.Name, t.Dims))
	}
	lines = append(lines, b.String())
	if o.Panels == nil && s.Panels != (plan.Range{}) {
		lines = append(lines, fmt.Sprintf("channels %d to %d of %d", s.Panels.Lo*op.PanelWidth, min(s.Panels.Hi*op.PanelWidth, o.Pool.C), o.Pool.C))
	}
	if o.Panels != nil {
		lo, hi := s.Panels.Lo*op.PanelWidth, min(s.Panels.Hi*op.PanelWidth, o.Panels.N)
		w := u.p.Buffers[s.Weights]
		lines = append(lines, fmt.Sprintf("output channels %d to %d of %d; weights: %s at %d", lo, hi, o.Panels.N, bytesText(int64(w.Size)), w.Offset))
	}
	if o.Epilogue != nil {
		lines = append(lines, "then "+o.Epilogue.Name)
	}
	return lines
}

func kindText(o *op.Op) string {
	switch {
	case o.Conv != nil:
		c := o.Conv
		t := fmt.Sprintf(", %dx%d", c.KH, c.KW)
		if c.SH > 1 || c.SW > 1 {
			t += fmt.Sprintf(" stride %dx%d", c.SH, c.SW)
		}
		if c.DH > 1 || c.DW > 1 {
			t += fmt.Sprintf(" dilation %dx%d", c.DH, c.DW)
		}
		return t
	case o.Pool != nil:
		return fmt.Sprintf(", %dx%d stride %dx%d", o.Pool.KH, o.Pool.KW, o.Pool.SH, o.Pool.SW)
	case o.Map != nil:
		return ", " + o.Map.Program.Name
	case o.Call != nil:
		return ", " + o.Call.Func
	}
	return ""
}
