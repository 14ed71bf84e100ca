package kernels

import (
	"fmt"
	"strings"
)

// Shape is a layer to measure, by itself.
type Shape struct {
	Group string // of a table
	Name  string
	// lines are the network: IN stands for its input, OUT for its output, and the layer that
	// is measured is NAME.
	lines string
	in    [][]int // shapes of its inputs, W,H,C as Input layers have them
	form  form
	side  int // of Winograd's algorithm's tiles, which it then takes; direct = none, 0 = what is chosen
}

type form int

// Forms of weights.
const (
	float form = iota
	half
)

const direct = -1

// Shapes are what is measured: shapes of layers of networks in use, at least one for
// each kernel that steps call, and sizes where they stay in L1, L2, the last cache and
// memory.
func Shapes() []Shape {
	var all []Shape
	add := func(s Shape) { all = append(all, s) }
	one := func(group, name, params string, w, h, c int) {
		add(Shape{Group: group, Name: name, lines: params, in: [][]int{{w, h, c}}})
	}
	conv := func(group string, w, h, in, out, k int, more string) Shape {
		name := fmt.Sprintf("%dx%dx%d to %d", w, h, in, out)
		return Shape{Group: group, Name: name, in: [][]int{{w, h, in}},
			lines: fmt.Sprintf("Convolution NAME 1 1 IN OUT 0=%d 1=%d 5=1 6=%d %s", out, k, in*out*k*k, more)}
	}
	// A convolution under its name, with Winograd's algorithm left out.
	plain := func(s Shape) Shape { s.side = direct; return s }
	as := func(s Shape, suffix string) Shape { s.Name += suffix; return s }

	add(as(conv("convolution", 224, 224, 3, 64, 7, "3=2 4=3"), ", 7x7/2"))
	add(as(conv("convolution", 224, 224, 3, 32, 3, "3=2 4=1"), ", 3x3/2"))
	add(as(plain(conv("convolution", 112, 112, 64, 64, 3, "4=1")), ", 3x3"))
	add(as(plain(conv("convolution", 56, 56, 64, 64, 3, "4=1")), ", 3x3"))
	add(as(plain(conv("convolution", 28, 28, 256, 256, 3, "4=1")), ", 3x3"))
	add(as(plain(conv("convolution", 14, 14, 256, 256, 3, "4=1")), ", 3x3"))
	add(as(plain(conv("convolution", 7, 7, 512, 512, 3, "4=1")), ", 3x3"))
	add(as(conv("convolution", 56, 56, 128, 128, 3, "3=2 4=1"), ", 3x3/2"))
	add(as(conv("convolution", 28, 28, 128, 128, 3, "2=2 4=2"), ", 3x3 dilated by 2"))
	add(as(conv("convolution", 27, 27, 96, 256, 5, "4=2"), ", 5x5"))
	one("convolution", "35x35x64 to 96, 1x7", "Convolution NAME 1 1 IN OUT 0=96 1=7 11=1 4=3 14=0 5=1 6=43008", 35, 35, 64)
	add(Shape{Group: "convolution", Name: "56x56x128 to 128, 3x3 in 32 groups", in: [][]int{{56, 56, 128}},
		lines: "ConvolutionDepthWise NAME 1 1 IN OUT 0=128 1=3 4=1 5=1 6=4608 7=32"})
	add(Shape{Group: "convolution", Name: "28x28x128 to 64, 4x4/2 transposed", in: [][]int{{28, 28, 128}},
		lines: "Deconvolution NAME 1 1 IN OUT 0=64 1=4 3=2 4=1 5=1 6=131072"})
	for _, c := range [][4]int{{112, 32, 64, 112}, {56, 24, 144, 56}, {56, 144, 24, 56}, {56, 256, 64, 56}, {28, 256, 256, 28}, {14, 512, 512, 14}, {7, 960, 320, 7}, {160, 8, 8, 160}, {160, 4, 24, 160}} {
		add(conv("convolution 1x1", c[0], c[3], c[1], c[2], 1, ""))
	}
	add(as(conv("convolution 1x1", 56, 56, 256, 128, 1, "3=2"), ", stride 2"))
	add(as(conv("convolution 1x1", 56, 56, 64, 256, 1, "9=1"), ", ReLU"))
	add(Shape{Group: "convolution 1x1", Name: "56x56x64 to 256, residual sum, ReLU", in: [][]int{{56, 56, 64}, {56, 56, 256}},
		lines: "Convolution NAME 1 1 IN a 0=256 1=1 5=1 6=16384\nBinaryOp sum 2 1 a IN1 b\nReLU relu 1 1 b OUT"})
	add(as(conv("convolution 1x1", 28, 28, 240, 40, 1, ""), ""))
	add(Shape{Group: "convolution 1x1", Name: "112x112x32 to 64, swish", in: [][]int{{112, 112, 32}},
		lines: "Convolution NAME 1 1 IN a 0=64 1=1 5=1 6=2048\nSwish swish 1 1 a OUT"})

	for _, c := range [][3]int{{112, 64, 64}, {56, 64, 64}, {56, 128, 128}, {28, 256, 256}, {14, 256, 256}, {14, 512, 512}, {7, 512, 512}, {56, 16, 64}} {
		for _, side := range []int{2, 4, 6} {
			s := as(conv("Winograd", c[0], c[0], c[1], c[2], 3, "4=1"), fmt.Sprintf(", F(%d,3)", side))
			s.side = side
			add(s)
		}
	}

	for _, c := range []struct{ size, channels, k, stride int }{
		{112, 32, 3, 1}, {112, 64, 3, 2}, {112, 96, 3, 2}, {56, 128, 3, 1}, {56, 128, 3, 2}, {56, 144, 3, 1}, {28, 192, 3, 1}, {28, 256, 3, 1},
		{28, 192, 3, 2}, {14, 512, 3, 1}, {14, 576, 3, 1}, {14, 576, 3, 2}, {7, 960, 3, 1},
		{28, 72, 5, 1}, {56, 72, 5, 2}, {14, 120, 5, 1}, {14, 672, 5, 2}, {7, 960, 5, 1}, {56, 96, 7, 1}, {14, 384, 7, 1}, {56, 64, 7, 2},
	} {
		stride := ""
		if c.stride != 1 {
			stride = fmt.Sprintf("/%d", c.stride)
		}
		one("depthwise", fmt.Sprintf("%dx%dx%d, %dx%d%s", c.size, c.size, c.channels, c.k, c.k, stride),
			fmt.Sprintf("ConvolutionDepthWise NAME 1 1 IN OUT 0=%d 1=%d 3=%d 4=%d 5=1 6=%d 7=%[1]d", c.channels, c.k, c.stride, c.k/2, c.channels*c.k*c.k), c.size, c.size, c.channels)
	}
	one("depthwise", "28x28x256, 3x3 dilated by 2", "ConvolutionDepthWise NAME 1 1 IN OUT 0=256 1=3 2=2 4=2 5=1 6=2304 7=256", 28, 28, 256)

	for _, c := range [][3]int{{1, 4096, 3072}, {1, 1024, 1000}, {1, 512, 128}, {2, 768, 3072}, {4, 768, 3072}, {16, 768, 3072}, {128, 768, 3072}, {128, 768, 768}, {577, 768, 768}} {
		name := fmt.Sprintf("%d vectors of %d to %d", c[0], c[1], c[2])
		if c[0] == 1 {
			name = fmt.Sprintf("1 vector of %d to %d", c[1], c[2])
		}
		params := fmt.Sprintf("InnerProduct NAME 1 1 IN OUT 0=%d 1=1 2=%d", c[2], c[1]*c[2])
		s := Shape{Group: "inner product", Name: name, lines: params, in: [][]int{{c[1], c[0]}}}
		add(s)
		if c[1] == 4096 || c[0] == 4 || c[0] == 128 && c[2] == 3072 {
			s.form = half
			add(as(s, ", fp16"))
		}
	}
	for _, s := range []Shape{plain(conv("fp16 weights", 56, 56, 64, 64, 3, "4=1")), conv("fp16 weights", 28, 28, 256, 256, 1, ""), plain(conv("fp16 weights", 7, 7, 512, 512, 3, "4=1"))} {
		s.form = half
		add(as(s, map[bool]string{true: ", 3x3", false: ", 1x1"}[s.side == direct]))
	}

	for _, c := range [][4]int{{56, 64, 64, 3}, {28, 128, 128, 3}, {14, 256, 256, 3}, {28, 256, 256, 1}, {7, 960, 320, 1}} {
		add(as(conv("int8", c[0], c[0], c[1], c[2], c[3], fmt.Sprintf("4=%d 8=2", c[3]/2)), fmt.Sprintf(", %dx%d", c[3], c[3])))
	}
	for _, c := range [][3]int{{112, 32, 1}, {28, 192, 1}, {112, 96, 2}} {
		one("int8", fmt.Sprintf("depthwise %dx%dx%d, 3x3/%d", c[0], c[0], c[1], c[2]),
			fmt.Sprintf("ConvolutionDepthWise NAME 1 1 IN OUT 0=%d 1=3 3=%d 4=1 5=1 6=%d 7=%[1]d 8=1", c[1], c[2], 9*c[1]), c[0], c[0], c[1])
	}
	add(Shape{Group: "int8", Name: "1 vector of 1280 to 1000", in: [][]int{{1280}}, lines: "InnerProduct NAME 1 1 IN OUT 0=1000 1=1 2=1280000 8=2"})
	add(Shape{Group: "int8", Name: "128 vectors of 768 to 768", in: [][]int{{768, 128}}, lines: "InnerProduct NAME 1 1 IN OUT 0=768 1=1 2=589824 8=2"})

	for _, c := range []struct{ heads, rows, width int }{{12, 128, 64}, {12, 577, 64}, {12, 16, 64}, {4, 64, 32}} {
		in := []int{c.width, c.rows, c.heads}
		add(Shape{Group: "attention", Name: fmt.Sprintf("%d heads, %d rows of %d", c.heads, c.rows, c.width), in: [][]int{in, in, in}, lines: "SDPA NAME 3 1 IN IN1 IN2 OUT"})
	}
	add(Shape{Group: "attention", Name: "product of 577x64 and 64x577, 12 times", in: [][]int{{64, 577, 12}, {577, 64, 12}}, lines: "MatMul NAME 2 1 IN IN1 OUT"})

	one("pooling", "112x112x64, max 3x3/2", "Pooling NAME 1 1 IN OUT 0=0 1=3 2=2", 112, 112, 64)
	one("pooling", "224x224x64, max 2x2/2", "Pooling NAME 1 1 IN OUT 0=0 1=2 2=2", 224, 224, 64)
	one("pooling", "56x56x192, max 3x3/2", "Pooling NAME 1 1 IN OUT 0=0 1=3 2=2", 56, 56, 192)
	one("pooling", "28x28x256, max 3x3/1", "Pooling NAME 1 1 IN OUT 0=0 1=3 3=1 5=1", 28, 28, 256)
	one("pooling", "13x13x256, max 5x5/1", "Pooling NAME 1 1 IN OUT 0=0 1=5 3=2 5=1", 13, 13, 256)
	one("pooling", "28x28x256, average 2x2/2", "Pooling NAME 1 1 IN OUT 0=1 1=2 2=2", 28, 28, 256)
	one("pooling", "7x7x2048, all of it", "Pooling NAME 1 1 IN OUT 0=1 4=1", 7, 7, 2048)
	one("pooling", "56x56x72, all of it", "Pooling NAME 1 1 IN OUT 0=1 4=1", 56, 56, 72)

	rows := func(name, layer string, w, h int) {
		add(Shape{Group: "rows", Name: name, in: [][]int{{w, h}}, lines: layer})
	}
	rows("softmax, 1 row of 1000", "Softmax NAME 1 1 IN OUT 0=1 1=1", 1000, 1)
	rows("softmax, 577 rows of 577", "Softmax NAME 1 1 IN OUT 0=1 1=1", 577, 577)
	rows("layer norm, 577 rows of 768", "LayerNorm NAME 1 1 IN OUT 0=768 1=1e-5 2=1", 768, 577)
	rows("layer norm, 16 rows of 768", "LayerNorm NAME 1 1 IN OUT 0=768 1=1e-5 2=1", 768, 16)
	rows("RMS norm, 128 rows of 1024", "RMSNorm NAME 1 1 IN OUT 0=1024 1=1e-5 2=1", 1024, 128)

	// Others read the inputs too, so that outputs do not lie over them.
	element := func(name, layer string) {
		one("element by element", name+", 56x56x128", "Split split 1 2 IN a b\n"+strings.Replace(layer, " IN ", " a ", 1)+"\nExp other 1 1 b c", 56, 56, 128)
	}
	elements := func(name, layer string, in, in1 []int) {
		add(Shape{Group: "element by element", Name: name, in: [][]int{in, in1},
			lines: "Split split 1 2 IN a b\nSplit split1 1 2 IN1 c d\n" + layer + "\nExp other 1 1 b e\nExp other1 1 1 d f"})
	}
	element("ReLU", "ReLU NAME 1 1 IN OUT")
	element("hard swish", "HardSwish NAME 1 1 IN OUT")
	element("swish", "Swish NAME 1 1 IN OUT")
	element("GELU", "GELU NAME 1 1 IN OUT")
	element("sigmoid", "Sigmoid NAME 1 1 IN OUT")
	element("exp", "Exp NAME 1 1 IN OUT")
	element("tanh", "TanH NAME 1 1 IN OUT")
	element("mish", "Mish NAME 1 1 IN OUT")
	element("square root", "UnaryOp NAME 1 1 IN OUT 0=5")
	elements("sum of two, 56x56x128", "BinaryOp NAME 2 1 a c OUT", []int{56, 56, 128}, []int{56, 56, 128})
	elements("sum of two, 14x14x256", "BinaryOp NAME 2 1 a c OUT", []int{14, 14, 256}, []int{14, 14, 256})
	elements("channels times factors, 56x56x72", "BinaryOp NAME 2 1 a c OUT 0=2", []int{56, 56, 72}, []int{1, 1, 72})

	// Neighbours keep what moves data from becoming a part of the network's edges.
	moves := func(name, layer string, in ...int) {
		add(Shape{Group: "order of elements", Name: name, in: [][]int{in}, lines: "Exp before 1 1 IN a\n" + strings.NewReplacer("IN", "a", "OUT", "b").Replace(layer) + "\nExp after 1 1 b OUT"})
	}
	moves("shuffle of 2 groups, 28x28x116", "ShuffleChannel NAME 1 1 IN OUT 0=2", 28, 28, 116)
	moves("shuffle of 2 groups, 7x7x464", "ShuffleChannel NAME 1 1 IN OUT 0=2", 7, 7, 464)
	moves("shuffle of 3 groups, 28x28x240", "ShuffleChannel NAME 1 1 IN OUT 0=3", 28, 28, 240)
	moves("planar, 56x56x64", "Flatten NAME 1 1 IN OUT", 56, 56, 64)
	moves("planar, 14x14x512", "Flatten NAME 1 1 IN OUT", 14, 14, 512)
	moves("planar, 104x104x24", "Flatten NAME 1 1 IN OUT", 104, 104, 24)
	moves("planar, 577x1x768", "Flatten NAME 1 1 IN OUT", 577, 1, 768)
	moves("rows for columns, 64x64x12", "Permute NAME 1 1 IN OUT 0=1", 64, 64, 12)
	moves("pixels from 4 channels, 56x56x64", "PixelShuffle NAME 1 1 IN OUT 0=2", 56, 56, 64)
	moves("twice as large, 26x26x128", "Interp NAME 1 1 IN OUT 0=1 1=2.0 2=2.0", 26, 26, 128)
	moves("twice as large, bilinear, 26x26x128", "Interp NAME 1 1 IN OUT 0=2 1=2.0 2=2.0", 26, 26, 128)
	moves("padding, 56x56x64", "Padding NAME 1 1 IN OUT 0=1 1=1 2=1 3=1", 56, 56, 64)
	add(Shape{Group: "order of elements", Name: "concatenation, 28x28x128 twice", in: [][]int{{28, 28, 128}}, lines: "Exp before 1 1 IN a\nSplit split 1 2 a b c\nConcat NAME 2 1 b c d 0=0\nExp after 1 1 d OUT"})
	return all
}

