// Package lane describes element-wise arithmetic once, for every back end: a
// Program is a short straight-line list of float32 and int32 operations that is
// applied to each element of some arrays. The NEON, AVX2 and AVX-512 generators
// and the portable Go printer all work from the same Program, which is why their
// answers have the same bits. The package knows nothing of instruction sets.
package lane

import "math"

// Reg names the result of instruction Reg of a Program.
type Reg int

// Code is an operation of a Program.
type Code int

// Operations. Floats are IEEE binary32, round to nearest even, subnormals kept.
// A mask is all ones or all zeros, in the bits of a lane.
const (
	In      Code = iota // In: element of input Arg (an array, or one broadcast value: Program.Inputs says)
	Const               // Bits as they are
	Add                 // A+B
	Sub                 // A-B
	Mul                 // A*B
	Div                 // A/B
	FMA                 // A*B+C, rounded once
	FNMA                // C-A*B, rounded once
	Max                 // A>B ? A : B   (B where either is NaN or both are zero)
	Min                 // A<B ? A : B   (likewise)
	Neg                 // sign bit flipped
	Abs                 // sign bit cleared
	Sqrt                // correctly rounded
	Floor               // toward -inf
	Ceil                // toward +inf
	Round               // to nearest, ties to even
	Trunc               // toward zero
	Lt                  // A<B mask, false on NaN
	Le                  // A<=B mask, false on NaN
	Eq                  // A==B mask, false on NaN
	Sel                 // A mask ? B : C
	And                 // bits
	Or                  // bits
	Xor                 // bits
	AndNot              // A &^ B
	ToInt               // float to int32, truncating; only for |A| < 2^31
	FromInt             // int32 to float, round to nearest even
	IAdd                // int32 A+B, wrapping
	ISub                // int32 A-B, wrapping
	Shl                 // int32 A<<Arg, 0<=Arg<32
	Shr                 // uint32 A>>Arg
	Sar                 // int32 A>>Arg, arithmetic
)

// Inst is one operation; A, B, C are earlier results.
type Inst struct {
	Code    Code
	A, B, C Reg
	Arg     int    // In: input number; Shl, Shr, Sar: distance
	Bits    uint32 // Const
}

// Input says how an input is read.
type Input int

// Kinds of input.
const (
	Vector Input = iota // one element per lane, contiguous
	Splat               // one value for all lanes
)

// Reduction says what becomes of the results.
type Reduction int

// A program stores its result per element (Store) or reduces it to one value
// with a fixed structure: 16 accumulators, element i into accumulator i mod 16,
// then pairwise j with j+8, j+4, j+2, j+1, where the lower one is the accumulator.
// Missing elements of the last group of 16 leave their accumulator alone.
const (
	Store     Reduction = iota
	ReduceSum           // starts at +0
	ReduceMax           // by Max above, accumulator as B; starts at -Inf
	ReduceMin           // by Min above, accumulator as B; starts at +Inf
)

// Program is an element-wise computation. Two programs with equal Name are equal.
type Program struct {
	Name   string // lower case words joined by '_'; part of kernel names
	Inputs []Input
	Insts  []Inst
	Result Reg
	Reduce Reduction
	// Both says that a reducing program also stores its per-element results.
	Both bool
}

// Builder makes a Program; equal instructions are shared.
type Builder struct {
	p    Program
	seen map[Inst]Reg
}

// New starts a program.
func New(name string) *Builder {
	return &Builder{p: Program{Name: name}, seen: map[Inst]Reg{}}
}

// Op appends an instruction, or finds the equal one already there.
func (b *Builder) Op(i Inst) Reg {
	if r, ok := b.seen[i]; ok {
		return r
	}
	b.p.Insts = append(b.p.Insts, i)
	r := Reg(len(b.p.Insts) - 1)
	b.seen[i] = r
	return r
}

// Vec declares the next input as an array, Splat as one value.
func (b *Builder) Vec() Reg   { return b.input(Vector) }
func (b *Builder) Splat() Reg { return b.input(Splat) }

func (b *Builder) input(k Input) Reg {
	b.p.Inputs = append(b.p.Inputs, k)
	return b.Op(Inst{Code: In, Arg: len(b.p.Inputs) - 1})
}

// F is a float constant, I an integer (or bit pattern) one.
func (b *Builder) F(v float32) Reg { return b.Op(Inst{Code: Const, Bits: math.Float32bits(v)}) }
func (b *Builder) I(v uint32) Reg  { return b.Op(Inst{Code: Const, Bits: v}) }

