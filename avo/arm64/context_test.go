package arm64

import (
	"strings"
	"testing"
)

// axpy is the example of the package comment.
func axpy(c *Context) {
	c.Function("axpy", "func(n int, a float32, x, y *float32)", "axpy computes y[i] += a*x[i] for 4n values.")
	n, x, y := c.Load("n"), c.Load("x"), c.Load("y")
	a := c.LoadS("a")
	c.CBZ(n, "done")
	c.Label("loop")
	vx, vy := c.Vec(), c.Vec()
	c.LDRQPost(16, x, vx)
	c.LDRQ(0, y, vy)
	c.FMLAElem(a, 0, vx, vy)
	c.STRQPost(vy, 16, y)
	c.SUBSI(1, n, n)
	c.BNE("loop")
	c.Label("done")
	c.RET()
}

func TestListing(t *testing.T) {
	c := New()
	axpy(c)
	if err := c.Compile(); err != nil {
		t.Fatal(err)
	}
	want := `	ldr x0, [sp, #8]
	ldr x1, [sp, #24]
	ldr x2, [sp, #32]
	ldr s0, [sp, #16]
	cbz x0, done
loop:
	ldr q1, [x1], #16
	ldr q2, [x2]
	fmla v2.4s, v1.4s, v0.s[0]
	str q2, [x2], #16
	subs x0, x0, #1
	b.ne loop
done:
	ret
`
	if got := c.GNU("axpy"); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	asm, stubs, err := c.Print("kern", "arm64 && !noasm")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{"//go:build arm64 && !noasm", "TEXT ·axpy(SB), NOSPLIT, $0-32", "WORD $0x3cc10421 // ldr q1, [x1], #16", "MOVD  n+0(FP), R0", "FMOVS a+8(FP), F0", "CBZ   R0, done"} {
		if !strings.Contains(string(asm), s) {
			t.Errorf("no %q in\n%s", s, asm)
		}
	}
	for _, s := range []string{"//go:build arm64 && !noasm", "//go:noescape\nfunc axpy(n int, a float32, x *float32, y *float32)"} {
		if !strings.Contains(string(stubs), s) {
			t.Errorf("no %q in\n%s", s, stubs)
		}
	}
}
