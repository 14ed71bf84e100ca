package layer

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/lane"
	"github.com/flexnnc/flexnnc/ir/op"
)

// lower makes the input's part of all gates and steps one matrix product. The
// state's part follows: for a single step as a product and element-wise maps,
// for more by a call that runs them.
func (t cell) lower(b *Builder) error {
	l := b.Layer
	int8 := l.Params.Int(8, 0) != 0
	if int8 {
		for _, name := range []string{"weight_xc", "weight_hc"} {
			if l.Weight(name).Storage != ir.StoreI8 {
				return fmt.Errorf("int8_scale_term %d, but %s is not stored as int8", l.Params.Int(8, 0), name)
			}
		}
	}
	r := t.of(l)
	x := b.In(0, Planar).Tensor
	steps := l.Inputs[0].Shape.H
	state := func(i, d, n int) *op.Tensor {
		if len(l.Inputs) == 1 {
			return b.FixedConst(fmt.Sprintf("state%d_%d", i, d), []int{n}, make([]float32, n))
		}
		s := b.In(1+i, Planar).Tensor
		if r.dirs > 1 {
			s = b.Window(b.View(s, fmt.Sprintf("%s/state%d", l.Name, i), []int{r.dirs, n}), fmt.Sprintf("%s/state%d_%d", l.Name, i, d), []int{d, 0}, []int{1, n})
		}
		return b.View(s, fmt.Sprintf("%s/state%d_%d/vector", l.Name, i, d), []int{n})
	}
	var ys, hs, cs []*op.Tensor
	for d := range r.dirs {
		name := l.Name
		if r.dirs > 1 {
			name = fmt.Sprintf("%s/%s", l.Name, []string{"forward", "reverse"}[d])
		}
		c := cellCall{b: b, t: t, r: r, name: name, d: d, reverse: r.direction == 1 || d == 1}
		h0 := state(0, d, r.outputs)
		var c0 *op.Tensor
		if t.hasCell {
			c0 = state(1, d, r.hidden)
		}
		var y, h, cc *op.Tensor
		if steps == 1 && !int8 {
			h, cc = c.once(x, h0, c0)
			y = b.View(h, name+"/row", []int{1, r.outputs})
		} else {
			y, h, cc = c.all(x, h0, c0, steps)
		}
		ys, hs, cs = append(ys, y), append(hs, h), append(cs, cc)
	}
	join := func(i int, parts []*op.Tensor, ax int) {
		if i >= len(l.Outputs) {
			return
		}
		blob := l.Outputs[i]
		t := parts[0]
		if len(parts) > 1 {
			dims := append([]int{}, t.Dims...)
			dims[ax] *= 2
			t = b.NewTensor(blob.Name, op.F32, dims)
			b.Add(&op.Op{Kind: op.Concat, Name: fmt.Sprintf("%s/join%d", l.Name, i), In: parts, Out: []*op.Tensor{t}, Axis: ax})
		}
		b.Set(i, Value{Tensor: b.View(t, blob.Name+"/whole", Dims(blob.Shape, Planar)), Shape: blob.Shape})
	}
	join(0, ys, 1)
	join(1, hs, 0)
	if t.hasCell {
		join(2, cs, 0)
	}
	return nil
}

// cellCall lowers one direction of a recurrent layer.
type cellCall struct {
	b       *Builder
	t       cell
	r       recurrence
	name    string
	d       int // direction: which part of the weights
	reverse bool
}

