//go:build linux

package kernels

import (
	"fmt"
	"testing"

	"github.com/flexnnc/flexnnc/avo/kernel/conv"
)

// BenchmarkWinograd times 3x3 convolutions directly (m=0) and by Winograd's
// algorithm; GFLOP/s count the operations of the direct one.
func BenchmarkWinograd(b *testing.B) {
	for _, c := range []struct{ size, in, out, tiles, chans int }{
		{224, 64, 64, 48, 32}, {112, 128, 128, 48, 32}, {56, 256, 256, 32, 32}, {28, 512, 512, 25, 32}, {14, 512, 512, 16, 32},
		{56, 64, 64, 48, 32}, {28, 128, 128, 25, 32}, {14, 256, 256, 16, 32}, {7, 512, 512, 4, 32}, {56, 16, 64, 48, 32}, {13, 64, 256, 16, 32},
	} {
		for _, m := range append([]int{0}, conv.WinogradSides...) {
			b.Run(fmt.Sprintf("%dx%dx%d-%d/m=%d", c.size, c.size, c.in, c.out, m), func(b *testing.B) {
				var l layout
				direct := convStep{
					zeros: l.add(c.in), in: arenaImage(&l, c.size, c.size, c.in, 0, 0, 0), out: arenaImage(&l, c.size, c.size, c.out, 0, 0, 0),
					inH: c.size, inW: c.size, inC: c.in, outH: c.size, outW: c.size, channels: c.out,
					kh: 3, kw: 3, sh: 1, sw: 1, dh: 1, dw: 1, padT: 1, padL: 1,
					weights: l.add((c.out + 15) / 16 * 16 * (9*c.in + 1)),
				}
				flops := 2 * float64(c.size*c.size*c.out) * float64(9*c.in)
				if m == 0 {
					benchStep(b, l.floats, convScratch(9), flops, 0, func(t *thread) { runConv(t, &direct) })
					return
				}
				cells := (m + 2) * (m + 2)
				s := winogradStep{conv: direct, m: m, tiles: c.tiles, panels: maxWinogradPanels}
				s.shared = cells * 4 * up16(c.in) * (c.tiles + 1)
				s.work = s.weights(cells) + cells*4*panelWidth*(c.chans*maxWinogradPanels+1)
				s.own = true
				s.scratch = l.add(2 * (s.shared + s.work) / 4)
				benchStep(b, l.floats, 64, flops, 0, func(t *thread) {
					winograd = winogradTables()[0]
					for _, k := range winogradTables() {
						if k.name == kernels.name {
							winograd = k
						}
					}
					runWinograd(t, &s)
				})
			})
		}
	}
}
