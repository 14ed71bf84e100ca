package form

import "fmt"

// fpForms are the floating-point vector forms. A bare name means four singles
// (.4s); _8H needs FP16.
func fpForms() []*Form {
	var t []*Form
	for _, o := range []struct {
		name, gnu string
		s, h      uint32 // .4s and .8h encodings; 0 = none
		acc       bool
		doc       string
	}{
		{"FMLA", "fmla", 0x4E20CC00, 0x4E400C00, true, "d += n*m, fused"},
		{"FMLS", "fmls", 0x4EA0CC00, 0x4EC00C00, true, "d -= n*m, fused"},
		{"FADD", "fadd", 0x4E20D400, 0x4E401400, false, ""},
		{"FSUB", "fsub", 0x4EA0D400, 0x4EC01400, false, "d = n - m"},
		{"FMUL", "fmul", 0x6E20DC00, 0x6E401C00, false, ""},
		{"FDIV", "fdiv", 0x6E20FC00, 0x6E403C00, false, "d = n / m"},
		{"FMAX", "fmax", 0x4E20F400, 0x4E403400, false, "NaN if either is NaN"},
		{"FMIN", "fmin", 0x4EA0F400, 0x4EC03400, false, "NaN if either is NaN"},
		{"FMAXNM", "fmaxnm", 0x4E20C400, 0x4E400400, false, "the number if one is a quiet NaN"},
		{"FMINNM", "fminnm", 0x4EA0C400, 0x4EC00400, false, "the number if one is a quiet NaN"},
		{"FADDP", "faddp", 0x6E20D400, 0x6E401400, false, "pairwise: the pairs of n, then those of m"},
		{"FMAXP", "fmaxp", 0x6E20F400, 0x6E403400, false, "pairwise: the pairs of n, then those of m"},
		{"FMINP", "fminp", 0x6EA0F400, 0x6EC03400, false, "pairwise: the pairs of n, then those of m"},
		{"FABD", "fabd", 0x6EA0D400, 0x6EC01400, false, "d = |n - m|"},
		{"FMULX", "fmulx", 0x4E20DC00, 0x4E401C00, false, ""},
		{"FRECPS", "frecps", 0x4E20FC00, 0x4E403C00, false, "d = 2 - n*m"},
		{"FRSQRTS", "frsqrts", 0x4EA0FC00, 0x4EC03C00, false, "d = (3 - n*m)/2"},
		{"FCMEQ", "fcmeq", 0x4E20E400, 0x4E402400, false, "all ones where n == m"},
		{"FCMGE", "fcmge", 0x6E20E400, 0x6E402400, false, "all ones where n >= m"},
		{"FCMGT", "fcmgt", 0x6EA0E400, 0x6EC02400, false, "all ones where n > m"},
		{"FACGE", "facge", 0x6E20EC00, 0x6E402C00, false, "all ones where |n| >= |m|"},
		{"FACGT", "facgt", 0x6EA0EC00, 0x6EC02C00, false, "all ones where |n| > |m|"},
	} {
		d := vd
		if o.acc {
			d = vdRW
		}
		three := func(a string) string { return fmt.Sprintf("%s v$d.%s, v$n.%s, v$m.%s", o.gnu, a, a, a) }
		t = append(t,
			row(o.name, three("4s"), o.s, vm, vn, d).doc(o.doc),
			row(o.name+"_8H", three("8h"), o.h, vm, vn, d).doc(o.doc).isa("FP16"))
	}
	for _, o := range []struct {
		name, gnu string
		s, h      uint32
		doc       string
	}{
		{"FABS", "fabs", 0x4EA0F800, 0x4EF8F800, ""},
		{"FNEG", "fneg", 0x6EA0F800, 0x6EF8F800, ""},
		{"FSQRT", "fsqrt", 0x6EA1F800, 0x6EF9F800, ""},
		{"FRECPE", "frecpe", 0x4EA1D800, 0x4EF9D800, "reciprocal estimate, 8 bits"},
		{"FRSQRTE", "frsqrte", 0x6EA1D800, 0x6EF9D800, "reciprocal square root estimate, 8 bits"},
		{"FRINTN", "frintn", 0x4E218800, 0x4E798800, "round to integral, ties to even"},
		{"FRINTM", "frintm", 0x4E219800, 0x4E799800, "floor"},
		{"FRINTP", "frintp", 0x4EA18800, 0x4EF98800, "ceil"},
		{"FRINTZ", "frintz", 0x4EA19800, 0x4EF99800, "truncate"},
		{"FRINTA", "frinta", 0x6E218800, 0x6E798800, "round to integral, ties away from zero"},
		{"FCVTNS", "fcvtns", 0x4E21A800, 0x4E79A800, "to signed, ties to even, saturating"},
		{"FCVTMS", "fcvtms", 0x4E21B800, 0x4E79B800, "to signed, toward minus infinity, saturating"},
		{"FCVTPS", "fcvtps", 0x4EA1A800, 0x4EF9A800, "to signed, toward plus infinity, saturating"},
		{"FCVTZS", "fcvtzs", 0x4EA1B800, 0x4EF9B800, "to signed, toward zero, saturating"},
		{"FCVTAS", "fcvtas", 0x4E21C800, 0x4E79C800, "to signed, ties away from zero, saturating"},
		{"FCVTZU", "fcvtzu", 0x6EA1B800, 0x6EF9B800, "to unsigned, toward zero, saturating"},
		{"SCVTF", "scvtf", 0x4E21D800, 0x4E79D800, "from signed"},
		{"UCVTF", "ucvtf", 0x6E21D800, 0x6E79D800, "from unsigned"},
	} {
		two := func(a string) string { return fmt.Sprintf("%s v$d.%s, v$n.%s", o.gnu, a, a) }
		t = append(t,
			row(o.name, two("4s"), o.s, vn, vd).doc(o.doc),
			row(o.name+"_8H", two("8h"), o.h, vn, vd).doc(o.doc).isa("FP16"))
	}
	for _, o := range []struct {
		name, gnu string
		word      uint32
		doc       string
	}{
		{"FCMEQ0", "fcmeq", 0x4EA0D800, "all ones where n == 0"},
		{"FCMGE0", "fcmge", 0x6EA0C800, "all ones where n >= 0"},
		{"FCMGT0", "fcmgt", 0x4EA0C800, "all ones where n > 0"},
		{"FCMLE0", "fcmle", 0x6EA0D800, "all ones where n <= 0"},
		{"FCMLT0", "fcmlt", 0x4EA0E800, "all ones where n < 0"},
	} {
		t = append(t, row(o.name, o.gnu+" v$d.4s, v$n.4s, #0.0", o.word, vn, vd).doc(o.doc))
	}
	for _, o := range []struct {
		name, gnu string
		s, h      uint32
		d         Operand
		doc       string
	}{
		{"FMLAElem", "fmla", 0x4F801000, 0x4F001000, vdRW, "d += n*m[lane], fused"},
		{"FMLSElem", "fmls", 0x4F805000, 0x4F005000, vdRW, "d -= n*m[lane], fused"},
		{"FMULElem", "fmul", 0x4F809000, 0x4F009000, vd, "d = n*m[lane]"},
	} {
		t = append(t,
			row(o.name, o.gnu+" v$d.4s, v$n.4s, v$m.s[$lane]", o.s, vm, laneElem(sizeS), vn, o.d).doc(o.doc),
			row(o.name+"_8H", o.gnu+" v$d.8h, v$n.8h, v$m.h[$lane]", o.h, vmLo, laneElem(sizeH), vn, o.d).doc(o.doc).isa("FP16"))
	}
	for _, o := range []struct {
		name, template string
		word           uint32
		d              Operand
		doc            string
	}{
		{"FCVTL", "fcvtl v$d.4s, v$n.4h", 0x0E217800, vd, "half to single, low half of n"},
		{"FCVTL2", "fcvtl2 v$d.4s, v$n.8h", 0x4E217800, vd, "half to single, high half of n"},
		{"FCVTN", "fcvtn v$d.4h, v$n.4s", 0x0E216800, vd, "single to half, clears the high half of d"},
		{"FCVTN2", "fcvtn2 v$d.8h, v$n.4s", 0x4E216800, vdRW, "single to half, into the high half of d"},
		{"FMAXV", "fmaxv s$d, v$n.4s", 0x6E30F800, vd, "the largest lane"},
		{"FMINV", "fminv s$d, v$n.4s", 0x6EB0F800, vd, "the smallest lane"},
		{"FMAXNMV", "fmaxnmv s$d, v$n.4s", 0x6E30C800, vd, "the largest lane, numbers before NaN"},
		{"FMINNMV", "fminnmv s$d, v$n.4s", 0x6EB0C800, vd, "the smallest lane, numbers before NaN"},
		{"FADDP_S", "faddp s$d, v$n.2s", 0x7E30D800, vd, "lane 0 + lane 1"},
		{"FMAXP_S", "fmaxp s$d, v$n.2s", 0x7E30F800, vd, "max of lanes 0 and 1"},
	} {
		t = append(t, row(o.name, o.template, o.word, vn, o.d).doc(o.doc))
	}
	fimm := Operand{Name: "imm", Kind: Float, Enc: func(v int64) (uint32, error) {
		w, err := EncodeFloat(uint32(v))
		return imm8(w), err
	}}
	return append(t, row("FMOVI", "fmov v$d.4s, #$imm", 0x4F00F400, fimm, vd).doc("±n/16·2^r, 16 ≤ n ≤ 31, -3 ≤ r ≤ 4"))
}

