package layer

import (
	"fmt"
	"math"

	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/diag"
)

// cell describes a recurrent layer type: LSTM, GRU or RNN.
type cell struct {
	typ      string
	index    int
	gates    int // rows of weights per hidden unit
	biases   int // rows of biases per hidden unit
	hasCell  bool
	stepEval func(r *recurrence, xw, hw, bias []float64)
}

var cells = []cell{
	{"LSTM", 39, 4, 4, true, lstmStep},
	{"GRU", 78, 3, 4, false, gruStep},
	{"RNN", 38, 1, 1, false, rnnStep},
}

func init() {
	for _, t := range cells {
		params := []ParamDef{
			{0, "num_output", Int, "outputs per direction"},
			{1, "weight_data_size", Int, "number of input weights"},
			{2, "direction", Int, "0 forward, 1 reverse, 2 both side by side"},
			int8ScaleParam,
		}
		if t.hasCell {
			params = append(params, ParamDef{3, "hidden_size", Int, "default num_output; else a projection follows"})
		}
		Register(&Def{
			Type: t.typ, Index: t.index, MinIn: 1, MaxIn: 3, MinOut: 1, MaxOut: 3,
			Params: params,
			Check: func(l *ir.Layer, d *diag.List) {
				r := t.of(l)
				if r.outputs < 1 || r.hidden < 1 || r.direction < 0 || r.direction > 2 {
					d.Layerf(l, "%d outputs, %d hidden, direction %d", r.outputs, r.hidden, r.direction)
					return
				}
				if n := l.Params.Int(1, 0); n < 1 || n%(r.dirs*r.hidden*t.gates) != 0 {
					d.Layerf(l, "%d weights for %d directions of %d hidden units with %d gates", n, r.dirs, r.hidden, t.gates)
				}
				if n := len(l.Inputs); n != 1 && n != t.states()+1 {
					d.Layerf(l, "has %d inputs, needs 1 or %d", n, t.states()+1)
				}
				if n := len(l.Outputs); n != 1 && n != t.states()+1 {
					d.Layerf(l, "has %d outputs, needs 1 or %d", n, t.states()+1)
				}
			},
			Weights: func(l *ir.Layer) []WeightDef {
				r := t.of(l)
				w := []WeightDef{
					{Name: "weight_xc", Count: l.Params.Int(1, 0), Tagged: true},
					{Name: "bias", Count: r.dirs * t.biases * r.hidden, Tagged: true},
					{Name: "weight_hc", Count: r.dirs * t.gates * r.hidden * r.outputs, Tagged: true},
				}
				if r.outputs != r.hidden {
					w = append(w, WeightDef{Name: "weight_hr", Count: r.dirs * r.outputs * r.hidden, Tagged: true})
				}
				if l.Params.Int(8, 0) != 0 {
					n := r.dirs * t.gates * r.hidden
					w = append(w, WeightDef{Name: "weight_xc_scales", Count: n}, WeightDef{Name: "weight_hc_scales", Count: n})
				}
				return w
			},
			Shape: func(c *ShapeCall) ([]ir.Shape, error) {
				r := t.of(c.Layer)
				s := c.In[0]
				if s.Dims != 2 || s.W != r.size {
					return nil, fmt.Errorf("input %v, needs rows of %d", s, r.size)
				}
				states := []ir.Shape{ir.Shape2(r.outputs, r.dirs), ir.Shape2(r.hidden, r.dirs)}
				for i, in := range c.In[1:] {
					if in.Len() != states[i].Len() {
						return nil, fmt.Errorf("state %v, needs %v", in, states[i])
					}
					states[i] = in // ncnn hands the state on in the shape it got
				}
				out := append(one(ir.Shape2(r.outputs*r.dirs, s.H)), states...)
				return out[:len(c.Layer.Outputs)], nil
			},
			Eval:  func(c *EvalCall) error { return t.eval(c) },
			Lower: func(b *Builder) error { return t.lower(b) },
		})
	}
}

// states is the number of state blobs.
func (t cell) states() int {
	if t.hasCell {
		return 2
	}
	return 1
}

// recurrence is a recurrent layer's geometry and, in a reference run, its state.
type recurrence struct {
	size, outputs, hidden, direction, dirs int
	h, c                                   []float64 // state of the direction that runs
	hr                                     []float64 // projection [outputs][hidden], or nil
}

