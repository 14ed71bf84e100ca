// Package cases reads reference cases: a network, inputs, and the outputs that
// another framework computed for them, as docs/cases.md describes the format. It
// judges answers against those outputs. It must not know how networks are
// compiled or run.
package cases

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"

	"github.com/flexnnc/flexnnc/ir"
)

// FileName is what a suite is called where a folder is searched.
const FileName = "case.json"

// Suite is one case.json: a network and the cases to run on it.
type Suite struct {
	Name  string
	Path  string // of the case.json
	Param string // path of the .param or .param.bin
	Bin   string // path of the .bin, "" where there is none
	Synth string // path of a synth.json that describes the .bin, "" where there is none
	Cases []Case
	// Expected says in words what the answers should be, where the file does.
	Expected string
}

// Case is one run of the network.
type Case struct {
	Name    string
	Inputs  []Input
	Outputs []Output
}

// Output is one blob as the reference has it.
type Output struct {
	Name  string
	Shape ir.Shape
	// Tol is the limit of max |x - reference| / max |reference|; 0 where the file
	// gives none, and elements are then judged one by one.
	Tol float64
	// AfterNMS marks rows that come out of a detection layer: near ties may order
	// them otherwise.
	AfterNMS bool
	Type     string // of the layer that makes it; informative
	file     string
}

// maxElements bounds any one array of a case.
const maxElements = 1 << 30

// Find lists the suites of a path: the file itself, or every case.json below a
// folder, in order.
func Find(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	var found []string
	err = filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && d.Name() == FileName {
			found = append(found, p)
		}
		return err
	})
	if err == nil && len(found) == 0 {
		err = fmt.Errorf("no %s below %s", FileName, path)
	}
	sort.Strings(found)
	return found, err
}

// Read reads a suite. Paths in it are relative to its folder. All faults come
// back joined.
func Read(path string) (*Suite, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var f File
	if err := json.Unmarshal(raw, &f); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	s := &Suite{Name: f.Name, Path: path, Expected: f.Expected}
	r := reader{dir: filepath.Dir(path), path: path}
	if s.Name == "" {
		s.Name = filepath.Base(r.dir)
	}
	if f.Param == "" {
		r.faultf("no \"param\": which network is it?")
	}
	s.Param = r.join(f.Param)
	s.Bin, s.Synth = r.join(f.Weights.Bin), r.join(f.Weights.Synth)
	if s.Bin != "" && s.Synth != "" {
		r.faultf("\"weights\" has both \"bin\" and \"synth\"")
	}
	if len(f.Cases) == 0 {
		r.faultf("no \"cases\"")
	}
	shapes := map[string]ir.Shape{}
	for i, fc := range f.Cases {
		c := Case{Name: fc.Name}
		if c.Name == "" {
			c.Name = fmt.Sprint(i)
		}
		for _, fi := range fc.Inputs {
			in := r.input(c.Name, fi)
			if was, ok := shapes[in.Name]; ok && was != in.Shape {
				r.faultf("case %q: input %q is %v, and %v in another case: put them into two files", c.Name, in.Name, in.Shape, was)
			}
			shapes[in.Name] = in.Shape
			c.Inputs = append(c.Inputs, in)
		}
		for _, fo := range fc.Outputs {
			c.Outputs = append(c.Outputs, r.output(c.Name, fo))
		}
		if len(c.Outputs) == 0 {
			r.faultf("case %q has no \"outputs\"", c.Name)
		}
		s.Cases = append(s.Cases, c)
	}
	return s, errors.Join(r.faults...)
}

type reader struct {
	dir, path string
	faults    []error
}

func (r *reader) faultf(format string, args ...any) {
	r.faults = append(r.faults, fmt.Errorf("%s: %s", r.path, fmt.Sprintf(format, args...)))
}

func (r *reader) join(name string) string {
	if name == "" || filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(r.dir, name)
}

