package layer

import (
	"fmt"

	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/diag"
)

// window is the geometry of a layer that slides a kernel over w, h and d; axes
// that a layer type does not have are 1 long. Index 0 is w, 1 is h, 2 is d.
type window struct {
	axes                     int // 1 to 3
	kernel, dilation, stride [3]int
	before, after            [3]int // pads, or -233 / -234 in all of them
	in, out                  [3]int // filled by resolve
}

// Padding by these numbers on all sides means "as much as keeps the size".
const (
	sameUpper = -233 // the odd cell after
	sameLower = -234 // the odd cell before
)

// windowOf reads the parameters that all convolutions number alike.
func windowOf(l *ir.Layer, axes int) window {
	p := l.Params
	g := window{axes: axes}
	for i := range 3 {
		g.kernel[i], g.dilation[i], g.stride[i] = 1, 1, 1
		g.in[i], g.out[i] = 1, 1
	}
	for i := range axes {
		id := 10 * i
		if i == 0 {
			g.kernel[0], g.dilation[0], g.stride[0] = p.Int(1, 0), p.Int(2, 1), p.Int(3, 1)
			continue
		}
		g.kernel[i] = p.Int(id+1, g.kernel[0])
		g.dilation[i] = p.Int(id+2, g.dilation[0])
		g.stride[i] = p.Int(id+3, g.stride[0])
	}
	g.before[0] = p.Int(4, 0)
	g.after[0] = p.Int(15, g.before[0])
	if axes > 1 {
		g.before[1] = p.Int(14, g.before[0])
		g.after[1] = p.Int(16, g.before[1])
	}
	if axes > 2 {
		g.before[2] = p.Int(24, g.before[0])
		g.after[2] = p.Int(17, g.before[2])
	}
	return g
}

// convParams documents what windowOf and its callers read.
func convParams(axes int, more ...ParamDef) []ParamDef {
	p := []ParamDef{
		{0, "num_output", Int, "output channels"},
		{1, "kernel_w", Int, ""},
		{2, "dilation_w", Int, "default 1"},
		{3, "stride_w", Int, "default 1"},
		{4, "pad_left", Int, "default 0; -233 on all sides: SAME_UPPER, -234: SAME_LOWER"},
		{5, "bias_term", Int, "1: a bias per output channel follows the weights"},
		{6, "weight_data_size", Int, "number of weights"},
		{9, "activation_type", Int, "0 none, 1 relu, 2 leaky relu, 3 clip, 4 sigmoid, 5 mish, 6 hard swish"},
		{10, "activation_params", FloatArray, "leaky: slope; clip: min, max; hard swish: alpha, beta"},
		{15, "pad_right", Int, "default pad_left"},
	}
	if axes > 1 {
		p = append(p,
			ParamDef{11, "kernel_h", Int, "default kernel_w"},
			ParamDef{12, "dilation_h", Int, "default dilation_w"},
			ParamDef{13, "stride_h", Int, "default stride_w"},
			ParamDef{14, "pad_top", Int, "default pad_left"},
			ParamDef{16, "pad_bottom", Int, "default pad_top"})
	}
	if axes > 2 {
		p = append(p,
			ParamDef{21, "kernel_d", Int, "default kernel_w"},
			ParamDef{22, "dilation_d", Int, "default dilation_w"},
			ParamDef{23, "stride_d", Int, "default stride_w"},
			ParamDef{24, "pad_front", Int, "default pad_left"},
			ParamDef{17, "pad_behind", Int, "default pad_front"})
	}
	return append(p, more...)
}

var padValueParam = ParamDef{18, "pad_value", Float, "value of cells outside the image, default 0"}
var groupParam = ParamDef{7, "group", Int, "channel groups, default 1"}
var dynamicWeightParam = ParamDef{19, "dynamic_weight", Int, "1: weight and bias are the second and third input"}
var int8ScaleParam = ParamDef{8, "int8_scale_term", Int, "nonzero: int8 arithmetic with scales after the bias; above 100 the output is int8 too"}
var convImplParam = ParamDef{17, "impl_type", Int, "a hint to ncnn's kernel choice; ignored"}

