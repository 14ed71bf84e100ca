package layer

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/diag"
	"github.com/flexnnc/flexnnc/ir/lane"
	"github.com/flexnnc/flexnnc/ir/op"
)

func init() {
	params := []ParamDef{
		{0, "n_fft", Int, ""}, {2, "hoplen", Int, "default n_fft/4"}, {3, "winlen", Int, "default n_fft"},
		{4, "window_type", Int, "0 ones, 1 hann, 2 hamming"}, {5, "center", Int, "1 (default): frames are centred"},
		{7, "normalized", Int, "1 by sqrt(n_fft), 2 by the window's norm"},
	}
	check := func(l *ir.Layer, d *diag.List) {
		if s := stftOf(l); s.n < 1 || s.hop < 1 || s.window < 1 || s.window > s.n {
			d.Layerf(l, "n_fft %d, hoplen %d, winlen %d", s.n, s.hop, s.window)
		} else if s.n > longestTransform {
			d.Layerf(l, "n_fft %d is more than %d", s.n, longestTransform)
		}
	}
	Register(&Def{
		Type: "Spectrogram", Index: 105, MinIn: 1, MaxIn: 1, MinOut: 1, MaxOut: 1,
		Params: append([]ParamDef{
			{1, "power", Int, "0 complex, 1 magnitude, 2 power"},
			{6, "pad_type", Int, "0 constant, 1 replicate, 2 reflect (default)"}, {8, "onesided", Int, "default 1"},
		}, params...),
		Check: check,
		Shape: func(c *ShapeCall) ([]ir.Shape, error) {
			s := stftOf(c.Layer)
			frames := s.frames(c.In[0].W)
			if c.In[0].Dims != 1 || frames < 1 || s.center && c.Layer.Params.Int(6, 2) == 2 && s.n/2 >= c.In[0].W {
				return nil, fmt.Errorf("input %v is too short for frames of %d", c.In[0], s.n)
			}
			if c.Layer.Params.Int(1, 0) == 0 {
				return one(ir.Shape3(2, frames, s.freqs)), nil
			}
			return one(ir.Shape2(frames, s.freqs)), nil
		},
		Eval: func(c *EvalCall) error {
			s, x := stftOf(c.Layer), c.In[0].Data
			if s.center {
				pad := s.n / 2
				y := make([]float64, len(x)+2*pad)
				for i := range y {
					k := i - pad
					switch mode := c.Layer.Params.Int(6, 2); {
					case k >= 0 && k < len(x):
					case mode == 0:
						continue
					case mode == 1:
						k = min(max(k, 0), len(x)-1)
					case k < 0:
						k = -k
					default:
						k = 2*(len(x)-1) - k
					}
					y[i] = x[k]
				}
				x = y
			}
			w := s.weights()
			frames := s.frames(len(c.In[0].Data))
			for f := range s.freqs {
				for t := range frames {
					re, im := 0.0, 0.0
					for k := range s.n {
						re += x[t*s.hop+k] * w[2*f*s.n+k]
						im += x[t*s.hop+k] * w[(2*f+1)*s.n+k]
					}
					at := f*frames + t
					switch c.Layer.Params.Int(1, 0) {
					case 0:
						c.Out[0].Data[2*at], c.Out[0].Data[2*at+1] = re, im
					case 1:
						c.Out[0].Data[at] = math.Hypot(re, im)
					default:
						c.Out[0].Data[at] = re*re + im*im
					}
				}
			}
			return nil
		},
		Lower: lowerSpectrogram,
	})
	Register(&Def{
		Type: "InverseSpectrogram", Index: 106, MinIn: 1, MaxIn: 1, MinOut: 1, MaxOut: 1,
		Params: append([]ParamDef{{1, "returns", Int, "0 (default) complex, 1 real, 2 imaginary"}}, params...),
		Check:  check,
		Shape: func(c *ShapeCall) ([]ir.Shape, error) {
			s, in := stftOf(c.Layer), c.In[0]
			if in.Dims != 3 || in.W != 2 || in.C != s.n && in.C != s.n/2+1 {
				return nil, fmt.Errorf("input %v is not a spectrum of %d points", in, s.n)
			}
			n := s.length(in.H)
			if c.Layer.Params.Int(1, 0) == 0 {
				return one(ir.Shape2(2, n)), nil
			}
			return one(ir.Shape1(n)), nil
		},
		Eval:  evalInverseSpectrogram,
		Lower: lowerInverseSpectrogram,
	})
}

