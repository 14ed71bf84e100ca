package form

// single describes the loads or stores of one register of one width.
type single struct {
	name  string // constructor without addressing suffix
	gnu   string // mnemonic
	unsc  string // mnemonic of the unscaled form
	reg   string // register prefix in GNU text
	word  uint32 // unsigned-offset encoding
	scale int64  // bytes
	gp    bool
	store bool
}

// memForms are loads and stores of one and of two registers and prefetches.
//
// Suffixes: none = base + unsigned offset scaled by the access size; U = signed
// 9-bit byte offset; Post and Pre = updated base; Reg = base + index in bytes;
// RegLSL = base + index times the access size.
func memForms() []*Form {
	var t []*Form
	for _, s := range []single{
		{"LDRX", "ldr", "ldur", "x", 0xF9400000, 8, true, false},
		{"STRX", "str", "stur", "x", 0xF9000000, 8, true, true},
		{"LDRW", "ldr", "ldur", "w", 0xB9400000, 4, true, false},
		{"STRW", "str", "stur", "w", 0xB9000000, 4, true, true},
		{"LDRSW", "ldrsw", "ldursw", "x", 0xB9800000, 4, true, false},
		{"LDRH", "ldrh", "ldurh", "w", 0x79400000, 2, true, false},
		{"STRH", "strh", "sturh", "w", 0x79000000, 2, true, true},
		{"LDRSH", "ldrsh", "ldursh", "x", 0x79800000, 2, true, false},
		{"LDRB", "ldrb", "ldurb", "w", 0x39400000, 1, true, false},
		{"STRB", "strb", "sturb", "w", 0x39000000, 1, true, true},
		{"LDRSB", "ldrsb", "ldursb", "x", 0x39800000, 1, true, false},
		{"LDRQ", "ldr", "ldur", "q", 0x3DC00000, 16, false, false},
		{"STRQ", "str", "stur", "q", 0x3D800000, 16, false, true},
		{"LDRD", "ldr", "ldur", "d", 0xFD400000, 8, false, false},
		{"STRD", "str", "stur", "d", 0xFD000000, 8, false, true},
		{"LDRS", "ldr", "ldur", "s", 0xBD400000, 4, false, false},
		{"STRS", "str", "stur", "s", 0xBD000000, 4, false, true},
		{"LDRHalf", "ldr", "ldur", "h", 0x7D400000, 2, false, false},
		{"STRHalf", "str", "stur", "h", 0x7D000000, 2, false, true},
		{"LDRByte", "ldr", "ldur", "b", 0x3D400000, 1, false, false},
		{"STRByte", "str", "stur", "b", 0x3D000000, 1, false, true},
	} {
		t = append(t, s.forms()...)
	}
	for _, p := range []pair{
		{"LDPX", "ldp", "x", 0xA9400000, 8, true, false},
		{"STPX", "stp", "x", 0xA9000000, 8, true, true},
		{"LDPW", "ldp", "w", 0x29400000, 4, true, false},
		{"STPW", "stp", "w", 0x29000000, 4, true, true},
		{"LDPQ", "ldp", "q", 0xAD400000, 16, false, false},
		{"STPQ", "stp", "q", 0xAD000000, 16, false, true},
		{"LDPD", "ldp", "d", 0x6D400000, 8, false, false},
		{"STPD", "stp", "d", 0x6D000000, 8, false, true},
		{"LDPS", "ldp", "s", 0x2D400000, 4, false, false},
		{"STPS", "stp", "s", 0x2D000000, 4, false, true},
	} {
		t = append(t, p.forms()...)
	}
	for _, p := range []struct {
		name, op string
		code     uint32
	}{
		{"PRFM", "pldl1keep", 0},
		{"PRFML1STRM", "pldl1strm", 1},
		{"PRFML2", "pldl2keep", 2},
		{"PRFML3", "pldl3keep", 4},
		{"PRFMStore", "pstl1keep", 16},
	} {
		t = append(t,
			row(p.name, "prfm "+p.op+", [x$n, #$off]", 0xF9800000|p.code, field("off", 0, 32760, 8, 10, 12), gn),
			row(p.name+"U", "prfum "+p.op+", [x$n, #$off]", 0xF8800000|p.code, field("off", -256, 255, 1, 12, 9), gn),
			row(p.name+"Reg", "prfm "+p.op+", [x$n, x$m]", 0xF8A06800|p.code, gm, gn))
	}
	return t
}

