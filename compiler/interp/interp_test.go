package interp

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flexnnc/flexnnc/compiler/layer"
	"github.com/flexnnc/flexnnc/compiler/ncnn"
	"github.com/flexnnc/flexnnc/ir"
)

// models is the folder of reference networks, or "" where there is none.
func models(t testing.TB) string {
	dir := os.Getenv("FLEXNNC_MODELS")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "models")
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no reference networks in %s", dir)
	}
	return dir
}

type caseFile struct {
	Param   string
	Weights struct{ Bin string }
	Cases   []struct {
		Name   string
		Inputs []struct {
			Name, File, Dtype, Png, Pixel string
			Shape                         []int `json:"shape_whc"`
			Mean, Norm                    []float32
		}
		Outputs []struct {
			Name, File, Type string
			Dims, W, H, D, C int
			Tol              float64
			AfterNMS         bool `json:"after_nms"`
		}
	}
	Tol float64
}

func shapeOf(whc []int) ir.Shape {
	axes := make([]int, len(whc))
	for i, n := range whc {
		axes[len(whc)-1-i] = n
	}
	return ir.FromAxes(axes)
}

func readFloats(t *testing.T, path, dtype string) []float64 {
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	v := make([]float64, len(b)/4)
	for i := range v {
		bits := binary.LittleEndian.Uint32(b[4*i:])
		if dtype == "i32" {
			v[i] = float64(int32(bits))
		} else {
			v[i] = float64(math.Float32frombits(bits))
		}
	}
	return v
}

func readPicture(t *testing.T, path, pixel string, s ir.Shape, mean, norm []float32) []float64 {
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	v := make([]float64, s.Len())
	for y := range s.H {
		for x := range s.W {
			r, g, b, _ := img.At(x, y).RGBA()
			p := [3]float32{float32(r >> 8), float32(g >> 8), float32(b >> 8)}
			if pixel == "bgr" {
				p[0], p[2] = p[2], p[0]
			}
			for c := range s.C {
				q := p[c]
				if mean != nil {
					q -= mean[c]
				}
				if norm != nil {
					q *= norm[c]
				}
				v[(c*s.H+y)*s.W+x] = float64(q)
			}
		}
	}
	return v
}

