package arm64

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// gemm8x12 emits a pipelined 8x12 micro-kernel: 24 accumulators, and the loads
// of step k+1 spread over the products of step k, each as soon as a register it
// may take is dead. All 32 vector registers are alive.
func gemm8x12(c *Context, unroll int) {
	c.Function("gemm8x12", "func(k int, a, b, c *float32)", "gemm8x12 computes C[8][12] = A·B over k packed steps.")
	k, a, b, dst := c.Load("k"), c.Load("a"), c.Load("b"), c.Load("c")
	var acc [8][3]Vec
	for i := range acc {
		for j := range acc[i] {
			acc[i][j] = c.Vec()
			c.VZERO(acc[i][j])
		}
	}
	first := [5]Vec{c.Vec(), c.Vec(), c.Vec(), c.Vec(), c.Vec()} // a0 a1 b0 b1 b2
	load := func(o [5]Vec, part int) {
		switch part {
		case 0:
			c.LDPQPost(32, a, o[0], o[1])
		case 1:
			c.LDRQPost(16, b, o[2])
		default:
			c.LDPQPost(32, b, o[3], o[4])
		}
	}
	for part := range 3 {
		load(first, part)
	}
	step := func(cur, next [5]Vec) {
		for j := 0; j < 3; j++ {
			for i := 0; i < 8; i++ {
				c.FMLAElem(cur[i/4], i%4, cur[2+j], acc[i][j])
				switch {
				case j == 0 && i == 1:
					load(next, 0)
				case j == 0 && i == 3:
					load(next, 1)
				case j == 2 && i == 0:
					load(next, 2)
				}
			}
		}
	}
	c.Label("loop")
	cur := first
	for u := 0; u < unroll; u++ {
		next := first
		if u < unroll-1 {
			next = [5]Vec{c.Vec(), c.Vec(), c.Vec(), c.Vec(), c.Vec()}
		}
		step(cur, next)
		cur = next
	}
	c.SUBSI(1, k, k)
	c.BNE("loop")
	for i := range acc {
		c.STPQPost(acc[i][0], acc[i][1], 32, dst)
		c.STRQPost(acc[i][2], 16, dst)
	}
	c.RET()
}

// TestGEMMTakesAllVectors colours kernels whose eight rotating registers admit
// one cycle of roles only: it closes after four steps. An unroll of two has no
// colouring although no more than 32 registers are alive.
func TestGEMMTakesAllVectors(t *testing.T) {
	for _, unroll := range []int{4, 8, 16} {
		c := New()
		gemm8x12(c, unroll)
		if err := c.Compile(); err != nil {
			t.Fatalf("unroll %d: %v", unroll, err)
		}
		if p := c.Pressure("gemm8x12"); p.Vec != 32 {
			t.Errorf("unroll %d: %d vectors alive, want 32", unroll, p.Vec)
		}
		if n := strings.Count(c.GNU("gemm8x12"), "fmla"); n != 24*unroll {
			t.Errorf("unroll %d: %d fmla", unroll, n)
		}
	}
}

func TestGEMMWithoutColouring(t *testing.T) {
	compileError(t, func(c *Context) { gemm8x12(c, 2) }, "gemm8x12", "no colouring", "32 of 32 vector")
}

// TestBacktracking colours a graph whose first attempt must be revised: the pieces
// of a 4-coloured planted partition, denser than a greedy order can follow.
func TestBacktracking(t *testing.T) {
	revised := 0
	for seed := range uint64(30) {
		r := rand.New(rand.NewPCG(seed, 2))
		const n = 60
		g := &graph{adj: make([][]int, n), allow: make([]uint32, n)}
		for i := range n {
			g.allow[i] = 15
			for j := range i {
				if i%4 != j%4 && r.IntN(100) < 24 {
					g.adj[i], g.adj[j] = append(g.adj[i], j), append(g.adj[j], i)
				}
			}
		}
		colors, steps, err := g.color()
		if err != nil {
			t.Errorf("seed %d: %v", seed, err)
			continue
		}
		if steps > n {
			revised++
		}
		for i := range g.adj {
			for _, j := range g.adj[i] {
				if colors[i] == colors[j] {
					t.Errorf("seed %d: neighbours %d and %d share colour %d", seed, i, j, colors[i])
				}
			}
		}
	}
	if revised == 0 {
		t.Error("no graph needed backtracking: the test shows nothing")
	}
	t.Logf("%d of 30 graphs needed backtracking", revised)
}

