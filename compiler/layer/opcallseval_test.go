package layer_test

import (
	"math"

	"github.com/flexnnc/flexnnc/compiler/layer"
	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/op"
)

// The detection kernels are tested through the layers' own references: the
// arguments must hold all that these need.
func callDetection(o *op.Op, in, out [][]float32) error {
	n, f := o.Call.Ints, o.Call.Floats
	l := &ir.Layer{Type: "DetectionOutput", Inputs: make([]*ir.Blob, 3)}
	classes, prior := n[1], ir.Shape2(4*n[0], 2)
	confidence := ir.Shape1(len(in[1]))
	if n[2] != 0 {
		classes, prior, confidence = -233, ir.Shape2(4, n[0]), ir.Shape2(n[0], n[1])
	}
	l.Params = ir.Params{scalarParam(0, ir.IntScalar(classes)), scalarParam(1, ir.FloatScalar(f[0])),
		scalarParam(2, ir.IntScalar(n[3])), scalarParam(3, ir.IntScalar(n[4])), scalarParam(4, ir.FloatScalar(f[1]))}
	for i := range 4 {
		l.Params = append(l.Params, scalarParam(5+i, ir.FloatScalar(f[2+i])))
	}
	return evalInto(l, out, []layer.Tensor{wide(in[0], ir.Shape1(len(in[0]))), wide(in[1], confidence), wide(in[2], prior)})
}

func callYolo(typ string, o *op.Op, in, out [][]float32) error {
	n, f := o.Call.Ints, o.Call.Floats
	heads, boxes := n[0], n[2]
	l := &ir.Layer{Type: typ}
	anchors, mask, scale := ir.Param{ID: 4, Kind: ir.ParamArray}, ir.Param{ID: 5, Kind: ir.ParamArray}, ir.Param{ID: 6, Kind: ir.ParamArray}
	var tensors []layer.Tensor
	for i := range heads {
		h, w := n[3+2*i], n[4+2*i]
		part := f[2+i*(2+2*boxes):]
		scale.Array = append(scale.Array, ir.FloatScalar((part[0]+0.5)/float32(w)))
		for k := range boxes {
			mask.Array = append(mask.Array, ir.FloatScalar(float32(i*boxes+k)))
			anchors.Array = append(anchors.Array, ir.FloatScalar(part[2+2*k]), ir.FloatScalar(part[3+2*k]))
		}
		c := len(in[i]) / (h * w)
		t := layer.NewTensor(ir.Shape3(w, h, c))
		for k, v := range in[i] {
			t.Data[k%c*h*w+k/c] = float64(v)
		}
		tensors = append(tensors, t)
	}
	l.Params = ir.Params{scalarParam(0, ir.IntScalar(n[1])), scalarParam(1, ir.IntScalar(boxes)),
		scalarParam(2, ir.FloatScalar(f[0])), scalarParam(3, ir.FloatScalar(f[1])), anchors, mask, scale}
	return evalInto(l, out, tensors)
}

func scalarParam(id int, s ir.Scalar) ir.Param { return ir.Param{ID: id, Scalar: s} }

func wide(v []float32, s ir.Shape) layer.Tensor {
	t := layer.NewTensor(s)
	for i, x := range v {
		t.Data[i] = float64(x)
	}
	return t
}

// evalInto runs a layer's reference and leaves its rows at the start of out[0], and
// their number in out[1].
func evalInto(l *ir.Layer, out [][]float32, in []layer.Tensor) error {
	c := &layer.EvalCall{Layer: l, In: in, Out: make([]layer.Tensor, 1)}
	if err := layer.Lookup(l.Type).Eval(c); err != nil {
		return err
	}
	for i, v := range c.Out[0].Data {
		out[0][i] = float32(v)
	}
	out[1][0] = math.Float32frombits(uint32(c.Out[0].Shape.H))
	return nil
}

