package layer

import (
	"fmt"
	"slices"

	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/diag"
	"github.com/flexnnc/flexnnc/ir/lane"
	"github.com/flexnnc/flexnnc/ir/op"
)

func init() {
	for _, t := range []struct {
		typ         string
		index, axes int
		group       func(l *ir.Layer) int
	}{
		{"Deconvolution", 8, 2, oneGroup}, {"DeconvolutionDepthWise", 51, 2, paramGroup},
		{"Deconvolution1D", 88, 1, oneGroup}, {"DeconvolutionDepthWise1D", 89, 1, paramGroup},
		{"Deconvolution3D", 90, 3, oneGroup}, {"DeconvolutionDepthWise3D", 91, 3, paramGroup},
	} {
		d := &Def{
			Type: t.typ, Index: t.index, MinIn: 1, MaxIn: 3, MinOut: 1, MaxOut: 1,
			Params: deconvParams(t.axes),
			Check: func(l *ir.Layer, d *diag.List) {
				if _, _, err := activation(l, 9, 10); err != nil {
					d.Layerf(l, "%v", err)
				}
			},
			Weights: func(l *ir.Layer) []WeightDef {
				p := l.Params
				if p.Int(28, 0) != 0 {
					return nil
				}
				w := []WeightDef{{Name: "weight", Count: p.Int(6, 0), Tagged: true}}
				if p.Int(5, 0) != 0 {
					w = append(w, WeightDef{Name: "bias", Count: p.Int(0, 0)})
				}
				return w
			},
			Shape: func(c *ShapeCall) ([]ir.Shape, error) {
				g, err := deconvOf(c.Layer, c.In, t.axes, t.group(c.Layer))
				if err != nil {
					return nil, err
				}
				return one(shaped(g.out, g.outC, t.axes)), nil
			},
			Eval: func(c *EvalCall) error { return evalDeconv(c, t.axes, t.group(c.Layer)) },
		}
		d.Lower = func(b *Builder) error { return lowerDeconv(b, t.axes, t.group(b.Layer)) }
		Register(d)
	}
}

func deconvParams(axes int) []ParamDef {
	p := convParams(axes, groupParam,
		ParamDef{18, "output_pad_right", Int, "columns added before cutting, default 0"},
		ParamDef{28, "dynamic_weight", Int, "1: weight and bias are the second and third input"})
	w, h, d := 20, 21, 27
	if axes > 1 {
		p = append(p, ParamDef{19, "output_pad_bottom", Int, "default output_pad_right"})
	}
	if axes > 2 {
		w, h = 25, 26
		p = append(p, ParamDef{20, "output_pad_behind", Int, "default output_pad_right"},
			ParamDef{d, "output_d", Int, "default output_w"})
	}
	if axes > 1 {
		p = append(p, ParamDef{h, "output_h", Int, "default output_w"})
	}
	return append(p, ParamDef{w, "output_w", Int, "size to cut to, with pads of -233 or -234"})
}

// deconv is a transposed convolution with everything known: in, out and before
// are those of the result after cutting.
type deconv struct {
	window
	inC, outC, group int
}