// linear appends a product of rows with one of the weight blobs.
func (c cellCall) linear(name, weight string, x *op.Tensor, rows, k int, bias *ir.Weight, biasAt int) *op.Tensor {
	n := c.t.gates * c.r.hidden
	if weight == "weight_hr" {
		n = c.r.outputs
	}
	dims := []int{n}
	if rows > 1 {
		dims = []int{rows, n}
	}
	y := c.b.NewTensor(c.name+name, op.F32, dims)
	c.b.Add(&op.Op{Kind: op.Conv, In: []*op.Tensor{x}, Out: []*op.Tensor{y},
		Conv: &op.ConvAttr{InH: 1, InW: rows, InC: k, OutH: 1, OutW: rows, OutC: n, KH: 1, KW: 1, SH: 1, SW: 1, DH: 1, DW: 1},
		Panels: &op.Panels{Name: c.name + name, N: n, Taps: 1, Chans: k, Type: op.F32,
			Weight: c.b.Layer.Weight(weight), First: c.d * n * k, Bias: bias, BiasAt: biasAt},
	})
	return y
}

// input is the input's part of the gates of all steps, with their biases.
func (c cellCall) input(x *op.Tensor, steps int) *op.Tensor {
	return c.linear("/input", "weight_xc", x, steps, c.r.size, c.b.Layer.Weight("bias"), c.d*c.t.biases*c.r.hidden)
}

// once is a single step.
func (c cellCall) once(x, h0, c0 *op.Tensor) (h, cc *op.Tensor) {
	b, n := c.b, c.r.hidden
	if len(x.Dims) == 2 {
		x = b.View(x, c.name+"/vector", []int{c.r.size})
	}
	xg := c.input(x, 1)
	var bias *ir.Weight
	if c.t.typ == "GRU" {
		bias = c.newGateBias()
	}
	hg := c.linear("/state", "weight_hc", h0, 1, c.r.outputs, bias, 0)
	part := func(t *op.Tensor, name string, k int) *op.Tensor {
		return b.Window(t, fmt.Sprintf("%s/%s%d", c.name, name, k), []int{k * n}, []int{n})
	}
	h = b.NewTensor(c.name+"/hidden", op.F32, []int{n})
	switch c.t.typ {
	case "RNN":
		b.Map(rnnProgram(), h, xg, hg)
	case "GRU":
		b.Map(gruProgram(), h,
			part(xg, "x", 0), part(hg, "h", 0), part(xg, "x", 1), part(hg, "h", 1), part(xg, "x", 2), part(hg, "h", 2), h0)
	case "LSTM":
		g := b.NewTensor(c.name+"/gates", op.F32, xg.Dims)
		binaryMap(b, binaryOps[0], g, xg, hg)
		cc = b.NewTensor(c.name+"/cell", op.F32, []int{n})
		p := lane.New("lstm_cell")
		i, f, fresh, old := p.Vec(), p.Vec(), p.Vec(), p.Vec()
		b.Map(p.Return(p.FMA(p.Sigmoid(f), old, p.Mul(p.Sigmoid(i), p.Tanh(fresh)))), cc,
			part(g, "gate", 0), part(g, "gate", 1), part(g, "gate", 3), c0)
		q := lane.New("lstm_hidden")
		o := q.Vec()
		b.Map(q.Return(q.Mul(q.Sigmoid(o), q.Tanh(q.Vec()))), h, part(g, "gate", 2), cc)
		if c.r.outputs != n {
			h = c.linear("/projection", "weight_hr", h, 1, n, nil, 0)
		}
	}
	return h, cc
}

// rnnProgram makes the state of the input's and the state's parts.
func rnnProgram() *lane.Program {
	p := lane.New("tanh_of_sum")
	v := p.Vec()
	return p.Return(p.Tanh(p.Add(v, p.Vec())))
}

// gruProgram makes the state of both parts of the gates R, U and N, in turns, and the old
// state.
func gruProgram() *lane.Program {
	p := lane.New("gru_step")
	xr, hr, xu, hu, xn, hn, old := p.Vec(), p.Vec(), p.Vec(), p.Vec(), p.Vec(), p.Vec(), p.Vec()
	reset, update := p.Sigmoid(p.Add(xr, hr)), p.Sigmoid(p.Add(xu, hu))
	fresh := p.Tanh(p.FMA(reset, hn, xn))
	return p.Return(p.FMA(update, old, p.Mul(p.Sub(p.F(1), update), fresh)))
}

