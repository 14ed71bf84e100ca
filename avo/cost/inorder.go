package cost

import (
	"regexp"
	"strings"
)

// The in-order cores issue up to two neighbouring instructions in a cycle where the
// pair is of kinds that go together. The rules are those by which ncnn and
// onnxruntime write their kernels for these cores and of slothy's model of the
// Cortex-A55: a vector operation on 128 bits takes both halves of the unit, so one
// a cycle; a 128-bit load issues alone and holds the next issue back by a cycle; one
// access to memory a cycle. On the Cortex-A53 a 64-bit load into a vector register
// and a move between registers of different kinds do not pair with a vector
// operation either. Latencies are rounded. There is no silicon behind these
// figures: they rank kernels.

type unitKind int

const (
	unitALU unitKind = iota
	unitMul
	unitDiv
	unitVector // 128 bits
	unitScalar // float of one lane, or 64 bits
	unitMove   // between general and vector registers
	unitLoad   // up to 64 bits into general registers
	unitLoadV  // up to 64 bits into a vector register
	unitLoadQ  // 128 bits
	unitStore
	unitBranch
	unitNone
)

// memory tells whether the load and store unit is used.
func (k unitKind) memory() bool { return k >= unitLoad && k <= unitStore }

// vector tells whether the whole vector unit is used.
func (k unitKind) vector() bool { return k == unitVector }

// pipelined is an instruction as the in-order model sees it.
type pipelined struct {
	kind     unitKind
	from, to []string // registers, "flags" among them
	base     string   // address register that is written back, "" = none
	latency  int
	hold     int // cycles until the next instruction may issue beyond the usual one
}

var (
	registerName = regexp.MustCompile(`\b([vqdshbxw])(\d+)\b|\b(sp|xzr|wzr)\b`)
	inBrackets   = regexp.MustCompile(`\[(x\d+|sp)`)
	writesBack   = regexp.MustCompile(`\],|\]!`)
)

// readsTarget are mnemonics whose destination is also read.
var readsTarget = map[string]bool{"fmla": true, "fmls": true, "mla": true, "mls": true, "bit": true, "bif": true, "bsl": true,
	"ins": true, "movk": true, "bfi": true, "bfxil": true, "smlal": true, "smlal2": true, "sdot": true, "udot": true,
	"fcvtn2": true, "xtn2": true, "sqxtn2": true, "sli": true, "sri": true, "saba": true, "sadalp": true}

// registersOf lists the registers of an operand string in order.
func registersOf(s string) []string {
	var rs []string
	for _, m := range registerName.FindAllStringSubmatch(s, -1) {
		switch {
		case m[3] == "sp":
			rs = append(rs, "sp")
		case m[3] != "":
		case m[1] == "x" || m[1] == "w":
			rs = append(rs, "x"+m[2])
		default:
			rs = append(rs, "v"+m[2])
		}
	}
	return rs
}

// pipelinedOf reads an instruction.
func pipelinedOf(text string) pipelined {
	op, operands, _ := strings.Cut(text, " ")
	first, _, _ := strings.Cut(operands, ",")
	rs := registersOf(operands)
	p := pipelined{latency: 1}
	if m := inBrackets.FindStringSubmatch(operands); m != nil {
		p.memory(op, first, operands, rs, m[1])
		return p
	}
	vector := false
	for _, r := range rs {
		vector = vector || r[0] == 'v'
	}
	dst := 1
	switch {
	case op == "b" || op == "ret" || op == "bl" || op == "br" || op == "blr" || strings.HasPrefix(op, "b.") || strings.HasPrefix(op, "cb") || strings.HasPrefix(op, "tb") && op != "tbl" && op != "tbx":
		p.kind, dst = unitBranch, 0
		if strings.HasPrefix(op, "b.") {
			p.from = []string{"flags"}
		}
	case op == "nop" || op == "hint" || op == "isb" || op == "dmb" || op == "dsb" || len(rs) == 0:
		p.kind, dst = unitNone, 0
	case vector:
		p.vectorOp(op, first, rs)
		if strings.HasPrefix(op, "fcmp") {
			dst, p.to = 0, []string{"flags"}
		}
	case op == "udiv" || op == "sdiv":
		p.kind, p.latency, p.hold = unitDiv, 12, 0
	case op == "mul" || op == "madd" || op == "msub" || op == "mneg" || strings.HasPrefix(op, "smul") || strings.HasPrefix(op, "umul") || strings.HasPrefix(op, "umadd") || strings.HasPrefix(op, "smadd"):
		p.kind, p.latency = unitMul, 3
	case op == "cmp" || op == "cmn" || op == "tst" || op == "ccmp" || op == "ccmn":
		dst, p.to = 0, []string{"flags"}
	case op == "adds" || op == "subs" || op == "ands" || op == "bics" || op == "negs" || op == "adcs" || op == "sbcs":
		p.to = []string{"flags"}
	}
	if strings.HasPrefix(op, "cs") || strings.HasPrefix(op, "cset") || strings.HasPrefix(op, "cinc") || op == "fcsel" || op == "ccmp" || op == "ccmn" {
		p.from = append(p.from, "flags")
	}
	dst = min(dst, len(rs))
	p.to = append(p.to, rs[:dst]...)
	p.from = append(p.from, rs[dst:]...)
	if readsTarget[op] || op == "mov" && strings.Contains(first, "[") {
		p.from = append(p.from, rs[:dst]...)
	}
	return p
}

