package harness

import (
	"fmt"
	"strings"

	"github.com/flexnnc/flexnnc/ir"
)

// block is some layers that belong together, as lines in which NAME begins all names;
// they read NAME.i0 and so on.
type block struct {
	lines []string
	n     int
	gemm  bool
	int8  bool // products that round to int8
}

func (b *block) add(typ string, in []string, params string) string {
	out := fmt.Sprintf("NAME.%d", b.n)
	b.n++
	b.lines = append(b.lines, strings.TrimSpace(fmt.Sprintf("%s %s %d 1 %s %[2]s %[5]s", typ, out, len(in), strings.Join(in, " "), params)))
	return out
}

// split is a blob for several readers.
func (b *block) split(x string, readers int) (outs []string) {
	for i := range readers {
		outs = append(outs, fmt.Sprintf("NAME.%d_%d", b.n, i))
	}
	b.lines = append(b.lines, fmt.Sprintf("Split NAME.%d 1 %d %s %s", b.n, readers, x, strings.Join(outs, " ")))
	b.n++
	return outs
}

// linear is a product of rows of k with weights, n columns.
func (b *block) linear(x string, n, k int) string {
	switch {
	case b.int8:
		return b.add("InnerProduct", []string{x}, fmt.Sprintf("0=%d 1=1 2=%d 8=1", n, n*k))
	case b.gemm:
		return b.add("Gemm", []string{x}, fmt.Sprintf("3=1 5=1 6=1 8=%d 9=%d 10=4", n, k))
	}
	return b.add("InnerProduct", []string{x}, fmt.Sprintf("0=%d 1=1 2=%d", n, n*k))
}

// transformer draws a layer of a transformer: attention by products and a softmax, by
// SDPA or by MultiHeadAttention, a sum, a norm, and a feed-forward.
func transformer(kind string) func(g gridRand) gridLayer {
	return func(g gridRand) gridLayer {
		b := &block{int8: kind == "int8", gemm: g.Intn(2) == 0}
		heads, width, tokens := g.upTo(4), []int{4, 8, 16, 32, 5}[g.Intn(5)], 2+g.Intn(40)
		c := heads * width
		in := []ir.Shape{ir.Shape2(c, tokens)}
		x := "NAME.i0"
		residual := b.split(x, 2)
		normed := b.add("LayerNorm", residual[:1], fmt.Sprintf("0=%d 2=1", c))
		masked := g.Intn(2) == 0
		var y string
		if kind == "MultiHeadAttention" {
			from, params := []string{normed}, fmt.Sprintf("0=%d 1=%d 2=%d 3=%[1]d 4=%[1]d", c, heads, c*c)
			if masked {
				in = append(in, ir.Shape2(tokens, tokens))
				from, params = append(from, "NAME.i1"), params+" 5=1"
			}
			y = b.add(kind, from, params)
		} else {
			var qkv []string
			turned := 1 // keys are rows, as queries are
			for i, n := range b.split(normed, 3) {
				t := b.add("Reshape", []string{b.linear(n, c, c)}, fmt.Sprintf("0=%d 1=%d 2=%d", width, heads, tokens))
				order := 2 // heads outside
				if i == 1 && kind == "MatMul" && g.Intn(2) == 0 {
					order, turned = 3, 0 // and keys innermost
				}
				qkv = append(qkv, b.add("Permute", []string{t}, fmt.Sprintf("0=%d", order)))
			}
			if masked {
				in = append(in, ir.Shape3(tokens, tokens, []int{1, heads}[g.Intn(2)]))
			}
			if kind == "SDPA" || kind == "int8" {
				params := ""
				if masked {
					qkv, params = append(qkv, "NAME.i1"), "5=1"
				}
				y = b.add("SDPA", qkv, params)
			} else {
				s := b.add("MatMul", qkv[:2], fmt.Sprintf("0=%d", turned))
				switch g.Intn(3) {
				case 0:
					s = b.add("BinaryOp", []string{s}, "0=2 1=1 2=0.3")
				case 1:
					s = b.add("BinaryOp", []string{s}, "0=3 1=1 2=2.5")
				}
				if masked {
					s = b.add("BinaryOp", []string{s, "NAME.i1"}, "0=0")
				}
				y = b.add("MatMul", []string{b.add("Softmax", []string{s}, "0=2 1=1"), qkv[2]}, "")
			}
			y = b.add("Reshape", []string{b.add("Permute", []string{y}, "0=2")}, fmt.Sprintf("0=%d 1=%d", c, tokens))
			y = b.linear(y, c, c)
		}
		residual = b.split(b.add("BinaryOp", []string{residual[1], y}, "0=0"), 2)
		y = b.add("LayerNorm", residual[:1], fmt.Sprintf("0=%d 2=1", c))
		n := 2 * c
		y = b.add("GELU", []string{b.linear(y, n, c)}, fmt.Sprintf("0=%d", g.Intn(2)))
		b.add("BinaryOp", []string{residual[1], b.linear(y, c, n)}, "0=0")
		return gridLayer{in: in, block: b.lines}
	}
}

// signal draws convolutions and poolings over one axis and sums, which are planned by rows of their
// matrices.
func signal(g gridRand) gridLayer {
	b := &block{}
	c, n := g.upTo(40), 12+g.Intn(40)
	in := []ir.Shape{ir.Shape2(n, c)}
	x := "NAME.i0"
	for range 2 + g.Intn(3) {
		k, s, d := 1+2*g.Intn(3), g.upTo(2), g.upTo(2)
		o := g.upTo(40)
		y := b.add("Convolution1D", []string{x}, fmt.Sprintf("0=%d 1=%d 2=%d 3=%d 4=%d 5=1 6=%d", o, k, d, s, d*(k/2), o*c*k))
		switch g.Intn(4) {
		case 0:
			k, d := 1+2*g.Intn(4), g.upTo(2)
			y = b.add("ConvolutionDepthWise1D", []string{y}, fmt.Sprintf("0=%d 1=%d 2=%d 4=%d 5=1 6=%d 7=%[1]d", o, k, d, d*(k/2), o*k))
		case 1:
			k := g.upTo(3) // and no window without a cell
			y = b.add("Pooling1D", []string{y}, fmt.Sprintf("0=%d 1=%d 2=%d 3=%d 5=1 6=%d", g.Intn(2), k, g.upTo(2), g.Intn(k), g.Intn(2)))
		default:
			r := b.split(b.add("ReLU", []string{y}, ""), 2)
			z := b.add("Convolution1D", r[:1], fmt.Sprintf("0=%d 1=3 4=1 5=1 6=%d", o, 3*o*o))
			y = b.add("BinaryOp", []string{z, r[1]}, "0=0")
		}
		x, c = y, o
	}
	return gridLayer{in: in, block: b.lines}
}
