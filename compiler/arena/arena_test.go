package arena_test

import (
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/flexnnc/flexnnc/compiler/arena"
	"pgregory.net/rapid"
)

func at(o int64) *int64 { return &o }

// planned is a set like a planner's: n buffers of 64-byte alignment over a chain
// of steps, mostly short-lived, from a fixed sequence of numbers.
func planned(n int, seed uint64) []arena.Buffer {
	next := func(m int) int {
		seed = seed*6364136223846793005 + 1442695040888963407
		return int(seed >> 33 % uint64(m))
	}
	bs := make([]arena.Buffer, n)
	for i := range bs {
		lower := i * 2 / 3
		upper := lower + 1 + next(4)
		if next(8) == 0 {
			upper += next(40)
		}
		bs[i] = arena.Buffer{ID: fmt.Sprint(i), Lower: lower, Upper: upper, Size: int64(1 + next(1<<uint(6+next(15)))), Align: 64}
	}
	return bs
}

// bruteForce tries every offset for every buffer and returns the least height,
// or false if fixed offsets contradict each other or exceed the limit.
func bruteForce(bs []arena.Buffer, limit int64) (int64, bool) {
	offsets := make([]int64, len(bs))
	for h := int64(0); h <= limit; h++ {
		if bruteFit(bs, offsets, 0, h) {
			return h, true
		}
	}
	return 0, false
}

func bruteFit(bs []arena.Buffer, offsets []int64, k int, h int64) bool {
	if k == len(bs) {
		return true
	}
	b := bs[k]
	if b.Size == 0 || b.Lower >= b.Upper {
		return bruteFit(bs, offsets, k+1, h)
	}
	for o := int64(0); o+b.Size <= h; o++ {
		if b.Align > 1 && o%b.Align != 0 || b.Fixed != nil && o != *b.Fixed {
			continue
		}
		free := true
		for j, c := range bs[:k] {
			if c.Size > 0 && c.Lower < c.Upper && b.Lower < c.Upper && c.Lower < b.Upper && o < offsets[j]+c.Size && offsets[j] < o+b.Size {
				free = false
				break
			}
		}
		if free {
			offsets[k] = o
			if bruteFit(bs, offsets, k+1, h) {
				return true
			}
		}
	}
	return false
}

// small draws an instance that bruteForce can solve.
func small(t *rapid.T) []arena.Buffer {
	n := rapid.IntRange(0, 7).Draw(t, "n")
	flavour := rapid.IntRange(0, 3).Draw(t, "flavour") // 0, 1 plain; 2 aligned; 3 fixed too
	bs := make([]arena.Buffer, n)
	for i := range bs {
		lower := rapid.IntRange(0, 5).Draw(t, "lower")
		bs[i] = arena.Buffer{
			ID:    fmt.Sprint(i),
			Lower: lower,
			Upper: lower + rapid.IntRange(0, 4).Draw(t, "steps"),
			Size:  int64(rapid.IntRange(0, 5).Draw(t, "size")),
		}
		if flavour >= 2 {
			bs[i].Align = rapid.SampledFrom([]int64{0, 1, 2, 4, 3}).Draw(t, "align")
		}
		if flavour == 3 && rapid.IntRange(0, 3).Draw(t, "pin") == 0 {
			bs[i].Fixed = at(max(1, bs[i].Align) * int64(rapid.IntRange(0, 3).Draw(t, "offset")))
		}
	}
	return bs
}

const bruteLimit = 60 // above the height of any small instance: 7 × (5 + padding 3)

func TestMinimizeIsOptimal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bs := small(t)
		without := arena.Technique(rapid.SampledFrom([]int{0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 255, rapid.IntRange(0, 255).Draw(t, "mask")}).Draw(t, "without"))
		want, ok := bruteForce(bs, bruteLimit)
		sol := arena.Minimize(bs, arena.Options{Without: without})
		if !ok {
			if arena.Check(bs, sol.Offsets, sol.Height) == nil {
				t.Fatalf("%v: valid at %v, brute force finds nothing", bs, sol.Offsets)
			}
			return
		}
		if err := arena.Check(bs, sol.Offsets, sol.Height); err != nil {
			t.Fatalf("%v: %v", bs, err)
		}
		if sol.Height != want || !sol.Optimal || sol.LowerBound != want {
			t.Fatalf("%v without %b: height %d bound %d optimal %v, brute force %d", bs, without, sol.Height, sol.LowerBound, sol.Optimal, want)
		}
	})
}

