package layer

import (
	"github.com/flexnnc/flexnnc/ir"
)

func init() {
	Register(&Def{
		Type: "ConvolutionDepthWise", Index: 42, MinIn: 1, MaxIn: 3, MinOut: 1, MaxOut: 1,
		Params:  convParams(2, groupParam, int8ScaleParam, padValueParam, dynamicWeightParam),
		Check:   checkConv(2),
		Weights: func(l *ir.Layer) []WeightDef { return convWeights(l, true) },
		Shape:   shapeConv(2, paramGroup),
		Eval:    evalConv(2, paramGroup),
		Lower:   func(b *Builder) error { return lowerConv(b, b.Any(0), 2, paramGroup(b.Layer)) },
	})
}
