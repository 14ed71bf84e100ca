package codegen

import (
	"github.com/flexnnc/flexnnc/ir/op"
	"github.com/flexnnc/flexnnc/ir/plan"
)

// column says whether a step of matrices takes their rows as the rows of an image of
// one column, and not, as whole ones do, as the pixels of one row: drivers make ranges
// of rows, and find rows in rings.
func (u *unit) column(o *op.Op) bool {
	return (o.Conv != nil || o.Pool != nil || o.Kind == op.Quantize) && u.banded[o] && len(o.Out[0].Dims) == 2 && len(o.In[0].Dims) == 2
}

// convShape is the shape of a convolution as its driver takes it.
func (u *unit) convShape(o *op.Op) op.ConvAttr {
	c := *o.Conv
	if u.column(o) {
		c.InH, c.InW, c.OutH, c.OutW = c.InW, c.InH, c.OutW, c.OutH
		c.KH, c.KW, c.SH, c.SW, c.DH, c.DW = c.KW, c.KH, c.SW, c.SH, c.DW, c.DH
		c.PadT, c.PadL = c.PadL, c.PadT
	}
	return c
}

// poolShape is the shape of a pooling as its driver takes it.
func (u *unit) poolShape(o *op.Op) op.PoolAttr {
	p := *o.Pool
	if u.column(o) {
		p.InH, p.InW, p.OutH, p.OutW = p.InW, p.InH, p.OutW, p.OutH
		p.KH, p.KW, p.SH, p.SW, p.PadT, p.PadL = p.KW, p.KH, p.SW, p.SH, p.PadL, p.PadT
	}
	return p
}

// runPixels is how many of the pixels that a step of a convolution makes lie at one
// distance in its output: all, or those of a row where rows do not follow each other.
func (u *unit) runPixels(s *plan.Step) int {
	c, p := u.convShape(s.Op), u.mustPlace(s, s.Op.Out[0])
	rows, first := c.OutH, 0
	if s.Rows.Hi != 0 {
		rows, first = s.Rows.Len(), s.Rows.Lo
	}
	follow := true
	if n := len(p.strides); n > 2 {
		follow = p.strides[n-3] == c.OutW*p.strides[n-2]
	}
	if p.ring != 0 && (p.first+first)%p.ring+rows > p.ring {
		follow = false
	}
	if follow || rows == 1 {
		return rows * c.OutW
	}
	return c.OutW
}