func TestFitAgreesWithBruteForce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bs := small(t)
		without := arena.Technique(rapid.IntRange(0, 255).Draw(t, "without"))
		if rapid.Bool().Draw(t, "all") {
			without = 0
		}
		want, possible := bruteForce(bs, bruteLimit)
		capacity := max(0, want+int64(rapid.IntRange(-2, 2).Draw(t, "slack")))
		sol, err := arena.Fit(bs, capacity, arena.Options{Without: without})
		switch {
		case possible && capacity >= want:
			if err != nil {
				t.Fatalf("%v in %d without %b: %v, least height %d", bs, capacity, without, err, want)
			}
			if err := arena.Check(bs, sol.Offsets, capacity); err != nil {
				t.Fatalf("%v: %v", bs, err)
			}
			if sol.Optimal && sol.Height != want {
				t.Fatalf("%v: height %d called optimal, brute force %d", bs, sol.Height, want)
			}
		case !errors.Is(err, arena.ErrInfeasible):
			t.Fatalf("%v in %d without %b: %v, want infeasible", bs, capacity, without, err)
		}
	})
}

// Larger sets than brute force can do: leaving techniques out changes the time,
// never the proven optimum.
func TestTechniquesKeepOptimum(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(8, 14).Draw(t, "n")
		bs := make([]arena.Buffer, n)
		for i := range bs {
			lower := rapid.IntRange(0, 7).Draw(t, "lower")
			bs[i] = arena.Buffer{ID: fmt.Sprint(i), Lower: lower, Upper: lower + rapid.IntRange(1, 5).Draw(t, "steps"), Size: int64(rapid.IntRange(1, 7).Draw(t, "size"))}
		}
		full := arena.Minimize(bs, arena.Options{Nodes: 20_000})
		bare := arena.Minimize(bs, arena.Options{Nodes: 20_000, Without: arena.Technique(rapid.IntRange(1, 255).Draw(t, "without"))})
		for _, s := range []arena.Solution{full, bare} {
			if err := arena.Check(bs, s.Offsets, s.Height); err != nil {
				t.Fatalf("%v: %v", bs, err)
			}
		}
		if full.LowerBound > bare.Height || bare.LowerBound > full.Height {
			t.Fatalf("%v: [%d,%d] against [%d,%d]", bs, full.LowerBound, full.Height, bare.LowerBound, bare.Height)
		}
	})
}

func TestGreedyIsValid(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bs := small(t)
		sol := arena.Greedy(bs)
		want, ok := bruteForce(bs, bruteLimit)
		if !ok {
			return
		}
		if err := arena.Check(bs, sol.Offsets, sol.Height); err != nil {
			t.Fatalf("%v: %v", bs, err)
		}
		if sol.Height < want || sol.LowerBound > want || sol.Optimal && sol.Height != want {
			t.Fatalf("%v: height %d bound %d optimal %v, brute force %d", bs, sol.Height, sol.LowerBound, sol.Optimal, want)
		}
	})
}

