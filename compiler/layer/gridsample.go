package layer

import (
	"fmt"
	"math"

	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/diag"
	"github.com/flexnnc/flexnnc/ir/op"
)

func init() {
	Register(&Def{
		Type: "GridSample", Index: 97, MinIn: 2, MaxIn: 2, MinOut: 1, MaxOut: 1,
		Params: []ParamDef{
			{0, "sample_type", Int, "1 bilinear (default), 2 nearest, 3 bicubic"},
			{1, "padding_mode", Int, "1 zeros (default), 2 border, 3 reflection"},
			{2, "align_corner", Int, "1: -1 and 1 are the centres of the outer cells"},
			{3, "permute_fusion", Int, "1: the grid's coordinates are its channels, not its columns"},
		},
		Check: func(l *ir.Layer, d *diag.List) {
			if t, p := l.Params.Int(0, 1), l.Params.Int(1, 1); t < 1 || t > 3 || p < 1 || p > 3 {
				d.Layerf(l, "sample_type %d, padding_mode %d", t, p)
			}
		},
		Shape: func(c *ShapeCall) ([]ir.Shape, error) {
			in, g := c.In[0], c.In[1]
			n := in.Dims - 1 // coordinates
			if n != 2 && n != 3 || g.Dims != in.Dims || n == 3 && c.Layer.Params.Int(0, 1) == 3 {
				return nil, fmt.Errorf("grid %v for %v", g, in)
			}
			axes := g.Axes() // (z) y x and the coordinates, or these first
			size, coordinates := axes[:n], axes[n]
			if c.Layer.Params.Int(3, 0) != 0 {
				size, coordinates = axes[1:], axes[0]
			}
			if coordinates != n {
				return nil, fmt.Errorf("grid %v for %v", g, in)
			}
			return one(ir.FromAxes(append([]int{in.C}, size...))), nil
		},
		Eval: evalGridSample,
		Lower: func(b *Builder) error {
			p, s, o := b.Layer.Params, b.Layer.Inputs[0].Shape, b.Layer.Outputs[0].Shape
			flag := func(id int) int { return min(p.Int(id, 0), 1) }
			const points = 16 // that the runtime makes at a time
			taps := 1 << (s.Dims - 1)
			switch p.Int(0, 1) {
			case 2:
				taps = 1
			case 3:
				taps = 16
			}
			call := b.Call("grid_sample", []int{s.D, s.H, s.W, s.C, o.D, o.H, o.W, s.Dims - 1, p.Int(0, 1), p.Int(1, 1), flag(2), flag(3)}, nil,
				[]*op.Tensor{b.Output(0, ChannelsLast)}, b.In(0, ChannelsLast).Tensor, b.In(1, Planar).Tensor)
			call.ThreadScratch = blendScratch(points, taps, s.C)
			return nil
		},
	})
}

// sampler reads a tensor at positions between cells.
type sampler struct {
	kind, padding int
	align         bool
}

// place maps a coordinate in [-1,1] to cells.
func (s sampler) place(v float64, n int) float64 {
	if s.align {
		return (v + 1) / 2 * float64(n-1)
	}
	return ((v+1)*float64(n) - 1) / 2
}

// inside applies the padding mode to a position.
func (s sampler) inside(v float64, n int) float64 {
	border := func(v float64) float64 { return math.Min(float64(n-1), math.Max(v, 0)) }
	reflect := func(v, high float64) float64 { return high - math.Abs(math.Abs(v)-high) }
	switch {
	case s.padding == 2:
		return border(v)
	case s.padding == 3 && s.align:
		return reflect(v, float64(n-1))
	case s.padding == 3:
		return border(reflect(v+0.5, float64(n)) - 0.5)
	}
	return v
}

func evalGridSample(c *EvalCall) error {
	p := c.Layer.Params
	s := sampler{p.Int(0, 1), p.Int(1, 1), p.Int(2, 0) != 0}
	x, y, g := c.In[0], c.Out[0], c.In[1]
	points, n := y.Shape.Len()/y.Shape.C, x.Shape.Dims-1
	for i := range points {
		at := [3]float64{} // x, y, z
		for k := range n {
			v := 0.0
			if p.Int(3, 0) != 0 {
				v = g.Data[k*points+i]
			} else {
				v = g.Data[i*n+k]
			}
			// Positions are float32, where it decides between cells.
			at[k] = float64(float32(s.place(v, []int{x.Shape.W, x.Shape.H, x.Shape.D}[k])))
		}
		for q := range y.Shape.C {
			y.Data[q*points+i] = s.sample(x, q, n, at)
		}
	}
	return nil
}

func (s sampler) sample(x Tensor, c, n int, at [3]float64) float64 {
	size := [3]int{x.Shape.W, x.Shape.H, x.Shape.D}
	cell := func(i, j, k float64) float64 {
		if i < 0 || j < 0 || k < 0 || i >= float64(size[0]) || j >= float64(size[1]) || k >= float64(size[2]) {
			return 0
		}
		return *x.At(c, int(k), int(j), int(i))
	}
	if s.kind == 3 {
		i, j := math.Floor(at[0]), math.Floor(at[1])
		wx, wy := cubic(float32(at[0]-i)), cubic(float32(at[1]-j))
		sum := 0.0
		for b := range 4 {
			for a := range 4 {
				// A reflected cell may fall between cells, and is truncated.
				ci := math.Trunc(s.inside(i+float64(a-1), size[0]))
				cj := math.Trunc(s.inside(j+float64(b-1), size[1]))
				sum += float64(wx[a]) * float64(wy[b]) * cell(ci, cj, 0)
			}
		}
		return sum
	}
	for k := range n {
		at[k] = s.inside(at[k], size[k])
	}
	if s.kind == 2 {
		for k := range n {
			at[k] = math.Floor(at[k] + 0.5)
		}
		return cell(at[0], at[1], at[2])
	}
	sum := 0.0
	for corner := range 1 << n {
		f, pos := 1.0, [3]float64{}
		for k := range n {
			low := math.Floor(at[k])
			pos[k] = low
			if corner>>k&1 == 1 {
				pos[k]++
				f *= at[k] - low
			} else {
				f *= 1 - (at[k] - low)
			}
		}
		sum += f * cell(pos[0], pos[1], pos[2])
	}
	return sum
}
