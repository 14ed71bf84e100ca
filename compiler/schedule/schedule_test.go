package schedule_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/flexnnc/flexnnc/compiler/cost"
	"github.com/flexnnc/flexnnc/compiler/schedule"
	"github.com/flexnnc/flexnnc/compiler/schedule/sample"
	"github.com/flexnnc/flexnnc/compiler/verify"
	"github.com/flexnnc/flexnnc/ir/op"
	"github.com/flexnnc/flexnnc/ir/plan"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var update = flag.Bool("update", false, "rewrite golden files")

func mustPlan(t testing.TB, g *op.Graph, o schedule.Options) *plan.Plan {
	t.Helper()
	p, err := schedule.Plan(g, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := verify.Check(p); err != nil {
		t.Fatal(err)
	}
	return p
}

func text(t testing.TB, p *plan.Plan) string {
	var b bytes.Buffer
	if err := plan.Print(&b, p); err != nil {
		t.Fatal(err)
	}
	b.WriteByte('\n')
	if err := plan.Picture(&b, p, 24, 100); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestNetworks plans networks of the real sizes over the whole range of budgets.
func TestNetworks(t *testing.T) {
	for _, c := range []struct {
		graph *op.Graph
		floor plan.Bytes // the smallest budget must not be above
	}{{squeezenet(), 1.7e6}, {vgg16(), 8e6}, {resnet152(), 4.5e6}} {
		t.Run(c.graph.Name, func(t *testing.T) {
			low := mustPlan(t, c.graph, schedule.Options{Min: true, Threads: 4})
			if low.Arena > c.floor {
				t.Errorf("the smallest budget is %d, want at most %d", low.Arena, c.floor)
			}
			high := mustPlan(t, c.graph, schedule.Options{Threads: 4})
			if resident, streamed := high.Traffic(); streamed != 0 || resident == 0 {
				t.Errorf("without a limit %d bytes are read in each run", streamed)
			}
			for _, b := range []plan.Bytes{low.Arena, low.Arena * 21 / 20, low.Arena * 5 / 4, low.Arena * 3 / 2, low.Arena * 2, low.Arena * 4, high.Arena - 1, high.Arena} {
				if b > high.Arena {
					continue
				}
				start := time.Now()
				p := mustPlan(t, c.graph, schedule.Options{Budget: b, Threads: 4})
				took := time.Since(start)
				f := p.Forecast
				if f.Run < f.Bound || f.Run < f.Compute || f.Run > f.Compute+f.Read {
					t.Errorf("budget %d: forecast %+v", b, f)
				}
				resident, streamed := p.Traffic()
				t.Logf("budget %9d arena %9d steps %4d resident %9d streamed %9d run %v bound %v in %v", b, p.Arena, len(p.Steps), resident, streamed, f.Run, f.Bound, took)
			}
		})
	}
}

func TestInfeasible(t *testing.T) {
	_, err := schedule.Plan(vgg16(), schedule.Options{Budget: 20e6, NoBands: true})
	var no *schedule.InfeasibleError
	if !errors.As(err, &no) {
		t.Fatal(err)
	}
	if no.At != "conv2" || no.Smallest < 25e6 || no.Smallest > 26e6 {
		t.Errorf("%+v", no)
	}
	want := []string{"conv1 (activation) 12845056 bytes", "conv2 (activation) 12845056 bytes", "conv2 (weights of 16 channels) 36928 bytes"}
	if diff := cmp.Diff(want, no.Blocking[:3]); diff != "" {
		t.Error(diff)
	}
	for _, b := range no.Blocking {
		if !strings.Contains(err.Error(), b) {
			t.Errorf("%q does not name %q", err, b)
		}
	}
	if _, err := schedule.Plan(vgg16(), schedule.Options{Budget: -1}); err == nil {
		t.Error("a negative budget was accepted")
	}
}

func TestDeterministic(t *testing.T) {
	for _, b := range []plan.Bytes{0, 4.3e6, 6e6} {
		o := schedule.Options{Budget: b, Threads: 3}
		if diff := cmp.Diff(text(t, mustPlan(t, squeezenet(), o)), text(t, mustPlan(t, squeezenet(), o))); diff != "" {
			t.Errorf("budget %d: %s", b, diff)
		}
	}
}

func TestGolden(t *testing.T) {
	low := mustPlan(t, sample.Squeeze(), schedule.Options{Min: true, Threads: 2})
	for name, o := range map[string]schedule.Options{
		"min": {Min: true}, "tight": {Budget: low.Arena * 5 / 4}, "max": {},
	} {
		o.Threads = 2
		got := text(t, mustPlan(t, sample.Squeeze(), o))
		file := filepath.Join("testdata", name+".plan")
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got); diff != "" {
			t.Errorf("%s (run with -update if this is wanted):\n%s", file, diff)
		}
	}
}

// TestSwitches: each technique does something, and without it plans stay valid.
func TestSwitches(t *testing.T) {
	g := squeezenet()
	budget := plan.Bytes(2e6)
	full := mustPlan(t, g, schedule.Options{Budget: budget})
	late := mustPlan(t, g, schedule.Options{Budget: budget, NoPreload: true})
	for _, l := range late.Loads {
		b := &late.Buffers[l.Buffer]
		if s := &late.Steps[b.First]; !l.Resident && s.Weights != b.ID && !slices.Contains(s.Consts, b.ID) {
			t.Errorf("without preloading, %s is live from step %d on, which does not use it", b.Name, b.First)
		}
	}
	if late.Forecast.Run <= full.Forecast.Run {
		t.Errorf("preloading gains nothing: %v against %v", full.Forecast.Run, late.Forecast.Run)
	}
	begin := mustPlan(t, g, schedule.Options{Budget: budget, NoAhead: true})
	for _, l := range begin.Loads {
		if l.Ahead != 0 {
			t.Errorf("load %d is made ahead", l.Index)
		}
	}
	if begin.Forecast.Run < full.Forecast.Run {
		t.Errorf("loading ahead made it worse: %v against %v", full.Forecast.Run, begin.Forecast.Run)
	}
	gone := mustPlan(t, g, schedule.Options{Budget: budget, NoResidents: true})
	if r, _ := gone.Traffic(); r != 0 {
		t.Errorf("without residents, %d bytes stay", r)
	}
	if r, _ := mustPlan(t, g, schedule.Options{Budget: 2 * budget, NoAhead: true}).Traffic(); r == 0 {
		t.Error("nothing stays")
	}
	plain := mustPlan(t, g, schedule.Options{Budget: budget, NoSearch: true})
	if plain.Forecast.Run < full.Forecast.Run {
		t.Errorf("the search made it worse: %v against %v", full.Forecast, plain.Forecast)
	}
	low := mustPlan(t, vgg16(), schedule.Options{Min: true, NoSlices: true})
	if low.Arena < 400e6 || len(low.Steps) != len(low.Graph.Ops) {
		t.Errorf("without slices, %d bytes and %d steps for %d ops", low.Arena, len(low.Steps), len(low.Graph.Ops))
	}
	n := sample.New("maps")
	n.Output(n.Map(n.Map(n.Input(100, 100, 4))))
	in := mustPlan(t, n.Graph, schedule.Options{Min: true, NoBands: true})
	out := mustPlan(t, n.Graph, schedule.Options{Min: true, NoBands: true, NoInPlace: true})
	if in.Arena != 160000 || out.Arena != 320000 {
		t.Errorf("two element-wise ops over 160000 bytes take %d in place and %d not", in.Arena, out.Arena)
	}
}

// TestInPlace: which inputs an element-wise op may lie over.
func TestInPlace(t *testing.T) {
	over := func(build func(n *sample.Net, x *op.Tensor) *op.Tensor) bool {
		n := sample.New("net")
		x := n.Map(n.Input(8, 8, 4), n.Input(8, 8, 4))
		y := build(n, x)
		n.Output(y)
		p := mustPlan(t, n.Graph, schedule.Options{})
		for _, b := range p.Buffers {
			if b.Tensor == y {
				return b.SharesWith >= 0 && p.Buffers[b.SharesWith].Tensor == x
			}
		}
		return false
	}
	for _, c := range []struct {
		name  string
		want  bool
		build func(n *sample.Net, x *op.Tensor) *op.Tensor
	}{
		{"dying input", true, func(n *sample.Net, x *op.Tensor) *op.Tensor { return n.Map(x) }},
		{"both inputs the same", true, func(n *sample.Net, x *op.Tensor) *op.Tensor { return n.Map(x, x) }},
		{"input read later", false, func(n *sample.Net, x *op.Tensor) *op.Tensor {
			y := n.Map(x)
			n.Output(x)
			return y
		}},
		{"other places of the input read too", false, func(n *sample.Net, x *op.Tensor) *op.Tensor {
			half := n.Window(x, 0, 1, 8, 4)
			half.Strides = []int{0, 4, 1}
			half.Dims[0] = 8
			return n.Map(x, half)
		}},
		{"pooling", false, func(n *sample.Net, x *op.Tensor) *op.Tensor { return n.Pool(x) }},
		{"what a convolution adds", true, func(n *sample.Net, x *op.Tensor) *op.Tensor { return n.Residual(n.Map(n.Input(8, 8, 4)), x, 3) }},
		{"what a convolution reads and adds", false, func(n *sample.Net, x *op.Tensor) *op.Tensor { return n.Residual(x, x, 3) }},
		{"depthwise convolution", false, func(n *sample.Net, x *op.Tensor) *op.Tensor { return n.Depthwise(x) }},
	} {
		if got := over(c.build); got != c.want {
			t.Errorf("%s: in place %v, want %v", c.name, got, c.want)
		}
	}
}

// TestFloor: the smallest budget of a small network is what trying all orders of
// packing finds; it works, and one byte less does not.
func TestFloor(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := sample.Random(func(k int) int { return rapid.IntRange(0, k-1).Draw(t, "pick") })
		o := schedule.Options{Min: true, Threads: rapid.IntRange(1, 2).Draw(t, "threads"), NoInPlace: true, NoBands: true}
		p, err := schedule.Plan(g, o)
		if err != nil {
			t.Fatal(err)
		}
		o.Min, o.Budget = false, p.Arena-1
		var no *schedule.InfeasibleError
		if _, err := schedule.Plan(g, o); !errors.As(err, &no) || no.Smallest != p.Arena {
			t.Fatalf("one byte below the smallest budget %d: %v", p.Arena, err)
		}
		if want, ok := bruteFloor(g, o.Threads); ok && want != p.Arena {
			t.Fatalf("smallest budget %d, trying everything gives %d", p.Arena, want)
		}
	})
}

