package ncnn

import (
	"github.com/flexnnc/flexnnc/compiler/layer"
	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/diag"
)

// The reader is tested with layer types of its own, so that these tests say
// nothing about ncnn's.
func init() {
	for _, d := range []*layer.Def{
		{Type: "TestPass", Index: 9001, MinIn: 1, MaxIn: 1, MinOut: 1, MaxOut: 1},
		{Type: "TestAdd", Index: 9002, MinIn: 2, MaxIn: -1, MinOut: 1, MaxOut: 1},
		{Type: "TestSplit", Index: 9003, MinIn: 1, MaxIn: 1, MinOut: 1, MaxOut: -1},
		{
			Type: "TestConv", Index: 9004, MinIn: 1, MaxIn: 2, MinOut: 1, MaxOut: 1,
			Params: []layer.ParamDef{
				{ID: 0, Name: "num_output", Kind: layer.Int},
				{ID: 1, Name: "slope", Kind: layer.Float},
				{ID: 2, Name: "sizes", Kind: layer.IntArray},
				{ID: 3, Name: "factors", Kind: layer.FloatArray},
				{ID: 4, Name: "expr", Kind: layer.String},
				{ID: 6, Name: "weight_data_size", Kind: layer.Int},
			},
			Check: func(l *ir.Layer, d *diag.List) {
				if l.Params.Int(0, 0) < 0 {
					d.Layerf(l, "num_output is negative")
				}
			},
			Weights: func(l *ir.Layer) []layer.WeightDef {
				return []layer.WeightDef{
					{Name: "weight", Count: l.Params.Int(6, 0), Tagged: true},
					{Name: "bias", Count: l.Params.Int(0, 0)},
				}
			},
		},
	} {
		layer.Register(d)
	}
	if layer.Lookup("Input") == nil {
		layer.Register(&layer.Def{Type: "Input", Index: 16, MinOut: 1, MaxOut: 1, Params: []layer.ParamDef{
			{ID: 0, Name: "w"}, {ID: 1, Name: "h"}, {ID: 2, Name: "c"}, {ID: 11, Name: "d"},
		}})
	}
}
