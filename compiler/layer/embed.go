package layer

import (
	"fmt"

	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/diag"
	"github.com/flexnnc/flexnnc/ir/op"
)

// pickFrom is the elements of a table from which on its rows may be picked from the
// weights file, in place of loading all of it.
const pickFrom = 4096

func init() {
	Register(&Def{
		Type: "Embed", Index: 12, MinIn: 1, MaxIn: 1, MinOut: 1, MaxOut: 1,
		Words: func(l *ir.Layer, i int) bool { return true },
		Params: []ParamDef{
			{0, "num_output", Int, "length of a row"}, {1, "input_dim", Int, "rows"}, {2, "bias_term", Int, ""},
			{3, "weight_data_size", Int, ""}, {18, "int8_scale_term", Int, "1: int8 rows with one scale"},
		},
		Check: func(l *ir.Layer, d *diag.List) {
			p := l.Params
			if n, rows := p.Int(0, 0), p.Int(1, 0); n < 1 || rows < 1 || n*rows != p.Int(3, 0) {
				d.Layerf(l, "%d weights for %d rows of %d", p.Int(3, 0), rows, n)
			}
		},
		Weights: func(l *ir.Layer) []WeightDef {
			p := l.Params
			w := []WeightDef{{Name: "weight", Count: p.Int(3, 0), Tagged: true}}
			if p.Int(2, 0) != 0 {
				w = append(w, WeightDef{Name: "bias", Count: p.Int(0, 0)})
			}
			if p.Int(18, 0) != 0 {
				w = append(w, WeightDef{Name: "scale", Count: 1})
			}
			return w
		},
		Shape: func(c *ShapeCall) ([]ir.Shape, error) {
			return one(ir.Shape2(c.Layer.Params.Int(0, 0), c.In[0].W)), nil
		},
		Eval: func(c *EvalCall) error {
			p := c.Layer.Params
			n, rows := p.Int(0, 0), p.Int(1, 0)
			table, err := c.Weight("weight")
			if err != nil {
				return err
			}
			factor := 1.0
			if p.Int(18, 0) != 0 {
				s, err := c.Weight("scale")
				if err != nil {
					return err
				}
				factor = 1 / s[0]
			}
			bias := make([]float64, n)
			if p.Int(2, 0) != 0 {
				if bias, err = c.Weight("bias"); err != nil {
					return err
				}
			}
			for i := range c.Out[0].Shape.H {
				row := min(max(int(c.In[0].Data[i]), 0), rows-1) // out of range is clamped
				for k := range n {
					c.Out[0].Data[i*n+k] = table[row*n+k]*factor + bias[k]
				}
			}
			return nil
		},
		Lower: func(b *Builder) error {
			l := b.Layer
			p := l.Params
			n, rows, words := p.Int(0, 0), p.Int(1, 0), l.Outputs[0].Shape.H
			ids := b.In(0, Planar)
			if ids.Tensor.Type != op.I32 {
				return fmt.Errorf("needs int32 words, but %q holds floats", l.Inputs[0].Name)
			}
			w := l.Weight("weight")
			table := b.Const(l.Name+"/weight", []int{rows, n}, func(dst []float32) error { return w.ReadFloat32(dst, 0) })
			if table.Const.Len > pickFrom {
				table.Const.RowLen = n
			}
			out := b.Output(0, Planar)
			y := out
			descale, biased := p.Int(18, 0) != 0, p.Int(2, 0) != 0
			if descale || biased {
				y = b.NewTensor(l.Name+"/rows", op.F32, out.Dims)
			}
			form := 0
			switch w.Storage {
			case ir.StoreF16:
				table.Const.Half = true
			case ir.StoreI8:
				form, table.Type, table.Const.Type = 2, op.I8, op.I8
			}
			table.Const.HalfInt = 3
			b.Call("embed", []int{words, n, rows, form}, nil, []*op.Tensor{y}, ids.Tensor, table)
			if !descale && !biased {
				return nil
			}
			factor := float32(1)
			if descale {
				s, err := l.Weight("scale").Float32s()
				if err != nil {
					return err
				}
				factor = 1 / s[0]
			}
			if !biased {
				b.Map(scaled(factor).program(), out, y)
				return nil
			}
			bias := b.WeightConst("bias", []int{n})
			m, v, s := mapOf("scale_"+digits(factor)+"_add", out, y, bias)
			b.Map(m.Return(m.FMA(v, m.F(factor), s)), out, y, bias)
			return nil
		},
	})
}