// longestTransform bounds n_fft: a transform is a matrix of about its square.
const longestTransform = 1 << 13

// stft are the numbers of a short-time Fourier transform.
type stft struct {
	n, hop, window, freqs int
	center                bool
	kind, normalized      int
}

func stftOf(l *ir.Layer) stft {
	p := l.Params
	s := stft{n: p.Int(0, 0), kind: p.Int(4, 0), center: p.Int(5, 1) != 0, normalized: p.Int(7, 0)}
	s.hop, s.window = p.Int(2, s.n/4), p.Int(3, s.n)
	s.freqs = s.n
	if p.Int(8, 1) != 0 {
		s.freqs = s.n/2 + 1
	}
	return s
}

// frames is the number of frames of a signal of so many samples.
func (s stft) frames(samples int) int {
	if s.center {
		samples += s.n / 2 * 2
	}
	if samples < s.n {
		return 0
	}
	return (samples-s.n)/s.hop + 1
}

// length is the number of samples that frames make.
func (s stft) length(frames int) int {
	if s.center {
		return (frames-1)*s.hop + s.n%2
	}
	return (frames-1)*s.hop + s.n
}

// shape is the window, centred in n points, and its norm.
func (s stft) shape() (w []float64, norm float64) {
	w = make([]float64, s.n)
	for i := range s.window {
		c := math.Cos(2 * math.Pi * float64(i) / float64(s.window))
		v := 1.0
		switch s.kind {
		case 1:
			v = 0.5 * (1 - c)
		case 2:
			v = 0.54 - 0.46*c
		}
		w[(s.n-s.window)/2+i] = v
		norm += v * v
	}
	return w, math.Sqrt(norm)
}

// weights are the transform as a matrix: rows 2f and 2f+1 give the real and the
// imaginary part of frequency f, window and normalisation included.
func (s stft) weights() []float64 {
	window, norm := s.shape()
	factor := 1.0
	switch s.normalized {
	case 1:
		factor = 1 / math.Sqrt(float64(s.n))
	case 2:
		factor = 1 / norm
	}
	w := make([]float64, 2*s.freqs*s.n)
	for f := range s.freqs {
		for k := range s.n {
			angle := 2 * math.Pi * float64(f*k%s.n) / float64(s.n)
			w[2*f*s.n+k] = factor * window[k] * math.Cos(angle)
			w[(2*f+1)*s.n+k] = -factor * window[k] * math.Sin(angle)
		}
	}
	return w
}