// One method per operation; see the Code constants.
func (b *Builder) Add(x, y Reg) Reg     { return b.Op(Inst{Code: Add, A: x, B: y}) }
func (b *Builder) Sub(x, y Reg) Reg     { return b.Op(Inst{Code: Sub, A: x, B: y}) }
func (b *Builder) Mul(x, y Reg) Reg     { return b.Op(Inst{Code: Mul, A: x, B: y}) }
func (b *Builder) Div(x, y Reg) Reg     { return b.Op(Inst{Code: Div, A: x, B: y}) }
func (b *Builder) FMA(x, y, z Reg) Reg  { return b.Op(Inst{Code: FMA, A: x, B: y, C: z}) }
func (b *Builder) FNMA(x, y, z Reg) Reg { return b.Op(Inst{Code: FNMA, A: x, B: y, C: z}) }
func (b *Builder) Max(x, y Reg) Reg     { return b.Op(Inst{Code: Max, A: x, B: y}) }
func (b *Builder) Min(x, y Reg) Reg     { return b.Op(Inst{Code: Min, A: x, B: y}) }
func (b *Builder) Neg(x Reg) Reg        { return b.Op(Inst{Code: Neg, A: x}) }
func (b *Builder) Abs(x Reg) Reg        { return b.Op(Inst{Code: Abs, A: x}) }
func (b *Builder) Sqrt(x Reg) Reg       { return b.Op(Inst{Code: Sqrt, A: x}) }
func (b *Builder) Floor(x Reg) Reg      { return b.Op(Inst{Code: Floor, A: x}) }
func (b *Builder) Ceil(x Reg) Reg       { return b.Op(Inst{Code: Ceil, A: x}) }
func (b *Builder) Round(x Reg) Reg      { return b.Op(Inst{Code: Round, A: x}) }
func (b *Builder) Trunc(x Reg) Reg      { return b.Op(Inst{Code: Trunc, A: x}) }
func (b *Builder) Lt(x, y Reg) Reg      { return b.Op(Inst{Code: Lt, A: x, B: y}) }
func (b *Builder) Le(x, y Reg) Reg      { return b.Op(Inst{Code: Le, A: x, B: y}) }
func (b *Builder) Eq(x, y Reg) Reg      { return b.Op(Inst{Code: Eq, A: x, B: y}) }
func (b *Builder) Sel(m, x, y Reg) Reg  { return b.Op(Inst{Code: Sel, A: m, B: x, C: y}) }
func (b *Builder) And(x, y Reg) Reg     { return b.Op(Inst{Code: And, A: x, B: y}) }
func (b *Builder) Or(x, y Reg) Reg      { return b.Op(Inst{Code: Or, A: x, B: y}) }
func (b *Builder) Xor(x, y Reg) Reg     { return b.Op(Inst{Code: Xor, A: x, B: y}) }
func (b *Builder) AndNot(x, y Reg) Reg  { return b.Op(Inst{Code: AndNot, A: x, B: y}) }
func (b *Builder) ToInt(x Reg) Reg      { return b.Op(Inst{Code: ToInt, A: x}) }
func (b *Builder) FromInt(x Reg) Reg    { return b.Op(Inst{Code: FromInt, A: x}) }
func (b *Builder) IAdd(x, y Reg) Reg    { return b.Op(Inst{Code: IAdd, A: x, B: y}) }
func (b *Builder) ISub(x, y Reg) Reg    { return b.Op(Inst{Code: ISub, A: x, B: y}) }
func (b *Builder) Shl(x Reg, n int) Reg { return b.Op(Inst{Code: Shl, A: x, Arg: n}) }
func (b *Builder) Shr(x Reg, n int) Reg { return b.Op(Inst{Code: Shr, A: x, Arg: n}) }
func (b *Builder) Sar(x Reg, n int) Reg { return b.Op(Inst{Code: Sar, A: x, Arg: n}) }

// Return ends a program whose results are stored.
func (b *Builder) Return(r Reg) *Program { return b.ReturnReduced(r, Store, false) }

// ReturnReduced ends a program whose results are reduced, and stored too where both.
func (b *Builder) ReturnReduced(r Reg, how Reduction, both bool) *Program {
	b.p.Result, b.p.Reduce, b.p.Both = r, how, both
	p := b.p
	return &p
}
