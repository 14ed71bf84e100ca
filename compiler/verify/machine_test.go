package verify_test

import (
	"fmt"
	"slices"

	"github.com/flexnnc/flexnnc/ir/op"
	"github.com/flexnnc/flexnnc/ir/plan"
)

// machine runs plans on hash values instead of numbers: every word of the arena
// is the hash of everything that it was computed from, so that one wrong read
// anywhere changes the outputs. It is an oracle for the validator itself.
type machine struct {
	value  func(root *op.Tensor, i int) *uint64
	weight func(s *plan.Step, panel, word int) uint64
	konst  func(s *plan.Step, k int) uint64 // hash over const k of the op
	// middle is called while a step is half done, ready before it starts.
	ready, middle func(s *plan.Step)
	inputs        map[*op.Op]uint64
	outputs       map[*op.Op]uint64
}

func mix(vs ...uint64) uint64 {
	h := uint64(0x9e3779b97f4a7c15)
	for _, v := range vs {
		h ^= v
		h *= 0xff51afd7ed558ccd
		h ^= h >> 32
	}
	return h
}

// elements lists, in order, where the elements of row y of a window lie in its
// root, or those of all rows where y is -1.
func elements(x *op.Tensor, y int) []int {
	key := row{x, y}
	if at := known[key]; at != nil {
		return at
	}
	at := []int{x.Offset}
	for i, d := range x.Dims {
		var next []int
		for _, a := range at {
			for k := range d {
				if i == 0 && y >= 0 && k != y {
					continue
				}
				next = append(next, a+k*x.Strides[i])
			}
		}
		at = next
	}
	known[key] = at
	return at
}

type row struct {
	x *op.Tensor
	y int
}

var known = map[row][]int{}

// cells lists the input rows that one row of output depends on: all of them,
// unless the op goes along the rows of an image.
func cells(o *op.Op, x *op.Tensor, y int) (rows []int) {
	in := x.Dims[0]
	if y < 0 && len(x.Dims) == 3 {
		y = 0 // a vector is made from the only row that there is
	}
	switch {
	case o.Conv != nil && len(x.Dims) == 2:
		for k := range o.Conv.KW {
			if r := y*o.Conv.SW + k*o.Conv.DW - o.Conv.PadL; r >= 0 && r < in {
				rows = append(rows, r)
			}
		}
		return rows
	case o.Conv != nil && len(x.Dims) == 3:
		for k := range o.Conv.KH {
			if r := y*o.Conv.SH + k*o.Conv.DH - o.Conv.PadT; r >= 0 && r < in {
				rows = append(rows, r)
			}
		}
		return rows
	case o.Pool != nil && len(x.Dims) == 2:
		for k := range o.Pool.KW {
			if r := y*o.Pool.SW + k - o.Pool.PadL; r >= 0 && r < in {
				rows = append(rows, r)
			}
		}
		return rows
	case o.Pool != nil && len(x.Dims) == 3 && !o.Pool.Adaptive:
		for k := range o.Pool.KH {
			if r := y*o.Pool.SH + k - o.Pool.PadT; r >= 0 && r < in {
				rows = append(rows, r)
			}
		}
		return rows
	case o.Pool != nil && len(x.Dims) == 3:
		for r := range in { // cell r of in, window y of OutH, both in units of 1/(in*OutH)
			if (r+1)*o.Pool.OutH > y*in && r*o.Pool.OutH < (y+1)*in {
				rows = append(rows, r)
			}
		}
		return rows
	case o.Kind == op.Call && o.Call.Rows != nil && x == o.In[0]:
		if y < 0 {
			return []int{-1}
		}
		for r := o.Call.Rows[y][0]; r < o.Call.Rows[y][1]; r++ {
			rows = append(rows, r)
		}
		return rows
	case o.Kind == op.Output, o.Kind == op.Rows, o.Kind == op.Copy && (o.Perm == nil || o.Perm[0] == 0) && in == o.Out[0].Dims[0]:
		return []int{y}
	}
	return []int{-1}
}

