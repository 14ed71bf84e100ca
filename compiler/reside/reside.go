// Package reside lets the plans of one package keep their resident weights at the
// same places, so that going from one plan to another loads no more than it must.
// It moves what plans have placed and decides nothing else: not what stays, nor
// what lies beside what.
//
// Residents are live in all steps, so nothing else ever lies where they do: they
// cut the rest of an arena into gaps. Moving all residents to the start and each
// gap, as one piece, behind them leaves a valid plan of the same size. The order
// at the start is by how many plans keep a resident: what all of them keep is at
// one place in all, and what the larger budgets keep beyond follows.
package reside

import (
	"cmp"
	"slices"

	"github.com/flexnnc/flexnnc/ir/plan"
)

// kept is what plans have in common that keep the same piece of weights. Plans of
// different shapes have file items of their own; equal names and sizes are taken
// for the same weights, and where they are not nothing is lost but a place.
type kept struct {
	name         string
	bytes, chunk plan.Bytes
	panels       plan.Range
	room         plan.Bytes // in the arena, where they may be expanded
}

// Together moves the residents of plans that share a package to common places.
func Together(plans []*plan.Plan) {
	count := map[kept]int{}
	rank := map[kept]int{} // the order in which they are met
	for _, p := range plans {
		for i := range p.Loads {
			if l := &p.Loads[i]; l.Resident {
				k := keyOf(p, l)
				if _, known := rank[k]; !known {
					rank[k] = len(rank)
				}
				count[k]++
			}
		}
	}
	for _, p := range plans {
		var residents []*plan.Load
		for i := range p.Loads {
			if p.Loads[i].Resident {
				residents = append(residents, &p.Loads[i])
			}
		}
		gaps := gapsBetween(p, residents)
		slices.SortStableFunc(residents, func(a, b *plan.Load) int {
			x, y := keyOf(p, a), keyOf(p, b)
			return cmp.Or(cmp.Compare(count[y], count[x]), cmp.Compare(rank[x], rank[y]))
		})
		move(p, residents, gaps)
	}
}

func keyOf(p *plan.Plan, l *plan.Load) kept {
	it := &p.File.Items[l.Item]
	return kept{it.Name, it.Bytes, it.Chunk, l.Panels, p.Buffers[l.Buffer].Size}
}

// gap is a part of the arena without residents, and where it goes.
type gap struct{ lo, hi, to plan.Bytes }

// gapsBetween lists the parts of an arena that its residents leave.
func gapsBetween(p *plan.Plan, residents []*plan.Load) []gap {
	at := make([]plan.Bytes, 0, len(residents))
	sizes := map[plan.Bytes]plan.Bytes{}
	for _, l := range residents {
		b := &p.Buffers[l.Buffer]
		at = append(at, b.Offset)
		sizes[b.Offset] = b.Size
	}
	slices.Sort(at)
	var gaps []gap
	end := plan.Bytes(0)
	for _, lo := range append(at, p.Arena) {
		if lo > end {
			gaps = append(gaps, gap{lo: end, hi: lo})
		}
		end = max(end, lo+sizes[lo])
	}
	return gaps
}

// move gives every buffer its new place, and every load that of its buffer.
func move(p *plan.Plan, residents []*plan.Load, gaps []gap) {
	end := plan.Bytes(0)
	for _, l := range residents {
		b := &p.Buffers[l.Buffer]
		b.Offset = end
		end += b.Size
	}
	for i := range gaps {
		gaps[i].to = end
		end += gaps[i].hi - gaps[i].lo
	}
	for i := range p.Buffers {
		b := &p.Buffers[i]
		if b.Resident {
			continue
		}
		n, _ := slices.BinarySearchFunc(gaps, b.Offset, func(g gap, at plan.Bytes) int {
			if g.hi <= at {
				return -1
			}
			return 1
		})
		b.Offset += gaps[n].to - gaps[n].lo
	}
	for i := range p.Loads {
		p.Loads[i].Arena = p.Buffers[p.Loads[i].Buffer].Offset
	}
}
