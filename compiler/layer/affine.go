package layer

import (
	"fmt"
	"math"

	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/lane"
	"github.com/flexnnc/flexnnc/ir/op"
)

// Layers that compute x*scale+shift with a factor per channel: c of rank 3 and
// 4, row of rank 2, element of rank 1.
func init() {
	Register(affineDef(&Def{
		Type: "BatchNorm", Index: 2,
		Params: []ParamDef{{0, "channels", Int, ""}, {1, "eps", Float, "default 0"}},
		Weights: func(l *ir.Layer) []WeightDef {
			n := l.Params.Int(0, 0)
			return []WeightDef{{Name: "slope", Count: n}, {Name: "mean", Count: n}, {Name: "variance", Count: n}, {Name: "bias", Count: n}}
		},
	}, func(l *ir.Layer, weight weights) (scale, shift []float64, err error) {
		v, err := weight.all("slope", "mean", "variance", "bias")
		if err != nil {
			return nil, nil, err
		}
		eps := float64(l.Params.Float(1, 0))
		for i, slope := range v[0] {
			deviation := math.Sqrt(v[2][i] + eps)
			if deviation == 0 {
				deviation = 1e-4 // as ncnn guards the division
			}
			scale = append(scale, slope/deviation)
			shift = append(shift, v[3][i]-slope*v[1][i]/deviation)
		}
		return scale, shift, nil
	}))

	Register(affineDef(&Def{
		Type: "Bias", Index: 3,
		Params:  []ParamDef{{0, "bias_data_size", Int, ""}},
		Weights: func(l *ir.Layer) []WeightDef { return []WeightDef{{Name: "bias", Count: l.Params.Int(0, 0)}} },
	}, func(l *ir.Layer, weight weights) (scale, shift []float64, err error) {
		shift, err = weight("bias")
		for range shift {
			scale = append(scale, 1)
		}
		return scale, shift, err
	}))

	scale := affineDef(&Def{
		Type: "Scale", Index: 29,
		Params: []ParamDef{
			{0, "scale_data_size", Int, "-233: the factors are the second input"},
			{1, "bias_term", Int, ""},
		},
		Weights: func(l *ir.Layer) []WeightDef {
			n := l.Params.Int(0, 0)
			if n == sameUpper {
				return nil
			}
			w := []WeightDef{{Name: "scale", Count: n}}
			if l.Params.Int(1, 0) != 0 {
				w = append(w, WeightDef{Name: "bias", Count: n})
			}
			return w
		},
	}, func(l *ir.Layer, weight weights) (scale, shift []float64, err error) {
		if scale, err = weight("scale"); err != nil {
			return nil, nil, err
		}
		shift = make([]float64, len(scale))
		if l.Params.Int(1, 0) != 0 {
			shift, err = weight("bias")
		}
		return scale, shift, err
	})
	scale.MaxIn = 2
	scaleByInput(scale)
	Register(scale)
}

// weights reads a layer's weight blobs by name.
type weights func(name string) ([]float64, error)

func (w weights) all(names ...string) (v [][]float64, err error) {
	for _, n := range names {
		x, err := w(n)
		if err != nil {
			return nil, err
		}
		v = append(v, x)
	}
	return v, nil
}

// fileWeights reads from the layer's references.
func fileWeights(l *ir.Layer) weights {
	return func(name string) ([]float64, error) {
		w := l.Weight(name)
		if w == nil {
			return nil, fmt.Errorf("BUG: layer %q has no weight %q", l.Name, name)
		}
		v, err := w.Float32s()
		if err != nil {
			return nil, err
		}
		f := make([]float64, len(v))
		for i, x := range v {
			f[i] = float64(x)
		}
		return f, nil
	}
}

// affineDef completes a definition by the factors that of computes.
func affineDef(d *Def, of func(l *ir.Layer, weight weights) (scale, shift []float64, err error)) *Def {
	d.MinIn, d.MaxIn, d.MinOut, d.MaxOut = 1, 1, 1, 1
	d.Shape = func(c *ShapeCall) ([]ir.Shape, error) {
		if n := c.Layer.Params.Int(0, 0); n != channels(c.In[0]) && n != sameUpper {
			return nil, fmt.Errorf("has factors for %d channels, but its input has %d (%v)", n, channels(c.In[0]), c.In[0])
		}
		return same(c)
	}
	d.Eval = func(c *EvalCall) error {
		scale, shift, err := of(c.Layer, c.Weight)
		if err != nil {
			return err
		}
		evalAffine(c.In[0], c.Out[0], scale, shift)
		return nil
	}
	d.Lower = func(b *Builder) error {
		l := b.Layer
		lowerAffine(b, func() (scale, shift []float64, err error) { return of(l, fileWeights(l)) })
		return nil
	}
	return d
}

func evalAffine(x, y Tensor, scale, shift []float64) {
	_, n, inner := around(x.Shape, 0)
	for c := range n {
		for i := c * inner; i < (c+1)*inner; i++ {
			y.Data[i] = x.Data[i]*scale[c] + shift[c]
		}
	}
}

// lowerAffine appends the Map, marked so that it may be folded into weights
// before it where channels are innermost.
func lowerAffine(b *Builder, factors op.Affine) {
	v := b.Any(0)
	out := b.Output(0, v.Layout)
	vector := func(second bool) func(dst []float32) error {
		return func(dst []float32) error {
			f, shift, err := factors()
			if err != nil {
				return err
			}
			if second {
				f = shift
			}
			for i := range dst {
				dst[i] = float32(f[i])
			}
			return nil
		}
	}
	scale := b.Const(b.Layer.Name+"/scale", channelDims(v), vector(false))
	shift := b.Const(b.Layer.Name+"/shift", channelDims(v), vector(true))
	p := lane.New("affine_" + operandKind(scale, out))
	x := p.Vec()
	s := operand(p, scale, out)
	o := b.Map(p.Return(p.FMA(x, s, operand(p, shift, out))), out, v.Tensor, scale, shift)
	if physicalAxis(v, 0) == v.Shape.Dims-1 {
		o.Affine = factors
	}
}

// scaleByInput adds to Scale the form whose factors are the second input.
func scaleByInput(d *Def) {
	shape, eval, lower := d.Shape, d.Eval, d.Lower
	byInput := func(l *ir.Layer) bool { return l.Params.Int(0, 0) == sameUpper }
	d.Shape = func(c *ShapeCall) ([]ir.Shape, error) {
		if byInput(c.Layer) {
			if len(c.In) != 2 || c.In[1].Len() != channels(c.In[0]) || c.Layer.Params.Int(1, 0) != 0 {
				return nil, fmt.Errorf("needs a second input with a factor per channel, and no bias")
			}
		} else if len(c.In) != 1 {
			return nil, fmt.Errorf("has %d inputs and own factors", len(c.In))
		}
		return shape(c)
	}
	d.Eval = func(c *EvalCall) error {
		if !byInput(c.Layer) {
			return eval(c)
		}
		evalAffine(c.In[0], c.Out[0], c.In[1].Data, make([]float64, len(c.In[1].Data)))
		return nil
	}
	d.Lower = func(b *Builder) error {
		if !byInput(b.Layer) {
			return lower(b)
		}
		v := b.Any(0)
		out := b.Output(0, v.Layout)
		s := b.View(b.In(1, Planar).Tensor, b.Layer.Name+"/scale", channelDims(v))
		binaryMap(b, binaryOps[2], out, v.Tensor, s)
		return nil
	}
}
