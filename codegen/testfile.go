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
func (k *pkg) testFile() *jen.File {
	f := k.newFile()
	f.Comment("plans are the plans of the package, as budgets and shapes are ordered.")
	f.Var().Id("plans").Op("=").Index().Struct(
		jen.Id("name").String(), jen.Id("program").Op("*").Id("program"), jen.Id("buffers").Index().Id("buffer"),
	).ValuesFunc(func(g *jen.Group) {
		for _, u := range k.units {
			g.Line().Values(jen.Lit("plan"+u.within), jen.Op("&").Id(u.ident("plan")), jen.Id(u.ident("buffers")))
		}
		g.Line()
	})
	f.Line()
	f.Comment("TestBuffers checks that no two buffers are at the same place at the same time, but")
	f.Comment("for an output that replaces its input on purpose, and that all lie in the arena.")
	f.Func().Id("TestBuffers").Params(testingT()).Block(eachPlan(
		jen.For(jen.List(jen.Id("i"), jen.Id("a")).Op(":=").Range().Id("p").Dot("buffers")).Block(
			jen.If(jen.Id("a").Dot("offset").Op("<").Lit(0).Op("||").Id("a").Dot("offset").Op("+").Id("a").Dot("size").Op(">").Id("p").Dot("program").Dot("arenaBytes")).Block(
				jen.Id("t").Dot("Errorf").Call(jen.Lit("%s lies outside the arena"), jen.Id("a").Dot("name"))),
			jen.For(jen.List(jen.Id("_"), jen.Id("b")).Op(":=").Range().Id("p").Dot("buffers").Index(jen.Empty(), jen.Id("i"))).Block(
				jen.If(
					jen.Id("a").Dot("first").Op("<=").Id("b").Dot("last").Op("&&").Id("b").Dot("first").Op("<=").Id("a").Dot("last").Op("&&").Line().
						Id("a").Dot("offset").Op("<").Id("b").Dot("offset").Op("+").Id("b").Dot("size").Op("&&").Id("b").Dot("offset").Op("<").Id("a").Dot("offset").Op("+").Id("a").Dot("size").Op("&&").Line().
						Id("a").Dot("over").Op("!=").Id("b").Dot("name").Op("&&").Id("b").Dot("over").Op("!=").Id("a").Dot("name"),
				).Block(jen.Id("t").Dot("Errorf").Call(jen.Lit("%s and %s overlap"), jen.Id("a").Dot("name"), jen.Id("b").Dot("name"))),
			),
		),
	))
	f.Comment("TestLoads checks that every load stays in the arena and in the weights file, that")
	f.Comment("loads are asked for in an order that can be met, and that steps wait for no more")
	f.Comment("than there are.")
	f.Func().Id("TestLoads").Params(testingT()).Block(eachPlan(
		jen.Id("prog").Op(":=").Id("p").Dot("program"),
		jen.Id("after").Op(":=").Int32().Call(jen.Lit(0)),
		jen.For(jen.List(jen.Id("k"), jen.Id("l")).Op(":=").Range().Append(jen.Qual("slices", "Clone").Call(jen.Id("prog").Dot("resident")), jen.Id("prog").Dot("loads").Op("..."))).Block(
			jen.If(jen.Id("l").Dot("end").Call().Op(">").Id("prog").Dot("arenaBytes").Op("||").
				Id("l").Dot("offset").Op("+").Int64().Call(jen.Id("l").Dot("bytes")).Op(">").Id("planned").Dot("file").Dot("dataBytes")).Block(
				jen.Id("t").Dot("Errorf").Call(jen.Lit("load %d, of %s, is out of range"), jen.Id("k"), jen.Id("l").Dot("name"))),
			jen.If(jen.Id("l").Dot("after").Op("<").Id("after")).Block(
				jen.Id("t").Dot("Errorf").Call(jen.Lit("load %d, of %s, may start before the one ahead of it"), jen.Id("k"), jen.Id("l").Dot("name"))),
			jen.Id("after").Op("=").Id("l").Dot("after"),
		),
		jen.For(jen.List(jen.Id("i"), jen.Id("s")).Op(":=").Range().Id("prog").Dot("steps")).Block(
			jen.If(jen.Int().Call(jen.Id("s").Dot("wait")).Op(">").Len(jen.Id("prog").Dot("loads")).Op("||").Int().Call(jen.Id("s").Dot("kept")).Op(">").Len(jen.Id("prog").Dot("resident"))).Block(
				jen.Id("t").Dot("Errorf").Call(jen.Lit("step %d waits for load %d and for resident %d"), jen.Id("i"), jen.Id("s").Dot("wait"), jen.Id("s").Dot("kept"))),
			jen.If(jen.Id("s").Dot("wait").Op(">").Lit(0).Op("&&").Id("prog").Dot("loads").Index(jen.Id("s").Dot("wait").Op("-").Lit(1)).Dot("after").Op(">").Int32().Call(jen.Id("i"))).Block(
				jen.Id("t").Dot("Errorf").Call(jen.Lit("step %d waits for a load that waits for it"), jen.Id("i"))),
		),
	))
	k.answerFuncs(f)
	k.answerTest(f)
	if len(k.units) > 1 {
		k.switchTest(f)
	}
	return f
}