func TestNoColouring(t *testing.T) {
	// Four mutual neighbours with three colours.
	g := &graph{adj: [][]int{{1, 2, 3}, {0, 2, 3}, {0, 1, 3}, {0, 1, 2}}, allow: []uint32{7, 7, 7, 7}}
	if c, _, err := g.color(); err == nil {
		t.Errorf("coloured as %v", c)
	}
}

func compileError(t *testing.T, build func(c *Context), want ...string) {
	t.Helper()
	c := New()
	build(c)
	err := c.Compile()
	if err == nil {
		t.Fatalf("no error, want %q", want)
	}
	for _, w := range want {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error %q lacks %q", err, w)
		}
	}
	if _, _, err := c.Print("kern", ""); err == nil {
		t.Error("Print after a failed Compile")
	}
}

// live keeps n vectors alive at once.
func live(c *Context, n int) {
	c.Function("live", "func(p *float32)")
	p := c.Load("p")
	var vs []Vec
	for i := 0; i < n; i++ {
		vs = append(vs, c.Vec())
		c.LDRQPost(16, p, vs[i])
	}
	for _, v := range vs {
		c.STRQPost(v, 16, p)
	}
	c.RET()
}

func TestPressure(t *testing.T) {
	c := New()
	live(c, 32)
	if err := c.Compile(); err != nil {
		t.Fatal(err)
	}
	compileError(t, func(c *Context) { live(c, 33) }, "live", "too many registers alive", "33 of 32 vector", "1 of 26 general")
	compileError(t, func(c *Context) {
		c.Function("gps", "func(p *int)")
		p := c.Load("p")
		var gs []GP
		for i := 0; i < 26; i++ {
			gs = append(gs, c.GP())
			c.LDRX(8*i, p, gs[i])
		}
		for i, g := range gs {
			c.STRX(g, 8*i, p)
		}
		c.RET()
	}, "27 of 26 general")
}

// lowKernel keeps n by-element multipliers and m other vectors alive.
func lowKernel(c *Context, n, m int) {
	c.Function("low", "func(p *float32)")
	p := c.Load("p")
	var vs []Vec
	for i := 0; i < m+n; i++ {
		vs = append(vs, c.Vec())
		c.LDRQPost(16, p, vs[i])
	}
	for i := 0; i < n; i++ {
		c.FMLAElem_8H(vs[m+i], i%8, vs[m+n-1], vs[m-1])
	}
	for _, v := range vs {
		c.STRQPost(v, 16, p)
	}
	c.RET()
}

func TestLowClass(t *testing.T) {
	c := New()
	lowKernel(c, 16, 16)
	if err := c.Compile(); err != nil {
		t.Fatal(err)
	}
	ms := regexp.MustCompile(`fmla v\d+\.8h, v\d+\.8h, v(\d+)\.h`).FindAllStringSubmatch(c.GNU("low"), -1)
	if len(ms) != 16 {
		t.Fatalf("%d products", len(ms))
	}
	for _, m := range ms {
		if n, err := strconv.Atoi(m[1]); err != nil || n > 15 {
			t.Errorf("multiplier in V%s", m[1])
		}
	}
	if got := c.Requires("low"); len(got) != 1 || got[0] != "FP16" {
		t.Errorf("features %q", got)
	}
	compileError(t, func(c *Context) { lowKernel(c, 17, 1) }, "no colouring")
	c = New()
	c.Function("declared", "func(p *float32)")
	p := c.Load("p")
	for i := 0; i < 16; i++ { // V0-V15 stay occupied
		c.LDRQ(16*i, p, V(i))
	}
	v := c.VecLow()
	c.LDRQ(0, p, v)
	c.STRQ(v, 0, p)
	for i := 0; i < 16; i++ {
		c.STRQ(V(i), 16*i, p)
	}
	c.RET()
	if err := c.Compile(); err == nil {
		t.Error("VecLow found a place among V0-V15 although all are occupied")
	}
}

