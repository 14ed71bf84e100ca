package layer

import (
	"fmt"

	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/diag"
	"github.com/flexnnc/flexnnc/ir/op"
)

func init() {
	Register(&Def{
		Type: "MultiHeadAttention", Index: 79, MinIn: 1, MaxIn: 6, MinOut: 1, MaxOut: 3,
		Params: []ParamDef{
			{0, "embed_dim", Int, ""}, {1, "num_heads", Int, "default 1"},
			{2, "weight_data_size", Int, "embed_dim times the length of a query row"},
			{3, "kdim", Int, "default embed_dim"}, {4, "vdim", Int, "default embed_dim"},
			{5, "attn_mask", Int, "1: a mask is added to the scores"},
			{6, "scale", Float, "default 1/sqrt(embed_dim/num_heads)"},
			{7, "kv_cache", Int, "1: cached keys and values are the last inputs and outputs"},
			{18, "int8_scale_term", Int, ""},
		},
		Check: func(l *ir.Layer, d *diag.List) {
			p := l.Params
			if p.Int(18, 0) != 0 {
				d.Layerf(l, "quantised weights are not supported")
			}
			e, h := p.Int(0, 0), p.Int(1, 1)
			if e < 1 || h < 1 || e%h != 0 || p.Int(2, 0) < e || p.Int(2, 0)%e != 0 {
				d.Layerf(l, "embed_dim %d, %d heads, %d weights", e, h, p.Int(2, 0))
			}
			if _, err := mhaInputs(l); err != nil {
				d.Layerf(l, "%v", err)
			}
			if want := 1 + 2*p.Int(7, 0); len(l.Outputs) != want {
				d.Layerf(l, "has %d outputs, needs %d", len(l.Outputs), want)
			}
		},
		Weights: func(l *ir.Layer) []WeightDef {
			e, qdim, kdim, vdim := mhaSizes(l)
			return []WeightDef{
				{Name: "q_weight", Count: e * qdim, Tagged: true}, {Name: "q_bias", Count: e},
				{Name: "k_weight", Count: e * kdim, Tagged: true}, {Name: "k_bias", Count: e},
				{Name: "v_weight", Count: e * vdim, Tagged: true}, {Name: "v_bias", Count: e},
				{Name: "out_weight", Count: e * qdim, Tagged: true}, {Name: "out_bias", Count: qdim},
			}
		},
		Shape: func(c *ShapeCall) ([]ir.Shape, error) {
			m, err := mhaOf(c.Layer, c.In)
			if err != nil {
				return nil, err
			}
			state := ir.Shape2(m.keys, m.embed)
			return []ir.Shape{ir.Shape2(m.qdim, m.rows), state, state}[:len(c.Layer.Outputs)], nil
		},
		Eval:  evalMHA,
		Lower: lowerMHA,
	})
}

func mhaSizes(l *ir.Layer) (embed, qdim, kdim, vdim int) {
	p := l.Params
	embed = p.Int(0, 0)
	return embed, p.Int(2, 0) / max(embed, 1), p.Int(3, embed), p.Int(4, embed)
}

// mhaIn tells which input is what; mask and the caches are -1 where absent.
type mhaIn struct{ q, k, v, mask, pastK, pastV int }

func mhaInputs(l *ir.Layer) (mhaIn, error) {
	in := mhaIn{mask: -1, pastK: -1, pastV: -1}
	n := len(l.Inputs)
	if l.Params.Int(7, 0) != 0 {
		in.pastK, in.pastV = n-2, n-1
		n -= 2
	}
	if l.Params.Int(5, 0) != 0 {
		in.mask = n - 1
		n--
	}
	switch n {
	case 1:
	case 2:
		in.k, in.v = 1, 1
	case 3:
		in.k, in.v = 1, 2
	default:
		return in, fmt.Errorf("has %d inputs", len(l.Inputs))
	}
	return in, nil
}

// mha is a multi-head attention with sizes known.
type mha struct {
	mhaIn
	embed, qdim, kdim, vdim, heads int
	rows, current, past, keys      int
	// reuse says that keys and values come from the cache alone (cross attention).
	reuseK, reuseV bool
	scale          float32
	maskHead       bool // a mask per head
}

func mhaOf(l *ir.Layer, in []ir.Shape) (mha, error) {
	var m mha
	var err error
	if m.mhaIn, err = mhaInputs(l); err != nil {
		return m, err
	}
	m.embed, m.qdim, m.kdim, m.vdim = mhaSizes(l)
	m.heads = l.Params.Int(1, 1)
	m.scale = l.Params.Float(6, inverseRoot(m.embed/m.heads))
	m.rows, m.current = in[m.q].H, in[m.k].H
	if m.pastK >= 0 {
		m.past = in[m.pastK].W
	}
	m.keys = m.current
	if m.past > 0 {
		m.reuseK, m.reuseV = m.q != m.k, m.q != m.v
		m.keys = m.past
		if !m.reuseK {
			m.keys += m.current
		}
	}
	for _, c := range []struct{ at, width int }{{m.q, m.qdim}, {m.k, m.kdim}, {m.v, m.vdim}} {
		if s := in[c.at]; s.Dims != 2 || s.W != c.width {
			return m, fmt.Errorf("input %d is %v, needs rows of %d", c.at, s, c.width)
		}
	}
	if in[m.v].H != m.current {
		return m, fmt.Errorf("%d keys and %d values", m.current, in[m.v].H)
	}
	if m.past > 0 && (in[m.pastK].H != m.embed || in[m.pastV].H != m.embed || in[m.pastV].W != m.past) {
		return m, fmt.Errorf("caches %v and %v, need %d rows", in[m.pastK], in[m.pastV], m.embed)
	}
	if m.mask >= 0 {
		s := in[m.mask]
		m.maskHead = s.Dims == 3
		if s.W != m.keys || s.H != m.rows || s.Dims == 3 && s.C != m.heads {
			return m, fmt.Errorf("mask %v for %d heads of %d x %d scores", s, m.heads, m.rows, m.keys)
		}
	}
	return m, nil
}

