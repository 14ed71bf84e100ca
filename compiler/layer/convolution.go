package layer

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/lane"
	"github.com/flexnnc/flexnnc/ir/op"
)

func init() {
	Register(&Def{
		Type: "Convolution", Index: 6, MinIn: 1, MaxIn: 3, MinOut: 1, MaxOut: 1,
		Params:  convParams(2, int8ScaleParam, convImplParam, padValueParam, dynamicWeightParam),
		Check:   checkConv(2),
		Weights: func(l *ir.Layer) []WeightDef { return convWeights(l, false) },
		Shape: func(c *ShapeCall) ([]ir.Shape, error) {
			if convOfVector(c.Layer, c.In[0]) {
				return one(ir.Shape1(c.Layer.Params.Int(0, 0))), nil
			}
			return shapeConv(2, oneGroup)(c)
		},
		Eval: func(c *EvalCall) error {
			if !convOfVector(c.Layer, c.In[0].Shape) {
				return evalConv(2, oneGroup)(c)
			}
			v := *c
			v.Layer = plainConv(c.Layer)
			v.In = append([]Tensor{}, c.In...)
			v.In[0].Shape = ir.Shape3(1, 1, v.In[0].Shape.W)
			return evalConv(2, oneGroup)(&v)
		},
		Lower: func(b *Builder) error {
			v := b.Any(0)
			if convOfVector(b.Layer, v.Shape) {
				s := ir.Shape3(1, 1, v.Shape.W)
				v = Value{Tensor: b.View(v.Tensor, b.Layer.Inputs[0].Name+"/image", []int{1, 1, s.C}), Shape: s, Layout: ChannelsLast}
				b = &Builder{plainConv(b.Layer), b.Lowering}
			}
			return lowerConv(b, v, 2, 1)
		},
	})
}

// convOfVector is ncnn's special case of a 1x1 convolution on a blob of rank 1,
// which is an inner product with a result of rank 1.
func convOfVector(l *ir.Layer, in ir.Shape) bool {
	g := windowOf(l, 2)
	return in.Dims == 1 && g.taps() == 1 && l.Params.Int(0, 0)*in.W == l.Params.Int(6, 0)
}

// plainConv is the layer without pads, strides and dilations, which mean nothing to
// an inner product.
func plainConv(l *ir.Layer) *ir.Layer {
	plain := *l
	plain.Params = nil
	for _, p := range l.Params {
		switch p.ID {
		case 0, 1, 5, 6, 8, 9, 10, 11:
			plain.Params = append(plain.Params, p)
		}
	}
	return &plain
}

// lowerConv lowers a convolution over one or two axes: as it is, as a depthwise
// one, or as one convolution per group on windows of the channels.
func lowerConv(b *Builder, v Value, axes, group int) error {
	l := b.Layer
	if l.Params.Int(19, 0) != 0 {
		return lowerDynamicConv(b, v, axes, group)
	}
	c, err := convOf(l, v.Shape, axes, group, nil)
	if err != nil {
		return err
	}
	name := l.Inputs[0].Name
	v = b.Convert(v, ChannelsLast, name)
	x := v.Tensor
	if l.Params.Int(8, 0) != 0 && !v.Int8 && c.padded() && c.padValue != 0 { // the border is of integers
		scale, err := l.Weight("input_scale").Float32s()
		if err != nil {
			return err
		}
		x, v.Int8 = quantize(b, x, l.Name+"/quantized", scale[0]), true
	}
	if c.padded() && c.padValue != 0 {
		before, after, dims := make([]int, axes+1), make([]int, axes+1), slices.Clone(x.Dims) // h, w, channels
		for i := range axes {
			k := axes - 1 - i
			before[k], after[k] = c.before[i], c.after[i]
			dims[k] += before[k] + after[k]
		}
		pad := b.NewTensor(name+"/padded", op.F32, dims)
		b.padCall(0, float32(c.padValue), x.Dims, before, after, pad, x)
		for i := range axes {
			c.in[i] += c.before[i] + c.after[i]
			c.before[i], c.after[i] = 0, 0
		}
		x = pad
	}
	out := b.Output(0, ChannelsLast)
	panels := func(name string, n, chans, first int) *op.Panels {
		return convPanels(b, name, n, c.taps(), chans, first)
	}
	if l.Params.Int(8, 0) != 0 {
		finish, rounded, err := int8Epilogue(b)
		if err != nil {
			return err
		}
		int8, err := b.int8Of(v.Int8)
		if err != nil {
			return err
		}
		int8.rounded = rounded
		convOps(b, l.Name, c, x, out, finish, panels, int8)
		return nil
	}
	finish, err := convEpilogue(b)
	if err != nil {
		return err
	}
	convOps(b, l.Name, c, x, out, finish, panels, nil)
	return nil
}

