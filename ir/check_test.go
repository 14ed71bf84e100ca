package ir

import (
	"strings"
	"testing"
)

// chain is Input -> a -> Convolution -> b.
func chain() *Graph {
	in := &Layer{Index: 0, Type: "Input", Name: "in", Pos: Pos{File: "m.param", Line: 3, Col: 1}}
	conv := &Layer{
		Index: 1, Type: "Convolution", Name: "conv 1", Pos: Pos{File: "m.param", Line: 4, Col: 1},
		Params: Params{
			{ID: 0, Scalar: IntScalar(8)}, {ID: 1, Scalar: FloatScalar(2)}, {ID: 2, Scalar: FloatScalar(1e-9)},
			{ID: 10, Kind: ParamArray, Array: []Scalar{FloatScalar(0.5), IntScalar(-3)}}, {ID: 6, Kind: ParamString, Str: `*(0w,2)`},
		},
		Weights: []*Weight{{Name: "weight", Count: 24}, {Name: "bias", Count: 8, Storage: StoreF16, Offset: 100, Source: strings.NewReader("")}},
	}
	a := &Blob{Index: 0, Name: "a", Producer: in, Consumer: conv, Shape: Shape3(4, 5, 3)}
	b := &Blob{Index: 1, Name: "odd name", Producer: conv, Ints: true}
	in.Outputs, conv.Inputs, conv.Outputs = []*Blob{a}, []*Blob{a}, []*Blob{b}
	return &Graph{Name: "m", Layers: []*Layer{in, conv}, Blobs: []*Blob{a, b}, Inputs: []*Blob{a}, Outputs: []*Blob{b}}
}

func TestPrint(t *testing.T) {
	want := `m: 2 layers, 2 blobs
  0 Input "in" () -> (a[4,5,3])  @m.param:3:1
  1 Convolution "conv 1" (a[4,5,3]) -> ("odd name"i32[?])  0=8 1=2.0 2=1e-09 -23310=2,0.5,-3 6="*(0w,2)"  weight[24], bias[8] f16 +100  @m.param:4:1
inputs (a[4,5,3]), outputs ("odd name"i32[?])
`
	if got := chain().String(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestCheck(t *testing.T) {
	if err := Check(chain()); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		spoil func(g *Graph)
		want  string
	}{
		{"blob index", func(g *Graph) { g.Blobs[1].Index = 5 }, `blob "odd name" has index 5 at position 1`},
		{"layer index", func(g *Graph) { g.Layers[0].Index = 1 }, `layer "in" has index 1 at position 0`},
		{"order", func(g *Graph) {
			g.Layers[0], g.Layers[1] = g.Layers[1], g.Layers[0]
			g.Layers[0].Index, g.Layers[1].Index = 0, 1
		}, `layer "conv 1" consumes blob "a" before it is produced`},
		{"producer", func(g *Graph) { g.Blobs[1].Producer = g.Layers[0] }, `layer "conv 1" produces blob "odd name", which names another producer`},
		{"no producer", func(g *Graph) { g.Blobs[0].Producer = nil }, `blob "a" has no producer`},
		{"consumer", func(g *Graph) { g.Blobs[0].Consumer = nil }, `layer "conv 1" consumes blob "a", which names another consumer`},
		{"consumed by nobody", func(g *Graph) { g.Blobs[1].Consumer = g.Layers[0] }, `blob "odd name" is an input of its consumer 0 times`},
		{"twice", func(g *Graph) { g.Layers[0].Outputs = append(g.Layers[0].Outputs, g.Blobs[1]) }, `blob "odd name" is produced twice`},
		{"foreign blob", func(g *Graph) { g.Layers[1].Inputs[0] = &Blob{Name: "z"} }, `layer "conv 1" consumes a blob "z" that is not the graph's`},
		{"names", func(g *Graph) { g.Blobs[1].Name = "a" }, `two blobs are named "a"`},
		{"inputs", func(g *Graph) { g.Inputs = nil }, `inputs are () and not (a[4,5,3])`},
		{"outputs", func(g *Graph) { g.Outputs = g.Inputs }, `outputs are (a[4,5,3]) and not ("odd name"i32[?])`},
		{"parameter", func(g *Graph) { g.Layers[1].Params[1].ID = 0 }, `has parameter id 0 out of range or twice`},
		{"hints", func(g *Graph) { g.Layers[0].Hints = make([]Shape, 2) }, `layer "in" has 2 shape hints for 1 outputs`},
		{"weights", func(g *Graph) { g.Layers[1].Weights[0].Count = -1 }, `weight "weight" of layer "conv 1" has -1 elements at 0`},
	} {
		g := chain()
		c.spoil(g)
		if err := Check(g); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v\nwant %s", c.name, err, c.want)
		}
	}
}
