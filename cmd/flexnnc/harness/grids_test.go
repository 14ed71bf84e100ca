package harness

import (
	"fmt"
	"math/rand"
	"strings"

	"github.com/flexnnc/flexnnc/ir"
)

// gridRand draws parameters around the edges of kernels' tiles.
type gridRand struct{ *rand.Rand }

// size draws a number of channels, or what else a tile may be long on.
func (g gridRand) size() int {
	sizes := []int{1, 3, 4, 5, 7, 8, 12, 13, 15, 16, 17, 31, 33}
	return sizes[g.Intn(len(sizes))]
}

// upTo draws from 1 to n.
func (g gridRand) upTo(n int) int { return 1 + g.Intn(n) }

func (g gridRand) pick(v ...string) string { return v[g.Intn(len(v))] }

// image draws a blob of c channels over so many axes.
func (g gridRand) image(axes, c int) ir.Shape {
	n := func() int { return 2 + g.Intn(9) }
	switch axes {
	case 1:
		return ir.Shape2(n()+g.Intn(20), c)
	case 2:
		return ir.Shape3(n(), n(), c)
	}
	return ir.Shape4(2+g.Intn(5), 2+g.Intn(5), 1+g.Intn(5), c)
}

// any draws a blob of any rank.
func (g gridRand) any() ir.Shape {
	switch g.Intn(4) {
	case 0:
		return ir.Shape1(g.size())
	case 1:
		return ir.Shape2(g.size(), g.size())
	case 2:
		return ir.Shape3(g.size(), g.upTo(7), g.size())
	}
	return ir.Shape4(g.upTo(7), g.upTo(5), g.upTo(4), g.size())
}

// window draws kernel, dilation, stride and pads of a convolution, and how many taps
// the kernel has on each axis.
func (g gridRand) window(axes int) (params string, kernel []int) {
	most := []int{0, 7, 5, 3}[axes]
	var b strings.Builder
	for i := range axes {
		kernel = append(kernel, g.upTo(most))
		fmt.Fprintf(&b, " %d=%d %d=%d %d=%d", 10*i+1, kernel[i], 10*i+2, g.upTo(2), 10*i+3, g.upTo(3))
	}
	if g.Intn(4) == 0 {
		fmt.Fprintf(&b, " 4=%d", -233-g.Intn(2)) // SAME; the other pads are by default as this one
	} else {
		for _, id := range []int{4, 15, 14, 16, 24, 17}[:2*axes] {
			fmt.Fprintf(&b, " %d=%d", id, g.Intn(3))
		}
	}
	return b.String(), kernel
}

func product(v []int) int {
	n := 1
	for _, x := range v {
		n *= x
	}
	return n
}

func (g gridRand) activation() string {
	return g.pick("", "", "", " 9=1", " 9=2 -23310=1,0.1", " 9=3 -23310=2,-0.5,0.5", " 9=4", " 9=5", " 9=6 -23310=2,0.2,0.5")
}

// kernelBlob is the weight input of a convolution without weights of its own.
func kernelBlob(kernel []int, inner, outer int) ir.Shape {
	if len(kernel) == 1 {
		return ir.Shape3(kernel[0], inner, outer)
	}
	return ir.Shape4(kernel[0], kernel[1], inner, outer)
}

// gridLayer is a layer that was drawn: shapes of its inputs, outputs, parameters, and
// the type of a layer behind it, "" where there is none.
type gridLayer struct {
	in     []ir.Shape
	outs   int
	params string
	then   string
	block  []string // several layers in place of one: see block
}

func layerOf(params string, in ...ir.Shape) gridLayer {
	return gridLayer{in: in, outs: 1, params: params}
}

// conv draws a convolution; dynamic ones have their weights as inputs, where there
// may be such.
func conv(axes int, grouped bool) func(g gridRand) gridLayer {
	return func(g gridRand) gridLayer {
		window, kernel := g.window(axes)
		c, o, group := g.size(), g.size(), 1
		params := ""
		if grouped {
			switch g.Intn(3) {
			case 0: // one kernel for each channel
				o, group = c, c
			case 1: // several
				o, group = 2*c, c
			default: // groups of several channels
				group = g.upTo(4)
				c, o = group*g.upTo(9), group*g.upTo(18)
			}
			params = fmt.Sprintf(" 7=%d", group)
		}
		bias := g.Intn(2)
		params = fmt.Sprintf("0=%d 5=%d%s%s%s", o, bias, params, window, g.activation())
		in := []ir.Shape{g.image(axes, c)}
		if axes < 3 && g.Intn(4) == 0 {
			in = append(in, kernelBlob(kernel, c/group, o))
			if bias == 1 {
				in = append(in, ir.Shape1(o))
			}
			return layerOf(params+" 19=1", in...)
		}
		if g.Intn(8) == 0 {
			params += " 18=0.5"
		}
		return layerOf(fmt.Sprintf("%s 6=%d", params, o*c/group*product(kernel)), in...)
	}
}