func (t cell) of(l *ir.Layer) recurrence {
	r := recurrence{outputs: l.Params.Int(0, 0), direction: l.Params.Int(2, 0), dirs: 1}
	r.hidden = r.outputs
	if t.hasCell {
		r.hidden = l.Params.Int(3, r.outputs)
	}
	if r.direction == 2 {
		r.dirs = 2
	}
	if r.hidden > 0 {
		r.size = l.Params.Int(1, 0) / (r.dirs * r.hidden * t.gates)
	}
	return r
}

func (t cell) eval(c *EvalCall) error {
	r := t.of(c.Layer)
	names := []string{"weight_xc", "bias", "weight_hc"}
	if r.outputs != r.hidden {
		names = append(names, "weight_hr")
	}
	w, err := weights(c.Weight).all(names...)
	if err != nil {
		return err
	}
	scales := [][]float64{nil, nil}
	if c.Layer.Params.Int(8, 0) != 0 {
		if scales, err = weights(c.Weight).all("weight_xc_scales", "weight_hc_scales"); err != nil {
			return err
		}
	}
	x, y := c.In[0], c.Out[0]
	steps := x.Shape.H
	rows := t.gates * r.hidden
	states := [2][]float64{make([]float64, r.dirs*r.outputs), make([]float64, r.dirs*r.hidden)}
	for i := range c.In[1:] {
		copy(states[i], c.In[1+i].Data)
	}
	for d := range r.dirs {
		r.h, r.c = states[0][d*r.outputs:][:r.outputs], states[1][d*r.hidden:][:r.hidden]
		if len(w) > 3 {
			r.hr = w[3][d*r.outputs*r.hidden:][:r.outputs*r.hidden]
		}
		for s := range steps {
			at := s
			if r.direction == 1 || d == 1 {
				at = steps - 1 - s
			}
			var xs, hs []float64
			if scales[0] != nil {
				xs, hs = scales[0][d*rows:][:rows], scales[1][d*rows:][:rows]
			}
			xw := product(w[0][d*rows*r.size:][:rows*r.size], x.Data[at*r.size:][:r.size], xs)
			hw := product(w[2][d*rows*r.outputs:][:rows*r.outputs], r.h, hs)
			t.stepEval(&r, xw, hw, w[1][d*t.biases*r.hidden:])
			copy(y.Data[(at*r.dirs+d)*r.outputs:], r.h)
		}
	}
	for i := range c.Out[1:] {
		copy(c.Out[1+i].Data, states[i])
	}
	return nil
}

// product multiplies a matrix of rows by v. With scales the matrix is int8 and v
// is quantised by its own largest value.
func product(m, v, scales []float64) []float64 {
	descale := 1.0
	if scales != nil {
		top := 0.0
		for _, x := range v {
			top = math.Max(top, math.Abs(x))
		}
		scale := 1.0
		if top > 0 {
			scale = float64(127 / float32(top))
		}
		v = quantizeAll(v, []float64{scale})
		descale = 1 / scale
	}
	y := make([]float64, len(m)/len(v))
	for i := range y {
		for k, x := range v {
			y[i] += m[i*len(v)+k] * x
		}
		if scales != nil {
			y[i] *= descale / scales[i]
		}
	}
	return y
}

func lstmStep(r *recurrence, xw, hw, bias []float64) {
	n := r.hidden
	out := make([]float64, n)
	for q := range n {
		gate := func(k int) float64 { return bias[k*n+q] + xw[k*n+q] + hw[k*n+q] }
		r.c[q] = sigmoid64(gate(1))*r.c[q] + sigmoid64(gate(0))*math.Tanh(gate(3))
		out[q] = sigmoid64(gate(2)) * math.Tanh(r.c[q])
	}
	if r.hr != nil {
		out = product(r.hr, out, nil)
	}
	copy(r.h, out)
}

func gruStep(r *recurrence, xw, hw, bias []float64) {
	n := r.hidden
	for q := range n {
		reset := sigmoid64(bias[q] + xw[q] + hw[q])
		update := sigmoid64(bias[n+q] + xw[n+q] + hw[n+q])
		fresh := math.Tanh(bias[2*n+q] + xw[2*n+q] + reset*(bias[3*n+q]+hw[2*n+q]))
		r.h[q] = (1-update)*fresh + update*r.h[q]
	}
}

func rnnStep(r *recurrence, xw, hw, bias []float64) {
	for q := range r.hidden {
		r.h[q] = math.Tanh(bias[q] + xw[q] + hw[q])
	}
}
