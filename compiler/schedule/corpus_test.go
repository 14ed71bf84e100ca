package schedule_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/flexnnc/flexnnc/compiler/lower"
	"github.com/flexnnc/flexnnc/compiler/ncnn"
	"github.com/flexnnc/flexnnc/compiler/schedule"
	"github.com/flexnnc/flexnnc/compiler/verify"
	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/op"
	"github.com/flexnnc/flexnnc/ir/plan"
)

// model lowers a reference network; it skips the test where there are none.
func model(t testing.TB, name string, options lower.Options) *op.Graph {
	t.Helper()
	root := os.Getenv("FLEXNNC_MODELS")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared", "models")
	}
	dir := filepath.Join(root, "synthetic", name)
	if _, err := os.Stat(dir); err != nil {
		t.Skip("no reference networks: set FLEXNNC_MODELS")
	}
	data, err := os.ReadFile(filepath.Join(dir, "case.json"))
	if err != nil {
		t.Fatal(err)
	}
	var c struct {
		Cases []struct {
			Inputs []struct {
				Name  string
				Shape []int `json:"shape_whc"`
			}
		}
	}
	if err := json.Unmarshal(data, &c); err != nil {
		t.Fatal(err)
	}
	inputs := map[string]ir.Shape{}
	for _, in := range c.Cases[0].Inputs {
		axes := slices.Clone(in.Shape)
		slices.Reverse(axes)
		inputs[in.Name] = ir.FromAxes(axes)
	}
	n, err := ncnn.Open(filepath.Join(dir, name+".param"), "")
	if err != nil {
		t.Skip(err)
	}
	defer n.Close()
	if err := lower.Infer(n.Graph, inputs); err != nil {
		t.Fatal(err)
	}
	g, err := lower.Lower(n.Graph, options)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// TestFloors: the smallest budgets of reference networks, in bytes, by direct algorithms.
func TestFloors(t *testing.T) {
	for _, c := range []struct {
		name string
		most plan.Bytes
	}{
		{"squeezenet", 0.47e6}, {"mobilenet_v2", 0.57e6}, {"resnet18", 0.87e6}, {"resnet152", 2.3e6}, {"vgg19", 2.8e6},
		{"alexnet", 0.67e6}, {"blazeface", 0.23e6}, {"efficientnet_b0", 2.25e6}, {"googlenet", 1.2e6}, {"gpt2", 0.5e6}, {"mnasnet", 0.48e6},
		{"mobilenet", 0.8e6}, {"mobilenet_v3", 0.75e6}, {"nanodet_m", 1.3e6}, {"resnet50", 2.3e6}, {"shufflenet_v2", 0.49e6}, {"vgg16", 2.3e6},
		{"vision_transformer", 3.4e6}, {"yolo-fastestv2", 0.62e6},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := model(t, c.name, lower.Options{Without: []string{"winograd"}})
			start := time.Now()
			p, err := schedule.Plan(g, schedule.Options{Min: true, Threads: 4})
			took := time.Since(start)
			if err != nil {
				t.Fatal(err)
			}
			if err := verify.Check(p); err != nil {
				t.Fatal(err)
			}
			checked := time.Since(start) - took
			q, err := schedule.Plan(g, schedule.Options{Min: true, Threads: 4, NoBands: true})
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%8d bytes in %4d steps, %v, planned in %v, checked in %v; %8d bytes in %4d steps, %v without bands",
				p.Arena, len(p.Steps), p.Forecast.Run, took, checked, q.Arena, len(q.Steps), q.Forecast.Run)
			if p.Arena > c.most {
				t.Errorf("the smallest budget is %d, want at most %d", p.Arena, c.most)
			}
		})
	}
}

// TestMoreMemory: more memory never predicts more time, also where convolutions by
// Winograd's algorithm make do with less scratch in the smaller budgets.
func TestMoreMemory(t *testing.T) {
	for _, name := range []string{"squeezenet", "resnet18"} {
		t.Run(name, func(t *testing.T) {
			g := model(t, name, lower.Options{})
			p, err := schedule.Plan(g, schedule.Options{Min: true, Threads: 4})
			if err != nil {
				t.Fatal(err)
			}
			for b := p.Arena; b < 4*p.Certificate.MinBudget; b += b / 12 {
				more, err := schedule.Plan(g, schedule.Options{Budget: b, Threads: 4})
				if err != nil {
					t.Fatal(err)
				}
				if more.Forecast.Run > p.Forecast.Run {
					t.Errorf("%v within %d bytes, %v within an arena of %d", more.Forecast.Run, b, p.Forecast.Run, p.Arena)
				}
				p = more
			}
		})
	}
}

// TestAmpleScratch: where memory does not matter steps have all the scratch that they
// ask for. The forecast does not tell how much slower they are with less.
func TestAmpleScratch(t *testing.T) {
	g := model(t, "resnet18", lower.Options{})
	p, err := schedule.Plan(g, schedule.Options{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for i := range p.Steps {
		s := &p.Steps[i]
		if s.Scratch < 0 {
			continue
		}
		n++
		if got, want := int(p.Buffers[s.Scratch].Size), s.Op.StepScratch(p.Threads); got < want {
			t.Errorf("%s has %d bytes of scratch, asks for %d", s.Op.Name, got, want)
		}
	}
	if n == 0 {
		t.Error("no step has scratch")
	}
}
