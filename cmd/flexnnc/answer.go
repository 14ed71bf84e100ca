package main

import (
	"fmt"
	"io"
	"math"

	"github.com/flexnnc/flexnnc/codegen"
	"github.com/flexnnc/flexnnc/compiler/interp"
	"github.com/flexnnc/flexnnc/compiler/layer"
	"github.com/flexnnc/flexnnc/compiler/narrow"
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
// sorts or suppresses; or where a function of the user's makes a part of it.
func recordAnswer(g *ir.Graph, p *plan.Plan, half bool) (*codegen.Answer, error) {
	if multiplyAdds(p.Graph) > answerLimit || jumps(g) || firstCustom(g) != nil {
		return nil, nil
	}
	var o interp.Options
	if half {
		o.Weights = narrow.Weights(p.Graph)
	}
	outputs, err := interp.Run(g, answerInputs(p.Graph), o)
	if err != nil {
		return nil, fmt.Errorf("recording an answer for the package's test: %w", err)
	}
	a := &codegen.Answer{}
	for _, out := range p.Graph.Outputs {
		a.Outputs = append(a.Outputs, sample(outputs[out.Port.Blob.Name].Data))
	}
	return a, nil
}

// answerInputs are the inputs of the emitted test.
func answerInputs(g *op.Graph) map[string]layer.Tensor {
	inputs := map[string]layer.Tensor{}
	for k, in := range g.Inputs {
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
	return inputs
}

// narrowingLimit is the multiply-adds up to which compile measures what rounding
// the weights does to the outputs: some ten seconds of work.
const narrowingLimit = 1e9

// printNarrowing runs a network with its own weights and with those that lowered
// holds, and says by how much each output differs.
func printNarrowing(w io.Writer, g *ir.Graph, lowered *op.Graph) error {
	if n, l := multiplyAdds(lowered), firstCustom(g); n > narrowingLimit || jumps(g) || l != nil {
		why := "the network quantises, sorts or suppresses"
		if l != nil {
			why = "a Go function computes " + l.Type
		} else if n > narrowingLimit {
			why = fmt.Sprintf("%.1g multiply-adds are too many for the float64 interpreter", n)
		}
		_, err := fmt.Fprintf(w, "fp16       effect on the outputs not measured here: %s; flexnnc verify --weights fp16 runs cases\n", why)
		return err
	}
	inputs := answerInputs(lowered)
	exact, err := interp.Run(g, inputs, interp.Options{})
	if err != nil {
		return fmt.Errorf("measuring the effect of fp16: %w", err)
	}
	rounded, err := interp.Run(g, inputs, interp.Options{Weights: narrow.Weights(lowered)})
	if err != nil {
		return fmt.Errorf("measuring the effect of fp16: %w", err)
	}
	for _, out := range lowered.Outputs {
		name := out.Port.Blob.Name
		most, top := 0.0, 0.0
		for i, v := range exact[name].Data {
			most = math.Max(most, math.Abs(rounded[name].Data[i]-v))
			top = math.Max(top, math.Abs(v))
		}
		if _, err := fmt.Fprintf(w, "fp16       %q changes by at most %.2g of its largest value, %.4g, on the test's input\n", name, most/math.Max(top, math.SmallestNonzeroFloat64), top); err != nil {
			return err
		}
	}
	return nil
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
			k := float64(c.Taps())
			if o.Kind == op.Conv {
				k *= float64(c.InC)
			}
			n += k * float64(c.Pixels()) * float64(c.OutC)
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
