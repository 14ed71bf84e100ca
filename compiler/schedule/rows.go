package schedule

import (
	"slices"

	"github.com/flexnnc/flexnnc/ir/op"
	"github.com/flexnnc/flexnnc/ir/plan"
)

// reach says which rows of a root an op reads to make rows of its output.
type reach struct {
	root int
	rows int // of the root
	// whole: all of them, whichever rows are made
	whole bool
	// adaptive: rows floor(y*rows/out) to ceil((y+1)*rows/out), with out the output's
	adaptive int
	// else row y reads span rows from y*stride-pad on
	stride, pad, span int
}

// of is the rows that are read for rows out.
func (r *reach) of(out plan.Range) plan.Range {
	switch {
	case r.whole:
		return plan.Range{Lo: 0, Hi: r.rows}
	case r.adaptive > 0:
		return plan.Range{Lo: out.Lo * r.rows / r.adaptive, Hi: (out.Hi*r.rows + r.adaptive - 1) / r.adaptive}
	}
	return plan.Range{Lo: max(0, out.Lo*r.stride-r.pad), Hi: min(r.rows, (out.Hi-1)*r.stride-r.pad+r.span)}
}

// rowAligned says whether row y of x lies in row y of its root, for all y.
func rowAligned(x *op.Tensor) bool {
	r := x.Root()
	row := r.Len() / r.Dims[0]
	if len(x.Dims) < 2 || x.Dims[0] != r.Dims[0] || x.Strides[0] != row {
		return false
	}
	end := x.Offset
	for i, d := range x.Dims[1:] {
		end += (d - 1) * x.Strides[i+1]
	}
	return end < row
}

// byRows fills height and reads: an op can run by rows where its output and all
// that it reads have the image's rows as their outermost axis. What is broadcast
// along the rows is read whole.
func (d *node) byRows(of map[*op.Tensor]int) {
	o := d.op
	for _, list := range [][]*op.Tensor{o.In, o.EpilogueIn} {
		for _, x := range list {
			if r := x.Root(); r.Const == nil {
				d.reads = append(d.reads, reach{root: of[r], rows: r.Dims[0], whole: true})
			}
		}
	}
	if len(o.Out) > 1 || o.Kind == op.Call {
		return
	}
	like := func() *op.Tensor { // has the rows that Step.Rows counts
		if len(o.Out) == 1 {
			return o.Out[0]
		}
		return o.In[0]
	}()
	height := like.Dims[0]
	if height < 2 || !rowAligned(like) {
		return
	}
	if (o.Conv != nil || o.Pool != nil) && o.In[0].Root().Const != nil {
		return // a matrix of constants: its columns are pixels of one row
	}
	reads := slices.Clone(d.reads)
	k := 0
	set := func(x *op.Tensor, r reach) bool {
		r.root, r.rows = reads[k].root, reads[k].rows
		reads[k] = r
		return rowAligned(x)
	}
	for i, x := range append(slices.Clip(o.In), o.EpilogueIn...) {
		if x.Root().Const != nil {
			continue
		}
		ok := true
		same := reach{stride: 1, span: 1}
		switch c, p := o.Conv, o.Pool; {
		case o.Kind == op.Map || o.Kind == op.Rows || o.Kind == op.Quantize || i >= len(o.In):
			if len(x.Dims) == len(like.Dims) && x.Dims[0] == height {
				ok = set(x, same)
			}
		case o.Kind == op.Output:
			ok = set(x, same)
		case o.Kind == op.Copy:
			ok = (o.Perm == nil || o.Perm[0] == 0) && x.Dims[0] == height && set(x, same)
		case c != nil:
			ok = len(x.Dims) == 3 && x.Dims[0] == c.InH && height == c.OutH && len(like.Dims) == 3 &&
				set(x, reach{stride: c.SH, pad: c.PadT, span: (c.KH-1)*c.DH + 1})
		case p != nil && p.Adaptive:
			ok = len(x.Dims) == 3 && x.Dims[0] == p.InH && height == p.OutH && set(x, reach{adaptive: p.OutH})
		case p != nil:
			ok = len(x.Dims) == 3 && x.Dims[0] == p.InH && height == p.OutH && set(x, reach{stride: p.SH, pad: p.PadT, span: p.KH})
		default:
			ok = false
		}
		if !ok {
			return
		}
		k++
	}
	d.height, d.reads = height, reads
}
