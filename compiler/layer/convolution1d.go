package layer

import (
	"github.com/flexnnc/flexnnc/ir"
)

func init() {
	Register(&Def{
		Type: "Convolution1D", Index: 81, MinIn: 1, MaxIn: 3, MinOut: 1, MaxOut: 1,
		Params:  convParams(1, padValueParam, dynamicWeightParam),
		Check:   checkConv(1),
		Weights: func(l *ir.Layer) []WeightDef { return convWeights(l, false) },
		Shape:   shapeConv(1, oneGroup),
		Eval:    evalConv(1, oneGroup),
		Lower:   func(b *Builder) error { return lowerConv(b, b.Any(0), 1, 1) },
	})
	Register(&Def{
		Type: "ConvolutionDepthWise1D", Index: 83, MinIn: 1, MaxIn: 3, MinOut: 1, MaxOut: 1,
		Params:  convParams(1, groupParam, padValueParam, dynamicWeightParam),
		Check:   checkConv(1),
		Weights: func(l *ir.Layer) []WeightDef { return convWeights(l, true) },
		Shape:   shapeConv(1, paramGroup),
		Eval:    evalConv(1, paramGroup),
		Lower:   func(b *Builder) error { return lowerConv(b, b.Any(0), 1, paramGroup(b.Layer)) },
	})
}
