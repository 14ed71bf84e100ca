package lane

import (
	"github.com/mmcloughlin/avo/ir"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
	"github.com/mmcloughlin/avo/x86"

	"github.com/flexnnc/flexnnc/ir/lane"
)

const (
	signMask  = 0x80000000
	valueMask = 0x7fffffff
)

// Predicates of VCMPPS, quiet.
const (
	cmpEq = 0x00
	cmpLt = 0x11
	cmpLe = 0x12
)

// Rounding modes of VROUNDPS and VRNDSCALEPS, inexact suppressed.
const (
	roundEven  = 8
	roundFloor = 9
	roundCeil  = 10
	roundTrunc = 11
)

var (
	ymm = []reg.Register{reg.Y0, reg.Y1, reg.Y2, reg.Y3, reg.Y4, reg.Y5, reg.Y6, reg.Y7, reg.Y8, reg.Y9, reg.Y10,
		reg.Y11, reg.Y12, reg.Y13, reg.Y14, reg.Y15}
	zmm = []reg.Register{reg.Z0, reg.Z1, reg.Z2, reg.Z3, reg.Z4, reg.Z5, reg.Z6, reg.Z7, reg.Z8, reg.Z9, reg.Z10,
		reg.Z11, reg.Z12, reg.Z13, reg.Z14, reg.Z15, reg.Z16, reg.Z17, reg.Z18, reg.Z19, reg.Z20, reg.Z21, reg.Z22,
		reg.Z23, reg.Z24, reg.Z25, reg.Z26, reg.Z27, reg.Z28, reg.Z29, reg.Z30, reg.Z31}
	kmask = []reg.Register{reg.K0, reg.K1, reg.K2, reg.K3, reg.K4, reg.K5, reg.K6, reg.K7}
)

// v is a vector register of the version's width.
func (x *x86Kernel) v(n int) reg.Register {
	if x.isa == avx512 {
		return zmm[n]
	}
	return ymm[n]
}

func (x *x86Kernel) constants(i *lane.Inst) []uint32 {
	switch i.Code {
	case lane.Neg:
		return []uint32{signMask}
	case lane.Abs:
		return []uint32{valueMask}
	}
	return nil
}

func (x *x86Kernel) maskResult(i *lane.Inst, operand func(lane.Reg) bool) bool {
	switch i.Code {
	case lane.Lt, lane.Le, lane.Eq:
		return true
	case lane.And, lane.Or, lane.Xor, lane.AndNot:
		return operand(i.A) && operand(i.B)
	}
	return false
}

// maskOperand is asked of instructions whose result is a vector.
func (x *x86Kernel) maskOperand(i *lane.Inst, k int) bool {
	return i.Code == lane.Sel && k == 0 || i.Code == lane.And && i.A != i.B
}

type three func(...operand.Op) (*ir.Instruction, error)

func three3(f func(a, b, c operand.Op) (*ir.Instruction, error)) three {
	return func(o ...operand.Op) (*ir.Instruction, error) { return f(o[0], o[1], o[2]) }
}

// binary are the operations that take B, A and the destination.
var binary = map[lane.Code]three{
	lane.Add: x86.VADDPS, lane.Sub: x86.VSUBPS, lane.Mul: x86.VMULPS, lane.Div: x86.VDIVPS,
	lane.Max: x86.VMAXPS, lane.Min: x86.VMINPS,
	lane.And: x86.VANDPS, lane.Or: x86.VORPS, lane.Xor: x86.VXORPS,
	lane.IAdd: x86.VPADDD, lane.ISub: x86.VPSUBD,
}

var maskLogic = map[lane.Code]three{
	lane.And: three3(x86.KANDW), lane.Or: three3(x86.KORW), lane.Xor: three3(x86.KXORW), lane.AndNot: three3(x86.KANDNW),
}

var shifts = map[lane.Code]three{lane.Shl: x86.VPSLLD, lane.Shr: x86.VPSRLD, lane.Sar: x86.VPSRAD}

var roundings = map[lane.Code]int{
	lane.Round: roundEven, lane.Floor: roundFloor, lane.Ceil: roundCeil, lane.Trunc: roundTrunc,
}

var predicates = map[lane.Code]int{lane.Lt: cmpLt, lane.Le: cmpLe, lane.Eq: cmpEq}

