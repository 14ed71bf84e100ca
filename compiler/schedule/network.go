package schedule

import (
	"fmt"
	"slices"

	"github.com/flexnnc/flexnnc/compiler/cost"
	"github.com/flexnnc/flexnnc/ir/lane"
	"github.com/flexnnc/flexnnc/ir/op"
	"github.com/flexnnc/flexnnc/ir/plan"
)

// network is what planning needs to know of a lowered network, whatever the plan.
type network struct {
	graph *op.Graph
	file  plan.File
	nodes []node // one per op, in the graph's order
	roots []root // in the order in which ops touch them
	uses  []int  // per file item, the nodes that read it in one run
	// base is the bytes at the arena's start that are reserved for the whole run.
	zeros, threads, base plan.Bytes
	of                   map[*op.Tensor]int // roots by their tensors
	// expansions are the weights that are worth keeping expanded, by what they save an
	// op in one step.
	expansions []expansion
}

// node is an op with what it takes from the weights file and from the arena.
type node struct {
	op *op.Op
	// items are the weights file items of the op's consts, each once, and of its
	// panels (-1 where it has none).
	consts []int
	panels int
	// table is the item of a const whose rows the op picks from the file unless it
	// stays in the arena, -1 where there is none, and picks how many it picks.
	table, picks int
	scratch      plan.Bytes // of a step
	cost         *cost.Op   // by Speed
	near         int64      // bytes of its activations that the cache holds while it runs alone
	ample        plan.Bytes // of scratch: with less the op makes do
	own          plan.Bytes // of scratch of which threads share nothing
	// height is the rows of the output where the op can run by rows, else 0.
	height int
	// grain is how many of them are made at once: a multiple of what the op asks for
	// and, where several lie in one row of the root, of those.
	grain  int
	reads  []reach
	made   reach // of the root that is written
	writes int   // root, -1 where none
	// over are the roots that the output may overwrite element by element.
	over []int
}

// root is a tensor that owns a buffer.
type root struct {
	tensor      *op.Tensor
	size        plan.Bytes // of the whole buffer
	rows        int        // that planning tells apart
	fold        int        // so many of the outermost axis are one of them
	row         plan.Bytes // bytes of one of them
	ringable    bool       // drivers find the rows of all windows in a ring
	first, last int        // nodes that touch it
	whole       int        // the last node that reads all of it to make any row, or -1
	writers     []int
}

func newNetwork(g *op.Graph, options Options) (*network, error) {
	n := &network{graph: g, file: plan.Layout(g)}
	n.uses = make([]int, len(n.file.Items))
	consts := map[*op.Const]int{}
	panels := map[*op.Panels]int{}
	for i, it := range n.file.Items {
		if it.Const != nil {
			consts[it.Const] = i
		} else {
			panels[it.Panels] = i
		}
	}
	n.of = map[*op.Tensor]int{}
	of := n.of
	perThread := plan.Bytes(0)
	for i, o := range g.Ops {
		if o.Kind == op.Concat || o.Kind == op.View {
			return nil, fmt.Errorf("BUG: op %s of kind %v was not removed by placement", o.Name, o.Kind)
		}
		d := node{op: o, panels: -1, table: -1, writes: -1}
		for _, c := range plan.Consts(o) {
			switch k := consts[c]; {
			case c.RowLen > 0:
				d.table, d.picks = k, o.Out[0].Len()/c.RowLen
				n.uses[k]++
			case !slices.Contains(d.consts, k):
				d.consts = append(d.consts, k)
			}
		}
		if o.Panels != nil {
			d.panels = panels[o.Panels]
		}
		d.cost = options.Speed.Op(o)
		d.ample = plan.Bytes(o.StepScratch(options.Threads))
		d.own = plan.Bytes(o.OwnStepScratch(options.Threads))
		switch {
		case options.lean:
			d.scratch = up(plan.Bytes(o.LeanStepScratch(options.Threads)))
		case options.own:
			d.scratch = up(d.own)
		default:
			d.scratch = up(d.ample)
		}
		for _, k := range d.items() {
			n.uses[k]++
		}
		for _, list := range [][]*op.Tensor{o.Out, o.In, o.EpilogueIn} {
			for _, x := range list {
				r := x.Root()
				if r.Const != nil {
					continue
				}
				if len(x.Strides) != len(x.Dims) {
					return nil, fmt.Errorf("BUG: tensor %s has no strides", x.Name)
				}
				k, ok := of[r]
				if !ok {
					k = len(n.roots)
					of[r] = k
					bytes := plan.Bytes(r.Len() * r.Type.Bytes())
					n.roots = append(n.roots, root{
						tensor: r, size: up(bytes), rows: r.Dims[0], row: bytes / plan.Bytes(r.Dims[0]), fold: 1, first: i, whole: -1,
					})
				}
				n.roots[k].last = i
			}
		}
		for _, x := range o.Out {
			k := of[x.Root()]
			n.roots[k].writers = append(n.roots[k].writers, i)
			d.writes = k
		}
		for _, r := range dyingInputs(o) {
			d.over = append(d.over, of[r])
		}
		n.nodes = append(n.nodes, d)
		perThread = max(perThread, up(plan.Bytes(o.ThreadScratch)))
		n.zeros = max(n.zeros, paddingBytes(o))
	}
	n.foldRows(of)
	for i := range n.nodes {
		n.byRows(&n.nodes[i], of)
		for _, r := range n.nodes[i].reads {
			if r.whole {
				n.roots[r.root].whole = i
			}
		}
	}
	for i := range n.nodes {
		if c, ok := n.chained(i); ok { // what is read whole need not be there whole
			for _, r := range c.between {
				n.roots[r].whole = -1
			}
		}
	}
	for i := range n.nodes {
		n.nodes[i].near = n.nearAlone(i, options.Speed)
	}
	n.threads = perThread * plan.Bytes(options.Threads)
	n.base = n.zeros + n.threads
	n.expansions = n.worthExpanding(options.Speed)
	return n, nil
}

