// Package arm64 is an assembly layer for arm64 Go functions on top of upstream
// avo: typed constructors of A64 instructions, register allocation, and printing
// of a .s file with its declarations. It knows nothing of kernels, networks or
// plans.
//
// # Usage
//
//	c := arm64.New()
//	c.Function("axpy", "func(n int, a float32, x, y *float32)",
//		"axpy computes y[i] += a*x[i] for 4n values.")
//	n, x, y := c.Load("n"), c.Load("x"), c.Load("y")
//	a := c.LoadS("a") // lane 0
//	c.CBZ(n, "done")
//	c.Label("loop")
//	vx, vy := c.Vec(), c.Vec()
//	c.LDRQPost(16, x, vx)     // ldr q, [x], #16
//	c.LDRQ(0, y, vy)          // ldr q, [y]
//	c.FMLAElem(a, 0, vx, vy)  // vy.4s += vx.4s * a.s[0]
//	c.STRQPost(vy, 16, y)     // str q, [y], #16
//	c.SUBSI(1, n, n)          // n--
//	c.BNE("loop")
//	c.Label("done")
//	c.RET()
//	if err := c.Compile(); err != nil { … }
//	asm, stubs, err := c.Print("kern", "arm64 && !noasm")
//
// # Operand order
//
// Operands are in the order of cmd/asm, which is that of GNU reversed: sources
// first, destination last. So FSUB(m, n, d) is d = n - m, FDIV(m, n, d) is
// d = n / m, FCMGT(m, n, d) is n > m, CMP(m, n) compares n with m. Loads are
// (offset, base, destination), stores (source, offset, base), pairs name both
// registers. CSEL and FCSELS keep cmd/asm's exception: (cond, n, m, d). The
// comment of every constructor in forms_gen.go gives its GNU text with the names
// of the parameters.
//
// # Names
//
// A bare floating-point name (FADD) works on four singles; a trailing S (FADDS)
// on the single in lane 0, clearing the other lanes; _8H on halves. Integer
// vector forms carry the arrangement of their destination: ADD_4S, SXTL_8H (8H
// from 8B), SXTL2_8H (from the high half). Bare integer names are general
// register forms, 64 bits wide. Memory suffixes: none = unsigned offset scaled
// by the access, U = signed 9-bit offset, Post, Pre = updated base, Reg, RegLSL =
// base plus index. Offsets are in bytes.
//
// Pseudo instructions: MOVImm, AddConst, DUPImm32, DUPFloat, Align, Addr; VZERO,
// VMOV, MOV are real ones.
//
// # What is checked
//
// An immediate or offset out of range, a register or flags read before they are
// written, control falling off the end, an unknown label, results of one load
// sharing a register, an undersupply of registers: each is an error of Compile
// which names the function and the line of the generator. Instructions which
// overwrite only part of a register (FMLA, INS, LD1Lane, XTN2, BSL, MOVK …) read
// it too: clear it first.
//
// # Registers
//
// GP allocates among R0-R17 and R19-R26, Vec among V0-V31; R and V give fixed
// ones. A value may be written many times; its live range is the hull avo's
// liveness finds. The multipliers of 16-bit by-element forms are confined to
// V0-V15, and the registers of a list (LD2, ST4, TBL2 …) are made consecutive.
// There is no spilling: at most 26 and 32 registers may be alive at once.
//
// # Encoding
//
// Everything but branches, parameter accesses and RET is printed as a WORD with
// its GNU text as comment, because cmd/asm of Go 1.26 lacks much of NEON and
// rewrites some operands it finds out of range. Package form holds the table.
package arm64

//go:generate go run ./internal/formgen -o forms_gen.go