func (r *reader) input(name string, f FileInput) Input {
	in := Input{Name: f.Name, Ints: f.DType == "i32", file: r.join(f.File), png: r.join(f.PNG), pixel: f.Pixel, amp: 1}
	where := fmt.Sprintf("case %q: input %q", name, f.Name)
	if f.Name == "" {
		r.faultf("case %q: an input has no \"name\"", name)
	}
	var ok bool
	if in.Shape, ok = ParseShape(f.Shape); !ok {
		r.faultf("%s: \"shape_whc\" is %v, want 1 to 4 sizes: [w], [w,h], [w,h,c] or [w,h,d,c]", where, f.Shape)
	}
	if f.DType != "" && f.DType != "f32" && f.DType != "i32" {
		r.faultf("%s: \"dtype\" is %q, want f32 or i32", where, f.DType)
	}
	sources := 0
	for _, given := range []bool{f.File != "", f.PNG != "", f.Seed != nil} {
		if given {
			sources++
		}
	}
	if sources != 1 {
		r.faultf("%s: give one of \"file\", \"png\" and \"seed\"", where)
	}
	if f.Seed != nil {
		in.seed = *f.Seed
		if in.Shape.Dims > 3 {
			r.faultf("%s: \"seed\" makes inputs of at most 3 axes", where)
		}
	}
	if f.Amp != nil {
		in.amp = *f.Amp
	}
	if f.PNG != "" {
		planes := map[string]int{"rgb": 3, "bgr": 3, "gray": 1}[f.Pixel]
		switch {
		case planes == 0:
			r.faultf("%s: \"pixel\" is %q, want rgb, bgr or gray", where, f.Pixel)
		case in.Shape.C != planes || in.Shape.D != 1:
			r.faultf("%s: pixels of order %q do not make a shape of %v", where, f.Pixel, in.Shape)
		case len(f.Mean) != 0 && len(f.Mean) != planes || len(f.Norm) != 0 && len(f.Norm) != planes:
			r.faultf("%s: \"mean\" and \"norm\" need %d values", where, planes)
		}
		in.mean, in.norm = float32s(f.Mean), float32s(f.Norm)
	}
	return in
}

func (r *reader) output(name string, f FileOutput) Output {
	o := Output{Name: f.Name, Tol: f.Tol, AfterNMS: f.AfterNMS, Type: f.Type, file: r.join(f.File)}
	where := fmt.Sprintf("case %q: output %q", name, f.Name)
	one := func(v int) int { return max(v, 1) } // sizes beyond the rank may be left out
	axes := map[int][]int{1: {f.W}, 2: {f.W, f.H}, 3: {f.W, f.H, f.C}, 4: {f.W, f.H, one(f.D), f.C}}[f.Dims]
	var ok bool
	if o.Shape, ok = ParseShape(axes); !ok {
		r.faultf("%s: \"dims\" %d with w %d, h %d, d %d, c %d is not a shape", where, f.Dims, f.W, f.H, f.D, f.C)
	}
	if f.Name == "" || f.File == "" {
		r.faultf("%s: \"name\" and \"file\" are needed", where)
	}
	if f.Tol < 0 {
		r.faultf("%s: \"tol\" is negative", where)
	}
	return o
}

// ParseShape makes a shape of [w], [w,h], [w,h,c] or [w,h,d,c].
func ParseShape(s []int) (ir.Shape, bool) {
	n := 1
	for _, v := range s {
		if v < 1 || v > maxElements/n {
			return ir.Shape{}, false
		}
		n *= v
	}
	switch len(s) {
	case 1:
		return ir.Shape1(s[0]), true
	case 2:
		return ir.Shape2(s[0], s[1]), true
	case 3:
		return ir.Shape3(s[0], s[1], s[2]), true
	case 4:
		return ir.Shape4(s[0], s[1], s[2], s[3]), true
	}
	return ir.Shape{}, false
}

func float32s(v []float64) []float32 {
	f := make([]float32, len(v))
	for i, x := range v {
		f[i] = float32(x)
	}
	return f
}

// InputShapes are the shapes of all inputs by name.
func (s *Suite) InputShapes() map[string]ir.Shape {
	m := map[string]ir.Shape{}
	for _, c := range s.Cases {
		for _, in := range c.Inputs {
			m[in.Name] = in.Shape
		}
	}
	return m
}

// OutputNames lists the blobs that any case compares, each once.
func (s *Suite) OutputNames() []string {
	var names []string
	seen := map[string]bool{}
	for _, c := range s.Cases {
		for _, o := range c.Outputs {
			if !seen[o.Name] {
				seen[o.Name] = true
				names = append(names, o.Name)
			}
		}
	}
	return names
}
