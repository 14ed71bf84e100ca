package schedule

import (
	"cmp"
	"slices"

	"github.com/flexnnc/flexnnc/ir/plan"
)

// turn is one step of several ops that take turns: rows of one of them, or a
// slice of its channels.
type turn struct {
	node   int
	rows   plan.Range // {0,0}: all
	panels plan.Range // {0,0}: all, if there are panels
}

// braid is consecutive ops that take turns, each making a few rows as soon as
// their inputs are there, so that of what only they use a few rows exist at a
// time. No row is made twice.
type braid struct {
	lo, hi int // nodes
	turns  []turn
	rings  []int // rows that exist at a time, of roots that only the braid uses; 0: of others
	joins  []join
	uses   []use // of every root that is touched, by root-first order
	at     []int // per root, 1 + its number in uses, 0 = none
	over   []joined
}

// joined says of a root whether it lies over another, and another over it.
type joined struct{ out, in bool }

// use is when a root that is touched is.
func (r *braid) use(root int) *use { return &r.uses[r.at[root]-1] }

// zeroed is n zeros, in the memory of list where they fit.
func zeroed[T any](list []T, n int) []T {
	list = slices.Grow(list[:0], n)[:n]
	clear(list)
	return list
}

// use is when each row of a root is first written and last touched, in turns; -1
// and the number of turns stand for before and after the braid.
type use struct {
	root        int
	first, last []int
}

// join says that root out lies over root in, which dies row by row meanwhile: row
// 0 of out at the start, row 0 of in shift bytes above.
type join struct {
	in, out int
	shift   plan.Bytes
}

// bandable says whether nodes [lo,hi) can take turns.
func (n *network) bandable(lo, hi int) bool {
	for i := lo; i < hi; i++ {
		if n.nodes[i].height == 0 {
			return false
		}
		for _, r := range n.nodes[i].reads {
			if !r.whole {
				continue
			}
			for _, w := range n.roots[r.root].writers {
				if lo <= w && w < hi {
					return false
				}
			}
		}
	}
	return true
}

// private says whether only nodes [lo,hi) touch a root, and none of them all of it.
func (n *network) private(root, lo, hi int) bool {
	r := &n.roots[root]
	return lo <= r.first && r.last < hi
}

// braider interleaves nodes [lo,hi).
type braider struct {
	n      *network
	lo, hi int
	limit  []int // most rows per turn, per node
	done   []int // rows made, per node
	turns  []turn
	most   int // turns, or stop
}

// need makes rows of a node, and before that what they are made of.
func (b *braider) need(node, rows int) {
	k := node - b.lo
	for b.done[k] < rows && len(b.turns) <= b.most {
		d := &b.n.nodes[node]
		// Rows come in whole grains, for the next step to start at one.
		hi := (min(rows, b.done[k]+b.limit[k]) + d.grain - 1) / d.grain * d.grain
		out := plan.Range{Lo: b.done[k], Hi: min(d.height, hi)}
		for i := range d.reads {
			in := d.reads[i].of(out)
			for _, w := range b.n.roots[d.reads[i].root].writers {
				if b.lo <= w && w < node {
					b.need(w, b.n.nodes[w].made.until(in.Hi))
				}
			}
		}
		b.done[k] = out.Hi
		b.turns = append(b.turns, turn{node: node, rows: out})
	}
}

// braid interleaves nodes [lo,hi) in about so many bands: no turn makes more than
// that part of its node's rows. ok is false where more than most turns would be
// needed. Its lists take the memory of those of spare, which may be nil.
func (n *network) braid(lo, hi, bands, most int, inPlace bool, spare *braid) (*braid, bool) {
	if spare == nil {
		spare = &braid{}
	}
	b := braider{n: n, lo: lo, hi: hi, most: most, turns: spare.turns[:0]}
	for i := lo; i < hi; i++ {
		b.limit = append(b.limit, (n.nodes[i].height+bands-1)/bands)
	}
	b.done = make([]int, hi-lo)
	// Ops whose output nobody here reads set the pace, all to the same part.
	drains := n.drains(lo, hi)
	// A turn's rows of a matrix should not lie at both ends of a ring, which makes as many
	// small products of one: turns of equal numbers of rows, but for the last, fill it.
	matrices := n.matrices(lo, hi)
	for k := 1; k <= bands; k++ {
		for _, i := range drains {
			rows := (n.nodes[i].height*k + bands - 1) / bands
			if matrices {
				rows = min(n.nodes[i].height, b.limit[i-lo]*k)
			}
			b.need(i, rows)
		}
	}
	// Rows that nobody asked for, at the end of an image.
	for i := lo; i < hi; i++ {
		b.need(i, n.nodes[i].height)
	}
	if spare.turns = b.turns; len(b.turns) > most {
		return nil, false
	}
	r := &braid{lo: lo, hi: hi, turns: b.turns, rings: zeroed(spare.rings, len(n.roots)), at: zeroed(spare.at, len(n.roots)),
		over: zeroed(spare.over, len(n.roots))}
	r.follow(n, spare.uses)
	r.place(n, inPlace)
	return r, true
}

