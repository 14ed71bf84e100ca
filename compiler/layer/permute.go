package layer

import (
	"fmt"
	"strings"

	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/op"
)

// permuteOrders are ncnn's order types by rank, each the input axes in w,h,(d,)c
// order of the output.
var permuteOrders = map[int][]string{
	1: {"w"},
	2: {"wh", "hw"},
	3: {"whc", "hwc", "wch", "cwh", "hcw", "chw"},
	4: strings.Fields("whdc hwdc wdhc dwhc hdwc dhwc whcd hwcd wchd cwhd hcwd chwd " +
		"wdch dwch wcdh cwdh dcwh cdwh hdcw dhcw hcdw chdw dchw cdhw"),
}

func init() {
	Register(&Def{
		Type: "Permute", Index: 47, MinIn: 1, MaxIn: 1, MinOut: 1, MaxOut: 1,
		Params: []ParamDef{{0, "order_type", Int, "rank 2: 0 wh 1 hw; rank 3: 0 whc 1 hwc 2 wch 3 cwh 4 hcw 5 chw; rank 4: 24 more"}},
		Shape: func(c *ShapeCall) ([]ir.Shape, error) {
			order, err := permuteOrder(c.Layer, c.In[0].Dims)
			if err != nil {
				return nil, err
			}
			return one(permutedShape(c.In[0], order)), nil
		},
		Eval: func(c *EvalCall) error {
			order, err := permuteOrder(c.Layer, c.In[0].Shape.Dims)
			if err != nil {
				return err
			}
			permute(c.In[0], c.Out[0], order)
			return nil
		},
		Lower: func(b *Builder) error {
			v := b.Any(0)
			order, err := permuteOrder(b.Layer, v.Shape.Dims)
			if err != nil {
				return err
			}
			b.Set(0, b.Permute(v, b.Layer.Outputs[0].Name, order, ChannelsLast))
			return nil
		},
	})
}

// permuteOrder gives, for each axis of the output from the outermost, the axis of
// the input.
func permuteOrder(l *ir.Layer, rank int) ([]int, error) {
	t := l.Params.Int(0, 0)
	orders := permuteOrders[rank]
	if rank == 1 {
		t = 0
	}
	if t < 0 || t >= len(orders) {
		return nil, fmt.Errorf("unknown order_type %d of rank %d", t, rank)
	}
	axes := orders[0] // the input's own
	order := make([]int, rank)
	for i := range order {
		order[i] = rank - 1 - strings.IndexByte(axes, orders[t][rank-1-i])
	}
	return order, nil
}

func permutedShape(s ir.Shape, order []int) ir.Shape {
	in := s.Axes()
	out := make([]int, len(order))
	for i, o := range order {
		out[i] = in[o]
	}
	return ir.FromAxes(out)
}

// permute copies x to y, axis i of y being axis order[i] of x.
func permute(x, y Tensor, order []int) {
	in, out := x.Shape.Axes(), y.Shape.Axes()
	stride := make([]int, len(in))
	for i, n := len(in)-1, 1; i >= 0; i-- {
		stride[i] = n
		n *= in[i]
	}
	index := make([]int, len(out))
	for k := range y.Data {
		at := 0
		for i, n := range index {
			at += n * stride[order[i]]
		}
		y.Data[k] = x.Data[at]
		for i := len(index) - 1; i >= 0; i-- {
			if index[i]++; index[i] < out[i] {
				break
			}
			index[i] = 0
		}
	}
}

// Permute reorders a value's axes. The result has whichever layout makes it a
// view, else prefer.
func (b *Builder) Permute(v Value, name string, order []int, prefer Layout) Value {
	out := Value{Shape: permutedShape(v.Shape, order), Int8: v.Int8}
	rank := len(order)
	perm := func(l Layout) []int {
		p := make([]int, rank)
		for i := range order {
			p[physicalAxis(Value{Shape: out.Shape, Layout: l}, i)] = physicalAxis(v, order[i])
		}
		return p
	}
	out.Layout = prefer
	for _, l := range []Layout{prefer, Planar, ChannelsLast} {
		if rank > 1 && inOrder(v.Tensor, perm(l)) {
			out.Layout = l
			break
		}
	}
	if rank == 1 {
		out.Layout = Planar
	}
	out.Tensor = b.Transpose(v.Tensor, name, perm(out.Layout))
	return out
}

// inOrder tells whether a transposition moves no axis longer than one.
func inOrder(t *op.Tensor, perm []int) bool {
	last := -1
	for _, p := range perm {
		if t.Dims[p] != 1 {
			if p < last {
				return false
			}
			last = p
		}
	}
	return true
}
