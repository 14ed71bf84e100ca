package conv

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
	"github.com/mmcloughlin/avo/x86"

	"github.com/flexnnc/flexnnc/avo/amd64"
	"github.com/flexnnc/flexnnc/avo/arm64"
	"github.com/flexnnc/flexnnc/avo/kernel/cpu"
)

// PeakFMAs is the FMA instructions per iteration of the loops that Peak makes, and the
// instructions of those that multiply bytes.
const PeakFMAs = 96

// ReadBytes is what an iteration of the loops that read, or copy, takes.
const ReadBytes = 512

// Peak writes loops of FMAs, and of products of bytes as the int8 kernels make them, on
// registers alone, independent enough to run at the CPU's full rate, and loops that
// read and copy memory: what benchmarks compare kernels with. No emitted package has them.
func Peak(pkg string) (map[string][]byte, error) {
	x := amd64.New()
	for _, v := range []*vector{{Context: x, avx512: true}, {Context: x}} {
		isa := "AVX2"
		if v.avx512 {
			isa = "AVX512"
		}
		v.loop("peak"+isa, "peak"+isa+" runs n iterations of 96 FMAs on 12 registers.", func(acc []reg.VecVirtual, a, b reg.VecVirtual) {
			for i := range PeakFMAs {
				v.I(x86.VFMADD231PS(a, b, acc[i%len(acc)]))
			}
		})
		if v.avx512 {
			v.loop("peakVNNI", "peakVNNI runs n iterations of 96 dot products of bytes on 12 registers.", func(acc []reg.VecVirtual, a, b reg.VecVirtual) {
				for i := range PeakFMAs {
					v.I(x86.VPDPBUSD(a, b, acc[i%len(acc)]))
				}
			})
		} else {
			v.loop("peakInt8AVX2", "peakInt8AVX2 runs n iterations of 32 dot products of bytes, of three instructions each.", func(acc []reg.VecVirtual, a, b reg.VecVirtual) {
				for i := range PeakFMAs / 3 {
					p := v.reg()
					v.I(x86.VPMADDUBSW(a, b, p))
					v.I(x86.VPMADDWD(b, p, p))
					v.I(x86.VPADDD(p, acc[i%len(acc)], acc[i%len(acc)]))
				}
			})
		}
		v.Function("read"+isa, "func(p *byte, n int)", "read"+isa+" reads n times 512 bytes from p on: a quarter of all in each of four places at a time.")
		p, n := v.Load("p"), v.Load("n")
		far, three := v.GP64(), v.GP64()
		v.I(x86.MOVQ(n, far))
		v.I(x86.SHLQ(operand.U8(7), far))
		v.I(x86.LEAQ(operand.Mem{Base: far, Index: far, Scale: 2}, three))
		v.Label("loop")
		for _, m := range []operand.Mem{{Base: p}, {Base: p, Index: far, Scale: 1}, {Base: p, Index: far, Scale: 2}, {Base: p, Index: three, Scale: 1}} {
			for at := 0; at < ReadBytes/4; at += 4 * v.floats() {
				m.Disp = at
				v.I(x86.VMOVUPS(m, v.reg()))
			}
		}
		v.I(x86.ADDQ(operand.I32(ReadBytes/4), p))
		v.I(x86.DECQ(n))
		v.I(x86.JNE(operand.LabelRef("loop")))
		v.end()
	}
	for _, v := range []*vector{{Context: x, avx512: true}, {Context: x}} {
		isa := "AVX2"
		if v.avx512 {
			isa = "AVX512"
		}
		v.Function("copy"+isa, "func(to, from *byte, n int)", "copy"+isa+" copies n times 512 bytes.")
		to, from, n := v.Load("to"), v.Load("from"), v.Load("n")
		v.Label("loop")
		for at := 0; at < ReadBytes; at += 4 * v.floats() {
			r := v.reg()
			v.I(x86.VMOVUPS(mem(from, at), r))
			v.I(x86.VMOVUPS(r, mem(to, at)))
		}
		v.I(x86.ADDQ(operand.I32(ReadBytes), from))
		v.I(x86.ADDQ(operand.I32(ReadBytes), to))
		v.I(x86.DECQ(n))
		v.I(x86.JNE(operand.LabelRef("loop")))
		v.end()
	}
	files := map[string][]byte{}
	var err error
	if files["peak_amd64.s"], files["peak_amd64.go"], err = x.Print(pkg, cpu.AMD64); err != nil {
		return nil, err
	}
	c := arm64.New()
	loopNEON(c, "peakNEON", "peakNEON runs n iterations of 96 FMAs on 24 registers.", 24, func(acc []arm64.Vec, a, b arm64.Vec) {
		for i := range PeakFMAs {
			c.FMLAElem(a, i%4, b, acc[i%len(acc)])
		}
	})
	loopNEON(c, "peakSDOT", "peakSDOT runs n iterations of 96 dot products of bytes on 24 registers.", 24, func(acc []arm64.Vec, a, b arm64.Vec) {
		for i := range PeakFMAs {
			c.SDOTElem(a, i%4, b, acc[i%len(acc)])
		}
	})
	loopNEON(c, "peakInt8NEON", "peakInt8NEON runs n iterations of 32 products of two bytes and two bytes, of three instructions each.", 16, func(acc []arm64.Vec, a, b arm64.Vec) {
		for i := range PeakFMAs / 3 {
			p := c.Vec()
			c.SMULL_8H(a, b, p)
			c.SMLAL_8H(a, b, p)
			c.SADALP_4S(p, acc[i%len(acc)])
		}
	})
	c.Function("readNEON", "func(p *byte, n int)", "readNEON reads n times 512 bytes from p on: a quarter of all in each of four places at a time.")
	p, n := c.Load("p"), c.Load("n")
	places := []arm64.GP{p, c.GP(), c.GP(), c.GP()}
	for i := 1; i < len(places); i++ {
		c.ADDLSL(n, 7, places[i-1], places[i])
	}
	c.Label("loop")
	for _, p := range places {
		for range ReadBytes / 4 / 32 {
			c.LDPQPost(32, p, c.Vec(), c.Vec())
		}
	}
	c.SUBI(1, n, n)
	c.CBNZ(n, "loop")
	c.RET()
	c.Function("copyNEON", "func(to, from *byte, n int)", "copyNEON copies n times 512 bytes.")
	to, from, n := c.Load("to"), c.Load("from"), c.Load("n")
	c.Label("loop")
	for range ReadBytes / 32 {
		v, w := c.Vec(), c.Vec()
		c.LDPQPost(32, from, v, w)
		c.STPQPost(v, w, 32, to)
	}
	c.SUBI(1, n, n)
	c.CBNZ(n, "loop")
	c.RET()
	if err := c.Compile(); err != nil {
		return nil, err
	}
	files["peak_arm64.s"], files["peak_arm64.go"], err = c.Print(pkg, cpu.ARM64)
	return files, err
}

// loop makes a function of n iterations of body, which is given registers of zeros.
func (v *vector) loop(name, doc string, body func(acc []reg.VecVirtual, a, b reg.VecVirtual)) {
	v.Function(name, "func(n int)", doc)
	n := v.Load("n")
	var acc []reg.VecVirtual
	for range 12 {
		acc = append(acc, v.zero())
	}
	a, b := v.zero(), v.zero()
	v.Label("loop")
	body(acc, a, b)
	v.I(x86.DECQ(n))
	v.I(x86.JNE(operand.LabelRef("loop")))
	v.end()
}

// loopNEON is loop for arm64, with a number of registers to sum in.
func loopNEON(c *arm64.Context, name, doc string, sums int, body func(acc []arm64.Vec, a, b arm64.Vec)) {
	c.Function(name, "func(n int)", doc)
	n := c.Load("n")
	acc, ab := quads(c, sums), quads(c, 2)
	for _, v := range append(ab, acc...) {
		c.VZERO(v)
	}
	c.Label("loop")
	body(acc, ab[0], ab[1])
	c.SUBI(1, n, n)
	c.CBNZ(n, "loop")
	c.RET()
}
