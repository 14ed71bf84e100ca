package harness

import (
	"context"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"github.com/flexnnc/flexnnc/cmd/flexnnc/random"
	"github.com/flexnnc/flexnnc/compiler"
	"github.com/flexnnc/flexnnc/compiler/layer"
	"github.com/flexnnc/flexnnc/compiler/lower"
	"github.com/flexnnc/flexnnc/compiler/ncnn"
	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/diag"
	"github.com/flexnnc/flexnnc/ir/plan"
)

const (
	gridElements = 4000 // of a blob, at most
	gridTries    = 3000 // until a layer is one that ncnn would run
)

// lines are a drawn layer, and Input layers before it. All names begin with name.
func (l gridLayer) lines(typ, name string) []string {
	var list, ins, outs []string
	for i, s := range l.in {
		in := fmt.Sprintf("%s.i%d", name, i)
		params := fmt.Sprintf("0=%d", s.W)
		if s.Dims >= 2 {
			params += fmt.Sprintf(" 1=%d", s.H)
		}
		if s.Dims == 4 {
			params += fmt.Sprintf(" 11=%d", s.D)
		}
		if s.Dims >= 3 {
			params += fmt.Sprintf(" 2=%d", s.C)
		}
		list = append(list, fmt.Sprintf("Input %s 0 1 %[1]s %s", in, params))
		ins = append(ins, in)
	}
	for _, b := range l.block {
		list = append(list, strings.ReplaceAll(b, "NAME", name))
	}
	if l.block != nil {
		return list
	}
	for i := range l.outs {
		outs = append(outs, fmt.Sprintf("%s.o%d", name, i))
	}
	list = append(list, strings.Join(strings.Fields(fmt.Sprintf("%s %s %d %d %s %s %s", typ, name, len(ins), len(outs), strings.Join(ins, " "), strings.Join(outs, " "), l.params)), " "))
	if l.then != "" {
		list = append(list, fmt.Sprintf("%s %s.t 1 1 %s %[2]s.t", l.then, name, outs[0]))
	}
	return list
}

// drawGrid adds n layers of a kind to a network.
func (d *drawn) drawGrid(kind string, n int) error {
	typ, _, _ := strings.Cut(kind, " ")
	for i := range n {
		found, last := false, error(nil)
		for range gridTries {
			lines := grids[kind](gridRand{d.r}).lines(typ, fmt.Sprintf("%s.%d", strings.ReplaceAll(kind, " ", "-"), i))
			var w diag.List
			g, faults := ncnn.ParseParam("grid.param", []byte(d.text(lines)), &w)
			if last = faults.Err(); last == nil {
				last = lower.Infer(g, nil)
			}
			if last != nil || slices.ContainsFunc(g.Blobs, func(b *ir.Blob) bool { return b.Shape.Len() > gridElements }) {
				continue
			}
			found = true
			if err := compiles(g); err != nil {
				d.faults = append(d.faults, fmt.Sprintf("%v\n\t%s", err, strings.Join(lines, "\n\t")))
				break
			}
			d.lines = append(d.lines, lines...)
			break
		}
		if !found {
			return fmt.Errorf("%s: nothing that ncnn would run is drawn; the last: %v", kind, last)
		}
	}
	return nil
}

// compiles plans for a network by itself at three budgets, so that a fault does not hide
// those of others.
func compiles(g *ir.Graph) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	random.Weights(g)
	lowered, err := compiler.Lower(g, compiler.Options{Threads: 2})
	if err != nil {
		return err
	}
	var arenas [2]plan.Bytes
	for i, o := range []compiler.Options{{Threads: 2}, {Threads: 2, Min: true}} {
		p, err := compiler.Plan(lowered, o)
		if err != nil {
			return err
		}
		arenas[i] = p.Arena
	}
	_, err = compiler.Plan(lowered, compiler.Options{Threads: 2, Budget: (arenas[0] + arenas[1]) / 2})
	return err
}

// gridCase writes a network of n layers of each kind, with the answers of the
// float64 interpreter, and returns its case.
func gridCase(t *testing.T, seed int64, dir string, kinds []string, n int) (string, error) {
	d := &drawn{r: rand.New(rand.NewSource(seed)), shape: map[string]ir.Shape{}}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	for _, kind := range kinds {
		if err := d.drawGrid(kind, n); err != nil {
			return "", err
		}
	}
	for _, f := range d.faults {
		t.Errorf("%s", f)
	}
	var w diag.List
	var faults diag.List
	d.graph, faults = ncnn.ParseParam("grid.param", []byte(d.text(d.lines)), &w)
	if err := faults.Err(); err != nil {
		return "", err
	}
	if err := lower.Infer(d.graph, nil); err != nil {
		return "", err
	}
	return filepath.Join(dir, "case.json"), d.save(dir, fmt.Sprintf("grid%d", seed))
}

