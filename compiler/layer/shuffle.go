package layer

import (
	"fmt"

	"github.com/flexnnc/flexnnc/ir"
)

// Layers that only move elements between channels and pixels. Each is a view
// with more axes, a transposition and a view back.
func init() {
	Register(&Def{
		Type: "ShuffleChannel", Index: 52, MinIn: 1, MaxIn: 1, MinOut: 1, MaxOut: 1,
		Params: []ParamDef{{0, "group", Int, "default 1"}, {1, "reverse", Int, "1: the inverse"}},
		Shape: func(c *ShapeCall) ([]ir.Shape, error) {
			if g := c.Layer.Params.Int(0, 1); g < 1 || c.In[0].C%g != 0 {
				return nil, fmt.Errorf("%d channels in %d groups", c.In[0].C, g)
			}
			return same(c)
		},
		Eval: func(c *EvalCall) error {
			g := shuffleGroups(c.Layer, c.In[0].Shape)
			_, n, inner := around(c.In[0].Shape, 0)
			per := n / g
			for i := range g {
				for j := range per {
					copy(c.Out[0].Data[(g*j+i)*inner:][:inner], c.In[0].Data[(per*i+j)*inner:])
				}
			}
			return nil
		},
		Lower: func(b *Builder) error {
			v := b.Any(0)
			g := shuffleGroups(b.Layer, v.Shape)
			n := channels(v.Shape)
			dims, perm := []int{v.Shape.Len() / n, g, n / g}, []int{0, 2, 1}
			if v.Layout == Planar {
				dims, perm = []int{g, n / g, v.Shape.Len() / n}, []int{1, 0, 2}
			}
			b.rearrange(v, dims, perm, v.Layout)
			return nil
		},
	})
	Register(&Def{
		Type: "PixelShuffle", Index: 69, MinIn: 1, MaxIn: 1, MinOut: 1, MaxOut: 1,
		Params: []ParamDef{{0, "upscale_factor", Int, "default 1"}, {1, "mode", Int, "0: channel is (c,dy,dx), 1: (dy,dx,c)"}},
		Shape: func(c *ShapeCall) ([]ir.Shape, error) {
			s, r := c.In[0], c.Layer.Params.Int(0, 1)
			if s.Dims != 3 || r < 1 || s.C%(r*r) != 0 {
				return nil, fmt.Errorf("upscale_factor %d of shape %v", r, s)
			}
			return one(ir.Shape3(s.W*r, s.H*r, s.C/(r*r))), nil
		},
		Eval: func(c *EvalCall) error {
			pixelBlocks(c.Layer, c.Out[0], c.In[0], func(big, small *float64) { *big = *small })
			return nil
		},
		Lower: func(b *Builder) error {
			v := b.In(0, ChannelsLast)
			s, r := v.Shape, b.Layer.Params.Int(0, 1)
			dims, perm := []int{s.H, s.W, s.C / (r * r), r, r}, []int{0, 3, 1, 4, 2}
			if b.Layer.Params.Int(1, 0) != 0 {
				dims, perm = []int{s.H, s.W, r, r, s.C / (r * r)}, []int{0, 2, 1, 3, 4}
			}
			b.rearrange(v, dims, perm, ChannelsLast)
			return nil
		},
	})
	Register(&Def{
		Type: "Reorg", Index: 55, MinIn: 1, MaxIn: 1, MinOut: 1, MaxOut: 1,
		Params: []ParamDef{{0, "stride", Int, "default 1"}, {1, "mode", Int, "0: channel is (c,dy,dx), 1: (dy,dx,c)"}},
		Shape: func(c *ShapeCall) ([]ir.Shape, error) {
			s, r := c.In[0], c.Layer.Params.Int(0, 1)
			if s.Dims != 3 || r < 1 || s.W < r || s.H < r {
				return nil, fmt.Errorf("stride %d of shape %v", r, s)
			}
			return one(ir.Shape3(s.W/r, s.H/r, s.C*r*r)), nil
		},
		Eval: func(c *EvalCall) error {
			pixelBlocks(c.Layer, c.In[0], c.Out[0], func(big, small *float64) { *small = *big })
			return nil
		},
		Lower: func(b *Builder) error {
			v := b.In(0, ChannelsLast)
			r, out := b.Layer.Params.Int(0, 1), b.Layer.Outputs[0].Shape
			if v.Shape.W%r != 0 || v.Shape.H%r != 0 { // what is left over is dropped
				v.Shape = ir.Shape3(out.W*r, out.H*r, v.Shape.C)
				v.Tensor = b.Window(v.Tensor, b.Layer.Name+"/whole", []int{0, 0, 0}, Dims(v.Shape, ChannelsLast))
			}
			dims, perm := []int{out.H, r, out.W, r, v.Shape.C}, []int{0, 2, 4, 1, 3}
			if b.Layer.Params.Int(1, 0) != 0 {
				perm = []int{0, 2, 1, 3, 4}
			}
			b.rearrange(v, dims, perm, ChannelsLast)
			return nil
		},
	})
}

func shuffleGroups(l *ir.Layer, s ir.Shape) int {
	g := l.Params.Int(0, 1)
	if l.Params.Int(1, 0) != 0 {
		return s.C / g
	}
	return g
}

// pixelBlocks pairs each element of the larger picture with its place among the
// channels of the smaller.
func pixelBlocks(l *ir.Layer, big, small Tensor, move func(big, small *float64)) {
	r, mode := l.Params.Int(0, 1), l.Params.Int(1, 0)
	n := big.Shape.C
	for q := range n {
		for dy := range r {
			for dx := range r {
				p := (q*r+dy)*r + dx
				if mode != 0 {
					p = (dy*r+dx)*n + q
				}
				for y := range small.Shape.H {
					for x := range small.Shape.W {
						move(big.At(q, 0, y*r+dy, x*r+dx), small.At(p, 0, y, x))
					}
				}
			}
		}
	}
}

// rearrange sets output 0 to v viewed with dims, transposed by perm and viewed
// with the output's shape in the given layout.
func (b *Builder) rearrange(v Value, dims, perm []int, l Layout) {
	blob := b.Layer.Outputs[0]
	t := b.View(v.Tensor, b.Layer.Name+"/split", dims)
	t = b.Transpose(t, b.Layer.Name, perm)
	out := b.View(t, blob.Name, Dims(blob.Shape, l))
	b.Set(0, Value{Tensor: out, Shape: blob.Shape, Layout: l, Int8: v.Int8})
}
