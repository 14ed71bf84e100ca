package harness

import (
	"fmt"
	"slices"

	"github.com/flexnnc/flexnnc/ir"
)

// Motifs are what networks are made of: a few layers that belong together, and that
// passes over the network and the planner treat together. Where a layer does not fit,
// what was drawn before it stays as it is.

// put adds a layer with one output and returns that, "" where it does not fit.
func (d *drawn) put(typ, params string, in ...string) string {
	if slices.Contains(in, "") || !d.add(typ, in, 1, params) {
		return ""
	}
	return fmt.Sprintf("b%d", d.blobs-1)
}

// several adds a layer with n outputs; they are "" where it does not fit.
func (d *drawn) several(typ string, n int, params, in string) []string {
	out := make([]string, n)
	if in != "" && d.add(typ, []string{in}, n, params) {
		for i := range out {
			out[i] = fmt.Sprintf("b%d", d.blobs-n+i)
		}
	}
	return out
}

func (d *drawn) split(x string, n int) []string { return d.several("Split", n, "", x) }

// conv is a convolution of k by k with pads that keep the size where stride is 1; o
// channels, or as many groups as channels where o is 0.
func (d *drawn) conv(x string, o, k, stride int, more string) string {
	c := d.shape[x].C
	if o == 0 {
		return d.put("ConvolutionDepthWise", fmt.Sprintf("0=%d 1=%d 3=%d 4=%d 5=1 6=%d 7=%d %s", c, k, stride, k/2, c*k*k, c, more), x)
	}
	return d.put("Convolution", fmt.Sprintf("0=%d 1=%d 3=%d 4=%d 5=%d 6=%d %s", o, k, stride, k/2, d.r.Intn(2), o*c*k*k, more), x)
}

func (d *drawn) pick(v ...string) string { return v[d.r.Intn(len(v))] }

func (d *drawn) odd() int { return 1 + 2*d.r.Intn(2) }

func (d *drawn) activation() string {
	return d.pick("", "9=1", "9=2 -23310=1,0.1", "9=3 -23310=2,-0.5,0.5", "9=5", "9=6 -23310=2,0.2,0.5")
}

// pointwise is an activation as a layer of its own, or none.
func (d *drawn) pointwise(x string) string {
	switch typ := d.pick("", "ReLU", "Swish", "HardSwish", "GELU", "Sigmoid", "PReLU"); typ {
	case "":
		return x
	case "PReLU":
		return d.put(typ, "0=1", x)
	default:
		return d.put(typ, "", x)
	}
}

func (d *drawn) sum(x, y string) string {
	if d.r.Intn(3) == 0 {
		return d.put("Eltwise", d.pick("0=1", "0=1 -23301=2,0.5,1.0", "0=2"), x, y)
	}
	return d.put("BinaryOp", d.pick("0=0", "0=0", "0=1", "0=2"), x, y)
}

// motif draws one on a blob that nothing reads yet.
func (d *drawn) motif() {
	x := d.open[d.r.Intn(len(d.open))]
	switch s := d.shape[x]; s.Dims {
	case 3:
		d.imageMotif(x, s)
	case 2:
		d.tokenMotif(x, s)
	default:
		d.step()
	}
}