// deconv draws a transposed convolution.
func deconv(axes int, grouped bool) func(g gridRand) gridLayer {
	return func(g gridRand) gridLayer {
		most := []int{0, 7, 5, 3}[axes]
		c, o, group := g.size(), g.size(), 1
		params := ""
		if grouped {
			if group = c; g.Intn(2) == 0 {
				group = g.upTo(4)
				c, o = group*g.upTo(9), group*g.upTo(9)
			} else {
				o = c
			}
			params = fmt.Sprintf(" 7=%d", group)
		}
		var kernel []int
		for i := range axes {
			kernel = append(kernel, g.upTo(most))
			params += fmt.Sprintf(" %d=%d %d=%d %d=%d", 10*i+1, kernel[i], 10*i+2, g.upTo(2), 10*i+3, g.upTo(3))
		}
		for _, id := range []int{4, 15, 14, 16, 24, 17}[:2*axes] {
			params += fmt.Sprintf(" %d=%d", id, g.Intn(2))
		}
		for _, id := range []int{18, 19, 20}[:axes] {
			params += fmt.Sprintf(" %d=%d", id, g.Intn(2))
		}
		bias := g.Intn(2)
		params = fmt.Sprintf("0=%d 5=%d%s%s", o, bias, params, g.activation())
		in := []ir.Shape{g.image(axes, c)}
		if axes < 3 && g.Intn(4) == 0 {
			in = append(in, kernelBlob(kernel, o/group, c))
			if bias == 1 {
				in = append(in, ir.Shape1(o))
			}
			return layerOf(params+" 28=1", in...)
		}
		return layerOf(fmt.Sprintf("%s 6=%d", params, o*c/group*product(kernel)), in...)
	}
}

// pooling draws all pad modes, windows that lie in the padding included.
func pooling(axes int) func(g gridRand) gridLayer {
	return func(g gridRand) gridLayer {
		in := g.image(axes, g.size())
		switch g.Intn(8) {
		case 0:
			return layerOf(fmt.Sprintf("0=%d 4=1", g.Intn(2)), in)
		case 1:
			params := fmt.Sprintf("0=%d 7=1", g.Intn(2))
			for _, id := range []int{8, 18, 28}[:axes] {
				params += fmt.Sprintf(" %d=%d", id, g.upTo(6))
			}
			return layerOf(params, in)
		}
		params := fmt.Sprintf("0=%d 5=%d 6=%d", g.Intn(2), g.Intn(4), g.Intn(2))
		for i := range axes {
			params += fmt.Sprintf(" %d=%d %d=%d", 10*i+1, g.upTo(4), 10*i+2, g.upTo(4))
		}
		for _, id := range []int{3, 14, 13, 15, 23, 16}[:2*axes] {
			params += fmt.Sprintf(" %d=%d", id, g.Intn(3))
		}
		return layerOf(params, in)
	}
}

// recurrent draws LSTM, GRU or RNN with so many gates, states in and out included.
func recurrent(gates int, projects bool) func(g gridRand) gridLayer {
	return func(g gridRand) gridLayer {
		w, n, direction := g.size(), g.size(), g.Intn(3)
		hidden, params := n, ""
		if projects && g.Intn(3) == 0 {
			hidden = g.size()
			params = fmt.Sprintf(" 3=%d", hidden)
		}
		directions := 1 + direction/2
		l := layerOf(fmt.Sprintf("0=%d 1=%d 2=%d%s", n, directions*gates*hidden*w, direction, params), ir.Shape2(w, g.upTo(6)))
		if g.Intn(2) == 0 {
			l.in = append(l.in, ir.Shape2(n, directions))
			l.outs++
			if projects {
				l.in = append(l.in, ir.Shape2(hidden, directions))
				l.outs++
			}
		}
		return l
	}
}

