package arena

import "slices"

// packing is one call's state: the parts of the input and the best offsets
// found for each so far.
type packing struct {
	bs      []Buffer
	unit    int64
	options Options
	left    int64   // nodes left
	rest    []int64 // remainders of sizes modulo unit, ascending: a height is a multiple of unit plus one of them
	parts   []*piece
}

// piece is one part with its search and its best placement.
type piece struct {
	s       *search
	offsets []int64 // bytes, per buffer of the part and then per buffer under it
	height  int64   // bytes
	refuted int64   // capacity (bytes) known to be too small
	cap     int64   // capacity of the table of refuted states
	runs    int
}

// possible says whether every fixed offset is allowed by itself.
func possible(bs []Buffer) bool {
	for i := range bs {
		if f := bs[i].Fixed; f != nil && bs[i].live() && (*f < 0 || *f%bs[i].align() != 0) {
			return false
		}
	}
	return true
}

func newPacking(bs []Buffer, o Options) *packing {
	k := &packing{bs: bs, unit: unit(bs), options: o, left: o.nodes()}
	for _, members := range components(bs) {
		p := newPart(bs, members, k.unit, o.Without)
		k.parts = append(k.parts, &piece{s: newSearch(p, o.Without), refuted: p.low - 1, height: -1})
	}
	for i := range bs {
		if bs[i].live() {
			k.rest = append(k.rest, bs[i].Size%k.unit)
		}
	}
	slices.Sort(k.rest)
	k.rest = slices.Compact(k.rest)
	return k
}

// low is the least height, bytes, that is not excluded in any part.
func (k *packing) low() int64 {
	low := int64(0)
	for _, p := range k.parts {
		low = max(low, p.refuted+1)
	}
	return k.next(low - 1)
}

// adopt takes a known placement as the best so far where it is better.
func (k *packing) adopt(offsets []int64) {
	for _, p := range k.parts {
		h := int64(0)
		for _, list := range [][]int{p.s.idx, p.s.under} {
			for _, i := range list {
				h = max(h, offsets[i]+k.bs[i].Size)
			}
		}
		if p.height >= 0 && p.height <= h {
			continue
		}
		p.height = h
		p.offsets = p.offsets[:0]
		for _, list := range [][]int{p.s.idx, p.s.under} {
			for _, i := range list {
				p.offsets = append(p.offsets, offsets[i])
			}
		}
	}
}

// keep takes the placement that the search of p has just found.
func (k *packing) keep(p *piece) {
	s := p.s
	p.offsets = p.offsets[:0]
	p.height = 0
	for q, i := range s.idx {
		o := (s.off[q] + s.lift) * k.unit
		p.offsets = append(p.offsets, o)
		p.height = max(p.height, o+k.bs[i].Size)
	}
	o := int64(0)
	for _, i := range s.under {
		p.offsets = append(p.offsets, o)
		o += k.bs[i].Size
	}
	p.height = max(p.height, o)
}

// attempt searches all parts that do not fit yet for a placement inside the
// capacity (bytes), with at most budget nodes.
func (k *packing) attempt(capacity, budget int64) verdict {
	for _, p := range k.parts {
		if p.height >= 0 && p.height <= capacity {
			continue
		}
		if capacity <= p.refuted {
			return refuted
		}
		before := p.s.nodes
		v := k.restarts(p, capacity, min(budget, k.left))
		spent := p.s.nodes - before
		k.left -= spent
		budget -= spent
		switch v {
		case refuted:
			p.refuted = max(p.refuted, capacity)
			return refuted
		case limited:
			return limited
		}
		k.keep(p)
	}
	return solved
}

// restarts runs one part with varying orders and limits.
func (k *packing) restarts(p *piece, capacity, budget int64) verdict {
	s := p.s
	c, ok := s.within(k.bs, capacity, k.unit)
	if !ok {
		return refuted
	}
	// What does not fit a capacity does not fit a smaller one.
	if capacity > p.cap {
		s.memo.clear()
	}
	p.cap = capacity
	base := int64(2*len(s.idx) + 50)
	for r := 0; ; r++ {
		limit := base * luby(r)
		if k.options.Without&Restarts != 0 {
			limit = budget
		}
		limit = min(limit, budget)
		s.order.set(p.runs, len(s.idx))
		before := s.nodes
		v := s.run(c, limit)
		budget -= s.nodes - before
		if v == solved {
			s.order.wins[s.order.number]++
		}
		if v != limited {
			return v
		}
		if budget <= 0 {
			return limited
		}
		p.runs++
	}
}

func (k *packing) solution() Solution {
	sol := Solution{Offsets: make([]int64, len(k.bs)), LowerBound: k.low(), Nodes: k.options.nodes() - k.left}
	for i := range k.bs {
		if f := k.bs[i].Fixed; f != nil && !k.bs[i].live() {
			sol.Offsets[i] = *f
		}
	}
	for _, p := range k.parts {
		for q, i := range p.s.idx {
			sol.Offsets[i] = p.offsets[q]
		}
		for q, i := range p.s.under {
			sol.Offsets[i] = p.offsets[len(p.s.idx)+q]
		}
		sol.Height = max(sol.Height, p.height)
	}
	sol.Optimal = sol.Height == sol.LowerBound
	return sol
}

// Fit looks for offsets with every buffer inside capacity (bytes). The error is
// ErrInfeasible when it is proven that there are none, and ErrLimit when the
// node limit is reached first; the solution then has no offsets, only the lower
// bound and the nodes spent.
//
// The same input and options give the same result on every machine.
func Fit(bs []Buffer, capacity int64, o Options) (Solution, error) {
	if !possible(bs) {
		return Solution{LowerBound: LowerBound(bs)}, ErrInfeasible
	}
	k := newPacking(bs, o)
	switch k.attempt(capacity, k.left) {
	case solved:
		return k.solution(), nil
	case refuted:
		return Solution{LowerBound: max(k.low(), capacity+1), Nodes: o.nodes() - k.left}, ErrInfeasible
	}
	return Solution{LowerBound: k.low(), Nodes: o.nodes() - k.left}, ErrLimit
}
