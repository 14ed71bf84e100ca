package layer

import (
	"fmt"

	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/diag"
	"github.com/flexnnc/flexnnc/ir/op"
)

func init() {
	Register(&Def{
		Type: "SDPA", Index: 108, MinIn: 3, MaxIn: 6, MinOut: 1, MaxOut: 3,
		Params: []ParamDef{
			{5, "attn_mask", Int, "1: the fourth input is added to the scores"},
			{6, "scale", Float, "0 (default): 1/sqrt of the row length"},
			{7, "kv_cache", Int, "1: past keys and values are the last inputs; both outputs follow the result"},
			{18, "int8_scale_term", Int, ""},
		},
		Check: func(l *ir.Layer, d *diag.List) {
			p := l.Params
			if p.Int(18, 0) != 0 {
				d.Layerf(l, "int8 attention is not supported")
			}
			if want := 3 + p.Int(5, 0) + 2*p.Int(7, 0); len(l.Inputs) != want || len(l.Outputs) != 1+2*p.Int(7, 0) {
				d.Layerf(l, "has %d inputs and %d outputs, needs %d and %d", len(l.Inputs), len(l.Outputs), want, 1+2*p.Int(7, 0))
			}
		},
		Shape: func(c *ShapeCall) ([]ir.Shape, error) {
			a, err := sdpaOf(c.Layer, c.In)
			if err != nil {
				return nil, err
			}
			q, k, v := c.In[0], c.In[1], c.In[2]
			return []ir.Shape{
				ir.Shape3(v.W, q.H, q.C), ir.Shape3(k.W, a.keys, k.C), ir.Shape3(v.W, a.keys, v.C),
			}[:len(c.Layer.Outputs)], nil
		},
		Eval: func(c *EvalCall) error {
			a, err := sdpaOf(c.Layer, shapes(c.In))
			if err != nil {
				return err
			}
			var mask []float64
			if a.maskAt > 0 {
				mask = c.In[a.maskAt].Data
			}
			k, v := c.In[1], c.In[2]
			if a.pastAt > 0 {
				k, v = joinRows(c.In[a.pastAt], k), joinRows(c.In[a.pastAt+1], v)
			}
			a.eval(c.In[0].Data, k.Data, v.Data, mask, c.Out[0].Data)
			if len(c.Out) > 1 {
				copy(c.Out[1].Data, k.Data)
				copy(c.Out[2].Data, v.Data)
			}
			return nil
		},
		Lower: func(b *Builder) error {
			l := b.Layer
			var in []ir.Shape
			for _, blob := range l.Inputs {
				in = append(in, blob.Shape)
			}
			a, err := sdpaOf(l, in)
			if err != nil {
				return err
			}
			var mask *op.Tensor
			if a.maskAt > 0 {
				mask = b.In(a.maskAt, Planar).Tensor
			}
			side := func(i int) *op.Tensor {
				t := b.In(i, Planar).Tensor
				if a.pastAt < 0 {
					return t
				}
				past := b.In(a.pastAt+i-1, Planar).Tensor
				out := b.Output(i, Planar)
				b.Add(&op.Op{Kind: op.Concat, Name: fmt.Sprintf("%s/join%d", l.Name, i), In: []*op.Tensor{past, t}, Out: []*op.Tensor{out}, Axis: 1})
				return out
			}
			q, k, v := b.In(0, Planar).Tensor, side(1), side(2)
			a.lower(b, l.Name, b.Output(0, Planar), q, k, v, mask)
			return nil
		},
	})
}

// sdpa is an attention with the places of its optional inputs, -1 for none.
type sdpa struct {
	attention
	maskAt, pastAt int
}

func sdpaOf(l *ir.Layer, in []ir.Shape) (sdpa, error) {
	a := sdpa{maskAt: -1, pastAt: -1}
	p, next := l.Params, 3
	if p.Int(5, 0) != 0 {
		a.maskAt, next = 3, 4
	}
	if p.Int(7, 0) != 0 {
		a.pastAt = next
		next += 2
	}
	if len(in) != next {
		return a, fmt.Errorf("has %d inputs, needs %d", len(in), next)
	}
	q, k, v := in[0], in[1], in[2]
	if q.Dims != 3 || k.Dims != 3 || v.Dims != 3 || k.W != q.W || v.H != k.H || v.C != k.C || q.C%k.C != 0 {
		return a, fmt.Errorf("query %v, key %v and value %v do not fit", q, k, v)
	}
	a.heads, a.perGroup, a.rows, a.keys, a.width, a.vWidth = q.C, q.C/k.C, q.H, k.H, q.W, v.W
	if a.pastAt > 0 {
		pk, pv := in[a.pastAt], in[a.pastAt+1]
		if pk.W != k.W || pk.C != k.C || pv.W != v.W || pv.C != v.C || pk.H != pv.H {
			return a, fmt.Errorf("past key %v and value %v do not fit %v and %v", pk, pv, k, v)
		}
		a.keys += pk.H
	}
	if a.scale = p.Float(6, 0); a.scale == 0 {
		a.scale = inverseRoot(q.W)
	}
	a.q = [3]int{q.H * q.W, q.W, 1}
	a.k = [3]int{a.keys * k.W, k.W, 1}
	a.v = [3]int{a.keys * v.W, v.W, 1}
	a.y = [3]int{q.H * v.W, v.W, 1}
	if a.maskAt > 0 {
		m := in[a.maskAt]
		if m.W != a.keys || m.H != a.rows || m.C != 1 && m.C != a.heads {
			return a, fmt.Errorf("mask %v for %d heads of %d x %d scores", m, a.heads, a.rows, a.keys)
		}
		a.mask = [2]int{0, a.keys}
		if m.C > 1 {
			a.mask[0] = a.rows * a.keys
		}
	}
	return a, nil
}

// joinRows puts the rows of b under those of a, per channel.
func joinRows(a, b Tensor) Tensor {
	out := NewTensor(ir.Shape3(b.Shape.W, a.Shape.H+b.Shape.H, b.Shape.C))
	na, nb := a.Shape.W*a.Shape.H, b.Shape.W*b.Shape.H
	for q := range b.Shape.C {
		copy(out.Data[q*(na+nb):], a.Data[q*na:][:na])
		copy(out.Data[q*(na+nb)+na:], b.Data[q*nb:][:nb])
	}
	return out
}
