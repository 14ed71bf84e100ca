package layer

import (
	"fmt"
	"math"
	"slices"

	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/op"
)

func init() {
	for _, t := range []struct {
		typ         string
		index, axes int
	}{{"Pooling", 21, 2}, {"Pooling1D", 82, 1}, {"Pooling3D", 86, 3}} {
		d := &Def{
			Type: t.typ, Index: t.index, MinIn: 1, MaxIn: 1, MinOut: 1, MaxOut: 1,
			Params: poolParams(t.axes),
			Shape: func(c *ShapeCall) ([]ir.Shape, error) {
				p, err := poolOf(c.Layer, c.In[0], t.axes)
				if err != nil {
					return nil, err
				}
				if p.global {
					return one(ir.Shape1(p.c)), nil
				}
				return one(shaped(p.out, p.c, t.axes)), nil
			},
			Eval: func(c *EvalCall) error {
				p, err := poolOf(c.Layer, c.In[0].Shape, t.axes)
				if err != nil {
					return err
				}
				p.eval(c.In[0].Data, c.Out[0].Data)
				return nil
			},
		}
		d.Lower = func(b *Builder) error { return lowerPool(b, t.axes) }
		Register(d)
	}
}

func poolParams(axes int) []ParamDef {
	p := []ParamDef{
		{0, "pooling_type", Int, "0 max, 1 average"},
		{1, "kernel_w", Int, ""},
		{2, "stride_w", Int, "default 1"},
		{3, "pad_left", Int, "default 0"},
		{4, "global_pooling", Int, "1: one window over everything; the result is of rank 1"},
		{5, "pad_mode", Int, "0 full (the last window may stick out), 1 valid, 2 SAME_UPPER, 3 SAME_LOWER"},
		{6, "avgpool_count_include_pad", Int, "1: divide by the kernel's area, padding included"},
		{7, "adaptive_pooling", Int, "1: windows are chosen to give out_w x out_h"},
		{8, "out_w", Int, "adaptive: output width, -233 keeps the input's"},
		{14, "pad_right", Int, "default pad_left"},
	}
	if axes > 1 {
		p = append(p,
			ParamDef{11, "kernel_h", Int, "default kernel_w"},
			ParamDef{12, "stride_h", Int, "default stride_w"},
			ParamDef{13, "pad_top", Int, "default pad_left"},
			ParamDef{15, "pad_bottom", Int, "default pad_top"},
			ParamDef{18, "out_h", Int, "default out_w"})
	}
	if axes > 2 {
		p = append(p,
			ParamDef{21, "kernel_d", Int, "default kernel_w"},
			ParamDef{22, "stride_d", Int, "default stride_w"},
			ParamDef{23, "pad_front", Int, "default pad_left"},
			ParamDef{16, "pad_behind", Int, "default pad_front"},
			ParamDef{28, "out_d", Int, "default out_w"})
	}
	return p
}

// pool is a pooling with everything known.
type pool struct {
	window
	c                       int
	max, global, adaptive   bool
	countPad                bool
	excludeLow, excludeHigh [3]int // cells at either end of the padded image that do not count
}

