package harness

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"math/rand"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/flexnnc/flexnnc/cmd/flexnnc/random"
	"github.com/flexnnc/flexnnc/compiler/interp"
	"github.com/flexnnc/flexnnc/compiler/layer"
	"github.com/flexnnc/flexnnc/compiler/lower"
	"github.com/flexnnc/flexnnc/compiler/ncnn"
	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/diag"
)

// drawn is a random network while it is being drawn: lines of a .param file, and
// the blobs that nothing consumes yet.
type drawn struct {
	r     *rand.Rand
	lines []string
	blobs int
	open  []string
	shape map[string]ir.Shape
	graph *ir.Graph
	// faults are what is wrong with layers that were drawn and left out.
	faults []string
}

// text is the .param file.
func (d *drawn) text(lines []string) string {
	names := map[string]bool{}
	for _, l := range lines {
		for _, w := range strings.Fields(l)[4:] {
			if !strings.Contains(w, "=") {
				names[w] = true
			}
		}
	}
	return fmt.Sprintf("7767517\n%d %d\n%s\n", len(lines), len(names), strings.Join(lines, "\n"))
}

// add tries a layer: it stays if the network is still one that ncnn would run.
func (d *drawn) add(typ string, in []string, outs int, params string) bool {
	var out []string
	for i := range outs {
		out = append(out, fmt.Sprintf("b%d", d.blobs+i))
	}
	line := fmt.Sprintf("%s %s%d %d %d %s %s %s", typ, strings.ToLower(typ), len(d.lines), len(in), outs, strings.Join(in, " "), strings.Join(out, " "), params)
	lines := append(append([]string{}, d.lines...), line)
	var w diag.List
	g, faults := ncnn.ParseParam("random.param", []byte(d.text(lines)), &w)
	if faults.Err() != nil || lower.Infer(g, nil) != nil {
		return false
	}
	total := 0
	for _, b := range g.Blobs {
		total = max(total, b.Shape.Len())
	}
	if total > 4000 {
		return false
	}
	d.lines, d.graph = lines, g
	d.blobs += outs
	for _, b := range g.Blobs {
		d.shape[b.Name] = b.Shape
	}
	var open []string
	for _, o := range d.open {
		used := false
		for _, i := range in {
			used = used || i == o
		}
		if !used {
			open = append(open, o)
		}
	}
	d.open = append(open, out...)
	return true
}

