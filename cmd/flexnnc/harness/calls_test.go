package harness

import (
	"context"
	"errors"
	"io/fs"
	"math/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flexnnc/flexnnc/cmd/flexnnc/random"
	"github.com/flexnnc/flexnnc/compiler"
	"github.com/flexnnc/flexnnc/compiler/cases"
	"github.com/flexnnc/flexnnc/compiler/ncnn"
	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/op"
)

// calls are the kernels that are Go code on every instruction set, and why. Where their
// work is products of matrices, or passes over rows, kernels do these.
var calls = map[string]string{
	"attention":      "an order of work over products by the convolutions' kernels and softmax by lane programs",
	"matmul":         "packs panels; the convolutions' kernels multiply",
	"lstm":           "a sequence of products by the convolutions' kernels and gates by lane programs",
	"gru":            "likewise",
	"rnn":            "likewise",
	"recurrent_int8": "likewise, by the kernels of int8",
	"resize":         "chooses cells and factors; a kernel makes the weighted sums",

	"embed": "copies rows that ids name",
	"pad":   "copies rows, and repeats or mirrors edges; zeros around convolutions are their own",
	"flip":  "copies rows in another order", "insert": "copies rows into rows",
	"unfold": "copies windows", "fold": "adds windows", "diagonal": "moves a diagonal",

	"detection_output": "sorts and chooses boxes; lane programs compare them", "proposal": "likewise",
	"yolov2_output": "likewise", "yolov3_output": "likewise",
	"argmax": "sorts", "cumulative_sum": "each sum is the next one's operand",
	"roi_pool": "windows are known when it runs", "roi_align": "likewise", "psroi_pool": "likewise",
	"grid_sample": "likewise; a kernel makes the weighted sums", "deform": "likewise",

	"reduce":       "axes in any order; averages of rows and images, as norms and squeezes have them, are pooling and rows",
	"einsum":       "any indices in any order, of small arrays as far as networks in sight have them",
	"conv_dynamic": "weights are computed, small ones as far as networks in sight have them",
	"deconv":       "likewise, and channel by channel over three axes, and strides with very many phases",
	"conv3d":       "channel by channel over three axes",
}

// referenceNetworks are the parameter files of the reference networks.
func referenceNetworks(t *testing.T) (files []string) {
	root := os.Getenv("FLEXNNC_MODELS")
	if root == "" {
		root = filepath.Join("..", "..", "..", "..", "shared", "models")
	}
	filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".param") {
			files = append(files, path)
		}
		return nil
	})
	if files == nil {
		t.Skip("no reference networks: set FLEXNNC_MODELS")
	}
	return files
}

// TestCalls fails where a layer of a reference network runs as portable Go, and the
// table has no reason for it.
func TestCalls(t *testing.T) {
	used := map[string]bool{}
	for _, path := range referenceNetworks(t) {
		n, err := ncnn.Open(path, "")
		if err != nil {
			continue // what is not supported, other tests tell
		}
		random.Weights(n.Graph)
		var o compiler.Options
		if s, err := cases.Read(filepath.Join(filepath.Dir(path), "case.json")); err == nil {
			o.Inputs = s.InputShapes()
		}
		g, err := compiler.Lower(n.Graph, o)
		if err != nil {
			continue
		}
		for _, x := range g.Ops {
			if x.Kind != op.Call {
				continue
			}
			used[x.Call.Func] = true
			if calls[x.Call.Func] == "" {
				t.Errorf("%s: layer %q (%s) runs as portable Go: %s (%d products, %d passes)", path, x.Name, x.Layers[0].Type, x.Call.Func, len(x.Call.Products), len(x.Call.Passes))
			}
		}
	}
	for name := range calls {
		if !used[name] {
			t.Errorf("%s is in the table, and no reference network calls it", name)
		}
	}
}

// TestAssembly breaks a package: a step that leaves its kernel must come out, by name.
func TestAssembly(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a network")
	}
	arch := Arches()[0]
	if arch == Portable {
		t.Skip("no assembly for this machine")
	}
	d := &drawn{r: rand.New(rand.NewSource(1)), shape: map[string]ir.Shape{}}
	dir := t.TempDir()
	if !d.add("Input", nil, 1, "0=5 1=4 2=13") || !d.add("Pooling", []string{"b0"}, 1, "0=1 4=1") {
		t.Fatal("no network")
	}
	if err := d.save(dir, "broken"); err != nil {
		t.Fatal(err)
	}
	for change, want := range map[string]string{"kernels.poolAvg": "", "poolAvgPortable": "(pool of Pooling): poolAvgPortable runs in place of assembly"} {
		o := Options{
			Budgets: []Budget{{Name: "max", Kind: Max}}, Arches: []string{arch}, Threads: []int{1},
			Version: "test", Parallel: 1, Work: t.TempDir(), Assembly: true, Paths: []string{filepath.Join(dir, "case.json")},
		}
		o.alter = func(dir string) error {
			file := filepath.Join(dir, "runtime_pool.go")
			text, err := os.ReadFile(file)
			if err == nil && !strings.Contains(string(text), "kernels.poolAvg") {
				err = errors.New("the driver of pooling has changed: adapt the test")
			}
			if err != nil {
				return err
			}
			return os.WriteFile(file, []byte(strings.ReplaceAll(string(text), "kernels.poolAvg", change)), 0o644)
		}
		report, err := Verify(context.Background(), o)
		if err != nil {
			t.Fatal(err)
		}
		got := strings.Join(report.Networks[0].Failures(), "; ")
		if (want == "") != (got == "") || !strings.Contains(got, want) {
			t.Errorf("with %s: %q, want %q", change, got, want)
		}
	}
}
