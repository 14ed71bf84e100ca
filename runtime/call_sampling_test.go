package runtime

import (
	"math"
	"testing"
)

// between reads a plane [h][w] of a channels-last image between its cells, by the
// hat function around each cell: zero outside.
func between(x []float32, h, w, channels, q int, y, c float64) float64 {
	sum := 0.0
	for i := range h {
		for j := range w {
			sum += math.Max(0, 1-math.Abs(y-float64(i))) * math.Max(0, 1-math.Abs(c-float64(j))) * float64(x[(i*w+j)*channels+q])
		}
	}
	return sum
}

func TestCallDeform(t *testing.T) {
	rounds(t, 30, func(t *testing.T, g *callRig) {
		h, w, c, oh, ow := 1+g.r.Intn(6), 1+g.r.Intn(6), 1+g.r.Intn(5), 1+g.r.Intn(4), 1+g.r.Intn(4)
		kh, kw, sh, sw, dh, dw, pt, pl := 1+g.r.Intn(3), 1+g.r.Intn(3), 1+g.r.Intn(2), 1+g.r.Intn(2), 1+g.r.Intn(2), 1+g.r.Intn(2), g.r.Intn(2), g.r.Intn(2)
		taps := kh * kw
		x, off := g.inRandom(h, w, c), g.random(oh*ow*2*taps)
		if g.r.Intn(4) == 0 { // far away, and nowhere
			off[0], off[1] = 1e30, float32(math.NaN())
		}
		g.in(off, oh, ow, 2*taps)
		var mask []float32
		if g.r.Intn(2) == 0 {
			mask = g.inRandom(oh, ow, taps)
		}
		g.outTensor(oh*ow, taps*c)
		g.perThread = (8*4*taps + 4*c + 63) &^ 63
		y := g.run(callDeform, []int{h, w, c, oh, ow, kh, kw, sh, sw, dh, dw, pt, pl})[0]
		want := make([]float64, len(y))
		for n := range want {
			q, k, p := n%c, n/c%taps, n/c/taps
			dy, dx := float64(off[p*2*taps+2*k]), float64(off[p*2*taps+2*k+1])
			if dy != dy || dx != dx {
				continue
			}
			v := between(x, h, w, c, q, float64(p/ow*sh-pt+k/kw*dh)+dy, float64(p%ow*sw-pl+k%kw*dw)+dx)
			if mask != nil {
				v *= float64(mask[p*taps+k])
			}
			want[n] = v
		}
		near(t, "y", y, want, 3e-6)
	})
}

// gridScratch is what callGridSample needs of memory per thread.
func gridScratch(n, kind, channels int) int {
	taps := [...]int{1: 1 << n, 2: 1, 3: 16}[kind]
	return (8*gridPoints*taps + 4*channels + 63) &^ 63
}

