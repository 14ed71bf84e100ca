package codegen

import (
	"fmt"
	"slices"

	"github.com/dave/jennifer/jen"

	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/op"
	"github.com/flexnnc/flexnnc/ir/plan"
)

func isCustom(o *op.Op) bool { return o.Call != nil && o.Call.Custom != nil }

// customs are the operations that functions of the user's make.
func (k *pkg) customs() (list []*op.Op) {
	for _, u := range k.units {
		for i := range u.p.Steps {
			if o := u.p.Steps[i].Op; isCustom(o) {
				list = append(list, o)
			}
		}
	}
	return list
}

// aliases names the user's packages so that they clash with nothing here.
func (k *pkg) aliases(f *jen.File) {
	var paths []string
	for _, o := range k.customs() {
		if path := o.Call.Custom.Custom.Import; !slices.Contains(paths, path) {
			paths = append(paths, path)
			f.ImportAlias(path, fmt.Sprintf("custom%d", len(paths)))
		}
	}
}

// customSlices is the field of the network that has room made for the slices that
// a function is given.
func (k *pkg) customSlices() jen.Code {
	most := 0
	for _, o := range k.customs() {
		most = max(most, len(o.Out)+len(o.Call.Custom.Inputs)+len(o.Call.Custom.Weights))
	}
	if most == 0 {
		return jen.Null()
	}
	return jen.Line().Id("slices").Op(":").Lit(most)
}

// customArgs renders a call of a function of the user's.
func (u *unit) customArgs(s *plan.Step) *jen.Statement {
	layer := s.Op.Call.Custom
	place := func(g *jen.Group, t *op.Tensor) { g.Values(jen.Lit(u.mustPlace(s, t).off), jen.Lit(t.Len())) }
	tensors := func(list []*op.Tensor) *jen.Statement {
		return jen.Index().Id("floats").ValuesFunc(func(g *jen.Group) {
			for _, t := range list {
				place(g, t)
			}
		})
	}
	in, consts := s.Op.In[:len(layer.Inputs)], s.Op.In[len(layer.Inputs):]
	var l literal
	l.code("call", jen.Qual(layer.Custom.Import, layer.Custom.Func))
	l.code("layer", jen.Lit(layer.Name))
	l.code("typ", jen.Lit(layer.Type))
	l.code("out", tensors(s.Op.Out))
	l.code("in", tensors(in))
	if len(layer.Weights) > 0 {
		l.code("weights", jen.Index().Id("floats").ValuesFunc(func(g *jen.Group) {
			for _, w := range layer.Weights {
				if w.Count == 0 {
					g.Values()
					continue
				}
				place(g, consts[0])
				consts = consts[1:]
			}
		}))
	}
	l.code("shapes", jen.Index().Index().Int().ValuesFunc(func(g *jen.Group) {
		for _, b := range slices.Concat(layer.Outputs, layer.Inputs) {
			g.ValuesFunc(func(g *jen.Group) {
				for _, d := range b.Shape.Axes() {
					g.Lit(d)
				}
			})
		}
	}))
	params := slices.Clone(layer.Params)
	slices.SortFunc(params, func(a, b ir.Param) int { return a.ID - b.ID })
	texts := jen.Dict{}
	l.code("params", jen.Map(jen.Int()).Index().Float64().ValuesFunc(func(g *jen.Group) {
		for _, p := range params {
			if p.Kind == ir.ParamString {
				texts[jen.Lit(p.ID)] = jen.Lit(p.Str)
				continue
			}
			values := p.Array
			if p.Kind == ir.ParamScalar {
				values = []ir.Scalar{p.Scalar}
			}
			g.Lit(p.ID).Op(":").ValuesFunc(func(g *jen.Group) {
				for _, v := range values {
					g.Add(numberLit(v))
				}
			})
		}
	}))
	if len(texts) > 0 {
		l.code("texts", jen.Map(jen.Int()).String().Values(texts))
	}
	return l.of("customStep")
}

// numberLit is a parameter's value as a float64, exactly.
func numberLit(v ir.Scalar) *jen.Statement {
	f := v.Float()
	switch {
	case !v.IsFloat:
		return jen.Lit(v.Int())
	case f-f != 0: // infinite or not a number
		return jen.Float64().Call(jen.Qual("math", "Float32frombits").Call(jen.Lit(int(v.Bits))))
	}
	return jen.Lit(float64(f))
}
