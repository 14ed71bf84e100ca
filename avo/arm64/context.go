package arm64

import (
	"errors"
	"fmt"
	"go/token"
	"go/types"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/flexnnc/flexnnc/avo/arm64/form"
	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/gotypes"
	"github.com/mmcloughlin/avo/ir"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Context builds an avo ir.File of arm64 functions. Errors are sticky: they are
// collected and returned by Compile.
type Context struct {
	file *ir.File
	fn   *ir.Function
	regs *reg.Collection
	pkg  *types.Package // declares the structs that signatures may point to
	errs []error

	low      map[reg.ID]bool // vectors restricted to V0-V15
	inst     map[*ir.Instruction]*inst
	listings map[string][]Line
	compiled bool
}

// inst is what lies behind a proxy avo instruction: the proxy carries bare
// registers for avo's passes, this carries the operands to render afterwards.
type inst struct {
	form  *form.Form // nil for a pseudo instruction
	regs  []reg.Register
	vals  []int64
	label string
	pos   string // file:line of the caller

	// Pseudo instructions: native text and listing lines, given the number of
	// the destination register.
	render func(d int64) (op string, args []string, gnu []string)
}

// New returns an empty context.
func New() *Context {
	return &Context{
		file:     ir.NewFile(),
		regs:     reg.NewCollection(),
		pkg:      types.NewPackage("kernels", "kernels"),
		low:      map[reg.ID]bool{},
		inst:     map[*ir.Instruction]*inst{},
		listings: map[string][]Line{},
	}
}

func (c *Context) fail(format string, a ...any) {
	where := "file"
	if c.fn != nil {
		where = c.fn.Name
	}
	c.errs = append(c.errs, fmt.Errorf("arm64: %s (%s): %w", where, callerPos(), fmt.Errorf(format, a...)))
}

// callerPos is the file:line of the nearest frame outside the constructors.
func callerPos() string {
	var pcs [16]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs[:])])
	for {
		f, more := frames.Next()
		if !strings.Contains(f.Function, "avo/arm64.(*Context).") || !more {
			return fmt.Sprintf("%s:%d", filepath.Base(f.File), f.Line)
		}
	}
}

// Struct declares a struct type of the package that the file will belong to, so
// that signatures may point to it. Its fields are addressed by offset.
func (c *Context) Struct(name string) {
	t := types.NewTypeName(token.NoPos, c.pkg, name, nil)
	types.NewNamed(t, types.NewStruct(nil, nil), nil)
	c.pkg.Scope().Insert(t)
}

// Function starts a function with the given Go signature, such as
// "func(n int, x, y *float32)". It is NOSPLIT with an empty frame; its
// parameters do not escape.
func (c *Context) Function(name, sig string, doc ...string) {
	c.fn = ir.NewFunction(name)
	c.fn.Attributes = attr.NOSPLIT
	c.fn.Doc = doc
	c.fn.AddPragma("noescape")
	c.file.AddSection(c.fn)
	s, err := gotypes.ParseSignatureInPackage(c.pkg, sig)
	if err != nil {
		c.fail("signature %q: %w", sig, err)
		return
	}
	c.fn.SetSignature(s)
}

// GP allocates a general register.
func (c *Context) GP() GP { return GP{c.regs.VirtualRegister(kindGP, reg.S64)} }

// Vec allocates a vector register.
func (c *Context) Vec() Vec { return Vec{c.regs.VirtualRegister(kindVec, reg.S128)} }

// VecLow allocates a vector register among V0-V15. Multipliers of 16-bit lanes
// need one; Compile restricts them by itself, so this is only a declaration of
// intent.
func (c *Context) VecLow() Vec {
	v := c.Vec()
	c.low[v.r.ID()] = true
	return v
}

// Label places a label, unique within the function.
func (c *Context) Label(name string) {
	if c.needFunction() {
		c.fn.AddLabel(ir.Label(name))
	}
}

// Comment places a comment line.
func (c *Context) Comment(format string, a ...any) {
	if c.needFunction() {
		c.fn.AddComment(fmt.Sprintf(format, a...))
	}
}

func (c *Context) needFunction() bool {
	if c.fn == nil {
		c.fail("no function started")
	}
	return c.fn != nil
}

// op appends the named form. The generated constructors are its only callers:
// args have the types of the form's operands.
func (c *Context) op(name string, args ...any) {
	f := form.ByName(name)
	if f == nil || len(args) != len(f.Operands) {
		panic("BUG: constructor of " + name + " does not match the table")
	}
	if !c.needFunction() {
		return
	}
	in := &inst{form: f, regs: make([]reg.Register, len(args)), vals: make([]int64, len(args)), pos: callerPos()}
	p := &ir.Instruction{Opcode: name, IsBranch: f.Branch, IsConditional: f.Conditional, IsTerminal: f.Terminal}
	if f.ISA != "" {
		p.ISA = []string{f.ISA}
	}
	for i, a := range args {
		var r reg.Register
		switch a := a.(type) {
		case GP:
			r = a.r
		case Vec:
			r = a.r
		case string:
			in.label = a
			p.Operands = append([]operand.Op{operand.LabelRef(a)}, p.Operands...)
			continue
		case int64:
			in.vals[i] = a
			if err := f.CheckValue(i, a); err != nil {
				c.fail("%w", err)
			}
			continue
		}
		if r == nil {
			c.fail("%s: operand %s is the zero register value: allocate it with GP or Vec", name, f.Operands[i].Name)
			return
		}
		in.regs[i] = r
		c.operand(p, f.Operands[i], r)
	}
	if f.ReadsFlags {
		p.Inputs = append(p.Inputs, reg.Register(flags))
	}
	if f.WritesFlags {
		p.Outputs = append(p.Outputs, reg.Register(flags))
	}
	c.inst[p] = in
	c.fn.AddInstruction(p)
}

func (c *Context) operand(p *ir.Instruction, o form.Operand, r reg.Register) {
	if o.Access&form.Read != 0 {
		p.Inputs = append(p.Inputs, r)
	}
	if o.Access&form.Write != 0 {
		p.Outputs = append(p.Outputs, r)
	}
	p.Operands = append(p.Operands, r)
	if o.Kind == form.VecLow {
		c.low[r.ID()] = true
	}
}

// pseudo appends an instruction that has no form: cmd/asm expands it.
func (c *Context) pseudo(name string, in, out reg.Register, render func(d int64) (string, []string, []string)) {
	if !c.needFunction() {
		return
	}
	p := &ir.Instruction{Opcode: name}
	i := &inst{render: render, pos: callerPos()}
	for _, r := range []reg.Register{in, out} {
		if r != nil {
			i.regs = append(i.regs, r)
			p.Operands = append(p.Operands, r)
		}
	}
	if in != nil {
		p.Inputs = append(p.Inputs, in)
	}
	if out != nil {
		p.Outputs = append(p.Outputs, out)
	}
	c.inst[p] = i
	c.fn.AddInstruction(p)
}

// Jump ends the function by a jump to another one of the package with the same
// signature, which finds the parameters where they are.
func (c *Context) Jump(function string) {
	if !c.needFunction() {
		return
	}
	p := &ir.Instruction{Opcode: "B", IsTerminal: true}
	c.inst[p] = &inst{pos: callerPos(), render: func(int64) (string, []string, []string) {
		return "B", []string{"·" + function + "(SB)"}, []string{"b " + function}
	}}
	c.fn.AddInstruction(p)
}

// Err returns the errors met so far, or nil.
func (c *Context) Err() error { return errors.Join(c.errs...) }
