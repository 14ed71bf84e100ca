package main

import (
	"fmt"
	"math"

	"github.com/flexnnc/flexnnc/codegen"
	"github.com/flexnnc/flexnnc/compiler/interp"
	"github.com/flexnnc/flexnnc/compiler/layer"
	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/op"
	"github.com/flexnnc/flexnnc/ir/plan"
)

const (
	// answerLimit is the multiply-adds up to which the float64 interpreter runs the
	// network for the emitted test: some seconds of work.
	answerLimit = 50e6
	// answerElements of each output are recorded.
	answerElements = 64
)

// recordAnswer runs a small network once in float64. It returns nil where the
// network is too large, or of a kind whose answers may jump: one that quantises,
// sorts or suppresses.
func recordAnswer(g *ir.Graph, p *plan.Plan) (*codegen.Answer, error) {
	if multiplyAdds(p.Graph) > answerLimit || jumps(g) {
		return nil, nil
	}
	inputs := map[string]layer.Tensor{}
	for k, in := range p.Graph.Inputs {
		b := in.Port.Blob
		t := layer.NewTensor(in.Port.Shape)
		for i := range t.Data {
			if b.Ints {
				t.Data[i] = float64(codegen.AnswerInt(k, i))
			} else {
				t.Data[i] = float64(codegen.AnswerInput(k, i))
			}
		}
		inputs[b.Name] = t
	}
	outputs, err := interp.Run(g, inputs, interp.Options{})
	if err != nil {
		return nil, fmt.Errorf("recording an answer for the package's test: %w", err)
	}
	a := &codegen.Answer{}
	for _, out := range p.Graph.Outputs {
		a.Outputs = append(a.Outputs, sample(outputs[out.Port.Blob.Name].Data))
	}
	return a, nil
}

// sample takes evenly spaced elements; those that are not finite are left out.
func sample(v []float64) codegen.AnswerOutput {
	var o codegen.AnswerOutput
	for _, x := range v {
		if f := math.Abs(x); f <= math.MaxFloat32 {
			o.Max = max(o.Max, float32(f))
		}
	}
	n := min(len(v), answerElements)
	for i := range n {
		at := i * len(v) / n
		if math.Abs(v[at]) <= math.MaxFloat32 {
			o.Index = append(o.Index, at)
			o.Values = append(o.Values, float32(v[at]))
		}
	}
	return o
}

// multiplyAdds counts those of the network's weighted operations.
func multiplyAdds(g *op.Graph) float64 {
	n := 0.0
	for _, o := range g.Ops {
		if c := o.Conv; c != nil {
			k := float64(c.KH * c.KW)
			if o.Kind == op.Conv {
				k *= float64(c.InC)
			}
			n += k * float64(c.OutH) * float64(c.OutW) * float64(c.OutC)
		}
	}
	return n
}

// jumping are the layer types whose answers are not continuous in their inputs.
var jumping = map[string]bool{
	"ArgMax": true, "Quantize": true, "Requantize": true, "Dequantize": true,
	"DetectionOutput": true, "Yolov3DetectionOutput": true, "YoloDetectionOutput": true, "Proposal": true,
	"ROIAlign": true, "ROIPooling": true, "PSROIPooling": true,
}

func jumps(g *ir.Graph) bool {
	for _, l := range g.Layers {
		if jumping[l.Type] {
			return true
		}
		for _, w := range l.Weights {
			if w.Storage == ir.StoreI8 {
				return true
			}
		}
	}
	return false
}
