package layer

import (
	"fmt"
	"math"

	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/lane"
	"github.com/flexnnc/flexnnc/ir/op"
)

// Norms: each takes the elements of a blob, in planar order, in runs of equal
// length and scales every run by a statistic of its own.

// moments are the mean and the mean squared distance from it.
func moments(x []float64) (mean, variance float64) {
	for _, v := range x {
		mean += v
	}
	mean /= float64(len(x))
	for _, v := range x {
		variance += (v - mean) * (v - mean)
	}
	return mean, variance / float64(len(x))
}

// standardize writes (x-mean)/sqrt(variance+eps) of each run of n.
func standardize(x, y []float64, n int, eps float64) {
	for at := 0; at < len(x); at += n {
		mean, variance := moments(x[at : at+n])
		for i := at; i < at+n; i++ {
			y[i] = (x[i] - mean) / math.Sqrt(variance+eps)
		}
	}
}

// normRun is the length of the runs that a LayerNorm or RMSNorm works on: along
// w, or over w*h or w*h*d where affine_size says so.
func normRun(l *ir.Layer, s ir.Shape) (int, error) {
	n := l.Params.Int(0, 0)
	affine := l.Params.Int(2, 1) != 0
	run := s.W
	if s.Dims >= 3 && n != s.W {
		run = s.W * s.H * s.D
		if s.Dims == 4 && n == s.W*s.H {
			run = s.W * s.H
		}
	}
	if affine && n != run {
		return 0, fmt.Errorf("affine_size %d fits no axes of %v", n, s)
	}
	return run, nil
}

func normParams(eps string) []ParamDef {
	return []ParamDef{
		{0, "affine_size", Int, "w, w*h or w*h*d: what is normalised together"},
		{1, "eps", Float, eps},
		{2, "affine", Int, "1 (default): factors follow"},
	}
}

func normWeights(names ...string) func(l *ir.Layer) []WeightDef {
	return func(l *ir.Layer) (w []WeightDef) {
		if l.Params.Int(2, 1) != 0 {
			for _, n := range names {
				w = append(w, WeightDef{Name: n, Count: l.Params.Int(0, 0)})
			}
		}
		return w
	}
}

func shapeNorm(c *ShapeCall) ([]ir.Shape, error) {
	if _, err := normRun(c.Layer, c.In[0]); err != nil {
		return nil, err
	}
	return same(c)
}

func init() {
	Register(&Def{
		Type: "LayerNorm", Index: 76, MinIn: 1, MaxIn: 1, MinOut: 1, MaxOut: 1,
		Params: normParams("default 0.001"), Weights: normWeights("gamma", "beta"),
		Shape: shapeNorm,
		Eval: func(c *EvalCall) error {
			n, err := normRun(c.Layer, c.In[0].Shape)
			if err != nil {
				return err
			}
			y := c.Out[0].Data
			standardize(c.In[0].Data, y, n, float64(c.Layer.Params.Float(1, 0.001)))
			if c.Layer.Params.Int(2, 1) == 0 {
				return nil
			}
			w, err := weights(c.Weight).all("gamma", "beta")
			if err != nil {
				return err
			}
			for i := range y {
				y[i] = y[i]*w[0][i%n] + w[1][i%n]
			}
			return nil
		},
		Lower: func(b *Builder) error {
			n, err := normRun(b.Layer, b.Layer.Inputs[0].Shape)
			if err != nil {
				return err
			}
			b.normRows(n, func(r *rows) {
				var gamma, beta *op.Tensor
				if b.Layer.Params.Int(2, 1) != 0 {
					gamma, beta = b.WeightConst("gamma", []int{n}), b.WeightConst("beta", []int{n})
				}
				r.normalize(n, b.Layer.Params.Float(1, 0.001), gamma, beta)
			})
			return nil
		},
	})
	Register(&Def{
		Type: "RMSNorm", Index: 104, MinIn: 1, MaxIn: 1, MinOut: 1, MaxOut: 1,
		Params: normParams("default 0.001"), Weights: normWeights("gamma"),
		Shape: shapeNorm,
		Eval: func(c *EvalCall) error {
			n, err := normRun(c.Layer, c.In[0].Shape)
			if err != nil {
				return err
			}
			var gamma []float64
			if c.Layer.Params.Int(2, 1) != 0 {
				if gamma, err = c.Weight("gamma"); err != nil {
					return err
				}
			}
			eps := float64(c.Layer.Params.Float(1, 0.001))
			for at := 0; at < len(c.In[0].Data); at += n {
				sum := 0.0
				for _, v := range c.In[0].Data[at : at+n] {
					sum += v * v
				}
				for i, v := range c.In[0].Data[at : at+n] {
					v /= math.Sqrt(sum/float64(n) + eps)
					if gamma != nil {
						v *= gamma[i]
					}
					c.Out[0].Data[at+i] = v
				}
			}
			return nil
		},
		Lower: func(b *Builder) error {
			n, err := normRun(b.Layer, b.Layer.Inputs[0].Shape)
			if err != nil {
				return err
			}
			eps := b.Layer.Params.Float(1, 0.001)
			b.normRows(n, func(r *rows) {
				sum := r.reduce("square_sum", lane.ReduceSum, false, square, r.x())
				factor := r.scalar(fmt.Sprintf("inverse_deviation_%s_%s", digits(float32(n)), digits(eps)), inverseDeviation(n, eps), sum)
				if b.Layer.Params.Int(2, 1) == 0 {
					r.store("product", times, r.x(), factor)
					return
				}
				r.store("product_of_three", func(p *lane.Builder, v []lane.Reg) lane.Reg {
					return p.Mul(p.Mul(v[0], v[1]), v[2])
				}, r.x(), factor, r.vector(b.WeightConst("gamma", []int{n})))
			})
			return nil
		},
	})
	Register(channelNorm("InstanceNorm", 53, []ParamDef{
		{0, "channels", Int, ""}, {1, "eps", Float, "default 0.001"}, {2, "affine", Int, "1 (default): factors follow"},
	}, func(l *ir.Layer) normOf {
		return normOf{l.Params.Int(0, 0), l.Params.Int(0, 0), l.Params.Float(1, 0.001), l.Params.Int(2, 1) != 0}
	}))
	Register(channelNorm("GroupNorm", 75, []ParamDef{
		{0, "group", Int, "default 1"}, {1, "channels", Int, ""}, {2, "eps", Float, "default 0.001"}, {3, "affine", Int, "1 (default): factors follow"},
	}, func(l *ir.Layer) normOf {
		return normOf{l.Params.Int(1, 0), l.Params.Int(0, 1), l.Params.Float(2, 0.001), l.Params.Int(3, 1) != 0}
	}))
}