// valid reports nonsense in the numbers.
func (g window) valid() error {
	for i := range g.axes {
		if g.kernel[i] < 1 || g.dilation[i] < 1 || g.stride[i] < 1 {
			return fmt.Errorf("kernel %d, dilation %d, stride %d on axis %s: all must be at least 1", g.kernel[i], g.dilation[i], g.stride[i], "whd"[i:i+1])
		}
		if b, a := g.before[i], g.after[i]; (b < 0 || a < 0) && !g.allPads(sameUpper) && !g.allPads(sameLower) {
			return fmt.Errorf("pads %d and %d on axis %s: must not be negative, or -233 or -234 on all sides", b, a, "whd"[i:i+1])
		}
	}
	return nil
}

func (g window) allPads(v int) bool {
	for i := range g.axes {
		if g.before[i] != v || g.after[i] != v {
			return false
		}
	}
	return true
}

// extent is how many cells the dilated kernel spans.
func (g window) extent(i int) int { return g.dilation[i]*(g.kernel[i]-1) + 1 }

// resolve turns SAME into numbers and computes the output size.
func (g *window) resolve(in [3]int) error {
	if err := g.valid(); err != nil {
		return err
	}
	g.in = in
	upper, lower := g.allPads(sameUpper), g.allPads(sameLower)
	for i := range g.axes {
		if upper || lower {
			pad := max(g.extent(i)+(in[i]-1)/g.stride[i]*g.stride[i]-in[i], 0)
			g.before[i], g.after[i] = pad/2, pad-pad/2
			if lower {
				g.before[i], g.after[i] = g.after[i], g.before[i]
			}
		}
		n := in[i] + g.before[i] + g.after[i] - g.extent(i)
		if n < 0 {
			return fmt.Errorf("kernel spans %d cells on axis %s, which has %d with padding", g.extent(i), "whd"[i:i+1], in[i]+g.before[i]+g.after[i])
		}
		g.out[i] = n/g.stride[i] + 1
	}
	return nil
}

// padded reports whether any pad is not zero, after resolve.
func (g window) padded() bool {
	for i := range g.axes {
		if g.before[i] != 0 || g.after[i] != 0 {
			return true
		}
	}
	return false
}

// taps is the number of kernel cells.
func (g window) taps() int { return g.kernel[0] * g.kernel[1] * g.kernel[2] }

// spatial is a blob's w, h, d and channels as a layer over so many axes sees
// them: rank 2 is (w, channels) for one axis, rank 3 (w,h,c), rank 4 (w,h,d,c).
func spatial(s ir.Shape, axes int) (size [3]int, c int, err error) {
	if s.Dims != axes+1 {
		return size, 0, fmt.Errorf("input of rank %d, needs %d", s.Dims, axes+1)
	}
	switch axes {
	case 1:
		return [3]int{s.W, 1, 1}, s.H, nil
	case 2:
		return [3]int{s.W, s.H, 1}, s.C, nil
	}
	return [3]int{s.W, s.H, s.D}, s.C, nil
}

// shaped is the inverse of spatial.
func shaped(size [3]int, c, axes int) ir.Shape {
	switch axes {
	case 1:
		return ir.Shape2(size[0], c)
	case 2:
		return ir.Shape3(size[0], size[1], c)
	}
	return ir.Shape4(size[0], size[1], size[2], c)
}

// conv is a convolution with everything known but the weights' values.
type conv struct {
	window
	inC, outC, group int
	padValue         float64
}

