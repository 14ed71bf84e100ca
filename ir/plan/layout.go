package plan

import "github.com/flexnnc/flexnnc/ir/op"

// Layout is the weights file of a lowered network: in op order, each op's consts
// (inputs, then epilogue inputs) and then its panels. What several ops share is
// there once. It does not depend on a budget, so that one file serves every plan.
func Layout(g *op.Graph) File {
	var f File
	consts := map[*op.Const]bool{}
	panels := map[*op.Panels]bool{}
	add := func(i Item) {
		i.Offset = f.Bytes
		f.Items = append(f.Items, i)
		f.Bytes += (i.Bytes + Align - 1) &^ (Align - 1)
	}
	for _, o := range g.Ops {
		for _, c := range Consts(o) {
			if consts[c] {
				continue
			}
			consts[c] = true
			n := Bytes(c.Bytes())
			chunk := min(n, MaxChunk)
			if c.RowLen > 0 {
				chunk = Bytes(c.PickBytes())
			}
			add(Item{Name: c.Name, Bytes: n, Const: c, Chunk: chunk})
		}
		if p := o.Panels; p != nil && !panels[p] {
			panels[p] = true
			n := Bytes(p.PanelBytes())
			add(Item{Name: p.Name, Bytes: n * Bytes(p.Count()), Panels: p, Chunk: min(n, MaxChunk)})
		}
	}
	return f
}

// Consts lists the const inputs of an op, those of In before those of EpilogueIn,
// in the order of Step.Consts. One that is read twice is listed twice.
func Consts(o *op.Op) []*op.Const {
	var cs []*op.Const
	for _, list := range [][]*op.Tensor{o.In, o.EpilogueIn} {
		for _, t := range list {
			if c := t.Root().Const; c != nil {
				cs = append(cs, c)
			}
		}
	}
	return cs
}
