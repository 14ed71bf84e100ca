package arm64

import (
	"fmt"
	"math"
	"strings"
	"testing"
)

const kernelsMain = `package main

import (
	"fmt"
	"math"
	"math/rand"
)

func main() {
	r := rand.New(rand.NewSource(1))
	random := func(n int) []float32 {
		s := make([]float32, n)
		for i := range s {
			s[i] = r.Float32()*2 - 1
		}
		return s
	}
	fma := func(x, y, z float32) float32 { return float32(math.FMA(float64(x), float64(y), float64(z))) }
	for n := 0; n < 6; n++ {
		a, x, y := r.Float32(), random(4*n+1), random(4*n+1)
		want := append([]float32(nil), y...)
		for i := 0; i < 4*n; i++ {
			want[i] = fma(x[i], a, y[i])
		}
		axpy(n, a, &x[0], &y[0])
		for i := range want {
			if y[i] != want[i] {
				fmt.Println("axpy", n, i, y[i], want[i])
			}
		}
	}
	for k := 1; k < 6; k++ {
		steps := 4 * k
		a, b := random(8*(steps+1)), random(12*(steps+1)) // one step of slack
		c := make([]float32, 96)
		gemm8x12(k, &a[0], &b[0], &c[0])
		for i := 0; i < 8; i++ {
			for j := 0; j < 12; j++ {
				var want float32
				for s := 0; s < steps; s++ {
					want = fma(a[8*s+i], b[12*s+j], want)
				}
				if c[12*i+j] != want {
					fmt.Println("gemm8x12", k, i, j, c[12*i+j], want)
				}
			}
		}
	}
	for i, f := range constants {
		if f.fn32 != nil {
			var l [4]uint32
			f.fn32(&l[0])
			if l != [4]uint32{uint32(f.want), uint32(f.want), uint32(f.want), uint32(f.want)} {
				fmt.Printf("constant %d: got %x, want %x\n", i, l, f.want)
			}
			continue
		}
		if got := f.fn(1000); got != f.want {
			fmt.Printf("constant %d: got %x, want %x\n", i, got, f.want)
		}
	}
	x := int32(-5)
	if i, u, h, p, word := load(-1, 200, true, 1.5, []float32{1, 2, 3}, x); i != -1 || u != 200 || h != 1.5 || p != 3 || word != -5 {
		fmt.Println("load", i, u, h, p, word)
	}
	fmt.Println("done")
}
`

// loads reads parameters of each width and returns them.
func loads(c *Context) {
	c.Function("load", "func(i8 int8, u8 uint8, b bool, f float32, s []float32, w int32) (i int64, u uint64, h float32, n uint64, x int64)")
	c.Store(c.Load("i8"), "i")
	c.Store(c.Load("u8"), "u")
	c.StoreS(c.LoadS("f"), "h")
	c.Store(c.Load("s_len"), "n")
	c.Store(c.Load("w"), "x")
	c.RET()
}

// TestKernels runs small kernels and the constant-making pseudo instructions
// under emulation. A fused multiply-add has one rounding, so kernels agree with
// the reference bit for bit.
func TestKernels(t *testing.T) {
	c := New()
	axpy(c)
	gemm8x12(c, 4)
	loads(c)
	var table strings.Builder
	name := func(i int) string { return fmt.Sprintf("constant%d", i) }
	n := 0
	for _, v := range []uint64{0, 1, 0xffff, 0x10000, 0x12345678, 0xdeadbeefcafef00d, math.MaxUint64, 0xfffffffffffffffe, 0xffff0000ffff0000,
		0x5555555555555555, 0xffffffff00000000, 0xffff1234ffffffff, 1 << 63, 0x0001000100010001, 0xffffffffffff0000} {
		c.Function(name(n), "func(n uint64) (r uint64)")
		d := c.GP()
		c.MOVImm(v, d)
		c.Store(d, "r")
		c.RET()
		fmt.Fprintf(&table, "\t{fn: %s, want: %#x},\n", name(n), v)
		n++
	}
	for _, v := range []int{0, 1, -1, 4095, 4096, -4096, 4097, -4097, 123456, -123456, 4095 << 12, 1 << 24, -1 << 24, 1 << 40, math.MinInt64} {
		c.Function(name(n), "func(n uint64) (r uint64)")
		d := c.Load("n")
		c.AddConst(v, d, d)
		c.Store(d, "r")
		c.RET()
		fmt.Fprintf(&table, "\t{fn: %s, want: %#x},\n", name(n), uint64(1000+v))
		n++
	}
	for _, v := range []uint32{0, 1, 0x3f800000, 0xbf800000, 0x40490fdb, 0xffffffff, 0x7f800000, 0x80000000, 0xff00, 0xff0000, 0xffffff00, 0xff00ffff, 0x05050505, 0x12345678, 0x7fffffff} {
		c.Function(name(n), "func(p *uint32)")
		d := c.Vec()
		c.DUPImm32(v, d)
		c.STRQ(d, 0, c.Load("p"))
		c.RET()
		fmt.Fprintf(&table, "\t{fn32: %s, want: %#x},\n", name(n), v)
		n++
	}
	words := c.Data("words", 7, 8, 9, 10)
	c.Function(name(n), "func(n uint64) (r uint64)")
	a := c.GP()
	c.Addr(words, a)
	c.LDRX(8, a, a)
	c.Store(a, "r")
	c.RET()
	fmt.Fprintf(&table, "\t{fn: %s, want: %#x},\n", name(n), uint64(10<<32|9))
	dir := kernModule(t, c, "main", map[string]string{
		"main.go": kernelsMain,
		"constants.go": "package main\n\nvar constants = []struct {\n\tfn   func(uint64) uint64\n\tfn32 func(*uint32)\n\twant uint64\n}{\n" +
			table.String() + "}\n",
	})
	if out := runQEMU(t, dir); out != "done\n" {
		t.Errorf("\n%.4000s", out)
	}
}
