package codegen

import (
	"github.com/dave/jennifer/jen"
)

// Answer is a recorded run: a few elements of every output for the inputs that
// the emitted test makes (AnswerInput), with the tolerance to compare by.
type Answer struct {
	Outputs []AnswerOutput
}

// AnswerOutput holds Values[i], the element Index[i] of one output, and Max, the
// largest absolute value of that output.
type AnswerOutput struct {
	Index  []int
	Values []float32
	Max    float32
}

// answerTolerance is relative to the largest value of an output.
const answerTolerance = 1e-3

// AnswerInput is element i of input k in the recorded run: a hash, uniform in
// [-1,1). Integer inputs take AnswerInt. The emitted test has the same lines.
func AnswerInput(k, i int) float32 {
	return float32(int32(answerHash(k, i))) * (1.0 / (1 << 31))
}

// AnswerInt is element i of integer input k: 0 to 7.
func AnswerInt(k, i int) int32 { return int32(answerHash(k, i) & 7) }

func answerHash(k, i int) uint32 {
	z := (uint64(k)<<40 + uint64(i) + 1) * 0x9E3779B97F4A7C15
	z = (z ^ z>>29) * 0xBF58476D1CE4E5B9
	return uint32(z >> 32)
}

// testFile is plan_test.go: it checks the tables against each other, and runs.
func (u *unit) testFile() *jen.File {
	f := u.newFile()
	t := func() *jen.Statement { return jen.Id("t").Op("*").Qual("testing", "T") }

	f.Comment("TestBuffers checks that no two buffers are at the same place at the same time, but")
	f.Comment("for an output that replaces its input on purpose, and that all lie in the arena.")
	f.Func().Id("TestBuffers").Params(t()).Block(
		jen.For(jen.List(jen.Id("i"), jen.Id("a")).Op(":=").Range().Id("buffers")).Block(
			jen.If(jen.Id("a").Dot("offset").Op("<").Lit(0).Op("||").Id("a").Dot("offset").Op("+").Id("a").Dot("size").Op(">").Id("ArenaBytes")).Block(
				jen.Id("t").Dot("Errorf").Call(jen.Lit("%s lies outside the arena"), jen.Id("a").Dot("name"))),
			jen.For(jen.List(jen.Id("_"), jen.Id("b")).Op(":=").Range().Id("buffers").Index(jen.Empty(), jen.Id("i"))).Block(
				jen.If(
					jen.Id("a").Dot("first").Op("<=").Id("b").Dot("last").Op("&&").Id("b").Dot("first").Op("<=").Id("a").Dot("last").Op("&&").Line().
						Id("a").Dot("offset").Op("<").Id("b").Dot("offset").Op("+").Id("b").Dot("size").Op("&&").Id("b").Dot("offset").Op("<").Id("a").Dot("offset").Op("+").Id("a").Dot("size").Op("&&").Line().
						Id("a").Dot("over").Op("!=").Id("b").Dot("name").Op("&&").Id("b").Dot("over").Op("!=").Id("a").Dot("name"),
				).Block(jen.Id("t").Dot("Errorf").Call(jen.Lit("%s and %s overlap"), jen.Id("a").Dot("name"), jen.Id("b").Dot("name"))),
			),
		),
	)
	f.Comment("TestLoads checks that every load stays in the arena and in the weights file, that")
	f.Comment("loads are asked for in an order that can be met, and that steps wait for no more")
	f.Comment("than there are.")
	f.Func().Id("TestLoads").Params(t()).Block(
		jen.Id("after").Op(":=").Lit(0),
		jen.For(jen.List(jen.Id("k"), jen.Id("l")).Op(":=").Range().Append(jen.Qual("slices", "Clone").Call(jen.Id("planned").Dot("resident")), jen.Id("planned").Dot("loads").Op("..."))).Block(
			jen.If(jen.Id("l").Dot("arena").Op("<").Lit(0).Op("||").Id("l").Dot("arena").Op("+").Id("l").Dot("bytes").Op(">").Id("ArenaBytes").Op("||").
				Id("l").Dot("offset").Op("+").Int64().Call(jen.Id("l").Dot("bytes")).Op(">").Id("planned").Dot("file").Dot("dataBytes")).Block(
				jen.Id("t").Dot("Errorf").Call(jen.Lit("load %d is out of range"), jen.Id("k"))),
			jen.If(jen.Id("l").Dot("after").Op("<").Id("after")).Block(
				jen.Id("t").Dot("Errorf").Call(jen.Lit("load %d may start before the one ahead of it"), jen.Id("k"))),
			jen.Id("after").Op("=").Id("l").Dot("after"),
		),
		jen.For(jen.List(jen.Id("i"), jen.Id("s")).Op(":=").Range().Id("planned").Dot("steps")).Block(
			jen.If(jen.Id("s").Dot("wait").Op(">").Len(jen.Id("planned").Dot("loads"))).Block(
				jen.Id("t").Dot("Errorf").Call(jen.Lit("step %d waits for load %d"), jen.Id("i"), jen.Id("s").Dot("wait"))),
			jen.If(jen.Id("s").Dot("wait").Op(">").Lit(0).Op("&&").Id("planned").Dot("loads").Index(jen.Id("s").Dot("wait").Op("-").Lit(1)).Dot("after").Op(">").Id("i")).Block(
				jen.Id("t").Dot("Errorf").Call(jen.Lit("step %d waits for a load that waits for it"), jen.Id("i"))),
		),
	)
	u.runTest(f)
	return f
}