// matrices says whether nodes [lo,hi) all make as many rows of matrices.
func (n *network) matrices(lo, hi int) bool {
	for i := lo; i < hi; i++ {
		if d := &n.nodes[i]; d.height != n.nodes[lo].height || len(d.op.Out) != 1 || len(d.op.Out[0].Dims) != 2 {
			return false
		}
	}
	return true
}

// drains are the nodes of [lo,hi) that make what no later one of them reads.
func (n *network) drains(lo, hi int) (nodes []int) {
	read := map[int]bool{}
	for i := hi - 1; i >= lo; i-- {
		if d := &n.nodes[i]; d.writes < 0 || !read[d.writes] {
			nodes = append(nodes, i)
		}
		for _, r := range n.nodes[i].reads {
			read[r.root] = true
		}
	}
	slices.Reverse(nodes)
	return nodes
}

// follow fills uses, in the memory of spare ones.
func (r *braid) follow(n *network, spare []use) {
	of := func(root int) *use {
		k := r.at[root] - 1
		if k < 0 {
			k = len(r.uses)
			r.at[root] = k + 1
			rows := n.roots[root].rows
			u := use{root: root}
			if k < len(spare) {
				u.first, u.last = spare[k].first[:0], spare[k].last[:0]
			}
			u.first, u.last = slices.Grow(u.first, rows)[:rows], slices.Grow(u.last, rows)[:rows]
			for y := range rows {
				u.first[y], u.last[y] = len(r.turns), -1
				if n.roots[root].first < r.lo {
					u.first[y] = -1
				}
				if n.roots[root].last >= r.hi {
					u.last[y] = len(r.turns)
				}
			}
			r.uses = append(r.uses, u)
		}
		return &r.uses[k]
	}
	for k, t := range r.turns {
		d := &n.nodes[t.node]
		for i := range d.reads {
			u := of(d.reads[i].root)
			in := d.reads[i].of(t.rows)
			for y := in.Lo; y < in.Hi; y++ {
				u.last[y] = max(u.last[y], k)
			}
		}
		if d.writes >= 0 {
			u := of(d.writes)
			for y, out := d.made.of(t.rows).Lo, d.made.of(t.rows); y < out.Hi; y++ {
				u.first[y] = min(u.first[y], k)
				u.last[y] = max(u.last[y], k)
			}
		}
	}
}

// ring is the fewest rows such that row y+ring is first written after row y was
// last touched, for rows written from first on and touched until last.
func ring(first, last []int) int {
	n, newest, until := 1, 0, -1
	for y := range first {
		until = max(until, last[y])
		for newest+1 < len(first) && first[newest+1] <= until {
			newest++
		}
		n = max(n, newest-y+1)
	}
	return n
}

// place decides on rings and joins.
func (r *braid) place(n *network, inPlace bool) {
	for i := range r.uses {
		u := &r.uses[i]
		if n.private(u.root, r.lo, r.hi) {
			r.rings[u.root] = n.roots[u.root].ring(ring(u.first, u.last))
		}
	}
	if !inPlace {
		return
	}
	for i := r.lo; i < r.hi; i++ {
		r.joinRows(n, i)
	}
	// What is whole on either side: the largest gain first.
	type crossing struct {
		join
		gain plan.Bytes
	}
	var all []crossing
	for i := range r.uses {
		for j := range r.uses {
			in, out := &r.uses[i], &r.uses[j]
			if r.over[in.root].out || !r.crosses(n, in.root, out.root) {
				continue
			}
			base := r.chain(out.root)
			last := base[len(base)-1]
			if r.over[last].in {
				continue
			}
			s := r.shift(n, in, out)
			a, b := n.roots[in.root].size, n.roots[out.root].size
			all = append(all, crossing{join{in.root, last, s}, a + b - max(s+a, b)})
		}
	}
	for {
		var best crossing
		for _, c := range all {
			if c.gain > best.gain && !r.over[c.in].out && !r.over[c.out].in {
				best = c
			}
		}
		if best.gain == 0 {
			return
		}
		r.over[best.in].out, r.over[best.out].in = true, true
		r.joins = append(r.joins, best.join)
	}
}

