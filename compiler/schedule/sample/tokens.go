package sample

import (
	"fmt"

	"github.com/flexnnc/flexnnc/ir/lane"
	"github.com/flexnnc/flexnnc/ir/op"
)

// Tokens sees a dense image as a matrix of its pixels.
func (n *Net) Tokens(x *op.Tensor) *op.Tensor {
	return n.Window(x, 0, x.Dims[0]*x.Dims[1], x.Dims[2])
}

// Linear makes rows of c channels of the rows of a matrix: of k of them each, side by
// side and padded, and then adds skip, if there is one.
func (n *Net) Linear(x *op.Tensor, c, k int, skip *op.Tensor) *op.Tensor {
	name := fmt.Sprintf("linear%d", len(n.Graph.Ops))
	o := &op.Op{
		Kind: op.Conv, Name: name, In: []*op.Tensor{x}, Out: []*op.Tensor{n.tensor(name, x.Dims[0], c)},
		Conv: &op.ConvAttr{
			InH: 1, InW: x.Dims[0], InC: x.Dims[1], OutH: 1, OutW: x.Dims[0], OutC: c,
			KH: 1, KW: k, SH: 1, SW: 1, DH: 1, DW: 1, PadL: k / 2,
		},
		Panels: &op.Panels{Name: name, N: c, Taps: k, Chans: x.Dims[1]}, ThreadScratch: 64 * k,
	}
	if skip != nil {
		b := lane.New("add")
		o.Epilogue, o.EpilogueIn = b.Return(b.Add(b.Vec(), b.Vec())), []*op.Tensor{skip}
	}
	return n.add(o)
}

// Attention is one of heads of so many channels side by side, which can be made by
// rows or by heads.
func (n *Net) Attention(q, k, v *op.Tensor, width, scratch int) *op.Tensor {
	name := fmt.Sprintf("attention%d", len(n.Graph.Ops))
	a := &op.CallAttr{Func: "attention", HeadWidth: width}
	for y := range q.Dims[0] {
		a.Rows = append(a.Rows, [2]int{y, y + 1})
	}
	return n.add(&op.Op{
		Kind: op.Call, Name: name, Call: a, In: []*op.Tensor{q, k, v}, WorkScratch: 4 * scratch, LeanWorkScratch: scratch,
		Out: []*op.Tensor{n.tensor(name, q.Dims...)},
	})
}

// Transformer is a layer of one, over the pixels of a dense image.
func (n *Net) Transformer(x *op.Tensor, heads, width, scratch, hidden int) *op.Tensor {
	t := n.Tokens(x)
	c := heads * width
	q, k, v := n.Linear(t, c, 1, nil), n.Linear(t, c, 1, nil), n.Linear(t, c, 1, nil)
	r := n.Linear(n.Attention(q, k, v, width, scratch), x.Dims[2], 1, t)
	y := n.Linear(n.Linear(r, hidden, 1, nil), x.Dims[2], 1, r)
	return n.Window(y, 0, x.Dims[0], x.Dims[1], x.Dims[2])
}
