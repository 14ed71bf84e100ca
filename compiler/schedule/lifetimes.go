package schedule

import (
	"slices"

	"github.com/flexnnc/flexnnc/ir/plan"
)

// unit is what holds its memory together: one op, whose panels may be sliced, a
// braid of ops, or a chain of them. Time is counted in units until slices are chosen, then in steps.
type unit struct {
	lo, hi  int // nodes
	braid   bool
	width   int     // of a chain: panels per slice
	turns   []turn  // of a braid or a chain
	items   []int   // of the weights file, in the order of their first use; of a braid those that are held
	flows   []int   // nodes of a braid whose weights every turn loads again
	scratch int     // block, or -1
	near    []int64 // of a braid with rings: bytes of each node's activations that the cache holds
	compute int64   // picoseconds, with as few steps as possible
}

// node is the op of a unit that is neither braid nor chain.
func (t *timeline) node(u *unit) *node { return &t.n.nodes[u.lo] }

// block is a buffer whose place does not depend on slices: a root tensor, a ring
// of its rows, or a unit's scratch, live during units first to last.
type block struct {
	kind        plan.BufferKind
	name        string
	root        int // of the network, -1 for scratch
	size        plan.Bytes
	ring        int // rows
	panels      int // panels of channels that exist at a time, 0 = all
	first, last int
	span        int
	at          plan.Bytes // in the span
	shares      int        // the block that this one deliberately overlaps, or -1
}

// span is a chain of blocks that share one place, each lying over the one that
// dies as it is written. It is what packing places.
type span struct {
	name        string
	size        plan.Bytes
	first, last int
	shape       []extent // where its blocks do not fill it all the time
}

// fold is how many indices of a tensor's outermost axis a row of a block has.
func (t *timeline) fold(b *block) int {
	if b.root < 0 {
		return 1
	}
	return t.n.roots[b.root].fold
}

// extent is the part of a span that its blocks take during some units.
type extent struct {
	first, last int
	lo, hi      plan.Bytes
}

// during is what of a span's bytes is taken during a unit.
func (s *span) during(unit int) (lo, hi plan.Bytes) {
	if unit < s.first || s.last < unit {
		return 0, 0
	}
	for _, e := range s.shape {
		if e.first <= unit && unit <= e.last {
			return e.lo, e.hi
		}
	}
	return 0, s.size
}

// timeline is a network divided into units, with the lives of its activations.
type timeline struct {
	n       *network
	cut     cutting
	units   []unit
	first   []int  // per file item, the first unit that reads it
	times   []int  // per file item, how often a run reads it, of those that flow
	atomic  []bool // per file item: it is loaded in one piece
	blocks  []block
	spans   []span
	alive   []plan.Bytes // per unit, the size of all that is live but for weights
	over    [][]int      // per block, those that lie over it
	whole   bool         // ops are not sliced
	base    plan.Bytes
	demand  []demand     // by what keeping a byte saves, the most first
	reading []plan.Bytes // per unit, what those before it read, each byte once
	after   []int64      // per unit, compute of those after it
	// expansions are the network's, by what they save and take here.
	expansions []expansion
	nodes      int64                    // that exact packing may take; 0: it is greedy
	packed     map[plan.Bytes]placement // those that roomy has made, by room
	spare      *draft                   // a rejected one, whose memory the next one takes
}

func newTimeline(n *network, cut cutting, o Options) *timeline {
	return looseTimeline(n, cut, o, nil)
}

// looseTimeline leaves joins of the braids out that a unit has slack for, of which
// there are so many bytes in each.
func looseTimeline(n *network, cut cutting, o Options, slack []plan.Bytes) *timeline {
	t := &timeline{n: n, cut: cut, whole: o.NoSlices, base: n.base, packed: map[plan.Bytes]placement{}}
	if !o.NoExact {
		t.nodes = packNodes * int64(max(1, o.level))
	}
	t.first = make([]int, len(n.file.Items))
	t.times = make([]int, len(n.file.Items))
	t.atomic = make([]bool, len(n.file.Items))
	for i := range t.first {
		t.first[i] = -1
	}
	var braids []*braid
	for k, s := range cut {
		u := unit{lo: s.lo, hi: s.hi, scratch: -1}
		var b *braid
		if s.bands > 0 {
			b, _ = n.braid(s.lo, s.hi, s.bands, maxTurns, !o.NoInPlace, nil)
			u.braid, u.turns = true, b.turns
			u.flows = n.flowOrder(s.lo, s.hi, b.counted())[:s.flows]
			for _, turn := range b.turns {
				d := &n.nodes[turn.node]
				for _, i := range d.items() {
					if i == d.panels && slices.Contains(u.flows, turn.node) {
						t.first[i] = k
						t.times[i]++
					} else if !t.atomic[i] || !slices.Contains(u.items, i) {
						t.atomic[i] = true
						u.items = append(u.items, i)
					}
				}
			}
		} else {
			for i := s.lo; i < s.hi; i++ {
				u.items = append(u.items, n.nodes[i].items()...)
			}
			if s.width > 0 {
				u.width, u.turns = s.width, n.chainTurns(s.lo, s.width)
				for i := s.lo; i < s.hi; i++ {
					if p := n.nodes[i].panels; p >= 0 {
						t.atomic[p] = true
					}
				}
			}
		}
		for _, i := range u.items {
			if t.first[i] < 0 {
				t.first[i] = k
			}
		}
		for i := s.lo; i < s.hi; i++ {
			if d := &n.nodes[i]; d.table >= 0 {
				t.first[d.table] = k
			}
		}
		if b != nil && slack != nil {
			b.loosen(n, slack[k])
		}
		if b != nil {
			u.near = n.nearInBraid(b, o.Speed)
		}
		u.compute = o.Speed.unit(n, &u, -1)
		t.units = append(t.units, u)
		braids = append(braids, b)
	}
	t.findExpansions(o.Speed)
	t.live(braids, !o.NoInPlace)
	t.findDemand()
	return t
}