// vectorOp classifies what works on vector registers.
func (p *pipelined) vectorOp(op, first string, rs []string) {
	p.kind, p.latency = unitVector, 4
	mixed := false
	for _, r := range rs {
		mixed = mixed || r[0] == 'x'
	}
	full := strings.Contains(first, ".4s") || strings.Contains(first, ".16b") || strings.Contains(first, ".8h") || strings.Contains(first, ".2d")
	switch {
	case mixed || op == "ins" || op == "mov" && strings.Contains(first, "["):
		p.kind, p.latency = unitMove, 2
	case !full:
		p.kind = unitScalar
	}
	switch {
	case op == "mov" || op == "movi" || op == "dup" || op == "and" || op == "orr" || op == "eor" || op == "bic" || op == "ext" ||
		op == "bit" || op == "bif" || op == "bsl" || strings.HasPrefix(op, "fcm") || strings.HasPrefix(op, "cm") ||
		strings.HasPrefix(op, "zip") || strings.HasPrefix(op, "uzp") || strings.HasPrefix(op, "trn"):
		p.latency = 2
	case op == "fdiv" || op == "fsqrt":
		p.latency, p.hold = 13, 9
		if full {
			p.latency, p.hold = 22, 18
		}
	}
}

// memory classifies loads, stores and prefetches.
func (p *pipelined) memory(op, first, operands string, rs []string, base string) {
	if writesBack.MatchString(operands) {
		p.base = base
	}
	wide := strings.HasPrefix(strings.TrimSpace(first), "q") || strings.Contains(first, ".4s") || strings.Contains(first, ".16b") || strings.Contains(first, ".8h") || strings.Contains(first, ".2d")
	data := 0 // registers before the address
	if i := strings.Index(operands, "["); i >= 0 {
		// A lane index is no address.
		if j := inBrackets.FindStringIndex(operands); j != nil {
			i = j[0]
		}
		data = len(registersOf(operands[:i]))
	}
	switch {
	case strings.HasPrefix(op, "prf"):
		p.kind, p.from = unitStore, rs
	case strings.HasPrefix(op, "st"):
		p.kind, p.from = unitStore, rs
		if wide && data > 1 {
			p.hold = data - 1
		}
	default:
		p.to, p.from = rs[:data], rs[data:]
		switch {
		case wide:
			p.kind, p.latency, p.hold = unitLoadQ, 4, 2*data-1
		case data > 0 && rs[0][0] == 'v':
			p.kind, p.latency, p.hold = unitLoadV, 3, data-1
		default:
			p.kind, p.latency = unitLoad, 3
		}
	}
}

// pairs tells whether an instruction may issue in the cycle of another.
func pairs(cpu CPU, a, b unitKind) bool {
	switch {
	case a == unitLoadQ || b == unitLoadQ || a == unitDiv || b == unitDiv:
		return false
	case a.memory() && b.memory(), a.vector() && b.vector(), a == unitMul && b == unitMul, a == unitBranch && b == unitBranch, a == unitMove && b == unitMove:
		return false
	case a.vector() && b == unitScalar || a == unitScalar && b.vector():
		return false
	}
	if cpu == CortexA53 {
		if a.vector() && (b == unitLoadV || b == unitMove) || b.vector() && (a == unitLoadV || a == unitMove) {
			return false
		}
	}
	return true
}

// inOrderIterations is the passes that a block is simulated for; the second half is
// averaged.
const inOrderIterations = 60

// inOrderCycles is the cycles of a pass over a block in a row of many.
func inOrderCycles(cpu CPU, lines []string) float64 {
	code := make([]pipelined, len(lines))
	for i, l := range lines {
		code[i] = pipelinedOf(l)
	}
	ready := map[string]int{}
	now, free := 0, 0 // the cycle of the last issue; the first at which more may issue
	var issued []unitKind
	half := 0
	for pass := range inOrderIterations {
		if pass == inOrderIterations/2 {
			half = now
		}
		for i := range code {
			p := &code[i]
			at := max(now, free)
			for _, r := range p.from {
				at = max(at, ready[r])
			}
			if at > now {
				issued = issued[:0]
			} else if len(issued) == 2 || len(issued) == 1 && !pairs(cpu, issued[0], p.kind) {
				at++
				issued = issued[:0]
			}
			now = at
			issued = append(issued, p.kind)
			if p.hold > 0 || p.kind == unitLoadQ {
				free = now + 1 + p.hold
			}
			for k, r := range p.to {
				ready[r] = now + p.latency
				if p.kind == unitLoadQ {
					ready[r] += 2 * k
				}
			}
			if p.base != "" {
				ready[p.base] = now + 1
			}
		}
	}
	return float64(now-half) / float64(inOrderIterations-inOrderIterations/2)
}
