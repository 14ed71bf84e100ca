package ncnn

import (
	"math"
	"regexp"
	"strings"
	"testing"

	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/diag"
	"github.com/google/go-cmp/cmp"
)

func parse(t *testing.T, src string) (*ir.Graph, []string) {
	t.Helper()
	var warnings diag.List
	g, faults := ParseParam("dir/m.param", []byte(src), &warnings)
	if err := faults.Err(); err != nil {
		t.Fatalf("%v\nin\n%s", err, src)
	}
	if err := ir.Check(g); err != nil {
		t.Fatal(err)
	}
	return g, lines(warnings)
}

func lines(l diag.List) []string {
	var s []string
	for _, d := range l.Found {
		s = append(s, strings.ReplaceAll(d.String(), "\n\thint: ", " | "))
	}
	return s
}

// What ncnn reads in files that converters wrote, although it is not as it should be.
func TestTextLeniency(t *testing.T) {
	g, warnings := parse(t, "7767517\n5 6\nInput in0 0 2 in0 in1\nTestPass p 2 1 in0 in1 x\nTestConv c 1 1 x y 0=8 1=2.f 6=216\nSplit s 1 2 y z w\nNoop silence 2 0 z w\n")
	if diff := cmp.Diff([]string{`dir/m.param:4:1: layer "p": TestPass reads one input; the other is ignored, as ncnn does`}, warnings); diff != "" {
		t.Error(diff)
	}
	if len(g.Inputs) != 2 || len(g.Outputs) != 0 {
		t.Errorf("%d inputs and %d outputs, want 2 and 0", len(g.Inputs), len(g.Outputs))
	}
	if v := g.Layers[2].Params.Float(1, 0); v != 2 {
		t.Errorf("2.f is read as %v", v)
	}
}

func TestUnreadInput(t *testing.T) {
	g, warnings := parse(t, "7767517\n3 4\nInput in 0 2 label in0\nInput other 0 1 other\nTestPass p 1 1 in0 x\n")
	if diff := cmp.Diff([]string{
		`dir/m.param:3:14: layer "in": no layer reads input "label"; it is left out`,
		`dir/m.param:4:17: layer "other": no layer reads input "other"; it is left out`,
	}, warnings); diff != "" {
		t.Error(diff)
	}
	if len(g.Inputs) != 1 || g.Inputs[0].Name != "in0" || len(g.Outputs) != 1 || len(g.Layers) != 2 {
		t.Errorf("%d inputs, %d outputs, %d layers; want 1, 1 and 2", len(g.Inputs), len(g.Outputs), len(g.Layers))
	}
}

func TestTextForms(t *testing.T) {
	src := "7767517\n3 3\n" +
		"Input            in0 0 1 in0 -23330=4,3,5,4,3 0=5 1=4 2=3\r\n" +
		"\n" +
		"TestConv   layer/with.odd-name:0 1 1\tin0 77 -23302=3,1,2,-3 3=0.1,-.5e1, 0=8 1=-1.25e+0 6=216 4=\"*(0w,2), -1\"\n" +
		"TestPass p 1 1 77 out\n"
	g, warnings := parse(t, src)
	if len(warnings) > 0 {
		t.Errorf("warnings %q", warnings)
	}
	if g.Name != "m" || len(g.Layers) != 3 || len(g.Blobs) != 3 {
		t.Fatalf("%q with %d layers and %d blobs", g.Name, len(g.Layers), len(g.Blobs))
	}
	if diff := cmp.Diff([]ir.Shape{ir.Shape3(5, 4, 3)}, g.Layers[0].Hints); diff != "" {
		t.Error(diff)
	}
	l := g.Layers[1]
	if l.Name != "layer/with.odd-name:0" || l.Inputs[0].Name != "in0" || l.Outputs[0].Name != "77" || l.Outputs[0].Consumer != g.Layers[2] {
		t.Errorf("layer %+v", l)
	}
	if want := (ir.Pos{File: "dir/m.param", Line: 5, Col: 1}); l.Pos.File != want.File || l.Pos.Line != want.Line || l.Pos.Col != want.Col {
		t.Errorf("layer at %v, want %v", l.Pos, want)
	}
	if got := l.Params.Get(0).Pos; got.Line != 5 || got.Col != 74 {
		t.Errorf("parameter 0 at %v", got)
	}
	if diff := cmp.Diff([]int{1, 2, -3}, l.Params.Ints(2)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]float32{0.1, -5}, l.Params.Floats(3)); diff != "" {
		t.Error(diff)
	}
	if l.Params.Int(0, 0) != 8 || l.Params.Float(1, 0) != -1.25 || l.Params.Str(4) != "*(0w,2), -1" {
		t.Errorf("parameters %+v", l.Params)
	}
	if len(g.Inputs) != 1 || g.Inputs[0].Name != "in0" || len(g.Outputs) != 1 || g.Outputs[0].Name != "out" {
		t.Errorf("inputs %v, outputs %v", g.Inputs, g.Outputs)
	}
	if w := l.Weight("weight"); w == nil || w.Count != 216 || w.Source != nil {
		t.Errorf("weight %+v", w)
	}
}