func deconvOf(l *ir.Layer, in []ir.Shape, axes, group int) (deconv, error) {
	p := l.Params
	g := deconv{window: windowOf(l, axes), outC: p.Int(0, 0), group: group}
	size, c, err := spatial(in[0], axes)
	if err != nil {
		return g, err
	}
	g.in, g.inC = size, c
	count := p.Int(6, 0)
	if p.Int(28, 0) != 0 {
		if len(in) < 2 || p.Int(5, 0) != 0 && len(in) < 3 {
			return g, fmt.Errorf("dynamic_weight needs weight and bias as inputs, found %d inputs", len(in))
		}
		// The blob is (kw, kh, out/group, in): input channels outermost.
		s := in[1]
		if s.Dims != axes+2 || axes == 3 {
			return g, fmt.Errorf("weight input of rank %d, needs %d", s.Dims, axes+2)
		}
		count = s.Len()
		g.kernel[0], g.outC = s.W, s.H*group
		if axes == 2 {
			g.kernel[1], g.outC = s.H, s.D*group
		}
	}
	if g.outC < 1 || group < 1 || c%group != 0 || g.outC%group != 0 {
		return g, fmt.Errorf("%d input and %d output channels in %d groups", c, g.outC, group)
	}
	if want := g.outC * (c / group) * g.taps(); count != want {
		return g, fmt.Errorf("%d weights, but %d output channels, %d input channels in %d groups and %d taps need %d", count, g.outC, c, group, g.taps(), want)
	}
	outID := [3]int{20, 21, 27}
	extraID := [3]int{18, 19, 20}
	if axes == 3 {
		outID = [3]int{25, 26, 27}
	}
	explicit, target, upper, lower := false, true, false, false
	var want [3]int
	for i := range axes {
		if g.kernel[i] < 1 || g.dilation[i] < 1 || g.stride[i] < 1 {
			return g, fmt.Errorf("kernel %d, dilation %d, stride %d: all must be at least 1", g.kernel[i], g.dilation[i], g.stride[i])
		}
		extra := p.Int(18, 0)
		want[i] = p.Int(outID[0], 0)
		if i > 0 {
			extra, want[i] = p.Int(extraID[i], extra), p.Int(outID[i], want[0])
		}
		g.out[i] = (g.in[i]-1)*g.stride[i] + g.extent(i) + extra
		explicit = explicit || g.before[i] > 0 || g.after[i] > 0
		target = target && want[i] > 0
		upper = upper || g.before[i] == sameUpper || g.after[i] == sameUpper
		lower = lower || g.before[i] == sameLower || g.after[i] == sameLower
	}
	for i := range axes {
		switch {
		case explicit:
		case target && (upper || lower):
			cut := g.out[i] - want[i]
			g.before[i], g.after[i] = cut/2, cut-cut/2
			if !upper {
				g.before[i], g.after[i] = g.after[i], g.before[i]
			}
		case target:
			return g, fmt.Errorf("output_w and output_h count only with pads of -233 or -234; ncnn leaves the output empty")
		default:
			g.before[i], g.after[i] = 0, 0
		}
		g.out[i] -= g.before[i] + g.after[i]
		if g.out[i] < 1 || g.before[i] < 0 || g.after[i] < 0 {
			return g, fmt.Errorf("cutting %d and %d cells leaves %d on axis %s", g.before[i], g.after[i], g.out[i], "whd"[i:i+1])
		}
	}
	return g, nil
}

func evalDeconv(c *EvalCall, axes, group int) error {
	l := c.Layer
	g, err := deconvOf(l, shapes(c.In), axes, group)
	if err != nil {
		return err
	}
	act, err := activationEval(l, 9, 10)
	if err != nil {
		return err
	}
	taps, gi, gout := g.taps(), g.inC/group, g.outC/group
	var weight, bias []float64
	at := func(o, q, k int) float64 { return weight[(o*gi+q)*taps+k] }
	if l.Params.Int(28, 0) != 0 {
		weight = c.In[1].Data
		at = func(o, q, k int) float64 { return weight[((o/gout*gi+q)*gout+o%gout)*taps+k] }
		if l.Params.Int(5, 0) != 0 {
			bias = c.In[2].Data
		}
	} else {
		if weight, err = c.Weight("weight"); err != nil {
			return err
		}
		if l.Params.Int(5, 0) != 0 {
			if bias, err = c.Weight("bias"); err != nil {
				return err
			}
		}
	}
	x, y := c.In[0].Data, c.Out[0].Data
	inSize, outSize := g.in[0]*g.in[1]*g.in[2], g.out[0]*g.out[1]*g.out[2]
	for o := range g.outC {
		plane := y[o*outSize:][:outSize]
		for i := range plane {
			if bias != nil {
				plane[i] = bias[o]
			}
		}
		for q := range gi {
			in := x[(o/gout*gi+q)*inSize:][:inSize]
			for k := range taps {
				w := at(o, q, k)
				kx, ky, kz := k%g.kernel[0], k/g.kernel[0]%g.kernel[1], k/g.kernel[0]/g.kernel[1]
				for i, v := range in {
					ix, iy, iz := i%g.in[0], i/g.in[0]%g.in[1], i/g.in[0]/g.in[1]
					ox := ix*g.stride[0] + kx*g.dilation[0] - g.before[0]
					oy := iy*g.stride[1] + ky*g.dilation[1] - g.before[1]
					oz := iz*g.stride[2] + kz*g.dilation[2] - g.before[2]
					if ox < 0 || oy < 0 || oz < 0 || ox >= g.out[0] || oy >= g.out[1] || oz >= g.out[2] {
						continue
					}
					plane[(oz*g.out[1]+oy)*g.out[0]+ox] += v * w
				}
			}
		}
		for i, v := range plane {
			plane[i] = act(v)
		}
	}
	return nil
}

