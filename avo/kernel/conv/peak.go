package conv

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
	"github.com/mmcloughlin/avo/x86"

	"github.com/flexnnc/flexnnc/avo/amd64"
	"github.com/flexnnc/flexnnc/avo/arm64"
	"github.com/flexnnc/flexnnc/avo/kernel/cpu"
)

// PeakFMAs is the FMA instructions per iteration of the loops that Peak makes.
const PeakFMAs = 96

// Peak writes loops of FMAs on registers alone, independent enough to run at the
// CPU's full rate: what benchmarks compare kernels with. No emitted package has
// them.
func Peak(pkg string) (map[string][]byte, error) {
	x := amd64.New()
	for _, v := range []*vector{{Context: x, avx512: true}, {Context: x}} {
		name := "peakAVX2"
		if v.avx512 {
			name = "peakAVX512"
		}
		v.Function(name, "func(n int)", name+" runs n iterations of 96 FMAs on 12 registers.")
		n := v.Load("n")
		var acc []reg.VecVirtual
		for range 12 {
			acc = append(acc, v.zero())
		}
		a, b := v.zero(), v.zero()
		v.Label("loop")
		for i := range PeakFMAs {
			v.I(x86.VFMADD231PS(a, b, acc[i%len(acc)]))
		}
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
	c.Function("peakNEON", "func(n int)", "peakNEON runs n iterations of 96 FMAs on 24 registers.")
	n := c.Load("n")
	acc := quads(c, 24)
	ab := quads(c, 2)
	for _, v := range append(ab, acc...) {
		c.VZERO(v)
	}
	c.Label("loop")
	for i := range PeakFMAs {
		c.FMLAElem(ab[0], i%4, ab[1], acc[i%len(acc)])
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
