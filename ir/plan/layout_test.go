package plan

import (
	"bytes"
	"strings"
	"testing"

	"github.com/flexnnc/flexnnc/ir/op"
)

// TestLayout: consts before panels, each once, aligned.
func TestLayout(t *testing.T) {
	slope := &op.Tensor{Name: "slope", Dims: []int{5}, Const: &op.Const{Name: "slope", Len: 5}}
	window := &op.Tensor{Name: "window", Dims: []int{2}, Base: slope, Offset: 1}
	x := &op.Tensor{Name: "x", Dims: []int{3}}
	small := &op.Panels{Name: "small", N: 20, Taps: 9, Chans: 3}
	large := &op.Panels{Name: "large", N: 1, Taps: 1, Chans: 5000}
	halves := &op.Panels{Name: "halves", N: 17, Taps: 1, Chans: 9, Type: op.F16}
	f := Layout(&op.Graph{Ops: []*op.Op{
		{Name: "a", In: []*op.Tensor{x}, EpilogueIn: []*op.Tensor{slope}, Panels: small},
		{Name: "b", In: []*op.Tensor{window, x, slope}, Panels: large},
		{Name: "c", Panels: halves},
		{Name: "again", Panels: small},
	}})
	want := []struct {
		name                 string
		offset, bytes, chunk Bytes
	}{
		{"slope", 0, 64, 64},
		{"small", 64, 2 * (64 + 64*27), 64 + 64*27},
		{"large", 64 + 3584, 64 + 64*5000, MaxChunk},
		{"halves", 64 + 3584 + 320064, 2 * (64 + 32*9 + 32), 64 + 32*9 + 32},
	}
	if len(f.Items) != len(want) || f.Bytes != 64+3584+320064+768 {
		t.Fatalf("%+v", f)
	}
	for i, w := range want {
		it := f.Items[i]
		if it.Name != w.name || it.Offset != w.offset || it.Bytes != w.bytes || it.Chunk != w.chunk {
			t.Errorf("item %d is %+v, want %+v", i, it, w)
		}
	}
}

// TestPictureCells: what covers most of a cell is drawn.
func TestPictureCells(t *testing.T) {
	p := &Plan{
		Arena: 256,
		Steps: []Step{{Weights: -1}, {Weights: 1}, {Weights: -1}, {Weights: -1}},
		Buffers: []Buffer{
			{Kind: Activation, Size: 128, First: 0, Last: 1, SharesWith: -1},
			{ID: 1, Kind: Weights, Offset: 128, Size: 64, First: 0, Last: 1, SharesWith: -1},
			{Kind: Weights, Offset: 192, Size: 64, First: 0, Last: 3, Resident: true, SharesWith: -1},
			{Kind: Activation, Size: 128, First: 1, Last: 3, SharesWith: 0},
			{Kind: Scratch, Offset: 128, Size: 64, First: 2, Last: 2, SharesWith: -1},
		},
	}
	var b bytes.Buffer
	if err := Picture(&b, p, 4, 4); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(b.String(), "\n")
	for i, want := range []string{"════", "░▒· ", "██▓▓", "██▓▓"} {
		if !strings.Contains(lines[i], "┤"+want+"│") {
			t.Errorf("line %d is %q, want %q", i, lines[i], want)
		}
	}
	b.Reset()
	if err := Picture(&b, &Plan{}, 4, 4); err != nil || b.Len() == 0 {
		t.Errorf("an empty plan: %q, %v", b.String(), err)
	}
}
