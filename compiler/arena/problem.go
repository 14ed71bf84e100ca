package arena

import (
	"math"
	"math/bits"
	"slices"
	"sort"
)

// part is one component in time of the input, in units: the buffers that have
// to be placed together, the sections (steps at which the set of live buffers
// is maximal) they cross, and who overlaps whom.
type part struct {
	idx   []int // buffer -> input index
	lo    []int32
	hi    []int32 // crosses sections [lo, hi)
	size  []int64
	align []int64
	bound []int64 // largest allowed offset
	fixed []int64 // given offset or -1
	twin  []int32 // previous identical buffer or -1
	near  [][]int32
	steps []int64 // lifetime
	secs  int
	lift  int64 // height of the buffers put at the bottom, below everything else
	under []int // their input indices, bottom up
	low   int64 // lower bound on the height, bytes
	pad   int64 // largest rounding of a size up to units, bytes
}

// unit says how bytes become units: all offsets that matter are multiples of
// unit. Sizes are rounded up, which loses nothing since the next buffer starts
// at a multiple; the true size counts again in bound.
func unit(bs []Buffer) int64 {
	var g int64
	aligned := false
	for i := range bs {
		if bs[i].live() && bs[i].align() > 1 {
			aligned = true
		}
	}
	for i := range bs {
		b := &bs[i]
		if !b.live() {
			continue
		}
		if aligned {
			g = gcd(g, b.align())
		} else {
			g = gcd(g, b.Size)
		}
		if b.Fixed != nil {
			g = gcd(g, *b.Fixed)
		}
	}
	if g == 0 {
		return 1
	}
	return g
}