func testingT() *jen.Statement { return jen.Id("t").Op("*").Qual("testing", "T") }

// eachPlan runs a body as a subtest of every plan p.
func eachPlan(body ...jen.Code) jen.Code {
	return jen.For(jen.List(jen.Id("_"), jen.Id("p")).Op(":=").Range().Id("plans")).Block(
		jen.Id("t").Dot("Run").Call(jen.Id("p").Dot("name"), jen.Func().Params(testingT()).Block(body...)))
}

// fatal is "if err != nil { t.Fatal(err) }".
func fatal() jen.Code {
	return jen.If(jen.Err().Op("!=").Nil()).Block(jen.Id("t").Dot("Fatal").Call(jen.Err()))
}

// answerFuncs emits how the recorded run is made.
func (k *pkg) answerFuncs(f *jen.File) {
	several := len(k.shapes()) > 1
	f.Comment("answerHash makes the inputs of the recorded run.")
	f.Func().Id("answerHash").Params(jen.List(jen.Id("k"), jen.Id("i")).Int()).Uint32().Block(
		jen.Id("z").Op(":=").Parens(jen.Uint64().Call(jen.Id("k")).Op("<<").Lit(40).Op("+").Uint64().Call(jen.Id("i")).Op("+").Lit(1)).Op("*").Op("0x9E3779B97F4A7C15"),
		jen.Id("z").Op("=").Parens(jen.Id("z").Op("^").Id("z").Op(">>").Lit(29)).Op("*").Op("0xBF58476D1CE4E5B9"),
		jen.Return(jen.Uint32().Call(jen.Id("z").Op(">>").Lit(32))),
	)
	f.Comment("answerInputs are the inputs of the recorded run.")
	f.Func().Id("answerInputs").Params(testingT(), jen.Id("shape").Int()).Op("*").Id("Inputs").BlockFunc(func(g *jen.Group) {
		g.Id("in").Op(":=").Id("NewInputs").Call()
		if several {
			g.If(jen.Err().Op(":=").Id("in").Dot("SetShape").Call(jen.Id("Shapes").Call().Index(jen.Id("shape"))), jen.Err().Op("!=").Nil()).Block(jen.Id("t").Dot("Fatal").Call(jen.Err()))
		}
		for n, p := range k.units[0].inputs {
			h := jen.Id("answerHash").Call(jen.Lit(n), jen.Id("i"))
			v := jen.Float32().Call(jen.Int32().Call(h)).Op("*").Parens(jen.Lit(1.0).Op("/").Parens(jen.Lit(1).Op("<<").Lit(31)))
			if p.ints {
				v = jen.Int32().Call(jen.Id("answerHash").Call(jen.Lit(n), jen.Id("i")).Op("&").Lit(7))
			}
			g.For(jen.Id("i").Op(":=").Range().Id("in").Dot(p.field)).Block(jen.Id("in").Dot(p.field).Index(jen.Id("i")).Op("=").Add(v))
		}
		g.Return(jen.Id("in"))
	})
	f.Comment("answerRun makes the recorded run. A run allocates nothing. Go's scheduler allocates threads")
	f.Comment("and waiters of its own in the first runs, so the best of some runs counts.")
	f.Func().Id("answerRun").Params(testingT(), jen.List(jen.Id("threads"), jen.Id("budget"), jen.Id("shape")).Int()).Op("*").Id("Outputs").BlockFunc(func(g *jen.Group) {
		g.Id("t").Dot("Helper").Call()
		g.List(jen.Id("n"), jen.Err()).Op(":=").Id("New").Call(jen.Id("Options").Values(
			jen.Id("Threads").Op(":").Id("threads"), jen.Id("Budget").Op(":").Id("budget"), jen.Id("WeightsPath").Op(":").Lit("weights.bin")))
		g.Add(fatal())
		g.Defer().Id("n").Dot("Close").Call()
		g.List(jen.Id("in"), jen.Id("out")).Op(":=").List(jen.Id("answerInputs").Call(jen.Id("t"), jen.Id("shape")), jen.Id("NewOutputs").Call())
		run := func() jen.Code {
			return jen.If(jen.Err().Op(":=").Id("n").Dot("Run").Call(jen.Qual("context", "Background").Call(), jen.Id("in"), jen.Id("out")), jen.Err().Op("!=").Nil()).Block(jen.Id("t").Dot("Fatal").Call(jen.Err()))
		}
		g.Add(run())
		g.Id("least").Op(":=").Uint64().Call(jen.Qual("math", "MaxUint64"))
		g.For(jen.Id("i").Op(":=").Lit(0), jen.Id("i").Op("<").Lit(20).Op("&&").Id("least").Op(">").Lit(0), jen.Id("i").Op("++")).Block(
			jen.Var().List(jen.Id("before"), jen.Id("after")).Qual("runtime", "MemStats"),
			jen.Qual("runtime", "ReadMemStats").Call(jen.Op("&").Id("before")),
			run(),
			jen.Qual("runtime", "ReadMemStats").Call(jen.Op("&").Id("after")),
			jen.Id("least").Op("=").Min(jen.Id("least"), jen.Id("after").Dot("Mallocs").Op("-").Id("before").Dot("Mallocs")),
		)
		g.If(jen.Id("least").Op(">").Lit(0)).Block(jen.Id("t").Dot("Errorf").Call(jen.Lit("a run makes %d heap allocations"), jen.Id("least")))
		g.Return(jen.Id("out"))
	})
	f.Comment("sameBits compares the outputs of two runs.")
	f.Func().Id("sameBits").Params(testingT(), jen.Id("what").String(), jen.List(jen.Id("a"), jen.Id("b")).Op("*").Id("Outputs")).BlockFunc(func(g *jen.Group) {
		g.Id("t").Dot("Helper").Call()
		for _, p := range k.units[0].outputs {
			if p.count {
				g.If(jen.Id("a").Dot(p.field).Op("!=").Id("b").Dot(p.field)).Block(jen.Id("t").Dot("Fatalf").Call(
					jen.Lit("%s: "+p.field+" is %d and %d"), jen.Id("what"), jen.Id("a").Dot(p.field), jen.Id("b").Dot(p.field)))
				continue
			}
			g.If(jen.Len(outputField(p, "a")).Op("!=").Len(outputField(p, "b"))).Block(
				jen.Id("t").Dot("Fatalf").Call(jen.Lit("%s: "+p.field+" has %d values and %d"), jen.Id("what"), jen.Len(outputField(p, "a")), jen.Len(outputField(p, "b"))))
			g.For(jen.List(jen.Id("i"), jen.Id("v")).Op(":=").Range().Add(outputField(p, "a"))).Block(
				jen.If(jen.Qual("math", "Float32bits").Call(jen.Id("v")).Op("!=").Qual("math", "Float32bits").Call(outputField(p, "b").Index(jen.Id("i")))).Block(
					jen.Id("t").Dot("Fatalf").Call(jen.Lit("%s: "+p.field+"[%d] is %v and %v"), jen.Id("what"), jen.Id("i"), jen.Id("v"), outputField(p, "b").Index(jen.Id("i")))))
		}
	})
}