// mostPhases is up to how many phases there is a convolution for each.
const mostPhases = 64

// phase is the part of a transposed convolution along one axis that makes every
// stride-th output cell, from cell first on: a plain convolution of stride 1 with
// some of the taps in reverse order.
type phase struct {
	taps     []int // kernel positions, by rising input position; empty: bias only
	dilation int
	skip     int // input cells before the first that is read (negative: padding)
}

func (g deconv) phase(axis, first int) phase {
	s, d := g.stride[axis], g.dilation[axis]
	p := phase{dilation: 1}
	for k := g.kernel[axis] - 1; k >= 0; k-- {
		if (first+g.before[axis]-k*d)%s == 0 {
			p.taps = append(p.taps, k)
		}
	}
	if len(p.taps) > 0 {
		p.skip = (first + g.before[axis] - p.taps[0]*d) / s
	}
	if p.skip >= g.in[axis] { // all that is cut off and more: no tap reaches the input
		return phase{dilation: 1}
	}
	if len(p.taps) > 1 {
		p.dilation = (p.taps[0] - p.taps[1]) * d / s
	}
	return p
}

// lowerDeconv makes one convolution per phase, stride times stride of them; their
// results are joined so that placement can let them write interleaved.
func lowerDeconv(b *Builder, axes, group int) error {
	l := b.Layer
	v := b.In(0, ChannelsLast)
	var in []ir.Shape
	for _, blob := range l.Inputs {
		in = append(in, blob.Shape)
	}
	g, err := deconvOf(l, in, axes, group)
	if err != nil {
		return err
	}
	finish, err := convEpilogue(b)
	if err != nil {
		return err
	}
	depthwise := axes == 3 && group > 1 && group == g.inC
	if dynamic := l.Params.Int(28, 0) != 0; dynamic || depthwise || g.stride[0]*g.stride[1]*g.stride[2] > mostPhases {
		ints, weight := append(g.ints(g.inC, g.outC, group), 0, 0), (*op.Tensor)(nil)
		if dynamic {
			ints[len(ints)-2] = 1
			weight = b.In(1, Planar).Tensor
		} else {
			weight = b.halfWeight([]int{g.outC, g.inC / group, g.taps()}, len(ints)-1)
		}
		callWithWeights(b, "deconv", ints, v.Tensor, weight, finish)
		return nil
	}
	g.lowerPhases(b, v.Tensor, finish)
	return nil
}

