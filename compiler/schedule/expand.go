package schedule

import (
	"cmp"
	"slices"

	"github.com/flexnnc/flexnnc/ir/op"
	"github.com/flexnnc/flexnnc/ir/plan"
)

// Winograd's algorithm works on weights that take several times the room of those in
// the file, and steps expand them again in every run. Where there is room, weights of
// a convolution stay expanded: that saves the work, and costs the way of more bytes
// from memory.

// expansion is an item of the file that is worth keeping expanded, all of it.
type expansion struct {
	item  int
	bytes plan.Bytes // of its panels, expanded
	saved int64      // picoseconds in a run
	value int64      // of 2^20 bytes, the same
}

// worthExpanding lists the items that save time, those first that save most for
// their bytes.
func (n *network) worthExpanding(s Speed) (list []expansion) {
	for i := range n.nodes {
		d := &n.nodes[i]
		if d.op.Conv == nil || d.op.Conv.Winograd == 0 || n.uses[d.panels] != 1 {
			continue
		}
		saved := s.step(d, 1, 1, 0, d.own, false, d.near) - s.step(d, 1, 1, 0, d.own, true, d.near)
		if saved > 0 {
			list = append(list, newExpansion(d.panels, plan.Bytes(d.op.ExpandedBytes(d.op.Panels.Count())), saved))
		}
	}
	sortExpansions(list)
	return list
}

func newExpansion(item int, bytes plan.Bytes, saved int64) expansion {
	return expansion{item, bytes, saved, min(saved, 1<<42) << 20 / int64(bytes)}
}

func sortExpansions(list []expansion) {
	slices.SortStableFunc(list, func(a, b expansion) int { return cmp.Compare(b.value, a.value) })
}

// findExpansions fills expansions: bands of rows have each step expand weights, and a chain
// has a buffer for each slice.
func (t *timeline) findExpansions(s Speed) {
	for _, x := range t.n.expansions {
		u := &t.units[t.first[x.item]]
		saved := s.unit(t.n, u, -1) - s.unit(t.n, u, x.item)
		t.expansions = append(t.expansions, newExpansion(x.item, t.expandedBytes(x.item), max(1, saved)))
	}
	sortExpansions(t.expansions)
}

// mostSaved bounds what expanded weights within room bytes save.
func mostSaved(list []expansion, room plan.Bytes) (picoseconds int64) {
	for _, x := range list {
		if x.bytes > room {
			return picoseconds + min(x.saved, (x.value+1)*int64(max(0, room)>>20+1))
		}
		picoseconds += x.saved
		room -= x.bytes
	}
	return picoseconds
}

// expand says of each item whether it is kept expanded, within room bytes beyond
// what k keeps: items that k keeps whole or, where anew says so, any others.
func (t *timeline) expand(room plan.Bytes, k keep, anew bool) (expanded []bool, used plan.Bytes) {
	expanded = make([]bool, len(k))
	for _, x := range t.expansions {
		more := x.bytes
		switch total, each := t.parts(x.item); {
		case k[x.item] == total:
			more -= up(plan.Bytes(total) * each)
		case !anew:
			continue
		}
		if more <= room {
			expanded[x.item] = true
			room -= more
			used += more
		}
	}
	return expanded, used
}

// expandedBytes is the room of an item that is kept expanded, in as many buffers as
// there are steps with slices of it.
func (t *timeline) expandedBytes(item int) (bytes plan.Bytes) {
	o := t.opOf(item)
	n := o.Panels.Count()
	width := n
	if w := t.units[t.first[item]].width; w > 0 {
		width = w
	}
	for lo := 0; lo < n; lo += width {
		bytes += up(plan.Bytes(o.ExpandedBytes(min(width, n-lo))))
	}
	return bytes
}

// opOf is the first op with an item's panels.
func (t *timeline) opOf(item int) *op.Op {
	i := t.units[t.first[item]].lo
	for t.n.nodes[i].panels != item {
		i++
	}
	return t.n.nodes[i].op
}
