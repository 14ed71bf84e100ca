package schedule

import (
	"slices"

	"github.com/flexnnc/flexnnc/ir/op"
	"github.com/flexnnc/flexnnc/ir/plan"
)

// reach says which rows of a root an op touches for each row of its output.
type reach struct {
	root int
	rows int // of the root
	// whole: all of them, whichever rows are made
	whole bool
	// Row y touches rows of the root within [lo[y],hi[y]). Neither ever decreases from
	// one row to the next.
	lo, hi []int
}

// of is the rows that are touched for rows out.
func (r *reach) of(out plan.Range) plan.Range {
	if r.whole {
		return plan.Range{Lo: 0, Hi: r.rows}
	}
	return plan.Range{Lo: r.lo[out.Lo], Hi: r.hi[out.Hi-1]}
}

// until is how many rows must be made for rows of the root before row to be complete.
func (r *reach) until(row int) int {
	if r.whole {
		return 1
	}
	n, _ := slices.BinarySearch(r.lo, row)
	return n
}

// window says where rows of a tensor lie in its root, in elements: row y at
// off+y*step, over span of them, where a row of the root has row.
type window struct{ off, step, span, row int }

// windowOf takes fold indices of the root's outermost axis for a row.
func windowOf(x *op.Tensor, fold int) window {
	r := x.Root()
	w := window{off: x.Offset, span: 1, row: fold * r.Len() / r.Dims[0]}
	for i, d := range x.Dims[1:] {
		w.span += (d - 1) * x.Strides[i+1]
	}
	if w.step = w.row; x.Dims[0] > 1 {
		w.step = x.Strides[0]
	}
	return w
}

// rows is the rows of the root that rows [lo,hi) of the tensor lie in.
func (w *window) rows(lo, hi int) (int, int) {
	return (w.off + lo*w.step) / w.row, (w.off+(hi-1)*w.step+w.span-1)/w.row + 1
}

// unit is what number of rows of the root a ring must be a multiple of for drivers
// to find the tensor's rows in it, which lie at some row modulo the ring: rows of
// the root, parts of them, or several of them that the root is divided into; 0
// where they are none of these.
func (w *window) unit() int {
	if w.step <= 0 || w.off%w.step+w.span > w.step {
		return 0
	}
	switch {
	case w.row%w.step == 0:
		return 1
	case w.step%w.row == 0:
		return w.step / w.row
	}
	return 0
}

// reachOf is how rows of x are touched, of which row y of an output of height rows
// touches [lo,hi); ok is false where its rows are not in order.
func (n *network) reachOf(x *op.Tensor, root, height int, rows func(y int) (lo, hi int)) (r reach, ok bool) {
	w := windowOf(x, n.roots[root].fold)
	if len(x.Dims) < 2 || w.step <= 0 {
		return r, false
	}
	r = reach{root: root, rows: n.roots[root].rows, lo: make([]int, height), hi: make([]int, height)}
	for y := range height {
		if lo, hi := rows(y); lo < hi {
			r.lo[y], r.hi[y] = w.rows(lo, hi)
		} else {
			r.lo[y] = r.rows
		}
		if y > 0 {
			r.hi[y] = max(r.hi[y], r.hi[y-1])
		}
	}
	for y := height - 2; y >= 0; y-- {
		r.lo[y] = min(r.lo[y], r.lo[y+1])
	}
	return r, true
}

// byRows fills height, reads and made: an op can run by rows where its output and
// all that it reads have the image's rows as their outermost axis. What is
// broadcast along the rows is read whole. Rows of a matrix, of which a convolution
// makes the pixels of one row of an image, are as good.
func (n *network) byRows(d *node, of map[*op.Tensor]int) {
	o := d.op
	for _, list := range [][]*op.Tensor{o.In, o.EpilogueIn} {
		for _, x := range list {
			if r := x.Root(); r.Const == nil {
				d.reads = append(d.reads, reach{root: of[r], rows: n.roots[of[r]].rows, whole: true})
			}
		}
	}
	d.made = reach{whole: true}
	if len(o.Out) > 1 || o.Kind == op.Call && o.Call.Rows == nil {
		return
	}
	like := append(slices.Clip(o.Out), o.In...)[0] // has the rows that Step.Rows counts
	height := like.Dims[0]
	if height < 2 || len(like.Dims) < 2 {
		return
	}
	if (o.Conv != nil || o.Pool != nil) && o.In[0].Root().Const != nil {
		return // a matrix of constants: its columns are pixels of one row
	}
	same := func(y int) (int, int) { return y, y + 1 }
	made := d.made
	if len(o.Out) == 1 {
		var ok bool
		if made, ok = n.reachOf(o.Out[0], of[o.Out[0].Root()], height, same); !ok {
			return
		}
	}
	reads := slices.Clone(d.reads)
	k := 0
	for i, x := range append(slices.Clip(o.In), o.EpilogueIn...) {
		if x.Root().Const != nil {
			continue
		}
		rows, ok := inputRows(o, i, x, like)
		if !ok {
			return
		}
		if rows != nil {
			if reads[k], ok = n.reachOf(x, reads[k].root, height, rows); !ok {
				return
			}
		}
		k++
	}
	d.height, d.reads, d.made = height, reads, made
	d.grain = max(1, o.RowGrain)
	if root := like.Root(); root.Const == nil {
		if w := windowOf(like, n.roots[of[root]].fold); w.step < w.row {
			d.grain = lcm(d.grain, w.row/w.step)
		}
	}
}

