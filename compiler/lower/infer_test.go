package lower

import (
	"bytes"
	"encoding/binary"
	"math"
	"strings"
	"testing"

	"github.com/flexnnc/flexnnc/compiler/ncnn"
	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/diag"
	"github.com/flexnnc/flexnnc/ir/op"
	"github.com/google/go-cmp/cmp"
)

func graph(t *testing.T, lines ...string) *ir.Graph {
	t.Helper()
	blobs := map[string]bool{}
	for _, l := range lines {
		for _, w := range strings.Fields(l)[4:] {
			if !strings.Contains(w, "=") {
				blobs[w] = true
			}
		}
	}
	var warnings diag.List
	src := "7767517\n" + strings.Join([]string{itoa(len(lines)), itoa(len(blobs))}, " ") + "\n" + strings.Join(lines, "\n")
	g, faults := ncnn.ParseParam("m.param", []byte(src), &warnings)
	if err := faults.Err(); err != nil {
		t.Fatalf("%v\nin\n%s", err, src)
	}
	return g
}

func itoa(n int) string { return ir.IntScalar(n).String() }

func TestInfer(t *testing.T) {
	g := graph(t, "Input in 0 1 in 0=8 1=6 2=3", "Convolution c 1 1 in x 0=4 1=3 4=1 6=108", "Flatten f 1 1 x y")
	if err := Infer(g, nil); err != nil {
		t.Fatal(err)
	}
	shapes := func() (s []string) {
		for _, b := range g.Blobs {
			s = append(s, b.String())
		}
		return s
	}
	if diff := cmp.Diff([]string{"in[8,6,3]", "x[8,6,4]", "y[192]"}, shapes()); diff != "" {
		t.Error(diff)
	}
	// The user's shape wins, and inferring again starts anew.
	if err := Infer(g, map[string]ir.Shape{"in": ir.Shape3(4, 5, 3)}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"in[4,5,3]", "x[4,5,4]", "y[80]"}, shapes()); diff != "" {
		t.Error(diff)
	}
}

// An Input layer with several outputs is several inputs, which a star names together.
func TestInferStar(t *testing.T) {
	g := graph(t, "Input cache 0 3 k0 k1 v0", "Concat c 3 1 k0 k1 v0 out")
	if err := Infer(g, map[string]ir.Shape{"k*": ir.Shape3(4, 5, 3), "k1": ir.Shape3(4, 5, 1), "v*": ir.Shape3(4, 5, 2)}); err != nil {
		t.Fatal(err)
	}
	if want := ir.Shape3(4, 5, 6); g.Outputs[0].Shape != want {
		t.Errorf("output %v, want %v", g.Outputs[0].Shape, want)
	}
	err := Infer(g, map[string]ir.Shape{"k*": ir.Shape1(3), "x*": ir.Shape1(3)})
	for _, want := range []string{`input "v0" has no shape`, "--input x*: the network has no such input"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// A shape in the file that fits nothing is named beside what does not fit.
func TestInferOtherShapes(t *testing.T) {
	g := graph(t, "Input data 0 1 data 0=3 1=12 2=12", "Convolution c 1 1 data x 0=10 1=3 6=270")
	const want = "--input data=W,H,C in place of 3,12,12"
	if err := Infer(g, nil); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %q", err, want)
	}
	if err := Infer(g, map[string]ir.Shape{"data": ir.Shape3(12, 12, 5)}); err == nil || strings.Contains(err.Error(), "--input") {
		t.Errorf("%v, which should say nothing of --input", err)
	}
}

func TestInferFaults(t *testing.T) {
	for _, c := range []struct {
		name   string
		layers []string
		inputs map[string]ir.Shape
		want   []string
	}{
		{"no shape", []string{"Input in 0 1 in", "ReLU r 1 1 in out"}, nil,
			[]string{`m.param:3:1: layer "in": `, "\n\thint: pass --input in=W,H,C"}},
		{"no shape but a hint", []string{"Input in 0 1 in -23330=4,3,8,6,3", "ReLU r 1 1 in out"}, nil,
			[]string{"\n\thint: the file's own hint would be --input in=8,6,3"}},
		{"two inputs", []string{"Input a 0 1 a", "Input b 0 1 b", "BinaryOp s 2 1 a b out"}, nil,
			[]string{`m.param:3:1: layer "a": `, `m.param:4:1: layer "b": `}},
		{"unknown name", []string{"Input in 0 1 in 0=8", "ReLU r 1 1 in out"}, map[string]ir.Shape{"data": ir.Shape1(3), "x": ir.Shape1(3)},
			[]string{"--input data: the network has no such input\n\thint: its inputs are in\n--input x: the network has no such input"}},
		{"empty axis", []string{"Input in 0 1 in 0=8", "ReLU r 1 1 in out"}, map[string]ir.Shape{"in": ir.Shape2(0, 3)},
			[]string{`layer "in": --input in=0,3: an axis is empty`}},
		{"too large", []string{"Input in 0 1 in 0=8", "ReLU r 1 1 in out"}, map[string]ir.Shape{"in": ir.Shape4(1<<16, 1<<16, 1<<16, 1<<16)},
			[]string{"more than 1073741824 elements"}},
		{"the file's shape is too large", []string{"Input in 0 1 in 0=65536 1=65536", "ReLU r 1 1 in out"}, nil,
			[]string{`m.param:3:1: layer "in": output "in" would have shape 65536,65536: more than 1073741824 elements`}},
	} {
		err := Infer(graph(t, c.layers...), c.inputs)
		if _, ok := diag.As(err); !ok {
			t.Errorf("%s: %v is no list of findings", c.name, err)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v\nwant %s", c.name, err, want)
			}
		}
		if strings.Contains(err.Error(), `layer "r"`) || strings.Contains(err.Error(), `layer "s"`) {
			t.Errorf("%s: %v\nblames a layer for what it reads", c.name, err)
		}
	}
}

