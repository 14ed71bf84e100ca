// Package lane generates the kernels of lane programs (see ir/lane): assembly for
// AVX-512, AVX2 and NEON, portable Go, and the variables through which a package
// calls the best of them. A kernel's argument is the runtime's mapArgs. The
// package knows nothing of networks and plans.
//
// Every kernel works on groups of 16 elements, the number of accumulators of a
// reduction: one vector of AVX-512, two of AVX2, four of NEON. The vectors of a
// group are interleaved as far as registers last. A program is straight-line
// code, so registers are allocated in one sweep: constants that are not kept in
// registers are loaded where they are used, values spill to mapArgs.room.
package lane

import (
	"fmt"
	"strings"

	"github.com/flexnnc/flexnnc/ir/lane"
)

// Offsets of the fields of the runtime's mapArgs. A test compares them.
const (
	argN       = 0
	argRows    = 8
	argOut     = 16
	argOutStep = 24
	argIn      = 32 // [lane.MaxInputs]
	argInStep  = argIn + 8*lane.MaxInputs
	argResult  = argInStep + 8*lane.MaxInputs
	argRoom    = argResult + 16 // a multiple of 16

	stageBytes = 4 * lane.Groups
	stages     = lane.MaxInputs + 1 // the inputs of a tail, its results
	slotBytes  = 64
	slots      = 32
	spillAt    = argRoom + stages*stageBytes
	argBytes   = spillAt + slots*slotBytes
)

// Offsets lists them, for that test.
func Offsets() map[string]int {
	return map[string]int{"n": argN, "rows": argRows, "out": argOut, "outStep": argOutStep, "in": argIn,
		"inStep": argInStep, "result": argResult, "room": argRoom, "end": argBytes}
}

// Name is the variable of type func(*mapArgs) through which p is called: mapExp,
// or reduceSumX for a reduction. Versions add the ISA: mapExpAVX512, mapExpGo.
func Name(p *lane.Program) string {
	prefix := "map"
	switch p.Reduce {
	case lane.ReduceSum:
		prefix = "reduceSum"
	case lane.ReduceMax:
		prefix = "reduceMax"
	case lane.ReduceMin:
		prefix = "reduceMin"
	}
	return prefix + camel(p.Name)
}

// camel keeps the underscore before a digit, so that different names stay so.
func camel(s string) string {
	var b strings.Builder
	for _, w := range strings.Split(s, "_") {
		if w[0] >= '0' && w[0] <= '9' {
			b.WriteByte('_')
		}
		b.WriteString(strings.ToUpper(w[:1]) + w[1:])
	}
	return b.String()
}

// isa is an instruction set that kernels are generated for.
type isa int

const (
	avx512 isa = iota
	avx2
	neon
)

func (i isa) String() string { return [...]string{"AVX512", "AVX2", "NEON"}[i] }

// vectors is how many registers hold a group of 16 elements.
func (i isa) vectors() int { return [...]int{1, 2, 4}[i] }

// registers is the size of the vector register file.
func (i isa) registers() int { return [...]int{32, 16, 32}[i] }

// live marks the instructions that the result needs.
func live(p *lane.Program) []bool {
	need := make([]bool, len(p.Insts))
	need[p.Result] = true
	for n := len(p.Insts) - 1; n >= 0; n-- {
		if need[n] {
			for _, r := range p.Insts[n].Args() {
				need[r] = true
			}
		}
	}
	return need
}

// used marks the inputs that are read.
func used(p *lane.Program) []bool {
	in := make([]bool, len(p.Inputs))
	for n, need := range live(p) {
		if i := &p.Insts[n]; need && i.Code == lane.In {
			in[i.Arg] = true
		}
	}
	return in
}

// stores reports whether p has per-element results.
func stores(p *lane.Program) bool { return p.Reduce == lane.Store || p.Both }

// check is Check, and what holds for a set of programs.
func check(programs []*lane.Program) error {
	seen := map[string]bool{}
	for _, p := range programs {
		if err := p.Check(); err != nil {
			return err
		}
		if n := Name(p); seen[n] {
			return fmt.Errorf("two lane programs are called %q", n)
		} else {
			seen[n] = true
		}
	}
	return nil
}
