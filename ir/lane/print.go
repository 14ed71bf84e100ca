package lane

import (
	"fmt"
	"math"
	"strings"
)

var codeNames = [...]string{
	In: "in", Const: "const", Add: "add", Sub: "sub", Mul: "mul", Div: "div", FMA: "fma", FNMA: "fnma",
	Max: "max", Min: "min", Neg: "neg", Abs: "abs", Sqrt: "sqrt", Floor: "floor", Ceil: "ceil",
	Round: "round", Trunc: "trunc", Lt: "lt", Le: "le", Eq: "eq", Sel: "sel", And: "and", Or: "or",
	Xor: "xor", AndNot: "andnot", ToInt: "toint", FromInt: "fromint", IAdd: "iadd", ISub: "isub",
	Shl: "shl", Shr: "shr", Sar: "sar",
}

func (c Code) String() string {
	if c < 0 || int(c) >= len(codeNames) {
		return fmt.Sprintf("code(%d)", int(c))
	}
	return codeNames[c]
}

func (r Reduction) String() string {
	if r < Store || r > ReduceMin {
		return fmt.Sprintf("reduction(%d)", int(r))
	}
	return [...]string{"store", "sum", "max", "min"}[r]
}

func (k Input) String() string {
	if k == Splat {
		return "splat"
	}
	return "vector"
}

// String prints p, one instruction a line. Equal programs print equally.
func (p *Program) String() string {
	var s strings.Builder
	fmt.Fprintf(&s, "program %s\n", p.Name)
	for n := range p.Insts {
		i := &p.Insts[n]
		fmt.Fprintf(&s, "\tv%d = %s", n, i.Code)
		switch i.Code {
		case In:
			kind := "?"
			if i.Arg >= 0 && i.Arg < len(p.Inputs) {
				kind = p.Inputs[i.Arg].String()
			}
			fmt.Fprintf(&s, " %d %s", i.Arg, kind)
		case Const:
			fmt.Fprintf(&s, " %#08x (%g)", i.Bits, math.Float32frombits(i.Bits))
		}
		for _, r := range i.Args() {
			fmt.Fprintf(&s, " v%d", r)
		}
		switch i.Code {
		case Shl, Shr, Sar:
			fmt.Fprintf(&s, " %d", i.Arg)
		}
		s.WriteByte('\n')
	}
	fmt.Fprintf(&s, "\t%s v%d", p.Reduce, p.Result)
	if p.Both {
		s.WriteString(", store")
	}
	s.WriteByte('\n')
	return s.String()
}
