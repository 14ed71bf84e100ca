package arena_test

import (
	"encoding/csv"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"testing"

	"github.com/flexnnc/flexnnc/compiler/arena"
)

// The instances of MiniMalloc's repository (benchmarks/challenging), all known
// to be feasible at this capacity.
const miniMallocCapacity = 1 << 20

var miniMallocNames = []string{"A", "B", "C", "D", "E", "F", "G", "H", "I", "J", "K"}

// miniMallocFolder is the environment's MINIMALLOC, else ../shared/minimalloc
// relative to the module root.
func miniMallocFolder(tb testing.TB) string {
	if f := os.Getenv("MINIMALLOC"); f != "" {
		return f
	}
	root, err := os.Getwd()
	if err != nil {
		tb.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
			return filepath.Join(root, "..", "shared", "minimalloc")
		}
		up := filepath.Dir(root)
		if up == root {
			tb.Skip("no module root")
		}
		root = up
	}
}

func miniMalloc(tb testing.TB, name string) []arena.Buffer {
	path := filepath.Join(miniMallocFolder(tb), name+".1048576.csv")
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		tb.Skipf("instance %s is absent (set MINIMALLOC to the folder of the CSV files)", name)
	}
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	records, err := csv.NewReader(f).ReadAll()
	if err != nil {
		tb.Fatal(err)
	}
	var bs []arena.Buffer
	for k, r := range records[1:] {
		b := arena.Buffer{ID: r[0]}
		var errs [3]error
		b.Lower, errs[0] = strconv.Atoi(r[1])
		b.Upper, errs[1] = strconv.Atoi(r[2])
		b.Size, errs[2] = strconv.ParseInt(r[3], 10, 64)
		if err := errors.Join(errs[:]...); err != nil {
			tb.Fatalf("%s record %d: %v", path, k+2, err)
		}
		bs = append(bs, b)
	}
	return bs
}

func TestMiniMalloc(t *testing.T) {
	for _, name := range miniMallocNames {
		t.Run(name, func(t *testing.T) {
			bs := miniMalloc(t, name)
			sol, err := arena.Fit(bs, miniMallocCapacity, arena.Options{})
			if err != nil {
				t.Fatalf("%v after %d nodes", err, sol.Nodes)
			}
			if err := arena.Check(bs, sol.Offsets, miniMallocCapacity); err != nil {
				t.Fatal(err)
			}
			if again, err := arena.Fit(bs, miniMallocCapacity, arena.Options{}); err != nil || !reflect.DeepEqual(sol, again) {
				t.Fatalf("a second call differs: %v, %d nodes after %d", err, again.Nodes, sol.Nodes)
			}
			if low := arena.LowerBound(bs); sol.LowerBound < low || sol.Height < low {
				t.Fatalf("height %d and bound %d, but %d bytes are live at once", sol.Height, sol.LowerBound, low)
			}
		})
	}
}

func TestMiniMallocProvenMinimal(t *testing.T) {
	bs := miniMalloc(t, "C")
	sol := arena.Minimize(bs, arena.Options{})
	if !sol.Optimal || sol.Height != 1_039_360 {
		t.Fatalf("height %d, optimal %v, want 1039360 proven", sol.Height, sol.Optimal)
	}
	if err := arena.Check(bs, sol.Offsets, sol.Height); err != nil {
		t.Fatal(err)
	}
}

// BenchmarkMiniMalloc fits each instance into MiniMalloc's capacity; where less may do,
// it states, beside the time, the least height that 20 000 nodes find and the bound.
func BenchmarkMiniMalloc(b *testing.B) {
	for _, name := range miniMallocNames {
		b.Run(name, func(b *testing.B) {
			bs := miniMalloc(b, name)
			var sol arena.Solution
			for b.Loop() {
				var err error
				if sol, err = arena.Fit(bs, miniMallocCapacity, arena.Options{}); err != nil {
					b.Fatalf("%v after %d nodes", err, sol.Nodes)
				}
			}
			if err := arena.Check(bs, sol.Offsets, miniMallocCapacity); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(sol.Nodes), "nodes")
			b.ReportMetric(float64(sol.Height), "height")
			if slices.Contains(looseNames, name) {
				reportLeast(b, bs, 20_000)
			}
		})
	}
}

// BenchmarkLeastHeight looks further for the least height of the instances whose lower
// bound is below the capacity: 100 000 nodes, or the environment's MINIMALLOC_NODES.
func BenchmarkLeastHeight(b *testing.B) {
	limit := int64(100_000)
	if v := os.Getenv("MINIMALLOC_NODES"); v != "" {
		var err error
		if limit, err = strconv.ParseInt(v, 10, 64); err != nil {
			b.Fatal(err)
		}
	}
	for _, name := range looseNames {
		b.Run(name, func(b *testing.B) {
			bs := miniMalloc(b, name)
			for b.Loop() {
				reportLeast(b, bs, limit)
			}
		})
	}
}

// looseNames are the instances whose lower bound is below the capacity.
var looseNames = []string{"C", "D", "J"}

// reportLeast states the least height that so many nodes find, and the bound on it.
func reportLeast(b *testing.B, bs []arena.Buffer, nodes int64) {
	sol := arena.Minimize(bs, arena.Options{Nodes: nodes})
	if err := arena.Check(bs, sol.Offsets, sol.Height); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(sol.Height), "least")
	b.ReportMetric(float64(sol.LowerBound), "bound")
}

// BenchmarkTechniques leaves each technique out in turn.
func BenchmarkTechniques(b *testing.B) {
	for _, c := range []struct {
		name    string
		without arena.Technique
	}{
		{"reduce", arena.Reduce}, {"decompose", arena.Decompose}, {"dominance", arena.Dominance},
		{"symmetry", arena.Symmetry}, {"support", arena.Support}, {"schedule", arena.Schedule},
		{"memo", arena.Memo}, {"restarts", arena.Restarts},
	} {
		b.Run(c.name, func(b *testing.B) {
			fitted, nodes := 0, int64(0)
			for b.Loop() {
				fitted, nodes = 0, 0
				for _, name := range miniMallocNames {
					sol, err := arena.Fit(miniMalloc(b, name), miniMallocCapacity, arena.Options{Nodes: 100_000, Without: c.without})
					nodes += sol.Nodes
					if err == nil {
						fitted++
					}
				}
			}
			b.ReportMetric(float64(nodes), "nodes")
			b.ReportMetric(float64(fitted), "fitted")
		})
	}
}