// loosen undoes joins of whole roots at some distance that save no more than slack
// bytes altogether, those that save least first: each ties the places of roots
// together, and with them often those of many braids.
func (r *braid) loosen(n *network, slack plan.Bytes) {
	saves := func(j join) plan.Bytes {
		a, b := n.roots[j.in].size, n.roots[j.out].size
		return a + b - max(j.shift+a, b)
	}
	order := slices.Clone(r.joins)
	slices.SortStableFunc(order, func(i, j join) int { return cmp.Compare(saves(i), saves(j)) })
	for _, j := range order {
		if s := saves(j); r.rings[j.in] == 0 && j.shift > 0 && s <= slack {
			slack -= s
			r.joins = slices.DeleteFunc(r.joins, func(k join) bool { return k == j })
		}
	}
}

// chain lists a root, the one that lies exactly there before it and that only the
// braid uses, and so on.
func (r *braid) chain(root int) []int {
	list := []int{root}
	for _, j := range slices.Backward(r.joins) {
		if j.out == list[len(list)-1] && r.rings[j.in] > 0 {
			list = append(list, j.in)
		}
	}
	return list
}

// crosses says whether in is whole before the braid and dies in it, and out is
// born in it and whole after it.
func (r *braid) crosses(n *network, in, out int) bool {
	a, b := &n.roots[in], &n.roots[out]
	return a.first < r.lo && r.lo <= a.last && a.last < r.hi && r.lo <= b.first && b.first < r.hi && b.last >= r.hi
}

// joinRows lays the output of an element-wise node over an input that only the
// braid uses and that the node is the last to read, row by row: one ring over
// another, where one for both is smaller, or a whole output over what need not be
// a ring then.
func (r *braid) joinRows(n *network, node int) {
	d := &n.nodes[node]
	for _, in := range d.over {
		out := d.writes
		if r.rings[in] == 0 || r.over[in].out || r.over[out].in || n.roots[in].rows != n.roots[out].rows || n.roots[in].fold != n.roots[out].fold || !r.exact(n, r.use(in), r.use(out)) {
			continue
		}
		// The rows of a chain live from the first one's birth to the last one's end.
		chain := append([]int{out}, r.chain(in)...)
		born := r.use(chain[len(chain)-1]).first
		rows := n.roots[out].rows
		if r.rings[out] > 0 {
			rows = ring(born, r.use(out).last)
			for _, k := range chain {
				rows = n.roots[k].ring(rows)
			}
			if rows >= r.rings[in]+r.rings[out] {
				continue
			}
		} else if n.roots[out].first < r.lo {
			continue
		} else {
			// Other outputs must keep clear of the place from then on.
			r.use(out).first = append(r.use(out).first[:0], born...)
		}
		for _, k := range chain {
			if r.rings[k] > 0 {
				r.rings[k] = rows
			}
		}
		r.over[in].out, r.over[out].in = true, true
		r.joins = append(r.joins, join{in, out, 0})
		return
	}
}

// shift is the least distance at which in lies above out such that no row of it
// is overwritten that is still needed.
func (r *braid) shift(n *network, in, out *use) plan.Bytes {
	a, b := &n.roots[in.root], &n.roots[out.root]
	if r.exact(n, in, out) {
		return 0
	}
	s := plan.Bytes(0)
	// Rows of out in the order of their first writes, against the lowest row of in
	// that is read in that turn or later.
	lowest := make([]int, len(r.turns)+1)
	for k := range lowest {
		lowest[k] = a.rows
	}
	for y, k := range in.last {
		if k >= 0 {
			lowest[k] = min(lowest[k], y)
		}
	}
	for k := len(r.turns) - 1; k >= 0; k-- {
		lowest[k] = min(lowest[k], lowest[k+1])
	}
	for y, k := range out.first {
		// Multiple writers: the row is written until last, but it counts from first on.
		if low := lowest[k]; low < a.rows {
			s = max(s, plan.Bytes(y+1)*b.row-plan.Bytes(low)*a.row)
		}
	}
	return up(s)
}

// exact says whether out may lie exactly over in: it is written element by
// element where in is read for the last time.
func (r *braid) exact(n *network, in, out *use) bool {
	w := n.roots[out.root].writers
	if len(w) != 1 || len(in.last) != len(out.first) || !slices.Contains(n.nodes[w[0]].over, in.root) {
		return false
	}
	for y := range in.last {
		if in.last[y] > out.first[y] {
			return false
		}
	}
	return true
}
