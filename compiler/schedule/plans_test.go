package schedule

import (
	"errors"
	"flag"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/flexnnc/flexnnc/compiler/cost"
	"github.com/flexnnc/flexnnc/compiler/schedule/sample"
	"github.com/flexnnc/flexnnc/compiler/verify"
	"github.com/flexnnc/flexnnc/ir/op"
	"github.com/flexnnc/flexnnc/ir/plan"
)

var plans = flag.Int("plans", 250, "random networks that TestPlans plans for several budgets each")

// TestPlans: random networks, with bands, rings, in-place sums, shifted and
// interleaved images, at random budgets. The validator accepts every plan; a budget
// below the smallest is refused with that one; more memory is never slower; bounds
// hold. What small networks need is checked by trying every order of rows, and every
// division that the planner may choose.
func TestPlans(t *testing.T) {
	ordered, divided, quick := 0, 0, 0
	for seed := range *plans {
		r := rand.New(rand.NewPCG(uint64(seed), 7))
		small := seed%2 == 0
		picks := 0
		g := sample.Random(func(k int) int {
			if picks++; small && picks <= 2 {
				k = min(k, 4)
			}
			return r.IntN(k)
		})
		o := Options{Threads: 1 + r.IntN(2), NoBands: r.IntN(8) == 0, NoInPlace: r.IntN(6) == 0, NoResidents: r.IntN(8) == 0, NoFlow: r.IntN(8) == 0}
		if seed%3 == 0 { // images do not fit the cache, and turns are so cheap that they pay
			target := *cost.Standard()
			target.CacheBytes, target.StepNS = 1<<(9+r.IntN(6)), 1
			o.Speed = Speed{target.Model(o.Threads)}
		}
		try := func(budget plan.Bytes) (*plan.Plan, error) {
			o := o
			o.Budget, o.Min = max(0, budget), budget == 0
			p, err := Plan(g, o)
			if err == nil {
				err = verify.Check(p)
			}
			return p, err
		}
		low, err := try(0)
		if err != nil {
			t.Fatalf("seed %d: %v\n%v", seed, err, g)
		}
		least := low.Arena
		if b := low.Certificate.Least.Bytes; b <= 0 || b > least || low.Certificate.MinBudget != least {
			t.Fatalf("seed %d: %d bytes work, %+v\n%v", seed, least, low.Certificate, g)
		}
		p, err := try(least + plan.Bytes(r.Int64N(int64(least)+1)))
		if err != nil {
			t.Fatalf("seed %d: %v\n%v", seed, err, g)
		}
		whole, err := try(-1)
		if err != nil {
			t.Fatalf("seed %d: %v\n%v", seed, err, g)
		}
		if len(whole.Steps) > len(g.Ops) {
			quick++
		}
		if whole.Forecast.Run > p.Forecast.Run && !o.NoResidents || whole.Forecast.Bound > whole.Forecast.Run || p.Forecast.Bound > p.Forecast.Run {
			t.Fatalf("seed %d: all memory takes %v, at least %v; %d bytes %v, at least %v\n%v", seed,
				whole.Forecast.Run, whole.Forecast.Bound, p.Budget, p.Forecast.Run, p.Forecast.Bound, g)
		}
		if p.Forecast.Run > low.Forecast.Run || p.Certificate.Least.Bytes != low.Certificate.Least.Bytes {
			t.Fatalf("seed %d: %d bytes take %v, %d take %v", seed, p.Budget, p.Forecast.Run, least, low.Forecast.Run)
		}
		var no *InfeasibleError
		if _, err := try(1 + plan.Bytes(r.Int64N(int64(least)-1))); !errors.As(err, &no) || no.Smallest != least {
			t.Fatalf("seed %d: below %d bytes: %v", seed, least, err)
		}
		o.Speed, o.level, o.lean = o.Speed.withDefaults(o.Threads), 1, true
		n, err := newNetwork(g, o)
		if err != nil {
			t.Fatal(err)
		}
		if need, ok := rowOrders(g, n.base, o); ok {
			ordered++
			if bound := newBounds(n, o.Speed).memory(o).Bytes; need > least || bound > need+plan.Align*plan.Bytes(len(n.roots)+2) {
				t.Fatalf("seed %d: bound %d, every order of rows needs %d, %d bytes work\n%v", seed, bound, need, least, g)
			}
		}
		if seed%4 == 0 {
			if need, ok := divisions(n, o); ok {
				divided++
				if low.Certificate.Least.Bytes > need {
					t.Fatalf("seed %d: bound %d, a division needs %d\n%v", seed, low.Certificate.Least.Bytes, need, g)
				}
				if least > need+2*plan.Align {
					t.Fatalf("seed %d: %d bytes work, %d would do\n%v", seed, least, need, g)
				}
			}
		}
	}
	t.Logf("%d networks; every order of rows of %d; every division of %d; %d take turns with all memory", *plans, ordered, divided, quick)
	if quick == 0 {
		t.Error("with all memory ops never take turns")
	}
}

