package layer

import (
	"github.com/flexnnc/flexnnc/ir"
)

func init() {
	Register(&Def{
		Type: "Convolution3D", Index: 84, MinIn: 1, MaxIn: 1, MinOut: 1, MaxOut: 1,
		Params:  convParams(3, padValueParam),
		Check:   checkConv(3),
		Weights: func(l *ir.Layer) []WeightDef { return convWeights(l, false) },
		Shape:   shapeConv(3, oneGroup),
		Eval:    evalConv(3, oneGroup),
	})
	Register(&Def{
		Type: "ConvolutionDepthWise3D", Index: 85, MinIn: 1, MaxIn: 1, MinOut: 1, MaxOut: 1,
		Params:  convParams(3, groupParam, padValueParam),
		Check:   checkConv(3),
		Weights: func(l *ir.Layer) []WeightDef { return convWeights(l, true) },
		Shape:   shapeConv(3, paramGroup),
		Eval:    evalConv(3, paramGroup),
	})
}