// TestCallGridSample checks what padding modes mean: the plane goes on with zeros,
// with its border, or mirrored, and is read between cells.
func TestCallGridSample(t *testing.T) {
	rounds(t, 120, func(t *testing.T, g *callRig) {
		n := 2 + g.r.Intn(2)
		size := []int{1, 1 + g.r.Intn(5), 1 + g.r.Intn(5)}
		out := []int{1, 1 + g.r.Intn(4), 1 + g.r.Intn(4)}
		if n == 3 {
			size[0], out[0] = 1+g.r.Intn(4), 1+g.r.Intn(3)
		}
		c, kind, padding, align, fusion := 1+g.r.Intn(4), 1+g.r.Intn(4-n+1), 1+g.r.Intn(3), g.r.Intn(2), g.r.Intn(2)
		if n == 2 && g.r.Intn(3) == 0 {
			kind = 3
		}
		if padding == 3 { // positions are mirrored once, so none may need it twice
			for i := range n {
				size[2-i] += 3
			}
		}
		x := g.inRandom(append(append([]int{}, size[3-n:]...), c)...)
		points := out[0] * out[1] * out[2]
		grid := make([]float32, n*points)
		for i := range grid {
			grid[i] = float32(g.r.Float64()*3 - 1.5)
		}
		dims := append(append([]int{}, out[3-n:]...), n)
		if fusion == 1 {
			dims = append([]int{n}, out[3-n:]...)
		}
		g.in(grid, dims...)
		g.outTensor(append(append([]int{}, out[3-n:]...), c)...)
		g.perThread = gridScratch(n, kind, c)
		y := g.run(callGridSample, []int{size[0], size[1], size[2], c, out[0], out[1], out[2], n, kind, padding, align, fusion})[0]

		// cell reads cell (z,y,x) of the endless image that the padding mode makes.
		cell := func(q int, at [3]int) float64 {
			p := 0
			for i, v := range at {
				switch {
				case padding == 1 && (v < 0 || v >= size[i]):
					return 0
				case padding == 2:
					v = min(max(v, 0), size[i]-1)
				case padding == 3 && align == 1: // mirrored in the outer cells' centres
					for v < 0 || v >= size[i] {
						if v < 0 {
							v = -v
						} else {
							v = 2*(size[i]-1) - v
						}
						if size[i] == 1 {
							v = 0
						}
					}
				case padding == 3: // mirrored in the outer cells' far edges
					for v < 0 || v >= size[i] {
						if v < 0 {
							v = -1 - v
						} else {
							v = 2*size[i] - 1 - v
						}
					}
				}
				p = p*size[i] + v
			}
			return float64(x[p*c+q])
		}
		want := make([]float64, len(y))
		for k := range want {
			i, q := k/c, k%c
			var at [3]float64 // z y x
			for a := range n {
				v := grid[i*n+a]
				if fusion == 1 {
					v = grid[a*points+i]
				}
				s := float64(size[2-a])
				if align == 1 {
					at[2-a] = (float64(v) + 1) / 2 * (s - 1)
				} else {
					at[2-a] = ((float64(v)+1)*s - 1) / 2
				}
			}
			reach, weight := 1, func(d float64) float64 { return math.Max(0, 1-math.Abs(d)) }
			switch kind {
			case 2:
				reach, weight = 0, func(float64) float64 { return 1 }
				for a := range at {
					at[a] = math.Floor(at[a] + 0.5)
				}
			case 3:
				reach, weight = 2, func(d float64) float64 {
					const b = -0.75
					switch d = math.Abs(d); {
					case d <= 1:
						return (b+2)*d*d*d - (b+3)*d*d + 1
					case d < 2:
						return b*d*d*d - 5*b*d*d + 8*b*d - 4*b
					}
					return 0
				}
			}
			visit([]int{2*reach + 1, 2*reach + 1, 2*reach + 1}, func(_ int, d []int) {
				f, from := 1.0, [3]int{}
				for a := range from {
					from[a] = int(math.Floor(at[a])) + d[a] - reach
					switch {
					case a < 3-n && from[a] != 0:
						f = 0
					case a >= 3-n:
						f *= weight(at[a] - float64(from[a]))
					}
				}
				if f != 0 {
					want[k] += f * cell(q, from)
				}
			})
		}
		near(t, "y", y, want, 5e-6)
	})
}

// TestCallGridSampleNowhere checks that positions that are no numbers read nothing.
func TestCallGridSampleNowhere(t *testing.T) {
	for kind := 1; kind <= 3; kind++ {
		for padding := 1; padding <= 3; padding++ {
			g := newCallRig(t, 1)
			g.inRandom(3, 4, 2)
			nan, inf := float32(math.NaN()), float32(math.Inf(1))
			g.in([]float32{nan, 0, 0, nan, inf, -inf, 3e38, -3e38}, 1, 4, 2)
			g.outTensor(1, 4, 2)
			g.perThread = gridScratch(2, kind, 2)
			g.run(callGridSample, []int{1, 3, 4, 2, 1, 1, 4, 2, kind, padding, 0, 0})
		}
	}
}

