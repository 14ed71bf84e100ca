package form

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
)

func register(name string, k Kind, a Access, shift int) Operand {
	return Operand{Name: name, Kind: k, Access: a, Shift: shift}
}

// Register operands by field: d 0-4, n 5-9, a 10-14, m 16-20.
var (
	vd   = register("d", Vec, Write, 0)
	vdRW = register("d", Vec, ReadWrite, 0)
	vdR  = register("d", Vec, Read, 0) // stored
	vn   = register("n", Vec, Read, 5)
	vm   = register("m", Vec, Read, 16)
	vmLo = register("m", VecLow, Read, 16)
	va   = register("a", Vec, Read, 10)
	gd   = register("d", GP, Write, 0)
	gdRW = register("d", GP, ReadWrite, 0)
	gdR  = register("d", GP, Read, 0) // stored
	gn   = register("n", GP, Read, 5)
	gnRW = register("n", GP, ReadWrite, 5) // updated base
	gm   = register("m", GP, Read, 16)
	ga   = register("a", GP, Read, 10)
	cond = Operand{Name: "cond", Kind: Cond, Enc: func(v int64) (uint32, error) { return uint32(v) << 12, nil }}
)

// field is an immediate stored as (v/step) in width bits at shift; a negative
// minimum is two's complement.
func field(name string, lo, hi, step int64, shift, width uint) Operand {
	return Operand{Name: name, Kind: Imm, Min: lo, Max: hi, Step: step, Enc: func(v int64) (uint32, error) {
		return uint32(v/step) & (1<<width - 1) << shift, nil
	}}
}

func computed(name string, lo, hi int64, enc func(v uint32) uint32) Operand {
	return Operand{Name: name, Kind: Imm, Min: lo, Max: hi, Enc: func(v int64) (uint32, error) { return enc(uint32(v)), nil }}
}

// Element sizes, as log2 of the bytes: the "size" field of most vector forms.
const (
	sizeB = iota
	sizeH
	sizeS
	sizeD
)

var elemName = [...]string{"b", "h", "s", "d"}

// full and half are the arrangements of a 128-bit and of a 64-bit register.
var (
	full   = [...]string{"16b", "8h", "4s", "2d"}
	half   = [...]string{"8b", "4h", "2s", "1d"}
	upFull = [...]string{"16B", "8H", "4S", "2D"}
	upHalf = [...]string{"8B", "4H", "2S", "1D"}
)

// laneIdx is the lane index of DUP, INS and UMOV: imm5 = lane:1:0…, at bit 16.
func laneIdx(size int) Operand {
	return computed("lane", 0, 16>>size-1, func(v uint32) uint32 { return (v<<1 | 1) << size << 16 })
}

// laneElem is the lane index of a by-element multiply. 32-bit lanes use L (bit
// 21) and H (bit 11); 16-bit lanes also M (bit 20), hence the low register.
func laneElem(size int) Operand {
	if size == sizeH {
		return computed("lane", 0, 7, func(v uint32) uint32 { return v>>2<<11 | v>>1&1<<21 | v&1<<20 })
	}
	return computed("lane", 0, 3, func(v uint32) uint32 { return v>>1<<11 | v&1<<21 })
}

// laneMem is the lane index of LD1 and ST1 single structure: Q:S:size from the
// top.
func laneMem(size int) Operand {
	return computed("lane", 0, 16>>size-1, func(v uint32) uint32 {
		v <<= size // index of the first byte
		return v>>3<<30 | v>>2&1<<12 | v&3<<10
	})
}

// shiftLeft and shiftRight are immh:immb of vector shifts on elements of the
// given size.
func shiftLeft(size int) Operand {
	e := uint32(8) << size
	return computed("shift", 0, int64(e)-1, func(v uint32) uint32 { return (e + v) << 16 })
}

func shiftRight(size int) Operand {
	e := uint32(8) << size
	return computed("shift", 1, int64(e), func(v uint32) uint32 { return (2*e - v) << 16 })
}

// arith is the immediate of ADD and SUB: 12 bits, or 12 bits times 4096.
var arith = Operand{Name: "imm", Kind: Imm, Min: 0, Max: 4095 << 12, Enc: func(v int64) (uint32, error) {
	switch {
	case v < 4096:
		return uint32(v) << 10, nil
	case v%4096 == 0:
		return 1<<22 | uint32(v/4096)<<10, nil
	}
	return 0, errors.New("neither below 4096 nor a multiple of 4096")
}}

// EncodeMask returns N:immr:imms (13 bits) of a 64-bit logical immediate: a
// rotated run of ones, repeated.
func EncodeMask(v uint64) (uint32, error) {
	if v == 0 || v == math.MaxUint64 {
		return 0, errors.New("all zeros or all ones is no logical immediate")
	}
	size := 64
	for size > 2 {
		h := size / 2
		m := uint64(1)<<h - 1
		if v&m != v>>h&m {
			break
		}
		size = h
	}
	mask := uint64(math.MaxUint64) >> (64 - size)
	e := v & mask
	ones := bits.OnesCount64(e)
	for r := 0; r < size; r++ {
		// rotating e left by r must give a run of ones at the bottom
		rot := (e<<r | e>>(size-r)) & mask
		if r == 0 {
			rot = e
		}
		if rot == uint64(1)<<ones-1 {
			n := uint32(0)
			if size == 64 {
				n = 1
			}
			imms := (^uint32(size*2-1) | uint32(ones-1)) & 0x3f
			return n<<12 | uint32(r)<<6 | imms, nil
		}
	}
	return 0, fmt.Errorf("%#x is no rotated run of ones", v)
}

// EncodeFloat returns the 8-bit immediate of FMOV: ±n/16·2^r with 16 ≤ n ≤ 31
// and -3 ≤ r ≤ 4.
func EncodeFloat(b uint32) (uint32, error) {
	exp := int(b>>23&0xff) - 127
	if b&0x7ffff != 0 || exp < -3 || exp > 4 {
		return 0, fmt.Errorf("%g is no 8-bit floating-point immediate", math.Float32frombits(b))
	}
	return b>>31<<7 | uint32((exp+7)&7)<<4 | b>>19&15, nil
}

var mask = Operand{Name: "imm", Kind: Mask, Enc: func(v int64) (uint32, error) {
	w, err := EncodeMask(uint64(v))
	return w << 10, err
}}

// imm8 is split into abc (bits 16-18) and defgh (bits 5-9).
func imm8(v uint32) uint32 { return v>>5<<16 | v&31<<5 }

func branchTarget(width, shift uint) Operand {
	reach := int64(1) << (width + 1)
	o := field("label", -reach, reach-4, 4, shift, width)
	o.Kind = Label
	return o
}

func row(name, template string, word uint32, ops ...Operand) *Form {
	return &Form{Name: name, Template: template, Word: word, Operands: ops}
}

func (f *Form) doc(s string) *Form             { f.Doc = s; return f }
func (f *Form) isa(s string) *Form             { f.ISA = s; return f }
func (f *Form) setsFlags() *Form               { f.WritesFlags = true; return f }
func (f *Form) usesFlags() *Form               { f.ReadsFlags = true; return f }
func (f *Form) distinct(pairs ...[2]int) *Form { f.Distinct = append(f.Distinct, pairs...); return f }
