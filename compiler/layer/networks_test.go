package layer_test

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/flexnnc/flexnnc/compiler/interp"
	"github.com/flexnnc/flexnnc/compiler/layer"
	"github.com/flexnnc/flexnnc/compiler/ncnn"
	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/op"
)

// TestLoweredNetworks compares whole networks, lowered and run in float32, with
// the float64 reference on noise.
func TestLoweredNetworks(t *testing.T) {
	root := os.Getenv("FLEXNNC_MODELS")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared", "models")
	}
	for _, name := range []string{
		"mnist", "dtln_1", "silero_vad5", "stories260k_modern", "ultraface_rfb320", "fastestdet", "antispoof_1",
		"minivision_facedet", "mobilefacenet", "mobilenetv2_int8",
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(root, "trained", name)
			data, err := os.ReadFile(filepath.Join(dir, "case.json"))
			if err != nil {
				t.Skip("not there")
			}
			var c layerCase
			if err := json.Unmarshal(data, &c); err != nil {
				t.Fatal(err)
			}
			n, err := ncnn.Open(filepath.Join(dir, c.Param), filepath.Join(dir, c.Weights.Bin))
			if err != nil {
				t.Fatal(err)
			}
			defer n.Close()
			g := n.Graph
			values, wide := map[string][]float32{}, map[string]layer.Tensor{}
			for _, in := range c.Cases[0].Inputs {
				axes := make([]int, len(in.Shape))
				for i, n := range in.Shape {
					axes[len(axes)-1-i] = n
				}
				s := ir.FromAxes(axes)
				x, v := layer.NewTensor(s), make([]float32, s.Len())
				for _, b := range g.Inputs {
					if b.Name == in.Name {
						b.Shape, b.Ints = s, layer.WantsWords(b)
					}
					for i := range v {
						switch {
						case b.Name != in.Name:
						case b.Ints:
							v[i], x.Data[i] = math.Float32frombits(uint32(i*7%500)), float64(i*7%500)
						default:
							v[i] = float32(math.Sin(float64(i * i % 9973)))
							x.Data[i] = float64(v[i])
						}
					}
				}
				values[in.Name], wide[in.Name] = v, x
			}
			if err := infer(g); err != nil {
				t.Fatal(err)
			}
			want, err := interp.Run(g, wide, interp.Options{})
			if err != nil {
				t.Fatal(err)
			}
			w := layer.NewLowering(g)
			for _, l := range g.Layers {
				if err := layer.Lookup(l.Type).Lower(w.Layer(l)); err != nil {
					t.Fatalf("%s %q: %v", l.Type, l.Name, err)
				}
			}
			outputs := map[string]layer.Value{}
			for _, b := range g.Outputs {
				outputs[b.Name], _ = w.Value(b)
			}
			m := &machine{values: map[*op.Tensor][]float32{}}
			for _, o := range w.Graph.Ops {
				if o.Kind == op.Input {
					m.input(o, values[o.Port.Blob.Name])
				} else if err := m.run(o); err != nil {
					t.Fatalf("%v %q: %v", o.Kind, o.Name, err)
				}
			}
			for blob, v := range outputs {
				if v.Tensor.Producer != nil && v.Tensor.Producer.Kind == op.Call && v.Shape.W == 6 {
					continue // detections: near ties decide
				}
				got, err := m.planar(v)
				if err != nil {
					t.Fatal(err)
				}
				peak, worst := 0.0, 0.0
				for i, x := range want[blob].Data {
					peak, worst = math.Max(peak, math.Abs(x)), math.Max(worst, math.Abs(float64(got[i])-x))
				}
				if t.Logf("%s: off by %.2g of the peak %g", blob, worst/peak, peak); !(worst <= 1e-4*peak) {
					t.Errorf("%s is off by %g of the peak %g", blob, worst/peak, peak)
				}
			}
		})
	}
}