func poolOf(l *ir.Layer, in ir.Shape, axes int) (pool, error) {
	p := l.Params
	var g pool
	size, c, err := spatial(in, axes)
	if err != nil {
		return g, err
	}
	g.axes, g.in, g.c = axes, size, c
	switch t := p.Int(0, 0); t {
	case 0:
		g.max = true
	case 1:
	default:
		return g, fmt.Errorf("unknown pooling_type %d", t)
	}
	for i := range 3 {
		g.kernel[i], g.stride[i], g.dilation[i], g.out[i] = 1, 1, 1, 1
	}
	if g.global = p.Int(4, 0) != 0; g.global {
		g.kernel = size
		return g, nil
	}
	outID := [3]int{8, 18, 28}
	if g.adaptive = p.Int(7, 0) != 0; g.adaptive {
		for i := range axes {
			if i == 0 {
				g.out[0] = p.Int(8, 0)
			} else {
				g.out[i] = p.Int(outID[i], p.Int(8, 0))
			}
		}
		for i := range axes {
			if g.out[i] == sameUpper {
				g.out[i] = size[i]
			}
			if g.out[i] < 1 {
				return g, fmt.Errorf("adaptive pooling to %d cells on axis %s", g.out[i], "whd"[i:i+1])
			}
		}
		return g, nil
	}
	low, high := [3]int{3, 13, 23}, [3]int{14, 15, 16}
	for i := range axes {
		if i == 0 {
			g.kernel[0], g.stride[0], g.before[0] = p.Int(1, 0), p.Int(2, 1), p.Int(3, 0)
		} else {
			g.kernel[i], g.stride[i], g.before[i] = p.Int(10*i+1, g.kernel[0]), p.Int(10*i+2, g.stride[0]), p.Int(low[i], g.before[0])
		}
		g.after[i] = p.Int(high[i], g.before[i])
	}
	if err := g.valid(); err != nil {
		return g, err
	}
	g.countPad = p.Int(6, 0) != 0
	g.excludeLow, g.excludeHigh = g.before, g.after
	mode := p.Int(5, 0)
	if mode < 0 || mode > 3 {
		return g, fmt.Errorf("unknown pad_mode %d", mode)
	}
	for i := range axes {
		if mode >= 2 {
			// SAME ignores the given pads, and its own count as cells of the image.
			pad := max(g.kernel[i]+(size[i]-1)/g.stride[i]*g.stride[i]-size[i], 0)
			g.before[i], g.after[i] = pad/2, pad-pad/2
			if mode == 3 {
				g.before[i], g.after[i] = g.after[i], g.before[i]
			}
		}
		n := size[i] + g.before[i] + g.after[i] - g.kernel[i]
		if n < 0 {
			return g, fmt.Errorf("kernel of %d cells on axis %s, which has %d with padding", g.kernel[i], "whd"[i:i+1], n+g.kernel[i])
		}
		if tail := n % g.stride[i]; mode == 0 && tail != 0 {
			g.after[i] += g.stride[i] - tail
			g.excludeHigh[i] += g.stride[i] - tail
			n += g.stride[i] - tail
		}
		g.out[i] = n/g.stride[i] + 1
	}
	return g, nil
}

// span is the window of output i on axis ax, in padded coordinates.
func (g pool) span(ax, i int) (first, end int) {
	switch {
	case g.global:
		return 0, g.in[ax]
	case g.adaptive:
		return g.in[ax] * i / g.out[ax], (g.in[ax]*(i+1) + g.out[ax] - 1) / g.out[ax]
	}
	return i * g.stride[ax], i*g.stride[ax] + g.kernel[ax]
}

func (g pool) eval(x, y []float64) {
	size := g.in[0] * g.in[1] * g.in[2]
	at := 0
	for q := range g.c {
		in := x[q*size:][:size]
		for oz := range g.out[2] {
			z0, z1 := g.span(2, oz)
			for oy := range g.out[1] {
				y0, y1 := g.span(1, oy)
				for ox := range g.out[0] {
					x0, x1 := g.span(0, ox)
					best, sum, counted := -math.MaxFloat32, 0.0, 0
					for iz := z0; iz < z1; iz++ {
						for iy := y0; iy < y1; iy++ {
							for ix := x0; ix < x1; ix++ {
								if g.counts(ix, iy, iz) {
									counted++
								}
								cx, cy, cz := ix-g.before[0], iy-g.before[1], iz-g.before[2]
								if cx < 0 || cy < 0 || cz < 0 || cx >= g.in[0] || cy >= g.in[1] || cz >= g.in[2] {
									continue
								}
								v := in[(cz*g.in[1]+cy)*g.in[0]+cx]
								best = math.Max(best, v)
								if g.countPad || g.counts(ix, iy, iz) {
									sum += v
								}
							}
						}
					}
					if g.countPad {
						counted = (x1 - x0) * (y1 - y0) * (z1 - z0)
					}
					if g.max {
						y[at] = best
					} else {
						y[at] = sum / float64(counted)
					}
					at++
				}
			}
		}
	}
}

// counts tells whether a cell of the padded image enters an average that does
// not count padding.
func (g pool) counts(pos ...int) bool {
	for i, p := range pos {
		n := g.before[i] + g.in[i] + g.after[i]
		if p < g.excludeLow[i] || p >= n-g.excludeHigh[i] {
			return false
		}
	}
	return true
}