func gcd(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// components splits the live buffers where no buffer crosses a step.
func components(bs []Buffer) [][]int {
	order := make([]int, 0, len(bs))
	for i := range bs {
		if bs[i].live() {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return bs[a].Lower - bs[b].Lower })
	var out [][]int
	end, from := 0, 0
	for k, i := range order {
		if k > 0 && bs[i].Lower >= end {
			out = append(out, order[from:k])
			from = k
		}
		if k == from || bs[i].Upper > end {
			end = bs[i].Upper
		}
	}
	if len(order) > 0 {
		out = append(out, order[from:])
	}
	return out
}

// newPart prepares one component for the search.
func newPart(bs []Buffer, members []int, u int64, without Technique) *part {
	p := &part{}
	members = slices.Clone(members)
	sort.Ints(members)
	if without&Reduce == 0 {
		members = p.sink(bs, members, u)
	}
	n := len(members)
	p.idx = members
	p.lo = make([]int32, n)
	p.hi = make([]int32, n)
	p.size = make([]int64, n)
	p.align = make([]int64, n)
	p.bound = make([]int64, n)
	p.fixed = make([]int64, n)
	p.twin = make([]int32, n)
	p.steps = make([]int64, n)
	for k, i := range members {
		b := &bs[i]
		p.size[k] = (b.Size + u - 1) / u
		p.align[k] = max(1, b.align()/u)
		p.steps[k] = int64(b.Upper) - int64(b.Lower)
		p.fixed[k] = -1
		if b.Fixed != nil {
			p.fixed[k] = *b.Fixed / u
		}
		p.twin[k] = -1
		if without&Symmetry == 0 && b.Fixed == nil {
			for q := k - 1; q >= 0; q-- {
				c := &bs[members[q]]
				if c.Lower == b.Lower && c.Upper == b.Upper && c.Size == b.Size && c.align() == b.align() && c.Fixed == nil {
					p.twin[k] = int32(q)
					break
				}
			}
		}
	}
	p.section(bs, without)
	p.neighbours()
	p.lower(bs, u)
	return p
}

// sink takes buffers that live through the whole component out, to lie below
// everything else: moving one of them to the bottom of any placement shifts what
// was below it up into its place. Only where no alignment or fixed offset is
// disturbed.
func (p *part) sink(bs []Buffer, members []int, u int64) []int {
	lower, upper := math.MaxInt, math.MinInt
	for _, i := range members {
		lower, upper = min(lower, bs[i].Lower), max(upper, bs[i].Upper)
		if bs[i].Fixed != nil || bs[i].align() > u {
			return members
		}
	}
	rest := members[:0]
	for _, i := range members {
		if bs[i].Lower == lower && bs[i].Upper == upper && bs[i].Size%u == 0 {
			p.under = append(p.under, i)
			p.lift += bs[i].Size / u
		} else {
			rest = append(rest, i)
		}
	}
	return rest
}

// lower computes the lower bound: in each section the buffers stand above each
// other, all but the topmost padded to the unit.
func (p *part) lower(bs []Buffer, u int64) {
	sum := make([]int64, p.secs)
	spare := make([]int64, p.secs)
	p.low = p.lift * u
	for k, i := range p.idx {
		pad := p.size[k]*u - bs[i].Size
		p.pad = max(p.pad, pad)
		for t := p.lo[k]; t < p.hi[k]; t++ {
			sum[t] += p.size[k] * u
			spare[t] = max(spare[t], pad)
		}
		if bs[i].Fixed != nil {
			p.low = max(p.low, *bs[i].Fixed+bs[i].Size)
		}
	}
	for t := range sum {
		p.low = max(p.low, p.lift*u+sum[t]-spare[t])
	}
}

// within sets the bounds for a capacity in bytes and returns the capacity in
// units above the lift; false if even the buffers put at the bottom overflow.
func (p *part) within(bs []Buffer, capacity, u int64) (int64, bool) {
	for k, i := range p.idx {
		p.bound[k] = floorDiv(capacity-bs[i].Size, u) - p.lift
	}
	c := floorDiv(capacity+p.pad, u) - p.lift
	return c, p.lift*u <= capacity
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// section numbers the maximal sets of live buffers in time order. A set that is
// contained in a neighbour's adds no constraint.
func (p *part) section(bs []Buffer, without Technique) {
	n := len(p.idx)
	type event struct {
		t     int
		start bool
		k     int32
	}
	events := make([]event, 0, 2*n)
	for k, i := range p.idx {
		events = append(events, event{bs[i].Lower, true, int32(k)}, event{bs[i].Upper, false, int32(k)})
	}
	slices.SortFunc(events, func(a, b event) int {
		switch {
		case a.t != b.t:
			return a.t - b.t
		case a.start != b.start: // ends first
			if b.start {
				return -1
			}
			return 1
		}
		return int(a.k - b.k)
	})
	sec := int32(0)
	fresh := false // something started since the section was last closed
	last := 0
	for _, e := range events {
		if e.start {
			if fresh && without&Reduce != 0 && e.t != last {
				sec++
			}
			p.lo[e.k] = sec
			fresh, last = true, e.t
			continue
		}
		if fresh {
			sec++
			fresh = false
		} else if without&Reduce != 0 && e.t != last {
			sec++
		}
		last = e.t
		p.hi[e.k] = sec
	}
	p.secs = int(sec)
}

func (p *part) neighbours() {
	n := len(p.idx)
	p.near = make([][]int32, n)
	degree := make([]int, n)
	count := 0
	for a := range n {
		for b := range a {
			if p.lo[a] < p.hi[b] && p.lo[b] < p.hi[a] {
				degree[a]++
				degree[b]++
				count += 2
			}
		}
	}
	flat := make([]int32, count)
	for a := range n {
		p.near[a], flat = flat[:0:degree[a]], flat[degree[a]:]
	}
	for a := range n {
		for b := range a {
			if p.lo[a] < p.hi[b] && p.lo[b] < p.hi[a] {
				p.near[a] = append(p.near[a], int32(b))
				p.near[b] = append(p.near[b], int32(a))
			}
		}
	}
}

// mix hashes a buffer at a floor into two words.
func mix(i int32, m int64) (uint64, uint64) {
	x := uint64(i+1)*0x9E3779B97F4A7C15 ^ uint64(m+1)*0xD6E8FEB86659FD93
	hi, lo := bits.Mul64(x^x>>29, 0xA0761D6478BD642F)
	a := hi ^ lo
	hi, lo = bits.Mul64(x^0xE7037ED1A0B428DB, 0x8EBC6AF09C88C6E3)
	return a, hi ^ lo
}