// grains is the number of turns in which an op's rows can be made.
func (d *node) grains() int { return (d.height + d.grain - 1) / d.grain }

// inputRows says which rows of input i, x, an op reads for row y of its output, or
// nil for all of them; ok is false where it cannot run by rows.
func inputRows(o *op.Op, i int, x, like *op.Tensor) (rows func(y int) (lo, hi int), ok bool) {
	height := like.Dims[0]
	same := func(y int) (int, int) { return y, y + 1 }
	slide := func(stride, pad, span, of int) func(int) (int, int) {
		return func(y int) (int, int) {
			lo, hi := max(0, y*stride-pad), min(of, y*stride-pad+span)
			// A window above the image, or below it: the next one, or the last, may be in the same step.
			if lo < of {
				hi = max(hi, lo+1)
			} else {
				lo = of - 1
			}
			return lo, hi
		}
	}
	switch c, p := o.Conv, o.Pool; {
	case o.Kind == op.Map || o.Kind == op.Rows || o.Kind == op.Quantize || i >= len(o.In):
		if len(x.Dims) == len(like.Dims) && x.Dims[0] == height {
			return same, true
		}
		return nil, true
	case o.Kind == op.Output:
		return same, true
	case o.Kind == op.Copy:
		return same, (o.Perm == nil || o.Perm[0] == 0) && x.Dims[0] == height
	case o.Kind == op.Call:
		if i > 0 {
			return nil, true
		}
		return func(y int) (int, int) { return o.Call.Rows[y][0], o.Call.Rows[y][1] }, true
	case c != nil && len(x.Dims) == 2: // the pixels of one row
		return slide(c.SW, c.PadL, (c.KW-1)*c.DW+1, c.InW), c.InH == 1 && x.Dims[0] == c.InW && height == c.OutW && len(like.Dims) == 2
	case c != nil:
		return slide(c.SH, c.PadT, (c.KH-1)*c.DH+1, c.InH), len(x.Dims) == 3 && x.Dims[0] == c.InH && height == c.OutH && len(like.Dims) == 3
	case p != nil && len(x.Dims) == 2 && p.Adaptive:
		return func(y int) (int, int) { return y * p.InW / p.OutW, ((y+1)*p.InW + p.OutW - 1) / p.OutW },
			p.InH == 1 && p.OutH == 1 && x.Dims[0] == p.InW && height == p.OutW && len(like.Dims) == 2
	case p != nil && len(x.Dims) == 2:
		return slide(p.SW, p.PadL, p.KW, p.InW), p.InH == 1 && x.Dims[0] == p.InW && height == p.OutW && len(like.Dims) == 2
	case p != nil && p.Adaptive:
		return func(y int) (int, int) { return y * p.InH / p.OutH, ((y+1)*p.InH + p.OutH - 1) / p.OutH },
			len(x.Dims) == 3 && x.Dims[0] == p.InH && height == p.OutH
	case p != nil:
		return slide(p.SH, p.PadT, p.KH, p.InH), len(x.Dims) == 3 && x.Dims[0] == p.InH && height == p.OutH
	}
	return nil, false
}

// mostRows is how many rows are told apart of a root that cannot be a ring.
const mostRows = 512

// foldRows decides which roots can be rings, and how many indices of a root's
// outermost axis count as one row: what a ring of it must have a multiple of.
func (n *network) foldRows(of map[*op.Tensor]int) {
	units := make([]int, len(n.roots))
	for i := range units {
		units[i] = 1
	}
	for i := range n.nodes {
		o := n.nodes[i].op
		for _, list := range [][]*op.Tensor{o.In, o.EpilogueIn, o.Out} {
			for _, x := range list {
				if x.Root().Const != nil {
					continue
				}
				k := of[x.Root()]
				if w := windowOf(x, 1); len(x.Dims) < 2 {
					units[k] = 0
				} else {
					units[k] = lcm(units[k], w.unit())
				}
			}
		}
	}
	for k, unit := range units {
		r := &n.roots[k]
		if r.ringable = unit > 0 && r.rows%unit == 0; r.ringable {
			r.fold = unit
		} else {
			r.fold = (r.rows + mostRows - 1) / mostRows
		}
		r.rows = (r.rows + r.fold - 1) / r.fold
		r.row *= plan.Bytes(r.fold)
	}
}

func lcm(a, b int) int {
	x, y := a, b
	for y != 0 {
		x, y = y, x%y
	}
	if x == 0 {
		return 0
	}
	return a / x * b
}

// ring is the rows of a ring of the root that must have so many, or all.
func (r *root) ring(rows int) int {
	if !r.ringable {
		return r.rows
	}
	return min(r.rows, rows)
}
