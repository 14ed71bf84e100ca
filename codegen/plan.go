package codegen

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/dave/jennifer/jen"

	"github.com/flexnnc/flexnnc/ir/op"
	"github.com/flexnnc/flexnnc/ir/plan"
)

// planFiles are plan.go and, where the package has several plans, a file for each.
func (k *pkg) planFiles() (map[string]*jen.File, error) {
	f := k.newFile()
	files := map[string]*jen.File{"plan.go": f}
	f.Comment("planned is what the package runs: its plans, and the weights file that they share.")
	f.Var().Id("planned").Op("=").Id("network").Values(
		jen.Line().Id("file").Op(":").Id("weightsFile").Values(
			jen.Line().Id("name").Op(":").Lit(k.weightsName()),
			jen.Line().Id("modelHash").Op(":").Add(hashLit(k.file.modelHash)),
			jen.Line().Id("planHash").Op(":").Add(hashLit(k.file.layoutHash)),
			jen.Line().Id("dataOffset").Op(":").Lit(int(k.file.dataOffset)),
			jen.Line().Id("dataBytes").Op(":").Lit(int(k.file.dataBytes)),
			jen.Line().Id("chunks").Op(":").Lit(k.file.chunks),
			jen.Line().Id("headCRC").Op(":").Op(fmt.Sprintf("0x%08x", k.file.headCRC)),
			jen.Line(),
		),
		jen.Line().Id("maxThreads").Op(":").Id("MaxThreads"),
		jen.Line().Id("inputs").Op(":").Lit(len(k.units[0].inputs)),
		jen.Line().Id("ports").Op(":").Lit(len(k.units[0].inputs)+len(k.units[0].outputs)),
		k.customSlices(),
		jen.Line().Id("budgets").Op(":").Index().Int().ValuesFunc(func(g *jen.Group) {
			for _, b := range k.budgets {
				g.Add(k.budgetConst(b))
			}
		}),
		jen.Line().Id("programs").Op(":").Index().Op("*").Id("program").ValuesFunc(func(g *jen.Group) {
			for _, u := range k.units {
				row := jen.Op("&").Id(u.ident("plan"))
				if len(k.units) > 1 {
					row = jen.Line().Add(row)
				}
				g.Add(row)
			}
			if len(k.units) > 1 {
				g.Line()
			}
		}),
		jen.Line(),
	)
	f.Line()
	k.bufferType(f)
	tables := make([][]jen.Code, len(k.units))
	for i, u := range k.units {
		var err error
		if tables[i], err = u.steps(); err != nil {
			return nil, err
		}
	}
	for i, u := range k.units {
		g := f
		if len(k.units) > 1 {
			g = k.newFile()
			files["plan_"+strings.ToLower(u.name)+".go"] = g
		}
		u.tables(g, tables[i])
		for _, fn := range u.first {
			g.Add(fn.code())
		}
	}
	return files, nil
}

// tables are a plan's steps, loads and buffers.
func (u *unit) tables(f *jen.File, steps []jen.Code) {
	resident, streamed := u.loads()
	name, residents, streams := u.ident("plan"), u.ident("residentLoads"), u.ident("streamedLoads")
	f.Commentf("%s is the run%s.", name, u.within)
	f.Comment("Its steps are made in order; each waits until so many of the streamed loads are complete, and")
	f.Comment("so many of the residents are kept from an earlier run or have come.")
	scratch, zeros := u.region(plan.ThreadScratch), u.region(plan.Zeros)
	f.Var().Id(name).Op("=").Id("program").Values(
		jen.Line().Id("arenaBytes").Op(":").Lit(int(u.p.Arena)),
		jen.Line().Id("scratch").Op(":").Lit(scratch.offset),
		jen.Line().Id("scratchBytes").Op(":").Lit(scratch.bytes/u.p.Threads),
		jen.Line().Id("zeros").Op(":").Lit(zeros.offset),
		jen.Line().Id("zerosBytes").Op(":").Lit(zeros.bytes),
		jen.Line().Id("resident").Op(":").Id(residents),
		jen.Line().Id("loads").Op(":").Id(streams),
		jen.Line().Id("steps").Op(":").Index().Id("step").Values(append(steps, jen.Line())...),
		jen.Line(),
	)
	f.Line()
	kept, read := u.p.Traffic()
	f.Commentf("%s stay in the arena between runs: %s.", residents, bytesText(int64(kept)))
	f.Var().Id(residents).Op("=").Index().Id("load").Values(resident...)
	f.Line()
	f.Commentf("%s are made in every run, in this order,", streams)
	f.Commentf("each as soon as `after` steps of the run are complete: %s. Step `before` is the first that", bytesText(int64(read)))
	f.Comment("waits for it.")
	f.Var().Id(streams).Op("=").Index().Id("load").Values(streamed...)
	f.Line()
	u.picture(f)
	u.bufferTable(f)
}

