package lane

import (
	"fmt"
	"math"
	"strings"

	"github.com/flexnnc/flexnnc/ir/lane"
)

// portable prints a program as Go. Results are float32 (f12) or uint32 (u12)
// variables as comes natural; the other form is made where it is read. Explicit
// conversions keep the compiler from fusing products into sums.
type portable struct {
	strings.Builder
	p    *lane.Program
	live []bool
	isF  []bool
	asF  []bool // results that are read as float32
	asU  []bool // results that are read as uint32
}

// floats reports whether the operands and the result of a code are float32.
func floats(c lane.Code) (operands, result bool) {
	switch c {
	case lane.Add, lane.Sub, lane.Mul, lane.Div, lane.FMA, lane.FNMA, lane.Max, lane.Min, lane.Sqrt,
		lane.Floor, lane.Ceil, lane.Round, lane.Trunc:
		return true, true
	case lane.Lt, lane.Le, lane.Eq, lane.ToInt:
		return true, false
	case lane.In, lane.FromInt:
		return false, true
	}
	return false, false
}

// goVersion returns the function of p in Go.
func goVersion(p *lane.Program) string {
	g := &portable{p: p, live: live(p)}
	g.isF = make([]bool, len(p.Insts))
	g.asF = make([]bool, len(p.Insts))
	g.asU = make([]bool, len(p.Insts))
	for n := range p.Insts {
		_, g.isF[n] = floats(p.Insts[n].Code)
	}
	read := func(r lane.Reg, f bool) {
		if f {
			g.asF[r] = true
		} else {
			g.asU[r] = true
		}
	}
	for n := range p.Insts {
		if i := &p.Insts[n]; g.live[n] && i.Code != lane.Const {
			f, _ := floats(i.Code)
			for _, r := range i.Args() {
				read(r, f)
			}
		}
	}
	read(p.Result, true)
	g.function()
	return g.String()
}

func (g *portable) line(depth int, format string, a ...any) {
	g.WriteString(strings.Repeat("\t", depth))
	fmt.Fprintf(g, format, a...)
	g.WriteByte('\n')
}

func (g *portable) function() {
	p := g.p
	g.line(0, "// %sGo runs lane program %q.", Name(p), p.Name)
	g.line(0, "func %sGo(a *mapArgs) {", Name(p))
	for n := range p.Insts {
		if i := &p.Insts[n]; g.live[n] && i.Code == lane.Const {
			if g.asF[n] {
				g.line(1, "f%d := %s", n, floatLiteral(i.Bits))
			}
			if g.asU[n] {
				g.line(1, "u%d := uint32(%#08x)", n, i.Bits)
			}
		}
	}
	depth, row := 1, ""
	if p.Reduce != lane.Store {
		g.line(1, "var acc [16]float32")
		if s := p.Reduce.Start(); s != 0 {
			g.line(1, "for j := range acc {\n\t\tacc[j] = %s\n\t}", floatLiteral(math.Float32bits(s)))
		}
	} else {
		g.line(1, "for r := range a.rows {")
		depth, row = 2, "row"
	}
	for k, u := range used(p) {
		switch at := g.pointer(fmt.Sprintf("in[%d]", k), row, fmt.Sprintf("inStep[%d]", k)); {
		case !u:
		case p.Inputs[k] == lane.Splat:
			g.line(depth, "in%d := *(*float32)(%s)", k, at)
		default:
			g.line(depth, "in%d := unsafe.Slice((*float32)(%s), a.n)", k, at)
		}
	}
	if stores(p) {
		g.line(depth, "out := unsafe.Slice((*float32)(%s), a.n)", g.pointer("out", row, "outStep"))
	}
	g.line(depth, "for i := range a.n {")
	for n := range p.Insts {
		if g.live[n] {
			g.inst(depth+1, n)
		}
	}
	r := fmt.Sprintf("f%d", p.Result)
	if stores(p) {
		g.line(depth+1, "out[i] = %s", r)
	}
	if p.Reduce != lane.Store {
		g.line(depth+1, "%s", join(p.Reduce, r, "acc[i&15]"))
	}
	g.line(depth, "}")
	if p.Reduce == lane.Store {
		g.line(1, "}")
	} else {
		g.line(1, "for d := 8; d > 0; d /= 2 {")
		g.line(2, "for j := range d {")
		g.line(3, "%s", join(p.Reduce, "acc[j+d]", "acc[j]"))
		g.line(2, "}")
		g.line(1, "}")
		g.line(1, "a.result = acc[0]")
	}
	g.line(0, "}\n")
}

