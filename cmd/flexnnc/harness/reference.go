package harness

import (
	"fmt"
	"math"
	"os"
	"path/filepath"

	"github.com/flexnnc/flexnnc/cmd/flexnnc/random"
	"github.com/flexnnc/flexnnc/codegen"
	"github.com/flexnnc/flexnnc/compiler"
	"github.com/flexnnc/flexnnc/compiler/cases"
	"github.com/flexnnc/flexnnc/compiler/interp"
	"github.com/flexnnc/flexnnc/compiler/layer"
	"github.com/flexnnc/flexnnc/compiler/ncnn"
	"github.com/flexnnc/flexnnc/ir"
)

// Net is a network without recorded answers: the float64 interpreter makes them,
// from inputs that are made up.
type Net struct {
	Param   string // file, of the network
	Bin     string // file, of its weights; "" makes them up
	Inputs  map[string]ir.Shape
	Outputs []string // blobs to compare beside the network's outputs
}

// netTolerance is the limit of max |error| / max |reference| against the interpreter.
const netTolerance = 1e-4

// open opens the network of a suite, whose cases are read, or made up here.
func (t *suite) open(s *session) (n *ncnn.Network, remove func(), err error) {
	if t.net == nil {
		if t.cases, err = cases.Read(t.report.Path); err != nil {
			return nil, nil, err
		}
		bin, remove, err := t.weights(s)
		if err != nil {
			return nil, nil, err
		}
		n, err := ncnn.Open(t.cases.Param, bin, s.o.Customs...)
		if err != nil {
			remove()
			return nil, nil, err
		}
		return n, func() { n.Close(); remove() }, nil
	}
	if n, err = t.net.open(s); err != nil {
		return nil, nil, err
	}
	path, err := t.net.record(n.Graph, s)
	if err == nil {
		t.cases, err = cases.Read(path)
	}
	if err != nil {
		n.Close()
		return nil, nil, err
	}
	// The graph is marked by having been lowered: the suite gets a new one.
	n.Close()
	if n, err = t.net.open(s); err != nil {
		return nil, nil, err
	}
	return n, func() { n.Close() }, nil
}

// open reads the network, and makes weights up where it has none.
func (n *Net) open(s *session) (*ncnn.Network, error) {
	f, err := ncnn.Open(n.Param, n.Bin, s.o.Customs...)
	if err == nil && n.Bin == "" {
		random.Weights(f.Graph)
	}
	return f, err
}

// record runs the interpreter and writes what went in and came out as a case, with
// the network's and the weights' absolute paths. It returns the case's path.
func (n *Net) record(g *ir.Graph, s *session) (string, error) {
	dir := filepath.Join(s.o.Work, "case")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	inputs, err := n.inputs(g, s)
	if err != nil {
		return "", err
	}
	f := cases.File{Name: g.Name}
	if f.Param, err = filepath.Abs(n.Param); err != nil {
		return "", err
	}
	if n.Bin != "" {
		if f.Weights.Bin, err = filepath.Abs(n.Bin); err != nil {
			return "", err
		}
	}
	c := cases.FileCase{Name: "interpreter"}
	for k, in := range inputs {
		dtype := "f32"
		if in.blob.Ints {
			dtype = "i32"
		}
		file := fmt.Sprintf("in%d.bin", k)
		if err := writeWords(filepath.Join(dir, file), in.words); err != nil {
			return "", err
		}
		c.Inputs = append(c.Inputs, cases.FileInput{Name: in.blob.Name, Shape: sizes(in.blob.Shape), File: file, DType: dtype})
	}
	s.o.Progress("computing the answers in float64")
	answers, err := interp.Run(g, tensors(inputs), interp.Options{})
	if err != nil {
		return "", fmt.Errorf("computing the answers in float64: %w", err)
	}
	tol := netTolerance
	if quantises(g) {
		tol = 0 // element by element, with allowance for the steps
	}
	for _, b := range g.Outputs {
		t := answers[b.Name]
		if t.Shape.Len() == 0 { // no rows were found: one of zeros stands for none
			t = layer.NewTensor(ir.Shape2(t.Shape.W, 1))
		}
		words := make([]uint32, len(t.Data))
		for i, v := range t.Data {
			words[i] = math.Float32bits(float32(v))
		}
		file := fmt.Sprintf("out%d.bin", len(c.Outputs))
		if err := writeWords(filepath.Join(dir, file), words); err != nil {
			return "", err
		}
		o := cases.FileOutput{Name: b.Name, Dims: t.Shape.Dims, W: t.Shape.W, H: t.Shape.H, D: t.Shape.D, C: t.Shape.C, File: file, Tol: tol}
		switch b.Producer.Type {
		case "DetectionOutput", "Yolov3DetectionOutput", "YoloDetectionOutput":
			o.Tol, o.AfterNMS = 0, true
		}
		c.Outputs = append(c.Outputs, o)
	}
	f.Cases = []cases.FileCase{c}
	path := filepath.Join(dir, cases.FileName)
	return path, f.Write(path)
}

// input is what is made up for an input of the network.
type input struct {
	blob   *ir.Blob
	tensor layer.Tensor
	words  []uint32 // of a file of its values
}

// inputs lowers the graph, which gives shapes to its inputs, and makes up what goes in.
func (n *Net) inputs(g *ir.Graph, s *session) ([]input, error) {
	lowered, err := compiler.Lower(g, compiler.Options{Inputs: n.Inputs, Outputs: n.Outputs, Direct: s.o.Direct})
	if err != nil {
		return nil, err
	}
	var list []input
	for k, in := range lowered.Inputs {
		t := layer.NewTensor(in.Port.Shape)
		words := make([]uint32, len(t.Data))
		for i := range t.Data {
			v := codegen.AnswerInput(k, i)
			t.Data[i], words[i] = float64(v), math.Float32bits(v)
			if in.Port.Blob.Ints {
				v := codegen.AnswerInt(k, i)
				t.Data[i], words[i] = float64(v), uint32(v)
			}
		}
		list = append(list, input{in.Port.Blob, t, words})
	}
	return list, nil
}

// tensors are inputs by their names, as the interpreter takes them.
func tensors(list []input) map[string]layer.Tensor {
	m := map[string]layer.Tensor{}
	for _, in := range list {
		m[in.blob.Name] = in.tensor
	}
	return m
}

// sizes lists a shape's axes, W first.
func sizes(s ir.Shape) []int {
	axes := s.Axes()
	for i, k := 0, len(axes)-1; i < k; i, k = i+1, k-1 {
		axes[i], axes[k] = axes[k], axes[i]
	}
	return axes
}