// TestBudgets: more memory never predicts more time; bounds hold, of memory and of
// time; whatever is at least the smallest budget can be planned for, and no less.
func TestBudgets(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := sample.Random(func(k int) int { return rapid.IntRange(0, k-1).Draw(t, "pick") })
		if rapid.Bool().Draw(t, "winograd") {
			g = sample.Winograd(g)
		}
		high := mustPlanFor(t, g, schedule.Options{})
		last := time.Duration(1 << 62)
		least := high.Certificate.MinBudget
		for b := least; b < high.Arena; b += 1 + (high.Arena-least)/4 {
			p := mustPlanFor(t, g, schedule.Options{Budget: b})
			c := &p.Certificate
			if p.Forecast.Run > last {
				t.Fatalf("%v within %d bytes, %v within fewer", p.Forecast.Run, b, last)
			}
			if c.MinBudget != least || c.Least.Bytes <= 0 || c.Least.Bytes > least || c.Live.Bytes > p.Arena {
				t.Fatalf("an arena of %d and %+v", p.Arena, c)
			}
			if p.Forecast.Run < p.Forecast.Bound || p.Forecast.Bound < c.Time.Bound() {
				t.Fatalf("a run of %v, bounds %+v", p.Forecast, c.Time)
			}
			last = p.Forecast.Run
		}
		if high.Forecast.Run > last {
			t.Fatalf("%v without limit, %v within one", high.Forecast.Run, last)
		}
		var no *schedule.InfeasibleError
		if _, err := schedule.Plan(g, schedule.Options{Budget: least - 1}); !errors.As(err, &no) || no.Smallest != least {
			t.Fatalf("one byte less than %d: %v", least, err)
		}
	})
}