// passes are what a call does to the gates of a step: for an LSTM the cell of both
// parts of the gates I, F and G, in turns, and the old cell, then the hidden state of
// both parts of O, and the cell; else the state as above.
func (t cell) passes() []op.Pass {
	var list []op.Pass
	pass := func(p *lane.Program) {
		in := make([]op.Source, len(p.Inputs))
		for i := range in {
			in[i] = op.Source{Kind: op.FromInput, Index: i}
		}
		list = append(list, op.Pass{Program: p, In: in, To: -1, Out: true})
	}
	switch t.typ {
	case "RNN":
		pass(rnnProgram())
	case "GRU":
		pass(gruProgram())
	default:
		p := lane.New("lstm_cell_of_parts")
		xi, hi, xf, hf, xg, hg, old := p.Vec(), p.Vec(), p.Vec(), p.Vec(), p.Vec(), p.Vec(), p.Vec()
		in, forget, fresh := p.Sigmoid(p.Add(xi, hi)), p.Sigmoid(p.Add(xf, hf)), p.Tanh(p.Add(xg, hg))
		pass(p.Return(p.FMA(forget, old, p.Mul(in, fresh))))
		q := lane.New("lstm_hidden_of_parts")
		xo, ho, c := q.Vec(), q.Vec(), q.Vec()
		pass(q.Return(q.Mul(q.Sigmoid(q.Add(xo, ho)), q.Tanh(c))))
	}
	return list
}

// newGateBias is the bias of the state's part of a GRU's gates: that of the new
// gate, behind zeros.
func (c cellCall) newGateBias() *ir.Weight {
	w, n := c.b.Layer.Weight("bias"), c.r.hidden
	return computedWeight(c.name+"/bias", 3*n, ir.StoreF32, func() ([]byte, error) {
		v := make([]float32, n)
		if err := w.ReadFloat32(v, (c.d*4+3)*n); err != nil {
			return nil, err
		}
		data := make([]byte, 8*n, 12*n)
		for _, x := range v {
			data = binary.LittleEndian.AppendUint32(data, math.Float32bits(x))
		}
		return data, nil
	})
}

// all runs several steps by one call.
func (c cellCall) all(x, h0, c0 *op.Tensor, steps int) (y, h, cc *op.Tensor) {
	b, r := c.b, c.r
	l := b.Layer
	rows := c.t.gates * r.hidden
	int8 := l.Params.Int(8, 0) != 0
	xg := (*op.Tensor)(nil)
	if int8 {
		xg = c.inputInt8(x, steps)
	} else {
		xg = c.input(x, steps)
	}
	in := []*op.Tensor{xg, h0}
	y = b.NewTensor(c.name+"/steps", op.F32, []int{steps, r.outputs})
	h = b.NewTensor(c.name+"/hidden", op.F32, []int{r.outputs})
	out := []*op.Tensor{y, h}
	if c.t.hasCell {
		cc = b.NewTensor(c.name+"/cell", op.F32, []int{r.hidden})
		in, out = append(in, c0), append(out, cc)
	}
	w := &op.Panels{Name: c.name + "/weight_hc", N: rows, Taps: 1, Chans: r.outputs, Type: op.F32,
		Weight: l.Weight("weight_hc"), First: c.d * rows * r.outputs}
	if c.t.typ == "GRU" && !int8 {
		w.Bias = c.newGateBias()
	}
	halfInt := 4
	if int8 {
		w.Type, w.Int8, halfInt = op.I8, &op.Int8{Input: 1}, 0
	}
	in = append(in, b.Packed(w, halfInt))
	if int8 {
		in = append(in, c.inverse("weight_hc_scales", 1))
		if c.t.typ == "GRU" {
			bias, first := l.Weight("bias"), (c.d*4+3)*r.hidden
			in = append(in, b.Const(c.name+"/new_gate_bias", []int{r.hidden}, func(dst []float32) error { return bias.ReadFloat32(dst, first) }))
		}
	}
	if r.outputs != r.hidden {
		in = append(in, b.Packed(&op.Panels{Name: c.name + "/weight_hr", N: r.outputs, Taps: 1, Chans: r.hidden, Type: op.F32,
			Weight: l.Weight("weight_hr"), First: c.d * r.outputs * r.hidden}, 5))
	}
	reverse := 0
	if c.reverse {
		reverse = 1
	}
	fn := map[string]string{"LSTM": "lstm", "GRU": "gru", "RNN": "rnn"}[c.t.typ]
	if int8 {
		kind := map[string]int{"lstm": 0, "gru": 1, "rnn": 2}[fn]
		call := b.Call("recurrent_int8", []int{steps, r.hidden, r.outputs, reverse, kind, 0}, nil, out, in...)
		call.Call.Passes = c.t.passes()
		call.ThreadScratch = (productTable + op.Fours(r.outputs) + 4*(rows+r.hidden) + 63) &^ 63
		return y, h, cc
	}
	call := b.Call(fn, []int{steps, r.hidden, r.outputs, reverse, 0, 0}, nil, out, in...)
	call.Call.Passes = c.t.passes()
	call.ThreadScratch = (productTable + 4*(rows+r.hidden) + 63) &^ 63
	return y, h, cc
}