// planes turns a channels-last array to a tensor of shape s.
func planes(v []float32, s ir.Shape) layer.Tensor {
	t := layer.NewTensor(s)
	size := s.Len() / s.C
	for k, x := range v {
		t.Data[k%s.C*size+k/s.C] = float64(x)
	}
	return t
}

// evalPlanes runs a layer's reference on an output of shape s and stores it
// channels-last in y.
func evalPlanes(l *ir.Layer, y []float32, s ir.Shape, in ...layer.Tensor) error {
	c := &layer.EvalCall{Layer: l, In: in, Out: []layer.Tensor{layer.NewTensor(s)}}
	if err := layer.Lookup(l.Type).Eval(c); err != nil {
		return err
	}
	size := s.Len() / s.C
	for k, x := range c.Out[0].Data {
		y[k%size*s.C+k/size] = float32(x)
	}
	return nil
}

func intParams(values map[int]int) (p ir.Params) {
	for id := range 32 {
		if v, ok := values[id]; ok {
			p = append(p, scalarParam(id, ir.IntScalar(v)))
		}
	}
	return p
}

func callGridSample(o *op.Op, in, out [][]float32) error {
	n := o.Call.Ints
	l := &ir.Layer{Type: "GridSample", Params: intParams(map[int]int{0: n[8], 1: n[9], 2: n[10], 3: n[11]})}
	x, y := ir.Shape3(n[2], n[1], n[3]), ir.Shape3(n[6], n[5], n[3])
	if n[7] == 3 {
		x, y = ir.Shape4(n[2], n[1], n[0], n[3]), ir.Shape4(n[6], n[5], n[4], n[3])
	}
	return evalPlanes(l, out[0], y, planes(in[0], x), wide(in[1], ir.Shape1(len(in[1]))))
}

func callROI(typ string, o *op.Op, in, out [][]float32) error {
	n := o.Call.Ints
	values := map[int]int{0: n[4], 1: n[3]}
	switch typ {
	case "PSROIPooling":
		values[3] = n[5]
	case "ROIAlign":
		values[3], values[4], values[5] = n[6], n[7], n[8]
	}
	l := &ir.Layer{Type: typ, Params: append(intParams(values), scalarParam(2, ir.FloatScalar(o.Call.Floats[0])))}
	return evalPlanes(l, out[0], ir.Shape3(n[4], n[3], n[5]), planes(in[0], ir.Shape3(n[1], n[0], n[2])), wide(in[1], ir.Shape1(len(in[1]))))
}

func callArgMax(o *op.Op, in, out [][]float32) error {
	n := o.Call.Ints
	l := &ir.Layer{Type: "ArgMax", Params: intParams(map[int]int{0: n[2], 1: n[1]})}
	c := &layer.EvalCall{Layer: l, In: []layer.Tensor{wide(in[0], ir.Shape1(n[0]))}, Out: []layer.Tensor{layer.NewTensor(ir.Shape2(n[1], 1+n[2]))}}
	if err := layer.Lookup(l.Type).Eval(c); err != nil {
		return err
	}
	for i, v := range c.Out[0].Data {
		out[0][i] = float32(v)
	}
	return nil
}

func callDeform(o *op.Op, in, out [][]float32) error {
	n := o.Call.Ints
	h, w, ch, oh, ow, kh, kw := n[0], n[1], n[2], n[3], n[4], n[5], n[6]
	taps := kh * kw
	at := func(y, x float64, c int) float64 {
		if y < 0 || x < 0 || y >= float64(h) || x >= float64(w) {
			return 0
		}
		return float64(in[0][(int(y)*w+int(x))*ch+c])
	}
	for p := range oh * ow {
		for k := range taps {
			y := float64(p/ow*n[7]-n[11]+k/kw*n[9]) + float64(in[1][p*2*taps+2*k])
			x := float64(p%ow*n[8]-n[12]+k%kw*n[10]) + float64(in[1][p*2*taps+2*k+1])
			y0, x0 := math.Floor(y), math.Floor(x)
			mask := 1.0
			if len(in) > 2 {
				mask = float64(in[2][p*taps+k])
			}
			for c := range ch {
				v := (1-(y-y0))*((1-(x-x0))*at(y0, x0, c)+(x-x0)*at(y0, x0+1, c)) + (y-y0)*((1-(x-x0))*at(y0+1, x0, c)+(x-x0)*at(y0+1, x0+1, c))
				out[0][(p*taps+k)*ch+c] = float32(v * mask)
			}
		}
	}
	return nil
}

