package op

import (
	"strings"
	"testing"

	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/lane"
)

// network is input -> conv -> (relu, output) with a window of the relu's buffer.
func network() *Graph {
	b := lane.New("relu")
	relu := b.Return(b.Max(b.F(0), b.Vec()))
	x := &Tensor{ID: 0, Name: "x", Dims: []int{4, 5, 3}}
	y := &Tensor{ID: 1, Name: "y", Dims: []int{4, 5, 8}}
	z := &Tensor{ID: 2, Name: "z", Dims: []int{4, 5, 8}}
	port := func(s ir.Shape) *Port { return &Port{Blob: &ir.Blob{}, Shape: s, Perm: []int{1, 2, 0}} }
	in := &Op{Index: 0, Name: "in", Kind: Input, Out: []*Tensor{x}, Port: port(ir.Shape3(5, 4, 3))}
	conv := &Op{
		Index: 1, Name: "conv", Kind: Conv, In: []*Tensor{x}, Out: []*Tensor{y},
		Conv:   &ConvAttr{InH: 4, InW: 5, InC: 3, OutH: 4, OutW: 5, OutC: 8, KH: 3, KW: 3, SH: 1, SW: 1, DH: 1, DW: 1, PadT: 1, PadL: 1},
		Panels: &Panels{Name: "conv", N: 8, Taps: 9, Chans: 3},
	}
	m := &Op{Index: 2, Name: "relu", Kind: Map, In: []*Tensor{y}, Out: []*Tensor{z}, Map: &MapAttr{relu}}
	out := &Op{Index: 3, Name: "out", Kind: Output, In: []*Tensor{z}, Port: port(ir.Shape3(5, 4, 8))}
	for _, o := range []*Op{in, conv, m} {
		o.Out[0].Producer = o
	}
	return &Graph{Name: "n", Ops: []*Op{in, conv, m, out}, Tensors: []*Tensor{x, y, z}, Inputs: []*Op{in}, Outputs: []*Op{out}}
}

func placed() *Graph {
	g := network()
	for _, t := range g.Tensors {
		t.Strides = []int{t.Dims[1] * t.Dims[2], t.Dims[2], 1}
	}
	return g
}

// addTensor and addOp extend a graph before its last operation, the output.
func addTensor(g *Graph, t *Tensor) *Tensor {
	t.ID = len(g.Tensors)
	g.Tensors = append(g.Tensors, t)
	return t
}

func addOp(g *Graph, o *Op) {
	last := len(g.Ops) - 1
	o.Index = last
	g.Ops[last].Index++
	g.Ops = append(g.Ops[:last:last], o, g.Ops[last])
	for _, t := range o.Out {
		t.Producer = o
	}
}