// outputField is an output of a run as floats.
func outputField(p port, run string) *jen.Statement {
	if p.ints {
		return jen.Id("wordsAsFloats").Call(jen.Id(run).Dot(p.field))
	}
	return jen.Id(run).Dot(p.field)
}

// answerTest emits the recorded run.
func (k *pkg) answerTest(f *jen.File) {
	f.Comment("recorded are some elements of the outputs that the compiler's float64 interpreter computed, by")
	f.Comment("shape and output, for networks that are small enough for it.")
	f.Type().Id("recorded").Struct(jen.Id("i").Int(), jen.List(jen.Id("v"), jen.Id("tolerance")).Float32())
	f.Var().Id("answers").Op("=").Map(jen.Index(jen.Lit(2)).Int()).Index().Id("recorded").ValuesFunc(func(g *jen.Group) {
		for s, a := range k.o.Answers {
			if a == nil || s >= len(k.shapes()) {
				continue
			}
			for o, out := range a.Outputs {
				g.Line().Values(jen.Lit(s), jen.Lit(o)).Op(":").ValuesFunc(func(g *jen.Group) {
					for i := range out.Index {
						g.Line().Values(jen.Lit(out.Index[i]), jen.Lit(float64(out.Values[i])), jen.Lit(float64(float32(answerTolerance*float64(out.Max)))))
					}
					g.Line()
				})
			}
		}
		g.Line()
	})
	f.Line()
	f.Comment("TestAnswer runs every plan with one thread and with MaxThreads: the bits must be equal, and near")
	f.Comment("the recorded answer.")
	f.Func().Id("TestAnswer").Params(testingT()).Block(
		jen.For(jen.Id("shape").Op(":=").Range().Len(jen.Id("planned").Dot("programs")).Op("/").Len(jen.Id("planned").Dot("budgets"))).BlockFunc(func(g *jen.Group) {
			g.Id("one").Op(":=").Id("answerRun").Call(jen.Id("t"), jen.Lit(1), jen.Lit(0), jen.Id("shape"))
			g.For(jen.List(jen.Id("_"), jen.Id("budget")).Op(":=").Range().Id("planned").Dot("budgets")).Block(
				jen.Id("what").Op(":=").Qual("fmt", "Sprintf").Call(jen.Lit("one thread within %d bytes, %d within %d"), jen.Id("Budget"), jen.Id("MaxThreads"), jen.Id("budget")),
				jen.Id("sameBits").Call(jen.Id("t"), jen.Id("what"), jen.Id("one"), jen.Id("answerRun").Call(jen.Id("t"), jen.Id("MaxThreads"), jen.Id("budget"), jen.Id("shape"))),
			)
			for n, p := range k.units[0].outputs {
				if p.count {
					continue
				}
				g.For(jen.List(jen.Id("_"), jen.Id("want")).Op(":=").Range().Id("answers").Index(jen.Index(jen.Lit(2)).Int().Values(jen.Id("shape"), jen.Lit(n)))).Block(
					jen.If(jen.Id("d").Op(":=").Qual("math", "Abs").Call(jen.Float64().Call(outputField(p, "one").Index(jen.Id("want").Dot("i")).Op("-").Id("want").Dot("v"))),
						jen.Op("!").Parens(jen.Id("d").Op("<=").Float64().Call(jen.Id("want").Dot("tolerance")))).Block(
						jen.Id("t").Dot("Errorf").Call(jen.Lit("shape %d: "+p.field+"[%d] is %v, recorded %v"), jen.Id("shape"), jen.Id("want").Dot("i"), outputField(p, "one").Index(jen.Id("want").Dot("i")), jen.Id("want").Dot("v"))))
			}
		}),
	)
}