func (m *machine) step(s *plan.Step) {
	m.ready(s)
	o := s.Op
	like := append(o.Out[:len(o.Out):len(o.Out)], o.In...)[0]
	first, last := 0, like.Dims[0]
	if s.Rows != (plan.Range{}) {
		first, last = s.Rows.Lo, s.Rows.Hi
	} else if len(like.Dims) == 1 {
		first, last = -1, 0
	}
	// need hashes all that a row of output depends on, or that its channel c does
	// where c is not negative, element-wise operands apart.
	need := func(y, c int) uint64 {
		h := uint64(1)
		if o.Kind == op.Map {
			return h
		}
		for _, x := range o.In {
			if x.Root().Const != nil {
				continue
			}
			first, n := 0, 1
			if c >= 0 {
				first, n = c, x.Dims[len(x.Dims)-1]
			}
			for _, r := range cells(o, x, y) {
				at := elements(x, r)
				for k := first; k < len(at); k += n {
					h = mix(h, *m.value(x.Root(), at[k]))
				}
			}
		}
		return h
	}
	// head hashes what head h of row y of an attention depends on.
	head := func(y, h int) uint64 {
		sum, width := uint64(1), o.Call.HeadWidth
		for k, x := range o.In {
			r := -1
			if k == 0 {
				r = y
			}
			n := x.Len() / x.Dims[0]
			for i, e := range elements(x, r) {
				if i%n/width == h {
					sum = mix(sum, *m.value(x.Root(), e))
				}
			}
		}
		return sum
	}
	byHeads := o.Call != nil && o.Call.HeadWidth > 0
	perChannel := o.Kind == op.Pool || o.Kind == op.Depthwise && o.Conv.Mult == 1
	if o.Kind == op.Output {
		for y := first; y < last; y++ {
			m.outputs[o] += mix(uint64(y), need(y, -1))
		}
		m.middle(s)
		for y := first; y < last; y++ {
			m.outputs[o] += mix(uint64(-y), need(y, -1))
		}
		return
	}
	out := o.Out[0]
	inner := out.Dims[len(out.Dims)-1]
	var konst uint64
	for k := range plan.Consts(o) {
		konst = mix(konst, m.konst(s, k))
	}
	operands := func(xs []*op.Tensor, y, i int) (h uint64) {
		for _, x := range xs {
			switch {
			case x.Root().Const != nil:
			case slices.Equal(x.Dims, out.Dims):
				h = mix(h, *m.value(x.Root(), elements(x, y)[i]))
			default:
				for _, e := range elements(x, -1) {
					h = mix(h, *m.value(x.Root(), e))
				}
			}
		}
		return h
	}
	// One half of every row, and then the other.
	for half := range 2 {
		for y := first; y < last; y++ {
			all := uint64(0)
			if !perChannel && !byHeads {
				all = need(y, -1)
			}
			at := elements(out, y)
			for i := half * len(at) / 2; i < (half+1)*len(at)/2; i++ {
				panel := i % inner / op.PanelWidth
				if s.Panels != (plan.Range{}) && (panel < s.Panels.Lo || panel >= s.Panels.Hi) {
					continue
				}
				if perChannel {
					all = need(y, i%inner)
				}
				if byHeads && (i%o.Call.HeadWidth == 0 || i == half*len(at)/2 || all == 0) {
					all = head(y, i%inner/o.Call.HeadWidth)
				}
				h := mix(uint64(o.Index), uint64(y), uint64(i), all, konst, m.inputs[o])
				if o.Panels != nil {
					for _, w := range []int{0, o.Panels.PanelBytes()/4 - 1} {
						h = mix(h, m.weight(s, panel, w))
					}
				}
				if o.Kind == op.Map {
					h = mix(h, operands(o.In, y, i))
				}
				*m.value(out.Root(), at[i]) = mix(h, operands(o.EpilogueIn, y, i))
			}
		}
		if half == 0 {
			m.middle(s)
		}
	}
}

func fileWord(at plan.Bytes) uint64 { return mix(77, uint64(at)) }

// picked hashes a const as the weights file has it.
func picked(p *plan.Plan, c *op.Const) (h uint64) {
	for _, it := range p.File.Items {
		for w := 0; it.Const == c && w < c.Len; w++ {
			h = mix(h, fileWord(it.Offset+plan.Bytes(4*w)))
		}
	}
	return h
}

// reference runs every op whole, each tensor in memory of its own.
func reference(p *plan.Plan, inputs map[*op.Op]uint64) map[*op.Op]uint64 {
	mem := map[*op.Tensor][]uint64{}
	items := map[any]plan.Item{}
	for _, it := range p.File.Items {
		if it.Panels != nil {
			items[it.Panels] = it
		} else {
			items[it.Const] = it
		}
	}
	m := &machine{
		value: func(r *op.Tensor, i int) *uint64 {
			if mem[r] == nil {
				mem[r] = make([]uint64, r.Len())
			}
			return &mem[r][i]
		},
		weight: func(s *plan.Step, panel, word int) uint64 {
			return fileWord(items[s.Op.Panels].Offset + plan.Bytes(panel*s.Op.Panels.PanelBytes()+4*word))
		},
		konst: func(s *plan.Step, k int) uint64 {
			c := plan.Consts(s.Op)[k]
			h := uint64(0)
			for w := range c.Len {
				h = mix(h, fileWord(items[c].Offset+plan.Bytes(4*w)))
			}
			return h
		},
		ready: func(*plan.Step) {}, middle: func(*plan.Step) {},
		inputs: inputs, outputs: map[*op.Op]uint64{},
	}
	for _, o := range p.Graph.Ops {
		s := plan.Step{Op: o}
		if o.Panels != nil {
			s.Panels.Hi = o.Panels.Count()
		}
		m.step(&s)
	}
	return m.outputs
}

// timing says, each time that a load may be made, whether it is made now or later.
type timing func() bool

