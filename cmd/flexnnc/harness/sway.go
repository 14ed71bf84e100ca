package harness

import (
	"fmt"

	"github.com/flexnnc/flexnnc/compiler/cases"
	"github.com/flexnnc/flexnnc/compiler/interp"
	"github.com/flexnnc/flexnnc/compiler/layer"
	"github.com/flexnnc/flexnnc/ir"
)

// swayed is how many times as far as rounding carries the reference an answer may be
// from it. Rounding there is once per blob; in float32 each sum of a hundred products
// is off by several last bits.
const swayed = 16

// sway looks again at outputs that are too far from the interpreter's: a network whose
// differences of large numbers, steep functions or rounding to int8 enlarge the last
// bit of a float32 has no answer that is nearer. The interpreter runs once more and
// rounds each blob to float32; what that moves an output by is the measure. A tolerance
// that was asked for holds.
func (t *suite) sway(s *session) error {
	if t.net == nil || t.report.Error != "" {
		return nil
	}
	var moved map[string]layer.Tensor
	for i := range t.report.Outputs {
		o := &t.report.Outputs[i]
		if o.Why == "" || o.Rule.Detections {
			continue
		}
		if moved == nil {
			s.o.Progress("computing the answers with blobs rounded to float32")
			var err error
			if moved, err = t.net.rounded(s); err != nil {
				return err
			}
		}
		want := &t.cases.Cases[0].Outputs[0]
		for k := range t.cases.Cases[0].Outputs {
			if x := &t.cases.Cases[0].Outputs[k]; x.Name == o.Output {
				want = x
			}
		}
		reference, err := want.Reference()
		if err != nil {
			return err
		}
		values := make([]float32, len(moved[o.Output].Data))
		for k, v := range moved[o.Output].Data {
			values[k] = float32(v)
		}
		v := cases.Judge(values, reference, want, o.Rule)
		few := o.Rule.Tol > 0 || o.Beyond <= swayed*v.Beyond // elements
		if o.Sway = v.Distance; s.o.Tol == 0 && o.Distance <= swayed*v.Distance && few {
			o.Why = ""
		} else {
			o.Why += fmt.Sprintf("; rounding each blob to float32 moves the reference by %.3g", v.Distance)
		}
	}
	return nil
}

// rounded is what the interpreter answers if each blob is rounded to float32.
func (n *Net) rounded(s *session) (map[string]layer.Tensor, error) {
	f, err := n.open(s)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	inputs, err := n.inputs(f.Graph, s)
	if err != nil {
		return nil, err
	}
	return interp.Run(f.Graph, tensors(inputs), interp.Options{Blob: func(_ *ir.Blob, v []float64) {
		for i, x := range v {
			v[i] = float64(float32(x))
		}
	}})
}
