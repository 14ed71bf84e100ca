//go:build linux

package kernels

import (
	"fmt"
	"math"
	"math/rand"
	"testing"
	"unsafe"

	"github.com/flexnnc/flexnnc/avo/kernel/conv"
)

// int8Unit is the kernels of a set of instructions.
type int8Unit struct {
	table    *kernelTable
	quantize func(*quantizeArgs)
	unit     conv.Unit
}

// forInt8Units runs a test with the kernels of each unit, which drivers use too.
func forInt8Units(t *testing.T, f func(*testing.T, int8Unit)) {
	for _, u := range append(int8Units(), int8Unit{&portableInt8, quantizePortable, -1}) {
		t.Run(u.table.name, func(t *testing.T) {
			table, kernel := int8Kernels, quantizeKernel
			int8Kernels, quantizeKernel = u.table, u.quantize
			defer func() { int8Kernels, quantizeKernel = table, kernel }()
			f(t, u)
		})
	}
}

// asBytes sees floats as the bytes that they are.
func asBytes(f []float32) []int8 {
	if len(f) == 0 {
		return nil
	}
	return unsafe.Slice((*int8)(unsafe.Pointer(&f[0])), 4*len(f))
}

// activations are within ±127, often at the ends.
func activations(r *rand.Rand, b []int8) {
	for i := range b {
		b[i] = int8(r.Intn(255) - 127)
		if r.Intn(8) == 0 {
			b[i] = []int8{-127, 127, 0}[r.Intn(3)]
		}
	}
}

// int8Panel is a panel in parts that share its memory.
type int8Panel struct {
	scale, bias []float32
	offset      []int32 // of a convolution
	w           []int8
}

func int8PanelAt(p unsafe.Pointer, weights int, depthwise bool) int8Panel {
	q := int8Panel{scale: unsafe.Slice((*float32)(p), 16), bias: unsafe.Slice((*float32)(unsafe.Add(p, 64)), 16)}
	if depthwise {
		q.w = unsafe.Slice((*int8)(unsafe.Add(p, 128)), weights)
		return q
	}
	q.offset = unsafe.Slice((*int32)(unsafe.Add(p, 128)), 16)
	q.w = unsafe.Slice((*int8)(unsafe.Add(p, 192)), weights)
	return q
}

// fill makes numbers for n channels; the others are zero.
func (q int8Panel) fill(r *rand.Rand, n int) {
	clear(q.offset)
	for i := range q.w {
		c := i % 16
		if q.offset != nil {
			c = i / 4 % 16
		}
		q.w[i] = 0
		if c < n {
			q.w[i] = int8(r.Intn(256) - 128)
			if r.Intn(8) == 0 {
				q.w[i] = []int8{-128, 127}[r.Intn(2)]
			}
		}
		if q.offset != nil {
			q.offset[c] -= 128 * int32(q.w[i])
		}
	}
	for c := range q.scale {
		q.scale[c], q.bias[c] = float32(r.NormFloat64()*1e-3), float32(r.NormFloat64()*10)
		if r.Intn(4) == 0 {
			q.bias[c] = float32(math.Copysign(0, -1))
		}
	}
}

// finish is a sum as a channel's result.
func (q int8Panel) finish(sum int64, n, act int) float32 {
	v := float32(float32(sum)*q.scale[n]) + q.bias[n]
	if act == actRelu && v < 0 {
		v = 0
	}
	return v
}