// divisions is the smallest budget over all ways to divide a small network into
// segments, with any number of bands, and to let weights flow.
func divisions(n *network, o Options) (least plan.Bytes, ok bool) {
	if len(n.nodes) > 8 {
		return 0, false
	}
	c := newCutter(n, o)
	least = impossible
	tried := 0
	var divide func(lo int, cut cutting)
	divide = func(lo int, cut cutting) {
		if lo == len(n.nodes) {
			if tried++; c.height(cut) < least {
				t, p := n.lowest(slices.Clone(cut), o)
				least = min(least, t.base+p.height)
			}
			return
		}
		divide(lo+1, append(cut, segment{lo: lo, hi: lo + 1}))
		if o.NoBands {
			return
		}
		if ch, ok := n.chained(lo); ok {
			for _, w := range n.chainWidths(lo) {
				divide(ch.hi, append(cut, segment{lo: lo, hi: ch.hi, width: w}))
			}
		}
		for hi := lo + 1; hi <= len(n.nodes) && n.bandable(lo, hi); hi++ {
			tallest := 0
			for i := lo; i < hi; i++ {
				tallest = max(tallest, n.nodes[i].grains())
			}
			for bands := 2; bands <= tallest && tried < 3000; bands++ {
				s := segment{lo: lo, hi: hi, bands: bands}
				out := c.outline(s)
				if f, ok := c.flow(s, out, 0); out.peak != impossible && ok {
					s.flows = f.nodes
					divide(hi, append(cut, s))
				}
			}
		}
	}
	divide(0, nil)
	return least, tried < 3000
}

// rowOrders is what any plan needs that makes one row at a time, by trying every
// order: the rows that are written and still read, but for what a result may lie over,
// one panel and the consts of the op, and its scratch. It knows ops by their
// attributes alone. ok is false where there are too many orders, or an image of which
// only some channels need exist.
func rowOrders(g *op.Graph, base plan.Bytes, o Options) (need plan.Bytes, ok bool) {
	type image struct {
		rows      int
		bytes     plan.Bytes
		from, end [][]int // per op and row: first row of the op that writes it, rows after which the op does not read it
		under     []bool  // per op: it reads windows, or parts, of the image, and no result lies over them
	}
	images := map[*op.Tensor]*image{}
	var list []*image
	heights := make([]int, len(g.Ops))
	states := 1
	for i, p := range g.Ops {
		like := append(slices.Clip(p.Out), p.In...)[0]
		heights[i] = 1
		if !o.NoBands && len(like.Dims) >= 2 && (p.Kind != op.Call || p.Call.Rows != nil) {
			heights[i] = like.Dims[0]
		}
		if states *= heights[i] + 1; states > 6000 {
			return 0, false
		}
		if p.Kind == op.Pool && p.In[0].Producer != nil && p.In[0].Producer.Kind == op.Conv {
			return 0, false
		}
		if p.Call != nil && p.Call.HeadWidth > 0 {
			return 0, false
		}
		for _, x := range slices.Concat(p.Out, p.In, p.EpilogueIn) {
			if r := x.Root(); r.Const == nil && images[r] == nil {
				im := &image{rows: r.Dims[0], bytes: plan.Bytes(4 * r.Len() / r.Dims[0])}
				im.from, im.end, im.under = make([][]int, len(g.Ops)), make([][]int, len(g.Ops)), make([]bool, len(g.Ops))
				images[r] = im
				list = append(list, im)
			}
		}
	}
	touch := func(x *op.Tensor, y int, f func(im *image, row int)) {
		im, r := images[x.Root()], x.Root()
		first, span := x.Offset, 1
		skip := 0
		if y >= 0 && len(x.Dims) > 1 {
			first, skip = first+y*x.Strides[0], 1
		}
		for a := skip; a < len(x.Dims); a++ {
			span += (x.Dims[a] - 1) * x.Strides[a]
		}
		row := r.Len() / r.Dims[0]
		for k := first / row; k <= (first+span-1)/row; k++ {
			f(im, k)
		}
	}
	for i, p := range g.Ops {
		for y := range heights[i] {
			for _, x := range p.Out {
				at := y
				if heights[i] == 1 {
					at = -1
				}
				touch(x, at, func(im *image, row int) {
					if im.from[i] == nil {
						im.from[i] = slices.Repeat([]int{1 << 30}, im.rows)
					}
					im.from[i][row] = min(im.from[i][row], y)
				})
			}
			for k, x := range slices.Concat(p.In, p.EpilogueIn) {
				if x.Root().Const != nil {
					continue
				}
				for _, at := range readRows(p, k, x, y, heights[i]) {
					if at < 0 { // what is read whole is kept whole, whatever of it is read
						x = x.Root()
					}
					touch(x, at, func(im *image, row int) {
						if im.end[i] == nil {
							im.end[i] = make([]int, im.rows)
						}
						im.end[i][row] = max(im.end[i][row], y+1)
						whole := p.Kind == op.Map && x.Offset == 0 && x.Root().Len() == p.Out[0].Len()
						im.under[i] = im.under[i] || k < len(p.In) && !whole
					})
				}
			}
		}
	}
	fixed := make([]plan.Bytes, len(g.Ops))
	for i, p := range g.Ops {
		fixed[i] = base + plan.Bytes(p.LeanStepScratch(o.Threads))
		for _, c := range plan.Consts(p) {
			if c.RowLen == 0 {
				fixed[i] += plan.Bytes(c.Bytes())
			}
		}
		if p.Panels != nil {
			fixed[i] += plan.Bytes(p.Panels.PanelBytes())
		}
	}
	// during is what there is while op i makes its next row.
	during := func(done []int, i int) plan.Bytes {
		live, dying, made := fixed[i], plan.Bytes(0), plan.Bytes(0)
		for _, im := range list {
			for row := range im.rows {
				written, fresh, here, later := false, false, false, false
				for k := range g.Ops {
					if f := im.from[k]; f != nil {
						written = written || done[k] > f[row]
						fresh = fresh || k == i && done[k] == f[row]
					}
					if e := im.end[k]; e != nil {
						here = here || k == i && done[k] < e[row]
						later = later || k != i && done[k] < e[row] || k == i && done[k]+1 < e[row]
					}
				}
				switch {
				case fresh && !written:
					made += im.bytes
				case written && (here || later):
					live += im.bytes
					if !later && !im.under[i] {
						dying += im.bytes
					}
				}
			}
		}
		if p := g.Ops[i]; !o.NoInPlace && (p.Kind == op.Map || len(p.EpilogueIn) > 0) {
			made -= min(made, dying)
		}
		return live + made
	}
	best := slices.Repeat([]plan.Bytes{-1}, states)
	best[0] = 0
	done := make([]int, len(g.Ops))
	for s := range states {
		if best[s] < 0 {
			continue
		}
		rest := s
		for i := range done {
			done[i], rest = rest%(heights[i]+1), rest/(heights[i]+1)
		}
		step := 1
		for i, p := range g.Ops {
			if done[i] < heights[i] && ready(g, done, heights, i, p) {
				peak := max(best[s], during(done, i))
				if to := s + step; best[to] < 0 || peak < best[to] {
					best[to] = peak
				}
			}
			step *= heights[i] + 1
		}
	}
	return best[states-1], true
}

