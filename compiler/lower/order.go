package lower

import (
	"slices"

	"github.com/flexnnc/flexnnc/ir/op"
)

// orderOps runs what is ready as soon as that frees memory. Operations keep their
// order but where all that still read some buffer can run, and what they make is
// smaller than what they let go: heads of detectors, say, which files list behind
// everything else, while the large images that they look at wait.
func orderOps(e *editor) error {
	o := newOrder(e.g)
	for next := 0; next < len(e.g.Ops); {
		if list := o.freeing(); list != nil {
			for _, i := range list {
				o.run(i)
			}
			continue
		}
		for next < len(e.g.Ops) && o.done[next] {
			next++
		}
		if next < len(e.g.Ops) {
			o.run(next)
		}
	}
	ops := make([]*op.Op, len(o.list))
	for k, i := range o.list {
		ops[k] = e.g.Ops[i]
	}
	e.g.Ops = ops
	last := map[*op.Tensor]*op.Op{}
	for _, o := range ops {
		for _, t := range o.Out {
			last[t.Root()] = o
		}
	}
	made := map[*op.Tensor]bool{}
	for _, o := range ops {
		for _, t := range o.Out {
			made[t] = true
		}
	}
	// The producer of what no operation makes as a whole is the last that makes a part.
	for _, t := range e.g.Tensors {
		if t.Const == nil && !made[t] && t.Root().Const == nil {
			t.Producer = last[t.Root()]
		}
	}
	return nil
}

// order is operations in the making of their order.
type order struct {
	g       *op.Graph
	reads   [][]*op.Tensor // roots, per op
	writes  [][]*op.Tensor
	readers map[*op.Tensor][]int
	// wait is how many operations that write what an op reads, and come before it in
	// the file, have yet to run; after lists those that wait for it.
	wait  []int
	after [][]int
	left  map[*op.Tensor]int // operations that have yet to read or write a root
	live  []*op.Tensor       // roots that are begun and not let go, in order
	done  []bool
	list  []int
}

func newOrder(g *op.Graph) *order {
	o := &order{
		g: g, readers: map[*op.Tensor][]int{}, left: map[*op.Tensor]int{},
		reads: make([][]*op.Tensor, len(g.Ops)), writes: make([][]*op.Tensor, len(g.Ops)),
		wait: make([]int, len(g.Ops)), after: make([][]int, len(g.Ops)), done: make([]bool, len(g.Ops)),
	}
	writers := map[*op.Tensor][]int{}
	for i, p := range g.Ops {
		add := func(list *[]*op.Tensor, t *op.Tensor) bool {
			r := t.Root()
			if r.Const != nil || slices.Contains(*list, r) {
				return false
			}
			*list = append(*list, r)
			return true
		}
		for _, list := range [][]*op.Tensor{p.In, p.EpilogueIn} {
			for _, t := range list {
				if r := t.Root(); add(&o.reads[i], t) {
					o.readers[r] = append(o.readers[r], i)
					o.left[r]++
					for _, w := range writers[r] {
						if !slices.Contains(o.after[w], i) {
							o.after[w] = append(o.after[w], i)
							o.wait[i]++
						}
					}
				}
			}
		}
		for _, t := range p.Out {
			if add(&o.writes[i], t) {
				writers[t.Root()] = append(writers[t.Root()], i)
				o.left[t.Root()]++
			}
		}
	}
	return o
}

// run appends an operation.
func (o *order) run(i int) {
	o.done[i] = true
	o.list = append(o.list, i)
	for _, k := range o.after[i] {
		o.wait[k]--
	}
	for _, r := range o.writes[i] {
		if !slices.Contains(o.live, r) {
			o.live = append(o.live, r)
		}
	}
	for _, list := range [][]*op.Tensor{o.reads[i], o.writes[i]} {
		for _, r := range list {
			if o.left[r]--; o.left[r] == 0 {
				o.live = slices.DeleteFunc(o.live, func(t *op.Tensor) bool { return t == r })
			}
		}
	}
}

// freeing are operations that can all run now and leave less memory in use.
func (o *order) freeing() []int {
	for _, r := range o.live {
		var list []int
		ready := true
		for _, i := range o.readers[r] {
			if !o.done[i] {
				list = append(list, i)
				ready = ready && o.wait[i] == 0
			}
		}
		if !ready || len(list) == 0 || o.left[r] > len(list) {
			continue
		}
		change := -size(r)
		begun := slices.Clone(o.live)
		for _, i := range list {
			for _, w := range o.writes[i] {
				if !slices.Contains(begun, w) {
					begun = append(begun, w)
					change += size(w)
				}
			}
		}
		if change < 0 {
			return list
		}
	}
	return nil
}

func size(t *op.Tensor) int { return t.Len() * t.Type.Bytes() }
