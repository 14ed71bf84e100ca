package layer

import (
	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/lane"
	"github.com/flexnnc/flexnnc/ir/op"
)

func init() {
	Register(&Def{
		Type: "Convolution3D", Index: 84, MinIn: 1, MaxIn: 1, MinOut: 1, MaxOut: 1,
		Params:  convParams(3, padValueParam),
		Check:   checkConv(3),
		Weights: func(l *ir.Layer) []WeightDef { return convWeights(l, false) },
		Shape:   shapeConv(3, oneGroup),
		Eval:    evalConv(3, oneGroup),
		Lower:   func(b *Builder) error { return lowerConv3D(b, 1) },
	})
	Register(&Def{
		Type: "ConvolutionDepthWise3D", Index: 85, MinIn: 1, MaxIn: 1, MinOut: 1, MaxOut: 1,
		Params:  convParams(3, groupParam, padValueParam),
		Check:   checkConv(3),
		Weights: func(l *ir.Layer) []WeightDef { return convWeights(l, true) },
		Shape:   shapeConv(3, paramGroup),
		Eval:    evalConv(3, paramGroup),
		Lower:   func(b *Builder) error { return lowerConv3D(b, paramGroup(b.Layer)) },
	})
}

// lowerConv3D makes a convolution over depth, or one per group. Depthwise ones are
// portable Go.
func lowerConv3D(b *Builder, group int) error {
	v := b.In(0, ChannelsLast)
	c, err := convOf(b.Layer, v.Shape, 3, group, nil)
	if err != nil {
		return err
	}
	if c.padded() && c.padValue != 0 {
		pad := make([]int, 4)
		after := make([]int, 4)
		dims := append([]int{}, v.Tensor.Dims...)
		for i := range 3 { // index 0 is w
			pad[2-i], after[2-i] = c.before[i], c.after[i]
			dims[2-i] += c.before[i] + c.after[i]
			c.in[i], c.before[i], c.after[i] = dims[2-i], 0, 0
		}
		padded := b.NewTensor(b.Layer.Inputs[0].Name+"/padded", op.F32, dims)
		b.padCall(0, float32(c.padValue), v.Tensor.Dims, pad, after, padded, v.Tensor)
		v.Tensor = padded
	}
	finish, err := convEpilogue(b)
	if err != nil {
		return err
	}
	if group > 1 && group == c.inC {
		ints := append(c.ints(c.inC, c.outC, group), 0)
		callWithWeights(b, "conv3d", ints, v.Tensor, b.halfWeight([]int{c.outC, 1, c.taps()}, len(ints)-1), finish)
		return nil
	}
	convOps(b, b.Layer.Name, c, v.Tensor, b.Output(0, ChannelsLast), finish, func(name string, n, chans, first int) *op.Panels {
		return convPanels(b, name, n, c.taps(), chans, first)
	}, nil)
	return nil
}

// halfWeight is the layer's weight as an array for a Call whose integer halfInt tells
// whether it is float16.
func (b *Builder) halfWeight(dims []int, halfInt int) *op.Tensor {
	t := b.WeightConst("weight", dims)
	t.Const.Half, t.Const.HalfInt = b.Layer.Weight("weight").Storage == ir.StoreF16, halfInt
	return t
}

// ints are the numbers of the calls conv3d and deconv.
func (g window) ints(in, out, group int) []int {
	n := []int{g.in[2], g.in[1], g.in[0], in, g.out[2], g.out[1], g.out[0], out}
	for _, v := range [][3]int{g.kernel, g.stride, g.dilation, g.before} {
		n = append(n, v[2], v[1], v[0])
	}
	return append(n, group)
}

// callWithWeights appends a call with input, weight and the layer's bias, in the
// file or as third input, and its activation.
func callWithWeights(b *Builder, fn string, ints []int, x, weight *op.Tensor, finish *lane.Program) {
	l := b.Layer
	in := []*op.Tensor{x, weight}
	if w := l.Weight("bias"); w != nil {
		in = append(in, b.WeightConst("bias", []int{w.Count}))
	} else if l.Params.Int(5, 0) != 0 {
		in = append(in, b.In(2, Planar).Tensor)
	}
	out := b.Output(0, ChannelsLast)
	if finish == nil {
		b.Call(fn, ints, nil, []*op.Tensor{out}, in...)
		return
	}
	sum := b.NewTensor(l.Name+"/sum", op.F32, out.Dims)
	b.Call(fn, ints, nil, []*op.Tensor{sum}, in...)
	b.Map(finish, out, sum)
}