// inverse is 1/(by*scale) of each row of a weight.
func (c cellCall) inverse(scales string, by float32) *op.Tensor {
	w, n := c.b.Layer.Weight(scales), c.t.gates*c.r.hidden
	return c.b.Const(c.name+"/"+scales, []int{n}, func(dst []float32) error {
		if err := w.ReadFloat32(dst, c.d*n); err != nil {
			return err
		}
		for i, s := range dst {
			if s == 0 {
				return fmt.Errorf("%s %d is zero", scales, c.d*n+i)
			}
			dst[i] = 1 / (by * s)
		}
		return nil
	})
}

// inputInt8 is input for int8 weights: each step is quantised by its own largest
// value.
func (c cellCall) inputInt8(x *op.Tensor, steps int) *op.Tensor {
	b, l, n := c.b, c.b.Layer, c.t.gates*c.r.hidden
	q, top := b.quantizeRuns(x, steps, c.name+"/input")
	q = b.int8Input(q, &int8Conv{integers: true})
	wide := op.Fours(c.r.size)
	sum := b.NewTensor(c.name+"/input/sum", op.F32, []int{steps, n})
	b.Add(&op.Op{Kind: op.Conv, In: []*op.Tensor{q}, Out: []*op.Tensor{sum},
		Conv: &op.ConvAttr{InH: 1, InW: steps, InC: wide, OutH: 1, OutW: steps, OutC: n, KH: 1, KW: 1, SH: 1, SW: 1, DH: 1, DW: 1},
		Panels: &op.Panels{Name: c.name + "/input", N: n, Taps: 1, Chans: c.r.size, Type: op.I8, Int8: &op.Int8{Input: 1},
			Weight: l.Weight("weight_xc"), First: c.d * n * c.r.size},
	})
	w, first := l.Weight("bias"), c.d*c.t.biases*c.r.hidden
	bias := b.Const(c.name+"/bias", []int{n}, func(dst []float32) error { return w.ReadFloat32(dst, first) })
	inverse := c.inverse("weight_xc_scales", 127)
	xg := b.NewTensor(c.name+"/input/gates", op.F32, sum.Dims)
	p := lane.New("gates_of_sums_" + operandKind(top, xg) + operandKind(inverse, xg) + operandKind(bias, xg))
	v := p.Vec()
	f := p.Mul(operand(p, top, xg), operand(p, inverse, xg))
	b.Map(p.Return(p.FMA(v, f, operand(p, bias, xg))), xg, sum, top, inverse, bias)
	return xg
}
