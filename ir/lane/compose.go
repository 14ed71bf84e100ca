package lane

import "fmt"

// Compose is the program that computes inner and gives its result to outer as
// input at. Its inputs are inner's, then outer's others, in order. It is nil
// where the two cannot be one: either reduces, outer reads input at as one value
// for all elements, or there are more inputs than a kernel can have.
func Compose(outer *Program, at int, inner *Program) *Program {
	if outer.Reduce != Store || inner.Reduce != Store || outer.Inputs[at] != Vector {
		return nil
	}
	if len(outer.Inputs)+len(inner.Inputs)-1 > MaxInputs {
		return nil
	}
	then := "_then_"
	if at > 0 {
		then = fmt.Sprintf("_then%d_", at)
	}
	b := New(inner.Name + then + outer.Name)
	b.p.Inputs = append(b.p.Inputs, inner.Inputs...)
	place := make([]int, len(outer.Inputs)) // of outer's inputs among the new ones
	for i, kind := range outer.Inputs {
		if i != at {
			place[i] = len(b.p.Inputs)
			b.p.Inputs = append(b.p.Inputs, kind)
		}
	}
	mid := b.inline(inner, func(i Inst) Reg { return b.Op(i) })
	return b.Return(b.inline(outer, func(i Inst) Reg {
		if i.Arg == at {
			return mid
		}
		i.Arg = place[i.Arg]
		return b.Op(i)
	}))
}

// First is p with input k moved to the front.
func First(p *Program, k int) *Program {
	if k == 0 {
		return p
	}
	b := New(fmt.Sprintf("%s_first%d", p.Name, k))
	b.p.Inputs = append([]Input{p.Inputs[k]}, p.Inputs[:k]...)
	b.p.Inputs = append(b.p.Inputs, p.Inputs[k+1:]...)
	r := b.inline(p, func(i Inst) Reg {
		switch {
		case i.Arg == k:
			i.Arg = 0
		case i.Arg < k:
			i.Arg++
		}
		return b.Op(i)
	})
	return b.ReturnReduced(r, p.Reduce, p.Both)
}

// inline appends p's instructions, with its In instructions replaced, and
// returns p's result.
func (b *Builder) inline(p *Program, in func(Inst) Reg) Reg {
	at := make([]Reg, len(p.Insts))
	for n, i := range p.Insts {
		if i.Code == In {
			at[n] = in(i)
			continue
		}
		for k, r := range []*Reg{&i.A, &i.B, &i.C} {
			if k < i.Code.operands() {
				*r = at[*r]
			}
		}
		at[n] = b.Op(i)
	}
	return at[p.Result]
}

// Merge is p with input j, which has the same values as input i, read as that. It
// is nil where the two are read in different ways.
func Merge(p *Program, i, j int) *Program {
	if i >= j || p.Inputs[i] != p.Inputs[j] {
		return nil
	}
	b := New(fmt.Sprintf("%s_same%d%d", p.Name, i, j))
	b.p.Inputs = append(append([]Input{}, p.Inputs[:j]...), p.Inputs[j+1:]...)
	r := b.inline(p, func(in Inst) Reg {
		switch {
		case in.Arg == j:
			in.Arg = i
		case in.Arg > j:
			in.Arg--
		}
		return b.Op(in)
	})
	return b.ReturnReduced(r, p.Reduce, p.Both)
}
