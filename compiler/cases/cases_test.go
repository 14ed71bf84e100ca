package cases

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flexnnc/flexnnc/ir"
)

// write makes files in a new folder and returns the path of the first.
func write(t *testing.T, files ...string) string {
	t.Helper()
	dir := t.TempDir()
	for i := 0; i < len(files); i += 2 {
		p := filepath.Join(dir, files[i])
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(files[i+1]), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, files[0])
}

func TestRead(t *testing.T) {
	path := write(t, "case.json", `{"name":"n","param":"m.param","weights":{"synth":"s.json"},"cases":[
		{"name":"a","inputs":[{"name":"x","shape_whc":[2,3],"file":"x.f32"},{"name":"ids","shape_whc":[4],"dtype":"i32","file":"ids"}],
		 "outputs":[{"name":"y","dims":3,"w":2,"h":1,"c":5,"file":"y.f32","tol":1e-3},{"name":"z","dims":1,"w":6,"file":"z.f32","after_nms":true}]}]}`,
		"x.f32", "", "ids", "\x01\x00\x00\x00\xff\xff\xff\xff\x00\x00\x00\x00\x02\x00\x00\x00")
	s, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Dir(path)
	if s.Param != filepath.Join(dir, "m.param") || s.Synth != filepath.Join(dir, "s.json") || s.Bin != "" {
		t.Errorf("paths %q %q %q", s.Param, s.Bin, s.Synth)
	}
	want := map[string]ir.Shape{"x": ir.Shape2(2, 3), "ids": ir.Shape1(4)}
	if d := cmp.Diff(want, s.InputShapes()); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"y", "z"}, s.OutputNames()); d != "" {
		t.Error(d)
	}
	y := s.Cases[0].Outputs[0]
	if y.Shape != ir.Shape3(2, 1, 5) || y.Tol != 1e-3 || y.AfterNMS {
		t.Errorf("output %+v", y)
	}
	words, err := s.Cases[0].Inputs[1].Words()
	if d := cmp.Diff([]uint32{1, 0xffffffff, 0, 2}, words); err != nil || d != "" {
		t.Error(err, d)
	}
	if _, err := s.Cases[0].Inputs[0].Words(); err == nil || !strings.Contains(err.Error(), "0 bytes; a shape of 2,3 makes 24") {
		t.Errorf("wrong size: %v", err)
	}
}