// int8 has a layer compute with int8.
func int8(draw func(g gridRand) gridLayer) func(g gridRand) gridLayer {
	return func(g gridRand) gridLayer {
		l := draw(g)
		for strings.Contains(l.params, "19=") || strings.Contains(l.params, "18=") { // weights as inputs, pads that are not zero
			l = draw(g)
		}
		l.params += fmt.Sprintf(" 8=%d", g.upTo(2))
		return l
	}
}

// quantized draws a layer with scales, one or one per channel.
func quantized(format, then string) func(g gridRand) gridLayer {
	return func(g gridRand) gridLayer {
		in := g.any()
		c := in.Axes()[0]
		params := strings.ReplaceAll(strings.ReplaceAll(format, "S", fmt.Sprint([]int{1, c}[g.Intn(2)])), "B", fmt.Sprint([]int{0, 1, c}[g.Intn(3)]))
		l := layerOf(params, in)
		l.then = then
		return l
	}
}

func innerProduct(g gridRand) gridLayer {
	in, o := g.any(), g.size()
	k := in.Len()
	if in.Dims == 2 && g.Intn(2) == 0 {
		k = in.W
	}
	return layerOf(fmt.Sprintf("0=%d 1=%d 2=%d%s", o, g.Intn(2), o*k, g.activation()), in)
}

// weighted draws a layer that has a vector of weights per channel.
func weighted(format string) func(g gridRand) gridLayer {
	return func(g gridRand) gridLayer {
		in := g.any()
		return layerOf(strings.ReplaceAll(format, "C", fmt.Sprint(in.Axes()[0])), in)
	}
}

