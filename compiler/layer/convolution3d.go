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
	ints := c.ints(c.inC, c.outC, group)
	callWithWeights(b, "conv3d", ints, v.Tensor, b.WeightConst("weight", []int{c.outC, c.inC / group, c.taps()}), finish)
	return nil
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