// TestReadFaults checks that every fault of a file is named, all in one go.
func TestReadFaults(t *testing.T) {
	path := write(t, "case.json", `{"weights":{"bin":"a","synth":"b"},"cases":[
		{"name":"a","inputs":[
			{"name":"x","shape_whc":[]},
			{"name":"p","shape_whc":[2,2,1],"png":"p.png","pixel":"rgb"},
			{"name":"q","shape_whc":[2,2,3],"png":"p.png","pixel":"rgb","mean":[1]},
			{"name":"o","shape_whc":[2,2,3],"png":"p.png","pixel":"hsv"},
			{"name":"d","shape_whc":[1],"dtype":"f64","file":"x","seed":1},
			{"name":"v","shape_whc":[1,1,1,1],"seed":1},
			{"name":"huge","shape_whc":[2000000000,2000000000],"seed":1}]},
		{"name":"b","inputs":[{"name":"v","shape_whc":[2],"seed":1}],
		 "outputs":[{"name":"y","dims":5,"w":1},{"dims":1,"w":1,"tol":-1}]}]}`)
	_, err := Read(path)
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		`no "param"`, `both "bin" and "synth"`, `input "x": "shape_whc" is []`, `input "x": give one of`,
		`pixels of order "rgb" do not make a shape of 2,2,1`, `"mean" and "norm" need 3 values`, `"pixel" is "hsv"`,
		`"dtype" is "f64"`, `input "d": give one of`, `at most 3 axes`, `input "huge": "shape_whc"`,
		`case "a" has no "outputs"`, `input "v" is 2, and 1,1,1,1 in another case`, `"dims" 5`, `"tol" is negative`, `"name" and "file" are needed`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("not reported: %s", want)
		}
	}
	for _, bad := range []string{"", "{", "[]", `{"param":"x"}`} {
		if _, err := Read(write(t, "case.json", bad)); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

func TestFind(t *testing.T) {
	path := write(t, "case.json", "", "b/case.json", "", "a/c/case.json", "", "a/other.json", "")
	dir := filepath.Dir(path)
	got, err := Find(dir)
	want := []string{filepath.Join(dir, "a/c/case.json"), filepath.Join(dir, "b/case.json"), path}
	if d := cmp.Diff(want, got); err != nil || d != "" {
		t.Error(err, d)
	}
	if got, err := Find(filepath.Join(dir, "a/other.json")); err != nil || len(got) != 1 {
		t.Errorf("%v %v", got, err)
	}
	if _, err := Find(t.TempDir()); err == nil {
		t.Error("an empty folder has no cases")
	}
}

func TestPixels(t *testing.T) {
	img := image.NewNRGBA(image.Rect(0, 0, 2, 1))
	img.Set(0, 0, color.NRGBA{1, 2, 3, 255})
	img.Set(1, 0, color.NRGBA{101, 102, 103, 255})
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	in := Input{Name: "x", Shape: ir.Shape3(2, 1, 3), png: write(t, "p.png", b.String()), pixel: "bgr",
		mean: []float32{3, 2, 1}, norm: []float32{0.5, 1, 2}}
	words, err := in.Words()
	if err != nil {
		t.Fatal(err)
	}
	var got []float32
	for _, w := range words {
		got = append(got, math.Float32frombits(w))
	}
	if d := cmp.Diff([]float32{0, 50, 0, 100, 0, 200}, got); d != "" {
		t.Error(d)
	}
	in.Shape.W = 3
	if _, err := in.Words(); err == nil {
		t.Error("a picture of another size was accepted")
	}
	in.Shape, in.pixel = ir.Shape3(2, 1, 1), "gray"
	if _, err := in.Words(); err == nil {
		t.Error("a coloured picture was taken for a gray one")
	}
	img.Set(0, 0, color.NRGBA{7, 7, 7, 255})
	img.Set(1, 0, color.NRGBA{9, 9, 9, 255})
	b.Reset()
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	in.png, in.mean, in.norm = write(t, "p.png", b.String()), nil, nil
	words, err = in.Words()
	if d := cmp.Diff([]uint32{math.Float32bits(7), math.Float32bits(9)}, words); err != nil || d != "" {
		t.Error(err, d)
	}
}

// The expected hashes are of what the reference generator writes for the same
// parameters: a synthetic case must have the same bits everywhere.
func TestSyntheticInput(t *testing.T) {
	in := Input{Shape: ir.Shape3(30, 26, 2), seed: 1197, amp: 1.5}
	var b []byte
	for _, w := range in.synthetic() {
		b = append(b, byte(w), byte(w>>8), byte(w>>16), byte(w>>24))
	}
	sum := sha256.Sum256(b)
	if got, want := hex.EncodeToString(sum[:]), "ca89b4937cea5435872edd387a39e3bff4afe77c648aef35363a519cf45706ec"; got != want {
		t.Errorf("hash %s, want %s", got, want)
	}
}

const smallSynth = `{"bin_bytes":80,"blobs":[
	{"layer":"c","flag":true,"count":12,"stream":"12590947701201310699","gain":"AACAPwAAAEAAAEBA"},
	{"layer":"c","flag":false,"count":2,"values":"AACAPwAAAMA="},
	{"layer":"d","flag":true,"count":4,"stream":"7","gain":"zczMPQ=="}]}`

func TestWriteBin(t *testing.T) {
	var b bytes.Buffer
	if err := WriteBin(write(t, "synth.json", smallSynth), &b); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(b.Bytes())
	if got, want := hex.EncodeToString(sum[:]), "631b4171832480f8166598f4ec7e2b0abce202fe66e19d726e24aef75ebadb13"; got != want {
		t.Errorf("hash %s, want %s", got, want)
	}
	for _, swap := range [][2]string{{`:80`, `:84`}, {`"count":2`, `"count":3`}, {`"count":12`, `"count":13`},
		{`"7"`, `"-7"`}, {`zczMPQ==`, `zczM`}, {`zczMPQ==`, `!`}, {`"count":4`, `"count":-4`}} {
		if !strings.Contains(smallSynth, swap[0]) {
			t.Fatalf("nothing to swap: %s", swap[0])
		}
		bad := strings.Replace(smallSynth, swap[0], swap[1], 1)
		if err := WriteBin(write(t, "synth.json", bad), &b); err == nil {
			t.Errorf("%s instead of %s was accepted", swap[1], swap[0])
		}
	}
}

func TestJudge(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	vector := &Output{Shape: ir.Shape1(4)}
	want := []float32{1, -2, 0.5, 0}
	ref100 := make([]float32, 100)
	ref100[0] = 10
	near := func(n int, d float32) []float32 {
		v := append([]float32(nil), ref100...)
		for i := range n {
			v[1+i] = d
		}
		return v
	}
	for _, c := range []struct {
		name      string
		got, want []float32
		rule      Rule
		ok        bool
		worst     int
	}{
		{"equal", []float32{1, -2, 0.5, 0}, want, Rule{Tol: 1e-4}, true, 0},
		{"within", []float32{1, -2, 0.5, 1.9e-4}, want, Rule{Tol: 1e-4}, true, 3},
		{"beyond", []float32{1, -2, 0.5, 2.1e-4}, want, Rule{Tol: 1e-4}, false, 3},
		{"elementwise within", []float32{1.0001, -2.0002, 0.5, 9e-6}, want, Rule{}, true, -1},
		{"elementwise beyond", []float32{1, -2, 0.5, 2e-5}, want, Rule{}, false, 3},
		{"short", []float32{1, -2, 0.5}, want, Rule{Tol: 1}, false, 0},
		{"NaN", []float32{1, nan, 0.5, 0}, want, Rule{Tol: 1e9}, false, 1},
		{"NaN by element", []float32{1, nan, 0.5, 0}, want, Rule{}, false, 1},
		{"NaN in both", []float32{nan, 0, 0, 0}, []float32{nan, 0, 0, 0}, Rule{}, true, 0},
		{"infinity", []float32{inf, 0, 0, 0}, []float32{0, 0, 0, 0}, Rule{}, false, 0},
		{"zeros", []float32{0, 0, 0, 0}, []float32{0, 0, 0, 0}, Rule{Tol: 1e-4}, true, 0},
		{"not zeros", []float32{0, 1e-30, 0, 0}, []float32{0, 0, 0, 0}, Rule{Tol: 1e-4}, false, 1},
		{"a step", near(2, 0.19), ref100, Rule{Steps: true}, true, -1},
		{"too many steps", near(3, 0.19), ref100, Rule{Steps: true}, false, -1},
		{"too large a step", near(1, 0.21), ref100, Rule{Steps: true}, false, 1},
		{"a step where none is allowed", near(1, 0.19), ref100, Rule{}, false, 1},
	} {
		v := Judge(c.got, c.want, vector, c.rule)
		if (v.Why == "") != c.ok {
			t.Errorf("%s: %+v", c.name, v)
		}
		if c.worst >= 0 && v.Worst != c.worst {
			t.Errorf("%s: worst element %d, want %d", c.name, v.Worst, c.worst)
		}
	}
	if v := Judge([]float32{0, 0, 1, 0}, want, vector, Rule{Tol: 1e9}); !v.HasTop1 || v.Top1 {
		t.Errorf("top 1 moved, and: %+v", v)
	}
	if v := Judge(want, want, &Output{Shape: ir.Shape2(4, 1)}, Rule{Tol: 1}); v.HasTop1 {
		t.Error("a matrix has no top 1")
	}
}

// Boxes without an area have no overlap, and are told by their corners.
func TestDegenerateDetections(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	want := []float32{1, 0.9, 0.5, 0.5, 0.5, 0.5, 1, 0.8, -inf, 0, inf, 1, 2, 0.7, nan, nan, nan, nan}
	got := []float32{2, 0.7, nan, nan, nan, nan, 1, 0.9, 0.5, 0.50001, 0.5, 0.5, 1, 0.8, -inf, 0, inf, 1}
	if v := Judge(got, want, &Output{Shape: ir.Shape2(6, 3)}, Rule{Detections: true}); v.Matched != 3 || v.Why != "" {
		t.Errorf("%+v", v)
	}
	got[9] = 0.6
	if v := Judge(got, want, &Output{Shape: ir.Shape2(6, 3)}, Rule{Detections: true}); v.Matched != 2 || v.Why == "" {
		t.Errorf("%+v", v)
	}
}

func TestDetections(t *testing.T) {
	want := []float32{
		1, 0.9, 0, 0, 10, 10,
		1, 0.8, 20, 20, 30, 30,
		2, 0.7, 0, 0, 10, 10,
	}
	got := []float32{
		2, 0.71, 0, 0, 10, 9,
		1, 0.8, 21, 20, 30, 30,
		1, 0.6, 8, 8, 18, 18,
		0, 0, 0, 0, 0, 0,
	}
	v := Judge(got, want, &Output{Shape: ir.Shape2(6, 3)}, Rule{Detections: true})
	if v.Rows != 3 || v.Found != 3 || v.Matched != 2 || v.Why == "" {
		t.Errorf("%+v", v)
	}
	got[13] = 0.8 // the score, and its place
	got[14], got[15], got[16], got[17] = 0, 0, 10, 10
	got[12] = 1
	if v := Judge(got, append(want, got[12:18]...), &Output{Shape: ir.Shape2(6, 4)}, Rule{Detections: true}); v.Matched != 3 || v.Why == "" {
		t.Errorf("%+v", v)
	}
	want[1] = 0.8
	if v := Judge(got, want, &Output{Shape: ir.Shape2(6, 3)}, Rule{Detections: true}); v.Matched != 3 || v.Why != "" {
		t.Errorf("%+v", v)
	}
}