// TestExpanded: weights for Winograd's algorithm stay expanded where that saves time
// and there is room, fewer of them in less memory, and none where nothing stays.
func TestExpanded(t *testing.T) {
	n := sample.New("expanded")
	x := n.Input(30, 30, 32)
	for range 4 {
		x = n.Conv(x, 32, 3, 1, 1, nil)
	}
	n.Output(x)
	g := sample.Winograd(n.Graph)
	expanded := func(o schedule.Options) (count int) {
		p := mustPlan(t, g, o)
		for i := range p.Buffers {
			if b := &p.Buffers[i]; b.Expanded {
				count++
			}
		}
		return count
	}
	all := mustPlan(t, g, schedule.Options{})
	if n := expanded(schedule.Options{}); n != 4 {
		t.Errorf("%d of 4 are expanded without a limit", n)
	}
	if n := expanded(schedule.Options{Budget: all.Arena - 1}); n < 1 || n > 3 {
		t.Errorf("%d of 4 are expanded within a byte less, want some and not all", n)
	}
	if n := expanded(schedule.Options{NoResidents: true}); n != 0 {
		t.Errorf("%d are expanded where nothing stays", n)
	}
	slow := *cost.Standard()
	slow.MemoryBandwidth = 1e8
	if n := expanded(schedule.Options{Speed: schedule.Speed{Model: slow.Model(1)}}); n != 0 {
		t.Errorf("%d are expanded where memory is slow", n)
	}
}