// A layer may go on in the next line, and everything may stand in one line.
func TestTextLineEndsMeanNothing(t *testing.T) {
	broken := "7767517 2\n2 Input in0 0 1 in0 0=5\nTestConv c 1\n1 in0\nout 0=8\n 6=9\n"
	g, _ := parse(t, broken)
	h, _ := parse(t, "7767517\n2 2\nInput in0 0 1 in0 0=5\nTestConv c 1 1 in0 out 0=8 6=9")
	position := regexp.MustCompile(`@dir/m.param:\d+:\d+`)
	if diff := cmp.Diff(position.ReplaceAllString(h.String(), ""), position.ReplaceAllString(g.String(), "")); diff != "" {
		t.Error(diff)
	}
}

func TestArrayForms(t *testing.T) {
	for _, c := range []struct {
		text  string
		bits  []uint32
		warns bool
	}{
		{"2=1,2", []uint32{1, 2}, false},
		{"2=7,", []uint32{7}, false},
		{"-23302=0", []uint32{}, false},
		{"-23302=1,7", []uint32{7}, false},
		{"3=1.0,2", []uint32{math.Float32bits(1), math.Float32bits(2)}, true}, // by the first
		{"2=1,2.5", []uint32{1, 2}, true},
		{"-23303=2,1.0,2", []uint32{math.Float32bits(1), 2}, true}, // one by one
		{"3=5,6", []uint32{5, 6}, true},
		{"-23303=2,1077936128,-1082130432", []uint32{0x40400000, 0xbf800000}, false}, // 3.0 and -1.0 as their bits
	} {
		g, warnings := parse(t, "7767517\n2 2\nInput in0 0 1 in0\nTestConv c 1 1 in0 out "+c.text)
		p := g.Layers[1].Params[0]
		if p.Kind != ir.ParamArray || len(p.Array) != len(c.bits) {
			t.Errorf("%s: %+v", c.text, p)
			continue
		}
		for i, b := range c.bits {
			if p.Array[i].Bits != b {
				t.Errorf("%s: element %d is %08x, want %08x", c.text, i, p.Array[i].Bits, b)
			}
		}
		if (len(warnings) > 0) != c.warns {
			t.Errorf("%s: warnings %q", c.text, warnings)
		}
	}
}

func TestNumbers(t *testing.T) {
	for s, want := range map[string]ir.Scalar{
		"0": ir.IntScalar(0), "-233": ir.IntScalar(-233), "+7": ir.IntScalar(7),
		"-2147483648": ir.IntScalar(-1 << 31), "2147483647": ir.IntScalar(1<<31 - 1),
		".75": ir.FloatScalar(.75), "-.5": ir.FloatScalar(-.5), "1.": ir.FloatScalar(1), "1e5": ir.FloatScalar(1e5),
		"-1.25e+0": ir.FloatScalar(-1.25), "3.402823e+38": ir.FloatScalar(3.402823e38), "1E-3": ir.FloatScalar(1e-3),
	} {
		b := newBuilder("f", &diag.List{})
		got, ok := b.number(&record{layer: &ir.Layer{}}, ir.Pos{}, s)
		if !ok || got != want {
			t.Errorf("%s: %+v %v, want %+v", s, got, ok, want)
		}
	}
	for _, s := range []string{"", "-", ".", "1e", "e5", "0x10", "1_0", "12abc", "-inf", "1.2.3", "2147483648", "0.12345678901234567", "1 "} {
		b := newBuilder("f", &diag.List{})
		if got, ok := b.number(&record{layer: &ir.Layer{}}, ir.Pos{}, s); ok || len(b.faults.Found) != 1 {
			t.Errorf("%q: %+v %v", s, got, ok)
		}
	}
}

