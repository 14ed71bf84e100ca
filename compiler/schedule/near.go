package schedule

import "github.com/flexnnc/flexnnc/ir/op"

// What the cache holds, by the rule of compiler/cost: the activations of an op that runs
// alone, if they and its weights fit, and the rings of a braid, if they and all of its
// weights fit together.

// nearAlone is the bytes of a node's activations that the cache holds while it runs
// alone.
func (n *network) nearAlone(node int, s Speed) int64 {
	if s.Cache == 0 {
		return 0
	}
	all, _ := n.touched(node, nil, s)
	return all
}

// nearInBraid is the same of each node of a braid that keeps some rings, else nil.
func (n *network) nearInBraid(b *braid, s Speed) []int64 {
	if s.Cache == 0 {
		return nil
	}
	bytes := n.panelsBytes(b.lo, b.hi)
	ring := map[int]int64{}
	for root, rows := range b.rings {
		if r := &n.roots[root]; rows > 0 && rows < r.rows {
			ring[root] = int64(rows) * int64(r.row)
			bytes += ring[root]
		}
	}
	if len(ring) == 0 {
		return nil
	}
	near := make([]int64, b.hi-b.lo)
	if !s.Holds(bytes) {
		return near
	}
	for i := range near {
		all, inRings := n.touched(b.lo+i, ring, s)
		near[i] = max(all, inRings)
	}
	return near
}

// panelsBytes is the size of the panels of nodes [lo,hi), each once.
func (n *network) panelsBytes(lo, hi int) (bytes int64) {
	for i := lo; i < hi; i++ {
		k, again := n.nodes[i].panels, false
		for j := lo; j < i; j++ {
			again = again || n.nodes[j].panels == k
		}
		if k >= 0 && !again {
			bytes += int64(n.file.Items[k].Bytes)
		}
	}
	return bytes
}

// touched is the bytes of a node's activations, if the cache holds them, and of those
// that are in rings, of which only so many bytes exist.
func (n *network) touched(node int, ring map[int]int64, s Speed) (all, inRings int64) {
	d := &n.nodes[node]
	own := n.panelsBytes(node, node+1)
	var seen []int
	note := func(x *op.Tensor) {
		root := x.Root()
		if root.Const != nil {
			return
		}
		k := n.of[root]
		bytes, size := int64(x.Len()*x.Type.Bytes()), int64(root.Len()*root.Type.Bytes())
		all += bytes
		if r := ring[k]; r > 0 {
			inRings += bytes
			size = r
		}
		for _, other := range seen {
			if other == k {
				return
			}
		}
		seen = append(seen, k)
		own += size
	}
	for _, x := range d.op.In {
		note(x)
	}
	for _, x := range d.op.EpilogueIn {
		note(x)
	}
	for _, x := range d.op.Out {
		note(x)
	}
	if !s.Holds(own) {
		all = 0
	}
	return all, inRings
}

// nearOf is the bytes of a node's activations that the cache holds.
func (u *unit) nearOf(n *network, node int) int64 {
	if u.near == nil {
		return n.nodes[node].near
	}
	return u.near[node-u.lo]
}