// TestOwnScratch: threads have scratch of their own where cores have caches of their own
// and there is room, and share it elsewhere.
func TestOwnScratch(t *testing.T) {
	n := sample.New("own")
	x := n.Input(60, 60, 32)
	for range 3 {
		x = n.Conv(x, 32, 3, 1, 1, nil)
	}
	n.Output(x)
	g := sample.Winograd(n.Graph)
	apart := *cost.Standard()
	apart.Apart = true
	// owned and shared count steps whose threads share nothing, and share what all ask for.
	count := func(o schedule.Options) (owned, shared int) {
		p := mustPlan(t, g, o)
		for _, s := range p.Steps {
			if s.Op.Conv == nil {
				continue
			}
			switch size := p.Buffers[s.Scratch].Size; {
			case size >= plan.Bytes(s.Op.OwnStepScratch(p.Threads)):
				owned++
			case size >= plan.Bytes(s.Op.StepScratch(p.Threads)):
				shared++
			}
		}
		return owned, shared
	}
	options := schedule.Options{Threads: 2, Speed: schedule.Speed{Model: apart.Model(2)}}
	if owned, shared := count(options); owned < 3 || shared != 0 {
		t.Errorf("caches apart: %d steps own their scratch, %d share it", owned, shared)
	}
	least := options
	least.Min = true
	if owned, _ := count(least); owned != 0 {
		t.Errorf("caches apart, in the least memory: %d steps own their scratch", owned)
	}
	options.Speed.Model = cost.Standard().Model(2)
	if owned, shared := count(options); owned != 0 || shared < 3 {
		t.Errorf("a common cache: %d steps own their scratch, %d share it", owned, shared)
	}
	options.Threads, options.Speed.Model = 1, apart.Model(1)
	if owned, _ := count(options); owned < 3 {
		t.Errorf("one thread: %d steps own their scratch", owned)
	}
}

func mustPlanFor(t *rapid.T, g *op.Graph, o schedule.Options) *plan.Plan {
	p, err := schedule.Plan(g, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := verify.Check(p); err != nil {
		t.Fatal(err)
	}
	return p
}

// bruteFloor packs all tensors, scratch and one panel per step in all orders,
// each at the lowest free offset; some order gives the optimum. Not for more
// than seven blocks.
func bruteFloor(g *op.Graph, threads int) (plan.Bytes, bool) {
	type block struct{ first, last, size int }
	up := func(n int) int { return (n + 63) &^ 63 }
	var bs []block
	seen := map[*op.Tensor]int{}
	fixed, zeros, perThread := 0, 0, 0
	for i, o := range g.Ops {
		need := 0
		for _, x := range slices.Concat(o.Out, o.In, o.EpilogueIn) {
			r := x.Root()
			if r.Const != nil {
				if r.Const.RowLen == 0 { // rows of others are picked from the file
					need += r.Const.Bytes()
				}
				continue
			}
			if _, ok := seen[r]; !ok {
				seen[r] = len(bs)
				bs = append(bs, block{i, i, up(4 * r.Len())})
			}
			bs[seen[r]].last = i
		}
		if o.Panels != nil {
			need += up(o.Panels.PanelBytes())
		}
		if o.Conv != nil && o.Conv.PadT+o.Conv.PadL > 0 {
			zeros = max(zeros, up(4*o.Conv.InC))
		}
		perThread = max(perThread, up(o.ThreadScratch))
		for _, n := range []int{need, up(o.StepScratch(threads))} {
			if n > 0 {
				bs = append(bs, block{i, i, n})
			}
		}
	}
	fixed = zeros + threads*perThread
	if len(bs) > 7 {
		return 0, false
	}
	best := -1
	at := make([]int, len(bs))
	var place func(done []int)
	place = func(done []int) {
		if len(done) == len(bs) {
			top := 0
			for i, b := range bs {
				top = max(top, at[i]+b.size)
			}
			if best < 0 || top < best {
				best = top
			}
			return
		}
	next:
		for i, b := range bs {
			for _, j := range done {
				if j == i {
					continue next
				}
			}
			for lowest := 0; ; {
				moved := false
				for _, j := range done {
					c := bs[j]
					if c.first <= b.last && b.first <= c.last && at[j] < lowest+b.size && lowest < at[j]+c.size {
						lowest, moved = at[j]+c.size, true
					}
				}
				if !moved {
					at[i] = lowest
					break
				}
			}
			place(append(done[:len(done):len(done)], i))
		}
	}
	place(nil)
	return plan.Bytes(best + fixed), true
}

func BenchmarkPlan(b *testing.B) {
	for _, g := range []*op.Graph{squeezenet(), vgg16(), resnet152()} {
		low, err := schedule.Plan(g, schedule.Options{Min: true})
		if err != nil {
			b.Fatal(err)
		}
		for _, times := range []plan.Bytes{1, 2, 4} {
			b.Run(fmt.Sprintf("%s/%dxfloor", g.Name, times), func(b *testing.B) {
				for b.Loop() {
					if _, err := schedule.Plan(g, schedule.Options{Budget: times * low.Arena}); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
