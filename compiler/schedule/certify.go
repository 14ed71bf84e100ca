package schedule

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/flexnnc/flexnnc/ir/plan"
)

// certify bounds a finished plan: by what its own steps need at once, and by the
// time that no plan within its budget can beat.
func certify(p *plan.Plan, smallest plan.Bytes) plan.Certificate {
	c := plan.Certificate{MinBudget: smallest}
	for i := range p.Steps {
		if n := liveIn(p, i, nil); n > c.Live.Bytes {
			c.Live.Bytes, c.Live.At = n, p.Steps[i].Op.Name
			c.Live.Blocking = c.Live.Blocking[:0]
			liveIn(p, i, &c.Live.Blocking)
		}
	}
	return c
}

// liveIn is the bytes of all activations that are live in a step, of what is
// reserved, and of the weights that the step uses. What lies over something else
// counts once. It appends what there is to list, the largest first.
func liveIn(p *plan.Plan, step int, list *[]string) (bytes plan.Bytes) {
	s := &p.Steps[step]
	var live []*plan.Buffer
	for i := range p.Buffers {
		b := &p.Buffers[i]
		if b.Kind == plan.Weights {
			if i != s.Weights && !slices.Contains(s.Consts, i) {
				continue
			}
		} else if step < b.First || step > b.Last {
			continue
		}
		live = append(live, b)
	}
	slices.SortStableFunc(live, func(a, b *plan.Buffer) int { return cmp.Compare(a.Offset, b.Offset) })
	end := plan.Bytes(0)
	for _, b := range live {
		if top := b.Offset + b.Size; top > end {
			bytes += top - max(end, b.Offset)
			end = top
		}
	}
	if list != nil {
		slices.SortStableFunc(live, func(a, b *plan.Buffer) int { return cmp.Compare(b.Size, a.Size) })
		for _, b := range live {
			what := b.Kind.String()
			if b.RingRows > 0 {
				what = fmt.Sprintf("%d rows of %v", b.RingRows, what)
			}
			*list = append(*list, fmt.Sprintf("%s (%s) %d bytes", b.Name, what, b.Size))
		}
	}
	return bytes
}
