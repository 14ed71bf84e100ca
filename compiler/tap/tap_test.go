package tap

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flexnnc/flexnnc/compiler/ncnn"
	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/diag"
)

const network = `7767517
4 4
Input   data 0 1 data 0=4
ReLU    a 1 1 data a
Sigmoid a/on 1 1 a b
TanH    c 1 1 b c
`

func parse(t *testing.T) *ir.Graph {
	t.Helper()
	g, faults := ncnn.ParseParam("n.param", []byte(network), &diag.List{})
	if err := faults.Err(); err != nil {
		t.Fatal(err)
	}
	return g
}

func TestOutputs(t *testing.T) {
	g := parse(t)
	if err := Outputs(g, []string{"a", "c", "a", "b"}); err != nil {
		t.Fatal(err)
	}
	if err := ir.Check(g); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"c", "a", "b"}, outputNames(g)); d != "" {
		t.Error(d)
	}
	var lines []string
	for _, l := range g.Layers {
		line := l.Name + ":"
		for _, b := range l.Inputs {
			line += " " + b.Name
		}
		line += " ->"
		for _, b := range l.Outputs {
			line += " " + b.Name
		}
		lines = append(lines, line)
	}
	want := []string{
		"data: -> data",
		"a: data -> a/whole",
		"a/tap: a/whole -> a a/on'",
		"a/on: a/on' -> b/whole",
		"b/tap: b/whole -> b b/on",
		"c: b/on -> c",
	}
	if d := cmp.Diff(want, lines); d != "" {
		t.Error(d)
	}
}

func TestUnknownBlob(t *testing.T) {
	err := Outputs(parse(t), []string{"x", "y", "data"})
	if _, ok := diag.As(err); !ok || !strings.Contains(err.Error(), "no blob x") || !strings.Contains(err.Error(), "no blob y") || !strings.Contains(err.Error(), "data is an input") || !strings.Contains(err.Error(), "its outputs are c") {
		t.Errorf("%v", err)
	}
}