// normOf are the parameters of a norm over groups of channels.
type normOf struct {
	channels, groups int
	eps              float32
	affine           bool
}

// channelNorm defines a norm over groups of channels with factors per channel.
func channelNorm(typ string, index int, params []ParamDef, of func(l *ir.Layer) normOf) *Def {
	return &Def{
		Type: typ, Index: index, MinIn: 1, MaxIn: 1, MinOut: 1, MaxOut: 1, Params: params,
		Weights: func(l *ir.Layer) []WeightDef {
			n := of(l)
			if !n.affine {
				return nil
			}
			return []WeightDef{{Name: "gamma", Count: n.channels}, {Name: "beta", Count: n.channels}}
		},
		Shape: func(c *ShapeCall) ([]ir.Shape, error) {
			n, have := of(c.Layer), channels(c.In[0])
			if typ == "GroupNorm" && (n.groups < 1 || have%n.groups != 0) {
				return nil, fmt.Errorf("%d channels in %d groups", have, n.groups)
			}
			if n.affine && n.channels != have {
				return nil, fmt.Errorf("has factors for %d channels, but its input has %d", n.channels, have)
			}
			return same(c)
		},
		Eval: func(c *EvalCall) error {
			n := of(c.Layer)
			y := c.Out[0]
			standardize(c.In[0].Data, y.Data, normGroup(c.Layer, n, y.Shape), float64(n.eps))
			if !n.affine {
				return nil
			}
			w, err := weights(c.Weight).all("gamma", "beta")
			if err != nil {
				return err
			}
			evalAffine(y, y, w[0], w[1])
			return nil
		},
		Lower: func(b *Builder) error {
			n := of(b.Layer)
			if v := b.Any(0); v.Layout == ChannelsLast && v.Shape.Dims == 3 {
				b.normImage(v, n)
				return nil
			}
			b.normRows(normGroup(b.Layer, n, b.Layer.Inputs[0].Shape), func(r *rows) {
				r.normalize(normGroup(b.Layer, n, b.Layer.Inputs[0].Shape), n.eps, nil, nil)
			})
			if !n.affine {
				return nil
			}
			v := b.values[b.Layer.Outputs[0]]
			gamma, beta := b.WeightConst("gamma", channelDims(v)), b.WeightConst("beta", channelDims(v))
			out := b.Output(0, v.Layout)
			p := lane.New("affine_" + operandKind(gamma, out))
			x := p.Vec()
			s := operand(p, gamma, out)
			b.Map(p.Return(p.FMA(x, s, operand(p, beta, out))), out, v.Tensor, gamma, beta)
			return nil
		},
	}
}

// normGroup is the length of one run. An InstanceNorm without factors may have a
// wrong channel count, and ncnn looks at the blob.
func normGroup(l *ir.Layer, n normOf, s ir.Shape) int {
	if l.Type == "InstanceNorm" {
		return s.Len() / channels(s)
	}
	return s.Len() / n.groups
}

// inverseDeviation is 1/sqrt(sum/n+eps).
func inverseDeviation(n int, eps float32) func(p *lane.Builder, v []lane.Reg) lane.Reg {
	return func(p *lane.Builder, v []lane.Reg) lane.Reg {
		return p.Div(p.F(1), p.Sqrt(p.Add(p.Div(v[0], p.F(float32(n))), p.F(eps))))
	}
}

// normRows lowers a layer that works on runs of n elements in planar order.
func (b *Builder) normRows(n int, passes func(r *rows)) {
	v := b.In(0, Planar)
	x, out := v.Tensor, b.Layer.Outputs[0]
	if x.Dims[len(x.Dims)-1] == n {
		r := newRows(b, x)
		passes(r)
		r.end(b.Layer.Name, b.Output(0, Planar))
		return
	}
	dims := []int{x.Len() / n, n}
	r := newRows(b, b.View(x, b.Layer.Name+"/runs", dims))
	passes(r)
	y := b.NewTensor(b.Layer.Name+"/normed", op.F32, dims)
	r.end(b.Layer.Name, y)
	b.Set(0, Value{Tensor: b.View(y, out.Name, Dims(out.Shape, Planar)), Shape: out.Shape, Layout: Planar})
}
