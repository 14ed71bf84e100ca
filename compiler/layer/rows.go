package layer

import (
	"fmt"

	"github.com/flexnnc/flexnnc/ir/lane"
	"github.com/flexnnc/flexnnc/ir/op"
)

// rows builds the passes of an op.Rows: sweeps over each innermost row with
// float32 registers between them.
type rows struct {
	b      *Builder
	in     []*op.Tensor
	passes []op.Pass
	regs   int
}

func newRows(b *Builder, x *op.Tensor) *rows { return &rows{b: b, in: []*op.Tensor{x}} }

// operand sources for pass.
func (r *rows) x() op.Source        { return op.Source{Kind: op.FromInput} }
func (r *rows) y() op.Source        { return op.Source{Kind: op.FromOutput} }
func register(number int) op.Source { return op.Source{Kind: op.FromRegister, Index: number} }

// vector adds a const vector that is the same for all rows.
func (r *rows) vector(t *op.Tensor) op.Source {
	r.in = append(r.in, t)
	return op.Source{Kind: op.FromInput, Index: len(r.in) - 1}
}

// program declares the program's inputs by kind of source and builds it.
func (r *rows) program(name string, f func(p *lane.Builder, v []lane.Reg) lane.Reg, in []op.Source, how lane.Reduction, both bool) *lane.Program {
	p := lane.New(name)
	v := make([]lane.Reg, len(in))
	for i, s := range in {
		if s.Kind == op.FromRegister {
			v[i] = p.Splat()
		} else {
			v[i] = p.Vec()
		}
	}
	return p.ReturnReduced(f(p, v), how, both)
}

// reduce sweeps the row into a new register; with store the elements go to the
// output too.
func (r *rows) reduce(name string, how lane.Reduction, store bool, f func(p *lane.Builder, v []lane.Reg) lane.Reg, in ...op.Source) op.Source {
	r.regs++
	r.passes = append(r.passes, op.Pass{Program: r.program(name, f, in, how, store), In: in, To: r.regs - 1, Out: store})
	return register(r.regs - 1)
}

// scalar computes a register from registers.
func (r *rows) scalar(name string, f func(p *lane.Builder, v []lane.Reg) lane.Reg, in ...op.Source) op.Source {
	r.regs++
	r.passes = append(r.passes, op.Pass{Program: r.program(name, f, in, lane.Store, false), In: in, To: r.regs - 1, Scalar: true})
	return register(r.regs - 1)
}

// store sweeps the row into the output.
func (r *rows) store(name string, f func(p *lane.Builder, v []lane.Reg) lane.Reg, in ...op.Source) {
	r.passes = append(r.passes, op.Pass{Program: r.program(name, f, in, lane.Store, false), In: in, To: -1, Out: true})
}

// end appends the operation.
func (r *rows) end(name string, out *op.Tensor) *op.Op {
	return r.b.Add(&op.Op{Kind: op.Rows, Name: name, In: r.in, Out: []*op.Tensor{out}, Rows: &op.RowsAttr{Passes: r.passes}})
}

// Small programs of passes.
func first(_ *lane.Builder, v []lane.Reg) lane.Reg  { return v[0] }
func square(p *lane.Builder, v []lane.Reg) lane.Reg { return p.Mul(v[0], v[0]) }
func times(p *lane.Builder, v []lane.Reg) lane.Reg  { return p.Mul(v[0], v[1]) }

// mean is the row's mean; n is its length.
func (r *rows) mean(n int) op.Source {
	sum := r.reduce("sum", lane.ReduceSum, false, first, r.x())
	return r.scalar("over_"+digits(float32(n)), func(p *lane.Builder, v []lane.Reg) lane.Reg {
		return p.Div(v[0], p.F(float32(n)))
	}, sum)
}

// normalize subtracts the mean and divides by the standard deviation, eps under
// the root; then multiplies by gamma and adds beta, vectors along the row or nil.
func (r *rows) normalize(n int, eps float32, gamma, beta *op.Tensor) {
	mean := r.mean(n)
	sum := r.reduce("square_of_difference_sum", lane.ReduceSum, false, func(p *lane.Builder, v []lane.Reg) lane.Reg {
		d := p.Sub(v[0], v[1])
		return p.Mul(d, d)
	}, r.x(), mean)
	factor := r.scalar(fmt.Sprintf("inverse_deviation_%s_%s", digits(float32(n)), digits(eps)), inverseDeviation(n, eps), sum)
	if gamma == nil {
		r.store("standardize", func(p *lane.Builder, v []lane.Reg) lane.Reg {
			return p.Mul(p.Sub(v[0], v[1]), v[2])
		}, r.x(), mean, factor)
		return
	}
	r.store("standardize_affine", func(p *lane.Builder, v []lane.Reg) lane.Reg {
		return p.FMA(p.Mul(p.Sub(v[0], v[1]), v[2]), v[3], v[4])
	}, r.x(), mean, factor, r.vector(gamma), r.vector(beta))
}