func loadCase(t *testing.T, dir string) (caseFile, *ncnn.Network) {
	var c caseFile
	b, err := os.ReadFile(filepath.Join(dir, "case.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &c); err != nil {
		t.Fatal(err)
	}
	if c.Weights.Bin == "" {
		t.Skip("weights are not stored")
	}
	n, err := ncnn.Open(filepath.Join(dir, c.Param), filepath.Join(dir, c.Weights.Bin))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	return c, n
}

// TestLayers compares every layer case with ncnn element by element.
func TestLayers(t *testing.T) {
	root := filepath.Join(models(t), "layers")
	types, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	for _, typ := range types {
		if !typ.IsDir() {
			continue
		}
		variants, err := os.ReadDir(filepath.Join(root, typ.Name()))
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range variants {
			name := typ.Name() + "/" + v.Name()
			dir := filepath.Join(root, typ.Name(), v.Name())
			t.Run(name, func(t *testing.T) {
				c, n := loadCase(t, dir)
				ran++
				for _, run := range c.Cases {
					in := map[string]layer.Tensor{}
					for _, i := range run.Inputs {
						in[i.Name] = layer.Tensor{Shape: shapeOf(i.Shape), Data: readFloats(t, filepath.Join(dir, i.File), i.Dtype)}
					}
					got, err := Run(n.Graph, in, Options{KeepAll: true})
					if err != nil {
						t.Fatal(err)
					}
					for _, o := range run.Outputs {
						y := got[o.Name]
						if want := (ir.Shape{Dims: o.Dims, W: o.W, H: o.H, D: o.D, C: o.C}); y.Shape != want {
							t.Errorf("run %s: %s has shape %v, want %v", run.Name, o.Name, y.Shape, want)
							continue
						}
						steps := 0.0
						if strings.Contains(name, "int8") || typ.Name() == "quantize" || typ.Name() == "requantize" {
							steps = 0.002 // share of elements that may be off by a rounding step
						}
						if err := closeTo(y.Data, readFloats(t, filepath.Join(dir, o.File), "f32"), steps); err != nil {
							t.Errorf("run %s: %s: %v", run.Name, o.Name, err)
						}
					}
				}
			})
		}
	}
	if ran == 0 {
		t.Error("no case ran")
	}
}

// closeTo compares element by element; a share of the elements may be wrong by
// up to 2 % of the largest, where int8 rounding may differ.
func closeTo(got, want []float64, share float64) error {
	if len(got) != len(want) {
		return fmt.Errorf("%d elements, want %d", len(got), len(want))
	}
	peak, bad, first := 0.0, 0, -1
	for _, w := range want {
		peak = math.Max(peak, math.Abs(w))
	}
	for i, w := range want {
		d := math.Abs(got[i] - w)
		if d <= 1e-5+1e-4*math.Abs(w) || got[i] == w || math.IsNaN(got[i]) && math.IsNaN(w) {
			continue
		}
		if share == 0 || !(d <= 0.02*peak) {
			return fmt.Errorf("element %d of %d is %g, want %g", i, len(want), got[i], w)
		}
		bad++
		if first < 0 {
			first = i
		}
	}
	if float64(bad) > math.Max(share*float64(len(want)), 1) {
		return fmt.Errorf("%d of %d elements are off by a step, the first at %d: %g, want %g", bad, len(want), first, got[first], want[first])
	}
	return nil
}

// TestTrained runs the smaller trained networks.
func TestTrained(t *testing.T) {
	root := filepath.Join(models(t), "trained")
	for _, name := range []string{
		"mnist", "ultraface_rfb320", "squeezenet_v1.1", "antispoof_1", "dtln_1", "silero_vad5", "stories260k_modern",
		"mobilefacenet", "fastestdet", "minivision_facedet", "mobilenetv2_int8", "nanodet_plus_m416",
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(root, name)
			if _, err := os.Stat(dir); err != nil {
				t.Skip("not there")
			}
			c, n := loadCase(t, dir)
			for _, run := range c.Cases[:1] {
				in := map[string]layer.Tensor{}
				for _, i := range run.Inputs {
					x := layer.Tensor{Shape: shapeOf(i.Shape)}
					switch {
					case i.Png != "":
						x.Data = readPicture(t, filepath.Join(dir, i.Png), i.Pixel, x.Shape, i.Mean, i.Norm)
					default:
						dtype := i.Dtype
						for _, b := range n.Graph.Inputs {
							if b.Name == i.Name && layer.WantsWords(b) {
								dtype = "i32"
							}
						}
						x.Data = readFloats(t, filepath.Join(dir, i.File), dtype)
					}
					in[i.Name] = x
				}
				got, err := Run(n.Graph, in, Options{KeepAll: true})
				if err != nil {
					t.Fatal(err)
				}
				for _, o := range run.Outputs {
					if o.AfterNMS || o.File == "" {
						continue
					}
					want := readFloats(t, filepath.Join(dir, o.File), "f32")
					y := got[o.Name].Data
					if len(y) != len(want) {
						t.Errorf("%s has %d elements, want %d", o.Name, len(y), len(want))
						continue
					}
					tol := o.Tol
					if tol == 0 {
						tol = 1e-4
					}
					peak, worst := 0.0, 0.0
					for i, w := range want {
						peak, worst = math.Max(peak, math.Abs(w)), math.Max(worst, math.Abs(y[i]-w))
					}
					t.Logf("%s: off by %.2g of the peak %g (limit %g)", o.Name, worst/peak, peak, tol)
					if !(worst <= tol*peak) {
						t.Errorf("%s is off by %g of the peak %g, allowed %g", o.Name, worst/peak, peak, tol)
					}
				}
			}
		})
	}
}