// convOf reads a convolution and resolves it for its input. weight is the shape
// of the dynamic weight blob (w,h,d/group.. as ncnn lays it out), or nil.
func convOf(l *ir.Layer, in ir.Shape, axes, group int, weight *ir.Shape) (conv, error) {
	c := conv{window: windowOf(l, axes), outC: l.Params.Int(0, 0), group: group, padValue: float64(l.Params.Float(18, 0))}
	size, ch, err := spatial(in, axes)
	if err != nil {
		return c, err
	}
	c.inC = ch
	count := l.Params.Int(6, 0)
	if weight != nil {
		s := *weight
		if s.Dims != axes+2 {
			if !(axes == 3 && s.Dims == 4) {
				return c, fmt.Errorf("weight input of rank %d, needs %d", s.Dims, axes+2)
			}
		}
		c.outC, count = s.C, s.Len()
		c.kernel[0] = s.W
		if axes > 1 {
			c.kernel[1] = s.H
		}
	}
	if c.outC < 1 || group < 1 || ch%group != 0 || c.outC%group != 0 {
		return c, fmt.Errorf("%d input and %d output channels in %d groups", ch, c.outC, group)
	}
	if err := c.resolve(size); err != nil {
		return c, err
	}
	if want := c.outC * (ch / group) * c.taps(); count != want {
		return c, fmt.Errorf("%d weights, but %d output channels, %d input channels in %d groups and %d taps need %d", count, c.outC, ch, group, c.taps(), want)
	}
	return c, nil
}

// eval computes bias + sum over input channels and taps. weight lies as
// [outC][inC/group][taps]; bias may be nil. x and y are dense [c][d][h][w].
func (c conv) eval(x, weight, bias, y []float64) {
	taps, gi, gout := c.taps(), c.inC/c.group, c.outC/c.group
	if c.padded() && c.padValue != 0 {
		x, c = c.pad(x)
	}
	iw, ih, id := c.in[0], c.in[1], c.in[2]
	ow, oh, od := c.out[0], c.out[1], c.out[2]
	for o := range c.outC {
		plane := y[o*od*oh*ow:][:od*oh*ow]
		if bias != nil {
			for i := range plane {
				plane[i] = bias[o]
			}
		} else {
			clear(plane)
		}
		for q := range gi {
			in := x[(o/gout*gi+q)*id*ih*iw:][:id*ih*iw]
			for k := range taps {
				kx, ky, kz := k%c.kernel[0], k/c.kernel[0]%c.kernel[1], k/c.kernel[0]/c.kernel[1]
				wt := weight[(o*gi+q)*taps+k]
				// Columns xo whose cell lies in the image.
				dx := kx*c.dilation[0] - c.before[0]
				first, last := 0, ow-1
				for first < ow && first*c.stride[0]+dx < 0 {
					first++
				}
				for last >= 0 && last*c.stride[0]+dx >= iw {
					last--
				}
				for z := range od {
					zi := z*c.stride[2] + kz*c.dilation[2] - c.before[2]
					if zi < 0 || zi >= id {
						continue
					}
					for r := range oh {
						ri := r*c.stride[1] + ky*c.dilation[1] - c.before[1]
						if ri < 0 || ri >= ih || last < first {
							continue
						}
						out := plane[(z*oh+r)*ow:][:last+1]
						row := in[(zi*ih+ri)*iw:][:iw]
						if c.stride[0] == 1 {
							row = row[first+dx:]
							for i := range out[first:] {
								out[first+i] += wt * row[i]
							}
							continue
						}
						for i := first; i <= last; i++ {
							out[i] += wt * row[i*c.stride[0]+dx]
						}
					}
				}
			}
		}
	}
}

// pad makes the padded image explicit, so that its border may hold padValue.
func (c conv) pad(x []float64) ([]float64, conv) {
	var n [3]int
	for i := range n {
		n[i] = c.before[i] + c.in[i] + c.after[i]
	}
	p := make([]float64, c.inC*n[0]*n[1]*n[2])
	for i := range p {
		p[i] = c.padValue
	}
	for q := range c.inC {
		for z := range c.in[2] {
			for r := range c.in[1] {
				copy(p[((q*n[2]+z+c.before[2])*n[1]+r+c.before[1])*n[0]+c.before[0]:], x[((q*c.in[2]+z)*c.in[1]+r)*c.in[0]:][:c.in[0]])
			}
		}
	}
	c.in, c.before, c.after = n, [3]int{}, [3]int{}
	return p, c
}

// checkConv reports what is wrong with a convolution whatever its input.
func checkConv(axes int) func(l *ir.Layer, d *diag.List) {
	return func(l *ir.Layer, d *diag.List) {
		if l.Params.Int(19, 0) == 0 {
			if err := windowOf(l, axes).valid(); err != nil {
				d.Layerf(l, "%v", err)
			}
			if l.Params.Int(0, 0) < 1 {
				d.Layerf(l, "num_output is %d", l.Params.Int(0, 0))
			}
		}
		if _, _, err := activation(l, 9, 10); err != nil {
			d.Layerf(l, "%v", err)
		}
	}
}

