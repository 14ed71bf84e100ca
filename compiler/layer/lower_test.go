package layer_test

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flexnnc/flexnnc/compiler/layer"
	"github.com/flexnnc/flexnnc/compiler/ncnn"
	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/op"
)

// TestLowerings runs what each layer case lowers to and compares it with ncnn's
// outputs: it tests Lower as interp's tests test Eval.
func TestLowerings(t *testing.T) {
	root := os.Getenv("FLEXNNC_MODELS")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared", "models")
	}
	cases, err := filepath.Glob(filepath.Join(root, "layers", "*", "*", "case.json"))
	if err != nil || len(cases) == 0 {
		t.Skipf("no layer cases in %s", root)
	}
	without := map[string]bool{}
	for _, path := range cases {
		dir := filepath.Dir(path)
		name := filepath.Base(filepath.Dir(dir)) + "/" + filepath.Base(dir)
		t.Run(name, func(t *testing.T) {
			if missing := lowerCase(t, dir, name); missing != "" {
				without[missing] = true
				t.Skip(missing)
			}
		})
	}
	t.Logf("%d kinds of layer or variant without lowering", len(without))
}

type layerCase struct {
	Param   string
	Weights struct{ Bin string }
	Cases   []struct {
		Name   string
		Inputs []struct {
			Name, File, Dtype string
			Shape             []int `json:"shape_whc"`
		}
		Outputs []struct {
			Name, File       string
			Dims, W, H, D, C int
		}
	}
}

func lowerCase(t *testing.T, dir, name string) (missing string) {
	var c layerCase
	data, err := os.ReadFile(filepath.Join(dir, "case.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &c); err != nil {
		t.Fatal(err)
	}
	n, err := ncnn.Open(filepath.Join(dir, c.Param), filepath.Join(dir, c.Weights.Bin))
	if err != nil {
		if strings.Contains(err.Error(), "not supported") {
			return err.Error()
		}
		t.Fatal(err)
	}
	defer n.Close()
	g := n.Graph
	for _, run := range c.Cases {
		values := map[string][]float32{}
		for _, b := range g.Blobs {
			b.Shape = ir.Shape{}
		}
		for _, in := range run.Inputs {
			axes := make([]int, len(in.Shape))
			for i, n := range in.Shape {
				axes[len(axes)-1-i] = n
			}
			for _, b := range g.Inputs {
				if b.Name == in.Name {
					b.Shape, b.Ints = ir.FromAxes(axes), in.Dtype == "i32"
				}
			}
			values[in.Name] = readRaw(t, filepath.Join(dir, in.File))
		}
		if err := infer(g); err != nil {
			t.Fatal(err)
		}
		w := layer.NewLowering(g)
		for _, l := range g.Layers {
			d := layer.Lookup(l.Type)
			if d.Lower == nil {
				return fmt.Sprintf("%s has no lowering", l.Type)
			}
			if err := d.Lower(w.Layer(l)); err != nil {
				return fmt.Sprintf("%s: %v", l.Type, err)
			}
		}
		outputs := map[string]layer.Value{}
		for _, b := range g.Outputs {
			v, ok := w.Value(b)
			if !ok || v.Shape != b.Shape {
				t.Fatalf("output %q is %v, inferred %v", b.Name, v.Shape, b.Shape)
			}
			outputs[b.Name] = v
		}
		m := &machine{values: map[*op.Tensor][]float32{}}
		names := map[string]bool{}
		for _, o := range w.Graph.Ops {
			if names[o.Name] {
				t.Errorf("two operations are named %q", o.Name)
			}
			names[o.Name] = true
			if o.Kind == op.Input {
				m.input(o, values[o.Port.Blob.Name])
				continue
			}
			if err := m.run(o); err != nil {
				t.Fatalf("%v %q: %v", o.Kind, o.Name, err)
			}
		}
		for _, out := range run.Outputs {
			v, ok := outputs[out.Name]
			if !ok {
				continue // an intermediate blob
			}
			got, err := m.planar(v)
			if err != nil {
				t.Fatal(err)
			}
			want := ir.Shape{Dims: out.Dims, W: out.W, H: out.H, D: out.D, C: out.C}
			if strings.Contains(name, "detectionoutput/") || strings.HasPrefix(name, "proposal/") { // rows beyond the detections are zero
				for _, x := range got[want.Len():] {
					if x != 0 {
						t.Fatalf("%s has more than %d rows", out.Name, want.H)
					}
				}
				v.Shape, got = want, got[:want.Len()]
			}
			if v.Shape != want {
				t.Fatalf("%s has shape %v, want %v", out.Name, v.Shape, want)
			}
			compare(t, name, run.Name, out.Name, got, readRaw(t, filepath.Join(dir, out.File)))
		}
	}
	return ""
}

func readRaw(t *testing.T, path string) []float32 {
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	v := make([]float32, len(b)/4)
	for i := range v {
		v[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return v
}

// infer fills in the shapes of all blobs.
func infer(g *ir.Graph) error {
	for _, l := range g.Layers {
		c := &layer.ShapeCall{Layer: l, Const: func(int) []float32 { return nil }}
		for _, b := range l.Inputs {
			c.In = append(c.In, b.Shape)
		}
		s, err := layer.Lookup(l.Type).Shape(c)
		if err != nil {
			return fmt.Errorf("layer %q: %w", l.Name, err)
		}
		for i, b := range l.Outputs {
			b.Shape = s[i]
		}
	}
	return nil
}

// input gives an Input op its values from the user's planar array.
func (m *machine) input(o *op.Op, v []float32) {
	t := o.Out[0]
	strides := stridesOf(o.Port.Shape.Axes())
	out := make([]float32, t.Len())
	each(t.Dims, func(k int, index []int) {
		at := 0
		for i, n := range index {
			at += n * strides[o.Port.Perm[i]]
		}
		out[k] = v[at]
	})
	m.values[t] = out
}

// planar is a value in ncnn's order.
func (m *machine) planar(v layer.Value) ([]float32, error) {
	x, err := m.get(v.Tensor)
	if err != nil || v.Layout == layer.Planar {
		return x, err
	}
	c := v.Shape.Axes()[0]
	inner := len(x) / c
	y := make([]float32, len(x))
	for i := range x {
		y[i%c*inner+i/c] = x[i]
	}
	return y, nil
}

// compare is element by element, as the cases want it; int8 results may be off by
// a rounding step now and then.
func compare(t *testing.T, name, run, blob string, got, want []float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("run %s: %s has %d elements, want %d", run, blob, len(got), len(want))
	}
	peak := 0.0
	for _, w := range want {
		peak = math.Max(peak, math.Abs(float64(w)))
	}
	quantized := strings.Contains(name, "int8") || strings.Contains(name, "quantize/")
	bad := 0
	for i, w := range want {
		d := math.Abs(float64(got[i]) - float64(w))
		if d <= 1e-5+1e-4*math.Abs(float64(w)) || got[i] == w {
			continue
		}
		if bad++; quantized && d <= 0.02*peak && bad <= 1+len(want)/500 {
			continue
		}
		t.Errorf("run %s: %s: element %d of %d is %g, want %g", run, blob, i, len(want), got[i], w)
		return
	}
}
