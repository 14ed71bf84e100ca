package arm64

import (
	"bytes"
	"errors"
	"fmt"
	"go/build/constraint"
	"strings"

	"github.com/flexnnc/flexnnc/avo/arm64/form"
	"github.com/mmcloughlin/avo/buildtags"
	"github.com/mmcloughlin/avo/ir"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/pass"
	"github.com/mmcloughlin/avo/printer"
	"github.com/mmcloughlin/avo/reg"
)

// Line is one line of a function's listing.
type Line struct {
	GNU  string // GNU text; a label ends in a colon
	Word uint32 // encoding; 0 for labels, branches to labels and what cmd/asm expands
}

// raw is a printed operand.
type raw string

func (r raw) Asm() string { return string(r) }

// Compile runs the passes: avo's for control flow and liveness, ours for
// allocation and rendering. It may be called once.
func (c *Context) Compile() error {
	if err := c.Err(); err != nil {
		return err
	}
	if c.compiled {
		return errors.New("arm64: Compile called twice")
	}
	err := pass.Concat(
		pass.FunctionPass(c.checkEnd),
		pass.FunctionPass(pass.PruneJumpToFollowingLabel),
		pass.FunctionPass(pass.PruneDanglingLabels),
		pass.FunctionPass(named(pass.LabelTarget)),
		pass.FunctionPass(named(pass.CFG)),
		pass.FunctionPass(pass.Liveness),
		pass.FunctionPass(c.checkReadBeforeWrite),
		pass.FunctionPass(c.allocate),
		pass.FunctionPass(c.verifyAllocation),
		pass.FunctionPass(c.lower),
		pass.Func(pass.IncludeTextFlagHeader),
		pass.FunctionPass(pass.RequiredISAExtensions),
	).Execute(c.file)
	c.compiled = err == nil
	return err
}

// named adds the function to the errors of a pass of avo.
func named(p func(*ir.Function) error) func(*ir.Function) error {
	return func(fn *ir.Function) error {
		if err := p(fn); err != nil {
			return fmt.Errorf("arm64: %s: %w", fn.Name, err)
		}
		return nil
	}
}

// regNum finds the number of a register after allocation.
type regNum func(r reg.Register) int64

// lower replaces each proxy by its text and collects the listing.
func (c *Context) lower(fn *ir.Function) error {
	num := func(r reg.Register) int64 { return int64(fn.Allocation.LookupDefault(r.ID()).Index()) }
	var out []Line
	for _, node := range fn.Nodes {
		switch i := node.(type) {
		case ir.Label:
			out = append(out, Line{GNU: string(i) + ":"})
		case *ir.Instruction:
			lines, err := c.inst[i].lower(i, num)
			if err != nil {
				return fmt.Errorf("arm64: %s (%s): %w", fn.Name, c.inst[i].pos, err)
			}
			out = append(out, lines...)
		}
	}
	c.listings[fn.Name] = out
	return nil
}

func (in *inst) lower(i *ir.Instruction, num regNum) ([]Line, error) {
	i.Operands = nil
	if in.form == nil {
		n := int64(0)
		if len(in.regs) > 0 {
			n = num(in.regs[0])
		}
		op, args, gnu := in.render(n)
		i.Opcode = op
		for _, a := range args {
			i.Operands = append(i.Operands, raw(a))
		}
		var out []Line
		for _, g := range gnu {
			out = append(out, Line{GNU: g})
		}
		return out, nil
	}
	vals := make([]int64, len(in.vals))
	copy(vals, in.vals)
	for k, r := range in.regs {
		if r != nil {
			vals[k] = num(r)
		}
	}
	w, err := in.form.Encode(vals)
	if err != nil {
		return nil, err
	}
	if in.form.Branch {
		w = 0 // cmd/asm knows the distance
	}
	label := func(k int) (string, bool) { return in.label, in.form.Operands[k].Kind == form.Label }
	gnu := in.form.Text(in.form.Template, vals, label)
	if in.form.Go == "" {
		i.Opcode = "WORD"
		i.Operands = []operand.Op{raw(fmt.Sprintf("$0x%08x // %s", w, gnu))}
		return []Line{{gnu, w}}, nil
	}
	op, args, _ := strings.Cut(in.form.Text(in.form.Go, vals, label), " ")
	i.Opcode = op
	if args != "" {
		i.Operands = []operand.Op{raw(args)}
	}
	return []Line{{gnu, w}}, nil
}

// Print returns the assembly file and the Go file with its declarations, both
// under the given build constraint, such as "arm64 && !noasm". Compile must have
// succeeded. The output is a function of the calls made, byte for byte.
func (c *Context) Print(pkg, buildExpr string) (asm, stubs []byte, err error) {
	if !c.compiled {
		return nil, nil, errors.New("arm64: Print before a successful Compile")
	}
	if c.file.Constraints, err = parseConstraint(buildExpr); err != nil {
		return nil, nil, fmt.Errorf("arm64: constraint %q: %w", buildExpr, err)
	}
	cfg := printer.Config{Name: "flexnnc/avo/arm64", Pkg: pkg}
	if asm, err = printer.NewGoAsm(cfg).Print(c.file); err != nil {
		return nil, nil, err
	}
	stubs, err = printer.NewStubs(cfg).Print(c.file)
	return asm, stubs, err
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

// Functions names the functions in order.
func (c *Context) Functions() []string {
	var names []string
	for _, fn := range c.file.Functions() {
		names = append(names, fn.Name)
	}
	return names
}

// Listing returns the lines of a compiled function.
func (c *Context) Listing(fn string) []Line { return c.listings[fn] }

// GNU returns the GNU listing of a compiled function, the input of llvm-mca.
func (c *Context) GNU(fn string) string {
	var b bytes.Buffer
	for _, l := range c.listings[fn] {
		if !strings.HasSuffix(l.GNU, ":") {
			b.WriteByte('\t')
		}
		b.WriteString(l.GNU)
		b.WriteByte('\n')
	}
	return b.String()
}

// Requires lists the features beyond baseline NEON a compiled function uses:
// "DotProd", "FP16".
func (c *Context) Requires(fn string) []string {
	for _, f := range c.file.Functions() {
		if f.Name == fn {
			return f.ISA
		}
	}
	return nil
}

// Pressure returns the largest number of live registers of a compiled function.
func (c *Context) Pressure(fn string) Pressure {
	for _, f := range c.file.Functions() {
		if f.Name == fn {
			return pressure(f)
		}
	}
	return Pressure{}
}
