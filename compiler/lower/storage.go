package lower

import (
	"slices"

	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/op"
)

// storeWeights has weights that the file holds as float16 stay so in the weights
// file and the arena, in panels and in arrays whose kernels know both forms; they
// widen them as they load them. Where a factor is folded in they are other numbers
// by then, which float16 cannot hold. Options.Half makes float16 of all of them.
func storeWeights(e *editor) error {
	for _, o := range e.g.Ops {
		if o.Panels != nil {
			e.narrow(o.Panels)
		}
		if o.Kind != op.Call {
			continue
		}
		for _, t := range o.In {
			c := t.Const
			switch {
			case c == nil || c.HalfInt == 0:
			case c.Packed != nil:
				if e.narrow(c.Packed) {
					c.Len = c.Packed.Count() * c.Packed.PanelBytes()
					t.Dims = []int{c.Len}
					o.Call.Ints[c.HalfInt] = 1
				}
			case c.Type == op.F32 && (e.half || c.Half):
				t.Type, c.Type = op.F16, op.F16
				o.Call.Ints[c.HalfInt] = 1
			}
		}
	}
	return nil
}

// narrow makes panels float16 where that is asked for or changes nothing.
func (e *editor) narrow(p *op.Panels) bool {
	if p.Type != op.F32 || p.Weight == nil || !e.half && !(p.AsStored() && p.Weight.Storage == ir.StoreF16) {
		return false
	}
	p.Type = op.F16
	return true
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
		if o == nil || !isConv(o) || o.Panels.Int8 == nil || o.Quantize != 0 || e.only(x) != q || !slices.Equal(x.Dims, q.Out[0].Dims) {
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