// items lists the file items that must be in the arena for a node, in the order of
// the file.
func (d *node) items() []int {
	if d.panels < 0 {
		return d.consts
	}
	return append(slices.Clip(d.consts), d.panels)
}

// dyingInputs are the roots that an op may overwrite with its output, if they are
// not read later: every use of them in the op is the same dense view of the whole,
// so that an element is read only at the place where its result goes, and read
// before that is written. That is so for element-wise ops, and for what the
// epilogue of a convolution adds, whose driver makes tiles elsewhere then.
func dyingInputs(o *op.Op) (roots []*op.Tensor) {
	if len(o.Out) != 1 || o.Out[0].Base != nil {
		return nil
	}
	var from []*op.Tensor
	switch {
	case o.Kind == op.Map && o.Map.Program.Reduce == lane.Store:
		from = append(slices.Clip(o.In), o.EpilogueIn...)
	case o.Kind == op.Conv && o.Epilogue != nil && o.Panels.Type != op.I8:
		from = o.EpilogueIn
	}
	out := o.Out[0]
	whole := func(x *op.Tensor) bool {
		return x.Offset == 0 && x.Type.Bytes() == out.Type.Bytes() && x.Root().Len() == out.Len() &&
			slices.Equal(x.Dims, out.Dims) && slices.Equal(x.Strides, out.Strides)
	}
	for _, x := range from {
		r := x.Root()
		if r.Const != nil || slices.Contains(roots, r) {
			continue
		}
		elsewhere := func(y *op.Tensor) bool { return y.Root() == r && !(whole(y) && slices.Contains(from, y)) }
		under := func(y *op.Tensor) bool { return y.Root() == r } // windows of a convolution
		if o.Kind != op.Conv {
			under = elsewhere
		}
		if !slices.ContainsFunc(o.In, under) && !slices.ContainsFunc(o.EpilogueIn, elsewhere) {
			roots = append(roots, r)
		}
	}
	return roots
}

// paddingBytes is what a convolution reads instead of a cell outside the image:
// one pixel of zeros.
func paddingBytes(o *op.Op) plan.Bytes {
	c := o.Conv
	if c == nil {
		return 0
	}
	lastRow := (c.OutH-1)*c.SH - c.PadT + (c.KH-1)*c.DH
	lastCol := (c.OutW-1)*c.SW - c.PadL + (c.KW-1)*c.DW
	deep := false
	if d := c.Depth; d != nil {
		deep = d.Pad > 0 || (d.Out-1)*d.S-d.Pad+(d.K-1)*d.D >= d.In
	}
	if !deep && c.PadT <= 0 && c.PadL <= 0 && lastRow < c.InH && lastCol < c.InW {
		return 0
	}
	return up(plan.Bytes(c.InC * o.In[0].Type.Bytes()))
}
