package layer

import (
	"fmt"

	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/lane"
	"github.com/flexnnc/flexnnc/ir/op"
)

func init() {
	Register(&Def{
		Type: "RotaryEmbed", Index: 109, MinIn: 3, MaxIn: 3, MinOut: 1, MaxOut: 1,
		Params: []ParamDef{{0, "interleaved", Int, "0: pairs are the halves of a row, 1: neighbours"}},
		Shape: func(c *ShapeCall) ([]ir.Shape, error) {
			s := c.In[0]
			if s.W%2 != 0 || c.In[1].W != s.W/2 || c.In[1].H != s.H || c.In[2].W != s.W/2 || c.In[2].H != s.H {
				return nil, fmt.Errorf("cos %v and sin %v do not fit %v", c.In[1], c.In[2], s)
			}
			return same(c)
		},
		Eval: func(c *EvalCall) error {
			x, y := c.In[0], c.Out[0]
			half := x.Shape.W / 2
			for q := range x.Shape.C {
				for h := range x.Shape.H {
					for j := range half {
						a, b := j, half+j
						if c.Layer.Params.Int(0, 0) != 0 {
							a, b = 2*j, 2*j+1
						}
						cos, sin := c.In[1].Data[h*half+j], c.In[2].Data[h*half+j]
						*y.At(q, 0, h, a) = *x.At(q, 0, h, a)*cos - *x.At(q, 0, h, b)*sin
						*y.At(q, 0, h, b) = *x.At(q, 0, h, a)*sin + *x.At(q, 0, h, b)*cos
					}
				}
			}
			return nil
		},
		Lower: func(b *Builder) error {
			l := b.Layer
			v := b.In(0, Planar)
			s := v.Shape
			half := s.W / 2
			x := v.Tensor
			interleaved := l.Params.Int(0, 0) != 0
			dims := []int{s.C, s.H, 2, half}
			if interleaved {
				x = b.Transpose(b.View(x, l.Name+"/pairs", []int{s.C, s.H, half, 2}), l.Name+"/halves", []int{0, 1, 3, 2})
			} else {
				x = b.View(x, l.Name+"/halves", dims)
			}
			part := []int{s.C, s.H, 1, half}
			x0 := b.Window(x, l.Name+"/x0", []int{0, 0, 0, 0}, part)
			x1 := b.Window(x, l.Name+"/x1", []int{0, 0, 1, 0}, part)
			angle := []int{1, s.H, 1, half}
			cos := b.View(b.In(1, Planar).Tensor, l.Name+"/cos", angle)
			sin := b.View(b.In(2, Planar).Tensor, l.Name+"/sin", angle)
			y0, y1 := b.NewTensor(l.Name+"/y0", op.F32, part), b.NewTensor(l.Name+"/y1", op.F32, part)
			p := lane.New("rotate_first")
			a, c, d, e := p.Vec(), p.Vec(), p.Vec(), p.Vec()
			b.Map(p.Return(p.FNMA(c, e, p.Mul(a, d))), y0, x0, x1, cos, sin)
			p = lane.New("rotate_second")
			a, c, d, e = p.Vec(), p.Vec(), p.Vec(), p.Vec()
			b.Map(p.Return(p.FMA(a, e, p.Mul(c, d))), y1, x0, x1, cos, sin)
			y := b.NewTensor(l.Name+"/rotated", op.F32, dims)
			b.Add(&op.Op{Kind: op.Concat, Name: l.Name, In: []*op.Tensor{y0, y1}, Out: []*op.Tensor{y}, Axis: 2})
			if interleaved {
				y = b.Transpose(y, l.Name+"/interleaved", []int{0, 1, 3, 2})
			}
			b.Set(0, Value{Tensor: b.View(y, l.Outputs[0].Name, Dims(s, Planar)), Shape: s})
			return nil
		},
	})
}