func TestLists(t *testing.T) {
	c := New()
	c.Function("lists", "func(p, q *float32)")
	p, q := c.Load("p"), c.Load("q")
	var v [4]Vec
	for i := range v {
		v[i] = c.Vec()
	}
	keep := c.Vec()
	c.LDRQ(0, p, keep)
	c.LD2_4SPost(p, v[1], v[2]) // inside the list of four below
	c.LDRQ(0, p, v[3])
	c.LDRQ(16, p, v[0])
	c.ST4_4S(v[0], v[1], v[2], v[3], q)
	c.LD2_4S(p, V(31), v[0]) // a fixed member: V31 is followed by V0
	c.FADD(V(31), v[0], v[0])
	c.STRQ(v[0], 0, q)
	c.STRQ(keep, 16, q)
	c.RET()
	if err := c.Compile(); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(c.GNU("lists"), "ld2 {v31.4s, v0.4s}, [x0]") {
		t.Error("the list with V31 does not go on with V0")
	}
	compileError(t, func(c *Context) {
		c.Function("orders", "func(p *float32)")
		p, a, b := c.Load("p"), c.Vec(), c.Vec()
		c.LD2_4S(p, a, b)
		c.ST2_4S(b, a, p)
		c.RET()
	}, "orders", "contradictory")
}

func TestFixedAndDeadRegisters(t *testing.T) {
	c := New()
	c.Function("fixed", "func(p *float32)")
	p := c.Load("p")
	c.LDRQ(0, p, V(0))
	a, dead := c.Vec(), c.Vec()
	c.LDPQ(16, p, a, dead) // dead must differ from a, and neither may be V0
	c.FADD(V(0), a, a)
	c.STRQ(a, 0, p)
	c.RET()
	if err := c.Compile(); err != nil {
		t.Fatal(err)
	}
	if m := regexp.MustCompile(`ldp q(\d+), q(\d+)`).FindStringSubmatch(c.GNU("fixed")); m == nil || m[1] == m[2] || m[1] == "0" || m[2] == "0" {
		t.Errorf("listing\n%s", c.GNU("fixed"))
	}
	for _, n := range []int{18, 27, 28, 29, 30} {
		compileError(t, func(c *Context) {
			c.Function("reserved", "func(p *float32)")
			c.MOV(c.Load("p"), R(n))
			c.RET()
		}, fmt.Sprintf("R%d is not a register", n), "alloc_test.go:")
	}
}

func TestDeterminism(t *testing.T) {
	var first []byte
	for i := 0; i < 4; i++ {
		c := New()
		gemm8x12(c, 4)
		axpy(c)
		everyNative(c)
		if err := c.Compile(); err != nil {
			t.Fatal(err)
		}
		asm, stubs, err := c.Print("kern", "arm64")
		if err != nil {
			t.Fatal(err)
		}
		out := append(asm, stubs...)
		if first == nil {
			first = out
		}
		if !bytes.Equal(first, out) {
			t.Fatal("two runs differ")
		}
	}
}

// rotating builds a loop over all 32 vectors from a known assignment: at each
// point one random register dies and a new value takes its place; the last value
// in each register is the one the loop starts with.
func rotating(c *Context, seed uint64, length int) {
	r := rand.New(rand.NewPCG(seed, 1))
	c.Function("rotating", "func(n int, p *float32)")
	n, p := c.Load("n"), c.Load("p")
	at := make([]int, length) // register written by each instruction
	last := map[int]int{}
	for i := range at {
		at[i] = r.IntN(32)
		last[at[i]] = i
	}
	var home, cur [32]Vec
	for i := range home {
		home[i] = c.Vec()
		c.LDRQ(16*i, p, home[i])
	}
	cur = home
	c.Label("loop")
	for i, x := range at {
		next := c.Vec()
		if last[x] == i {
			next = home[x]
		}
		c.FADD(cur[x], cur[(x+1)%32], next) // the operand it replaces dies here
		cur[x] = next
	}
	c.SUBSI(1, n, n)
	c.BNE("loop")
	for i := range home {
		c.STRQ(home[i], 16*i, p)
	}
	c.RET()
}

func TestTightLoops(t *testing.T) {
	for seed := range uint64(8) {
		for _, length := range []int{40, 100, 300} {
			c := New()
			rotating(c, seed, length)
			if err := c.Compile(); err != nil {
				t.Errorf("seed %d, %d instructions: %v", seed, length, err)
			} else if p := c.Pressure("rotating"); p.Vec != 32 {
				t.Errorf("seed %d: %d vectors alive, want 32", seed, p.Vec)
			}
		}
	}
}
