//go:build linux

package kernels

import (
	"fmt"
	"math/rand"
	"testing"
	"unsafe"
)

// TestConvDepthDriver computes convolutions over planes, as wholes and as slices that
// share their arguments, with gaps between pixels, rows and planes.
func TestConvDepthDriver(t *testing.T) {
	forTables(t, func(t *testing.T, tab *kernelTable) {
		use(t, tab)
		r := rand.New(rand.NewSource(11))
		for seed := range 60 {
			testConvDepth(t, r, seed)
		}
	})
}

func testConvDepth(t *testing.T, r *rand.Rand, seed int) {
	pick := func(v ...int) int { return v[r.Intn(len(v))] }
	var in, out, kernel, stride, dilation, pad [3]int // d h w
	for i := range in {
		for out[i] < 1 {
			in[i], kernel[i], stride[i], dilation[i], pad[i] = 1+r.Intn(7), 1+r.Intn(3), 1+r.Intn(2), 1+r.Intn(2), r.Intn(3)
			if room := in[i] + 2*pad[i] - dilation[i]*(kernel[i]-1) - 1; room >= 0 {
				out[i] = room/stride[i] + 1
			}
		}
	}
	inC, channels, half := pick(1, 3, 4, 8, 15, 17), pick(1, 5, 16, 17, 33, 49, 70), r.Intn(2) == 1
	var l layout
	volume := func(dims [3]int, c, gap int) (image, int) {
		pix := c + r.Intn(3)
		row := dims[2]*pix + gap*r.Intn(2)
		plane := dims[1]*row + gap*r.Intn(3)
		return image{off: l.add(dims[0] * plane), row: 4 * row, pix: 4 * pix}, 4 * plane
	}
	s := convStep{
		zeros: l.add(inC), inH: in[1], inW: in[2], inC: inC, outH: out[1], outW: out[2], channels: channels,
		kh: kernel[1], kw: kernel[2], sh: stride[1], sw: stride[2], dh: dilation[1], dw: dilation[2], padT: pad[1], padL: pad[2],
		half: half, act: seed % 2,
		depth: &convDepth{in: in[0], out: out[0], k: kernel[0], s: stride[0], d: dilation[0], pad: pad[0]},
	}
	s.in, s.depth.inPlane = volume(in, inC, 7)
	s.out, s.depth.outPlane = volume(out, channels, 5)
	k, panels := s.terms(), (channels+panelWidth-1)/panelWidth
	size := panelBytes(k, half)
	s.weights = l.add(panels * size / 4)
	mem := guarded(t, l.floats)
	clear(mem[s.zeros/4:][:inC])
	for i := range in[0] * in[1] * in[2] {
		x, y, z := i%in[2], i/in[2]%in[1], i/in[2]/in[1]
		values(r, mem[(s.in.off+z*s.depth.inPlane+y*s.in.row+x*s.in.pix)/4:][:inC], seed%3)
	}
	w := mem[s.weights/4:][:panels*size/4]
	panelValues(r, w, panels, k, seed%3, half)
	what := fmt.Sprintf("case %d: %v of %d to %v of %d, kernel %v stride %v dilation %v pad %v, half %v", seed, in, inC, out, channels, kernel, stride, dilation, pad, half)
	before, want := append([]float32(nil), mem...), append([]float32(nil), mem...)
	for i := range out[0] * out[1] * out[2] * channels {
		n, x, y, z := i%channels, i/channels%out[2], i/channels/out[2]%out[1], i/channels/out[2]/out[1]
		p := unsafe.Pointer(&w[n/panelWidth*size/4])
		acc := f32(p, n%panelWidth)
		for e := range k {
			c, tap := e%inC, e/inC
			ix := x*stride[2] - pad[2] + tap%kernel[2]*dilation[2]
			iy := y*stride[1] - pad[1] + tap/kernel[2]%kernel[1]*dilation[1]
			iz := z*stride[0] - pad[0] + tap/kernel[2]/kernel[1]*dilation[0]
			cell := float32(0)
			if ix >= 0 && iy >= 0 && iz >= 0 && ix < in[2] && iy < in[1] && iz < in[0] {
				cell = mem[(s.in.off+iz*s.depth.inPlane+iy*s.in.row+ix*s.in.pix)/4+c]
			}
			acc = fma32(cell, panelWeight(p, e, n%panelWidth, half), acc)
		}
		if s.act == actRelu {
			acc = relu32(acc)
		}
		want[(s.out.off+z*s.depth.outPlane+y*s.out.row+x*s.out.pix)/4+n] = acc
	}
	scratch := convScratch(kernel[0] * kernel[1] * kernel[2])
	for threads := 1; threads <= 3; threads++ {
		copy(mem, before)
		onTeam(t, mem, threads, scratch, [2]int{}, func(t *thread) { runConv(t, &s) })
		compareBits(t, fmt.Sprintf("%s, %d threads", what, threads), mem, want)
	}
	copy(mem, before)
	m := startTeam(t, mem, 2, scratch)
	defer m.stop()
	for p := range panels {
		q := part{panel: uint32(p), panels: 1, weights: uint32(s.weights + p*size)}
		m.step(func(t *thread) { runConv(t, &s) }, q, [2]int{})
	}
	compareBits(t, what+", panel by panel", mem, want)
}