// ready says whether all that the next row of op i reads is made.
func ready(g *op.Graph, done, heights []int, i int, p *op.Op) bool {
	for k, x := range slices.Concat(p.In, p.EpilogueIn) {
		if x.Root().Const != nil {
			continue
		}
		lo, hi := 1<<30, 0 // elements
		for _, at := range readRows(p, k, x, done[i], heights[i]) {
			first, skip := x.Offset, 0
			if at >= 0 && len(x.Dims) > 1 {
				first, skip = first+at*x.Strides[0], 1
			}
			span := 1
			for a := skip; a < len(x.Dims); a++ {
				span += (x.Dims[a] - 1) * x.Strides[a]
			}
			lo, hi = min(lo, first), max(hi, first+span)
		}
		for w, q := range g.Ops[:i] {
			for _, y := range q.Out {
				if y.Root() != x.Root() || done[w] == heights[w] {
					continue
				}
				// The first element that is not made yet, of those in order.
				at := y.Offset
				if heights[w] > 1 {
					at += done[w] * y.Strides[0]
				}
				if at < hi {
					return false
				}
			}
		}
	}
	return true
}

// readRows are the rows of input number k that row y of an op of some height is made
// of; -1 stands for all.
func readRows(p *op.Op, k int, x *op.Tensor, y, height int) (rows []int) {
	add := func(r int) {
		if r >= 0 && r < x.Dims[0] {
			rows = append(rows, r)
		}
	}
	switch {
	case height == 1 || len(x.Dims) < 2:
		return []int{-1}
	case k >= len(p.In), p.Kind == op.Map, p.Kind == op.Output:
		if x.Dims[0] == height {
			return []int{y}
		}
	case p.Kind == op.Copy:
		return []int{y}
	case p.Kind == op.Call && k == 0:
		for r := p.Call.Rows[y][0]; r < p.Call.Rows[y][1]; r++ {
			add(r)
		}
		return rows
	case p.Conv != nil && len(x.Dims) == 2:
		for d := range p.Conv.KW {
			add(y*p.Conv.SW - p.Conv.PadL + d*p.Conv.DW)
		}
		return rows
	case p.Conv != nil:
		for d := range p.Conv.KH {
			add(y*p.Conv.SH - p.Conv.PadT + d*p.Conv.DH)
		}
		if len(rows) == 0 { // a window beside the image counts as one at its edge
			add(max(0, min(x.Dims[0]-1, y*p.Conv.SH-p.Conv.PadT)))
		}
		return rows
	case p.Pool != nil && len(x.Dims) == 2:
		for d := range p.Pool.KW {
			add(y*p.Pool.SW - p.Pool.PadL + d)
		}
		return rows
	case p.Pool != nil && p.Pool.Adaptive:
		for r := y * p.Pool.InH / p.Pool.OutH; r*p.Pool.OutH < (y+1)*p.Pool.InH; r++ {
			add(r)
		}
		return rows
	case p.Pool != nil:
		for d := range p.Pool.KH {
			add(y*p.Pool.SH - p.Pool.PadT + d)
		}
		return rows
	}
	return []int{-1}
}
