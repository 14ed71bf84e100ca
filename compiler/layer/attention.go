package layer

import (
	"math"

	"github.com/flexnnc/flexnnc/ir/lane"
	"github.com/flexnnc/flexnnc/ir/op"
)

// attention is softmax(q*k' * scale + mask) * v per head, with element strides
// into the operands: [0] per head, [1] per row, [2] per element. Head h of q reads
// head h/perGroup of k and v.
type attention struct {
	heads, perGroup int
	rows, keys      int // of q, of k and v
	width, vWidth   int // elements per row of q and k, of v
	scale           float32
	q, k, v, y      [3]int
	mask            [2]int // per head, per row
}

func (a attention) eval(q, k, v, mask, y []float64) {
	p := make([]float64, a.keys)
	for h := range a.heads {
		g := h / a.perGroup
		for i := range a.rows {
			for j := range p {
				sum := 0.0
				for l := range a.width {
					sum += q[h*a.q[0]+i*a.q[1]+l*a.q[2]] * k[g*a.k[0]+j*a.k[1]+l*a.k[2]]
				}
				p[j] = sum * float64(a.scale)
				if mask != nil {
					p[j] += mask[h*a.mask[0]+i*a.mask[1]+j]
				}
			}
			softmax64(p, p, len(p), 1)
			for n := range a.vWidth {
				sum := 0.0
				for j := range p {
					sum += p[j] * v[g*a.v[0]+j*a.v[1]+n*a.v[2]]
				}
				y[h*a.y[0]+i*a.y[1]+n*a.y[2]] = sum
			}
		}
	}
}

// lower appends the call; mask may be nil. Innermost strides must be one.
func (a attention) lower(b *Builder, name string, y, q, k, v, mask *op.Tensor) {
	in := []*op.Tensor{q, k, v}
	if mask != nil {
		in = append(in, mask)
	}
	b.Add(a.op(name, in, y, a.passes(mask != nil)))
}

// Attention is the shape of a step of attention: Rows queries and Keys keys of Width
// elements, values of VWidth, per head. Element strides are per head and per row.
type Attention struct {
	Heads, Rows, Keys, Width, VWidth int
	Q, K, V, Y, Mask                 [2]int
}

// Op is a Call of it. In are q, k, v, and the mask or none; passes make weights of a
// row of products (input and output) and the mask's row (input 1).
func (a Attention) Op(name string, in []*op.Tensor, y *op.Tensor, passes []op.Pass) *op.Op {
	three := func(s [2]int) [3]int { return [3]int{s[0], s[1], 1} }
	return attention{
		heads: a.Heads, perGroup: 1, rows: a.Rows, keys: a.Keys, width: a.Width, vWidth: a.VWidth,
		scale: 1, q: three(a.Q), k: three(a.K), v: three(a.V), y: three(a.Y), mask: a.Mask,
	}.op(name, in, y, passes)
}

func (a attention) op(name string, in []*op.Tensor, y *op.Tensor, passes []op.Pass) *op.Op {
	t, lean := a.tiles(attentionScores, attentionPanels, attentionKept), a.tiles(leanScores, leanPanels, 0)
	o := &op.Op{Kind: op.Call, Name: name, In: in, Out: []*op.Tensor{y},
		ThreadScratch: productTable, WorkScratch: t.scratch, LeanWorkScratch: lean.scratch,
		Call: &op.CallAttr{Func: "attention", Floats: []float32{a.scale}, Passes: passes,
			Products: append(t.products, lean.products...)},
	}
	ints := func(t attentionTiles) []int {
		return []int{
			a.heads, a.perGroup, a.rows, a.keys, a.width, a.vWidth,
			a.q[0], a.q[1], a.k[0], a.k[1], a.v[0], a.v[1], a.y[0], a.y[1], a.mask[0], a.mask[1],
			t.rows, t.keyPanels, t.valuePanels, t.scratch, 0, t.kept,
		}
	}
	o.Call.Ints, o.Call.LeanInts = ints(t), ints(lean)
	RangeOfAttention(o)
	return o
}