func TestCheckAccepts(t *testing.T) {
	if err := Check(network()); err != nil {
		t.Error(err)
	}
	if err := CheckPlaced(placed()); err != nil {
		t.Error(err)
	}
}

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(g *Graph)
		want  string
	}{
		{"index", func(g *Graph) { g.Ops[1].Index = 7 }, `conv "conv": has index 7 at position 1`},
		{"name", func(g *Graph) { g.Ops[2].Name = "conv" }, `its name is empty or not unique`},
		{"order", func(g *Graph) {
			g.Ops[1], g.Ops[2] = g.Ops[2], g.Ops[1]
			g.Ops[1].Index, g.Ops[2].Index = 1, 2
		}, `reads %1 y f32[4,5,8] before it is produced`},
		{"two producers", func(g *Graph) { g.Ops[2].Out[0] = g.Tensors[1] }, `writes %1 y f32[4,5,8], as does "conv"`},
		{"producer", func(g *Graph) { g.Tensors[1].Producer = g.Ops[0] }, `which names another producer`},
		{"foreign tensor", func(g *Graph) { g.Ops[3].In[0] = &Tensor{ID: 1, Name: "f", Dims: []int{4, 5, 8}} }, `which is not in the graph`},
		{"id", func(g *Graph) { g.Tensors[1].ID = 0 }, `has id 0 at position 1`},
		{"empty axis", func(g *Graph) { g.Tensors[1].Dims[0] = 0 }, `has an empty axis`},
		{"conv dims", func(g *Graph) { g.Ops[1].Conv.InC = 4 }, `maps [4,5,4] to [4,5,8], but its tensors are`},
		{"panels", func(g *Graph) { g.Ops[1].Panels.Taps = 1 }, `panels of 8 channels, 1 taps of 3, where 8, 9 and 3 are needed`},
		{"no panels", func(g *Graph) { g.Ops[1].Panels = nil }, `has no attributes or no panels`},
		{"stride", func(g *Graph) { g.Ops[1].Conv.SW = 0 }, `kernel 3,3 stride 1,0 dilation 1,1`},
		{"winograd of a row", func(g *Graph) { g.Ops[1].Conv.Winograd, g.Ops[1].Conv.DH = 4, 2 }, `winograd 4 by 0 tiles, of a kernel 3,3 stride 1,1 dilation 2,1`},
		{"winograd without scratch", func(g *Graph) { g.Ops[1].Conv.Winograd, g.Ops[1].Conv.WinogradTiles, g.Ops[1].RowGrain = 6, 1, 6 }, `winograd 6 with steps by 6 rows, scratch 0 and 0 per thread`},
		{"negative scratch", func(g *Graph) { g.Ops[1].WorkScratch = -1 }, `scratch 0, -1, 0, by 0 rows`},
		{"attributes", func(g *Graph) { g.Ops[1].Pool = &PoolAttr{} }, `has 2 attribute structs`},
		{"port perm", func(g *Graph) { g.Ops[0].Port.Perm = []int{0, 1, 2} }, `port of shape 5,4,3, perm [0 1 2] and tensor`},
		{"port list", func(g *Graph) { g.Outputs = nil }, `the lists of inputs and outputs are not those of the operations`},
		{"map inputs", func(g *Graph) { g.Ops[2].In = nil }, `program relu has 1 inputs, and there are 0 tensors`},
		{"map dims", func(g *Graph) { g.Ops[2].In[0] = g.Tensors[0] }, `does not broadcast to`},
		{"map splat", func(g *Graph) {
			c := addTensor(g, &Tensor{Name: "c", Dims: []int{1}, Const: &Const{Len: 1}})
			g.Ops[2].In[0] = c
		}, `program relu reads %3 c f32[1] const as vector for rows of 8`},
		{"epilogue dims", func(g *Graph) {
			b := lane.New("add")
			g.Ops[1].Epilogue = b.Return(b.Add(b.Vec(), b.Vec()))
			g.Ops[1].EpilogueIn = []*Tensor{g.Tensors[0]}
		}, `the epilogue's input %0 x f32[4,5,3] is neither like`},
		{"epilogue of a map", func(g *Graph) { g.Ops[2].Epilogue = g.Ops[2].Map.Program }, `has an epilogue`},
		{"epilogue inputs", func(g *Graph) { g.Ops[1].EpilogueIn = []*Tensor{g.Tensors[0]} }, `has inputs for an epilogue that it has not`},
		{"window beyond its base", func(g *Graph) {
			g.Tensors[1].Base, g.Tensors[1].Offset, g.Tensors[1].Strides = g.Tensors[2], 1, []int{40, 8, 1}
		}, `reaches element 160 of a base with 160`},
		{"base of a base", func(g *Graph) {
			g.Tensors[2].Base, g.Tensors[2].Strides = g.Tensors[1], []int{40, 8, 1}
			g.Tensors[1].Base, g.Tensors[1].Strides = g.Tensors[0], []int{40, 8, 1}
		}, `has a base that is itself a window`},
		{"const", func(g *Graph) { g.Tensors[1].Const = &Const{Len: 3} }, `const tensor %1 y f32[4,5,8] const has a producer, a base, or 3 elements of f32`},
		{"copy", func(g *Graph) {
			addOp(g, &Op{Name: "c", Kind: Copy, In: []*Tensor{g.Tensors[0]}, Out: []*Tensor{addTensor(g, &Tensor{Name: "c", Dims: []int{4, 3, 5}})}, Perm: []int{0, 1, 2}})
		}, `copies %0 x f32[4,5,3] to %3 c f32[4,3,5] by [0 1 2]`},
		{"view", func(g *Graph) {
			addOp(g, &Op{Name: "v", Kind: View, In: []*Tensor{g.Tensors[0]}, Out: []*Tensor{addTensor(g, &Tensor{Name: "v", Dims: []int{4, 5, 2}})}, Start: []int{0, 0, 2}})
		}, `window %3 v f32[4,5,2] from [0 0 2] of %0 x f32[4,5,3]`},
		{"concat", func(g *Graph) {
			addOp(g, &Op{Name: "c", Kind: Concat, In: []*Tensor{g.Tensors[0], g.Tensors[1]}, Out: []*Tensor{addTensor(g, &Tensor{Name: "c", Dims: []int{4, 5, 12}})}, Axis: 2})
		}, `joins 11 to %3 c f32[4,5,12] along axis 2`},
		{"rows", func(g *Graph) {
			b := lane.New("sum")
			sum := b.ReturnReduced(b.Vec(), lane.ReduceSum, false)
			addOp(g, &Op{
				Name: "r", Kind: Rows, In: []*Tensor{g.Tensors[0]}, Out: []*Tensor{addTensor(g, &Tensor{Name: "r", Dims: []int{4, 5, 3}})},
				Rows: &RowsAttr{[]Pass{{Program: sum, In: []Source{{FromRegister, 1}}, To: 0}}},
			})
		}, `pass 0 reads register 1 before a pass writes it`},
	} {
		g := network()
		c.spoil(g)
		if err := Check(g); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v\nwant %s", c.name, err, c.want)
		}
	}
}

