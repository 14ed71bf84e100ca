package layer

import (
	"fmt"

	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/lane"
	"github.com/flexnnc/flexnnc/ir/op"
)

func init() {
	Register(&Def{
		Type: "Tile", Index: 37, MinIn: 1, MaxIn: 1, MinOut: 1, MaxOut: 1,
		Params: []ParamDef{
			{0, "axis", Int, "default 0"}, {1, "tiles", Int, "repeats along the axis, default 1"},
			{2, "repeats", IntArray, "per axis instead; more than the rank add axes outside"},
		},
		Shape: func(c *ShapeCall) ([]ir.Shape, error) {
			repeats, in, err := tileRepeats(c.Layer, c.In[0])
			if err != nil {
				return nil, err
			}
			axes := in.Axes()
			for i, r := range repeats {
				axes[i] *= r
			}
			return one(ir.FromAxes(axes)), nil
		},
		Eval: func(c *EvalCall) error {
			_, in, err := tileRepeats(c.Layer, c.In[0].Shape)
			if err != nil {
				return err
			}
			x := Tensor{Shape: in, Data: c.In[0].Data}
			i, s := 0, c.Out[0].Shape
			for q := range s.C {
				for z := range s.D {
					for h := range s.H {
						for w := range s.W {
							c.Out[0].Data[i] = *x.At(q%in.C, z%in.D, h%in.H, w%in.W)
							i++
						}
					}
				}
			}
			return nil
		},
		Lower: func(b *Builder) error {
			l := b.Layer
			v := b.Any(0)
			repeats, in, err := tileRepeats(l, v.Shape)
			if err != nil {
				return err
			}
			if in.Dims != v.Shape.Dims {
				v = b.Convert(v, Planar, l.Inputs[0].Name)
				v = Value{Tensor: b.View(v.Tensor, l.Name+"/whole", in.Axes()), Shape: in}
			}
			t := v.Tensor
			for i, r := range repeats {
				if r == 1 {
					continue
				}
				ax := physicalAxis(v, i)
				dims := append([]int{}, t.Dims...)
				dims[ax] *= r
				name := fmt.Sprintf("%s/axis%d", l.Name, i)
				if r > mostWindows {
					t = b.repeat(t, name, ax, r)
					continue
				}
				out := b.NewTensor(name, op.F32, dims)
				copies := make([]*op.Tensor, r)
				for k := range copies {
					copies[k] = t
				}
				b.Add(&op.Op{Kind: op.Concat, In: copies, Out: []*op.Tensor{out}, Axis: ax})
				t = out
			}
			b.Set(0, Value{Tensor: t, Shape: l.Outputs[0].Shape, Layout: v.Layout, Int8: v.Int8})
			return nil
		},
	})
}

// mostWindows is up to how many copies are windows of one buffer: that many
// operations of their own, which may yet write there at once.
const mostWindows = 16

// repeat appends one operation that makes r copies of t along an axis.
func (b *Builder) repeat(t *op.Tensor, name string, ax, r int) *op.Tensor {
	dims := append([]int{}, t.Dims...)
	dims[ax] *= r
	inner := 1
	for _, d := range t.Dims[ax:] {
		inner *= d
	}
	outer := t.Len() / inner
	from, to := []int{outer, 1, inner}, []int{outer, r, inner}
	if inner == 1 {
		from, to = []int{outer, 1}, []int{outer, r}
	}
	out := b.NewTensor(name+"/copies", t.Type, to)
	x := b.View(t, name+"/once", from)
	p := lane.New("same_" + operandKind(x, out))
	b.Map(p.Return(operand(p, x, out)), out, x)
	return b.View(out, name, dims)
}

// tileRepeats are the repeats per axis of the output, and the input's shape with
// as many axes.
func tileRepeats(l *ir.Layer, s ir.Shape) ([]int, ir.Shape, error) {
	list := l.Params.Ints(2)
	rank := max(s.Dims, len(list))
	if rank > 4 {
		return nil, s, fmt.Errorf("%d repeats", len(list))
	}
	repeats, axes := make([]int, rank), make([]int, rank)
	for i := range repeats {
		repeats[i], axes[i] = 1, 1
	}
	copy(axes[rank-s.Dims:], s.Axes())
	copy(repeats[rank-len(list):], list)
	if len(list) == 0 {
		ax, err := axis(l.Params.Int(0, 0), rank)
		if err != nil {
			return nil, s, err
		}
		repeats[ax] = l.Params.Int(1, 1)
	}
	for _, r := range repeats {
		if r < 1 || r > 1<<16 {
			return nil, s, fmt.Errorf("%d repeats", r)
		}
	}
	return repeats, ir.FromAxes(axes), nil
}
