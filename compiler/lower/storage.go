package lower

import (
	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/op"
)

// storeWeights has weights that the file holds as float16 stay so in the weights
// file and the arena, in panels and tables of embeddings; kernels widen them as
// they load them. Where a factor is folded in they are other numbers by then,
// which float16 cannot hold. Options.Half makes float16 of all of them.
func storeWeights(e *editor) error {
	for _, o := range e.g.Ops {
		if p := o.Panels; p != nil && p.Type == op.F32 && p.Weight != nil && (e.half || p.AsStored() && p.Weight.Storage == ir.StoreF16) {
			p.Type = op.F16
		}
		if o.Kind == op.Call && o.Call.Func == "embed" {
			if table := o.In[1]; table.Const != nil && (e.half || table.Const.Half) {
				table.Type, table.Const.Type = op.F16, op.F16
				o.Call.Ints[3] = 1
			}
		}
	}
	return nil
}

// fuseQuantize has an int8 convolution round its results itself where they are read
// only to be rounded, so that they are int8 from the start.
func fuseQuantize(e *editor) error {
	for _, q := range e.g.Ops {
		if q.Kind != op.Quantize {
			continue
		}
		x := q.In[0]
		o := x.Producer
		if o == nil || !isConv(o) || o.Panels.Int8 == nil || o.Quantize != 0 || e.only(x) != q || !sameDims(x.Dims, q.Out[0].Dims) {
			continue
		}
		o.Quantize = q.Quantize
		if r := o.Rounded; r != nil && r.Whole == o.Epilogue && q.Quantize == 1 {
			o.Epilogue, o.Quantize = r.Before, r.Scale // which rounds once what would be rounded twice
		}
		e.remove(q)
		produce(o, q.Out[0])
	}
	return nil
}
