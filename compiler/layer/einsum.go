package layer

import (
	"fmt"
	"strings"

	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/diag"
	"github.com/flexnnc/flexnnc/ir/op"
)

func init() {
	Register(&Def{
		Type: "Einsum", Index: 92, MinIn: 1, MaxIn: -1, MinOut: 1, MaxOut: 1,
		Params: []ParamDef{{0, "equation", IntArray, "character codes; letters i to x, result i, ij, ijk or ijkl"}},
		Check: func(l *ir.Layer, d *diag.List) {
			if _, err := einsumOf(l); err != nil {
				d.Layerf(l, "%v", err)
			}
		},
		Shape: func(c *ShapeCall) ([]ir.Shape, error) {
			e, err := einsumOf(c.Layer)
			if err != nil {
				return nil, err
			}
			size, err := e.sizes(c.In)
			if err != nil {
				return nil, err
			}
			if e.out == "" {
				return one(ir.Shape1(1)), nil
			}
			axes := make([]int, len(e.out))
			for i := range axes {
				axes[i] = size[i]
			}
			return one(ir.FromAxes(axes)), nil
		},
		Eval: func(c *EvalCall) error {
			e, err := einsumOf(c.Layer)
			if err != nil {
				return err
			}
			size, err := e.sizes(shapes(c.In))
			if err != nil {
				return err
			}
			index := make([]int, len(size))
			for {
				product, at := 1.0, 0
				for i, in := range c.In {
					k := 0
					for j, n := range in.Shape.Axes() {
						k = k*n + index[e.in[i][j]-'i']
					}
					product *= in.Data[k]
				}
				for i := range e.out {
					at = at*size[i] + index[i]
				}
				c.Out[0].Data[at] += product
				i := len(index) - 1
				for ; i >= 0; i-- {
					if index[i]++; index[i] < size[i] {
						break
					}
					index[i] = 0
				}
				if i < 0 {
					return nil
				}
			}
		},
		Lower: func(b *Builder) error {
			e, err := einsumOf(b.Layer)
			if err != nil {
				return err
			}
			var in []ir.Shape
			var x []*op.Tensor
			for i, blob := range b.Layer.Inputs {
				in = append(in, blob.Shape)
				x = append(x, b.In(i, Planar).Tensor)
			}
			size, err := e.sizes(in)
			if err != nil {
				return err
			}
			ints := append([]int{len(size), len(e.out)}, size...)
			for i, s := range in {
				stride := make([]int, len(size))
				axes := s.Axes()
				for j, n := len(axes)-1, 1; j >= 0; j-- {
					stride[e.in[i][j]-'i'] += n // a letter may come twice
					n *= axes[j]
				}
				ints = append(ints, stride...)
			}
			b.Call("einsum", ints, nil, []*op.Tensor{b.Output(0, Planar)}, x...)
			return nil
		},
	})
}

// einsum is an equation: the letters of each input's axes and of the result's.
type einsum struct {
	in  []string
	out string
}

func einsumOf(l *ir.Layer) (e einsum, err error) {
	var b strings.Builder
	for _, c := range l.Params.Ints(0) {
		b.WriteByte(byte(c))
	}
	text := b.String()
	left, right, ok := strings.Cut(text, "->")
	if text == "ii" { // the trace
		left, right, ok = "ii", "", true
	}
	e.in, e.out = strings.Split(left, ","), right
	if !ok || len(e.in) != len(l.Inputs) || !strings.HasPrefix("ijkl", e.out) {
		return e, fmt.Errorf("equation %q with %d inputs", text, len(l.Inputs))
	}
	for _, t := range e.in {
		for _, c := range t {
			if c < 'i' || c > 'x' {
				return e, fmt.Errorf("equation %q: axes are letters from i to x", text)
			}
		}
	}
	return e, nil
}

// sizes are the lengths of the axes i, j, ..
func (e einsum) sizes(in []ir.Shape) ([]int, error) {
	size := make([]int, len(e.out))
	for i, s := range in {
		if s.Dims != len(e.in[i]) {
			return nil, fmt.Errorf("input %d is %v, but the equation has %q for it", i, s, e.in[i])
		}
		for j, n := range s.Axes() {
			k := int(e.in[i][j] - 'i')
			for len(size) <= k {
				size = append(size, 0)
			}
			if size[k] != 0 && size[k] != n {
				return nil, fmt.Errorf("axis %c has %d and %d elements", e.in[i][j], size[k], n)
			}
			size[k] = n
		}
	}
	for i, n := range size {
		if n == 0 {
			if i < len(e.out) {
				return nil, fmt.Errorf("axis %c of the result is in no input", 'i'+i)
			}
			size[i] = 1
		}
	}
	return size, nil
}