// step draws one layer.
func (d *drawn) step() {
	n := func(k int) int { return d.r.Intn(k) }
	pick := func(v ...string) string { return v[n(len(v))] }
	size := func() int { return []int{1, 3, 4, 5, 7, 8, 12, 13, 15, 16, 17, 31, 33}[n(13)] }
	x := d.open[n(len(d.open))]
	s := d.shape[x]
	one := func(typ string, format string, args ...any) { d.add(typ, []string{x}, 1, fmt.Sprintf(format, args...)) }
	act := pick("", "", "9=1", "9=2 -23310=1,0.1", "9=3 -23310=2,-0.5,0.5", "9=4", "9=5", "9=6 -23310=2,0.2,0.5")
	channels := s.Axes()[0]
	switch n(34) {
	case 0, 1, 2:
		o, kh, kw := size(), 1+n(3), 1+n(3)
		one("Convolution", "0=%d 1=%d 11=%d 2=%d 3=%d 13=%d 4=%d 15=%d 14=%d 16=%d 5=%d 6=%d %s", o, kw, kh, 1+n(2), 1+n(2), 1+n(2), n(3), n(3), n(3), n(3), n(2), o*channels*kh*kw, act)
	case 3:
		k := 1 + n(4)
		one("ConvolutionDepthWise", "0=%d 1=%d 3=%d 4=%d 5=1 6=%d 7=%d %s", channels, k, 1+n(2), n(3), channels*k*k, channels, act)
	case 4:
		k, g := 1+n(3), 2
		one("ConvolutionDepthWise", "0=%d 1=%d 4=%d 5=1 6=%d 7=%d", 2*g, k, n(2), 2*g*channels/g*k*k, g)
	case 5:
		o, k := size(), 1+n(4)
		one("Deconvolution", "0=%d 1=%d 2=%d 3=%d 4=%d 5=%d 6=%d %s", o, k, 1+n(2), 1+n(3), n(2), n(2), o*channels*k*k, act)
	case 6:
		// A window wholly in the padding has no average: pads stay below the kernel.
		mode, pad, k := n(4), 0, 1+n(3)
		if mode < 2 {
			pad = n(min(k, 2))
		}
		one("Pooling", "0=%d 1=%d 11=%d 2=%d 3=%d 5=%d 6=%d", n(2), k, k, 1+n(min(2, k-pad)), pad, mode, n(2))
	case 7:
		one("Pooling", "0=%d 7=1 8=%d", n(2), 1+n(4))
	case 8:
		one("Pooling", "0=%d 4=1", n(2))
	case 9:
		one("BatchNorm", "0=%d", channels)
	case 10:
		one("Scale", "0=%d 1=%d", channels, n(2))
	case 11:
		one(pick("ReLU", "Sigmoid", "Swish", "HardSwish", "TanH", "GELU", "Mish", "ELU", "HardSigmoid", "AbsVal"), "")
	case 12:
		one("PReLU", "0=%d", []int{1, channels}[n(2)])
	case 13:
		one("BinaryOp", "0=%d 1=1 2=0.75", []int{0, 1, 2, 4, 5, 7}[n(6)])
	case 14, 15, 16: // two blobs
		y := d.open[n(len(d.open))]
		if y != x {
			d.add("BinaryOp", []string{x, y}, 1, fmt.Sprintf("0=%d", []int{0, 1, 2, 4, 5}[n(5)]))
		}
	case 17, 18:
		y := d.open[n(len(d.open))]
		if y != x {
			d.add("Concat", []string{x, y}, 1, fmt.Sprintf("0=%d", n(s.Dims)-n(2)*s.Dims))
		}
	case 19:
		d.add("Slice", []string{x}, 2, fmt.Sprintf("-23300=2,%d,-233 1=%d", 1+n(4), n(s.Dims)))
	case 20, 21:
		d.add("Split", []string{x}, 2+n(2), "")
	case 22:
		one("Permute", "0=%d", n(6))
	case 23:
		one("Reshape", "%s", pick("0=-1", "0=2 1=-1", "0=-1 1=3", "0=0 1=-1", "0=2 1=2 2=-1", "0=-1 1=1 2=0", "0=2 1=2 11=2 2=-1"))
	case 24:
		one("Flatten", "")
	case 25:
		o := size()
		k := s.Len()
		if s.Dims == 2 && n(2) == 0 {
			k = s.W
		}
		one("InnerProduct", "0=%d 1=%d 2=%d %s", o, n(2), o*k, act)
	case 26:
		one("Softmax", "0=%d 1=1", n(s.Dims)-n(2)*s.Dims)
	case 27:
		switch n(3) {
		case 0:
			one("LayerNorm", "0=%d", s.W)
		case 1:
			one("InstanceNorm", "0=%d", channels)
		default:
			one("GroupNorm", "0=%d 1=%d", []int{1, channels}[n(2)], channels)
		}
	case 28:
		one("Interp", "0=%d 3=%d 4=%d", 1+n(3), 1+n(9), 1+n(9))
	case 29:
		one("Padding", "0=%d 1=%d 2=%d 3=%d 4=%d 5=0.5", n(3), n(3), n(3), n(3), n(3))
	case 30:
		one("Crop", "0=%d 1=%d 2=%d 3=-233 4=-233 5=-233", n(2), n(2), n(2))
	case 31:
		switch n(3) {
		case 0:
			one("ShuffleChannel", "0=%d 1=%d", 1+n(4), n(2))
		case 1:
			one("PixelShuffle", "0=2 1=%d", n(2))
		default:
			one("Reorg", "0=2")
		}
	case 32:
		switch n(4) {
		case 0:
			one("Squeeze", "0=%d 1=%d 2=%d", n(2), n(2), n(2))
		case 1:
			one("ExpandDims", "-23303=1,%d", n(s.Dims+1))
		case 2:
			one("Tile", "0=%d 1=%d", n(s.Dims), 1+n(3))
		default:
			one("Reduction", "0=%d 1=0 -23303=1,%d 4=%d 5=1", []int{0, 3, 4, 5, 8}[n(5)], n(s.Dims), n(2))
		}
	case 33:
		switch n(3) {
		case 0:
			o := size()
			one("Gemm", "3=%d 5=1 6=1 8=%d 9=%d 10=4", n(2), o, s.W)
		case 1:
			h := size()
			one("LSTM", "0=%d 1=%d 2=2", h, 2*4*h*s.W)
		default:
			y := d.open[n(len(d.open))]
			if y != x {
				d.add("MatMul", []string{x, y}, 1, fmt.Sprintf("0=%d", n(2)))
			}
		}
	}
}

