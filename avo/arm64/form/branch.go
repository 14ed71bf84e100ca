package form

import "strings"

// branchForms are the control-flow forms. cmd/asm lays out their targets, so
// they all carry Go text.
func branchForms() []*Form {
	branch := func(name, template, goText string, word uint32, ops ...Operand) *Form {
		f := row(name, template, word, ops...)
		f.Branch, f.Conditional, f.Go = true, true, goText
		return f
	}
	t := []*Form{branch("B", "b $label", "JMP $label", 0x14000000, branchTarget(26, 0))}
	t[0].Conditional = false
	for code, c := range CondNames {
		u := strings.ToUpper(c)
		t = append(t, branch("B"+u, "b."+c+" $label", "B"+u+" $label", 0x54000000|uint32(code), branchTarget(19, 5)).usesFlags())
	}
	near := branchTarget(19, 5)
	bit := Operand{Name: "bit", Kind: Imm, Min: 0, Max: 63, Enc: func(v int64) (uint32, error) {
		return uint32(v)>>5<<31 | uint32(v)&31<<19, nil
	}}
	gt := gdR
	gt.Name = "n"
	t = append(t,
		branch("CBZ", "cbz x$n, $label", "CBZ R$n, $label", 0xB4000000, gt, near),
		branch("CBNZ", "cbnz x$n, $label", "CBNZ R$n, $label", 0xB5000000, gt, near),
		branch("CBZW", "cbz w$n, $label", "CBZW R$n, $label", 0x34000000, gt, near),
		branch("CBNZW", "cbnz w$n, $label", "CBNZW R$n, $label", 0x35000000, gt, near),
		branch("TBZ", "tbz x$n, #$bit, $label", "TBZ $$$bit, R$n, $label", 0x36000000, bit, gt, branchTarget(14, 5)),
		branch("TBNZ", "tbnz x$n, #$bit, $label", "TBNZ $$$bit, R$n, $label", 0x37000000, bit, gt, branchTarget(14, 5)),
	)
	ret := row("RET", "ret", 0xD65F03C0)
	ret.Terminal, ret.Go = true, "RET"
	nop := row("NOP", "nop", 0xD503201F)
	return append(t, ret, nop)
}