// fpScalarForms are the single-precision scalar forms, in lane 0; they clear
// the other lanes of the destination. The trailing S is cmd/asm's.
func fpScalarForms() []*Form {
	var t []*Form
	for _, o := range []struct {
		name, gnu string
		word      uint32
		doc       string
	}{
		{"FADDS", "fadd", 0x1E202800, ""},
		{"FSUBS", "fsub", 0x1E203800, "d = n - m"},
		{"FMULS", "fmul", 0x1E200800, ""},
		{"FNMULS", "fnmul", 0x1E208800, "d = -(n*m)"},
		{"FDIVS", "fdiv", 0x1E201800, "d = n / m"},
		{"FMAXS", "fmax", 0x1E204800, "NaN if either is NaN"},
		{"FMINS", "fmin", 0x1E205800, "NaN if either is NaN"},
		{"FMAXNMS", "fmaxnm", 0x1E206800, "the number if one is a quiet NaN"},
		{"FMINNMS", "fminnm", 0x1E207800, "the number if one is a quiet NaN"},
	} {
		t = append(t, row(o.name, o.gnu+" s$d, s$n, s$m", o.word, vm, vn, vd).doc(o.doc))
	}
	for _, o := range []struct {
		name, gnu string
		word      uint32
		doc       string
	}{
		{"FMADDS", "fmadd", 0x1F000000, "d = a + n*m, fused"},
		{"FMSUBS", "fmsub", 0x1F008000, "d = a - n*m, fused"},
		{"FNMADDS", "fnmadd", 0x1F200000, "d = -a - n*m, fused"},
		{"FNMSUBS", "fnmsub", 0x1F208000, "d = -a + n*m, fused"},
	} {
		t = append(t, row(o.name, o.gnu+" s$d, s$n, s$m, s$a", o.word, vm, va, vn, vd).doc(o.doc))
	}
	for _, o := range []struct {
		name, template string
		word           uint32
	}{
		{"FMOVS", "fmov s$d, s$n", 0x1E204000},
		{"FABSS", "fabs s$d, s$n", 0x1E20C000},
		{"FNEGS", "fneg s$d, s$n", 0x1E214000},
		{"FSQRTS", "fsqrt s$d, s$n", 0x1E21C000},
		{"FRINTNS", "frintn s$d, s$n", 0x1E244000},
		{"FRINTPS", "frintp s$d, s$n", 0x1E24C000},
		{"FRINTMS", "frintm s$d, s$n", 0x1E254000},
		{"FRINTZS", "frintz s$d, s$n", 0x1E25C000},
		{"FRINTAS", "frinta s$d, s$n", 0x1E264000},
		{"FCVTHS", "fcvt s$d, h$n", 0x1EE24000},
		{"FCVTSH", "fcvt h$d, s$n", 0x1E23C000},
	} {
		t = append(t, row(o.name, o.template, o.word, vn, vd))
	}
	fimm := Operand{Name: "imm", Kind: Float, Enc: func(v int64) (uint32, error) {
		w, err := EncodeFloat(uint32(v))
		return w << 13, err
	}}
	return append(t,
		row("FMOVSI", "fmov s$d, #$imm", 0x1E201000, fimm, vd),
		row("FCMPS", "fcmp s$n, s$m", 0x1E202000, vm, vn).setsFlags().doc("flags of n - m"),
		row("FCMPS0", "fcmp s$n, #0.0", 0x1E202008, vn).setsFlags(),
		row("FCSELS", "fcsel s$d, s$n, s$m, $cond", 0x1E200C00, cond, vn, vm, vd).usesFlags().doc("d = n if cond, else m"),
		row("FMOVWS", "fmov s$d, w$n", 0x1E270000, gn, vd),
		row("FMOVXD", "fmov d$d, x$n", 0x9E670000, gn, vd),
		row("FMOVSW", "fmov w$d, s$n", 0x1E260000, vn, gd),
		row("FMOVDX", "fmov x$d, d$n", 0x9E660000, vn, gd),
		row("SCVTFWS", "scvtf s$d, w$n", 0x1E220000, gn, vd),
		row("SCVTFXS", "scvtf s$d, x$n", 0x9E220000, gn, vd),
		row("UCVTFWS", "ucvtf s$d, w$n", 0x1E230000, gn, vd),
		row("FCVTZSSW", "fcvtzs w$d, s$n", 0x1E380000, vn, gd),
		row("FCVTZSSX", "fcvtzs x$d, s$n", 0x9E380000, vn, gd),
		row("FCVTNSSW", "fcvtns w$d, s$n", 0x1E200000, vn, gd),
		row("FCVTMSSW", "fcvtms w$d, s$n", 0x1E300000, vn, gd),
		row("FMLAElemS", "fmla s$d, s$n, v$m.s[$lane]", 0x5F801000, vm, laneElem(sizeS), vn, vdRW).doc("d += n*m[lane], fused"),
		row("FMULElemS", "fmul s$d, s$n, v$m.s[$lane]", 0x5F809000, vm, laneElem(sizeS), vn, vd),
	)
}
