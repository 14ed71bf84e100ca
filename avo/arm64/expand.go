package arm64

import (
	"fmt"
	"math"

	"github.com/flexnnc/flexnnc/avo/arm64/form"
	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/ir"
	"github.com/mmcloughlin/avo/operand"
)

// MOVImm sets d to any 64-bit constant, by one to four instructions.
func (c *Context) MOVImm(v uint64, d GP) {
	half := func(v uint64, i int) int { return int(v >> (16 * i) & 0xffff) }
	zeros, ones := 0, 0
	for i := 0; i < 4; i++ {
		switch half(v, i) {
		case 0:
			zeros++
		case 0xffff:
			ones++
		}
	}
	if _, err := form.EncodeMask(v); err == nil && zeros < 3 && ones < 3 {
		z := c.GP()
		c.MOVZ(0, 0, z)
		c.ORRI(v, z, d)
		return
	}
	fill, first := 0, c.MOVZ
	if ones > zeros {
		fill, first = 0xffff, func(imm, shift int, d GP) { c.MOVN(imm^0xffff, shift, d) }
	}
	done := false
	for i := 0; i < 4; i++ {
		switch h := half(v, i); {
		case h == fill:
		case !done:
			first(h, 16*i, d)
			done = true
		default:
			c.MOVK(h, 16*i, d)
		}
	}
	if !done {
		first(fill, 0, d)
	}
}

// AddConst sets d = n + v for any v. It takes a scratch register when v does not
// fit the immediate of ADD or SUB.
func (c *Context) AddConst(v int, n, d GP) {
	fits := func(u int) bool { return u >= 0 && (u < 4096 || u%4096 == 0 && u < 4096<<12) }
	switch {
	case fits(v):
		c.ADDI(v, n, d)
	case fits(-v):
		c.SUBI(-v, n, d)
	case v > 0 && v < 4096<<12:
		c.ADDI(v&^4095, n, d)
		c.ADDI(v&4095, d, d)
	case v < 0 && v > -(4096<<12):
		c.SUBI(-v&^4095, n, d)
		c.SUBI(-v&4095, d, d)
	default:
		t := c.GP()
		c.MOVImm(uint64(v), t)
		c.ADD(t, n, d)
	}
}

// DUPImm32 sets the four lanes of dst to v, through a general register only when
// no immediate form holds it.
func (c *Context) DUPImm32(v uint32, dst Vec) {
	if v == 0 {
		c.VZERO(dst)
		return
	}
	if _, err := form.EncodeFloat(v); err == nil {
		c.FMOVI(math.Float32frombits(v), dst)
		return
	}
	if b := v & 0xff; v == b*0x01010101 {
		c.MOVI_16B(int(b), dst)
		return
	}
	for shift := 0; shift < 32; shift += 8 {
		if v&^(0xff<<shift) == 0 {
			c.MOVI_4S(int(v>>shift), shift, dst)
			return
		}
		if w := ^v; w&^(0xff<<shift) == 0 {
			c.MVNI_4S(int(w>>shift), shift, dst)
			return
		}
	}
	t := c.GP()
	c.MOVImm(uint64(v), t)
	c.DUP_4S(t, dst)
}

// DUPFloat sets the four lanes of dst to v.
func (c *Context) DUPFloat(v float32, dst Vec) { c.DUPImm32(math.Float32bits(v), dst) }

// Align pads with NOPs to a multiple of n bytes: 8, 16, 32 or 64.
func (c *Context) Align(n int) {
	switch n {
	case 8, 16, 32, 64:
	default:
		c.fail("alignment %d, want 8, 16, 32 or 64", n)
		return
	}
	c.pseudo("Align", nil, nil, func(int64) (string, []string, []string) {
		return "PCALIGN", []string{fmt.Sprintf("$%d", n)}, []string{fmt.Sprintf(".balign %d", n)}
	})
}

// Symbol names read-only data of the file.
type Symbol struct{ name string }

// Data defines read-only 32-bit words, private to the file.
func (c *Context) Data(name string, words ...uint32) Symbol {
	g := ir.NewStaticGlobal(name)
	g.Attributes = attr.RODATA | attr.NOPTR
	for _, w := range words {
		g.Append(operand.U32(w))
	}
	c.file.AddSection(g)
	return Symbol{name}
}

// Addr sets d to the address of s.
func (c *Context) Addr(s Symbol, d GP) {
	c.pseudo("Addr", nil, d.r, func(n int64) (string, []string, []string) {
		return "MOVD", []string{fmt.Sprintf("$%s<>(SB)", s.name), fmt.Sprintf("R%d", n)},
			[]string{fmt.Sprintf("adrp x%d, %s", n, s.name), fmt.Sprintf("add x%d, x%d, :lo12:%s", n, n, s.name)}
	})
}