// RangeOfAttention says of what a step of an attention can make a range, by how its
// operands lie: of rows or of heads, where those are the outermost axis of q and y, and
// of heads that lie side by side.
func RangeOfAttention(o *op.Op) {
	q, y, n := o.In[0], o.Out[0], o.Call.Ints
	outermost := func(axis, length int) bool { // of n[6:8], n[12:14]: 0 heads, 1 rows
		for _, t := range []struct {
			x      *op.Tensor
			stride int
		}{{q, n[6+axis]}, {y, n[12+axis]}} {
			if len(t.x.Dims) < 2 || t.x.Dims[0] != length || t.x.Dims[0]*t.stride != t.x.Len() {
				return false
			}
		}
		return length > 1
	}
	byHeads := 0
	o.Call.Rows, o.Call.BlockRows = nil, 0
	switch {
	case outermost(1, n[2]):
		o.Call.Rows, o.Call.BlockRows = eachRow(n[2]), n[16]
	case outermost(0, n[0]):
		o.Call.Rows, byHeads = eachRow(n[0]), 1
	}
	n[20], o.Call.LeanInts[20] = byHeads, byHeads
	o.Call.HeadWidth = n[4]
	for i, x := range []*op.Tensor{o.In[0], o.In[1], o.In[2], y} {
		rows, s := n[2], n[6+2*i:8+2*i]
		if i == 1 || i == 2 {
			rows = n[3]
		}
		if n[1] != 1 || n[5] != n[4] || s[0] != n[4] || s[1] != n[0]*n[4] || len(x.Dims) < 2 || x.Dims[0] != rows || x.Len() != rows*n[0]*n[4] {
			o.Call.HeadWidth = 0
		}
	}
}

// eachRow says that row y of an output is made of row y.
func eachRow(n int) [][2]int {
	rows := make([][2]int, n)
	for y := range rows {
		rows[y] = [2]int{y, y + 1}
	}
	return rows
}

// passes make a row of products into weights: times the scale, plus the mask's
// row, then the operations of a Softmax.
func (a attention) passes(masked bool) []op.Pass {
	r := &rows{}
	in := []op.Source{r.y()}
	if masked {
		in = append(in, op.Source{Kind: op.FromInput, Index: 1})
	}
	if masked || a.scale != 1 {
		name := "scores_times_" + digits(a.scale)
		if masked {
			name += "_plus_mask"
		}
		r.store(name, func(p *lane.Builder, v []lane.Reg) lane.Reg {
			x := v[0]
			if a.scale != 1 {
				x = p.Mul(x, p.F(a.scale))
			}
			if masked {
				x = p.Add(x, v[1])
			}
			return x
		}, in...)
	}
	r.softmax(r.y())
	return r.passes
}

// attentionTiles says how the kernel goes through its operands, from shapes alone.
type attentionTiles struct {
	rows                   int // of a head that are made at a time, at most
	keyPanels, valuePanels int // packed at a time
	kept                   int // bytes of the panels of a head's keys, if all of its panels are kept, or 0
	scratch                int // bytes per thread
	products               []op.Product
}

// Bytes of scores and of packed panels that stay in a core's L2 together with
// what else is read, and where memory is short; and of all panels of a head up to which
// they are packed once for all of its rows.
const (
	attentionScores = 128 << 10
	attentionPanels = 64 << 10
	leanScores      = 32 << 10
	leanPanels      = 16 << 10
	attentionKept   = 1 << 20
	attentionUnits  = 8 // blocks over all heads, at least, for as many threads
)

// tiles takes about so many bytes for scores and for packed panels, or at most so many to
// keep those of a head.
func (a attention) tiles(scores, packed, keep int) attentionTiles {
	const panel = 4 * op.PanelWidth
	panels := func(n int) int { return (n + op.PanelWidth - 1) / op.PanelWidth }
	row := (4*a.keys + 63) &^ 63
	t := attentionTiles{
		keyPanels:   min(panels(a.keys), max(3, packed/(panel*(a.width+1)))),
		valuePanels: min(panels(a.vWidth), max(1, packed/(panel*(a.keys+1)))),
	}
	size := panel * max(t.keyPanels*(a.width+1), t.valuePanels*(a.keys+1))
	if k, v := panel*panels(a.keys)*(a.width+1), panel*panels(a.vWidth)*(a.keys+1); k+v <= keep {
		t.keyPanels, t.valuePanels, t.kept, size = panels(a.keys), panels(a.vWidth), k, k+v
	}
	most := min(a.rows, max(8, scores/row))
	blocks := (a.rows + most - 1) / most
	if a.heads*blocks < attentionUnits {
		blocks = min((attentionUnits+a.heads-1)/a.heads, (a.rows+7)/8)
	}
	t.rows = (a.rows + blocks - 1) / blocks
	blocks = (a.rows + t.rows - 1) / t.rows
	t.scratch = size + t.rows*row
	// The kernels' shapes: rows and panels are cut evenly.
	for _, rows := range []int{a.rows / blocks, (a.rows + blocks - 1) / blocks} {
		for _, c := range [][2]int{{a.keys, t.keyPanels}, {a.vWidth, t.valuePanels}} {
			n := panels(c[0])
			cuts := (n + c[1] - 1) / c[1]
			for _, p := range []int{n / cuts, (n + cuts - 1) / cuts} {
				t.products = append(t.products, op.Product{Rows: rows, Panels: p, Last: c[0] - (n-1)*op.PanelWidth})
			}
		}
	}
	return t
}

func inverseRoot(n int) float32 { return float32(1 / math.Sqrt(float64(n))) }