// switchTest emits a test that goes from plan to plan with one net.
func (k *pkg) switchTest(f *jen.File) {
	f.Comment("TestSwitch goes back and forth between the plans with one net: every run must have the bits of a")
	f.Comment("net that knows no other plan.")
	f.Func().Id("TestSwitch").Params(testingT()).BlockFunc(func(g *jen.Group) {
		g.List(jen.Id("n"), jen.Err()).Op(":=").Id("New").Call(jen.Id("Options").Values(jen.Id("WeightsPath").Op(":").Lit("weights.bin")))
		g.Add(fatal())
		g.Defer().Id("n").Dot("Close").Call()
		g.Id("count").Op(":=").Len(jen.Id("planned").Dot("programs")).Op("/").Len(jen.Id("planned").Dot("budgets"))
		g.Id("want").Op(":=").Make(jen.Index().Op("*").Id("Outputs"), jen.Id("count"))
		g.For(jen.Id("i").Op(":=").Range().Id("want")).Block(
			jen.Id("want").Index(jen.Id("i")).Op("=").Id("answerRun").Call(jen.Id("t"), jen.Lit(1), jen.Lit(0), jen.Id("i")))
		g.Id("out").Op(":=").Id("NewOutputs").Call()
		g.For(jen.Id("i").Op(":=").Range().Lit(40)).BlockFunc(func(g *jen.Group) {
			g.Id("h").Op(":=").Int().Call(jen.Id("answerHash").Call(jen.Lit(99), jen.Id("i")).Op("&").Op("0xffff"))
			g.Id("shape").Op(":=").Id("h").Op("%").Id("count")
			if len(k.budgets) > 1 {
				g.Id("budget").Op(":=").Id("planned").Dot("budgets").Index(jen.Id("h").Op("/").Id("count").Op("%").Len(jen.Id("planned").Dot("budgets")))
				g.If(jen.Err().Op(":=").Id("n").Dot("SetBudget").Call(jen.Id("budget")), jen.Err().Op("!=").Nil()).Block(jen.Id("t").Dot("Fatal").Call(jen.Err()))
			}
			g.If(jen.Err().Op(":=").Id("n").Dot("Run").Call(jen.Qual("context", "Background").Call(), jen.Id("answerInputs").Call(jen.Id("t"), jen.Id("shape")), jen.Id("out")), jen.Err().Op("!=").Nil()).Block(jen.Id("t").Dot("Fatal").Call(jen.Err()))
			g.Id("sameBits").Call(jen.Id("t"), jen.Qual("fmt", "Sprintf").Call(jen.Lit("run %d, shape %d"), jen.Id("i"), jen.Id("shape")), jen.Id("want").Index(jen.Id("shape")), jen.Id("out"))
		})
	})
}
