// Package amd64 is a thin layer for amd64 Go functions on upstream avo, the
// sibling of avo/arm64: functions whose arguments are pointers to structs of the
// package they will belong to, errors that name the function, and printing of a
// .s file with its declarations. It knows nothing of kernels, networks or plans.
//
//	c := amd64.New()
//	c.Struct("mapArgs")
//	c.Function("relu", "func(a *mapArgs)", "relu computes …")
//	args := c.Load("a")
//	n := c.GP64()
//	c.I(x86.MOVQ(operand.Mem{Base: args, Disp: 8}, n))
//	…
//	asm, stubs, err := c.Print("kernels", "amd64 && !noasm")
//
// It does without avo's build package, whose Context loads packages by running
// the go command.
package amd64

import (
	"bytes"
	"errors"
	"fmt"
	"go/build/constraint"
	"go/token"
	"go/types"
	"strings"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/buildtags"
	"github.com/mmcloughlin/avo/gotypes"
	"github.com/mmcloughlin/avo/ir"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/pass"
	"github.com/mmcloughlin/avo/printer"
	"github.com/mmcloughlin/avo/reg"
	"github.com/mmcloughlin/avo/x86"
)

// Context builds an avo ir.File of amd64 functions. Errors are sticky: they are
// collected and returned by Print. Registers come from the embedded Collection:
// c.GP64(), c.YMM(), c.ZMM(), c.K().
type Context struct {
	*reg.Collection
	file  *ir.File
	fn    *ir.Function
	types *types.Package
	errs  []error
}

// New returns an empty context.
func New() *Context {
	return &Context{Collection: reg.NewCollection(), file: ir.NewFile(), types: types.NewPackage("kernels", "kernels")}
}

func (c *Context) fail(err error) {
	where := "file"
	if c.fn != nil {
		where = c.fn.Name
	}
	c.errs = append(c.errs, fmt.Errorf("amd64: %s: %w", where, err))
}

// Struct declares a struct type of the package by name, so that signatures may
// point to it. Its fields are addressed by offset.
func (c *Context) Struct(name string) {
	t := types.NewTypeName(token.NoPos, c.types, name, nil)
	types.NewNamed(t, types.NewStruct(nil, nil), nil)
	c.types.Scope().Insert(t)
}

// Function starts a function with the given signature, such as
// "func(a *convArgs)". It is NOSPLIT and its parameters do not escape.
func (c *Context) Function(name, sig string, doc ...string) {
	c.fn = ir.NewFunction(name)
	c.fn.Attributes = attr.NOSPLIT
	c.fn.Doc = doc
	c.fn.AddPragma("noescape")
	c.file.AddSection(c.fn)
	s, err := gotypes.ParseSignatureInPackage(c.types, sig)
	if err != nil {
		c.fail(fmt.Errorf("signature %q: %w", sig, err))
		return
	}
	c.fn.SetSignature(s)
}

// I appends an instruction, as the constructors of avo's x86 package return it.
func (c *Context) I(i *ir.Instruction, err error) {
	if err != nil {
		c.fail(err)
		return
	}
	if c.fn == nil {
		c.fail(errors.New("no function started"))
		return
	}
	c.fn.AddInstruction(i)
}

// Label places a label, unique within the function.
func (c *Context) Label(name string) {
	if c.fn != nil {
		c.fn.AddLabel(ir.Label(name))
	}
}

// Comment places a comment line.
func (c *Context) Comment(text string) {
	if c.fn != nil {
		c.fn.AddComment(text)
	}
}

// Load moves a pointer or 64-bit parameter to a new register.
func (c *Context) Load(param string) reg.GPVirtual {
	d := c.GP64()
	if c.fn == nil || c.fn.Signature == nil {
		c.fail(errors.New("no function started"))
		return d
	}
	b, err := c.fn.Signature.Params().Lookup(param).Resolve()
	if err != nil {
		c.fail(err)
		return d
	}
	c.I(x86.MOVQ(b.Addr, d))
	return d
}

// Words defines read-only 32-bit words, private to the file.
func (c *Context) Words(name string, words ...uint32) operand.Mem {
	g := ir.NewStaticGlobal(name)
	g.Attributes = attr.RODATA | attr.NOPTR
	for _, w := range words {
		g.Append(operand.U32(w))
	}
	c.file.AddSection(g)
	return g.Base()
}

// Print compiles the file and renders it and the declarations of its functions,
// for package pkg, under a //go:build expression.
func (c *Context) Print(pkg, buildExpr string) (asm, stubs []byte, err error) {
	if len(c.errs) > 0 {
		return nil, nil, errors.Join(c.errs...)
	}
	f := c.file
	if f.Constraints, err = parseConstraint(buildExpr); err != nil {
		return nil, nil, fmt.Errorf("amd64: constraint %q: %w", buildExpr, err)
	}
	for _, fn := range f.Functions() { // one at a time: avo's errors don't name them
		if err := pass.Compile.Execute(&ir.File{Sections: []ir.Section{fn}}); err != nil {
			return nil, nil, fmt.Errorf("amd64: %s: %w", fn.Name, err)
		}
	}
	if err := pass.IncludeTextFlagHeader(f); err != nil {
		return nil, nil, fmt.Errorf("amd64: %w", err)
	}
	cfg := printer.Config{Name: "flexnnc", Pkg: pkg}
	if asm, err = printer.NewGoAsm(cfg).Print(f); err != nil {
		return nil, nil, err
	}
	if stubs, err = printer.NewStubs(cfg).Print(f); err != nil {
		return nil, nil, err
	}
	return asm, append(bytes.TrimSpace(stubs), 10), nil
}

// parseConstraint reads a //go:build expression into avo's form, a conjunction of
// the older +build lines.
func parseConstraint(expr string) (buildtags.Constraints, error) {
	if expr == "" {
		return nil, nil
	}
	x, err := constraint.Parse("//go:build " + expr)
	if err != nil {
		return nil, err
	}
	lines, err := constraint.PlusBuildLines(x)
	if err != nil {
		return nil, err
	}
	var cs buildtags.Constraints
	for _, l := range lines {
		c, err := buildtags.ParseConstraint(strings.TrimPrefix(l, "// +build "))
		if err != nil {
			return nil, err
		}
		cs = append(cs, c)
	}
	return cs, nil
}