// picture draws the arena over the steps, as flexnnc plan does.
func (u *unit) picture(f *jen.File) {
	var b strings.Builder
	if err := plan.Picture(&b, u.p, pictureRows, pictureColumns); err != nil {
		return
	}
	f.Commentf("%s is the arena's map. Over the steps it looks like this:", u.ident("buffers"))
	f.Comment("")
	for _, l := range strings.Split(strings.TrimRight(b.String(), "\n"), "\n") {
		f.Comment("\t" + strings.TrimRight(l, " "))
	}
}

const (
	pictureRows    = 12
	pictureColumns = 76
)

// slice is what the steps of one function have in common.
type slice struct {
	op      *op.Op
	panels  plan.Range
	weights int
}

// stepFunc is an emitted function and its arguments. Steps whose arguments are
// equal call the same one, whichever plan they are of.
type stepFunc struct {
	name, driver string
	args         *jen.Statement
	uses         []string // "step 7 within 65536 bytes"
	steps        []int    // those of the plan at hand that call it
	comment      []string
}

func (s *stepFunc) code() jen.Code {
	data := "args" + strings.TrimPrefix(s.name, "step")
	uses := s.uses[0]
	if n := len(s.uses); n > 1 {
		uses = strings.Join(s.uses[:n-1], ", ") + " and " + s.uses[n-1]
	}
	lines := append([]string{strings.ToUpper(uses[:1]) + uses[1:] + ": " + s.comment[0]}, s.comment[1:]...)
	return jen.Add(comment(lines)).Line().
		Func().Id(s.name).Params(jen.Id("t").Op("*").Id("thread")).Block(jen.Id(s.driver).Call(jen.Id("t"), jen.Op("&").Id(data))).
		Line().Line().
		Var().Id(data).Op("=").Add(s.args).Line()
}

// steps renders the run table, and notes one function with its arguments for each
// slice of an operation, or one for those that share; the bands of a slice are
// calls of the same function.
func (u *unit) steps() (table []jen.Code, err error) {
	known := map[slice]*stepFunc{}
	kept := u.kept()
	for i := range u.p.Steps {
		s := &u.p.Steps[i]
		key := slice{s.Op, s.Panels, s.Weights}
		fn := known[key]
		if fn == nil {
			args, driver, err := u.stepArgs(s)
			if err != nil {
				return nil, fmt.Errorf("step %d, %q: %w", i, s.Op.Name, err)
			}
			text := fmt.Sprintf("%s %s %t %#v", s.Op.Name, driver, u.shares(s), args)
			if fn = u.funcs[text]; fn == nil {
				fn = &stepFunc{name: u.stepName(s), driver: driver, args: args, comment: u.stepComment(s)}
				u.funcs[text] = fn
				u.first = append(u.first, fn)
			}
			known[key] = fn
		}
		fn.steps = append(fn.steps, i)
		vals := []jen.Code{jen.Id("run").Op(":").Id(fn.name)}
		if u.shares(s) {
			vals = append(vals, jen.Id("part").Op(":").Id("part").Values(
				field("panel", s.Panels.Lo), field("panels", s.Panels.Len()), field("weights", int(u.p.Buffers[s.Weights].Offset))))
		} else if s.Op.Kind == op.Conv && s.Weights >= 0 {
			vals = append(vals, jen.Id("part").Op(":").Id("part").Values(field("weights", int(u.p.Buffers[s.Weights].Offset))))
		}
		if s.Wait > 0 {
			vals = append(vals, jen.Id("wait").Op(":").Lit(s.Wait))
		}
		if kept[i] > 0 {
			vals = append(vals, jen.Id("kept").Op(":").Lit(kept[i]))
		}
		if s.Picks || isCustom(s.Op) {
			vals = append(vals, jen.Id("fails").Op(":").True())
		}
		if s.Rows.Hi != 0 {
			vals = append(vals, jen.Id("rows").Op(":").Index(jen.Lit(2)).Int32().Values(jen.Lit(s.Rows.Lo), jen.Lit(s.Rows.Hi)))
		}
		table = append(table, jen.Line().Values(vals...))
	}
	for _, fn := range known {
		if len(fn.steps) > 0 { // of two slices with equal arguments, the first tells
			fn.uses = append(fn.uses, u.stepsText(fn.steps))
			fn.steps = nil
		}
	}
	return table, nil
}

