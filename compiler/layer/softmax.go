package layer

import (
	"math"

	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/diag"
	"github.com/flexnnc/flexnnc/ir/lane"
	"github.com/flexnnc/flexnnc/ir/op"
)

func init() {
	Register(&Def{
		Type: "Softmax", Index: 32, MinIn: 1, MaxIn: 1, MinOut: 1, MaxOut: 1,
		Params: []ParamDef{
			{0, "axis", Int, "default 0, the outermost"},
			{1, "fixbug0", Int, "must be 1 where axis is not 0"},
		},
		Check: func(l *ir.Layer, d *diag.List) {
			if l.Params.Int(0, 0) != 0 && l.Params.Int(1, 0) == 0 {
				d.Layerf(l, "the file is too old: axis %d without 1=1; ncnn refuses it too", l.Params.Int(0, 0))
			}
		},
		Shape: func(c *ShapeCall) ([]ir.Shape, error) {
			if _, err := softmaxAxis(c.Layer, c.In[0]); err != nil {
				return nil, err
			}
			return same(c)
		},
		Eval: func(c *EvalCall) error {
			ax, err := softmaxAxis(c.Layer, c.In[0].Shape)
			if err != nil {
				return err
			}
			outer, n, inner := around(c.In[0].Shape, ax)
			for o := range outer {
				for i := range inner {
					softmax64(c.In[0].Data[o*n*inner+i:], c.Out[0].Data[o*n*inner+i:], n, inner)
				}
			}
			return nil
		},
		Lower: func(b *Builder) error {
			blob := b.Layer.Outputs[0]
			v := b.Any(0)
			ax, err := softmaxAxis(b.Layer, v.Shape)
			if err != nil {
				return err
			}
			// Rows run along the innermost axis: bring the softmax's there.
			name := b.Layer.Name
			order := make([]int, 0, v.Shape.Dims)
			rank := v.Shape.Dims
			switch {
			case lastAxis(v) == ax:
				out := b.Output(0, v.Layout)
				softmaxRows(b, name, v.Tensor, out)
				return nil
			case ax == rank-1:
				x := b.In(0, Planar)
				softmaxRows(b, name, x.Tensor, b.Output(0, Planar))
				return nil
			case ax == 0:
				x := b.In(0, ChannelsLast)
				softmaxRows(b, name, x.Tensor, b.Output(0, ChannelsLast))
				return nil
			}
			for i := range rank {
				if i != ax {
					order = append(order, i)
				}
			}
			order = append(order, ax)
			x := b.Convert(b.Permute(v, name+"/axis_last", order, Planar), Planar, name+"/axis_last")
			y := b.NewTensor(name+"/rows", op.F32, x.Tensor.Dims)
			softmaxRows(b, name, x.Tensor, y)
			back := make([]int, rank)
			for i, o := range order {
				back[o] = i
			}
			b.Set(0, b.Permute(Value{Tensor: y, Shape: x.Shape}, blob.Name, back, v.Layout))
			return nil
		},
	})
}

// softmaxAxis ignores the axis of a blob of rank 1, as ncnn does.
func softmaxAxis(l *ir.Layer, in ir.Shape) (int, error) {
	if in.Dims == 1 {
		return 0, nil
	}
	return axis(l.Params.Int(0, 0), in.Dims)
}

// softmax64 works on n elements that are stride apart.
func softmax64(x, y []float64, n, stride int) {
	top, sum := math.Inf(-1), 0.0
	for i := range n {
		top = math.Max(top, x[i*stride])
	}
	for i := range n {
		y[i*stride] = math.Exp(x[i*stride] - top)
		sum += y[i*stride]
	}
	for i := range n {
		y[i*stride] /= sum
	}
}

// softmaxRows appends the softmax of each innermost row.
func softmaxRows(b *Builder, name string, x, y *op.Tensor) {
	r := newRows(b, x)
	r.softmax(r.x())
	r.end(name, y)
}

// softmax appends the passes of a softmax of x, which go to the output.
func (r *rows) softmax(x op.Source) {
	top := r.reduce("max", lane.ReduceMax, false, first, x)
	sum := r.reduce("exp_of_difference_sum", lane.ReduceSum, true, func(p *lane.Builder, v []lane.Reg) lane.Reg {
		return p.Exp(p.Sub(v[0], v[1]))
	}, x, top)
	r.store("quotient", func(p *lane.Builder, v []lane.Reg) lane.Reg { return p.Div(v[0], v[1]) }, r.y(), sum)
}