// lowerSpectrogram is a convolution of the signal with the transform's rows.
func lowerSpectrogram(b *Builder) error {
	l := b.Layer
	s := stftOf(l)
	x := b.Any(0).Tensor
	samples := x.Len()
	x = b.View(x, l.Name+"/signal", []int{samples})
	if pad := s.n / 2; s.center && pad > 0 {
		padded := b.NewTensor(l.Name+"/padded", op.F32, []int{samples + 2*pad})
		b.padCall(l.Params.Int(6, 2), 0, []int{samples}, []int{pad}, []int{pad}, padded, x)
		samples += 2 * pad
		x = padded
	}
	x = b.View(x, l.Name+"/line", []int{1, samples, 1})
	frames := (samples-s.n)/s.hop + 1
	weight := computedWeight(l.Name+"/transform", 2*s.freqs*s.n, ir.StoreF32, func() ([]byte, error) {
		var data []byte
		for _, v := range s.weights() {
			data = binary.LittleEndian.AppendUint32(data, math.Float32bits(float32(v)))
		}
		return data, nil
	})
	y := b.NewTensor(l.Name+"/complex", op.F32, []int{1, frames, 2 * s.freqs})
	b.Add(&op.Op{Kind: op.Conv, In: []*op.Tensor{x}, Out: []*op.Tensor{y},
		Conv: &op.ConvAttr{InH: 1, InW: samples, InC: 1, OutH: 1, OutW: frames, OutC: 2 * s.freqs,
			KH: 1, KW: s.n, SH: 1, SW: s.hop, DH: 1, DW: 1},
		Panels: &op.Panels{Name: l.Name, N: 2 * s.freqs, Taps: s.n, Chans: 1, Type: op.F32, Weight: weight},
	})
	blob := l.Outputs[0]
	pairs := b.View(y, l.Name+"/pairs", []int{frames, s.freqs, 2})
	power := l.Params.Int(1, 0)
	if power == 0 { // pairs is [h,c,w] of the output
		v := b.Permute(Value{Tensor: pairs, Shape: ir.FromAxes(pairs.Dims)}, blob.Name, []int{1, 0, 2}, Planar)
		b.Set(0, v)
		return nil
	}
	part := []int{frames, s.freqs, 1}
	// The parts lie apart: bring each together before arithmetic.
	halves := b.Transpose(pairs, l.Name+"/parts", []int{2, 0, 1})
	re := b.Window(halves, l.Name+"/re", []int{0, 0, 0}, []int{1, frames, s.freqs})
	im := b.Window(halves, l.Name+"/im", []int{1, 0, 0}, []int{1, frames, s.freqs})
	out := b.NewTensor(l.Name+"/power", op.F32, []int{1, part[0], part[1]})
	name := "square_sum_of_two"
	if power == 1 {
		name = "magnitude"
	}
	p := lane.New(name)
	a := p.Vec()
	c := p.Vec()
	r := p.FMA(c, c, p.Mul(a, a))
	if power == 1 {
		r = p.Sqrt(r)
	}
	b.Map(p.Return(r), out, re, im)
	b.Set(0, Value{Tensor: b.View(out, blob.Name, []int{frames, s.freqs}), Shape: blob.Shape, Layout: ChannelsLast})
	return nil
}

func evalInverseSpectrogram(c *EvalCall) error {
	s, in := stftOf(c.Layer), c.In[0]
	frames, n := in.Shape.H, s.n
	window, norm := s.shape()
	factor := 1 / float64(n)
	switch s.normalized {
	case 1:
		factor *= math.Sqrt(float64(n))
	case 2:
		factor *= norm
	}
	length := s.length(frames)
	re, im, weight := make([]float64, length), make([]float64, length), make([]float64, length)
	at := func(k, t int) (float64, float64) {
		if k < in.Shape.C {
			return *in.At(k, 0, t, 0), *in.At(k, 0, t, 1)
		}
		return *in.At(n-k, 0, t, 0), -*in.At(n-k, 0, t, 1)
	}
	for t := range frames {
		for i := range n {
			o := t*s.hop + i
			if s.center {
				o -= n / 2
			}
			if o < 0 || o >= length {
				continue
			}
			sumRe, sumIm := 0.0, 0.0
			for k := range n {
				x, y := at(k, t)
				sin, cos := math.Sincos(2 * math.Pi * float64(i*k%n) / float64(n))
				sumRe += x*cos - y*sin
				sumIm += x*sin + y*cos
			}
			re[o] += sumRe * factor * window[i]
			im[o] += sumIm * factor * window[i]
			weight[o] += window[i] * window[i]
		}
	}
	for o := range length {
		f := 1.0
		if weight[o] != 0 {
			f = 1 / weight[o]
		}
		switch c.Layer.Params.Int(1, 0) {
		case 0:
			c.Out[0].Data[2*o], c.Out[0].Data[2*o+1] = re[o]*f, im[o]*f
		case 1:
			c.Out[0].Data[o] = re[o] * f
		default:
			c.Out[0].Data[o] = im[o] * f
		}
	}
	return nil
}