func TestTextWarnings(t *testing.T) {
	for _, c := range []struct{ name, src, want string }{
		{"extra layers", "7767517\n1 1\nInput in0 0 1 in0\nNonsense x 1 1 in0 out\n",
			`dir/m.param:4:1: what follows the 1 layers that line 2 counts is ignored, as ncnn does`},
		{"blob count", "7767517\n1 5\nInput in0 0 1 in0\n",
			`dir/m.param:2:3: the layers have 1 blob and not 5`},
		{"unknown parameter", "7767517\n2 2\nInput in0 0 1 in0\nTestConv c 1 1 in0 out 9=1\n",
			`dir/m.param:4:24: layer "c": TestConv has no parameter 9; it is ignored`},
		{"int for float", "7767517\n2 2\nInput in0 0 1 in0\nTestConv c 1 1 in0 out 1=1\n",
			`dir/m.param:4:24: layer "c": parameter 1 (slope) is written as an integer; ncnn takes its bits as a float | write 1.0 and not 1`},
		{"float for int", "7767517\n2 2\nInput in0 0 1 in0\nTestConv c 1 1 in0 out 0=8.\n",
			`dir/m.param:4:24: layer "c": parameter 0 (num_output) is written as a float; ncnn takes its bits as an integer | write 1 and not 1.0`},
		{"scalar for array", "7767517\n2 2\nInput in0 0 1 in0\nTestConv c 1 1 in0 out 3=0.2\n",
			`dir/m.param:4:24: layer "c": parameter 3 (factors) is a single number where an array is expected; ncnn takes the array as empty | write -23303=1,VALUE or 3=VALUE, (with the comma)`},
		{"twice", "7767517\n2 2\nInput in0 0 1 in0\nTestConv c 1 1 in0 out 0=1 0=2\n",
			`dir/m.param:4:28: layer "c": parameter 0 is given a second time; the last one counts`},
		{"decimals", "7767517\n2 2\nInput in0 0 1 in0\nTestConv c 1 1 in0 out 1=0.1234567891\n",
			`dir/m.param:4:26: layer "c": 0.1234567891 has more than nine decimals, where ncnn's own reader overflows; it is taken as written | write 1.2345679e-01`},
		{"hints", "7767517\n2 2\nInput in0 0 1 in0\nTestConv c 1 1 in0 out -23330=3,1,2,3\n",
			`dir/m.param:4:24: layer "c": shape hints are not understood and ignored`},
	} {
		g, warnings := parse(t, c.src)
		if diff := cmp.Diff([]string{c.want}, warnings); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
		if c.name == "twice" && g.Layers[1].Params.Int(0, 0) != 2 {
			t.Error("the last value does not count")
		}
		if c.name == "float for int" && g.Layers[1].Params.Int(0, 0) != 0x41000000 {
			t.Error("the bits of 8.0 are not taken as an integer")
		}
	}
}

