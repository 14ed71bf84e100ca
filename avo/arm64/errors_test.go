package arm64

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestCompileErrors gives each kind of faulty generator and what the error must
// say: the function, the line of the generator and the reason.
func TestCompileErrors(t *testing.T) {
	fn := func(c *Context) GP {
		c.Function("bad", "func(p *float32)")
		return c.Load("p")
	}
	const here = "errors_test.go:"
	for _, e := range []struct {
		name  string
		build func(c *Context)
		want  []string
	}{
		{"offset", func(c *Context) { p := fn(c); c.LDRQ(8, p, c.Vec()) }, []string{"bad", here, "LDRQ: off = 8: not a multiple of 16"}},
		{"negative", func(c *Context) { p := fn(c); c.LDRQ(-16, p, c.Vec()) }, []string{"LDRQ: off = -16: out of range 0 to 65520"}},
		{"pair", func(c *Context) { p := fn(c); c.LDPQ(1024, p, c.Vec(), c.Vec()) }, []string{"out of range -1024 to 1008"}},
		{"lane", func(c *Context) { fn(c); c.FMLAElem(V(0), 4, V(1), V(2)) }, []string{"lane = 4"}},
		{"prefetch", func(c *Context) { c.PRFM(3, fn(c)) }, []string{"off = 3"}},
		{"unwritten vector", func(c *Context) { p := fn(c); c.STRQ(c.Vec(), 0, p); c.RET() }, []string{"bad", here, "STRQ reads vector register"}},
		{"unwritten accumulator", func(c *Context) {
			p := fn(c)
			v, acc := c.Vec(), c.Vec()
			c.LDRQ(0, p, v)
			c.FMLA(v, v, acc)
			c.RET()
		}, []string{"FMLA reads vector register"}},
		{"unwritten on one path", func(c *Context) {
			p, v := fn(c), c.Vec()
			c.CBZ(p, "skip")
			c.LDRQ(0, p, v)
			c.Label("skip")
			c.STRQ(v, 0, p)
			c.RET()
		}, []string{"STRQ reads vector register"}},
		{"unwritten flags", func(c *Context) { fn(c); c.BNE("x"); c.Label("x"); c.RET() }, []string{"BNE reads NZCV"}},
		{"label", func(c *Context) { c.CBZ(fn(c), "nowhere"); c.RET() }, []string{"bad", "nowhere"}},
		{"two labels", func(c *Context) {
			p := fn(c)
			c.Label("l")
			c.NOP()
			c.Label("l")
			c.CBZ(p, "l")
			c.RET()
		}, []string{"duplicate label"}},
		{"no end", func(c *Context) { p := fn(c); c.STRX(p, 0, p) }, []string{"bad", here, "end of the function"}},
		{"empty", func(c *Context) { c.Function("bad", "func()") }, []string{"bad", "empty function"}},
		{"signature", func(c *Context) { c.Function("bad", "func(") }, []string{"bad", "signature"}},
		{"parameter", func(c *Context) { fn(c); c.Load("q"); c.RET() }, []string{"bad", "unknown variable"}},
		{"string parameter", func(c *Context) { c.Function("bad", "func(s string)"); c.Load("s"); c.RET() }, []string{"not primitive"}},
		{"register name", func(c *Context) { c.Function("bad", "func(g int)"); c.Load("g"); c.RET() }, []string{"takes this name for a register"}},
		{"type", func(c *Context) { fn(c); c.LoadS("p"); c.RET() }, []string{"want float32"}},
		{"alignment", func(c *Context) { fn(c); c.Align(12); c.RET() }, []string{"alignment 12"}},
		{"zero value", func(c *Context) { fn(c); c.VMOV(Vec{}, c.Vec()); c.RET() }, []string{"zero register value"}},
		{"no function", func(c *Context) { c.RET() }, []string{"no function started"}},
		{"shared base", func(c *Context) { p := fn(c); c.LDRXPost(8, p, p); c.RET() }, []string{"unpredictable"}},
	} {
		t.Run(e.name, func(t *testing.T) { compileError(t, e.build, e.want...) })
	}
}

func TestCompileTwice(t *testing.T) {
	c := New()
	axpy(c)
	if err := c.Compile(); err != nil {
		t.Fatal(err)
	}
	if err := c.Compile(); err == nil {
		t.Error("the second Compile succeeded")
	}
	if _, _, err := c.Print("kern", "arm64 &&"); err == nil {
		t.Error("a faulty constraint was accepted")
	}
}

// TestGenerated fails when forms_gen.go lags behind the table.
func TestGenerated(t *testing.T) {
	out := filepath.Join(t.TempDir(), "forms_gen.go")
	if b, err := exec.Command("go", "run", "./internal/formgen", "-o", out).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, b)
	}
	got, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("forms_gen.go")
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Error("forms_gen.go is stale: run go generate")
	}
}