// callConv3D and callDeconv share their numbers: three per property, d h w.
func callConv3D(o *op.Op, in, out [][]float32) error {
	n := o.Call.Ints
	id, od, k, s, d, pad := n[0:4], n[4:8], n[8:11], n[11:14], n[14:17], n[17:20]
	group, taps := n[20], k[0]*k[1]*k[2]
	gi, gout := id[3]/group, od[3]/group
	each(od, func(at int, index []int) {
		c := index[3]
		sum := 0.0
		if len(in) > 2 {
			sum = float64(in[2][c])
		}
		each(k, func(tap int, t []int) {
			at := 0
			for i := range 3 {
				p := index[i]*s[i] - pad[i] + t[i]*d[i]
				if p < 0 || p >= id[i] {
					return
				}
				at = at*id[i] + p
			}
			for q := range gi {
				sum += float64(in[0][at*id[3]+c/gout*gi+q]) * float64(in[1][(c*gi+q)*taps+tap])
			}
		})
		out[0][at] = float32(sum)
	})
	return nil
}

func callDeconv(o *op.Op, in, out [][]float32) error {
	n := o.Call.Ints
	id, od, k, s, d, pad := n[0:4], n[4:8], n[8:11], n[11:14], n[14:17], n[17:20]
	group, swapped, taps := n[20], n[21] != 0, k[0]*k[1]*k[2]
	gi, gout := id[3]/group, od[3]/group
	each(od, func(at int, index []int) {
		c := index[3]
		sum := 0.0
		if len(in) > 2 {
			sum = float64(in[2][c])
		}
		each(k, func(tap int, t []int) {
			at := 0
			for i := range 3 {
				p := index[i] + pad[i] - t[i]*d[i]
				if p < 0 || p%s[i] != 0 || p/s[i] >= id[i] {
					return
				}
				at = at*id[i] + p/s[i]
			}
			for q := range gi {
				w := (c*gi+q)*taps + tap
				if swapped {
					w = ((c/gout*gi+q)*gout+c%gout)*taps + tap
				}
				sum += float64(in[0][at*id[3]+c/gout*gi+q]) * float64(in[1][w])
			}
		})
		out[0][at] = float32(sum)
	})
	return nil
}

func callProposal(o *op.Op, in, out [][]float32) error {
	n := o.Call.Ints
	l := &ir.Layer{Type: "Proposal", Params: append(intParams(map[int]int{0: n[2], 1: n[3], 2: n[4], 3: n[5], 5: n[6]}), scalarParam(4, ir.FloatScalar(o.Call.Floats[0])))}
	count := len(out) - 1
	c := &layer.EvalCall{Layer: l, Out: make([]layer.Tensor, count), In: []layer.Tensor{
		planes(in[0], ir.Shape3(n[1], n[0], 18)), planes(in[1], ir.Shape3(n[1], n[0], 36)), wide(in[2], ir.Shape1(len(in[2]))),
	}}
	if err := layer.Lookup(l.Type).Eval(c); err != nil {
		return err
	}
	for i := range count {
		for k, v := range c.Out[i].Data {
			out[i][k] = float32(v)
		}
	}
	out[count][0] = math.Float32frombits(uint32(c.Out[0].Shape.C))
	return nil
}