// live fills blocks and spans.
func (t *timeline) live(braids []*braid, inPlace bool) {
	n := t.n
	unitOf := make([]int, len(n.nodes))
	for k := range t.units {
		for i := t.units[k].lo; i < t.units[k].hi; i++ {
			unitOf[i] = k
		}
	}
	of := make([]int, len(n.roots)) // block of each root
	next := 0
	for i := range n.nodes {
		for ; next < len(n.roots) && n.roots[next].first == i; next++ {
			r := &n.roots[next]
			of[next] = len(t.blocks)
			t.blocks = append(t.blocks, block{
				kind: plan.Activation, name: r.tensor.Name, root: next, size: r.size,
				first: unitOf[r.first], last: unitOf[r.last], shares: -1,
			})
		}
		u := &t.units[unitOf[i]]
		if need := n.scratch(u.lo, u.hi); need > 0 && u.scratch < 0 {
			u.scratch = len(t.blocks)
			t.blocks = append(t.blocks, block{
				kind: plan.Scratch, name: n.nodes[i].op.Name, root: -1, size: need,
				first: unitOf[i], last: unitOf[i], shares: -1,
			})
		}
	}
	for k, b := range braids {
		if b == nil {
			i := t.units[k].lo
			if w := t.units[k].width; w > 0 {
				ch, _ := n.chained(i)
				for _, r := range ch.between {
					x := &t.blocks[of[r]]
					x.panels, x.size = w, n.sliceBytes(r, w)
				}
				continue
			}
			if in := n.overwritten(i); in >= 0 && inPlace {
				t.blocks[of[n.nodes[i].writes]].shares = of[in]
			}
			continue
		}
		for i, rows := range b.rings {
			if rows > 0 && rows < n.roots[i].rows {
				t.blocks[of[i]].ring = rows
				t.blocks[of[i]].size = up(plan.Bytes(rows) * n.roots[i].row)
			}
		}
		for _, j := range b.joins {
			t.blocks[of[j.out]].shares = of[j.in]
			t.blocks[of[j.out]].at = -j.shift // from the one below, for now
		}
	}
	// A block's owner always comes before it, since it was live earlier.
	for i := range t.blocks {
		b := &t.blocks[i]
		if b.shares < 0 {
			b.span = len(t.spans)
			t.spans = append(t.spans, span{name: b.name, size: b.size, first: b.first, last: b.last})
			continue
		}
		a := &t.blocks[b.shares]
		b.span = a.span
		b.at += a.at
		s := &t.spans[b.span]
		s.last = max(s.last, b.last)
		s.size = max(s.size, b.at+b.size)
	}
	t.over = make([][]int, len(t.blocks))
	for i := range t.blocks {
		for k := t.blocks[i].shares; k >= 0; k = t.blocks[k].shares {
			t.over[k] = append(t.over[k], i)
		}
	}
	// Nothing lies below its span.
	lowest := make([]plan.Bytes, len(t.spans))
	for i := range t.blocks {
		lowest[t.blocks[i].span] = min(lowest[t.blocks[i].span], t.blocks[i].at)
	}
	for i := range t.blocks {
		t.blocks[i].at -= lowest[t.blocks[i].span]
	}
	for k := range t.spans {
		t.spans[k].size -= lowest[k]
	}
	t.form()
}

// form notes the shapes of spans, and what is alive when.
func (t *timeline) form() {
	members := make([][]*block, len(t.spans))
	for i := range t.blocks {
		b := &t.blocks[i]
		members[b.span] = append(members[b.span], b)
	}
	t.alive = make([]plan.Bytes, len(t.units))
	for k := range t.spans {
		s := &t.spans[k]
		for u := s.first; u <= s.last; u++ {
			lo, hi := s.size, plan.Bytes(0)
			for _, b := range members[k] {
				if b.first <= u && u <= b.last {
					lo, hi = min(lo, b.at), max(hi, b.at+b.size)
				}
			}
			t.alive[u] += hi - lo
			if n := len(s.shape); n > 0 && s.shape[n-1].lo == lo && s.shape[n-1].hi == hi {
				s.shape[n-1].last = u
			} else {
				s.shape = append(s.shape, extent{u, u, lo, hi})
			}
		}
		if len(s.shape) == 1 {
			s.shape = nil
		}
	}
}

// events lists the blocks that begin and end at each unit.
func (t *timeline) events() (begins, ends [][]int) {
	begins = make([][]int, len(t.units))
	ends = make([][]int, len(t.units))
	for k, b := range t.blocks {
		begins[b.first] = append(begins[b.first], k)
		ends[b.last] = append(ends[b.last], k)
	}
	return begins, ends
}