// lowerInverseSpectrogram is a product with the inverse transform's rows, which
// gives the samples of each frame, then the sum of what overlaps, over the
// window's weight.
func lowerInverseSpectrogram(b *Builder) error {
	l := b.Layer
	s, v := stftOf(l), b.Any(0)
	frames, freqs := v.Shape.H, v.Shape.C
	parts := 1 // of each sample
	returns := l.Params.Int(1, 0)
	if returns == 0 {
		parts = 2
	}
	// Rows of frames, frequencies and their parts inside.
	rows := b.Convert(b.Permute(v, l.Name+"/rows", []int{1, 0, 2}, Planar), Planar, l.Name+"/rows")
	x := b.View(rows.Tensor, l.Name+"/frames", []int{frames, 2 * freqs})
	weight := computedWeight(l.Name+"/transform", s.n*parts*2*freqs, ir.StoreF32, func() ([]byte, error) {
		var data []byte
		for _, v := range s.inverse(freqs, returns) {
			data = binary.LittleEndian.AppendUint32(data, math.Float32bits(float32(v)))
		}
		return data, nil
	})
	y := b.NewTensor(l.Name+"/samples", op.F32, []int{frames, s.n * parts})
	b.Add(&op.Op{Kind: op.Conv, In: []*op.Tensor{x}, Out: []*op.Tensor{y},
		Conv: &op.ConvAttr{InH: 1, InW: frames, InC: 2 * freqs, OutH: 1, OutW: frames, OutC: s.n * parts,
			KH: 1, KW: 1, SH: 1, SW: 1, DH: 1, DW: 1},
		Panels: &op.Panels{Name: l.Name, N: s.n * parts, Taps: 1, Chans: 2 * freqs, Type: op.F32, Weight: weight},
	})
	out := b.Output(0, Planar)
	window, _ := s.shape()
	factor := make([]float32, out.Len())
	sums := make([]float64, out.Len()/parts)
	for t := range frames {
		for i := range s.n {
			o := t*s.hop + i
			if s.center {
				o -= s.n / 2
			}
			if o < 0 || o >= len(sums) {
				continue
			}
			sums[o] += window[i] * window[i]
		}
	}
	for i := range factor {
		if factor[i] = 1; sums[i/parts] != 0 {
			factor[i] = float32(1 / sums[i/parts])
		}
	}
	pad := 0
	if s.center {
		pad = s.n / 2
	}
	sum := b.NewTensor(l.Name+"/overlap", op.F32, out.Dims)
	b.Call("fold", []int{parts, 1, len(sums), 1, frames, 1, s.n, 1, s.hop, 1, 1, 0, pad, 1, parts, s.n * parts, 1, len(sums) * parts, parts},
		nil, []*op.Tensor{sum}, y)
	binaryMap(b, binaryOps[2], out, sum, b.FixedConst("inverse_weight", out.Dims, factor))
	return nil
}

// inverse is the inverse transform as a matrix [n*parts][freqs*2], window and
// normalisation included. Frequencies that are not given mirror those that are.
func (s stft) inverse(freqs, returns int) []float64 {
	window, norm := s.shape()
	factor := 1 / float64(s.n)
	switch s.normalized {
	case 1:
		factor *= math.Sqrt(float64(s.n))
	case 2:
		factor *= norm
	}
	var w []float64
	for i := range s.n {
		re, im := make([]float64, 2*freqs), make([]float64, 2*freqs)
		for k := range s.n {
			sin, cos := math.Sincos(2 * math.Pi * float64(i*k%s.n) / float64(s.n))
			f, sign := k, 1.0
			if k >= freqs {
				f, sign = s.n-k, -1
			}
			g := factor * window[i]
			re[2*f] += g * cos
			re[2*f+1] -= g * sin * sign
			im[2*f] += g * sin
			im[2*f+1] += g * cos * sign
		}
		switch returns {
		case 0:
			w = append(append(w, re...), im...)
		case 1:
			w = append(w, re...)
		default:
			w = append(w, im...)
		}
	}
	return w
}