// runTest emits the recorded run.
func (u *unit) runTest(f *jen.File) {
	f.Comment("answerHash makes the inputs of the recorded run.")
	f.Func().Id("answerHash").Params(jen.List(jen.Id("k"), jen.Id("i")).Int()).Uint32().Block(
		jen.Id("z").Op(":=").Parens(jen.Uint64().Call(jen.Id("k")).Op("<<").Lit(40).Op("+").Uint64().Call(jen.Id("i")).Op("+").Lit(1)).Op("*").Op("0x9E3779B97F4A7C15"),
		jen.Id("z").Op("=").Parens(jen.Id("z").Op("^").Id("z").Op(">>").Lit(29)).Op("*").Op("0xBF58476D1CE4E5B9"),
		jen.Return(jen.Uint32().Call(jen.Id("z").Op(">>").Lit(32))),
	)
	f.Func().Id("answerRun").Params(jen.Id("t").Op("*").Qual("testing", "T"), jen.Id("threads").Int()).Op("*").Id("Outputs").BlockFunc(func(g *jen.Group) {
		g.Id("t").Dot("Helper").Call()
		g.List(jen.Id("n"), jen.Err()).Op(":=").Id("New").Call(jen.Id("Options").Values(jen.Id("Threads").Op(":").Id("threads"), jen.Id("WeightsPath").Op(":").Lit("weights.bin")))
		g.If(jen.Err().Op("!=").Nil()).Block(jen.Id("t").Dot("Fatal").Call(jen.Err()))
		g.Defer().Id("n").Dot("Close").Call()
		g.List(jen.Id("in"), jen.Id("out")).Op(":=").List(jen.Id("NewInputs").Call(), jen.Id("NewOutputs").Call())
		for k, p := range u.inputs {
			h := jen.Id("answerHash").Call(jen.Lit(k), jen.Id("i"))
			v := jen.Float32().Call(jen.Int32().Call(h)).Op("*").Parens(jen.Lit(1.0).Op("/").Parens(jen.Lit(1).Op("<<").Lit(31)))
			if p.ints {
				v = jen.Int32().Call(jen.Id("answerHash").Call(jen.Lit(k), jen.Id("i")).Op("&").Lit(7))
			}
			g.For(jen.Id("i").Op(":=").Range().Id("in").Dot(p.field)).Block(jen.Id("in").Dot(p.field).Index(jen.Id("i")).Op("=").Add(v))
		}
		g.If(jen.Err().Op(":=").Id("n").Dot("Run").Call(jen.Qual("context", "Background").Call(), jen.Id("in"), jen.Id("out")), jen.Err().Op("!=").Nil()).Block(jen.Id("t").Dot("Fatal").Call(jen.Err()))
		run := jen.If(jen.Err().Op(":=").Id("n").Dot("Run").Call(jen.Qual("context", "Background").Call(), jen.Id("in"), jen.Id("out")), jen.Err().Op("!=").Nil()).Block(jen.Id("t").Dot("Fatal").Call(jen.Err()))
		g.Comment("A run allocates nothing. Go's scheduler allocates threads and waiters of its own in")
		g.Comment("the first runs, so the best of some runs counts.")
		g.Id("least").Op(":=").Uint64().Call(jen.Qual("math", "MaxUint64"))
		g.For(jen.Id("i").Op(":=").Lit(0), jen.Id("i").Op("<").Lit(20).Op("&&").Id("least").Op(">").Lit(0), jen.Id("i").Op("++")).Block(
			jen.Var().List(jen.Id("before"), jen.Id("after")).Qual("runtime", "MemStats"),
			jen.Qual("runtime", "ReadMemStats").Call(jen.Op("&").Id("before")),
			run,
			jen.Qual("runtime", "ReadMemStats").Call(jen.Op("&").Id("after")),
			jen.Id("least").Op("=").Min(jen.Id("least"), jen.Id("after").Dot("Mallocs").Op("-").Id("before").Dot("Mallocs")),
		)
		g.If(jen.Id("least").Op(">").Lit(0)).Block(jen.Id("t").Dot("Errorf").Call(jen.Lit("a run makes %d heap allocations"), jen.Id("least")))
		g.Return(jen.Id("out"))
	})
	f.Comment("TestAnswer runs the network with one thread and with MaxThreads: the bits must be")
	f.Comment("equal, and near the recorded answer of the compiler's float64 interpreter where the")
	f.Comment("network was small enough for it.")
	f.Func().Id("TestAnswer").Params(jen.Id("t").Op("*").Qual("testing", "T")).BlockFunc(func(g *jen.Group) {
		g.Id("one").Op(":=").Id("answerRun").Call(jen.Id("t"), jen.Lit(1))
		g.Id("all").Op(":=").Id("answerRun").Call(jen.Id("t"), jen.Id("MaxThreads"))
		for k, p := range u.outputs {
			field := func(run string) *jen.Statement {
				if p.ints {
					return jen.Id("wordsAsFloats").Call(jen.Id(run).Dot(p.field))
				}
				return jen.Id(run).Dot(p.field)
			}
			g.For(jen.List(jen.Id("i"), jen.Id("v")).Op(":=").Range().Add(field("one"))).Block(
				jen.If(jen.Qual("math", "Float32bits").Call(jen.Id("v")).Op("!=").Qual("math", "Float32bits").Call(field("all").Index(jen.Id("i")))).Block(
					jen.Id("t").Dot("Fatalf").Call(jen.Lit(p.field+"[%d] is %v with one thread, %v with %d"), jen.Id("i"), jen.Id("v"), field("all").Index(jen.Id("i")), jen.Id("MaxThreads"))))
			if u.o.Answer == nil || k >= len(u.o.Answer.Outputs) {
				continue
			}
			a := u.o.Answer.Outputs[k]
			g.For(jen.List(jen.Id("_"), jen.Id("want")).Op(":=").Range().Index().Struct(jen.Id("i").Int(), jen.Id("v").Float32()).ValuesFunc(func(g *jen.Group) {
				for i := range a.Index {
					g.Line().Values(jen.Lit(a.Index[i]), jen.Lit(float64(a.Values[i])))
				}
				g.Line()
			})).Block(
				jen.If(jen.Id("d").Op(":=").Qual("math", "Abs").Call(jen.Float64().Call(field("one").Index(jen.Id("want").Dot("i")).Op("-").Id("want").Dot("v"))),
					jen.Op("!").Parens(jen.Id("d").Op("<=").Lit(answerTolerance*float64(a.Max)))).Block(
					jen.Id("t").Dot("Errorf").Call(jen.Lit(p.field+"[%d] is %v, recorded %v"), jen.Id("want").Dot("i"), field("one").Index(jen.Id("want").Dot("i")), jen.Id("want").Dot("v"))))
		}
	})
}
