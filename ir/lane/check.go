package lane

import "fmt"

// MaxInputs is the number of inputs that a kernel can have.
const MaxInputs = 8

// operands is how many of A, B, C an instruction reads.
func (c Code) operands() int {
	switch c {
	case In, Const:
		return 0
	case Neg, Abs, Sqrt, Floor, Ceil, Round, Trunc, ToInt, FromInt, Shl, Shr, Sar:
		return 1
	case FMA, FNMA, Sel:
		return 3
	}
	return 2
}

// Args are the results that an instruction reads.
func (i *Inst) Args() []Reg { return []Reg{i.A, i.B, i.C}[:i.Code.operands()] }

// Check says whether p is well formed: what every back end relies on.
func (p *Program) Check() error {
	fail := func(format string, a ...any) error {
		return fmt.Errorf("lane program %q: %s", p.Name, fmt.Sprintf(format, a...))
	}
	if !validName(p.Name) {
		return fail("the name is not lower case words joined by '_'")
	}
	if len(p.Inputs) > MaxInputs {
		return fail("%d inputs, at most %d", len(p.Inputs), MaxInputs)
	}
	for k, v := range p.Inputs {
		if v != Vector && v != Splat {
			return fail("input %d has no kind", k)
		}
	}
	if p.Reduce < Store || p.Reduce > ReduceMin {
		return fail("unknown reduction %d", p.Reduce)
	}
	if p.Reduce == Store && p.Both {
		return fail("Both without a reduction")
	}
	for n := range p.Insts {
		i := &p.Insts[n]
		if i.Code < In || i.Code > Sar {
			return fail("instruction %d: unknown code %d", n, i.Code)
		}
		for _, r := range i.Args() {
			if r < 0 || int(r) >= n {
				return fail("instruction %d (%s) reads result %d", n, i.Code, r)
			}
		}
		switch i.Code {
		case In:
			if i.Arg < 0 || i.Arg >= len(p.Inputs) {
				return fail("instruction %d reads input %d of %d", n, i.Arg, len(p.Inputs))
			}
		case Shl, Shr, Sar:
			if i.Arg < 0 || i.Arg > 31 {
				return fail("instruction %d shifts by %d", n, i.Arg)
			}
		}
	}
	if p.Result < 0 || int(p.Result) >= len(p.Insts) {
		return fail("the result is %d of %d", p.Result, len(p.Insts))
	}
	return nil
}

func validName(s string) bool {
	for i, c := range s {
		word := c >= 'a' && c <= 'z' || c >= '0' && c <= '9'
		joint := c == '_' && i > 0 && i < len(s)-1 && s[i-1] != '_'
		if !word && !joint {
			return false
		}
	}
	return s != ""
}

// Splatted is p with input k read as one value for all elements where splat[k] is
// set: the program for operands that are broadcast along the innermost axis. Its
// name says which inputs are.
func (p *Program) Splatted(splat []bool) *Program {
	q := *p
	q.Inputs = append([]Input(nil), p.Inputs...)
	suffix := make([]byte, len(p.Inputs))
	changed := false
	for k := range q.Inputs {
		if k < len(splat) && splat[k] && q.Inputs[k] == Vector {
			q.Inputs[k] = Splat
			changed = true
		}
		suffix[k] = "vs"[q.Inputs[k]]
	}
	if !changed {
		return p
	}
	q.Name += "_" + string(suffix)
	return &q
}