func TestCallRegions(t *testing.T) {
	rounds(t, 80, func(t *testing.T, g *callRig) {
		h, w, rows, columns, outputs := 1+g.r.Intn(9), 1+g.r.Intn(9), 1+g.r.Intn(3), 1+g.r.Intn(3), 1+g.r.Intn(4)
		kind := g.r.Intn(3)
		c := outputs
		if kind == 1 {
			c *= rows * columns
		}
		x := g.inRandom(h, w, c)
		scale := []float32{1, 0.5, 0.25}[g.r.Intn(3)]
		at := func(n int) float32 { return float32(g.r.Float64()*float64(n)*1.5-0.25*float64(n)) / scale }
		r := []float32{at(w), at(h), at(w), at(h)}
		r[0], r[2] = min(r[0], r[2]), max(r[0], r[2])
		r[1], r[3] = min(r[1], r[3]), max(r[1], r[3])
		g.in(r, 4)
		g.outTensor(rows, columns, outputs)
		ints := []int{h, w, c, rows, columns, outputs}
		kernels := []func(*thread, *callStep){callRoiPool, callPsroiPool, callRoiAlign}
		ratio, aligned, version := g.r.Intn(3), g.r.Intn(2), g.r.Intn(2)
		if kind == 2 {
			ints = append(ints, ratio, aligned, version)
		}
		y := g.run(kernels[kind], ints, scale)[0]
		want := make([]float64, len(y))
		for n := range want {
			q, pw, ph := n%outputs, n/outputs%columns, n/outputs/columns
			// Borders in float32, as which cells are in depends on their rounding.
			var x1, y1, stepW, stepH float32
			switch kind {
			case 0:
				x1, y1 = round32(r[0]*scale), round32(r[1]*scale)
				stepW = math.Nextafter32(max(round32(r[2]*scale)-x1+1, 1)/float32(columns), 0)
				stepH = math.Nextafter32(max(round32(r[3]*scale)-y1+1, 1)/float32(rows), 0)
			case 1:
				x1, y1 = float32(round32(r[0])*scale), float32(round32(r[1])*scale)
				stepW = max(float32(round32(r[2]+1)*scale)-x1, 0.1) / float32(columns)
				stepH = max(float32(round32(r[3]+1)*scale)-y1, 0.1) / float32(rows)
			case 2:
				x1, y1 = r[0]*scale, r[1]*scale
				bw, bh := r[2]*scale-x1, r[3]*scale-y1
				if aligned == 1 {
					x1, y1 = x1-0.5, y1-0.5
				} else {
					bw, bh = max(bw, 1), max(bh, 1)
				}
				stepW, stepH = bw/float32(columns), bh/float32(rows)
			}
			edge := func(first float32, i int, step float32) float64 { return float64(first + float32(float32(i)*step)) }
			top, bottom, left, right := edge(y1, ph, stepH), edge(y1, ph+1, stepH), edge(x1, pw, stepW), edge(x1, pw+1, stepW)
			if kind < 2 {
				if kind == 0 {
					top, bottom = float64(y1)+math.Floor(float64(float32(ph)*stepH)), float64(y1)+math.Ceil(float64(float32(ph+1)*stepH))
					left, right = float64(x1)+math.Floor(float64(float32(pw)*stepW)), float64(x1)+math.Ceil(float64(float32(pw+1)*stepW))
				}
				sum, count, best := 0.0, 0, math.Inf(-1)
				for i := int(math.Floor(top)); i < int(math.Ceil(bottom)); i++ {
					for j := int(math.Floor(left)); j < int(math.Ceil(right)); j++ {
						if i < 0 || j < 0 || i >= h || j >= w {
							continue
						}
						channel := q
						if kind == 1 {
							channel = (q*rows+ph)*columns + pw
						}
						v := float64(x[(i*w+j)*c+channel])
						sum, count, best = sum+v, count+1, math.Max(best, v)
					}
				}
				switch {
				case count == 0:
				case kind == 0:
					want[n] = best
				default:
					want[n] = sum / float64(count)
				}
				continue
			}
			ny, nx := int(math.Ceil(float64(stepH))), int(math.Ceil(float64(stepW)))
			if version == 0 {
				clamp := func(v float64, n int) float64 { return math.Min(math.Max(v, 0), float64(n)) }
				top, bottom, left, right = clamp(top, h), clamp(bottom, h), clamp(left, w), clamp(right, w)
				if bottom <= top || right <= left {
					continue
				}
				ny, nx = int(math.Ceil(float64(float32(bottom)-float32(top)))), int(math.Ceil(float64(float32(right)-float32(left))))
			}
			if ratio > 0 {
				ny, nx = ratio, ratio
			}
			for i := range ny {
				for j := range nx {
					py := top + (float64(i)+0.5)*float64(stepH)/float64(ny)
					px := left + (float64(j)+0.5)*float64(stepW)/float64(nx)
					if version == 1 {
						if py < -1 || px < -1 || py > float64(h) || px > float64(w) {
							continue
						}
						py, px = math.Max(py, 0), math.Max(px, 0)
					}
					want[n] += between(x, h, w, c, q, math.Min(py, float64(h-1)), math.Min(px, float64(w-1)))
				}
			}
			want[n] /= math.Max(float64(ny*nx), 1)
		}
		near(t, []string{"roi_pool", "psroi_pool", "roi_align"}[kind], y, want, 1e-5)
	})
}