// weights draws the .bin file.
func (d *drawn) weights() []byte {
	var b []byte
	for _, l := range d.graph.Layers {
		def := layer.Lookup(l.Type)
		if def.Weights == nil {
			continue
		}
		for _, w := range def.Weights(l) {
			if random.HoldsInt8(l, w.Name) && l.Type != "InnerProduct" && !strings.HasPrefix(l.Type, "Convolution") {
				b = binary.LittleEndian.AppendUint32(b, 0x000D4B38)
				for range (w.Count + 3) &^ 3 {
					b = append(b, byte(d.r.Intn(255)-127))
				}
				continue
			}
			if w.Tagged {
				b = binary.LittleEndian.AppendUint32(b, 0)
			}
			for range w.Count {
				v := d.r.NormFloat64() * 0.3
				switch {
				case w.Name == "var" || w.Name == "variance":
					v = 0.5 + d.r.Float64()
				case w.Name == "scale" && l.Type == "Quantize" || w.Name == "input_scale" || w.Name == "scale_out":
					v = 20 + 10*d.r.Float64()
				case strings.HasSuffix(w.Name, "_scales") || w.Name == "B_scale":
					v = 90 + 30*d.r.Float64()
				case w.Name == "scale_in" || w.Name == "scale" && l.Type == "Dequantize":
					v = 0.05 + 0.1*d.r.Float64()
				}
				b = binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(v)))
			}
		}
	}
	return b
}

// drawCase writes a random network with the answers of the float64 interpreter.
func drawCase(seed int64, dir string, layers int) error {
	d, err := draw(seed, layers)
	if err != nil {
		return err
	}
	return d.save(dir, fmt.Sprintf("random%d", seed))
}

// draw draws a network of about so many layers: by layers, and where the seed is even
// mostly by motifs.
func draw(seed int64, layers int) (*drawn, error) {
	d := &drawn{r: rand.New(rand.NewSource(seed)), shape: map[string]ir.Shape{}}
	for i := range 1 + d.r.Intn(2) {
		name := fmt.Sprintf("in%d", i)
		c := []int{1, 3, 4, 8, 13, 16, 17}[d.r.Intn(7)]
		if i > 0 {
			c = d.shape["in0"].C
		}
		d.lines = append(d.lines, fmt.Sprintf("Input %s 0 1 %s 0=%d 1=%d 2=%d", name, name, 7, 6, c))
		d.open = append(d.open, name)
		d.shape[name] = ir.Shape3(7, 6, c)
	}
	for tries := 0; len(d.lines) < layers && tries < 50*layers; tries++ {
		if seed%2 == 0 && d.r.Intn(3) > 0 {
			d.motif()
		} else {
			d.step()
		}
	}
	if d.graph == nil {
		return nil, fmt.Errorf("seed %d draws nothing", seed)
	}
	return d, nil
}

// save writes the network with the answers of the float64 interpreter.
func (d *drawn) save(dir, name string) error {
	bin := d.weights()
	g := d.graph
	faults := ncnn.ReadWeights(g, "random.bin", bytes.NewReader(bin), int64(len(bin)))
	if err := faults.Err(); err != nil {
		return err
	}
	inputs := map[string]layer.Tensor{}
	type blob struct {
		Name  string  `json:"name"`
		Shape []int   `json:"shape_whc,omitempty"`
		File  string  `json:"file"`
		DType string  `json:"dtype,omitempty"`
		Tol   float64 `json:"tol,omitempty"`
		Dims  int     `json:"dims,omitempty"`
		W     int     `json:"w,omitempty"`
		H     int     `json:"h,omitempty"`
		D     int     `json:"d,omitempty"`
		C     int     `json:"c,omitempty"`
	}
	var in, out []blob
	write := func(name string, v []float64, ints bool) error {
		var b []byte
		for _, x := range v {
			word := math.Float32bits(float32(x))
			if ints {
				word = uint32(int32(x))
			}
			b = binary.LittleEndian.AppendUint32(b, word)
		}
		return os.WriteFile(filepath.Join(dir, name), b, 0o644)
	}
	for _, b := range g.Inputs {
		t, ints := layer.NewTensor(b.Shape), b.Ints || layer.WantsWords(b)
		for i := range t.Data {
			t.Data[i] = float64(float32(d.r.NormFloat64()))
			if ints {
				t.Data[i] = float64(d.r.Intn(12) - 1)
			}
		}
		inputs[b.Name] = t
		if err := write(b.Name+".f32", t.Data, ints); err != nil {
			return err
		}
		whc := b.Shape.Axes()
		slices.Reverse(whc)
		entry := blob{Name: b.Name, Shape: whc, File: b.Name + ".f32"}
		if ints {
			entry.DType = "i32"
		}
		in = append(in, entry)
	}
	answers, err := reference(g, inputs)
	if err != nil {
		return fmt.Errorf("%w\n%s", err, d.text(d.lines))
	}
	for _, b := range g.Outputs {
		if err := write(b.Name+".f32", answers[b.Name].Data, false); err != nil {
			return err
		}
		s, tol := answers[b.Name].Shape, 1e-4
		for _, v := range answers[b.Name].Data {
			if math.Abs(v) > 1e30 { // what a maximum of nothing is: judged by element
				tol = 0
			}
		}
		out = append(out, blob{Name: b.Name, File: b.Name + ".f32", Tol: tol, Dims: s.Dims, W: s.W, H: s.H, D: s.D, C: s.C})
	}
	c := map[string]any{
		"name": name, "param": "random.param", "weights": map[string]string{"bin": "random.bin"},
		"cases": []any{map[string]any{"name": "a", "inputs": in, "outputs": out}},
	}
	text, err := json.MarshalIndent(c, "", " ")
	if err != nil {
		return err
	}
	for name, data := range map[string][]byte{"random.param": []byte(d.text(d.lines)), "random.bin": bin, "case.json": text} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// reference is the interpreter's answer; that it must not panic is part of the test.
func reference(g *ir.Graph, inputs map[string]layer.Tensor) (answers map[string]layer.Tensor, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the interpreter panicked: %v", p)
		}
	}()
	return interp.Run(g, inputs, interp.Options{})
}

