package verify

import (
	"github.com/flexnnc/flexnnc/ir/op"
	"github.com/flexnnc/flexnnc/ir/plan"
)

// heads is the number of heads of an attention that can be made by ranges of them, 0 of
// any other op.
func heads(o *op.Op) int {
	if o.Kind != op.Call || o.Call.HeadWidth == 0 {
		return 0
	}
	return o.Out[0].Len() / o.Out[0].Dims[0] / o.Call.HeadWidth
}

// sideBySide sees an operand of a step that makes a range of heads as a matrix whose
// columns are channels: the root itself where it is one.
func (c *checker) sideBySide(s *plan.Step, x *op.Tensor) *op.Tensor {
	r := x.Root()
	n := x.Len() / x.Dims[0]
	if n != heads(s.Op)*s.Op.Call.HeadWidth {
		c.fault("%s makes heads of %s, whose rows have %d channels", stepName(s), x.Name, n)
	}
	if len(r.Dims) == 2 && x.Offset == 0 && r.Dims[0] == x.Dims[0] && r.Dims[1] == n && op.Dense(x.Dims, x.Strides) {
		return r
	}
	flat := *x
	flat.Dims, flat.Strides, flat.Base = []int{x.Dims[0], n}, []int{x.Strides[0], 1}, r
	if !op.Dense(x.Dims[1:], x.Strides[1:]) {
		c.fault("%s makes heads of %s, which do not lie side by side", stepName(s), x.Name)
	}
	return &flat
}
