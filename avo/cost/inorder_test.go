package cost

import (
	"fmt"
	"strings"
	"testing"
)

// loop is n multiply-adds on as many registers as have room, with what comes
// before each of them.
func loop(n int, before func(i int) []string) []string {
	var l []string
	for i := range n {
		l = append(l, before(i)...)
		l = append(l, fmt.Sprintf("fmla v%d.4s, v0.4s, v1.s[%d]", 8+i%24, i%4))
	}
	return l
}

func none(int) []string { return nil }

// TestInOrderRules checks the pairing rules by loops whose cycles follow from them.
func TestInOrderRules(t *testing.T) {
	for _, c := range []struct {
		name     string
		code     []string
		a55, a53 float64
	}{
		{"a vector multiply-add a cycle", loop(24, none), 24, 24},
		{"paired with integers", loop(24, func(i int) []string { return []string{"add x1, x2, x3"} }), 24, 24},
		{"paired with 64-bit loads", loop(24, func(i int) []string { return []string{fmt.Sprintf("ldr d%d, [x1, #8]", 2+i%4)} }), 24, 48},
		{"128-bit loads alone, two cycles each", loop(24, func(i int) []string { return []string{fmt.Sprintf("ldr q%d, [x1, #16]", 2+i%4)} }), 72, 72},
		{"a chain waits for the latency", []string{"fmla v8.4s, v0.4s, v1.4s"}, 4, 4},
		{"loads one a cycle", []string{"ldr x1, [x9]", "ldr x2, [x9, #8]"}, 2, 2},
		{"integers in pairs", []string{"add x1, x8, #1", "add x2, x8, #1", "sub x3, x8, #1", "orr x4, x8, x9"}, 2, 2},
		{"a counter's chain", []string{"subs x0, x0, #1", "b.ne 0"}, 1, 1},
	} {
		for cpu, want := range map[CPU]float64{CortexA55: c.a55, CortexA53: c.a53} {
			got := inOrderCycles(cpu, c.code)
			if got < want*0.97 || got > want*1.03 {
				t.Errorf("%s on %s: %.2f cycles, want about %.0f", c.name, cpu, got, want)
			}
		}
	}
}

func TestPipelinedOf(t *testing.T) {
	for text, want := range map[string]string{
		"fmla v8.4s, v0.4s, v1.s[2]":  "kind 3 from v0 v1 v8 to v8",
		"ldp q0, q1, [x3, #32]":       "kind 8 from x3 to v0 v1 hold 3",
		"ldr q0, [x3], #16":           "kind 8 from x3 to v0 hold 1 base x3",
		"ld1r { v0.4s }, [x3]":        "kind 8 from x3 to v0 hold 1",
		"ld1 { v0.s }[1], [x3], #0x4": "kind 7 from x3 to v0 base x3",
		"stp q0, q1, [x3]":            "kind 9 from v0 v1 x3 to  hold 1",
		"str x1, [sp, #-16]!":         "kind 9 from x1 sp to  base sp",
		"subs x1, x1, #1":             "kind 0 from x1 to flags x1",
		"b.ne 0":                      "kind 10 from flags to ",
		"csel x1, x2, x3, eq":         "kind 0 from flags x2 x3 to x1",
		"mov v0.d[1], x3":             "kind 5 from x3 v0 to v0",
		"fcvtzs w1, s2":               "kind 5 from v2 to x1",
		"cmp x1, #3":                  "kind 0 from x1 to flags",
	} {
		p := pipelinedOf(text)
		got := fmt.Sprintf("kind %d from %s to %s", p.kind, strings.Join(p.from, " "), strings.Join(p.to, " "))
		if p.hold > 0 {
			got += fmt.Sprintf(" hold %d", p.hold)
		}
		if p.base != "" {
			got += " base " + p.base
		}
		if got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}
