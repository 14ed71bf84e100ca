package form

import (
	"fmt"
	"strings"
)

// listForms are the structure loads and stores (LD1 to ST4, LD1R, one lane).
// The registers of a list are consecutive modulo 32.
func listForms() []*Form {
	var t []*Form
	for size := sizeB; size <= sizeD; size++ {
		bytes := 1 << size
		e, up := elemName[size], strings.ToUpper(elemName[size])
		// One element to all lanes.
		word := uint32(0x4D40C000) | uint32(size)<<10
		reg := fmt.Sprintf("ld1r {v$d.%s}, [x$n]", full[size])
		t = append(t,
			row("LD1R_"+upFull[size], reg, word, gn, vd),
			row("LD1R_"+upFull[size]+"Post", fmt.Sprintf("%s, #%d", reg, bytes), word|0x9F0000, gnRW, vd).doc(fmt.Sprintf("n += %d", bytes)))
		// One lane.
		lane := laneMem(size)
		word = [...]uint32{0x0D000000, 0x0D004000, 0x0D008000, 0x0D008400}[size]
		ld := fmt.Sprintf("ld1 {v$d.%s}[$lane], [x$n]", e)
		st := fmt.Sprintf("st1 {v$d.%s}[$lane], [x$n]", e)
		post := fmt.Sprintf(", #%d", bytes)
		t = append(t,
			row("LD1Lane_"+up, ld, word|0x400000, gn, lane, vdRW),
			row("LD1Lane_"+up+"Post", ld+post, word|0xDF0000, gnRW, lane, vdRW).doc(fmt.Sprintf("n += %d", bytes)),
			row("ST1Lane_"+up, st, word, vdR, lane, gn),
			row("ST1Lane_"+up+"Post", st+post, word|0x9F0000, vdR, lane, gnRW).doc(fmt.Sprintf("n += %d", bytes)))
	}
	for _, m := range []struct {
		op, name string
		regs     int
		opcode   uint32
		sizes    []int
	}{
		{"1", "LD1x1", 1, 7, []int{sizeB, sizeH, sizeS}},
		{"1", "LD1x2", 2, 10, []int{sizeB, sizeH, sizeS}},
		{"1", "LD1x3", 3, 6, []int{sizeB, sizeH, sizeS}},
		{"1", "LD1x4", 4, 2, []int{sizeB, sizeH, sizeS}},
		{"2", "LD2", 2, 8, []int{sizeB, sizeH, sizeS, sizeD}},
		{"3", "LD3", 3, 4, []int{sizeB, sizeH, sizeS}},
		{"4", "LD4", 4, 0, []int{sizeB, sizeH, sizeS}},
	} {
		for _, size := range m.sizes {
			var names []string
			for i := 0; i < m.regs; i++ {
				names = append(names, fmt.Sprintf("v$d%d.%s", i, full[size]))
			}
			addr := "{" + strings.Join(names, ", ") + "}, [x$n]"
			word := 0x4C000000 | m.opcode<<12 | uint32(size)<<10
			bytes := fmt.Sprintf(", #%d", 16*m.regs)
			inc := fmt.Sprintf("n += %d", 16*m.regs)
			st := "ST" + m.name[2:]
			t = append(t,
				listForm(m.name+"_"+upFull[size], "ld"+m.op+" "+addr, word|0x400000, m.regs, false, gn),
				listForm(m.name+"_"+upFull[size]+"Post", "ld"+m.op+" "+addr+bytes, word|0xDF0000, m.regs, false, gnRW).doc(inc),
				listForm(st+"_"+upFull[size], "st"+m.op+" "+addr, word, m.regs, true, gn),
				listForm(st+"_"+upFull[size]+"Post", "st"+m.op+" "+addr+bytes, word|0x9F0000, m.regs, true, gnRW).doc(inc))
			if m.op == "1" && size == sizeS {
				t = append(t,
					listForm(m.name+"_"+upFull[size]+"PostReg", "ld"+m.op+" "+addr+", x$m", word|0xC00000, m.regs, false, gm, gnRW).doc("n += m"),
					listForm(st+"_"+upFull[size]+"PostReg", "st"+m.op+" "+addr+", x$m", word|0x800000, m.regs, true, gm, gnRW).doc("n += m"))
			}
		}
	}
	return t
}

// listRegs are n consecutive registers, the first of them encoded at shift.
func listRegs(prefix string, n int, access Access, shift int) []Operand {
	var ops []Operand
	for i := 0; i < n; i++ {
		ops = append(ops, register(fmt.Sprintf("%s%d", prefix, i), Vec, access, shift))
		shift = -1
	}
	return ops
}

func listForm(name, template string, word uint32, n int, store bool, address ...Operand) *Form {
	access, first := Write, len(address)
	if store {
		access, first = Read, 0
	}
	f := row(name, template, word, accessOperands(store, listRegs("d", n, access, 0), address)...)
	if n > 1 {
		for i := 0; i < n; i++ {
			f.List = append(f.List, first+i)
		}
	}
	return f
}