func TestCheckPlaced(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(g *Graph)
		want  string
	}{
		{"strides", func(g *Graph) { g.Tensors[1].Strides = nil }, `has no strides`},
		{"view left", func(g *Graph) {
			addOp(g, &Op{Name: "v", Kind: View, In: []*Tensor{g.Tensors[0]}, Out: []*Tensor{addTensor(g, &Tensor{Name: "v", Dims: []int{60}, Strides: []int{1}})}})
		}, `view "v": is left after placement`},
		{"half is written", func(g *Graph) {
			g.Tensors[1].Base, g.Tensors[1].Strides = addTensor(g, &Tensor{Name: "b", Dims: []int{4, 5, 9}, Strides: []int{45, 9, 1}}), []int{45, 9, 1}
			g.Ops[2].In[0] = addTensor(g, &Tensor{Name: "w", Dims: []int{4, 5, 8}, Base: g.Tensors[3], Offset: 1, Strides: []int{45, 9, 1}})
		}, `reads %4 w f32[4,5,8] in %3 +1 by 45,9,1 before all of it is written`},
		{"written twice", func(g *Graph) {
			g.Tensors[2].Base, g.Tensors[2].Strides = g.Tensors[1], []int{40, 8, 1}
		}, `writes elements of %2 z f32[4,5,8] in %1 +0 by 40,8,1 that are written already`},
		{"rows with gaps", func(g *Graph) {
			b := addTensor(g, &Tensor{Name: "b", Dims: []int{320}, Strides: []int{1}})
			g.Tensors[1].Base, g.Tensors[1].Strides = b, []int{80, 16, 2}
		}, `whose innermost elements are no neighbours`},
	} {
		g := placed()
		c.spoil(g)
		if err := CheckPlaced(g); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v\nwant %s", c.name, err, c.want)
		}
	}
}

func TestPrint(t *testing.T) {
	g := placed()
	g.Tensors[1].Base, g.Tensors[1].Offset = addTensor(g, &Tensor{Name: "b", Dims: []int{5, 5, 8}, Strides: []int{40, 8, 1}}), 40
	g.Ops[1].Epilogue = g.Ops[2].Map.Program
	want := `n: 4 ops, 4 tensors
  0 input "in": -> %0 x f32[4,5,3]  user 5,4,3 perm 1,2,0
  1 conv "conv": %0 x -> %1 y f32[4,5,8] in %3 +40 by 40,8,1  kernel 3,3 stride 1,1 pad 1,1; panels 1 of K 27; then relu
  2 map "relu": %1 y -> %2 z f32[4,5,8]  relu
  3 output "out": %2 z ->  user 5,4,8 perm 1,2,0
`
	if got := g.String(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}