// play runs a plan twice in an arena as the emitted package would, and returns
// the outputs of both runs.
func play(p *plan.Plan, inputs [2]map[*op.Op]uint64, now timing) (outs [2]map[*op.Op]uint64, err error) {
	defer func() {
		if e := recover(); e != nil {
			err = fmt.Errorf("the machine stopped: %v", e)
		}
	}()
	arena := make([]uint64, p.Arena/4)
	buffer := map[*op.Tensor]*plan.Buffer{}
	for i := range p.Buffers {
		if t := p.Buffers[i].Tensor; t != nil {
			buffer[t] = &p.Buffers[i]
		}
	}
	load := func(l *plan.Load) {
		for b := plan.Bytes(0); b < l.Bytes; b += 4 {
			arena[(l.Arena+b)/4] = fileWord(l.FileOffset + b)
		}
	}
	var loads []*plan.Load
	for i := range p.Loads {
		if p.Loads[i].Resident {
			load(&p.Loads[i])
		} else {
			loads = append(loads, &p.Loads[i])
		}
	}
	garbage := uint64(0)
	spoil := func(at, n plan.Bytes) {
		for b := plan.Bytes(0); b < n; b += 4 {
			garbage++
			arena[(at+b)/4] = mix(5, garbage)
		}
	}
	next := 0
	ahead := 0 // loads made for the next run
	head := func(s int) bool { return ahead < len(loads) && loads[ahead].Ahead > 0 && loads[ahead].Ahead <= s }
	some := func(s *plan.Step) {
		for next < len(loads) && loads[next].After <= s.Index && now() {
			load(loads[next])
			next++
		}
		for next == len(loads) && head(s.Index) && now() {
			load(loads[ahead])
			ahead++
		}
	}
	scratch := func(s *plan.Step) {
		if s.Scratch >= 0 {
			n := plan.Bytes(s.Op.StepScratch(p.Threads)+3) &^ 3
			if p.Buffers[s.Scratch].Size < n {
				n = plan.Bytes(s.Op.LeanStepScratch(p.Threads)+3) &^ 3
			}
			spoil(p.Buffers[s.Scratch].Offset, n)
		}
		for i := range p.Buffers {
			if b := &p.Buffers[i]; b.Kind == plan.ThreadScratch && s.Op.ThreadScratch > 0 {
				spoil(b.Offset, plan.Bytes(p.Threads)*(plan.Bytes(s.Op.ThreadScratch+63)&^63))
			} else if b.Kind == plan.Zeros && s.Op.Conv != nil && s.Op.Conv.PadT > 0 {
				for k := range s.Op.Conv.InC {
					if arena[int(b.Offset)/4+k] != 0 {
						panic("padding is not zero")
					}
				}
			}
		}
	}
	m := &machine{
		value: func(r *op.Tensor, i int) *uint64 {
			b := buffer[r]
			if b.RingRows > 0 {
				n := r.Len() / r.Dims[0]
				i = i/n%b.RingRows*n + i%n
			}
			if b.RingPanels > 0 {
				n := r.Dims[len(r.Dims)-1]
				w := min(n, b.RingPanels*op.PanelWidth)
				i = i/n*w + i%n%w
			}
			return &arena[int(b.Offset)/4+i]
		},
		weight: func(s *plan.Step, panel, word int) uint64 {
			return arena[(int(p.Buffers[s.Weights].Offset)+(panel-s.Panels.Lo)*s.Op.Panels.PanelBytes())/4+word]
		},
		konst: func(s *plan.Step, k int) uint64 {
			if s.Consts[k] < 0 {
				return picked(p, plan.Consts(s.Op)[k])
			}
			h := uint64(0)
			for w := range plan.Consts(s.Op)[k].Len {
				h = mix(h, arena[int(p.Buffers[s.Consts[k]].Offset)/4+w])
			}
			return h
		},
		ready: func(s *plan.Step) {
			some(s)
			for next < s.Wait {
				if loads[next].After > s.Index {
					panic("deadlock")
				}
				load(loads[next])
				next++
			}
			scratch(s)
		},
		middle: func(s *plan.Step) {
			some(s)
			scratch(s)
		},
	}
	for run := range outs {
		m.inputs, m.outputs = inputs[run], map[*op.Op]uint64{}
		next, ahead = ahead, 0
		for i := range p.Steps {
			m.step(&p.Steps[i])
		}
		if next < len(loads) {
			panic("loads are left")
		}
		// A run makes the head of the next, or fails and leaves it to that.
		if now() {
			for head(len(p.Steps)) {
				load(loads[ahead])
				ahead++
			}
		} else {
			ahead = 0
		}
		outs[run] = m.outputs
	}
	return outs, nil
}

// runs says whether a plan gives right outputs in two runs with the given timing.
func runs(p *plan.Plan, now timing) error {
	var in [2]map[*op.Op]uint64
	for run := range in {
		in[run] = map[*op.Op]uint64{}
		for i, o := range p.Graph.Inputs {
			in[run][o] = mix(uint64(run), uint64(i))
		}
	}
	got, err := play(p, in, now)
	if err != nil {
		return err
	}
	for run := range in {
		want := reference(p, in[run])
		for _, o := range p.Graph.Outputs {
			// In play an output is read once before and once after the middle, as here.
			if got[run][o] != want[o] {
				return fmt.Errorf("run %d: output %s is wrong", run, o.Name)
			}
		}
	}
	return nil
}