// convWeights lists weight and bias, and for int8 the scales: perGroup says that
// weights have one scale per group and not per output.
func convWeights(l *ir.Layer, perGroup bool) []WeightDef {
	p := l.Params
	if p.Int(19, 0) != 0 {
		return nil
	}
	w := []WeightDef{{Name: "weight", Count: p.Int(6, 0), Tagged: true}}
	if p.Int(5, 0) != 0 {
		w = append(w, WeightDef{Name: "bias", Count: p.Int(0, 0)})
	}
	term := p.Int(8, 0)
	if term == 0 {
		return w
	}
	n := p.Int(0, 0)
	if perGroup {
		n = p.Int(7, 1)
		if term%100 == 2 {
			n = 1
		}
	}
	w = append(w, WeightDef{Name: "weight_scales", Count: n}, WeightDef{Name: "input_scale", Count: 1})
	if term > 100 {
		w = append(w, WeightDef{Name: "output_scale", Count: 1})
	}
	return w
}

// convOperands finds a convolution's weights, in the file or among the inputs.
func convOperands(c *EvalCall) (weight, bias []float64, err error) {
	p := c.Layer.Params
	if p.Int(19, 0) != 0 {
		weight = c.In[1].Data
		if p.Int(5, 0) != 0 {
			bias = c.In[2].Data
		}
		return weight, bias, nil
	}
	if weight, err = c.Weight("weight"); err != nil {
		return nil, nil, err
	}
	if p.Int(5, 0) != 0 {
		bias, err = c.Weight("bias")
	}
	return weight, bias, err
}

// weightShape is the shape of a dynamic weight blob, or nil.
func weightShape(l *ir.Layer, in []ir.Shape) (*ir.Shape, error) {
	if l.Params.Int(19, 0) == 0 {
		return nil, nil
	}
	if len(in) < 2 || l.Params.Int(5, 0) != 0 && len(in) < 3 {
		return nil, fmt.Errorf("dynamic_weight needs weight and bias as inputs, found %d inputs", len(in))
	}
	return &in[1], nil
}

func shapes(ts []Tensor) []ir.Shape {
	s := make([]ir.Shape, len(ts))
	for i, t := range ts {
		s[i] = t.Shape
	}
	return s
}

// evalConv is the Eval of all convolutions: float or int8.
func evalConv(axes int, group func(l *ir.Layer) int) func(c *EvalCall) error {
	return func(c *EvalCall) error {
		ws, err := weightShape(c.Layer, shapes(c.In))
		if err != nil {
			return err
		}
		g, err := convOf(c.Layer, c.In[0].Shape, axes, group(c.Layer), ws)
		if err != nil {
			return err
		}
		weight, bias, err := convOperands(c)
		if err != nil {
			return err
		}
		act, err := activationEval(c.Layer, 9, 10)
		if err != nil {
			return err
		}
		if c.Layer.Params.Int(8, 0) != 0 {
			return evalConvInt8(c, g, weight, bias, act)
		}
		y := c.Out[0].Data
		g.eval(c.In[0].Data, weight, bias, y)
		for i := range y {
			y[i] = act(y[i])
		}
		return nil
	}
}

func oneGroup(*ir.Layer) int { return 1 }

func paramGroup(l *ir.Layer) int { return l.Params.Int(7, 1) }

// shapeConv is the shape rule of all convolutions.
func shapeConv(axes int, group func(l *ir.Layer) int) func(c *ShapeCall) ([]ir.Shape, error) {
	return func(c *ShapeCall) ([]ir.Shape, error) {
		ws, err := weightShape(c.Layer, c.In)
		if err != nil {
			return nil, err
		}
		g, err := convOf(c.Layer, c.In[0], axes, group(c.Layer), ws)
		if err != nil {
			return nil, err
		}
		return one(shaped(g.out, g.outC, axes)), nil
	}
}
