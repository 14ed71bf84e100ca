package layer

import (
	"fmt"

	"github.com/flexnnc/flexnnc/ir"
)

// same is the commonest shape rule: outputs shaped like input 0.
func same(c *ShapeCall) ([]ir.Shape, error) {
	out := make([]ir.Shape, len(c.Layer.Outputs))
	for i := range out {
		out[i] = c.In[0]
	}
	return out, nil
}

func one(s ir.Shape) []ir.Shape { return []ir.Shape{s} }

// axis resolves an axis number, counted from the outermost or negative from the
// end, against a rank.
func axis(a, rank int) (int, error) {
	p := a
	if p < 0 {
		p += rank
	}
	if p < 0 || p >= rank {
		return 0, fmt.Errorf("axis %d of a blob of rank %d", a, rank)
	}
	return p, nil
}

// around splits a shape at an axis: the data are [outer][n][inner].
func around(s ir.Shape, ax int) (outer, n, inner int) {
	outer, inner = 1, 1
	for i, d := range s.Axes() {
		switch {
		case i < ax:
			outer *= d
		case i == ax:
			n = d
		default:
			inner *= d
		}
	}
	return outer, n, inner
}

// lastAxis is the axis number of the physically innermost axis of a value.
func lastAxis(v Value) int {
	if v.Layout == ChannelsLast {
		return 0
	}
	return v.Shape.Dims - 1
}

// physicalAxis is where axis ax of v's shape lies in its tensor's dims.
func physicalAxis(v Value, ax int) int {
	if v.Layout == ChannelsLast {
		return (ax + v.Shape.Dims - 1) % v.Shape.Dims
	}
	return ax
}

// channels is the length of what per-channel data run over: c, or h of rank 2, or
// w of rank 1; always axis 0.
func channels(s ir.Shape) int {
	if s.Dims == 0 {
		return 0
	}
	return s.Axes()[0]
}

// channelDims are the dims of a per-channel vector that broadcasts over v's tensor.
func channelDims(v Value) []int {
	d := make([]int, v.Shape.Dims)
	for i := range d {
		d[i] = 1
	}
	d[physicalAxis(v, 0)] = channels(v.Shape)
	return d
}