// Words that look up rows are integers, back to the input and on to other readers.
func TestInts(t *testing.T) {
	g := graph(t, "Input ids 0 1 ids 0=6", "Split s 1 2 ids a b", "Reshape r 1 1 a c 0=6", "Embed e 1 1 c x 0=4 1=10 3=40", "Flatten f 1 1 b y")
	if err := Infer(g, nil); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, b := range g.Blobs {
		if b.Ints {
			got = append(got, b.Name)
		}
	}
	if diff := cmp.Diff([]string{"ids", "a", "b", "c", "y"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestConstant(t *testing.T) {
	g := graph(t, "MemoryData m 0 1 m 0=3", "Split s 1 2 m a b", "ReLU r 1 1 a c")
	if constant(g.Blobs[1]) != nil {
		t.Error("a value without weights")
	}
	var file []byte
	for _, v := range []float32{1, 2.5, -3} {
		file = binary.LittleEndian.AppendUint32(file, math.Float32bits(v))
	}
	faults := ncnn.ReadWeights(g, "m.bin", bytes.NewReader(file), int64(len(file)))
	if err := faults.Err(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]float32{1, 2.5, -3}, constant(g.Blobs[2])); diff != "" {
		t.Error(diff)
	}
	if constant(g.Blobs[3]) != nil {
		t.Error("a value of what a ReLU computes")
	}
}

func TestLower(t *testing.T) {
	g := graph(t, "Input in 0 1 in 0=8 1=6 2=3", "Convolution c 1 1 in x 0=4 1=3 4=1 6=108", "ReLU r 1 1 x y")
	if _, err := Lower(g, Options{}); err == nil || !strings.Contains(err.Error(), "BUG: lowered before its shapes were inferred") {
		t.Errorf("without shapes: %v", err)
	}
	if err := Infer(g, nil); err != nil {
		t.Fatal(err)
	}
	var names []string
	low, err := Lower(g, Options{Without: []string{"epilogue"}, Dump: func(pass string, _ *op.Graph) { names = append(names, pass) }})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"lower", "identity", "heads", "padding", "ports", "constants", "affine", "maps", "attention", "quantize", "dead", "weights", "place", "rows", "order", "winograd", "scratch"}, names); diff != "" {
		t.Error(diff)
	}
	if len(low.Ops) != 4 {
		t.Errorf("the pass epilogue ran:\n%s", low)
	}
	for name, want := range map[string]string{"place": "cannot be left out", "nonsense": "there is no pass"} {
		if _, err := Lower(g, Options{Without: []string{name}}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("without %s: %v", name, err)
		}
	}
	low, err = Lower(g, Options{})
	if err != nil {
		t.Fatal(err)
	}
	expect(t, low.String(), `
m: 3 ops, 2 tensors
  0 input "in": -> %0 in f32[6,8,3]  user 8,6,3 perm 1,2,0
  1 conv "c": %0 in -> %1 y f32[6,8,4]  kernel 3,3 stride 1,1 pad 1,1; panels 1 of K 27; then relu; scratch 0, per thread 288
  2 output "y/out": %1 y ->  user 8,6,4 perm 1,2,0
`)
}

func TestPassesSayWhy(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range Passes() {
		if p.Name == "" || p.Does == "" || p.Why == "" || seen[p.Name] {
			t.Errorf("pass %+v", p)
		}
		seen[p.Name] = true
	}
}

// TestCountedRows checks that detections go to the user with their number, and to
// no layer that would take the empty rows behind them for results.
func TestCountedRows(t *testing.T) {
	head := []string{"Input in 0 1 in 0=2 1=2 2=14", "Yolov3DetectionOutput d 1 1 in x 0=2 1=2 4=1.0,1.0,2.0,2.0 5=0.0,1.0 6=8.0,"}
	g := graph(t, append(head, "Split s 1 2 x y z")...)
	if err := Infer(g, nil); err != nil {
		t.Fatal(err)
	}
	l, err := Lower(g, Options{})
	if err != nil {
		t.Fatal(err)
	}
	counts := 0
	for i, o := range l.Outputs {
		if o.Port.Count {
			counts++
			if o.Port.Blob != l.Outputs[i-1].Port.Blob {
				t.Errorf("the number of rows of %q does not follow it", o.Port.Blob.Name)
			}
		}
	}
	if counts != 2 || len(l.Outputs) != 4 {
		t.Errorf("%d outputs with %d counts, want 4 and 2", len(l.Outputs), counts)
	}
	g = graph(t, append(head, "Permute p 1 1 x y 0=1")...)
	if err := Infer(g, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := Lower(g, Options{}); err == nil || !strings.Contains(err.Error(), `m.param:5:1: layer "p": Permute reads "x", of which only the run tells`) {
		t.Errorf("got %v", err)
	}
}