func TestTextFaults(t *testing.T) {
	const head = "7767517\n3 3\nInput in0 0 1 in0\n"
	for _, c := range []struct {
		name, src string
		want      []string
	}{
		{"empty", "", []string{`dir/m.param:1:1: the file is empty`}},
		{"old format", "75 83\nInput data 0 1 data\n", []string{
			`dir/m.param:1:1: not an ncnn parameter file: it does not begin with 7767517 | files of ncnn's first format have no such line; convert the model again with ncnn's tools`}},
		{"longer magic", "77675170\n1 1\n", []string{`dir/m.param:1:1: the magic number is "77675170" and not 7767517`}},
		{"byte order mark", "\xef\xbb\xbf7767517\n", []string{
			`dir/m.param:1:1: not an ncnn parameter file: it does not begin with 7767517 | save the file without a byte order mark`}},
		{"weights", "\x00\x00\x00\x00\x12\x13", []string{
			`dir/m.param:1:1: not an ncnn parameter file: it does not begin with 7767517 | this looks like a weights file; the network's .param or .param.bin is needed here`}},
		{"counts", "7767517\n-3 x\n", []string{
			`dir/m.param:2:1: the number of layers is "-3" | the second line is the number of layers and the number of blobs`,
			`dir/m.param:2:4: the number of blobs is "x" | the second line is the number of layers and the number of blobs`}},
		{"huge count", "7767517\n2000000000 1\nInput in0 0 1 in0\n", []string{
			`dir/m.param:2:1: the file has 1 layer and not 2000000000 | the file was cut, or the count should be 1`}},
		{"count beyond 32 bits", "7767517\n99999999999999999999 1\n", []string{
			`dir/m.param:2:1: the number of layers is "99999999999999999999" | the second line is the number of layers and the number of blobs`}},
		{"too many blobs", "7767517\n2 1\nInput in0 0 1 in0\nTestPass p 1 1 in0 out\n", []string{
			`dir/m.param:2:3: the layers have 2 blobs and not 1 | write 2 here`}},
		{"unknown types, all of them, once each", "7767517\n5 5\nInput in0 0 1 in0\nTestCov a 1 1 in0 x\nTestCov b 1 1 x y\nMyLayer c 1 1 y z\nTestPass d 1 1 z out\n", []string{
			`dir/m.param:4:1: layer "a": layer type "TestCov" is not supported | did you mean TestConv? or ` + customHint("TestCov"),
			`dir/m.param:6:1: layer "c": layer type "MyLayer" is not supported | ` + customHint("MyLayer")}},
		{"an operator that pnnx left", head + "aten::exp e 1 1 in0 x\nTestPass q 1 1 x y\n", []string{
			`dir/m.param:4:1: layer "e": layer type "aten::exp" is not supported | ` + leftHint("aten::exp")}},
		{"pnnx's own form", "7767517\n2 1\npnnx.Input in 0 1 0 #0=(1,3,8,8)f32\nnn.ReLU r 1 1 0 1 #0=(1,3,8,8)f32\n", []string{
			`dir/m.param:3:1: this is the network in pnnx's own form and not in ncnn's | give the file whose name ends in .ncnn.param, which pnnx writes beside this one`}},
		{"line ends after type", head + "TestPass\nTestPass p 1 1 in0 x\n", []string{
			`dir/m.param:4:1: the layer "TestPass" ends after its type | a layer is TYPE NAME INPUTS OUTPUTS, then blobs, then parameters`,
		}},
		{"several lines are bad", head + "TestPass p 1 x in0 x\nTestPass q -1 1 x\n", []string{
			`dir/m.param:4:14: layer "p": the number of outputs is "x"`,
			`dir/m.param:5:12: layer "q": the number of inputs is "-1"`}},
		{"too few blobs", head + "TestAdd a 2 1 in0 x\nTestPass q 1 1 x y\n", []string{
			`dir/m.param:4:20: layer "a": the layer counts 1 output but names 0`}},
		{"absurd blob count", head + "TestAdd a 2000000000 2000000000 in0 x\nTestPass q 1 1 x y\n", []string{
			`dir/m.param:4:38: layer "a": the layer counts 2000000000 inputs but names 2`}},
		{"blobs run into parameters", head + "TestConv a 1 2 in0 x 0=3\nTestPass q 1 1 x y\n", []string{
			`dir/m.param:4:22: layer "a": the layer counts 2 outputs but names 1 before the parameter "0=3"`}},
		{"left over word", head + "TestPass p 1 1 in0 x y 0=3\nTestPass q 1 1 x y\n", []string{
			`dir/m.param:4:22: layer "p": "y" is neither a blob that the layer counts nor a parameter | the layer counts 1 input and 1 output`}},
		{"arity", "7767517\n3 5\nInput in0 0 1 in0\nTestPass p 1 2 in0 x y\nTestAdd q 1 2 x a b\n", []string{
			`dir/m.param:4:1: layer "p": TestPass has 1 output, not 2`,
			`dir/m.param:5:1: layer "q": TestAdd has at least 2 inputs, not 1`,
			`dir/m.param:5:1: layer "q": TestAdd has 1 output, not 2`}},
		{"blob produced twice", head + "TestPass p 1 1 in0 x\nTestPass q 1 1 x in0\n", []string{
			`dir/m.param:5:18: layer "q": blob "in0" is produced a second time; layer "in0" at dir/m.param:3:15 produces it | give one of the two outputs another name`}},
		{"blob consumed twice", "7767517\n3 3\nInput in0 0 1 in0\nTestPass p 1 1 in0 x\nTestPass q 1 1 in0 y\n", []string{
			`dir/m.param:5:16: layer "q": blob "in0" is consumed a second time; layer "p" at dir/m.param:4:1 consumes it | put a Split layer after its producer`}},
		{"blob twice in one layer", "7767517\n2 2\nInput in0 0 1 in0\nTestAdd p 2 1 in0 in0 x\n", []string{
			`dir/m.param:4:19: layer "p": blob "in0" is consumed a second time; layer "p" at dir/m.param:4:1 consumes it | put a Split layer after its producer`}},
		{"blob before its producer", head + "TestPass p 1 1 y x\nTestPass q 1 1 in0 y\n", []string{
			`dir/m.param:4:16: layer "p": blob "y" is consumed before layer "q" at dir/m.param:5:1 produces it | layers run in file order: move the producer up`}},
		{"blob of its own", "7767517\n2 2\nInput in0 0 1 in0\nTestPass p 1 1 x x\n", []string{
			`dir/m.param:4:16: layer "p": the layer consumes blob "x", which it produces itself`}},
		{"no producer", "7767517\n2 3\nInput data 0 1 data\nTestPass p 1 1 dat x\n", []string{
			`dir/m.param:4:16: layer "p": no layer produces blob "dat" | did you mean data?`}},
		{"parameters", "7767517\n2 2\nInput in0 0 1 in0\nTestConv c 1 1 in0 x 32=1 -1=1 -23399=1,1 0= 1=abc 2=\"x 3=4\n", []string{
			`dir/m.param:4:22: layer "c": there is no parameter id 32 | ids are 0 to 31, and -23300 to -23331 for arrays`,
			`dir/m.param:4:27: layer "c": there is no parameter id -1 | ids are 0 to 31, and -23300 to -23331 for arrays`,
			`dir/m.param:4:32: layer "c": there is no parameter id -23399 | ids are 0 to 31, and -23300 to -23331 for arrays`,
			`dir/m.param:4:45: layer "c": the parameter has no value`,
			`dir/m.param:4:54: layer "c": the string has no closing quote in its line`,
			`dir/m.param:4:46: layer "c": parameter 1 (slope) is the string "abc" where a number is expected`}},
		{"arrays", "7767517\n2 2\nInput in0 0 1 in0\nTestConv c 1 1 in0 x -23302=2000000000,1 -23303=-1 3=1.0,,2.0 2=1,2a 0=1,2\n", []string{
			`dir/m.param:4:29: layer "c": the array counts 2000000000 elements but has 1`,
			`dir/m.param:4:49: layer "c": the array length is "-1" | an array is -23300-id=COUNT,VALUE,..`,
			`dir/m.param:4:54: layer "c": "" is not a number`,
			`dir/m.param:4:65: layer "c": "2a" is not a number`,
			`dir/m.param:4:70: layer "c": parameter 0 (num_output) is an array where a single number is expected`}},
		{"long number", "7767517\n2 2\nInput in0 0 1 in0\nTestConv c 1 1 in0 x 1=0.12345678901234\n", []string{
			`dir/m.param:4:24: layer "c": the number "0.12345678901234" has 16 characters; ncnn reads 15 at most | write fewer digits`}},
		{"negative weights", "7767517\n2 2\nInput in0 0 1 in0\nTestConv c 1 1 in0 x 6=-5\n", []string{
			`dir/m.param:4:1: layer "c": TestConv needs -5 weights "weight": its parameters contradict each other`}},
		{"the definition's check", "7767517\n2 2\nInput in0 0 1 in0\nTestConv c 1 1 in0 x 0=-5\n", []string{
			`dir/m.param:4:1: layer "c": num_output is negative`}},
		{"names as long as buffers", head + "TestPass " + strings.Repeat("n", 256) + " 1 1 in0 x\n", []string{
			`dir/m.param:4:10: a layer name has 256 characters; ncnn's limit is 255`,
			`dir/m.param:2:1: the file has 2 layers and not 3 | the file was cut, or the count should be 2`}},
	} {
		g, faults := ParseParam("dir/m.param", []byte(c.src), &diag.List{})
		if g != nil {
			t.Errorf("%s: a graph in spite of faults", c.name)
		}
		if diff := cmp.Diff(c.want, lines(faults)); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}