func TestEdges(t *testing.T) {
	for _, c := range []struct {
		name string
		bs   []arena.Buffer
		want int64
	}{
		{"empty", nil, 0},
		{"zero size", []arena.Buffer{{ID: "a", Lower: 0, Upper: 3}, {ID: "b", Lower: 0, Upper: 3, Size: 5}}, 5},
		{"empty lifetime", []arena.Buffer{{ID: "a", Lower: 3, Upper: 3, Size: 9}, {ID: "b", Lower: 0, Upper: 5, Size: 5}}, 5},
		{"touching lifetimes share bytes", []arena.Buffer{{ID: "a", Lower: 0, Upper: 3, Size: 8}, {ID: "b", Lower: 3, Upper: 6, Size: 8}}, 8},
		{"negative steps", []arena.Buffer{{ID: "a", Lower: -4, Upper: 1, Size: 8}, {ID: "b", Lower: 0, Upper: 6, Size: 3}}, 11},
		{"the last one is not padded", []arena.Buffer{{ID: "a", Lower: 0, Upper: 2, Size: 100, Align: 64}, {ID: "b", Lower: 0, Upper: 2, Size: 128, Align: 64}}, 228},
		{"coarse and fine alignment", []arena.Buffer{{ID: "a", Lower: 0, Upper: 2, Size: 1}, {ID: "b", Lower: 0, Upper: 2, Size: 8, Align: 8}}, 9},
		{"fixed leaves a hole", []arena.Buffer{{ID: "a", Lower: 0, Upper: 2, Size: 4, Fixed: at(6)}, {ID: "b", Lower: 1, Upper: 3, Size: 5}, {ID: "c", Lower: 0, Upper: 3, Size: 2}}, 12},
		{"fixed without bytes", []arena.Buffer{{ID: "a", Lower: 0, Upper: 2, Fixed: at(77)}, {ID: "b", Lower: 0, Upper: 2, Size: 3}}, 3},
		{"apart in time", []arena.Buffer{{ID: "a", Lower: 0, Upper: 2, Size: 4}, {ID: "b", Lower: 9, Upper: 12, Size: 5}, {ID: "c", Lower: 9, Upper: 12, Size: 2}}, 7},
		{"beyond 32 bits", []arena.Buffer{{ID: "a", Lower: 0, Upper: 2, Size: 5 << 40}, {ID: "b", Lower: 1, Upper: 2, Size: 1<<40 + 1}}, 6<<40 + 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			sol := arena.Minimize(c.bs, arena.Options{})
			if err := arena.Check(c.bs, sol.Offsets, sol.Height); err != nil {
				t.Fatal(err)
			}
			if sol.Height != c.want || !sol.Optimal {
				t.Fatalf("height %d, optimal %v, want %d", sol.Height, sol.Optimal, c.want)
			}
			sol, err := arena.Fit(c.bs, c.want, arena.Options{})
			if err != nil || arena.Check(c.bs, sol.Offsets, c.want) != nil {
				t.Fatalf("Fit: %v, offsets %v", err, sol.Offsets)
			}
			if c.want > 0 {
				if sol, err := arena.Fit(c.bs, c.want-1, arena.Options{}); !errors.Is(err, arena.ErrInfeasible) || sol.LowerBound < c.want {
					t.Fatalf("Fit in one byte less: %v, bound %d", err, sol.LowerBound)
				}
			}
		})
	}
}

func TestImpossibleFixed(t *testing.T) {
	for name, bs := range map[string][]arena.Buffer{
		"overlap":    {{ID: "a", Lower: 0, Upper: 2, Size: 4, Fixed: at(0)}, {ID: "b", Lower: 1, Upper: 3, Size: 4, Fixed: at(3)}},
		"negative":   {{ID: "a", Lower: 0, Upper: 2, Size: 4, Fixed: at(-1)}},
		"misaligned": {{ID: "a", Lower: 0, Upper: 2, Size: 4, Align: 8, Fixed: at(4)}},
	} {
		if _, err := arena.Fit(bs, 1000, arena.Options{}); !errors.Is(err, arena.ErrInfeasible) {
			t.Errorf("%s: Fit: %v, want infeasible", name, err)
		}
		if sol := arena.Minimize(bs, arena.Options{}); sol.Optimal || arena.Check(bs, sol.Offsets, 1000) == nil {
			t.Errorf("%s: Minimize accepts %v", name, sol)
		}
	}
}

func TestLowerBound(t *testing.T) {
	bs := []arena.Buffer{{Lower: 0, Upper: 3, Size: 4}, {Lower: 2, Upper: 5, Size: 3}, {Lower: 3, Upper: 4, Size: 2}, {Lower: 4, Upper: 9, Size: 5}}
	if got := arena.LowerBound(bs); got != 8 {
		t.Fatalf("got %d, want 8", got)
	}
}

