package layer

import (
	"math"

	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/lane"
	"github.com/flexnnc/flexnnc/ir/op"
)

func init() {
	Register(&Def{
		Type: "StatisticsPooling", Index: 72, MinIn: 1, MaxIn: 1, MinOut: 1, MaxOut: 1,
		Params: []ParamDef{{0, "include_stddev", Int, "1: deviations follow the means"}},
		Shape: func(c *ShapeCall) ([]ir.Shape, error) {
			n := c.In[0].C
			if c.Layer.Params.Int(0, 0) != 0 {
				n *= 2
			}
			return one(ir.Shape1(n)), nil
		},
		Eval: func(c *EvalCall) error {
			n := c.In[0].Shape.C
			size := c.In[0].Shape.Len() / n
			for q := range n {
				mean, variance := moments(c.In[0].Data[q*size:][:size])
				c.Out[0].Data[q] = mean
				if c.Layer.Params.Int(0, 0) != 0 {
					c.Out[0].Data[n+q] = math.Sqrt(variance)
				}
			}
			return nil
		},
		Lower: func(b *Builder) error {
			l := b.Layer
			v := b.In(0, ChannelsLast)
			n := v.Shape.C
			size := v.Shape.Len() / n
			x := b.View(v.Tensor, l.Name+"/pixels", []int{size, n})
			pool := &op.PoolAttr{InH: 1, InW: size, C: n, OutH: 1, OutW: 1, KH: 1, KW: size, SH: 1, SW: 1}
			if l.Params.Int(0, 0) == 0 {
				b.Add(&op.Op{Kind: op.Pool, In: []*op.Tensor{x}, Out: []*op.Tensor{b.Output(0, Planar)}, Pool: pool})
				return nil
			}
			mean := b.NewTensor(l.Name+"/mean", op.F32, []int{n})
			b.Add(&op.Op{Kind: op.Pool, In: []*op.Tensor{x}, Out: []*op.Tensor{mean}, Pool: pool})
			squares := b.NewTensor(l.Name+"/squares", op.F32, []int{size, n})
			p := lane.New("square_of_difference")
			a := p.Vec()
			d := p.Sub(a, p.Vec())
			b.Map(p.Return(p.Mul(d, d)), squares, x, mean)
			variance := b.NewTensor(l.Name+"/variance", op.F32, []int{n})
			b.Add(&op.Op{Kind: op.Pool, In: []*op.Tensor{squares}, Out: []*op.Tensor{variance}, Pool: pool})
			deviation := b.NewTensor(l.Name+"/deviation", op.F32, []int{n})
			b.Map(unaryOps[5].program(), deviation, variance)
			b.Add(&op.Op{Kind: op.Concat, In: []*op.Tensor{mean, deviation}, Out: []*op.Tensor{b.Output(0, Planar)}})
			return nil
		},
	})
}
