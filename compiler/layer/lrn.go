package layer

import (
	"fmt"
	"math"

	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/diag"
	"github.com/flexnnc/flexnnc/ir/lane"
	"github.com/flexnnc/flexnnc/ir/op"
)

func init() {
	Register(&Def{
		Type: "LRN", Index: 18, MinIn: 1, MaxIn: 1, MinOut: 1, MaxOut: 1,
		Params: []ParamDef{
			{0, "region_type", Int, "0 across channels, 1 within a channel"},
			{1, "local_size", Int, "window length, default 5"},
			{2, "alpha", Float, "default 1, divided by the window's area"},
			{3, "beta", Float, "default 0.75"},
			{4, "bias", Float, "default 1"},
		},
		Check: func(l *ir.Layer, d *diag.List) {
			if n, t := l.Params.Int(1, 5), l.Params.Int(0, 0); n < 1 || t < 0 || t > 1 {
				d.Layerf(l, "region_type %d with local_size %d", t, n)
			}
		},
		Shape: same,
		Eval:  evalLRN,
		Lower: lowerLRN,
	})
}

func evalLRN(c *EvalCall) error {
	p, x, y := c.Layer.Params, c.In[0], c.Out[0]
	s, n := x.Shape, p.Int(1, 5)
	alpha, beta, bias := float64(p.Float(2, 1)), float64(p.Float(3, 0.75)), float64(p.Float(4, 1))
	for q := range s.C {
		for h := range s.H {
			for w := range s.W {
				sum, area := 0.0, float64(n)
				if p.Int(0, 0) == 0 {
					for i := max(q-n/2, 0); i <= min(q+n/2, s.C-1); i++ {
						sum += *x.At(i, 0, h, w) * *x.At(i, 0, h, w)
					}
				} else {
					area *= float64(n)
					for i := max(h-n/2, 0); i < min(h-n/2+n, s.H); i++ {
						for j := max(w-n/2, 0); j < min(w-n/2+n, s.W); j++ {
							sum += *x.At(q, 0, i, j) * *x.At(q, 0, i, j)
						}
					}
				}
				*y.At(q, 0, h, w) = *x.At(q, 0, h, w) * math.Pow(bias+alpha/area*sum, -beta)
			}
		}
	}
	return nil
}

// lowerLRN sums squares over windows of shifted copies (channels padded with
// zeros), or by an average pooling within channels.
func lowerLRN(b *Builder) error {
	l := b.Layer
	p := l.Params
	n, alpha, beta, bias := p.Int(1, 5), p.Float(2, 1), p.Float(3, 0.75), p.Float(4, 1)
	x := b.In(0, ChannelsLast)
	if x.Shape.Dims != 3 {
		return fmt.Errorf("input of rank %d has no kernel", x.Shape.Dims)
	}
	h, w, c := x.Shape.H, x.Shape.W, x.Shape.C
	root := func(p *lane.Builder, x, sum lane.Reg, alpha float32) lane.Reg {
		t := p.FMA(sum, p.F(alpha), p.F(bias))
		if beta == 0.75 { // as it nearly always is, and the two roots are a third of a power's work
			r := p.Sqrt(t)
			return p.Div(x, p.Mul(r, p.Sqrt(r)))
		}
		return p.Mul(x, p.Pow(t, p.F(-beta)))
	}
	name := fmt.Sprintf("_%s_%s_%s", digits(alpha), digits(beta), digits(bias))
	if p.Int(0, 0) != 0 {
		squares := b.NewTensor(l.Name+"/squares", op.F32, x.Tensor.Dims)
		b.Map(unaryOps[4].program(), squares, x.Tensor)
		mean := b.NewTensor(l.Name+"/mean", op.F32, x.Tensor.Dims)
		b.Add(&op.Op{Kind: op.Pool, Name: l.Name + "/mean", In: []*op.Tensor{squares}, Out: []*op.Tensor{mean}, Pool: &op.PoolAttr{
			InH: h, InW: w, C: c, OutH: h, OutW: w, KH: n, KW: n, SH: 1, SW: 1, PadT: n / 2, PadL: n / 2, CountPad: true,
		}})
		m := lane.New("lrn_within" + name)
		v := m.Vec()
		b.Map(m.Return(root(m, v, m.Vec(), alpha)), b.Output(0, ChannelsLast), x.Tensor, mean)
		return nil
	}
	reach := n / 2
	if reach > 7 {
		return fmt.Errorf("local_size %d has no kernel: at most 15", n)
	}
	padded := b.NewTensor(l.Name+"/padded", op.F32, []int{h, w, c + 2*reach})
	b.padCall(0, 0, []int{h, w, c}, []int{0, 0, reach}, []int{0, 0, reach}, padded, x.Tensor)
	m := lane.New(fmt.Sprintf("lrn_across_%d%s", n, name))
	v, in := m.Vec(), []*op.Tensor{x.Tensor}
	var sum lane.Reg
	for i := range 2*reach + 1 {
		in = append(in, b.Window(padded, fmt.Sprintf("%s/shift%d", l.Name, i), []int{0, 0, i}, []int{h, w, c}))
		s := m.Vec()
		if i == 0 {
			sum = m.Mul(s, s)
		} else {
			sum = m.FMA(s, s, sum)
		}
	}
	b.Map(m.Return(root(m, v, sum, alpha/float32(n))), b.Output(0, ChannelsLast), in...)
	return nil
}
