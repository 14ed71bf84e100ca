package layer

import (
	"fmt"

	"github.com/flexnnc/flexnnc/ir/lane"
	"github.com/flexnnc/flexnnc/ir/op"
)

// normImage lowers a norm over groups of channels of an image as it lies, channels
// last: each average is one of rows and then one of those, and only the squares of
// distances from the mean lie between, which take turns with their averages by bands.
func (b *Builder) normImage(v Value, n normOf) {
	name, x := b.Layer.Name, v.Tensor
	c := v.Shape.C
	groups := n.groups
	if b.Layer.Type == "InstanceNorm" {
		groups = c // without factors it may have a wrong channel count
	}
	mean := b.averageOf(x, name+"/mean", groups)
	squares := b.NewTensor(name+"/squares", op.F32, x.Dims)
	p, a, m := mapOf("squared_difference", squares, x, mean)
	d := p.Sub(a, m)
	b.Map(p.Return(p.Mul(d, d)), squares, x, mean)
	variance := b.averageOf(squares, name+"/variance", groups)

	factor := b.NewTensor(name+"/factor", op.F32, variance.Dims)
	program := "inverse_root_" + digits(n.eps)
	inverse := func(p *lane.Builder, v lane.Reg) lane.Reg {
		return p.Div(p.F(1), p.Sqrt(p.Add(v, p.F(n.eps))))
	}
	out := b.Output(0, ChannelsLast)
	if !n.affine {
		p := lane.New(program)
		b.Map(p.Return(inverse(p, p.Vec())), factor, variance)
		q, x0, m := mapOf("standardize", out, x, mean)
		b.Map(q.Return(q.Mul(q.Sub(x0, m), operand(q, factor, out))), out, x, mean, factor)
		return
	}
	gamma, beta := b.WeightConst("gamma", channelDims(v)), b.WeightConst("beta", channelDims(v))
	p, a, g := mapOf("times_"+program, factor, variance, gamma)
	b.Map(p.Return(p.Mul(inverse(p, a), g)), factor, variance, gamma)
	q, x0, m := mapOf("standardize_affine", out, x, mean)
	f := operand(q, factor, out)
	b.Map(q.Return(q.FMA(q.Sub(x0, m), f, operand(q, beta, out))), out, x, mean, factor, beta)
}

// averageOf is, of an image [H,W,C], the average over all pixels of the channels of
// each group, for each channel: [1,1,C].
func (b *Builder) averageOf(x *op.Tensor, name string, groups int) *op.Tensor {
	h, w, c := x.Dims[0], x.Dims[1], x.Dims[2]
	if w > 1 {
		rows := b.NewTensor(name+"/rows", op.F32, []int{h, 1, c})
		b.Add(&op.Op{Kind: op.Pool, In: []*op.Tensor{x}, Out: []*op.Tensor{rows}, Pool: &op.PoolAttr{
			InH: h, InW: w, C: c, OutH: h, OutW: 1, KH: 1, KW: w, SH: 1, SW: 1,
		}})
		x = rows
	}
	if h > 1 {
		all := b.NewTensor(name, op.F32, []int{1, 1, c})
		b.Add(&op.Op{Kind: op.Pool, In: []*op.Tensor{x}, Out: []*op.Tensor{all}, Pool: &op.PoolAttr{
			InH: h, InW: 1, C: c, OutH: 1, OutW: 1, KH: h, KW: 1, SH: 1, SW: 1,
		}})
		x = all
	}
	if groups == c {
		return x
	}
	dims := []int{groups, c / groups}
	r := newRows(b, b.View(x, fmt.Sprintf("%s/%d_groups", name, groups), dims))
	mean := r.mean(c / groups)
	r.store("spread", func(_ *lane.Builder, v []lane.Reg) lane.Reg { return v[1] }, r.x(), mean)
	y := b.NewTensor(name+"/of_groups", op.F32, dims)
	r.end(name+"/of_groups", y)
	return b.View(y, name+"/of_channels", []int{1, 1, c})
}