func TestInt8ConvKernels(t *testing.T) {
	forInt8Units(t, func(t *testing.T, u int8Unit) {
		tested := 0
		for np, row := range u.table.conv {
			for mr, f := range row {
				if f == nil {
					continue
				}
				tested++
				r := rand.New(rand.NewSource(int64(100*np + mr)))
				for i, c := range []struct{ taps, k, last int }{
					{1, 1, 16}, {1, 3, 1}, {2, 4, 3}, {3, 5, 4}, {1, 7, 5}, {9, 8, 7}, {2, 2, 8}, {3, 6, 12}, {1, 9, 13}, {4, 3, 15}, {1, 128, 16}, {2, 10, 14}, {5, 1, 9},
				} {
					cells, w := guarded(t, c.taps*mr*c.k), guarded(t, np*(48+16*c.taps*c.k))
					activations(r, asBytes(cells))
					ind := guarded(t, c.taps*mr)
					table := unsafe.Slice((*uint32)(unsafe.Pointer(&ind[0])), c.taps*mr)
					for j, o := range r.Perm(len(table)) {
						table[j] = uint32(4 * c.k * o)
					}
					width := panelWidth*(np-1) + c.last
					step := width + r.Intn(3)
					out := guarded(t, step*(mr-1)+width)
					a := &convArgs{
						base: unsafe.Pointer(&cells[0]), ind: unsafe.Pointer(&ind[0]), taps: c.taps, k: c.k,
						w: unsafe.Pointer(&w[0]), wstep: 4 * (48 + 16*c.taps*c.k),
						out: unsafe.Pointer(&out[0]), outStep: 4 * step, last: c.last, act: i % 2,
					}
					panels := make([]int8Panel, np)
					for p := range panels {
						panels[p] = int8PanelAt(unsafe.Add(a.w, p*a.wstep), 64*c.taps*c.k, false)
						panels[p].fill(r, min(16, width-16*p))
					}
					f(a)
					what := fmt.Sprintf("mr %d, np %d, taps %d, k %d, last %d", mr, np, c.taps, c.k, c.last)
					checkRed(t, what, out)
					for o, got := range out {
						m, n := o/step, o%step
						if n >= width {
							if !isPattern(got) {
								t.Fatalf("%s: wrote %g beyond channel %d of pixel %d", what, got, width, m)
							}
							continue
						}
						sum := int64(0)
						for e := range 4 * c.k * c.taps {
							x := asBytes(cells)[int(table[e/(4*c.k)*mr+m])+e%(4*c.k)]
							sum += int64(x) * int64(panels[n/16].w[e/4*64+n%16*4+e%4])
						}
						if want := panels[n/16].finish(sum, n%16, a.act); !same(got, want) {
							t.Fatalf("%s: pixel %d, channel %d: %g, want %g", what, m, n, got, want)
						}
					}
				}
			}
		}
		want := 4
		if u.unit >= 0 {
			want = 0
			for m := 1; m <= u.unit.Pixels(); m++ {
				want += u.unit.Panels(m)
			}
		}
		if tested != want {
			t.Errorf("%d kernels, want %d", tested, want)
		}
	})
}

func TestInt8DepthwiseKernels(t *testing.T) {
	forInt8Units(t, func(t *testing.T, u int8Unit) {
		for mr, f := range u.table.depthwise {
			if f == nil {
				continue
			}
			for i, n := range channelCounts {
				r := rand.New(rand.NewSource(int64(n)))
				taps, fours := 1+i%10, (n+3)/4
				panels := (n + panelWidth - 1) / panelWidth
				wstep := (128 + 16*taps + 63) &^ 63
				cells, w, ind := guarded(t, taps*mr*fours), guarded(t, panels*wstep/4), guarded(t, taps*mr)
				activations(r, asBytes(cells))
				table := unsafe.Slice((*uint32)(unsafe.Pointer(&ind[0])), taps*mr)
				for j, o := range r.Perm(len(table)) {
					table[j] = uint32(4 * fours * o)
				}
				step := n + i%3
				out := guarded(t, step*(mr-1)+n)
				a := &depthwiseArgs{
					base: unsafe.Pointer(&cells[0]), ind: unsafe.Pointer(&ind[0]), taps: taps, w: unsafe.Pointer(&w[0]), panels: panels,
					out: unsafe.Pointer(&out[0]), outStep: 4 * step, last: n - panelWidth*(panels-1), act: i % 2, wstep: wstep,
				}
				parts := make([]int8Panel, panels)
				for p := range parts {
					parts[p] = int8PanelAt(unsafe.Add(a.w, p*wstep), 16*taps, true)
					parts[p].fill(r, min(16, n-16*p))
				}
				f(a)
				what := fmt.Sprintf("mr %d, %d channels, %d taps", mr, n, taps)
				checkRed(t, what, out)
				for o, got := range out {
					m, c := o/step, o%step
					if c >= n {
						if !isPattern(got) {
							t.Fatalf("%s: wrote %g beyond channel %d of pixel %d", what, got, n, m)
						}
						continue
					}
					sum := int64(0)
					for tap := range taps {
						sum += int64(asBytes(cells)[int(table[tap*mr+m])+c]) * int64(parts[c/16].w[16*tap+c%16])
					}
					if want := parts[c/16].finish(sum, c%16, a.act); !same(got, want) {
						t.Fatalf("%s: pixel %d, channel %d: %g, want %g", what, m, c, got, want)
					}
				}
			}
		}
	})
}

