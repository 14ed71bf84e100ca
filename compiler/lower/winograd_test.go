package lower

import (
	"testing"

	"github.com/flexnnc/flexnnc/ir/op"
)

func conv3x3(h, w, inC, outC int) *op.Op {
	return &op.Op{
		Kind: op.Conv, Name: "conv",
		In:  []*op.Tensor{{Dims: []int{h, w, inC}}},
		Out: []*op.Tensor{{Dims: []int{h, w, outC}}},
		Conv: &op.ConvAttr{
			InH: h, InW: w, InC: inC, OutH: h, OutW: w, OutC: outC,
			KH: 3, KW: 3, SH: 1, SW: 1, DH: 1, DW: 1, PadT: 1, PadL: 1,
		},
		Panels: &op.Panels{N: outC, Taps: 9, Chans: inC},
	}
}

func TestWinogradChoice(t *testing.T) {
	for _, c := range []struct {
		h, w, in, out int
		side          int
	}{
		{224, 224, 64, 64, 6},
		{112, 112, 128, 128, 6},
		{28, 28, 512, 512, 6},
		{14, 14, 512, 512, 4},
		{7, 7, 512, 512, 4},
		{2, 2, 64, 64, 0},
		{1, 14, 64, 64, 0},
		{6, 6, 4, 4, 0},
		{224, 224, 3, 64, 0}, // too few inputs for what transforms cost
	} {
		side, tiles := winogradFor(conv3x3(c.h, c.w, c.in, c.out))
		if side != c.side || (side != 0) != (tiles > 0) {
			t.Errorf("%d x %d, %d to %d channels: side %d by %d tiles, want side %d", c.h, c.w, c.in, c.out, side, tiles, c.side)
		}
	}
	for name, spoil := range map[string]func(o *op.Op){
		"stride":    func(o *op.Op) { o.Conv.SW = 2 },
		"dilation":  func(o *op.Op) { o.Conv.DH = 2 },
		"kernel":    func(o *op.Op) { o.Conv.KH = 5 },
		"depthwise": func(o *op.Op) { o.Kind = op.Depthwise },
		"int8":      func(o *op.Op) { o.Panels.Type = op.I8 },
		"a row":     func(o *op.Op) { o.Out[0].Dims = o.Out[0].Dims[1:] },
	} {
		o := conv3x3(56, 56, 64, 64)
		if side, _ := winogradFor(o); side == 0 {
			t.Fatal("a large convolution is direct")
		}
		spoil(o)
		if side, _ := winogradFor(o); side != 0 {
			t.Errorf("%s: side %d", name, side)
		}
	}
}