func TestCheckRejects(t *testing.T) {
	a := arena.Buffer{ID: "a", Lower: 0, Upper: 2, Size: 4, Align: 2}
	b := arena.Buffer{ID: "b", Lower: 1, Upper: 3, Size: 4}
	pinned := arena.Buffer{ID: "p", Lower: 0, Upper: 1, Size: 1, Fixed: at(3)}
	for _, c := range []struct {
		name    string
		bs      []arena.Buffer
		offsets []int64
		valid   bool
	}{
		{"good", []arena.Buffer{a, b}, []int64{4, 0}, true},
		{"count", []arena.Buffer{a, b}, []int64{0}, false},
		{"overlap", []arena.Buffer{a, b}, []int64{0, 3}, false},
		{"capacity", []arena.Buffer{a, b}, []int64{0, 5}, false},
		{"align", []arena.Buffer{a}, []int64{1}, false},
		{"negative", []arena.Buffer{b}, []int64{-1}, false},
		{"fixed", []arena.Buffer{pinned}, []int64{2}, false},
	} {
		if err := arena.Check(c.bs, c.offsets, 8); (err == nil) != c.valid {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestNodeLimit(t *testing.T) {
	bs := planned(200, 3)
	low := arena.Minimize(bs, arena.Options{}).LowerBound
	sol, err := arena.Fit(bs, low, arena.Options{Nodes: 5})
	if !errors.Is(err, arena.ErrLimit) || sol.Nodes > 5 {
		t.Fatalf("%v after %d nodes, want the limit after 5", err, sol.Nodes)
	}
	for _, n := range []int64{1, 100, 3000} {
		if sol := arena.Minimize(bs, arena.Options{Nodes: n}); sol.Nodes > n || arena.Check(bs, sol.Offsets, sol.Height) != nil {
			t.Fatalf("limit %d: %d nodes, %v", n, sol.Nodes, arena.Check(bs, sol.Offsets, sol.Height))
		}
	}
}

func TestDeterministic(t *testing.T) {
	for seed := range uint64(4) {
		bs := planned(150, seed+20)
		if a, b := arena.Minimize(bs, arena.Options{Nodes: 3000}), arena.Minimize(bs, arena.Options{Nodes: 3000}); !reflect.DeepEqual(a, b) {
			t.Fatalf("seed %d: two results for one input", seed)
		}
	}
}

func TestPlannedSetsAreTight(t *testing.T) {
	for seed := range uint64(6) {
		bs := planned(300, seed)
		from := time.Now()
		g := arena.Greedy(bs)
		greedyTime := time.Since(from)
		from = time.Now()
		sol := arena.Minimize(bs, arena.Options{Nodes: 20_000})
		if err := arena.Check(bs, g.Offsets, g.Height); err != nil {
			t.Fatal(err)
		}
		if err := arena.Check(bs, sol.Offsets, sol.Height); err != nil {
			t.Fatal(err)
		}
		if sol.Height > g.Height || sol.Height > sol.LowerBound+sol.LowerBound/50 {
			t.Fatalf("height %d, greedy %d, bound %d", sol.Height, g.Height, sol.LowerBound)
		}
		t.Logf("greedy %.4f in %v, minimize %.4f after %d nodes in %v", float64(g.Height)/float64(sol.LowerBound), greedyTime,
			float64(sol.Height)/float64(sol.LowerBound), sol.Nodes, time.Since(from))
	}
}

func BenchmarkGreedy(b *testing.B) {
	for _, n := range []int{50, 300, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			bs := planned(n, 1)
			b.ReportAllocs()
			for b.Loop() {
				arena.Greedy(bs)
			}
		})
	}
}

func BenchmarkMinimize(b *testing.B) {
	for _, n := range []int{50, 300, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			bs := planned(n, 1)
			b.ReportAllocs()
			var sol arena.Solution
			for b.Loop() {
				sol = arena.Minimize(bs, arena.Options{Nodes: 20_000})
			}
			b.ReportMetric(float64(sol.Nodes), "nodes")
			b.ReportMetric(float64(sol.Height)/float64(sol.LowerBound), "height/bound")
		})
	}
}
