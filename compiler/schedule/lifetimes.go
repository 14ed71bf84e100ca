package schedule

import (
	"fmt"
	"slices"

	"github.com/flexnnc/flexnnc/ir/lane"
	"github.com/flexnnc/flexnnc/ir/op"
	"github.com/flexnnc/flexnnc/ir/plan"
)

// unit is what runs without interruption by another op: an op, or a band of its
// rows. Time is counted in units until slices are chosen, then in steps; a unit
// becomes one step per slice.
type unit struct {
	op   *op.Op
	rows plan.Range // {0,0}: all
	// items are the weights file items of the unit's consts, each once, and of its
	// panels (-1 where it has none).
	consts []int
	panels int
	// cost, in the terms of Speed
	macs, touched int64
	scratch       int // block, or -1
}

// block is a buffer whose place does not depend on slices: a root tensor or an
// op's scratch, live during units first to last.
type block struct {
	kind        plan.BufferKind
	name        string
	tensor      *op.Tensor
	size        plan.Bytes
	ring        int
	first, last int
	span        int
	shares      int // the block that this one deliberately overlaps, or -1
}

// span is a chain of blocks that share one place, each lying over the one that
// dies as it is written. It is what packing places.
type span struct {
	name        string
	size        plan.Bytes
	first, last int
}

// timeline is everything about the network that planning needs, and no plan yet.
type timeline struct {
	graph  *op.Graph
	file   plan.File
	uses   []int // per file item, the units that read it in one run
	first  []int // per file item, the first unit that reads it
	units  []unit
	blocks []block
	spans  []span
	// base is the bytes at the arena's start that are reserved for the whole run.
	zeros, threads, base plan.Bytes
	whole                bool // ops are not sliced
}

func newTimeline(g *op.Graph, o Options) (*timeline, error) {
	t := &timeline{graph: g, file: plan.Layout(g), whole: o.NoSlices}
	t.uses = make([]int, len(t.file.Items))
	t.first = make([]int, len(t.file.Items))
	if err := t.order(); err != nil {
		return nil, err
	}
	if err := t.live(o); err != nil {
		return nil, err
	}
	perThread := plan.Bytes(0)
	for i := range t.units {
		o := t.units[i].op
		perThread = max(perThread, up(plan.Bytes(o.ThreadScratch)))
		t.zeros = max(t.zeros, paddingBytes(o))
	}
	t.threads = perThread * plan.Bytes(o.Threads)
	t.base = t.zeros + t.threads
	return t, nil
}

// order fills units: for now, one for each op, in the graph's order.
func (t *timeline) order() error {
	consts := map[*op.Const]int{}
	panels := map[*op.Panels]int{}
	for i, it := range t.file.Items {
		if it.Const != nil {
			consts[it.Const] = i
		} else {
			panels[it.Panels] = i
		}
	}
	for _, o := range t.graph.Ops {
		if o.Kind == op.Concat || o.Kind == op.View {
			return fmt.Errorf("BUG: op %s of kind %v was not removed by placement", o.Name, o.Kind)
		}
		u := unit{op: o, panels: -1, scratch: -1}
		for _, c := range plan.Consts(o) {
			if i := consts[c]; !slices.Contains(u.consts, i) {
				u.consts = append(u.consts, i)
			}
		}
		if o.Panels != nil {
			u.panels = panels[o.Panels]
		}
		u.macs, u.touched = work(o)
		for _, i := range t.read(&u) {
			if t.uses[i] == 0 {
				t.first[i] = len(t.units)
			}
			t.uses[i]++
		}
		t.units = append(t.units, u)
	}
	return nil
}

// read lists the file items that a unit reads, in the order of the file.
func (t *timeline) read(u *unit) []int {
	if u.panels < 0 {
		return u.consts
	}
	return append(slices.Clip(u.consts), u.panels)
}

