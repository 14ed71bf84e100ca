package ir

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Print writes the graph as stable text, a layer a line:
//
//	squeezenet: 3 layers, 3 blobs
//	  0 Convolution "conv1" (data[227,227,3]) -> (conv1[113,113,64])  0=64 1=3  weight[1728] f32 +0, bias[64] f32 +6916  @squeezenet.param:4:1
//
// Shapes are there once they are inferred, offsets and storage of weights where
// the weights file was read.
func (g *Graph) Print(w io.Writer) error {
	b := bufio.NewWriter(w)
	fmt.Fprintf(b, "%s: %d layers, %d blobs\n", g.Name, len(g.Layers), len(g.Blobs))
	for _, l := range g.Layers {
		fmt.Fprintf(b, "%3d %s %q %s -> %s", l.Index, l.Type, l.Name, blobList(l.Inputs), blobList(l.Outputs))
		sep := "  "
		for i := range l.Params {
			b.WriteString(sep + l.Params[i].String())
			sep = " "
		}
		sep = "  "
		for _, x := range l.Weights {
			b.WriteString(sep + x.String())
			sep = ", "
		}
		fmt.Fprintf(b, "  @%s\n", l.Pos)
	}
	fmt.Fprintf(b, "inputs %s, outputs %s\n", blobList(g.Inputs), blobList(g.Outputs))
	return b.Flush()
}

// String is what Print writes.
func (g *Graph) String() string {
	var b strings.Builder
	g.Print(&b)
	return b.String()
}

func blobList(blobs []*Blob) string {
	s := make([]string, len(blobs))
	for i, b := range blobs {
		s[i] = b.String()
	}
	return "(" + strings.Join(s, ", ") + ")"
}

// String is the blob's name, quoted where it is not a plain word, and its shape.
func (b *Blob) String() string {
	name := b.Name
	if quoted := strconv.Quote(name); len(quoted) != len(name)+2 || strings.ContainsAny(name, " ,()[]") {
		name = quoted
	}
	kind := ""
	if b.Ints {
		kind = "i32"
	}
	return name + kind + "[" + b.Shape.String() + "]"
}

// String writes the parameter as in a .param file, arrays in the counted form.
func (p *Param) String() string {
	switch p.Kind {
	case ParamArray:
		var b strings.Builder
		fmt.Fprintf(&b, "%d=%d", -23300-p.ID, len(p.Array))
		for _, s := range p.Array {
			b.WriteString("," + s.String())
		}
		return b.String()
	case ParamString:
		return fmt.Sprintf("%d=%q", p.ID, p.Str)
	}
	return fmt.Sprintf("%d=%s", p.ID, p.Scalar)
}

// String writes a float with a point or an exponent, as ncnn tells the kinds apart.
func (s Scalar) String() string {
	if !s.IsFloat {
		return strconv.Itoa(s.Int())
	}
	t := strconv.FormatFloat(float64(s.Float()), 'g', -1, 32)
	if !strings.ContainsAny(t, ".eIN") {
		t += ".0"
	}
	return t
}

func (w *Weight) String() string {
	if w.Source == nil {
		return fmt.Sprintf("%s[%d]", w.Name, w.Count)
	}
	return fmt.Sprintf("%s[%d] %s +%d", w.Name, w.Count, w.Storage, w.Offset)
}
