package runtime

import "math"

// gridCall is how grid_sample reads x: see callGridSample.
type gridCall struct {
	size          [3]int // w h d
	n             int    // coordinates
	kind, padding int
	align         bool
}

// gridPoints is the most points that one call of the kernel makes.
const gridPoints = 16

// callGridSample reads x [(D,)H,W,C] between its cells. In: x, grid. ints: D H W C
// OD OH OW n kind padding align fusion; kind 1 bilinear 2 nearest 3 bicubic (over
// w and h); padding 1 zeros 2 border 3 reflection. Point i has coordinates x y (z)
// in [-1,1] at grid[i*n..], or with fusion at grid[k*points+i]. Positions are
// rounded to float32, weights too; a point is the sum of its cells times their weights,
// a product and then fused multiply-adds, w fastest. In the thread's scratch are the
// cells and weights of some points of a row.
func callGridSample(t *thread, s *callStep) {
	p := s.ints
	g := gridCall{size: [3]int{p[2], p[1], p[0]}, n: p[7], kind: p[8], padding: p[9], align: p[10] != 0}
	x, grid, channels, ow, rows := &s.in[0], &s.in[1], p[3], p[6], p[4]*p[5]
	taps := [...]int{1: 1 << g.n, 2: 1, 3: 16}[g.kind]
	pieces := (ow + gridPoints - 1) / gridPoints
	next, apart := grid.step(g.n), grid.step(1) // bytes to the next point, and between its coordinates
	if p[11] != 0 {
		next, apart = grid.step(1), grid.step(rows*ow)
	}
	c := blendCells(t, gridPoints, taps, channels)
	b := &t.blended
	for {
		u := t.claim()
		if u >= rows*pieces {
			return
		}
		r, first := u/pieces, u%pieces*gridPoints
		from := (r*ow + first) * g.n
		if p[11] != 0 {
			from /= g.n
		}
		at := grid.start(t, from)
		b.places = min(gridPoints, ow-first)
		for i := range b.places {
			var pos [3]float64
			for k := range g.n {
				pos[k] = float64(float32(g.place(float64(get32(at, i*next+k*apart)), g.size[k])))
			}
			switch {
			case g.kind == 2:
				g.nearest(&c, x, i, pos)
			case g.kind == 3:
				g.bicubic(&c, x, 16*i, pos)
			case g.n == 2:
				c.between(x, 4*i, g.size[1], g.size[0], float32(g.inside(pos[1], g.size[1])), float32(g.inside(pos[0], g.size[0])), 1)
			default:
				g.linear(&c, x, 8*i, pos)
			}
		}
		b.out, b.outStep = s.out[0].row(t, r/p[5], r%p[5], first), s.out[0].strides[2]
		kernels.blend(b)
	}
}

// place maps a coordinate in [-1,1] to cells.
func (g *gridCall) place(v float64, n int) float64 {
	if g.align {
		return (v + 1) / 2 * float64(n-1)
	}
	return (float64((v+1)*float64(n)) - 1) / 2
}

// inside applies the padding mode to a position.
func (g *gridCall) inside(v float64, n int) float64 {
	switch {
	case g.padding == 2:
		return border(v, n)
	case g.padding == 3 && g.align:
		return mirror(v, float64(n-1))
	case g.padding == 3:
		return border(mirror(v+0.5, float64(n))-0.5, n)
	}
	return v
}

func border(v float64, n int) float64 { return math.Min(float64(n-1), math.Max(v, 0)) }

func mirror(v, high float64) float64 { return high - math.Abs(math.Abs(v)-high) }

// set has number i be the cell of x at a position, zeros where there is none.
func (g *gridCall) set(c *cellTable, x *callTensor, i int, at [3]float64, weight float64) {
	for k, v := range at {
		if !(v >= 0 && v < float64(g.size[k])) {
			c.none(i)
			return
		}
	}
	c.set(i, x.off+int(at[2])*x.strides[0]+int(at[1])*x.strides[1]+int(at[0])*x.strides[2], float32(weight))
}

func (g *gridCall) nearest(c *cellTable, x *callTensor, i int, at [3]float64) {
	for k := range g.n {
		at[k] = math.Floor(g.inside(at[k], g.size[k]) + 0.5)
	}
	g.set(c, x, i, at, 1)
}

// linear is of a volume.
func (g *gridCall) linear(c *cellTable, x *callTensor, i int, at [3]float64) {
	var low [3]float64
	var weight [3][2]float64
	for k := range g.n {
		v := g.inside(at[k], g.size[k])
		low[k] = math.Floor(v)
		weight[k][1] = v - low[k]
		weight[k][0] = 1 - weight[k][1]
	}
	for corner := range 1 << g.n {
		f, pos := 1.0, [3]float64{}
		for k := range g.n {
			up := corner >> k & 1
			pos[k] = low[k] + float64(up)
			f *= weight[k][up]
		}
		g.set(c, x, i+corner, pos, f)
	}
}

func (g *gridCall) bicubic(c *cellTable, x *callTensor, n int, at [3]float64) {
	i, j := math.Floor(at[0]), math.Floor(at[1])
	wx, wy := cubicWeights(float32(at[0]-i)), cubicWeights(float32(at[1]-j))
	for b := range wy {
		for a := range wx {
			// A reflected cell may fall between cells, and is truncated.
			pos := [3]float64{
				math.Trunc(g.inside(i+float64(a-1), g.size[0])),
				math.Trunc(g.inside(j+float64(b-1), g.size[1])),
			}
			g.set(c, x, n+4*b+a, pos, float64(wx[a]*wy[b]))
		}
	}
}

// cubicWeights are those of the cells at -1, 0, 1, 2 for a point at f in [0,1).
func cubicWeights(f float32) [4]float32 {
	const a = -0.75
	x := float64(f) + 1
	w := [4]float32{
		float32(float64(a*x*x*x) - float64(5*a*x*x) + float64(8*a*x) - 4*a),
		cubicNear(float64(f)), cubicNear(float64(1 - f)),
	}
	w[3] = 1 - w[0] - w[1] - w[2]
	return w
}

func cubicNear(x float64) float32 {
	const a = -0.75
	return float32(float64((a+2)*x*x*x) - float64((a+3)*x*x) + 1)
}