// live fills blocks and spans.
func (t *timeline) live(options Options) error {
	of := map[*op.Tensor]int{}
	writers := map[*op.Tensor]int{}
	for i := range t.units {
		o := t.units[i].op
		for _, list := range [][]*op.Tensor{o.Out, o.In, o.EpilogueIn} {
			for _, x := range list {
				r := x.Root()
				if r.Const != nil {
					continue
				}
				if len(x.Strides) != len(x.Dims) {
					return fmt.Errorf("BUG: tensor %s has no strides", x.Name)
				}
				b, ok := of[r]
				if !ok {
					b = len(t.blocks)
					of[r] = b
					t.blocks = append(t.blocks, block{
						kind: plan.Activation, name: r.Name, tensor: r, first: i, shares: -1,
						size: up(plan.Bytes(r.Len() * r.Type.Bytes())),
					})
				}
				t.blocks[b].last = i
			}
		}
		for _, x := range o.Out {
			writers[x.Root()]++
		}
		if n := o.StepScratch(options.Threads); n > 0 {
			t.units[i].scratch = len(t.blocks)
			t.blocks = append(t.blocks, block{
				kind: plan.Scratch, name: o.Name, first: i, last: i, shares: -1, size: up(plan.Bytes(n)),
			})
		}
	}
	if !options.NoInPlace {
		for i := range t.units {
			o := t.units[i].op
			if in := dyingInput(o); in != nil && writers[o.Out[0]] == 1 {
				a, b := of[in], of[o.Out[0]]
				// A block may lie over one that dies here, and was not yet covered.
				if t.blocks[a].last == i && t.blocks[b].first == i && t.blocks[a].size == t.blocks[b].size {
					t.blocks[b].shares = a
				}
			}
		}
	}
	// A block's owner always comes before it, since it was live earlier.
	for i := range t.blocks {
		b := &t.blocks[i]
		if b.shares >= 0 {
			b.span = t.blocks[b.shares].span
			t.spans[b.span].last = b.last
			continue
		}
		b.span = len(t.spans)
		t.spans = append(t.spans, span{name: b.name, size: b.size, first: b.first, last: b.last})
	}
	return nil
}

// dyingInput is the root that an element-wise op may overwrite with its output,
// if that is not read later: every use of it in the op is the same dense view
// of the whole, so that an element is read only at the place where its result goes.
func dyingInput(o *op.Op) *op.Tensor {
	if o.Kind != op.Map || o.Map.Program.Reduce != lane.Store || o.Out[0].Base != nil || len(o.Out) != 1 {
		return nil
	}
	out := o.Out[0]
	whole := func(x *op.Tensor) bool {
		return x.Offset == 0 && x.Type.Bytes() == out.Type.Bytes() && x.Root().Len() == out.Len() &&
			slices.Equal(x.Dims, out.Dims) && slices.Equal(x.Strides, out.Strides)
	}
	uses := append(slices.Clip(o.In), o.EpilogueIn...)
	for _, x := range o.In {
		r := x.Root()
		if r.Const != nil {
			continue
		}
		if !slices.ContainsFunc(uses, func(y *op.Tensor) bool { return y.Root() == r && !whole(y) }) {
			return r
		}
	}
	return nil
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
	if c.PadT <= 0 && c.PadL <= 0 && lastRow < c.InH && lastCol < c.InW {
		return 0
	}
	return up(plan.Bytes(c.InC * 4))
}

// work is the multiply-adds of an op and the bytes that it reads and writes,
// weights apart.
func work(o *op.Op) (macs, touched int64) {
	for _, list := range [][]*op.Tensor{o.In, o.EpilogueIn, o.Out} {
		for _, x := range list {
			if x.Root().Const == nil {
				touched += int64(x.Len() * x.Type.Bytes())
			}
		}
	}
	if c := o.Conv; c != nil && o.Panels != nil {
		macs = int64(c.OutH) * int64(c.OutW) * int64(o.Panels.N) * int64(o.Panels.K())
	}
	return macs, touched
}