// grids are the layer types that have weights, or slide windows and sample over
// axes, each with how its shapes are drawn. What follows a blank tells variants of a
// type apart.
var grids = map[string]func(g gridRand) gridLayer{
	"Convolution": conv(2, false), "ConvolutionDepthWise": conv(2, true),
	"Convolution1D": conv(1, false), "ConvolutionDepthWise1D": conv(1, true),
	"Gemm int8": func(g gridRand) gridLayer {
		m, n, k := g.size(), g.size(), g.size()
		return layerOf(fmt.Sprintf("3=1 5=1 6=1 8=%d 9=%d 10=-1 18=1", n, k), ir.Shape2(k, m))
	},
	"Embed int8": func(g gridRand) gridLayer {
		n, rows := g.size(), g.upTo(12)
		return layerOf(fmt.Sprintf("0=%d 1=%d 3=%d 18=1", n, rows, n*rows), ir.Shape1(g.size()))
	},
	"LSTM int8": int8(recurrent(4, true)), "GRU int8": int8(recurrent(3, false)), "RNN int8": int8(recurrent(1, false)),
	"Convolution int8": int8(conv(2, false)), "ConvolutionDepthWise int8": int8(conv(2, true)),
	"Convolution3D": conv(3, false), "ConvolutionDepthWise3D": conv(3, true),
	"Deconvolution": deconv(2, false), "DeconvolutionDepthWise": deconv(2, true),
	"Deconvolution1D": deconv(1, false), "DeconvolutionDepthWise1D": deconv(1, true),
	"Deconvolution3D": deconv(3, false), "DeconvolutionDepthWise3D": deconv(3, true),
	"Pooling": pooling(2), "Pooling1D": pooling(1), "Pooling3D": pooling(3),
	"LSTM": recurrent(4, true), "GRU": recurrent(3, false), "RNN": recurrent(1, false),

	"BatchNorm": weighted("0=C"), "Bias": weighted("0=C"),
	"InstanceNorm": func(g gridRand) gridLayer {
		c := g.size()
		return layerOf(fmt.Sprintf("0=%d 2=%d", c, g.Intn(2)), ir.Shape3(g.upTo(9), g.upTo(9), c))
	},
	"GroupNorm": func(g gridRand) gridLayer {
		group := g.upTo(4)
		c := group * g.upTo(9)
		in := []ir.Shape{ir.Shape1(c), ir.Shape2(g.size(), c), ir.Shape3(g.upTo(9), g.upTo(9), c), ir.Shape4(g.upTo(5), g.upTo(5), g.upTo(3), c)}[g.Intn(4)]
		return layerOf(fmt.Sprintf("0=%d 1=%d 3=%d", group, c, g.Intn(2)), in)
	},
	"LayerNorm": func(g gridRand) gridLayer {
		in := g.any()
		n := in.W
		if in.Dims == 3 && g.Intn(3) == 0 {
			n *= in.H
		}
		return layerOf(fmt.Sprintf("0=%d 2=%d", n, g.Intn(2)), in)
	},
	"RMSNorm": func(g gridRand) gridLayer {
		in := g.any()
		return layerOf(fmt.Sprintf("0=%d 2=%d", in.W, g.Intn(2)), in)
	},
	"Normalize": func(g gridRand) gridLayer {
		in, shared := g.image(2, g.size()), g.Intn(2)
		n := in.C
		if shared == 1 {
			n = 1
		}
		spatial, channel := g.Intn(2), g.Intn(2)
		if spatial+channel == 0 {
			channel = 1
		}
		return layerOf(fmt.Sprintf("0=%d 4=%d 1=%d 9=%d 3=%d", spatial, channel, shared, g.Intn(3), n), in)
	},
	"LRN": func(g gridRand) gridLayer {
		return layerOf(fmt.Sprintf("0=%d 1=%d", g.Intn(2), 1+2*g.Intn(3)), g.image(2, g.size()))
	},
	"MVN": func(g gridRand) gridLayer {
		return layerOf(fmt.Sprintf("0=%d 1=%d", g.Intn(2), g.Intn(2)), g.image(2, g.size()))
	},
	"PReLU": func(g gridRand) gridLayer {
		in := g.any()
		return layerOf(fmt.Sprintf("0=%d", []int{1, in.Axes()[0]}[g.Intn(2)]), in)
	},
	"Scale": func(g gridRand) gridLayer {
		in := g.any()
		if g.Intn(3) == 0 {
			return layerOf("0=-233", in, ir.Shape1(in.Axes()[0]))
		}
		return layerOf(fmt.Sprintf("0=%d 1=%d", in.Axes()[0], g.Intn(2)), in)
	},
	"InnerProduct": innerProduct, "InnerProduct int8": int8(innerProduct),
	"Gemm": func(g gridRand) gridLayer {
		m, n, k, ta, tb := g.size(), g.size(), g.size(), g.Intn(2), g.Intn(2)
		matrix := func(rows, columns, turned int) ir.Shape {
			if turned == 1 {
				rows, columns = columns, rows
			}
			return ir.Shape2(columns, rows)
		}
		params := fmt.Sprintf("2=%d 3=%d 14=%d", ta, tb, g.Intn(2))
		if g.Intn(4) == 0 {
			params += " 0=0.5 1=2.0"
		}
		var in []ir.Shape
		constA, constB := g.Intn(4) == 0, g.Intn(2) == 0
		if constA && constB {
			constA = false
		}
		if constA {
			params += " 4=1"
		} else {
			in = append(in, matrix(m, k, ta))
		}
		if constB {
			params += " 5=1"
		} else {
			in = append(in, matrix(k, n, tb))
		}
		if constA {
			params += fmt.Sprintf(" 7=%d", m)
		}
		if constB {
			params += fmt.Sprintf(" 8=%d", n)
		}
		if constA || constB {
			params += fmt.Sprintf(" 9=%d", k)
		}
		switch t := g.Intn(6) - 1; {
		case g.Intn(2) == 0:
			params += fmt.Sprintf(" 6=1 7=%d 8=%d 10=%d", m, n, t)
			params = dedupe(params)
		case g.Intn(2) == 0:
			in = append(in, []ir.Shape{ir.Shape1(1), ir.Shape1(n), ir.Shape1(m), ir.Shape2(n, m), ir.Shape2(n, 1), ir.Shape2(1, m)}[t+1])
		}
		return layerOf(params, in...)
	},
	"MatMul transformer": transformer("MatMul"), "SDPA transformer": transformer("SDPA"),
	"InnerProduct transformer int8": transformer("int8"), "Convolution1D signal": signal,
	"MultiHeadAttention transformer": transformer("MultiHeadAttention"),
	"MatMul": func(g gridRand) gridLayer {
		m, n, k, t := g.size(), g.size(), g.size(), g.Intn(2)
		b := ir.Shape2(n, k)
		if t == 1 {
			b = ir.Shape2(k, n)
		}
		a := ir.Shape2(k, m)
		if g.Intn(2) == 0 {
			a, b = ir.Shape3(a.W, a.H, 3), ir.Shape3(b.W, b.H, 3)
		}
		return layerOf(fmt.Sprintf("0=%d", t), a, b)
	},
	"Embed": func(g gridRand) gridLayer {
		n, rows := g.size(), g.upTo(12)
		return layerOf(fmt.Sprintf("0=%d 1=%d 2=%d 3=%d", n, rows, g.Intn(2), n*rows), ir.Shape1(g.size()))
	},
	"MultiHeadAttention": func(g gridRand) gridLayer {
		heads := g.upTo(4)
		e, n := heads*g.upTo(9), g.size()
		params := fmt.Sprintf("0=%d 1=%d", e, heads)
		if g.Intn(3) == 0 {
			params += " 6=0.25"
		}
		q, k, v := g.size(), g.size(), g.size()
		switch g.Intn(3) {
		case 0:
			return layerOf(fmt.Sprintf("%s 2=%d 3=%d 4=%d", params, e*e, e, e), ir.Shape2(e, n))
		case 1:
			return layerOf(fmt.Sprintf("%s 2=%d 3=%d 4=%d", params, e*q, k, k), ir.Shape2(q, n), ir.Shape2(k, g.size()))
		}
		m := g.size()
		in := []ir.Shape{ir.Shape2(q, n), ir.Shape2(k, m), ir.Shape2(v, m)}
		if g.Intn(2) == 0 {
			params += " 5=1"
			in = append(in, []ir.Shape{ir.Shape2(m, n), ir.Shape3(m, n, heads)}[g.Intn(2)])
		}
		return layerOf(fmt.Sprintf("%s 2=%d 3=%d 4=%d", params, e*q, k, v), in...)
	},
	"SDPA": func(g gridRand) gridLayer {
		groups := g.upTo(3)
		heads := groups * g.upTo(3)
		e, v, n, m := g.size(), g.size(), g.size(), g.size()
		in := []ir.Shape{ir.Shape3(e, n, heads), ir.Shape3(e, m, groups), ir.Shape3(v, m, groups)}
		params := ""
		if g.Intn(2) == 0 {
			params = "5=1"
			in = append(in, []ir.Shape{ir.Shape2(m, n), ir.Shape3(m, n, 1), ir.Shape3(m, n, heads)}[g.Intn(3)])
		}
		return layerOf(params, in...)
	},
	"RotaryEmbed": func(g gridRand) gridLayer {
		w, h := 2*g.size(), g.size()
		return layerOf(fmt.Sprintf("0=%d", g.Intn(2)), ir.Shape3(w, h, g.upTo(5)), ir.Shape2(w/2, h), ir.Shape2(w/2, h))
	},
	"DeformableConv2D": func(g gridRand) gridLayer {
		window, kernel := g.window(2)
		in, o := g.image(2, g.size()), g.size()
		n := product(kernel)
		w, h := g.upTo(9), g.upTo(9) // the right ones come up in time
		l := layerOf(fmt.Sprintf("0=%d 5=%d 6=%d%s%s", o, g.Intn(2), o*in.C*n, window, g.activation()), in, ir.Shape3(w, h, 2*n))
		if g.Intn(2) == 0 {
			l.in = append(l.in, ir.Shape3(w, h, n))
		}
		return l
	},
	"GridSample": func(g gridRand) gridLayer {
		axes, fused := 2+g.Intn(2), g.Intn(2)
		in := g.image(axes, g.size())
		size := []int{g.upTo(9), g.upTo(9), g.upTo(4)}[:axes]
		grid := append([]int{axes}, size...) // outermost axis first
		if fused == 0 {
			grid = append(size, axes)
		}
		return layerOf(fmt.Sprintf("0=%d 1=%d 2=%d 3=%d", g.upTo(3), g.upTo(3), g.Intn(2), fused), in, ir.FromAxes(grid))
	},
	"Interp": func(g gridRand) gridLayer {
		in := []ir.Shape{ir.Shape2(g.size(), g.size()), g.image(2, g.size()), g.image(2, g.size())}[g.Intn(3)]
		target := fmt.Sprintf("3=%d 4=%d", g.upTo(20), g.upTo(20))
		if g.Intn(3) == 0 {
			target = g.pick("1=2.0 2=2.0", "1=0.5 2=0.5", "1=1.5 2=3.0", "1=0.75 2=0.75")
		}
		return layerOf(fmt.Sprintf("0=%d %s 6=%d", g.upTo(3), target, g.Intn(2)), in)
	},
	"Padding": func(g gridRand) gridLayer {
		in := g.any()
		params := fmt.Sprintf("4=%d 5=0.5", g.Intn(3))
		for _, id := range []int{0, 1, 2, 3, 7, 8}[:min(6, 2*g.upTo(3))] {
			params += fmt.Sprintf(" %d=%d", id, g.Intn(4))
		}
		if in.Dims == 3 && g.Intn(3) == 0 {
			params = fmt.Sprintf("0=%d 1=%d 2=%d 3=%d 6=%d", g.Intn(4), g.Intn(4), g.Intn(4), g.Intn(4), in.C)
		}
		return layerOf(params, in)
	},
	"Unfold": func(g gridRand) gridLayer {
		window, _ := g.window(2)
		return layerOf(strings.TrimSpace(window), g.image(2, g.size()))
	},
	"Fold": func(g gridRand) gridLayer {
		window, kernel := g.window(2)
		return layerOf(fmt.Sprintf("20=%d 21=%d%s", g.upTo(9), g.upTo(9), window), ir.Shape2(g.upTo(81), g.size()*product(kernel)))
	},
	"PSROIPooling": func(g gridRand) gridLayer {
		w, h, n := g.upTo(4), g.upTo(4), g.upTo(4)
		return layerOf(fmt.Sprintf("0=%d 1=%d 2=0.5 3=%d", w, h, n), g.image(2, w*h*n), ir.Shape1(4))
	},
	"ROIPooling": func(g gridRand) gridLayer {
		return layerOf(fmt.Sprintf("0=%d 1=%d 2=0.5", g.upTo(4), g.upTo(4)), g.image(2, g.size()), ir.Shape1(4))
	},
	"ROIAlign": func(g gridRand) gridLayer {
		return layerOf(fmt.Sprintf("0=%d 1=%d 2=0.5 3=%d 4=%d 5=1", g.upTo(4), g.upTo(4), g.Intn(3), g.Intn(2)), g.image(2, g.size()), ir.Shape1(4))
	},
	"MemoryData": func(g gridRand) gridLayer {
		s := g.any()
		params := fmt.Sprintf("0=%d", s.W)
		for _, p := range []struct{ dims, id, n int }{{2, 1, s.H}, {4, 11, s.D}, {3, 2, s.C}} {
			if s.Dims >= p.dims {
				params += fmt.Sprintf(" %d=%d", p.id, p.n)
			}
		}
		return layerOf(params)
	},
	"Spectrogram": func(g gridRand) gridLayer {
		n := 4 + g.Intn(14)
		return layerOf(fmt.Sprintf("0=%d 1=%d 2=%d 3=%d 4=%d 5=%d 6=%d 7=%d 8=%d", n, g.Intn(3), g.upTo(n), g.upTo(n), g.Intn(3), g.Intn(2), g.Intn(3), g.Intn(3), g.Intn(2)),
			ir.Shape1(n+g.Intn(50)))
	},
	"InverseSpectrogram": func(g gridRand) gridLayer {
		n := 4 + g.Intn(14)
		hop := g.upTo(n / 2)
		return layerOf(fmt.Sprintf("0=%d 1=%d 2=%d 3=%d 4=%d 5=%d 7=%d", n, g.Intn(3), hop, n, g.Intn(3), g.Intn(2), g.Intn(3)), ir.Shape3(2, g.upTo(9), n))
	},
	"Quantize": quantized("0=S", "Dequantize"), "Dequantize": quantized("0=S 1=B", ""), "Requantize": quantized("0=S 1=S 2=B", "Dequantize"),
	"Reorg": func(g gridRand) gridLayer {
		return layerOf(fmt.Sprintf("0=2 1=%d", g.Intn(2)), ir.Shape3(2*g.upTo(5), 2*g.upTo(5), g.size()))
	},
	"PixelShuffle": func(g gridRand) gridLayer {
		k := g.upTo(3)
		return layerOf(fmt.Sprintf("0=%d 1=%d", k, g.Intn(2)), g.image(2, k*k*g.upTo(9)))
	},
}

// dedupe keeps the last of parameters with the same id.
func dedupe(params string) string {
	words, last := strings.Fields(params), map[string]string{}
	for _, w := range words {
		id, v, _ := strings.Cut(w, "=")
		last[id] = v
	}
	var kept []string
	for _, w := range words {
		if id, _, _ := strings.Cut(w, "="); last[id] != "" {
			kept = append(kept, id+"="+last[id])
			delete(last, id)
		}
	}
	return strings.Join(kept, " ")
}