func (d *drawn) imageMotif(x string, s ir.Shape) {
	n := d.r.Intn
	c := s.C
	size := func() int { return []int{3, 4, 8, 13, 16, 17, 33}[n(7)] }
	gate := func(x string) string {
		g := d.put("Pooling", d.pick("0=1 4=1", "0=1 7=1 8=1 18=1", "0=0 4=1"), x)
		if n(2) == 0 && d.shape[g].Dims == 3 {
			g = d.conv(d.conv(g, 1+c/4, 1, 1, "9=1"), c, 1, 1, "9=4")
		} else {
			g = d.put("InnerProduct", fmt.Sprintf("0=%d 1=1 2=%d 9=1", 1+c/4, (1+c/4)*c), g)
			g = d.put("InnerProduct", fmt.Sprintf("0=%d 1=1 2=%d 9=4", c, (1+c/4)*c), g)
			if n(2) == 0 {
				g = d.put("Reshape", fmt.Sprintf("0=1 1=1 2=%d", c), g)
			}
		}
		return g
	}
	switch n(20) {
	case 0, 1: // residual
		v := d.split(x, 2)
		y := d.conv(v[0], c, d.odd(), 1, d.activation())
		for range n(3) {
			y = d.conv(y, c, d.odd(), 1, d.activation())
		}
		d.pointwise(d.sum(v[1], y))
	case 2: // squeeze and excitation
		v := d.split(x, 2)
		d.put("BinaryOp", "0=2", v[0], gate(v[1]))
	case 3: // dense block
		for range 1 + n(3) {
			v := d.split(x, 2)
			y := d.put("ReLU", "", d.put("BatchNorm", fmt.Sprintf("0=%d", d.shape[v[0]].C), v[0]))
			x = d.put("Concat", "", v[1], d.conv(d.conv(y, size(), 1, 1, "9=1"), 4, 3, 1, ""))
		}
	case 4: // shuffle unit
		v := d.several("Slice", 2, "-23300=2,-233,-233 1=0", x)
		y := d.conv(d.conv(v[1], max(1, c/2), 1, 1, "9=1"), 0, 3, 1, "")
		d.put("ShuffleChannel", "0=2", d.put("Concat", "", v[0], d.conv(y, max(1, c/2), 1, 1, "9=1")))
	case 5, 6: // down, up again, and joined with what was there
		v := d.split(x, 2)
		y := d.put("Pooling", fmt.Sprintf("0=%d 1=2 2=2 5=%d", n(2), n(2)), v[0])
		y = d.conv(y, size(), 3, 1, d.activation())
		switch n(3) {
		case 0:
			y = d.put("Interp", fmt.Sprintf("0=%d 3=%d 4=%d 6=%d", 1+n(3), s.H, s.W, n(2)), y)
		case 1:
			y = d.put("Interp", "0=1 1=2.0 2=2.0", y)
		default:
			y = d.put("Deconvolution", fmt.Sprintf("0=%d 1=2 3=2 5=1 6=%d", c, c*d.shape[y].C*4), y)
		}
		if d.shape[y] == s && n(2) == 0 {
			d.sum(v[1], y)
		} else {
			d.conv(d.put("Concat", "", d.pick(v[1], v[1]), y), size(), d.odd(), 1, d.activation())
		}
	case 7: // branches
		v := d.split(x, 3)
		d.put("Concat", "", d.conv(v[0], size(), 1, 1, "9=1"), d.conv(d.conv(v[1], size(), 1, 1, "9=1"), size(), 3, 1, "9=1"),
			d.conv(d.put("Pooling", fmt.Sprintf("0=%d 1=3 2=1 3=1 5=1", n(2)), v[2]), size(), 1, 1, ""))
	case 8, 9: // inverted residual
		v := d.split(x, 2)
		y := d.conv(d.conv(v[0], 2*c, 1, 1, d.activation()), 0, []int{3, 5}[n(2)], 1, d.activation())
		if n(2) == 0 {
			u := d.split(y, 2)
			g := d.conv(d.put("Pooling", "0=1 7=1 8=1 18=1", u[0]), 2*c, 1, 1, "9=4")
			y = d.put("BinaryOp", "0=2", u[1], g)
		}
		d.put("BinaryOp", "0=0", v[1], d.conv(y, c, 1, 1, ""))
	case 10: // norm over channels, channels innermost
		y := d.put("LayerNorm", fmt.Sprintf("0=%d 1=1e-5 2=%d", c, n(2)), d.put("Permute", "0=3", x))
		d.put("Permute", "0=4", d.pointwise(y))
	case 11: // tokens and back
		v := d.split(x, 2)
		y := d.put("Permute", "0=1", d.put("Reshape", fmt.Sprintf("0=%d 1=%d", s.W*s.H, c), v[0]))
		for range 1 + n(2) {
			if y != "" {
				y = d.tokenMotif(y, d.shape[y])
			}
		}
		if d.shape[y] == ir.Shape2(c, s.W*s.H) {
			y = d.put("Reshape", fmt.Sprintf("0=%d 1=%d 2=%d", s.W, s.H, c), d.put("Permute", "0=1", y))
			d.sum(v[1], y)
		}
	case 12: // windows of two by two, with an inner order of their own
		y := d.put("Reshape", fmt.Sprintf("0=2 1=%d 11=2 2=%d", s.W/2, s.H/2*c), x)
		y = d.put("Permute", "0=2", y)
		y = d.put("Reshape", fmt.Sprintf("0=4 1=%d 2=%d", s.W*s.H/4, c), y)
		v := d.several("Slice", 2, "-23300=2,-233,-233 1=2", d.put("Permute", fmt.Sprintf("0=%d", n(6)), y))
		d.put("Concat", "0=2", v[1], v[0])
	case 13: // pads on one side
		top, left := n(4), n(3)
		y := d.put("Padding", fmt.Sprintf("0=%d 1=0 2=%d 3=%d 4=%d", top, left, n(2), n(3)), x)
		d.conv(y, size(), 3, 1+n(2), d.activation())
	case 14: // attention over space
		v := d.split(x, 3)
		m := d.put("Concat", "", d.put("Reduction", "0=3 1=0 -23303=1,0 4=1 5=1", v[0]), d.put("Reduction", "0=4 1=0 -23303=1,0 4=1 5=1", v[1]))
		d.put("BinaryOp", "0=2", v[2], d.conv(m, 1, []int{3, 7}[n(2)], 1, "9=4"))
	case 15: // head of a detector
		k := []int{4, 5, 6}[n(3)]
		y := d.put("Reshape", fmt.Sprintf("0=%d 1=-1", k), d.put("Permute", "0=3", d.conv(x, 3*k, 1, 1, "")))
		v := d.several("Slice", 2, fmt.Sprintf("-23300=2,2,%d 1=1", k-2), y)
		d.put("Concat", "0=1", d.put("Sigmoid", "", v[0]), d.put("Softmax", "0=1 1=1", v[1]))
	case 16: // columns of an image as steps of a recurrence
		y := d.put("Reshape", fmt.Sprintf("0=%d 1=%d", s.H*c, s.W), d.put("Permute", "0=4", x))
		d.tokenMotif(y, d.shape[y])
	case 17: // norm over the image, enlarged, with reflected borders
		y := d.put("InstanceNorm", fmt.Sprintf("0=%d 1=1e-5 2=1", c), d.conv(x, c, 3, 1, ""))
		y = d.put("Interp", "0=1 1=2.0 2=2.0", d.pointwise(y))
		y = d.put("Padding", "0=1 1=1 2=1 3=1 4=2", y)
		d.put("Convolution", fmt.Sprintf("0=4 1=3 5=1 6=%d", 36*c), y)
	case 18: // pixels from channels
		d.put("PixelShuffle", fmt.Sprintf("0=2 1=%d", n(2)), d.conv(x, 4*(1+n(4)), 3, 1, d.activation()))
	default: // pooled coarsely, and joined
		v := d.split(x, 2)
		k := 1 + n(3)
		y := d.conv(d.put("Pooling", fmt.Sprintf("0=1 7=1 8=%d 18=%d", k, k), v[0]), size(), 1, 1, "9=1")
		y = d.put("Interp", fmt.Sprintf("0=2 3=%d 4=%d 6=%d", s.H, s.W, n(2)), y)
		d.conv(d.put("Concat", "", v[1], y), size(), d.odd(), 1, d.activation())
	}
}