// TestRandomNetworks compiles, builds and runs random networks at the smallest, a
// middle and the largest budget: layers at random, and motifs (every other one). RANDOM_NETWORKS is how many; RANDOM_SEED the first seed.
func TestRandomNetworks(t *testing.T) {
	count, first := 0, 1
	fmt.Sscan(os.Getenv("RANDOM_NETWORKS"), &count)
	fmt.Sscan(os.Getenv("RANDOM_SEED"), &first)
	if count == 0 {
		if testing.Short() {
			t.Skip("builds networks")
		}
		count = 8
	}
	o := Options{
		Budgets: []Budget{{Name: "min", Kind: Min}, {Name: "half", Kind: Half}, {Name: "max", Kind: Max}}, Arches: Arches()[:1], Threads: []int{2},
		Version: "test", Parallel: 2, Work: t.TempDir(),
	}
	keep := os.Getenv("RANDOM_KEEP")
	for i := range count {
		dir := filepath.Join(t.TempDir(), fmt.Sprint(i))
		if keep != "" {
			dir = filepath.Join(keep, fmt.Sprint(first+i))
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := drawCase(int64(first+i), dir, 4+i%24); err != nil {
			t.Errorf("seed %d: %v", first+i, err)
			continue
		}
		o.Paths = append(o.Paths, filepath.Join(dir, "case.json"))
	}
	runDrawn(t, o)
}

// TestRandomPlans plans for random networks at the smallest, a middle and the largest
// budget, and has each plan checked, without building them. RANDOM_PLANS is how many.
func TestRandomPlans(t *testing.T) {
	count, first := 60, 1000
	if testing.Short() {
		count = 20
	}
	fmt.Sscan(os.Getenv("RANDOM_PLANS"), &count)
	fmt.Sscan(os.Getenv("RANDOM_SEED"), &first)
	for i := range count {
		d, err := draw(int64(first+i), 4+i%36)
		if err == nil {
			err = compiles(d.graph)
		}
		if err != nil {
			t.Errorf("seed %d: %v", first+i, err)
			if d != nil {
				t.Logf("%s", d.text(d.lines))
			}
		}
	}
}

// runDrawn verifies drawn networks, and prints those that fail.
func runDrawn(t *testing.T, o Options) {
	t.Helper()
	report, err := Verify(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range report.Networks {
		for _, why := range n.Failures() {
			t.Errorf("%s: %s", n.Name, why)
		}
		if len(n.Failures()) > 0 {
			text, _ := os.ReadFile(filepath.Join(filepath.Dir(n.Path), "random.param"))
			t.Logf("%s", blamed(string(text), n))
		}
	}
}

// blamed is the lines of a network whose outputs are wrong, all of them where none is.
func blamed(param string, n *Network) string {
	var kept []string
	for line := range strings.Lines(param) {
		for _, o := range n.Outputs {
			if o.Why != "" && slices.Contains(strings.Fields(line), o.Output) {
				kept = append(kept, line)
			}
		}
	}
	if kept == nil {
		return param
	}
	return strings.Join(kept, "")
}