// text is the network of shapes in ncnn's form.
func text(shapes []Shape) string {
	var layers []string
	blobs := 0
	line := func(s string) {
		layers = append(layers, s)
		f := strings.Fields(s)
		blobs += int(f[3][0] - '0')
	}
	for i, s := range shapes {
		id := layerName(i)
		blob := map[string]string{}
		for k, in := range s.in {
			name := fmt.Sprintf("%s.in%d", id, k)
			blob[map[bool]string{true: "IN", false: fmt.Sprintf("IN%d", k)}[k == 0]] = name
			params := ""
			for axis, n := range in {
				params += fmt.Sprintf(" %d=%d", axis, n)
			}
			line(fmt.Sprintf("Input %s 0 1 %[1]s%s", name, params))
		}
		for _, l := range strings.Split(s.lines, "\n") {
			f := strings.Fields(l)
			if f[1] = id + "." + f[1]; f[1] == id+".NAME" {
				f[1] = id
			}
			ins, outs := int(f[2][0]-'0'), int(f[3][0]-'0')
			for k := 4; k < 4+ins+outs; k++ {
				if in := blob[f[k]]; in != "" {
					f[k] = in
				} else {
					f[k] = id + "." + strings.ToLower(f[k])
				}
			}
			line(strings.Join(f, " "))
		}
	}
	return fmt.Sprintf("7767517\n%d %d\n%s\n", len(layers), blobs, strings.Join(layers, "\n"))
}

// layerName is that of the layer that is measured of shape number i.
func layerName(i int) string { return fmt.Sprintf("k%03d", i) }
