package layer

import (
	"fmt"

	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/op"
)

func init() {
	sliding := []ParamDef{}
	for _, p := range convParams(2) {
		if p.ID != 0 && p.ID != 5 && p.ID != 6 && p.ID != 9 && p.ID != 10 {
			sliding = append(sliding, p)
		}
	}
	Register(&Def{
		Type: "Unfold", Index: 96, MinIn: 1, MaxIn: 1, MinOut: 1, MaxOut: 1,
		Params: append([]ParamDef{padValueParam}, sliding...),
		Shape: func(c *ShapeCall) ([]ir.Shape, error) {
			g, n, err := unfoldOf(c.Layer, c.In[0])
			return one(ir.Shape2(g.out[0]*g.out[1], g.taps()*n)), err
		},
		Eval: func(c *EvalCall) error {
			g, n, err := unfoldOf(c.Layer, c.In[0].Shape)
			if err != nil {
				return err
			}
			g.pairs(n, func(image, column int) {
				v := float64(c.Layer.Params.Float(18, 0))
				if image >= 0 {
					v = c.In[0].Data[image]
				}
				c.Out[0].Data[column] = v
			})
			return nil
		},
		Lower: func(b *Builder) error {
			x := b.In(0, Planar)
			g, n, err := unfoldOf(b.Layer, x.Shape)
			if err != nil {
				return err
			}
			b.Call("unfold", g.sliding(n), []float32{b.Layer.Params.Float(18, 0)}, []*op.Tensor{b.Output(0, Planar)}, x.Tensor)
			return nil
		},
	})
	Register(&Def{
		Type: "Fold", Index: 95, MinIn: 1, MaxIn: 1, MinOut: 1, MaxOut: 1,
		Params: append([]ParamDef{{20, "output_w", Int, ""}, {21, "output_h", Int, "default output_w"}}, sliding...),
		Shape: func(c *ShapeCall) ([]ir.Shape, error) {
			g, n, err := foldOf(c.Layer, c.In[0])
			return one(ir.Shape3(g.in[0], g.in[1], n)), err
		},
		Eval: func(c *EvalCall) error {
			g, n, err := foldOf(c.Layer, c.In[0].Shape)
			if err != nil {
				return err
			}
			g.pairs(n, func(image, column int) {
				if image >= 0 {
					c.Out[0].Data[image] += c.In[0].Data[column]
				}
			})
			return nil
		},
		Lower: func(b *Builder) error {
			x := b.In(0, Planar)
			g, n, err := foldOf(b.Layer, x.Shape)
			if err != nil {
				return err
			}
			places := g.out[0] * g.out[1]
			ints := append(g.sliding(n), g.taps()*places, places, 1, g.in[0]*g.in[1], g.in[0], 1)
			b.Call("fold", ints, nil, []*op.Tensor{b.Output(0, Planar)}, x.Tensor)
			return nil
		},
	})
}

// sliding are the numbers of the calls unfold and fold.
func (g window) sliding(channels int) []int {
	return []int{channels, g.in[1], g.in[0], g.out[1], g.out[0], g.kernel[1], g.kernel[0], g.stride[1], g.stride[0],
		g.dilation[1], g.dilation[0], g.before[1], g.before[0]}
}

func unfoldOf(l *ir.Layer, in ir.Shape) (g window, channels int, err error) {
	g = windowOf(l, 2)
	size, c, err := spatial(in, 2)
	if err != nil {
		return g, 0, err
	}
	return g, c, g.resolve(size)
}

func foldOf(l *ir.Layer, in ir.Shape) (g window, channels int, err error) {
	g = windowOf(l, 2)
	w := l.Params.Int(20, 0)
	if err := g.resolve([3]int{w, l.Params.Int(21, w), 1}); err != nil {
		return g, 0, err
	}
	if in.Dims != 2 || in.W != g.out[0]*g.out[1] || in.H%g.taps() != 0 {
		return g, 0, fmt.Errorf("input %v for %d places of %d taps", in, g.out[0]*g.out[1], g.taps())
	}
	return g, in.H / g.taps(), nil
}

// pairs visits the elements of the column matrix [channel][tap][place] with the
// image's element that each stands for, -1 for the border.
func (g window) pairs(channels int, visit func(image, column int)) {
	column := 0
	for q := range channels {
		for ky := range g.kernel[1] {
			for kx := range g.kernel[0] {
				for y := range g.out[1] {
					for x := range g.out[0] {
						iy := y*g.stride[1] + ky*g.dilation[1] - g.before[1]
						ix := x*g.stride[0] + kx*g.dilation[0] - g.before[0]
						image := -1
						if iy >= 0 && ix >= 0 && iy < g.in[1] && ix < g.in[0] {
							image = (q*g.in[1]+iy)*g.in[0] + ix
						}
						visit(image, column)
						column++
					}
				}
			}
		}
	}
}