// tokenMotif draws on rows of features, and returns its result or "".
func (d *drawn) tokenMotif(x string, s ir.Shape) string {
	n := d.r.Intn
	e, rows := s.W, s.H
	if x == "" || e > 600 {
		return ""
	}
	norm := func(x string) string {
		if n(2) == 0 {
			return d.put("RMSNorm", fmt.Sprintf("0=%d 1=1e-5 2=1", e), x)
		}
		return d.put("LayerNorm", fmt.Sprintf("0=%d 1=1e-5 2=%d", e, n(2)), x)
	}
	dense := func(x string, o int) string {
		k := d.shape[x].W
		if n(2) == 0 {
			return d.put("InnerProduct", fmt.Sprintf("0=%d 1=1 2=%d", o, o*k), x)
		}
		return d.put("Gemm", fmt.Sprintf("3=1 5=1 6=1 8=%d 9=%d 10=%d", o, k, d.r.Intn(2)*5-1), x)
	}
	heads := 1
	for _, h := range []int{2, 3, 4} {
		if e%h == 0 && n(2) == 0 {
			heads = h
		}
	}
	split := func(x string) string { // into heads: e/heads, rows, heads
		return d.put("Permute", "0=2", d.put("Reshape", fmt.Sprintf("0=%d 1=%d 2=%d", e/heads, heads, rows), x))
	}
	join := func(x string) string {
		return d.put("Reshape", fmt.Sprintf("0=%d 1=%d", e, rows), d.put("Permute", "0=2", x))
	}
	v := d.split(x, 2)
	switch n(8) {
	case 0: // attention in one layer
		y := d.put("MultiHeadAttention", fmt.Sprintf("0=%d 1=%d 2=%d 3=%d 4=%d", e, heads, e*e, e, e), norm(v[0]))
		return d.put("BinaryOp", "0=0", v[1], y)
	case 1: // attention in many
		u := d.split(norm(v[0]), 3)
		q, k := split(dense(u[0], e)), split(dense(u[1], e))
		a := d.put("MatMul", "0=1", d.put("BinaryOp", "0=2 1=1 2=0.25", q), k)
		if n(2) == 0 {
			a = d.put("BinaryOp", "0=0", a, d.put("MemoryData", fmt.Sprintf("0=%d 1=%d 2=%d", rows, rows, heads)))
		}
		y := d.put("MatMul", "", d.put("Softmax", "0=2 1=1", a), split(dense(u[2], e)))
		return d.put("BinaryOp", "0=0", v[1], dense(join(y), e))
	case 2: // scaled dot products, with positions
		u := d.split(norm(v[0]), 3)
		q, k := split(dense(u[0], e)), split(dense(u[1], e))
		if half := e / heads / 2; n(2) == 0 && half > 0 && e/heads%2 == 0 {
			turn := func(x string) string {
				table := fmt.Sprintf("0=%d 1=%d", half, rows)
				return d.put("RotaryEmbed", fmt.Sprintf("0=%d", n(2)), x, d.put("MemoryData", table), d.put("MemoryData", table))
			}
			q, k = turn(q), turn(k)
		}
		return d.put("BinaryOp", "0=0", v[1], dense(join(d.put("SDPA", "", q, k, split(dense(u[2], e)))), e))
	case 3: // feed forward
		return d.put("BinaryOp", "0=0", v[1], dense(d.pointwise(dense(norm(v[0]), 2*e)), e))
	case 4: // gated
		u := d.split(norm(v[0]), 2)
		y := d.put("BinaryOp", "0=2", d.put("Swish", "", dense(u[0], e+3)), dense(u[1], e+3))
		return d.put("BinaryOp", "0=0", v[1], dense(y, e))
	case 5: // convolution along the rows
		y := d.put("Permute", "0=1", norm(v[0]))
		y = d.put("GLU", "0=0", d.put("Convolution1D", fmt.Sprintf("0=%d 1=1 5=1 6=%d", 2*e, 2*e*e), y))
		pad := d.pick("4=2 15=2", "4=4 15=0")
		y = d.put("ConvolutionDepthWise1D", fmt.Sprintf("0=%d 1=3 2=2 %s 5=1 6=%d 7=%d", e, pad, 3*e, e), y)
		return d.put("BinaryOp", "0=0", v[1], d.put("Permute", "0=1", d.pointwise(y)))
	case 6: // recurrence
		typ, gates := d.pick("LSTM", "GRU"), 4
		if typ == "GRU" {
			gates = 3
		}
		h, direction := 1+n(17), n(3)
		y := d.put(typ, fmt.Sprintf("0=%d 1=%d 2=%d", h, (1+direction/2)*gates*h*e, direction), v[0])
		return d.put("BinaryOp", "0=0", v[1], dense(y, e))
	}
	// the first row, and the mean of all
	y := d.put("Crop", fmt.Sprintf("-23309=1,0 -23310=1,1 -23311=1,0"), v[0])
	y = d.put("Reshape", fmt.Sprintf("0=%d", e), y)
	d.put("Concat", "", y, d.put("Reduction", "0=3 1=0 -23303=1,0 4=0 5=1", v[1]))
	return ""
}