// convOps appends the operations of a convolution over channels-last tensors:
// one, or one for each group on windows of the channels. panels makes the weights
// of n output channels from the first-th on.
func convOps(b *Builder, name string, c conv, x, out *op.Tensor, finish *lane.Program, panels func(name string, n, chans, first int) *op.Panels, int8 *int8Conv) {
	add := func(kind op.Kind, name string, a op.ConvAttr, in, out *op.Tensor, p *op.Panels) {
		if int8 != nil {
			in = b.int8Input(in, int8)
			int8.panels(b.Layer, p, c.outC, kind == op.Depthwise)
			a.InC = op.Fours(a.InC)
		}
		o := b.Add(&op.Op{Kind: kind, Name: name, In: []*op.Tensor{in}, Out: []*op.Tensor{out}, Conv: &a, Panels: p, Epilogue: finish})
		if int8 != nil {
			o.Rounded = int8.rounded
		}
	}
	attr := op.ConvAttr{
		InH: c.in[1], InW: c.in[0], InC: c.inC, OutH: c.out[1], OutW: c.out[0], OutC: c.outC,
		KH: c.kernel[1], KW: c.kernel[0], SH: c.stride[1], SW: c.stride[0], DH: c.dilation[1], DW: c.dilation[0],
		PadT: c.before[1], PadL: c.before[0],
	}
	if c.axes == 3 {
		attr.Depth = &op.Depth{In: c.in[2], Out: c.out[2], K: c.kernel[2], S: c.stride[2], D: c.dilation[2], Pad: c.before[2]}
	}
	if c.group == 1 || c.group == c.inC {
		kind, chans := op.Conv, c.inC
		if c.group > 1 {
			kind, chans, attr.Mult = op.Depthwise, 1, c.outC/c.inC
		}
		add(kind, name, attr, x, out, panels(name, c.outC, chans, 0))
		return
	}
	gi, gout := c.inC/c.group, c.outC/c.group
	joint := jointGroups(gout)
	last := len(x.Dims) - 1
	var parts []*op.Tensor
	for g := 0; g < c.group; g += joint {
		n := min(joint, c.group-g)
		tag := fmt.Sprintf("%s/group%d", name, g)
		start, dims := make([]int, last+1), append([]int{}, x.Dims...)
		start[last], dims[last] = g*gi, n*gi
		in := b.Window(x, tag+"/in", start, dims)
		dims = append([]int{}, out.Dims...)
		dims[last] = n * gout
		part := b.NewTensor(tag, op.F32, dims)
		a := attr
		a.InC, a.OutC = n*gi, n*gout
		p := panels(tag, n*gout, gi, g*gout)
		add(op.Conv, tag, a, in, part, p)
		blockDiagonal(p, n)
		parts = append(parts, part)
	}
	b.Add(&op.Op{Kind: op.Concat, Name: name + "/join", In: parts, Out: []*op.Tensor{out}, Axis: last})
}

// jointGroups is how many groups of gout output channels one convolution computes:
// as many as fill a panel, which takes the same work and the same bytes for one of
// them as for all.
func jointGroups(gout int) int { return max(1, op.PanelWidth/gout) }

// blockDiagonal makes the weights of n groups, one below the other, those of one
// convolution over the channels of all: what belongs to the others is zero.
func blockDiagonal(p *op.Panels, n int) {
	if n == 1 {
		return
	}
	w, first, run, rows := p.Weight, p.First, p.K(), p.N
	p.First, p.Chans = 0, n*p.Chans
	size, storage := 4, ir.StoreF32
	switch w.Storage {
	case ir.StoreF16:
		size, storage = 2, ir.StoreF16
	case ir.StoreI8:
		size, storage = 1, ir.StoreI8
	}
	p.Weight = computedWeight(w.Name, rows*n*run, storage, func() ([]byte, error) {
		own := make([]byte, rows*run*size)
		if w.Storage == ir.StoreTable {
			v := make([]float32, rows*run)
			if err := w.ReadFloat32(v, first); err != nil {
				return nil, err
			}
			for i, x := range v {
				binary.LittleEndian.PutUint32(own[4*i:], math.Float32bits(x))
			}
		} else if w.Source == nil {
			return nil, fmt.Errorf("weights of %q were not given", w.Name)
		} else if _, err := w.Source.ReadAt(own, w.Offset+int64(first*size)); err != nil {
			return nil, fmt.Errorf("reading %d bytes for %q: %w", len(own), w.Name, err)
		}
		data := make([]byte, n*len(own))
		for o := range rows {
			copy(data[(o*n+o/(rows/n))*run*size:], own[o*run*size:][:run*size])
		}
		return data, nil
	})
}

// convPanels are the weights of n output channels from the first-th on.
func convPanels(b *Builder, name string, n, taps, chans, first int) *op.Panels {
	l := b.Layer
	p := &op.Panels{
		Name: name, N: n, Taps: taps, Chans: chans, Type: op.F32,
		Weight: l.Weight("weight"), First: first * taps * chans,
	}
	if w := l.Weight("bias"); w != nil {
		p.Bias, p.BiasAt = w, first
	}
	return p
}

// convEpilogue is what a convolution does to each sum: its activation, nil for
// none.
func convEpilogue(b *Builder) (*lane.Program, error) {
	act, ok, err := activation(b.Layer, 9, 10)
	if err != nil || !ok {
		return nil, err
	}
	return act.program(), nil
}