// quantizedExactly is the rule in float64, where products of float32 are exact and
// then rounded once.
func quantizedExactly(x, scale float32) int8 {
	v := float64(float32(float64(x) * float64(scale)))
	if !(v > -127) {
		return -127
	}
	return int8(math.Round(min(v, 127)))
}

func TestQuantizeKernels(t *testing.T) {
	var hard []float32
	for i := -130; i <= 130; i++ {
		for _, v := range []float32{float32(i), float32(i) + 0.5} {
			hard = append(hard, v, math.Nextafter32(v, 1e9), math.Nextafter32(v, -1e9))
		}
	}
	inf := float32(math.Inf(1))
	hard = append(hard, inf, -inf, float32(math.NaN()), float32(math.Copysign(0, -1)), math.MaxFloat32, -math.MaxFloat32, 1e-45, -1e-45)
	forInt8Units(t, func(t *testing.T, u int8Unit) {
		r := rand.New(rand.NewSource(3))
		for n := 1; n < 70; n++ {
			rows, pad := 1+r.Intn(4), r.Intn(4)
			inStep, outStep := n+r.Intn(3), n+pad+r.Intn(3)
			in := guarded(t, inStep*(rows-1)+n)
			bytes := outStep*(rows-1) + n + pad
			out := asBytes(guarded(t, (bytes+3)/4))
			out = out[len(out)-bytes:]
			a := &quantizeArgs{
				n: n, rows: rows, in: unsafe.Pointer(&in[0]), inStep: 4 * inStep, out: unsafe.Pointer(&out[0]), outStep: outStep, pad: pad,
				scale: []float32{1, 1, 0.37, 25.4}[r.Intn(4)],
			}
			before := append([]int8(nil), out...)
			for i := range in {
				in[i] = hard[r.Intn(len(hard))]
				if r.Intn(2) == 0 {
					in[i] = float32(r.NormFloat64() * 60)
				}
			}
			u.quantize(a)
			for i, got := range out {
				row, e := i/outStep, i%outStep
				want := before[i]
				switch {
				case e < n:
					want = quantizedExactly(in[row*inStep+e], a.scale)
				case e < n+pad:
					want = 0
				}
				if got != want {
					t.Fatalf("n %d, pad %d, scale %g: element %d of row %d is %d, want %d", n, pad, a.scale, e, row, got, want)
				}
			}
		}
		for at := 0; at < len(hard); at += 64 {
			in := guarded(t, min(64, len(hard)-at))
			copy(in, hard[at:])
			out := asBytes(guarded(t, 16))
			u.quantize(&quantizeArgs{n: len(in), rows: 1, in: unsafe.Pointer(&in[0]), out: unsafe.Pointer(&out[0]), scale: 1})
			for i, v := range in {
				if want := quantizedExactly(v, 1); out[i] != want {
					t.Fatalf("%g becomes %d, want %d", v, out[i], want)
				}
			}
		}
	})
}
