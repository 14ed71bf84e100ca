package schedule

import (
	"fmt"
	"math"
	"slices"

	"github.com/flexnnc/flexnnc/compiler/cost"
	"github.com/flexnnc/flexnnc/ir/op"
	"github.com/flexnnc/flexnnc/ir/plan"
)

// bounds are what no plan can beat, whatever its slices and bands.
type bounds struct {
	n       *network
	compute []int64      // of nodes before i, each in one step, picoseconds
	weights []plan.Bytes // first read by nodes before i
}

func newBounds(n *network, s Speed) *bounds {
	k := len(n.nodes)
	b := &bounds{n: n, compute: make([]int64, k+1), weights: make([]plan.Bytes, k+1)}
	seen := make([]bool, len(n.file.Items))
	for i := range n.nodes {
		// More of its activations than where it runs alone may be in the cache where it has turns.
		d := &n.nodes[i]
		least := s.step(d, 1, 1, 0, d.own, false, d.near)
		if s.Cache > 0 && d.height > 1 {
			least = min(least, s.step(d, 1, 1, 0, d.own, false, cost.Of(d.op).Bytes)+s.Step)
		}
		b.compute[i+1] = b.compute[i] + least
		b.weights[i+1] = b.weights[i]
		for _, item := range n.nodes[i].items() {
			if !seen[item] {
				seen[item] = true
				b.weights[i+1] += n.file.Items[item].Bytes
			}
		}
	}
	return b
}

// time bounds a run within a budget, 0 for none, while activations of live(node)
// bytes at least are there. Reads: what does not fit into the arena is read in
// every run. Dependencies: for any two nodes a <= b, when a starts, the arena
// holds at most what is free beside its activations; the rest of the weights of a
// to b is read after the compute before a and before the compute after b.
func (b *bounds) time(budget plan.Bytes, o Options, live func(node int) plan.Bytes) (t plan.TimeBound, picoseconds int64) {
	n, k, s := b.n, len(b.n.nodes), o.Speed
	saved := int64(0) // by weights that are kept expanded
	switch {
	case o.NoResidents:
	case budget == 0:
		saved = mostSaved(n.expansions, math.MaxInt64)
	default:
		saved = mostSaved(n.expansions, budget-n.base)
	}
	compute, read, dependency := b.compute[k]-saved, int64(0), int64(0)
	slowest, from, to := 0, 0, 0
	for i := range n.nodes {
		if b.compute[i+1]-b.compute[i] > b.compute[slowest+1]-b.compute[slowest] {
			slowest = i
		}
	}
	if budget > 0 {
		read = max(0, s.Read*int64(b.weights[k]-(budget-n.base)))
		for i := range n.nodes {
			room := budget - n.base - live(i)
			for j := i; j < k; j++ {
				wait := s.Read * int64(b.weights[j+1]-b.weights[i]-room)
				if d := b.compute[i] + wait + b.compute[k] - b.compute[j+1] - saved; wait > 0 && d > dependency {
					dependency, from, to = d, i, j
				}
			}
		}
	}
	// Picoseconds has what loads slow steps by.
	t = plan.TimeBound{Compute: duration(compute), Read: duration(read), Dependency: duration(dependency)}
	longest := max(compute, read, dependency)
	picoseconds = cost.Slowed(longest, compute, read)
	switch longest {
	case compute:
		t.Binding = "computing, most of all " + n.nodes[slowest].op.Name
	case dependency:
		t.Binding = fmt.Sprintf("the weights of %s to %s, which do not fit beside the activations", n.nodes[from].op.Name, n.nodes[to].op.Name)
	default:
		t.Binding = fmt.Sprintf("%d bytes of weights that cannot stay", b.weights[k]-(budget-n.base))
	}
	return t, picoseconds
}

// memory is the most bytes that are surely in the arena during some op, at
// whatever place its outputs lie: what is reserved, its scratch, one panel and the
// consts, the input rows for one row of output and that row. Else, a tensor that
// some op reads whole, while that waits for it.
func (b *bounds) memory(o Options) (least plan.MemoryBound) {
	n := b.n
	for i := range n.nodes {
		d := &n.nodes[i]
		var l ledger
		add := l.add
		add(n.zeros, "padding (zeros)")
		add(n.threads, "all ops (threads)")
		add(d.scratch, "%s (scratch)", d.op.Name)
		add(n.leastWeights(i, o.NoSlices), "%s (weights of 16 channels, consts)", d.op.Name)
		image := b.window(i, add)
		// A tensor that is read whole later or now was written whole before that.
		waiting := -1
		for r := range n.roots {
			a := &n.roots[r]
			if a.first < i && i < a.whole && a.size > image && (waiting < 0 || a.size > n.roots[waiting].size) {
				waiting = r
			}
		}
		if waiting >= 0 {
			add(n.roots[waiting].size-image, "%s (activation) beyond that", n.roots[waiting].tensor.Name)
		}
		if total := l.total(); total > least.Bytes {
			least = plan.MemoryBound{Bytes: total, At: d.op.Name, Blocking: l.texts()}
		}
	}
	return least
}

// window adds the rows that node i reads for one row of its output, and that row,
// unless it may lie over one of them, and returns their sum. Channels of a chain's
// image exist a panel at a time.
func (b *bounds) window(i int, add func(bytes plan.Bytes, format string, args ...any)) (sum plan.Bytes) {
	n := b.n
	d := &n.nodes[i]
	note := func(root int, rows int) {
		r := &n.roots[root]
		bytes := plan.Bytes(rows) * r.row
		if slice, ok := n.leastSlice(root, i); ok {
			bytes = min(bytes, slice)
		}
		sum += bytes
		add(bytes, "%d rows of %s (activation)", rows, r.tensor.Name)
	}
	// The row of output that needs the fewest rows, over all of which the sum is a bound.
	rows := map[int]int{}
	for k := range d.reads {
		r := &d.reads[k]
		rows[r.root] = max(rows[r.root], r.fewest(d.height))
	}
	var roots []int
	for r := range rows {
		roots = append(roots, r)
	}
	slices.Sort(roots)
	for _, r := range roots {
		note(r, rows[r])
	}
	if d.writes >= 0 && len(d.over) == 0 {
		r := &n.roots[d.writes]
		if _, read := rows[d.writes]; !read {
			few := 1
			if d.height == 0 && len(r.writers) == 1 && d.op.Kind != op.Input {
				few = r.rows
			}
			note(d.writes, few)
		}
	}
	return sum
}