func lowerPool(b *Builder, axes int) error {
	g, err := poolOf(b.Layer, b.Any(0).Shape, axes)
	if err != nil {
		return err
	}
	if g.adaptive && g.out == g.in {
		b.Alias(0, 0)
		return nil
	}
	x := b.In(0, ChannelsLast).Tensor
	if b.Layer.Params.Int(5, 0) >= 2 && !g.adaptive && !g.global && !g.max && !g.countPad {
		if g.excludeLow == [3]int{} && g.excludeHigh == [3]int{} {
			g.countPad = true
		} else if x = counted(b, &g, x); x == nil {
			v := Value{Shape: b.Layer.Outputs[0].Shape, Layout: ChannelsLast}
			none := make([]float32, v.Shape.Len()) // averages of no cells
			for i := range none {
				none[i] = math.Float32frombits(0x7FC00000)
			}
			v.Tensor = b.FixedConst("none", Dims(v.Shape, ChannelsLast), none)
			b.Set(0, v)
			return nil
		}
	}
	switch {
	case axes == 3 && g.global:
		x = b.View(x, b.Layer.Name+"/image", []int{g.in[2] * g.in[1], g.in[0], g.c})
		g.in[1], g.kernel[1] = g.in[1]*g.in[2], g.in[1]*g.in[2]
	case axes == 3:
		return lowerPool3D(b, g, x)
	}
	b.Add(&op.Op{Kind: op.Pool, In: []*op.Tensor{x}, Out: []*op.Tensor{b.Output(0, ChannelsLast)}, Pool: g.attr()})
	return nil
}

// counted makes the image of those cells that enter an average by SAME padding where
// the file has pads besides: SAME adds zeros that count, and as many cells as those
// pads say do not count, whatever they are; nil where that are all.
func counted(b *Builder, g *pool, x *op.Tensor) *op.Tensor {
	n := len(x.Dims)
	start, inner := make([]int, n), slices.Clone(x.Dims) // what is left of the image
	before, after := make([]int, n), make([]int, n)      // zeros around that
	dims := slices.Clone(x.Dims)
	for i := range g.axes {
		k := n - 2 - i
		low, high := g.before[i]-g.excludeLow[i], g.after[i]-g.excludeHigh[i]
		if dims[k] += low + high; dims[k] < 1 {
			return nil
		}
		start[k], before[k], after[k] = max(0, -low), max(0, low), max(0, high)
		inner[k] += min(0, low) + min(0, high)
		g.in[i], g.before[i] = dims[k], g.excludeLow[i]
	}
	if slices.Min(inner) < 1 { // what counts is zeros of SAME
		return b.FixedConst("same", dims, make([]float32, (&op.Tensor{Dims: dims}).Len()))
	}
	if !slices.Equal(inner, x.Dims) {
		x = b.Window(x, b.Layer.Name+"/counted", start, inner)
	}
	if slices.Equal(dims, inner) {
		return x
	}
	y := b.NewTensor(b.Layer.Name+"/same", op.F32, dims)
	b.padCall(0, 0, inner, before, after, y, x)
	return y
}

// attr is the pooling over h and w.
func (g pool) attr() *op.PoolAttr {
	return &op.PoolAttr{
		Max: g.max, InH: g.in[1], InW: g.in[0], C: g.c, OutH: g.out[1], OutW: g.out[0],
		KH: g.kernel[1], KW: g.kernel[0], SH: g.stride[1], SW: g.stride[0], PadT: g.before[1], PadL: g.before[0],
		CountPad: g.countPad, Adaptive: g.adaptive,
	}
}

// lowerPool3D pools along w, then along h, then along depth: windows are products
// of ranges, and so are their counts. What lies inside an axis counts as channels.
func lowerPool3D(b *Builder, g pool, x *op.Tensor) error {
	name := b.Layer.Name
	rows, channels := g.in[2]*g.in[1], g.c
	for i, axis := range []string{"w", "h", "d"} {
		along := g
		along.c = channels
		along.in, along.out = [3]int{g.in[i], rows, 1}, [3]int{g.out[i], rows, 1}
		along.kernel, along.stride, along.before = [3]int{g.kernel[i], 1, 1}, [3]int{g.stride[i], 1, 1}, [3]int{g.before[i], 0, 0}
		x = b.View(x, name+"/along_"+axis, []int{rows, g.in[i], channels})
		y := b.NewTensor(name+"/"+axis, op.F32, []int{rows, g.out[i], channels})
		b.Add(&op.Op{Kind: op.Pool, In: []*op.Tensor{x}, Out: []*op.Tensor{y}, Pool: along.attr()})
		x = y
		channels *= g.out[i]
		if i < 2 {
			rows /= g.in[i+1]
		}
	}
	blob := b.Layer.Outputs[0]
	b.Set(0, Value{Tensor: b.View(x, blob.Name, Dims(blob.Shape, ChannelsLast)), Shape: blob.Shape, Layout: ChannelsLast})
	return nil
}