// stepsText names the steps that call a function.
func (u *unit) stepsText(steps []int) string {
	n := len(steps)
	if n == 1 {
		return fmt.Sprintf("step %d%s", steps[0], u.within)
	}
	kind := "bands of rows"
	switch s := &u.p.Steps[steps[0]]; {
	case u.shares(s) && s.Rows.Hi == 0:
		kind = "slices"
	case u.shares(s):
		kind = "bands of rows of slices"
	case s.Rows.Hi == 0:
		kind = "times the same"
	}
	return fmt.Sprintf("steps %d to %d%s, %d %s", steps[0], steps[n-1], u.within, n, kind)
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

// offset is where a load's bytes begin in the package's weights file.
func (u *unit) offset(l *plan.Load) plan.Bytes {
	return u.file.items[u.items[l.Item]].Offset + l.FileOffset - u.p.File.Items[l.Item].Offset
}

// order lists the loads as the tables do: residents as they are in the file, then
// what is streamed.
func (u *unit) order() []*plan.Load {
	order := make([]*plan.Load, len(u.p.Loads))
	for i := range order {
		order[i] = &u.p.Loads[i]
	}
	slices.SortStableFunc(order, func(a, b *plan.Load) int {
		if !a.Resident || !b.Resident {
			return 0
		}
		return cmp.Compare(u.offset(a), u.offset(b))
	})
	return order
}

// kept gives, for every step, how many residents must be in the arena, counted
// from the first of the table.
func (u *unit) kept() []int {
	position := map[int]int{} // by buffer, from 1
	for i, l := range u.order() {
		if l.Resident {
			position[l.Buffer] = i + 1
		}
	}
	kept := make([]int, len(u.p.Steps))
	for i := range u.p.Steps {
		s := &u.p.Steps[i]
		for _, b := range append([]int{s.Weights}, s.Consts...) {
			kept[i] = max(kept[i], position[b])
		}
	}
	return kept
}

// before gives, for every load of a list, the first step that waits for it or for
// one behind it: needs has the number of loads that each step waits for.
func before(loads int, needs []int) []int {
	first := make([]int, 0, loads)
	for i, n := range needs {
		for len(first) < n {
			first = append(first, i)
		}
	}
	for len(first) < loads {
		first = append(first, len(needs))
	}
	return first
}

// loads renders the load tables. Residents come in the order of the file.
func (u *unit) loads() (resident, streamed []jen.Code) {
	order := u.order()
	residents := 0
	for _, l := range order {
		if l.Resident {
			residents++
		}
	}
	waits := make([]int, len(u.p.Steps))
	for i := range waits {
		waits[i] = u.p.Steps[i].Wait
	}
	first := append(before(residents, u.kept()), before(len(order)-residents, waits)...)
	for i, l := range order {
		it := u.file.items[u.items[l.Item]].Item
		group, _ := groups(it)
		name := it.Name
		if it.Panels != nil && l.Panels.Len() < it.Panels.Count() {
			name = fmt.Sprintf("%s, panels %d to %d of %d", it.Name, l.Panels.Lo, l.Panels.Hi, it.Panels.Count())
		}
		vals := []jen.Code{
			jen.Id("name").Op(":").Lit(name),
			jen.Id("offset").Op(":").Lit(int(u.offset(l))),
			jen.Id("bytes").Op(":").Lit(int(l.Bytes)),
			jen.Id("arena").Op(":").Lit(int(l.Arena)),
		}
		if !l.Resident {
			vals = append(vals, jen.Id("after").Op(":").Lit(l.After))
		}
		vals = append(vals, jen.Id("before").Op(":").Lit(first[i]))
		if l.Ahead > 0 {
			vals = append(vals, jen.Id("ahead").Op(":").Lit(l.Ahead))
		}
		vals = append(vals,
			jen.Id("firstChunk").Op(":").Lit(u.file.items[u.items[l.Item]].firstChunk+l.Panels.Lo*chunksPerGroup(it)),
			jen.Id("groupBytes").Op(":").Lit(group),
			jen.Id("chunkBytes").Op(":").Lit(int(it.Chunk)),
		)
		if u.p.Buffers[l.Buffer].Expanded {
			vals = append(vals, jen.Id("expand").Op(":").Add(u.expansion(l)))
		}
		row := jen.Line().Values(vals...)
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

// expansion says what a resident load makes of the panels of a convolution.
func (u *unit) expansion(l *plan.Load) *jen.Statement {
	p := u.p.File.Items[l.Item].Panels
	i := slices.IndexFunc(u.p.Graph.Ops, func(o *op.Op) bool { return o.Panels == p })
	vals := []jen.Code{field("side", u.p.Graph.Ops[i].Conv.Winograd), field("chans", p.Chans)}
	if p.Type == op.F16 {
		vals = append(vals, jen.Id("half").Op(":").True())
	}
	return jen.Op("&").Id("expansion").Values(vals...)
}

// bufferType declares the rows of the buffer tables.
func (k *pkg) bufferType(f *jen.File) {
	f.Comment("buffer is a part of the arena's map: what lies at which offset, from the start of")
	f.Comment("step first to the end of step last. over names the buffer that one replaces on purpose.")
	f.Type().Id("buffer").Struct(
		jen.Id("name").String(),
		jen.List(jen.Id("offset"), jen.Id("size")).Int(),
		jen.List(jen.Id("first"), jen.Id("last")).Int(),
		jen.Id("over").String(),
	)
	f.Line()
}

// bufferTable emits what lies where, for readers and for the test.
func (u *unit) bufferTable(f *jen.File) {
	f.Var().Id(u.ident("buffers")).Op("=").Index().Id("buffer").ValuesFunc(func(g *jen.Group) {
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

// region is where the buffer of a kind that occurs once lies, empty where there is none.
func (u *unit) region(kind plan.BufferKind) region {
	for _, b := range u.p.Buffers {
		if b.Kind == kind {
			return region{int(b.Offset), int(b.Size)}
		}
	}
	return region{}
}

// zeros is the arena offset of the zero buffer, 0 where there is none.
func (u *unit) zeros() int { return u.region(plan.Zeros).offset }

// stepName is "step012Fire2Expand3x3", with the plan's name where there are several.
func (u *unit) stepName(s *plan.Step) string {
	n := fmt.Sprintf("step%0*d%s", len(fmt.Sprint(len(u.p.Steps)-1)), s.Index, names{}.exported(s.Op.Name))
	if u.name != "" {
		n += "_" + u.name
	}
	return n
}

// stepComment says what a step does: layers, shapes, slice, weights.
func (u *unit) stepComment(s *plan.Step) []string {
	o := s.Op
	lines := []string{fmt.Sprintf("%s %q%s", o.Kind, o.Name, kindText(o))}
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
		all := o.Out[0].Dims[len(o.Out[0].Dims)-1]
		if o.Call != nil {
			all = o.Out[0].Len() / o.Out[0].Dims[0]
		}
		lines = append(lines, fmt.Sprintf("channels %d to %d of %d", s.Panels.Lo*op.PanelWidth, min(s.Panels.Hi*op.PanelWidth, all), all))
	}
	if o.Panels != nil {
		lo, hi := s.Panels.Lo*op.PanelWidth, min(s.Panels.Hi*op.PanelWidth, o.Panels.N)
		w := u.p.Buffers[s.Weights]
		how := ""
		if w.Expanded {
			how = ", kept expanded"
		}
		if u.shares(s) {
			lines = append(lines, fmt.Sprintf("%d output channels, in panels of %d; each step says which, and where their weights are", o.Panels.N, op.PanelWidth))
		} else {
			lines = append(lines, fmt.Sprintf("output channels %d to %d of %d; weights: %s at %d%s", lo, hi, o.Panels.N, bytesText(int64(w.Size)), w.Offset, how))
		}
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
		if c.Depth != nil {
			t = fmt.Sprintf(", %dx%dx%d", c.Depth.K, c.KH, c.KW)
		}
		if c.SH > 1 || c.SW > 1 {
			t += fmt.Sprintf(" stride %dx%d", c.SH, c.SW)
		}
		if c.DH > 1 || c.DW > 1 {
			t += fmt.Sprintf(" dilation %dx%d", c.DH, c.DW)
		}
		if w := c.Winograd; w != 0 {
			t += fmt.Sprintf(", Winograd's F(%dx%d,3x3)", w, w)
		}
		return t
	case o.Pool != nil:
		return fmt.Sprintf(", %dx%d stride %dx%d", o.Pool.KH, o.Pool.KW, o.Pool.SH, o.Pool.SW)
	case o.Map != nil:
		return ", " + o.Map.Program.Name
	case isCustom(o):
		c := o.Call.Custom.Custom
		return fmt.Sprintf(", %s by %s.%s", c.Type, c.Import, c.Func)
	case o.Call != nil:
		return ", " + o.Call.Func
	}
	return ""
}
