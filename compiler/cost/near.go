package cost

import (
	"github.com/flexnnc/flexnnc/ir/op"
	"github.com/flexnnc/flexnnc/ir/plan"
)

// What of a step's activations is in the cache depends on what is touched between two
// uses of a byte. An op that runs whole finds all of its activations there, if they and
// its weights fit. Ops that take turns find rings of rows there, if all of their rings
// and weights fit together; images that they do not keep in rings travel to memory and back
// unless a single op's fit.

// rings is what steps that take turns keep in rings of rows.
type rings struct {
	of    map[*op.Tensor]int64 // bytes of a root's ring
	bytes int64                // of all of them, and of the weights of all ops
}

// ringsOf says of each step to which rings it belongs, nil for none.
func ringsOf(p *plan.Plan) []*rings {
	list := make([]*rings, len(p.Steps))
	for i := range p.Buffers {
		b := &p.Buffers[i]
		if b.RingRows == 0 {
			continue
		}
		r := list[b.First]
		if r == nil {
			r = &rings{of: map[*op.Tensor]int64{}}
			seen := map[*op.Panels]bool{}
			for k := b.First; k <= b.Last; k++ {
				list[k] = r
				if w := p.Steps[k].Op.Panels; w != nil && !seen[w] {
					seen[w] = true
					r.bytes += PanelsBytes(w)
				}
			}
		}
		bytes := int64(b.RingRows) * (rootBytes(b.Tensor) / int64(b.Tensor.Dims[0]))
		r.of[b.Tensor] = bytes
		r.bytes += bytes
	}
	return list
}

// near is the bytes of an op's activations that the cache holds.
func (r *rings) near(m *Model, o *op.Op) (bytes int64) {
	if m.Cache == 0 || r != nil && !m.Holds(r.bytes) {
		return 0
	}
	own := int64(0)
	if o.Panels != nil {
		own = PanelsBytes(o.Panels)
	}
	seen := map[*op.Tensor]bool{}
	inRings, all := int64(0), int64(0)
	for _, list := range [][]*op.Tensor{o.In, o.EpilogueIn, o.Out} {
		for _, x := range list {
			root := x.Root()
			if root.Const != nil {
				continue
			}
			size, ring := rootBytes(root), int64(0)
			if r != nil {
				ring = r.of[root]
			}
			touched := int64(x.Len() * x.Type.Bytes())
			if all += touched; ring > 0 {
				inRings += touched
				size = ring
			}
			if !seen[root] {
				seen[root] = true
				own += size
			}
		}
	}
	if m.Holds(own) {
		return all
	}
	return inRings
}

func rootBytes(root *op.Tensor) int64 { return int64(root.Len() * root.Type.Bytes()) }

// PanelsBytes is the size of all panels.
func PanelsBytes(p *op.Panels) int64 { return int64(p.Count()) * int64(p.PanelBytes()) }
