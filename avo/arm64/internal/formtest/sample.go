// Package formtest draws valid operands for the instruction forms, for tests
// only. It knows nothing but the table.
package formtest

import (
	"math"
	"math/rand"
	"strings"

	"github.com/flexnnc/flexnnc/avo/arm64/form"
)

// Sample draws valid operand values of f: in round 0 the least and in round 1 the
// greatest of every immediate, random ones otherwise. General registers are
// below gpLimit.
func Sample(r *rand.Rand, f *form.Form, round int, gpLimit int64) []int64 {
	vals := make([]int64, len(f.Operands))
	for {
		for i, o := range f.Operands {
			vals[i] = value(r, o, round, gpLimit)
			if f.CheckValue(i, vals[i]) != nil {
				vals[i] = r.Int63n(4096) // the gaps of the ADD immediate
			}
		}
		for i, x := range f.List {
			vals[x] = (vals[f.List[0]] + int64(i)) % 32
		}
		if f.Check(vals) == nil {
			return vals
		}
	}
}

func value(r *rand.Rand, o form.Operand, round int, gpLimit int64) int64 {
	switch o.Kind {
	case form.Vec:
		return r.Int63n(32)
	case form.VecLow:
		return r.Int63n(16)
	case form.GP:
		return r.Int63n(gpLimit)
	case form.Mask:
		size := 2 << r.Intn(6)
		e := uint64(1)<<(1+r.Intn(size-1)) - 1
		var v uint64
		for s := 0; s < 64; s += size {
			v |= e << s
		}
		k := r.Intn(64)
		return int64(v<<k | v>>((64-k)&63))
	case form.Float:
		v := math.Ldexp(float64(16+r.Intn(16))/16, r.Intn(8)-3)
		if r.Intn(2) == 0 {
			v = -v
		}
		return int64(math.Float32bits(float32(v)))
	case form.Cond:
		return r.Int63n(14)
	}
	switch step := max(o.Step, 1); round {
	case 0:
		return o.Min
	case 1:
		return o.Max
	default:
		return o.Min + r.Int63n((o.Max-o.Min)/step+1)*step
	}
}

// Instruction is a sampled instruction.
type Instruction struct {
	Form *form.Form
	Vals []int64
	GNU  string // branch targets as #distance
	Word uint32
}

// Samples draws rounds instructions of every form, the same for the same seed.
func Samples(seed int64, rounds int) ([]Instruction, error) {
	r := rand.New(rand.NewSource(seed))
	var out []Instruction
	for _, f := range form.All() {
		for k := 0; k < rounds; k++ {
			vals := Sample(r, f, k, 31)
			w, err := f.Encode(vals)
			if err != nil {
				return nil, err
			}
			gnu := f.GNU(vals)
			if i := strings.LastIndexByte(gnu, ' '); f.Branch {
				gnu = gnu[:i+1] + "#" + gnu[i+1:]
			}
			out = append(out, Instruction{f, vals, gnu, w})
		}
	}
	return out, nil
}
