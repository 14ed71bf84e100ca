package runtime

import (
	"slices"
	"testing"
)

// volumeCase draws the numbers of conv3d or deconv.
type volumeCase struct {
	in, out                       []int // d h w channels
	kernel, stride, dilation, pad []int
	group                         int
}

func (g *callRig) volume(transposed bool) volumeCase {
	var v volumeCase
	v.group = []int{1, 1, 2, 3}[g.r.Intn(4)]
	perIn, perOut := []int{1, 3, 4, 9}[g.r.Intn(4)], []int{1, 2, 4, 5, 8}[g.r.Intn(5)]
	v.out = []int{0, 0, 0, v.group * perOut}
	v.in = []int{0, 0, 0, v.group * perIn}
	for i := range 3 {
		for {
			k, s, d, p, n := 1+g.r.Intn(3), 1+g.r.Intn(3), 1+g.r.Intn(2), g.r.Intn(3), 1+g.r.Intn(6)
			size := (n+2*p-d*(k-1)-1)/s + 1
			ok := n+2*p >= d*(k-1)+1
			if transposed {
				size = (n-1)*s + d*(k-1) + 1 - 2*p
				ok = size > 0
			}
			if ok {
				v.kernel, v.stride, v.dilation, v.pad = append(v.kernel, k), append(v.stride, s), append(v.dilation, d), append(v.pad, p)
				v.in[i], v.out[i] = n, size
				break
			}
		}
	}
	return v
}

func (v volumeCase) taps() int { return v.kernel[0] * v.kernel[1] * v.kernel[2] }

func (v volumeCase) ints() []int {
	return append(slices.Concat(v.in, v.out, v.kernel, v.stride, v.dilation, v.pad), v.group)
}

func TestCallConv3d(t *testing.T) {
	rounds(t, 60, func(t *testing.T, g *callRig) {
		v := g.volume(false)
		perIn, perOut := v.in[3]/v.group, v.out[3]/v.group
		x := g.inRandom(v.in...)
		half := g.r.Intn(2)
		var w []float32
		if half == 1 {
			w = g.inHalves(v.out[3], perIn*v.taps())
		} else {
			w = g.inRandom(v.out[3], perIn, v.taps())
		}
		var bias []float32
		if g.r.Intn(2) == 0 {
			bias = g.inRandom(v.out[3])
		}
		g.outTensor(v.out...)
		y := g.run(callConv3d, append(v.ints(), half))[0]
		want, exact := make([]float64, len(y)), make([]float32, len(y))
		visit(v.out, func(n int, o []int) {
			if bias != nil {
				want[n], exact[n] = float64(bias[o[3]]), bias[o[3]]
			}
			visit(v.kernel, func(tap int, k []int) {
				at := []int{0, 0, 0, 0}
				for i := range 3 {
					at[i] = o[i]*v.stride[i] - v.pad[i] + k[i]*v.dilation[i]
					if at[i] < 0 || at[i] >= v.in[i] {
						return
					}
				}
				for q := range perIn {
					at[3] = o[3]/perOut*perIn + q
					a, b := x[number(v.in, at)], w[(o[3]*perIn+q)*v.taps()+tap]
					want[n] += float64(a) * float64(b)
					exact[n] = fma32(a, b, exact[n])
				}
			})
		})
		if half == 0 { // float16 of random bits are too far apart for a bound
			near(t, "y", y, want, 1e-5)
		}
		same(t, "y", y, exact)
	})
}

// TestCallDeconv compares with the definition: every input cell is scattered.
func TestCallDeconv(t *testing.T) {
	rounds(t, 60, func(t *testing.T, g *callRig) {
		v := g.volume(true)
		perIn, perOut, taps := v.in[3]/v.group, v.out[3]/v.group, v.taps()
		swapped := g.r.Intn(2)
		x := g.inRandom(v.in...)
		var w []float32
		if swapped == 1 {
			w = g.inRandom(v.in[3], perOut, taps)
		} else {
			w = g.inRandom(v.out[3], perIn, taps)
		}
		var bias []float32
		if g.r.Intn(2) == 0 {
			bias = g.inRandom(v.out[3])
		}
		g.outTensor(v.out...)
		y := g.run(callDeconv, append(v.ints(), swapped, 0))[0]
		want := make([]float64, len(y))
		if bias != nil {
			for n := range want {
				want[n] = float64(bias[n%v.out[3]])
			}
		}
		visit(v.in, func(n int, c []int) {
			group := c[3] / perIn
			visit(v.kernel, func(tap int, k []int) {
				at := []int{0, 0, 0, 0}
				for i := range 3 {
					at[i] = c[i]*v.stride[i] - v.pad[i] + k[i]*v.dilation[i]
					if at[i] < 0 || at[i] >= v.out[i] {
						return
					}
				}
				for p := range perOut {
					at[3] = group*perOut + p
					b := w[(at[3]*perIn+c[3]%perIn)*taps+tap]
					if swapped == 1 {
						b = w[(c[3]*perOut+p)*taps+tap]
					}
					want[number(v.out, at)] += float64(x[n]) * float64(b)
				}
			})
		})
		near(t, "y", y, want, 1e-5)
	})
}
