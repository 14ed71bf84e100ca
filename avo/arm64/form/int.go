package form

import "fmt"

// bySize makes one form per element size of the full register.
func bySize(name, template string, word uint32, doc string, sizes []int, ops ...Operand) []*Form {
	var t []*Form
	for _, s := range sizes {
		t = append(t, row(name+"_"+upFull[s], fmt.Sprintf(template, full[s]), word|1<<30|uint32(s)<<22, ops...).doc(doc))
	}
	return t
}

var (
	bhsd = []int{sizeB, sizeH, sizeS, sizeD}
	bhs  = []int{sizeB, sizeH, sizeS}
	hs   = []int{sizeH, sizeS}
)

// intForms are the integer vector forms on whole registers. The suffix is the
// arrangement of the destination.
func intForms() []*Form {
	var t []*Form
	for _, o := range []struct {
		name, gnu string
		word      uint32
		sizes     []int
		d         Operand
		doc       string
	}{
		{"ADD", "add", 0x0E208400, bhsd, vd, ""},
		{"SUB", "sub", 0x2E208400, bhsd, vd, "d = n - m"},
		{"MUL", "mul", 0x0E209C00, bhs, vd, ""},
		{"MLA", "mla", 0x0E209400, bhs, vdRW, "d += n*m"},
		{"MLS", "mls", 0x2E209400, bhs, vdRW, "d -= n*m"},
		{"CMEQ", "cmeq", 0x2E208C00, bhsd, vd, "all ones where n == m"},
		{"CMGT", "cmgt", 0x0E203400, bhsd, vd, "all ones where n > m"},
		{"CMGE", "cmge", 0x0E203C00, bhsd, vd, "all ones where n >= m"},
		{"CMHI", "cmhi", 0x2E203400, bhsd, vd, "all ones where n > m, unsigned"},
		{"CMHS", "cmhs", 0x2E203C00, bhsd, vd, "all ones where n >= m, unsigned"},
		{"SMAX", "smax", 0x0E206400, bhs, vd, ""},
		{"SMIN", "smin", 0x0E206C00, bhs, vd, ""},
		{"UMAX", "umax", 0x2E206400, bhs, vd, ""},
		{"UMIN", "umin", 0x2E206C00, bhs, vd, ""},
		{"ADDP", "addp", 0x0E20BC00, bhsd, vd, "pairwise: the pairs of n, then those of m"},
		{"SQADD", "sqadd", 0x0E200C00, bhsd, vd, ""},
		{"UQADD", "uqadd", 0x2E200C00, bhsd, vd, ""},
		{"SQSUB", "sqsub", 0x0E202C00, bhsd, vd, "d = n - m"},
		{"UQSUB", "uqsub", 0x2E202C00, bhsd, vd, "d = n - m"},
		{"SSHL", "sshl", 0x0E204400, bhsd, vd, "d = n shifted left by m, right where m < 0"},
		{"USHL", "ushl", 0x2E204400, bhsd, vd, "d = n shifted left by m, right where m < 0"},
		{"SRSHL", "srshl", 0x0E205400, bhsd, vd, "SSHL with rounding"},
		{"SQDMULH", "sqdmulh", 0x0E20B400, hs, vd, ""},
		{"SQRDMULH", "sqrdmulh", 0x2E20B400, hs, vd, ""},
		{"SABD", "sabd", 0x0E207400, bhs, vd, "d = |n - m|"},
		{"UABD", "uabd", 0x2E207400, bhs, vd, "d = |n - m|"},
		{"SHADD", "shadd", 0x0E200400, bhs, vd, ""},
		{"SRHADD", "srhadd", 0x0E201400, bhs, vd, ""},
	} {
		t = append(t, bySize(o.name, o.gnu+" v$d.%[1]s, v$n.%[1]s, v$m.%[1]s", o.word, o.doc, o.sizes, vm, vn, o.d)...)
	}
	for _, o := range []struct {
		name, gnu string
		word      uint32
		sizes     []int
		zero      string
		doc       string
	}{
		{"NEG", "neg", 0x2E20B800, bhsd, "", ""},
		{"ABS", "abs", 0x0E20B800, bhsd, "", ""},
		{"REV64", "rev64", 0x0E200800, bhs, "", "reverses the lanes of each 64 bits"},
		{"REV32", "rev32", 0x2E200800, []int{sizeB, sizeH}, "", "reverses the lanes of each 32 bits"},
		{"CMEQ0", "cmeq", 0x0E209800, bhsd, ", #0", "all ones where n == 0"},
		{"CMGT0", "cmgt", 0x0E208800, bhsd, ", #0", "all ones where n > 0"},
		{"CMGE0", "cmge", 0x2E208800, bhsd, ", #0", "all ones where n >= 0"},
		{"CMLT0", "cmlt", 0x0E20A800, bhsd, ", #0", "all ones where n < 0"},
		{"CMLE0", "cmle", 0x2E209800, bhsd, ", #0", "all ones where n <= 0"},
	} {
		t = append(t, bySize(o.name, o.gnu+" v$d.%[1]s, v$n.%[1]s"+o.zero, o.word, o.doc, o.sizes, vn, vd)...)
	}
	for _, o := range []struct {
		name, gnu string
		word      uint32
		left      bool
		d         Operand
		doc       string
	}{
		{"SHL", "shl", 0x0F005400, true, vd, ""},
		{"SLI", "sli", 0x2F005400, true, vdRW, "shift left and insert"},
		{"SSHR", "sshr", 0x0F000400, false, vd, ""},
		{"USHR", "ushr", 0x2F000400, false, vd, ""},
		{"SRSHR", "srshr", 0x0F002400, false, vd, "rounding"},
		{"URSHR", "urshr", 0x2F002400, false, vd, "rounding"},
		{"SSRA", "ssra", 0x0F001400, false, vdRW, "d += n >> shift"},
		{"USRA", "usra", 0x2F001400, false, vdRW, "d += n >> shift"},
		{"SRI", "sri", 0x2F004400, false, vdRW, "shift right and insert"},
	} {
		for _, s := range bhsd {
			sh := shiftRight(s)
			if o.left {
				sh = shiftLeft(s)
			}
			t = append(t, row(o.name+"_"+upFull[s], fmt.Sprintf("%s v$d.%[2]s, v$n.%[2]s, #$shift", o.gnu, full[s]), o.word|1<<30, sh, vn, o.d).doc(o.doc))
		}
	}
	for _, o := range []struct {
		name, gnu string
		word      uint32
		d         Operand
		doc       string
	}{
		{"AND_16B", "and", 0x4E201C00, vd, ""},
		{"BIC_16B", "bic", 0x4E601C00, vd, "d = n &^ m"},
		{"ORR_16B", "orr", 0x4EA01C00, vd, ""},
		{"ORN_16B", "orn", 0x4EE01C00, vd, "d = n | ^m"},
		{"EOR_16B", "eor", 0x6E201C00, vd, ""},
		{"BSL", "bsl", 0x6E601C00, vdRW, "d = d&n | ^d&m: n where the mask d is set, m elsewhere"},
		{"BIT", "bit", 0x6EA01C00, vdRW, "d = n where the mask m is set, d elsewhere"},
		{"BIF", "bif", 0x6EE01C00, vdRW, "d = n where the mask m is clear, d elsewhere"},
	} {
		t = append(t, row(o.name, o.gnu+" v$d.16b, v$n.16b, v$m.16b", o.word, vm, vn, o.d).doc(o.doc))
	}
	vnm := register("n", Vec, Read, 5)
	move := row("VMOV", "mov v$d.16b, v$n.16b", 0x4EA01C00, vnm, vd)
	move.Operands[0].Enc = func(v int64) (uint32, error) { return uint32(v)<<16 | uint32(v)<<5, nil }
	t = append(t, move, row("NOT_16B", "not v$d.16b, v$n.16b", 0x6E205800, vn, vd))

	byte8 := computed("imm", 0, 255, imm8)
	t = append(t,
		row("VZERO", "movi v$d.2d, #0", 0x6F00E400, vd).doc("all lanes zero"),
		row("MOVI_16B", "movi v$d.16b, #$imm", 0x4F00E400, byte8, vd))
	for _, o := range []struct {
		name, gnu string
		word      uint32
		d         Operand
		doc       string
	}{
		{"MOVI", "movi", 0x4F000400, vd, "d = imm<<shift"},
		{"MVNI", "mvni", 0x6F000400, vd, "d = ^(imm<<shift)"},
		{"ORRI", "orr", 0x4F001400, vdRW, "d |= imm<<shift"},
		{"BICI", "bic", 0x6F001400, vdRW, "d &^= imm<<shift"},
	} {
		sh := field("shift", 0, 24, 8, 13, 2)
		t = append(t, row(o.name+"_4S", o.gnu+" v$d.4s, #$imm, lsl #$shift", o.word, byte8, sh, o.d).doc(o.doc))
		sh.Max = 8
		t = append(t, row(o.name+"_8H", o.gnu+" v$d.8h, #$imm, lsl #$shift", o.word|0x8000, byte8, sh, o.d).doc(o.doc))
	}
	for _, o := range []struct {
		name, gnu string
		word      uint32
		wide      int // 1 when the result is twice as wide
	}{
		{"ADDV", "addv", 0x0E31B800, 0},
		{"SMAXV", "smaxv", 0x0E30A800, 0},
		{"SMINV", "sminv", 0x0E31A800, 0},
		{"UMAXV", "umaxv", 0x2E30A800, 0},
		{"UMINV", "uminv", 0x2E31A800, 0},
		{"SADDLV", "saddlv", 0x0E303800, 1},
		{"UADDLV", "uaddlv", 0x2E303800, 1},
	} {
		for _, s := range bhs {
			t = append(t, row(o.name+"_"+upFull[s], fmt.Sprintf("%s %s$d, v$n.%s", o.gnu, elemName[s+o.wide], full[s]),
				o.word|1<<30|uint32(s)<<22, vn, vd).doc("across the lanes of n"))
		}
	}
	return append(t, row("ADDP_D", "addp d$d, v$n.2d", 0x5EF1B800, vn, vd).doc("lane 0 + lane 1"))
}