// gridNetworks divides the kinds: layers that round to int8 are judged otherwise
// than others, and so are in networks of their own.
func gridNetworks(parts int) [][]string {
	var rounding, exact []string
	for kind := range grids {
		if strings.HasSuffix(kind, "int8") || strings.HasSuffix(kind, "uantize") {
			rounding = append(rounding, kind)
		} else {
			exact = append(exact, kind)
		}
	}
	slices.Sort(rounding)
	slices.Sort(exact)
	list := [][]string{rounding}
	for part := range slices.Chunk(exact, (len(exact)+parts-1)/parts) {
		list = append(list, part)
	}
	return list
}

// TestRedZones breaks packages: what is written behind a tensor, and what is read and
// was not written, must come out.
func TestRedZones(t *testing.T) {
	if testing.Short() {
		t.Skip("builds networks")
	}
	d := &drawn{r: rand.New(rand.NewSource(1)), shape: map[string]ir.Shape{}}
	dir := t.TempDir()
	if !d.add("Input", nil, 1, "0=5 1=4 2=13") || !d.add("Pooling", []string{"b0"}, 1, "0=1 4=1") {
		t.Fatal("no network")
	}
	if err := d.save(dir, "broken"); err != nil {
		t.Fatal(err)
	}
	for change, want := range map[string]string{
		"putf32(a.out, n, acc)":          "",
		"putf32(a.out, n+1, acc)":        "in a red zone",
		"putf32(a.out, min(n, 11), acc)": "is beyond",
	} {
		o := Options{
			Budgets: []Budget{{Name: "max", Kind: Max}}, Arches: []string{Portable}, Threads: []int{1},
			Version: "test", Parallel: 1, Work: t.TempDir(), RedZones: true, Paths: []string{filepath.Join(dir, "case.json")},
		}
		o.alter = func(dir string) error {
			file := filepath.Join(dir, "runtime_pool.go")
			text, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			return os.WriteFile(file, []byte(strings.ReplaceAll(string(text), "putf32(a.out, n, acc)", change)), 0o644)
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

// TestShapeGrids runs networks of many layers whose kernels, strides, dilations, pads
// and channels lie around the edges of the kernels' tiles, against the float64
// interpreter, with red zones in the arena. GRIDS is how many layers of each kind to
// draw, GRID_SEED the first seed, GRID_KINDS a regular expression of kinds.
func TestShapeGrids(t *testing.T) {
	count, first, parts := 12, int64(1), 4
	o := Options{
		Budgets: []Budget{{Name: "min", Kind: Min}, {Name: "max", Kind: Max}}, Arches: Arches()[:1], Threads: []int{2},
		Version: "test", Parallel: 2, Work: t.TempDir(), RedZones: true, Assembly: true,
	}
	if testing.Short() {
		count, parts, o.Budgets = 2, 1, o.Budgets[1:]
	} else {
		o.Arches = Arches()
	}
	fmt.Sscan(os.Getenv("GRIDS"), &count)
	fmt.Sscan(os.Getenv("GRID_SEED"), &first)
	only := regexp.MustCompile(os.Getenv("GRID_KINDS"))
	for i, kinds := range gridNetworks(parts) {
		kinds = slices.DeleteFunc(kinds, func(k string) bool { return !only.MatchString(k) })
		if len(kinds) == 0 {
			continue
		}
		path, err := gridCase(t, first+int64(i), filepath.Join(t.TempDir(), "grid"), kinds, count)
		if err != nil {
			t.Error(err)
			continue
		}
		o.Paths = append(o.Paths, path)
	}
	runDrawn(t, o)
}

// spatialParam are parameters of layers that slide windows over axes or resample them.
var spatialParam = regexp.MustCompile(`^(kernel_|stride_|dilation_|pad_|pooled_|out_w|output_w|output_width|sample_type|local_size)`)

// TestGridsAreComplete fails where a layer type that has weights, or windows, is in
// no grid.
func TestGridsAreComplete(t *testing.T) {
	for _, d := range layer.All() {
		spatial := slices.ContainsFunc(d.Params, func(p layer.ParamDef) bool { return spatialParam.MatchString(p.Name) })
		if (spatial || d.Weights != nil) && grids[d.Type] == nil {
			t.Errorf("%s has weights or windows, and no grid of shapes: add it to grids", d.Type)
		}
	}
	for kind := range grids {
		if typ, _, _ := strings.Cut(kind, " "); layer.Lookup(typ) == nil {
			t.Errorf("%s is no layer type", kind)
		}
	}
}
