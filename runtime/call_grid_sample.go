package runtime

import "math"

// gridCall is how grid_sample reads x: see callGridSample.
type gridCall struct {
	size          [3]int // w h d
	n             int    // coordinates
	kind, padding int
	align         bool
}

// callGridSample reads x [(D,)H,W,C] between its cells. In: x, grid. ints: D H W C
// OD OH OW n kind padding align fusion; kind 1 bilinear 2 nearest 3 bicubic (over
// w and h); padding 1 zeros 2 border 3 reflection. Point i has coordinates x y (z)
// in [-1,1] at grid[i*n..], or with fusion at grid[k*points+i]. Positions are
// rounded to float32, weights too; sums are taken in float64, where the products
// of float32 are exact, and rounded once.
func callGridSample(t *thread, s *callStep) {
	p := s.ints
	g := gridCall{size: [3]int{p[2], p[1], p[0]}, n: p[7], kind: p[8], padding: p[9], align: p[10] != 0}
	channels, points := p[3], p[4]*p[5]*p[6]
	for {
		i := t.claim()
		if i >= points {
			return
		}
		var at [3]float64
		for k := range g.n {
			from := i*g.n + k
			if p[11] != 0 {
				from = k*points + i
			}
			at[k] = float64(float32(g.place(float64(*s.in[1].linear(t, from)), g.size[k])))
		}
		for q := range channels {
			var v float32
			switch g.kind {
			case 2:
				v = g.nearest(t, &s.in[0], q, at)
			case 3:
				v = g.bicubic(t, &s.in[0], q, at)
			default:
				v = g.linear(t, &s.in[0], q, at)
			}
			*s.out[0].linear(t, i*channels+q) = v
		}
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

// cell is an element of x, zero where there is none.
func (g *gridCall) cell(t *thread, x *callTensor, q int, at [3]float64) float64 {
	for k, v := range at {
		if !(v >= 0 && v < float64(g.size[k])) {
			return 0
		}
	}
	w, h, d := int(at[0]), int(at[1]), int(at[2])
	return float64(*x.linear(t, ((d*g.size[1]+h)*g.size[0]+w)*x.dims[3]+q))
}

func (g *gridCall) nearest(t *thread, x *callTensor, q int, at [3]float64) float32 {
	for k := range g.n {
		at[k] = math.Floor(g.inside(at[k], g.size[k]) + 0.5)
	}
	return float32(g.cell(t, x, q, at))
}

func (g *gridCall) linear(t *thread, x *callTensor, q int, at [3]float64) float32 {
	for k := range g.n {
		at[k] = g.inside(at[k], g.size[k])
	}
	sum := 0.0
	for corner := range 1 << g.n {
		f, pos := 1.0, [3]float64{}
		for k := range g.n {
			low := math.Floor(at[k])
			pos[k] = low
			if corner>>k&1 == 1 {
				pos[k]++
				f *= at[k] - low
			} else {
				f *= 1 - (at[k] - low)
			}
		}
		sum += float64(float64(float32(f)) * g.cell(t, x, q, pos))
	}
	return float32(sum)
}

func (g *gridCall) bicubic(t *thread, x *callTensor, q int, at [3]float64) float32 {
	i, j := math.Floor(at[0]), math.Floor(at[1])
	wx, wy := cubicWeights(float32(at[0]-i)), cubicWeights(float32(at[1]-j))
	sum := 0.0
	for b := range wy {
		for a := range wx {
			// A reflected cell may fall between cells, and is truncated.
			pos := [3]float64{
				math.Trunc(g.inside(i+float64(a-1), g.size[0])),
				math.Trunc(g.inside(j+float64(b-1), g.size[1])),
			}
			sum += float64(float64(float32(wx[a]*wy[b])) * g.cell(t, x, q, pos))
		}
	}
	return float32(sum)
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
