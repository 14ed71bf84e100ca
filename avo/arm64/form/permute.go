package form

import (
	"fmt"
	"strings"
)

// permuteForms move lanes within and between vector registers, and between
// vector and general registers.
func permuteForms() []*Form {
	var t []*Form
	for _, s := range bhsd {
		e, up := elemName[s], strings.ToUpper(elemName[s])
		r := "w"
		if s == sizeD {
			r = "x"
		}
		imm5 := uint32(1) << s << 16
		lane := laneIdx(s)
		dlane := lane
		dlane.Name = "dlane"
		nlane := field("nlane", 0, 16>>s-1, 1, 11+uint(s), 4-uint(s))
		t = append(t,
			row("DUP_"+upFull[s], fmt.Sprintf("dup v$d.%s, %s$n", full[s], r), 0x4E000C00|imm5, gn, vd).doc("all lanes = n"),
			row("DUPElem_"+upFull[s], fmt.Sprintf("dup v$d.%s, v$n.%s[$lane]", full[s], e), 0x4E000400, vn, lane, vd).doc("all lanes = n[lane]"),
			row("DUPScalar_"+up, fmt.Sprintf("mov %s$d, v$n.%s[$lane]", e, e), 0x5E000400, vn, lane, vd).doc("lane 0 = n[lane], the others 0"),
			row("INS_"+up, fmt.Sprintf("mov v$d.%s[$lane], %s$n", e, r), 0x4E001C00, gn, lane, vdRW).doc("d[lane] = n"),
			row("INSElem_"+up, fmt.Sprintf("mov v$d.%s[$dlane], v$n.%s[$nlane]", e, e), 0x6E000400, vn, nlane, dlane, vdRW).doc("d[dlane] = n[nlane]"))
		mnemonic, word := "umov", uint32(0x0E003C00)
		if s >= sizeS {
			mnemonic = "mov"
		}
		if s == sizeD {
			word |= 1 << 30
		}
		t = append(t, row("UMOV_"+up, fmt.Sprintf("%s %s$d, v$n.%s[$lane]", mnemonic, r, e), word, vn, lane, gd).doc("d = n[lane], zero extended"))
		if s < sizeD {
			t = append(t, row("SMOV_"+up, fmt.Sprintf("smov x$d, v$n.%s[$lane]", e), 0x4E002C00, vn, lane, gd).doc("d = n[lane], sign extended"))
		}
	}
	for _, o := range []struct {
		name string
		word uint32
		doc  string
	}{
		{"ZIP1", 0x0E003800, "interleaves the low halves of n and m"},
		{"ZIP2", 0x0E007800, "interleaves the high halves of n and m"},
		{"UZP1", 0x0E001800, "the even lanes of n, then of m"},
		{"UZP2", 0x0E005800, "the odd lanes of n, then of m"},
		{"TRN1", 0x0E002800, "n0 m0 n2 m2 …"},
		{"TRN2", 0x0E006800, "n1 m1 n3 m3 …"},
	} {
		t = append(t, bySize(o.name, strings.ToLower(o.name)+" v$d.%[1]s, v$n.%[1]s, v$m.%[1]s", o.word, o.doc, bhsd, vm, vn, vd)...)
	}
	t = append(t, row("EXT", "ext v$d.16b, v$n.16b, v$m.16b, #$index", 0x6E000000, field("index", 0, 15, 1, 11, 4), vm, vn, vd).doc("bytes index to index+15 of n:m, n first"))
	for n := 1; n <= 4; n++ {
		var names []string
		for i := 0; i < n; i++ {
			names = append(names, fmt.Sprintf("v$n%d.16b", i))
		}
		for _, o := range []struct {
			name string
			word uint32
			d    Operand
			doc  string
		}{
			{"TBL", 0x4E000000, vd, "bytes of the table n selected by m; 0 where m is out of range"},
			{"TBX", 0x4E001000, vdRW, "bytes of the table n selected by m; unchanged where m is out of range"},
		} {
			ops := append([]Operand{vm}, listRegs("n", n, Read, 5)...)
			f := row(fmt.Sprintf("%s%d", o.name, n), fmt.Sprintf("%s v$d.16b, {%s}, v$m.16b", strings.ToLower(o.name), strings.Join(names, ", ")),
				o.word|uint32(n-1)<<13, append(ops, o.d)...).doc(o.doc)
			for i := 0; n > 1 && i < n; i++ {
				f.List = append(f.List, 1+i)
			}
			t = append(t, f)
		}
	}
	return t
}