func (g *portable) pointer(base, row, step string) string {
	if row == "" {
		return "a." + base
	}
	return fmt.Sprintf("unsafe.Add(a.%s, r*a.%s)", base, step)
}

func join(r lane.Reduction, v, acc string) string {
	switch r {
	case lane.ReduceMax:
		return fmt.Sprintf("%s = selectMax(%s, %s)", acc, v, acc)
	case lane.ReduceMin:
		return fmt.Sprintf("%s = selectMin(%s, %s)", acc, v, acc)
	}
	return fmt.Sprintf("%s += %s", acc, v)
}

// floatLiteral is a float32 by its bits, in a form that Go's constants hold.
func floatLiteral(bits uint32) string {
	v := math.Float32frombits(bits)
	if f := float64(v); f != f || math.IsInf(f, 0) || f == 0 {
		return fmt.Sprintf("math.Float32frombits(%#08x)", bits)
	}
	return fmt.Sprintf("float32(%x)", v)
}

func (g *portable) inst(depth, n int) {
	i := &g.p.Insts[n]
	if i.Code == lane.Const {
		return
	}
	f, _ := floats(i.Code)
	var a [3]string
	for k, r := range i.Args() {
		if a[k] = fmt.Sprintf("u%d", r); f {
			a[k] = fmt.Sprintf("f%d", r)
		}
	}
	if g.isF[n] {
		g.line(depth, "f%d := %s", n, g.expression(i, a))
		if g.asU[n] {
			g.line(depth, "u%d := math.Float32bits(f%d)", n, n)
		}
		return
	}
	g.line(depth, "u%d := %s", n, g.expression(i, a))
	if g.asF[n] {
		g.line(depth, "f%d := math.Float32frombits(u%d)", n, n)
	}
}

// forms are the expressions of the operations of A, B and C.
var forms = map[lane.Code]string{
	lane.Add: "%[1]s + %[2]s", lane.Sub: "%[1]s - %[2]s", lane.Mul: "float32(%[1]s * %[2]s)", lane.Div: "%[1]s / %[2]s",
	lane.FMA: "fma32(%[1]s, %[2]s, %[3]s)", lane.FNMA: "fma32(-%[1]s, %[2]s, %[3]s)",
	lane.Max: "selectMax(%[1]s, %[2]s)", lane.Min: "selectMin(%[1]s, %[2]s)",
	lane.Neg: "%[1]s ^ 1<<31", lane.Abs: "%[1]s &^ (1 << 31)",
	lane.Sqrt:  "float32(math.Sqrt(float64(%[1]s)))",
	lane.Floor: "float32(math.Floor(float64(%[1]s)))", lane.Ceil: "float32(math.Ceil(float64(%[1]s)))",
	lane.Round: "float32(math.RoundToEven(float64(%[1]s)))", lane.Trunc: "float32(math.Trunc(float64(%[1]s)))",
	lane.Lt: "laneMask(%[1]s < %[2]s)", lane.Le: "laneMask(%[1]s <= %[2]s)", lane.Eq: "laneMask(%[1]s == %[2]s)",
	lane.Sel: "%[1]s&%[2]s | ^%[1]s&%[3]s",
	lane.And: "%[1]s & %[2]s", lane.Or: "%[1]s | %[2]s", lane.Xor: "%[1]s ^ %[2]s", lane.AndNot: "%[1]s &^ %[2]s",
	lane.ToInt: "uint32(int32(%[1]s))", lane.FromInt: "float32(int32(%[1]s))",
	lane.IAdd: "%[1]s + %[2]s", lane.ISub: "%[1]s - %[2]s",
}

func (g *portable) expression(i *lane.Inst, a [3]string) string {
	switch i.Code {
	case lane.In:
		if g.p.Inputs[i.Arg] == lane.Splat {
			return fmt.Sprintf("in%d", i.Arg)
		}
		return fmt.Sprintf("in%d[i]", i.Arg)
	case lane.Shl:
		return fmt.Sprintf("%s << %d", a[0], i.Arg)
	case lane.Shr:
		return fmt.Sprintf("%s >> %d", a[0], i.Arg)
	case lane.Sar:
		return fmt.Sprintf("uint32(int32(%s) >> %d)", a[0], i.Arg)
	}
	args := []any{a[0], a[1], a[2]}
	n := len(i.Args())
	return fmt.Sprintf(forms[i.Code], args[:n]...)
}