// attention works on rows [tokens][embed], heads side by side.
func (m mha) attention() attention {
	w := m.embed / m.heads
	row := [3]int{w, m.embed, 1}
	a := attention{heads: m.heads, perGroup: 1, rows: m.rows, keys: m.keys, width: w, vWidth: w, scale: 1, q: row, k: row, v: row, y: row}
	a.mask = [2]int{0, m.keys}
	if m.maskHead {
		a.mask[0] = m.rows * m.keys
	}
	return a
}

func evalMHA(c *EvalCall) error {
	m, err := mhaOf(c.Layer, shapes(c.In))
	if err != nil {
		return err
	}
	w, err := weights(c.Weight).all("q_weight", "q_bias", "k_weight", "k_bias", "v_weight", "v_bias", "out_weight", "out_bias")
	if err != nil {
		return err
	}
	linear := func(x, weight, bias []float64, in int, scale float64) []float64 {
		var y []float64
		for r := range len(x) / in {
			for o, v := range bias {
				for k := range in {
					v += x[r*in+k] * weight[o*in+k]
				}
				y = append(y, v*scale)
			}
		}
		return y
	}
	q := linear(c.In[m.q].Data, w[0], w[1], m.qdim, float64(m.scale))
	// The cache is stored with tokens innermost.
	cached := func(at int) []float64 {
		if m.past == 0 {
			return nil
		}
		return rowsOf(c.In[at].Data, m.past, m.embed, false)
	}
	k, v := cached(m.pastK), cached(m.pastV)
	if !m.reuseK {
		k = append(k, linear(c.In[m.k].Data, w[2], w[3], m.kdim, 1)...)
	}
	if !m.reuseV {
		v = append(v, linear(c.In[m.v].Data, w[4], w[5], m.vdim, 1)...)
	}
	var mask []float64
	if m.mask >= 0 {
		mask = c.In[m.mask].Data
	}
	y := make([]float64, m.rows*m.embed)
	m.attention().eval(q, k, v, mask, y)
	copy(c.Out[0].Data, linear(y, w[6], w[7], m.embed, 1))
	if len(c.Out) > 1 {
		copy(c.Out[1].Data, rowsOf(k, m.embed, m.keys, false))
		copy(c.Out[2].Data, rowsOf(v, m.embed, m.keys, false))
	}
	return nil
}

func lowerMHA(b *Builder) error {
	l := b.Layer
	var in []ir.Shape
	for _, blob := range l.Inputs {
		in = append(in, blob.Shape)
	}
	m, err := mhaOf(l, in)
	if err != nil {
		return err
	}
	linear := func(x *op.Tensor, name string, k int, out *op.Tensor, scale float64) {
		rows, n := out.Dims[0], out.Dims[1]
		b.Add(&op.Op{Kind: op.Conv, Name: l.Name + "/" + name, In: []*op.Tensor{x}, Out: []*op.Tensor{out},
			Conv: &op.ConvAttr{InH: 1, InW: rows, InC: k, OutH: 1, OutW: rows, OutC: n, KH: 1, KW: 1, SH: 1, SW: 1, DH: 1, DW: 1},
			Panels: &op.Panels{Name: l.Name + "/" + name, N: n, Taps: 1, Chans: k, Type: op.F32,
				Weight: l.Weight(name + "_weight"), Bias: l.Weight(name + "_bias"), WeightScale: scale, BiasScale: scale},
		})
	}
	tensor := func(name string, rows int) *op.Tensor {
		return b.NewTensor(l.Name+"/"+name+"_rows", op.F32, []int{rows, m.embed})
	}
	q := tensor("q", m.rows)
	linear(b.In(m.q, Planar).Tensor, "q", m.qdim, q, float64(m.scale))
	// side gives the keys or values, those of the cache before the new ones.
	side := func(name string, at, past, dim int, reuse bool) *op.Tensor {
		if reuse {
			return b.In(past, ChannelsLast).Tensor
		}
		now := tensor(name, m.current)
		linear(b.In(at, Planar).Tensor, name, dim, now, 1)
		if m.past == 0 {
			return now
		}
		all := tensor(name+"_all", m.keys)
		b.Add(&op.Op{Kind: op.Concat, In: []*op.Tensor{b.In(past, ChannelsLast).Tensor, now}, Out: []*op.Tensor{all}})
		return all
	}
	k := side("k", m.k, m.pastK, m.kdim, m.reuseK)
	v := side("v", m.v, m.pastV, m.vdim, m.reuseV)
	var mask *op.Tensor
	if m.mask >= 0 {
		mask = b.In(m.mask, Planar).Tensor
	}
	y := tensor("context", m.rows)
	m.attention().lower(b, l.Name+"/attention", y, q, k, v, mask)
	linear(y, "out", m.embed, b.Output(0, Planar), 1)
	if len(l.Outputs) > 1 {
		b.Set(1, Value{Tensor: k, Shape: l.Outputs[1].Shape, Layout: ChannelsLast})
		b.Set(2, Value{Tensor: v, Shape: l.Outputs[2].Shape, Layout: ChannelsLast})
	}
	return nil
}
