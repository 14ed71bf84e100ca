package amd64_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/flexnnc/flexnnc/avo/amd64"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/x86"
)

// sum adds n vectors that are all live at once.
func sum(c *amd64.Context, name string, n int) {
	c.Struct(name + "Args")
	c.Function(name, fmt.Sprintf("func(a *%sArgs)", name), name+" adds vectors.")
	a := c.Load("a")
	total := c.ZMM()
	c.I(x86.VPXORD(total, total, total))
	vs := make([]operand.Op, n)
	for i := range vs {
		v := c.ZMM()
		c.I(x86.VMOVUPS(operand.Mem{Base: a, Disp: 64 * i}, v))
		vs[i] = v
	}
	for _, v := range vs {
		c.I(x86.VADDPS(v, total, total))
	}
	c.I(x86.VMOVUPS(total, operand.Mem{Base: a}))
	c.I(x86.RET())
}

// TestErrorsNameTheFunction: a function that needs more registers than there are is
// named, and not the one before it.
func TestErrorsNameTheFunction(t *testing.T) {
	c := amd64.New()
	sum(c, "fits", 31)
	sum(c, "large", 32)
	_, _, err := c.Print("kernels", "amd64")
	if err == nil || !strings.Contains(err.Error(), "amd64: large: ") {
		t.Fatalf("want an error that names large, got %v", err)
	}
}

func TestPrint(t *testing.T) {
	c := amd64.New()
	sum(c, "fits", 31)
	asm, stubs, err := c.Print("kernels", "amd64 && !noasm")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"//go:build amd64 && !noasm", `#include "textflag.h"`, "TEXT ·fits(SB), NOSPLIT, $0-8", "Z31"} {
		if !strings.Contains(string(asm), want) {
			t.Errorf("no %q in\n%s", want, asm)
		}
	}
	if !strings.Contains(string(stubs), "func fits(a *fitsArgs)") || !strings.Contains(string(stubs), "//go:noescape") {
		t.Errorf("declarations:\n%s", stubs)
	}
}