// lowerPhases appends the convolutions of all phases, and joins their results: cells
// to lines, lines to planes, planes to the whole.
func (g deconv) lowerPhases(b *Builder, x *op.Tensor, finish *lane.Program) {
	l := b.Layer
	sd, sh, sw := g.stride[2], g.stride[1], g.stride[0]
	d, h, w := (g.out[2]+sd-1)/sd, (g.out[1]+sh-1)/sh, (g.out[0]+sw-1)/sw
	if g.axes == 1 {
		x = b.View(x, l.Name+"/image", []int{1, g.in[0], g.inC})
	}
	dims := func(rest ...int) []int { // behind the planes, where there are some
		if g.axes == 3 {
			return append([]int{d}, rest...)
		}
		return rest
	}
	outer := len(dims())
	join := func(parts []*op.Tensor, name string, axis int, dims []int) *op.Tensor {
		if len(parts) == 1 {
			return parts[0]
		}
		t := b.NewTensor(name, op.F32, dims)
		b.Add(&op.Op{Kind: op.Concat, In: parts, Out: []*op.Tensor{t}, Axis: axis})
		return t
	}
	seen := func(t *op.Tensor, parts int, name string, dims []int) *op.Tensor {
		if parts == 1 {
			return t
		}
		return b.View(t, name, dims)
	}
	var planes []*op.Tensor
	for z := range sd {
		tag := l.Name
		if sd > 1 {
			tag = fmt.Sprintf("%s/plane%d", l.Name, z)
		}
		var lines []*op.Tensor
		for y := range sh {
			var cells []*op.Tensor
			for c := range sw {
				name := tag
				if sh*sw > 1 {
					name = fmt.Sprintf("%s/phase%d_%d", tag, y, c)
				}
				out := b.NewTensor(name, op.F32, dims(h, w, g.outC))
				g.lowerPhase(b, name, x, out, [3]phase{g.phase(0, c), g.phase(1, y), g.phase(2, z)}, finish)
				cells = append(cells, seen(out, sw, name+"/column", dims(h, w, 1, g.outC)))
			}
			line := join(cells, fmt.Sprintf("%s/line%d", tag, y), outer+2, dims(h, w, sw, g.outC))
			lines = append(lines, seen(line, sh, line.Name+"/row", dims(h, 1, w*sw*g.outC)))
		}
		plane := join(lines, tag+"/interleaved", outer+1, dims(h, sh, w*sw*g.outC))
		planes = append(planes, seen(plane, sd, plane.Name+"/part", []int{d, 1, h * sh * w * sw * g.outC}))
	}
	whole := join(planes, l.Name+"/planes", 1, []int{d, sd, h * sh * w * sw * g.outC})
	d *= sd
	if to := dims(h*sh, w*sw, g.outC); !slices.Equal(whole.Dims, to) {
		whole = b.View(whole, l.Name+"/whole", to)
	}
	if d != g.out[2] || h*sh != g.out[1] || w*sw != g.out[0] {
		d = g.out[2]
		to := dims(g.out[1], g.out[0], g.outC)
		whole = b.Window(whole, l.Name+"/cut", make([]int, len(to)), to)
	}
	blob := l.Outputs[0]
	if g.axes == 1 {
		whole = b.View(whole, blob.Name, []int{g.out[0], g.outC})
	}
	b.Set(0, Value{Tensor: whole, Shape: blob.Shape, Layout: ChannelsLast})
}

// lowerPhase appends the convolution of one phase, which is one along each axis.
func (g deconv) lowerPhase(b *Builder, name string, x, out *op.Tensor, phases [3]phase, finish *lane.Program) {
	l := b.Layer
	k := conv{inC: g.inC, outC: g.outC, group: g.group}
	k.axes = max(2, g.axes)
	k.kernel[2], k.dilation[2], k.stride[2], k.in[2], k.out[2] = 1, 1, 1, 1, 1
	start, dims := make([]int, len(x.Dims)), append([]int{}, x.Dims...)
	cut := false
	for i, p := range phases[:k.axes] {
		at := k.axes - 1 - i // of the axis in a tensor's dims
		k.kernel[i], k.dilation[i], k.stride[i] = max(len(p.taps), 1), p.dilation, 1
		k.before[i] = max(-p.skip, 0)
		start[at] = min(max(p.skip, 0), dims[at]-1)
		dims[at] -= start[at]
		k.in[i], k.out[i] = dims[at], out.Dims[at]
		cut = cut || start[at] > 0
	}
	if cut {
		x = b.Window(x, name+"/in", start, dims)
	}
	weight := g.phaseWeight(l, phases)
	convOps(b, name, k, x, out, finish, func(name string, n, chans, first int) *op.Panels {
		p := &op.Panels{
			Name: name, N: n, Taps: k.taps(), Chans: chans, Type: op.F32,
			Weight: weight, First: first * k.taps() * chans,
		}
		if w := l.Weight("bias"); w != nil {
			p.Bias, p.BiasAt = w, first
		}
		return p
	}, nil)
}

// phaseWeight is the weight blob of a phase's convolution: the phase's taps of
// every kernel, or one zero where it has none, stored as the layer's are.
func (g deconv) phaseWeight(l *ir.Layer, phases [3]phase) *ir.Weight {
	w := l.Weight("weight")
	kernels := g.outC * (g.inC / g.group)
	taps, none := 1, false
	for _, p := range phases {
		taps *= max(len(p.taps), 1)
		none = none || len(p.taps) == 0
	}
	return rearranged(w, l.Name+"/phase", kernels*taps, func(all, to []float32) {
		if none {
			return
		}
		for k := range kernels {
			for _, kz := range phases[2].taps {
				for _, ky := range phases[1].taps {
					for _, kx := range phases[0].taps {
						to[0] = all[((k*g.kernel[2]+kz)*g.kernel[1]+ky)*g.kernel[0]+kx]
						to = to[1:]
					}
				}
			}
		}
	})
}
