package form

import "fmt"

// wideForms change the element width: widening and narrowing moves, long
// multiplies, dot products, pairwise long additions. A "2" reads or writes the
// high half of the narrow register.
func wideForms() []*Form {
	var t []*Form
	// Long: destination twice as wide as both sources, or as m alone (W forms).
	for _, o := range []struct {
		name, gnu string
		word      uint32
		d         Operand
		wideN     bool
		doc       string
	}{
		{"SMULL", "smull", 0x0E20C000, vd, false, ""},
		{"UMULL", "umull", 0x2E20C000, vd, false, ""},
		{"SMLAL", "smlal", 0x0E208000, vdRW, false, "d += n*m"},
		{"UMLAL", "umlal", 0x2E208000, vdRW, false, "d += n*m"},
		{"SMLSL", "smlsl", 0x0E20A000, vdRW, false, "d -= n*m"},
		{"SADDL", "saddl", 0x0E200000, vd, false, ""},
		{"UADDL", "uaddl", 0x2E200000, vd, false, ""},
		{"SSUBL", "ssubl", 0x0E202000, vd, false, "d = n - m"},
		{"USUBL", "usubl", 0x2E202000, vd, false, "d = n - m"},
		{"SADDW", "saddw", 0x0E201000, vd, true, "d = n + m, m narrow"},
		{"UADDW", "uaddw", 0x2E201000, vd, true, "d = n + m, m narrow"},
	} {
		for _, s := range bhs {
			for q, suffix := range [...]string{"", "2"} {
				src := half[s]
				if q == 1 {
					src = full[s]
				}
				wide, nArr := full[s+1], src
				if o.wideN {
					nArr = wide
				}
				name := fmt.Sprintf("%s%s_%s", o.name, suffix, upFull[s+1])
				t = append(t, row(name, fmt.Sprintf("%s%s v$d.%s, v$n.%s, v$m.%s", o.gnu, suffix, wide, nArr, src),
					o.word|uint32(q)<<30|uint32(s)<<22, vm, vn, o.d).doc(o.doc))
			}
		}
	}
	// By element, 16-bit lanes: the multiplier is in V0-V15.
	for _, o := range []struct {
		name, gnu string
		word      uint32
		d         Operand
	}{
		{"SMULL", "smull", 0x0F40A000, vd},
		{"SMLAL", "smlal", 0x0F402000, vdRW},
	} {
		for q, suffix := range [...]string{"", "2"} {
			src := [...]string{"4h", "8h"}[q]
			t = append(t, row(o.name+suffix+"Elem_4S", fmt.Sprintf("%s%s v$d.4s, v$n.%s, v$m.h[$lane]", o.gnu, suffix, src),
				o.word|uint32(q)<<30, vmLo, laneElem(sizeH), vn, o.d))
		}
	}
	for _, o := range []struct {
		name, gnu string
		s, h      uint32
		d         Operand
		doc       string
	}{
		{"MULElem", "mul", 0x4F808000, 0x4F408000, vd, "d = n*m[lane]"},
		{"MLAElem", "mla", 0x6F800000, 0x6F400000, vdRW, "d += n*m[lane]"},
		{"MLSElem", "mls", 0x6F804000, 0x6F404000, vdRW, "d -= n*m[lane]"},
	} {
		t = append(t,
			row(o.name+"_4S", o.gnu+" v$d.4s, v$n.4s, v$m.s[$lane]", o.s, vm, laneElem(sizeS), vn, o.d).doc(o.doc),
			row(o.name+"_8H", o.gnu+" v$d.8h, v$n.8h, v$m.h[$lane]", o.h, vmLo, laneElem(sizeH), vn, o.d).doc(o.doc))
	}
	// Widening moves.
	for _, o := range []struct {
		name, gnu, long string
		word            uint32
	}{
		{"SXTL", "sxtl", "sshll", 0x0F00A400},
		{"UXTL", "uxtl", "ushll", 0x2F00A400},
	} {
		for _, s := range bhs {
			for q, suffix := range [...]string{"", "2"} {
				src := half[s]
				if q == 1 {
					src = full[s]
				}
				word := o.word | uint32(q)<<30
				long := map[string]string{"sshll": "SSHLL", "ushll": "USHLL"}[o.long]
				sh := shiftLeft(s)
				sh.Min = 1 // a shift of zero is SXTL or UXTL
				t = append(t,
					row(fmt.Sprintf("%s%s_%s", o.name, suffix, upFull[s+1]), fmt.Sprintf("%s%s v$d.%s, v$n.%s", o.gnu, suffix, full[s+1], src), word|8<<s<<16, vn, vd),
					row(fmt.Sprintf("%s%s_%s", long, suffix, upFull[s+1]), fmt.Sprintf("%s%s v$d.%s, v$n.%s, #$shift", o.long, suffix, full[s+1], src), word, sh, vn, vd))
			}
		}
	}
	// Narrowing moves, plain and by a right shift.
	for _, o := range []struct {
		name, gnu string
		word      uint32
		shift     bool
		doc       string
	}{
		{"XTN", "xtn", 0x0E212800, false, "truncates"},
		{"SQXTN", "sqxtn", 0x0E214800, false, "saturates to signed"},
		{"SQXTUN", "sqxtun", 0x2E212800, false, "saturates signed to unsigned"},
		{"UQXTN", "uqxtn", 0x2E214800, false, "saturates to unsigned"},
		{"SHRN", "shrn", 0x0F008400, true, "truncates n >> shift"},
		{"RSHRN", "rshrn", 0x0F008C00, true, "truncates n >> shift, rounded"},
		{"SQSHRN", "sqshrn", 0x0F009400, true, "saturates n >> shift"},
		{"SQRSHRN", "sqrshrn", 0x0F009C00, true, "saturates n >> shift, rounded"},
		{"SQRSHRUN", "sqrshrun", 0x2F008C00, true, "saturates n >> shift, rounded, to unsigned"},
	} {
		for _, s := range bhs {
			for q, suffix := range [...]string{"", "2"} {
				dst, up, d := half[s], upHalf[s], vd
				if q == 1 {
					dst, up, d = full[s], upFull[s], vdRW
				}
				name := fmt.Sprintf("%s%s_%s", o.name, suffix, up)
				template := fmt.Sprintf("%s%s v$d.%s, v$n.%s", o.gnu, suffix, dst, full[s+1])
				word := o.word | uint32(q)<<30
				if o.shift {
					t = append(t, row(name, template+", #$shift", word, shiftRight(s), vn, d).doc(o.doc))
				} else {
					t = append(t, row(name, template, word|uint32(s)<<22, vn, d).doc(o.doc))
				}
			}
		}
	}
	// Pairwise long additions.
	for _, o := range []struct {
		name, gnu string
		word      uint32
		d         Operand
		doc       string
	}{
		{"SADDLP", "saddlp", 0x0E202800, vd, "sums of adjacent lanes"},
		{"UADDLP", "uaddlp", 0x2E202800, vd, "sums of adjacent lanes"},
		{"SADALP", "sadalp", 0x0E206800, vdRW, "d += sums of adjacent lanes of n"},
		{"UADALP", "uadalp", 0x2E206800, vdRW, "d += sums of adjacent lanes of n"},
	} {
		for _, s := range bhs {
			t = append(t, row(o.name+"_"+upFull[s+1], fmt.Sprintf("%s v$d.%s, v$n.%s", o.gnu, full[s+1], full[s]), o.word|1<<30|uint32(s)<<22, vn, o.d).doc(o.doc))
		}
	}
	return append(t,
		row("SDOT", "sdot v$d.4s, v$n.16b, v$m.16b", 0x4E809400, vm, vn, vdRW).isa("DotProd").doc("each lane of d += dot product of 4 bytes"),
		row("UDOT", "udot v$d.4s, v$n.16b, v$m.16b", 0x6E809400, vm, vn, vdRW).isa("DotProd").doc("each lane of d += dot product of 4 bytes"),
		row("SDOTElem", "sdot v$d.4s, v$n.16b, v$m.4b[$lane]", 0x4F80E000, vm, laneElem(sizeS), vn, vdRW).isa("DotProd").doc("each lane of d += dot product of 4 bytes of n with m[lane]"),
		row("UDOTElem", "udot v$d.4s, v$n.16b, v$m.4b[$lane]", 0x6F80E000, vm, laneElem(sizeS), vn, vdRW).isa("DotProd").doc("each lane of d += dot product of 4 bytes of n with m[lane]"),
	)
}
