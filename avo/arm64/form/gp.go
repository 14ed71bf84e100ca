package form

// gpForms are the general-register forms. Operations are 64 bits wide unless the
// name ends in W.
func gpForms() []*Form {
	t := []*Form{
		row("ADD", "add x$d, x$n, x$m", 0x8B000000, gm, gn, gd),
		row("SUB", "sub x$d, x$n, x$m", 0xCB000000, gm, gn, gd),
		row("ADDLSL", "add x$d, x$n, x$m, lsl #$shift", 0x8B000000, gm, sh1to63(), gn, gd).doc("d = n + m<<shift"),
		row("SUBLSL", "sub x$d, x$n, x$m, lsl #$shift", 0xCB000000, gm, sh1to63(), gn, gd).doc("d = n - m<<shift"),
		row("ADDI", "add x$d, x$n, #$imm", 0x91000000, arith, gn, gd),
		row("SUBI", "sub x$d, x$n, #$imm", 0xD1000000, arith, gn, gd),
		row("ADDS", "adds x$d, x$n, x$m", 0xAB000000, gm, gn, gd).setsFlags(),
		row("SUBS", "subs x$d, x$n, x$m", 0xEB000000, gm, gn, gd).setsFlags(),
		row("ADDSI", "adds x$d, x$n, #$imm", 0xB1000000, arith, gn, gd).setsFlags(),
		row("SUBSI", "subs x$d, x$n, #$imm", 0xF1000000, arith, gn, gd).setsFlags(),
		row("CMP", "cmp x$n, x$m", 0xEB00001F, gm, gn).setsFlags().doc("flags of n - m"),
		row("CMPI", "cmp x$n, #$imm", 0xF100001F, arith, gn).setsFlags().doc("flags of n - imm"),
		row("CMPW", "cmp w$n, w$m", 0x6B00001F, gm, gn).setsFlags().doc("flags of n - m"),
		row("CMPWI", "cmp w$n, #$imm", 0x7100001F, arith, gn).setsFlags().doc("flags of n - imm"),
		row("NEG", "neg x$d, x$m", 0xCB0003E0, gm, gd),
		row("MOV", "mov x$d, x$m", 0xAA0003E0, gm, gd),
		row("MOVW", "mov w$d, w$m", 0x2A0003E0, gm, gd).doc("clears the upper half of d"),
		row("SXTW", "sxtw x$d, w$n", 0x93407C00, gn, gd),
		row("MVN", "mvn x$d, x$m", 0xAA2003E0, gm, gd),
		row("AND", "and x$d, x$n, x$m", 0x8A000000, gm, gn, gd),
		row("ORR", "orr x$d, x$n, x$m", 0xAA000000, gm, gn, gd),
		row("EOR", "eor x$d, x$n, x$m", 0xCA000000, gm, gn, gd),
		row("BIC", "bic x$d, x$n, x$m", 0x8A200000, gm, gn, gd).doc("d = n &^ m"),
		row("ANDI", "and x$d, x$n, #$imm", 0x92000000, mask, gn, gd),
		row("ORRI", "orr x$d, x$n, #$imm", 0xB2000000, mask, gn, gd),
		row("EORI", "eor x$d, x$n, #$imm", 0xD2000000, mask, gn, gd),
		row("ANDSI", "ands x$d, x$n, #$imm", 0xF2000000, mask, gn, gd).setsFlags(),
		row("TSTI", "tst x$n, #$imm", 0xF200001F, mask, gn).setsFlags(),
		row("TST", "tst x$n, x$m", 0xEA00001F, gm, gn).setsFlags(),
		row("LSL", "lsl x$d, x$n, x$m", 0x9AC02000, gm, gn, gd),
		row("LSR", "lsr x$d, x$n, x$m", 0x9AC02400, gm, gn, gd),
		row("ASR", "asr x$d, x$n, x$m", 0x9AC02800, gm, gn, gd),
		row("LSLI", "lsl x$d, x$n, #$shift", 0xD3400000, computed("shift", 0, 63, func(v uint32) uint32 { return (64-v)&63<<16 | (63-v)<<10 }), gn, gd),
		row("LSRI", "lsr x$d, x$n, #$shift", 0xD340FC00, field("shift", 0, 63, 1, 16, 6), gn, gd),
		row("ASRI", "asr x$d, x$n, #$shift", 0x9340FC00, field("shift", 0, 63, 1, 16, 6), gn, gd),
		row("MUL", "mul x$d, x$n, x$m", 0x9B007C00, gm, gn, gd),
		row("MADD", "madd x$d, x$n, x$m, x$a", 0x9B000000, gm, ga, gn, gd).doc("d = a + n*m"),
		row("MSUB", "msub x$d, x$n, x$m, x$a", 0x9B008000, gm, ga, gn, gd).doc("d = a - n*m"),
		row("SMULL", "smull x$d, w$n, w$m", 0x9B207C00, gm, gn, gd).doc("64-bit product of signed 32-bit values"),
		row("UDIV", "udiv x$d, x$n, x$m", 0x9AC00800, gm, gn, gd).doc("d = n / m; 0 when m is 0"),
		row("SDIV", "sdiv x$d, x$n, x$m", 0x9AC00C00, gm, gn, gd).doc("d = n / m; 0 when m is 0"),
		row("CSEL", "csel x$d, x$n, x$m, $cond", 0x9A800000, cond, gn, gm, gd).usesFlags().doc("d = n if cond, else m"),
		row("CSINC", "csinc x$d, x$n, x$m, $cond", 0x9A800400, cond, gn, gm, gd).usesFlags().doc("d = n if cond, else m+1"),
		row("CSET", "cset x$d, $cond", 0x9A9F07E0, Operand{Name: "cond", Kind: Cond, Enc: func(v int64) (uint32, error) { return uint32(v^1) << 12, nil }}, gd).usesFlags().doc("d = 1 if cond, else 0"),
	}
	imm16 := field("imm", 0, 65535, 1, 5, 16)
	hw := Operand{Name: "shift", Kind: Imm, Min: 0, Max: 48, Step: 16, Enc: func(v int64) (uint32, error) { return uint32(v/16) << 21, nil }}
	return append(t,
		row("MOVZ", "movz x$d, #$imm, lsl #$shift", 0xD2800000, imm16, hw, gd),
		row("MOVN", "movn x$d, #$imm, lsl #$shift", 0x92800000, imm16, hw, gd).doc("d = ^(imm<<shift)"),
		row("MOVK", "movk x$d, #$imm, lsl #$shift", 0xF2800000, imm16, hw, gdRW).doc("replaces 16 bits of d"),
	)
}

func sh1to63() Operand { return field("shift", 1, 63, 1, 10, 6) }