// operands orders a memory access as cmd/asm does: source first.
func accessOperands(store bool, regs, addr []Operand) []Operand {
	if store {
		return append(append([]Operand(nil), regs...), addr...)
	}
	return append(append([]Operand(nil), addr...), regs...)
}

func (s single) forms() []*Form {
	d := Operand{Name: "d", Kind: Vec, Access: Write}
	if s.gp {
		d.Kind = GP
	}
	if s.store {
		d.Access = Read
	}
	unscaled := s.word &^ (1 << 24)
	mk := func(suffix, mnemonic, addr string, word uint32, ops ...Operand) *Form {
		return row(s.name+suffix, mnemonic+" "+s.reg+"$d, "+addr, word, accessOperands(s.store, []Operand{d}, ops)...)
	}
	off9 := field("off", -256, 255, 1, 12, 9)
	post := mk("Post", s.gnu, "[x$n], #$off", unscaled|0x400, off9, gnRW)
	pre := mk("Pre", s.gnu, "[x$n, #$off]!", unscaled|0xC00, off9, gnRW)
	if s.gp {
		// d and n by position: (off, n, d) or (d, off, n).
		p := [2]int{1, 2}
		if s.store {
			p = [2]int{0, 2}
		}
		post.distinct(p)
		pre.distinct(p)
	}
	fs := []*Form{
		mk("", s.gnu, "[x$n, #$off]", s.word, field("off", 0, 4095*s.scale, s.scale, 10, 12), gn),
		mk("U", s.unsc, "[x$n, #$off]", unscaled, off9, gn),
		post, pre,
		mk("Reg", s.gnu, "[x$n, x$m]", unscaled|0x206800, gm, gn),
	}
	if s.scale > 1 {
		sh := map[int64]string{2: "1", 4: "2", 8: "3", 16: "4"}[s.scale]
		fs = append(fs, mk("RegLSL", s.gnu, "[x$n, x$m, lsl #"+sh+"]", unscaled|0x207800, gm, gn))
	}
	return fs
}

type pair struct {
	name, gnu, reg string
	word           uint32 // signed-offset encoding
	scale          int64
	gp, store      bool
}

func (p pair) forms() []*Form {
	d0 := Operand{Name: "d0", Kind: Vec, Access: Write}
	if p.gp {
		d0.Kind = GP
	}
	if p.store {
		d0.Access = Read
	}
	d1 := d0
	d1.Name, d1.Shift = "d1", 10
	off := field("off", -64*p.scale, 63*p.scale, p.scale, 15, 7)
	mk := func(suffix, addr string, word uint32, base Operand) *Form {
		f := row(p.name+suffix, p.gnu+" "+p.reg+"$d0, "+p.reg+"$d1, "+addr, word,
			accessOperands(p.store, []Operand{d0, d1}, []Operand{off, base})...)
		i0, i1, n := 2, 3, 1
		if p.store {
			i0, i1, n = 0, 1, 3
		}
		if !p.store {
			f.distinct([2]int{i0, i1})
		}
		if p.gp && base.Access == ReadWrite {
			f.distinct([2]int{i0, n}, [2]int{i1, n})
		}
		return f
	}
	return []*Form{
		mk("", "[x$n, #$off]", p.word, gn),
		mk("Post", "[x$n], #$off", p.word&^(1<<24)|1<<23, gnRW),
		mk("Pre", "[x$n, #$off]!", p.word|1<<23, gnRW),
	}
}