func (x *x86Kernel) op(s *sequence, i *lane.Inst, a []value, toMask bool, want func(uint32) value) value {
	in := *i // the closures outlive the loop
	switch i.Code {
	case lane.Neg:
		return x.binary(s, x86.VXORPS, a[0], want(signMask))
	case lane.Abs:
		return x.binary(s, x86.VANDPS, a[0], want(valueMask))
	case lane.FMA, lane.FNMA:
		return x.fused(s, in.Code == lane.FNMA, a)
	case lane.Lt, lane.Le, lane.Eq:
		return x.compare(s, predicates[in.Code], toMask, a)
	case lane.Sel:
		return x.sel(s, a)
	case lane.And, lane.Or, lane.Xor, lane.AndNot:
		return x.logic(s, in.Code, a)
	case lane.Sqrt:
		return s.add(vec, 0, func(d int, r []int, _ int) { x.c.I(x86.VSQRTPS(x.v(r[0]), x.v(d))) }, a...)
	case lane.Round, lane.Floor, lane.Ceil, lane.Trunc:
		mode := operand.Imm(uint64(roundings[in.Code]))
		return s.add(vec, 0, func(d int, r []int, _ int) {
			if x.isa == avx512 {
				x.c.I(x86.VRNDSCALEPS(mode, x.v(r[0]), x.v(d)))
			} else {
				x.c.I(x86.VROUNDPS(mode, x.v(r[0]), x.v(d)))
			}
		}, a...)
	case lane.ToInt:
		return s.add(vec, 0, func(d int, r []int, _ int) { x.c.I(x86.VCVTTPS2DQ(x.v(r[0]), x.v(d))) }, a...)
	case lane.FromInt:
		return s.add(vec, 0, func(d int, r []int, _ int) { x.c.I(x86.VCVTDQ2PS(x.v(r[0]), x.v(d))) }, a...)
	case lane.Shl, lane.Shr, lane.Sar:
		return s.add(vec, 0, func(d int, r []int, _ int) {
			x.c.I(shifts[in.Code](operand.Imm(uint64(in.Arg)), x.v(r[0]), x.v(d)))
		}, a...)
	}
	return x.binary(s, binary[i.Code], a[0], a[1])
}

func (x *x86Kernel) binary(s *sequence, f three, a, b value) value {
	return s.add(vec, 0, func(d int, r []int, _ int) { x.c.I(f(x.v(r[1]), x.v(r[0]), x.v(d))) }, a, b)
}

// fused overwrites any of the three: 231 the addend, 213 a factor.
func (x *x86Kernel) fused(s *sequence, negated bool, a []value) value {
	add, factor := three(x86.VFMADD231PS), three(x86.VFMADD213PS)
	if negated {
		add, factor = x86.VFNMADD231PS, x86.VFNMADD213PS
	}
	return s.add(vec, 7, func(d int, r []int, tied int) {
		switch tied {
		case 0:
			x.c.I(factor(x.v(r[2]), x.v(r[1]), x.v(d)))
		case 1:
			x.c.I(factor(x.v(r[2]), x.v(r[0]), x.v(d)))
		default:
			x.c.I(add(x.v(r[1]), x.v(r[0]), x.v(d)))
		}
	}, a...)
}

func (x *x86Kernel) compare(s *sequence, predicate int, toMask bool, a []value) value {
	p := operand.Imm(uint64(predicate))
	if x.isa == avx2 {
		return s.add(vec, 0, func(d int, r []int, _ int) { x.c.I(x86.VCMPPS(p, x.v(r[1]), x.v(r[0]), x.v(d))) }, a...)
	}
	if toMask {
		return s.add(mask, 0, func(d int, r []int, _ int) { x.c.I(x86.VCMPPS(p, x.v(r[1]), x.v(r[0]), kmask[d])) }, a...)
	}
	return s.add(vec, 0, func(d int, r []int, _ int) {
		x.c.I(x86.VCMPPS(p, x.v(r[1]), x.v(r[0]), reg.K0)) // K0 holds no mask of the program
		x.c.I(x86.VPMOVM2D(reg.K0, x.v(d)))
	}, a...)
}

func (x *x86Kernel) sel(s *sequence, a []value) value {
	switch {
	case x.isa == avx2:
		return s.add(vec, 0, func(d int, r []int, _ int) {
			x.c.I(x86.VBLENDVPS(x.v(r[0]), x.v(r[1]), x.v(r[2]), x.v(d)))
		}, a...)
	case s.class[a[0]] == mask:
		return s.add(vec, 0, func(d int, r []int, _ int) {
			x.c.I(x86.VBLENDMPS(x.v(r[1]), x.v(r[2]), kmask[r[0]], x.v(d)))
		}, a...)
	}
	return s.add(vec, 1, func(d int, r []int, _ int) { // d ? B : C by bits
		x.c.I(x86.VPTERNLOGD(operand.Imm(0xca), x.v(r[2]), x.v(r[1]), x.v(d)))
	}, a...)
}

func (x *x86Kernel) logic(s *sequence, c lane.Code, a []value) value {
	am, bm := s.class[a[0]] == mask, s.class[a[1]] == mask
	if am && bm {
		return s.add(mask, 0, func(d int, r []int, _ int) {
			if c == lane.AndNot { // KANDN complements its first source
				x.c.I(maskLogic[c](kmask[r[0]], kmask[r[1]], kmask[d]))
				return
			}
			x.c.I(maskLogic[c](kmask[r[1]], kmask[r[0]], kmask[d]))
		}, a...)
	}
	if am || bm { // And of a mask and a vector
		m, v := a[0], a[1]
		if bm {
			m, v = v, m
		}
		return s.add(vec, 0, func(d int, r []int, _ int) { x.c.I(x86.VMOVAPS_Z(x.v(r[1]), kmask[r[0]], x.v(d))) }, m, v)
	}
	if c == lane.AndNot {
		return x.binary(s, x86.VANDNPS, a[1], a[0])
	}
	return x.binary(s, binary[c], a[0], a[1])
}
