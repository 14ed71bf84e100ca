package layer

import (
	"fmt"

	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/diag"
	"github.com/flexnnc/flexnnc/ir/op"
)

func init() {
	Register(&Def{
		Type: "InnerProduct", Index: 15, MinIn: 1, MaxIn: 1, MinOut: 1, MaxOut: 1,
		Params: []ParamDef{
			{0, "num_output", Int, "outputs"},
			{1, "bias_term", Int, "1: a bias per output follows the weights"},
			{2, "weight_data_size", Int, "number of weights"},
			int8ScaleParam,
			{9, "activation_type", Int, "0 none, 1 relu, 2 leaky relu, 3 clip, 4 sigmoid, 5 mish, 6 hard swish"},
			{10, "activation_params", FloatArray, "leaky: slope; clip: min, max; hard swish: alpha, beta"},
		},
		Check: func(l *ir.Layer, d *diag.List) {
			if n, size := l.Params.Int(0, 0), l.Params.Int(2, 0); n < 1 || size < n || size%n != 0 {
				d.Layerf(l, "%d weights for %d outputs", size, n)
			}
			if _, _, err := activation(l, 9, 10); err != nil {
				d.Layerf(l, "%v", err)
			}
		},
		Weights: func(l *ir.Layer) []WeightDef {
			p := l.Params
			w := []WeightDef{{Name: "weight", Count: p.Int(2, 0), Tagged: true}}
			if p.Int(1, 0) != 0 {
				w = append(w, WeightDef{Name: "bias", Count: p.Int(0, 0)})
			}
			if p.Int(8, 0) != 0 {
				w = append(w, WeightDef{Name: "weight_scales", Count: p.Int(0, 0)}, WeightDef{Name: "input_scale", Count: 1})
			}
			return w
		},
		Shape: func(c *ShapeCall) ([]ir.Shape, error) {
			rows, _, err := innerRows(c.Layer, c.In[0])
			if err != nil {
				return nil, err
			}
			if rows > 0 {
				return one(ir.Shape2(c.Layer.Params.Int(0, 0), rows)), nil
			}
			return one(ir.Shape1(c.Layer.Params.Int(0, 0))), nil
		},
		Eval:  evalInnerProduct,
		Lower: lowerInnerProduct,
	})
}

// innerRows tells how many rows of k numbers the input is: 0 for "all of it is
// one row, and the result is of rank 1".
func innerRows(l *ir.Layer, in ir.Shape) (rows, k int, err error) {
	n := l.Params.Int(0, 0)
	k = l.Params.Int(2, 0) / max(n, 1)
	if in.Dims == 2 && in.W == k {
		return in.H, k, nil
	}
	if in.Len() != k {
		return 0, k, fmt.Errorf("%d weights for %d outputs mean %d inputs, but the input has %d (%v)", l.Params.Int(2, 0), n, k, in.Len(), in)
	}
	return 0, k, nil
}

func evalInnerProduct(c *EvalCall) error {
	rows, k, err := innerRows(c.Layer, c.In[0].Shape)
	if err != nil {
		return err
	}
	weight, err := c.Weight("weight")
	if err != nil {
		return err
	}
	var bias []float64
	if c.Layer.Params.Int(1, 0) != 0 {
		if bias, err = c.Weight("bias"); err != nil {
			return err
		}
	}
	act, err := activationEval(c.Layer, 9, 10)
	if err != nil {
		return err
	}
	// One output row is a 1x1 convolution of one pixel with k channels.
	g := conv{outC: c.Layer.Params.Int(0, 0), inC: k, group: 1}
	for i := range 3 {
		g.kernel[i], g.dilation[i], g.stride[i], g.in[i], g.out[i] = 1, 1, 1, 1, 1
	}
	for r := range max(rows, 1) {
		row := EvalCall{Layer: c.Layer, Weight: c.Weight, In: []Tensor{c.In[0]}, Out: []Tensor{c.Out[0]}}
		row.In[0].Data = c.In[0].Data[r*k:][:k]
		row.Out[0].Data = c.Out[0].Data[r*g.outC:][:g.outC]
		if c.Layer.Params.Int(8, 0) != 0 {
			if err := evalConvInt8(&row, g, weight, bias, act); err != nil {
				return err
			}
			continue
		}
		g.eval(row.In[0].Data, weight, bias, row.Out[0].Data)
		for i, v := range row.Out[0].Data {
			row.Out[0].Data[i] = act(v)
		}
	}
	c.Out[0].Type = op.F32
	return nil
}

// lowerInnerProduct makes a 1x1 convolution over one pixel, or over as many as
// there are rows. A channels-last image is read as it lies: the weights are
// packed with its pixels as taps.
func lowerInnerProduct(b *Builder) error {
	l := b.Layer
	v := b.Unflattened(0)
	rows, k, err := innerRows(l, l.Inputs[0].Shape)
	if err != nil {
		return err
	}
	n := l.Params.Int(0, 0)
	taps, chans, width := 1, k, 1
	dims := []int{k}
	if rows > 0 {
		v = b.In(0, Planar)
		width, dims = rows, append([]int{}, v.Tensor.Dims...)
	} else if v.Layout == ChannelsLast {
		chans = channels(v.Shape)
		taps = k / chans
	}
	x := v.Tensor
	var int8 *int8Conv
	if l.Params.Int(8, 0) != 0 {
		if int8, err = b.int8Of(v.Int8); err != nil {
			return err
		}
	}
	if int8 != nil && rows == 0 && v.Layout != ChannelsLast && len(x.Dims) > 1 { // all of it is one row
		x = b.View(x, l.Inputs[0].Name+"/flat", dims)
	}
	if int8 != nil { // an image's pixels are padded, each
		x = b.int8Input(x, int8)
		k = taps * op.Fours(chans)
		dims[len(dims)-1] = k
	}
	if len(x.Dims) != len(dims) {
		x = b.View(x, l.Inputs[0].Name+"/row", dims)
	}
	out := b.Output(0, Planar)
	o := &op.Op{Kind: op.Conv, In: []*op.Tensor{x}, Out: []*op.Tensor{out}, Panels: convPanels(b, l.Name, n, taps, chans, 0), Conv: &op.ConvAttr{
		InH: 1, InW: width, InC: k, OutH: 1, OutW: width, OutC: n,
		KH: 1, KW: 1, SH: 1, SW: 1, DH: 1, DW: 1,
	}}
	if int8 != nil {
		int8.panels(l, o.Panels, n, false)
	}
	if o.Epilogue, err = convEpilogue(b); err != nil {
		return err
	}
	b.Add(o)
	return nil
}
