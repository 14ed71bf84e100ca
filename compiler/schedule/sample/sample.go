// Package sample builds lowered networks by hand, and at random, for tests of
// planning and of plan validation. Nothing here computes: weights have sizes and
// no values. It must not know how plans are made.
package sample

import (
	"fmt"

	"github.com/flexnnc/flexnnc/ir/lane"
	"github.com/flexnnc/flexnnc/ir/op"
)

// Net is a network in the making.
type Net struct{ Graph *op.Graph }

// New starts a network.
func New(name string) *Net { return &Net{&op.Graph{Name: name}} }

func (n *Net) tensor(name string, dims ...int) *op.Tensor {
	t := &op.Tensor{ID: len(n.Graph.Tensors), Name: name, Dims: dims, Strides: dense(dims)}
	n.Graph.Tensors = append(n.Graph.Tensors, t)
	return t
}

func dense(dims []int) []int {
	s := make([]int, len(dims))
	k := 1
	for i := len(dims) - 1; i >= 0; i-- {
		s[i] = k
		k *= dims[i]
	}
	return s
}

func (n *Net) add(o *op.Op) *op.Tensor {
	o.Index = len(n.Graph.Ops)
	if o.Name == "" {
		o.Name = fmt.Sprintf("%v%d", o.Kind, o.Index)
	}
	n.Graph.Ops = append(n.Graph.Ops, o)
	for _, t := range o.Out {
		t.Producer = o
	}
	if len(o.Out) == 0 {
		return nil
	}
	return o.Out[0]
}

// Input declares an image [h,w,c].
func (n *Net) Input(h, w, c int) *op.Tensor {
	o := &op.Op{Kind: op.Input, Out: []*op.Tensor{n.tensor(fmt.Sprintf("in%d", len(n.Graph.Inputs)), h, w, c)}}
	n.Graph.Inputs = append(n.Graph.Inputs, o)
	return n.add(o)
}

// Output makes x an output.
func (n *Net) Output(x *op.Tensor) {
	o := &op.Op{Kind: op.Output, In: []*op.Tensor{x}}
	n.Graph.Outputs = append(n.Graph.Outputs, o)
	n.add(o)
}

// Conv is a square convolution to c channels with stride s and padding pad, into
// a new tensor or, where into is not nil, into that.
func (n *Net) Conv(x *op.Tensor, c, k, s, pad int, into *op.Tensor) *op.Tensor {
	a := &op.ConvAttr{InH: x.Dims[0], InW: x.Dims[1], InC: x.Dims[2], OutC: c, KH: k, KW: k, SH: s, SW: s, DH: 1, DW: 1, PadT: pad, PadL: pad}
	a.OutH, a.OutW = (a.InH+2*pad-k)/s+1, (a.InW+2*pad-k)/s+1
	name := fmt.Sprintf("conv%d", len(n.Graph.Ops))
	if into == nil {
		into = n.tensor(name, a.OutH, a.OutW, c)
	}
	return n.add(&op.Op{
		Kind: op.Conv, Name: name, Conv: a, In: []*op.Tensor{x}, Out: []*op.Tensor{into},
		Panels: &op.Panels{Name: name, N: c, Taps: k * k, Chans: a.InC}, ThreadScratch: 64 * k,
	})
}

// Residual is a convolution that keeps the size of x, with k taps each way, and
// then adds skip.
func (n *Net) Residual(x, skip *op.Tensor, k int) *op.Tensor {
	out := n.Conv(x, skip.Dims[2], k, 1, k/2, nil)
	b := lane.New("add")
	out.Producer.Epilogue = b.Return(b.Add(b.Vec(), b.Vec()))
	out.Producer.EpilogueIn = []*op.Tensor{skip}
	return out
}

// Shuffle makes the columns of x its rows inside each row of the image.
func (n *Net) Shuffle(x *op.Tensor) *op.Tensor {
	out := n.tensor(fmt.Sprintf("copy%d", len(n.Graph.Ops)), x.Dims[0], x.Dims[2], x.Dims[1])
	return n.add(&op.Op{Kind: op.Copy, Perm: []int{0, 2, 1}, In: []*op.Tensor{x}, Out: []*op.Tensor{out}})
}

// Adaptive averages x to h by w pixels.
func (n *Net) Adaptive(x *op.Tensor, h, w int) *op.Tensor {
	out := n.tensor(fmt.Sprintf("pool%d", len(n.Graph.Ops)), h, w, x.Dims[2])
	return n.add(&op.Op{
		Kind: op.Pool, In: []*op.Tensor{x}, Out: []*op.Tensor{out},
		Pool: &op.PoolAttr{InH: x.Dims[0], InW: x.Dims[1], C: x.Dims[2], OutH: h, OutW: w, Adaptive: true},
	})
}

// Dense is an inner product over all of x.
func (n *Net) Dense(x *op.Tensor, c int) *op.Tensor {
	name := fmt.Sprintf("dense%d", len(n.Graph.Ops))
	return n.add(&op.Op{
		Kind: op.Conv, Name: name, In: []*op.Tensor{n.Window(x, 0, 1, 1, x.Len())}, Out: []*op.Tensor{n.tensor(name, 1, 1, c)},
		Conv:   &op.ConvAttr{InH: 1, InW: 1, InC: x.Len(), OutH: 1, OutW: 1, OutC: c, KH: 1, KW: 1, SH: 1, SW: 1, DH: 1, DW: 1},
		Panels: &op.Panels{Name: name, N: c, Taps: 1, Chans: x.Len()},
	})
}

// Depthwise is a 3x3 convolution per channel.
func (n *Net) Depthwise(x *op.Tensor) *op.Tensor {
	h, w, c := x.Dims[0], x.Dims[1], x.Dims[2]
	name := fmt.Sprintf("depthwise%d", len(n.Graph.Ops))
	return n.add(&op.Op{
		Kind: op.Depthwise, Name: name, In: []*op.Tensor{x}, Out: []*op.Tensor{n.tensor(name, h, w, c)},
		Conv:   &op.ConvAttr{InH: h, InW: w, InC: c, OutH: h, OutW: w, OutC: c, KH: 3, KW: 3, SH: 1, SW: 1, DH: 1, DW: 1, PadT: 1, PadL: 1, Mult: 1},
		Panels: &op.Panels{Name: name, N: c, Taps: 9, Chans: 1},
	})
}

// Pool halves an image.
func (n *Net) Pool(x *op.Tensor) *op.Tensor {
	h, w, c := x.Dims[0], x.Dims[1], x.Dims[2]
	out := n.tensor(fmt.Sprintf("pool%d", len(n.Graph.Ops)), (h+1)/2, (w+1)/2, c)
	return n.add(&op.Op{
		Kind: op.Pool, In: []*op.Tensor{x}, Out: []*op.Tensor{out},
		Pool: &op.PoolAttr{Max: true, InH: h, InW: w, C: c, OutH: out.Dims[0], OutW: out.Dims[1], KH: 2, KW: 2, SH: 2, SW: 2},
	})
}

// GlobalPool averages an image per channel.
func (n *Net) GlobalPool(x *op.Tensor) *op.Tensor {
	h, w, c := x.Dims[0], x.Dims[1], x.Dims[2]
	return n.add(&op.Op{
		Kind: op.Pool, In: []*op.Tensor{x}, Out: []*op.Tensor{n.tensor(fmt.Sprintf("pool%d", len(n.Graph.Ops)), 1, 1, c)},
		Pool: &op.PoolAttr{InH: h, InW: w, C: c, OutH: 1, OutW: 1, KH: h, KW: w, SH: 1, SW: 1},
	})
}

// Map applies some element-wise program to xs, which have equal dims.
func (n *Net) Map(xs ...*op.Tensor) *op.Tensor {
	b := lane.New(fmt.Sprintf("sum%d", len(xs)))
	r := b.Vec()
	for range xs[1:] {
		r = b.Add(r, b.Vec())
	}
	return n.add(&op.Op{
		Kind: op.Map, Map: &op.MapAttr{Program: b.Return(r)}, In: xs,
		Out: []*op.Tensor{n.tensor(fmt.Sprintf("map%d", len(n.Graph.Ops)), xs[0].Dims...)},
	})
}

// Scale multiplies x by a const of its channels.
func (n *Net) Scale(x *op.Tensor) *op.Tensor {
	name := fmt.Sprintf("scale%d", len(n.Graph.Ops))
	c := n.tensor(name+"/slope", x.Dims[len(x.Dims)-1])
	c.Const = &op.Const{Name: c.Name, Len: c.Len()}
	b := lane.New("scale")
	return n.add(&op.Op{
		Kind: op.Map, Name: name, Map: &op.MapAttr{Program: b.Return(b.Mul(b.Vec(), b.Vec()))},
		In: []*op.Tensor{x, c}, Out: []*op.Tensor{n.tensor(name, x.Dims...)},
	})
}

// Call is an op with scratch.
func (n *Net) Call(x *op.Tensor, scratch int) *op.Tensor {
	return n.add(&op.Op{
		Kind: op.Call, Call: &op.CallAttr{Func: "test"}, In: []*op.Tensor{x}, Scratch: scratch,
		Out: []*op.Tensor{n.tensor(fmt.Sprintf("call%d", len(n.Graph.Ops)), x.Dims...)},
	})
}

// Enlarge repeats every row of x, but for the last, by a kernel that makes ranges
// of rows.
func (n *Net) Enlarge(x *op.Tensor) *op.Tensor {
	return n.rows(x, 2*x.Dims[0]-1, func(y int) [2]int { return [2]int{y / 2, y/2 + 1} })
}

// Border puts border rows around x: of what x does not have or, where mirror is
// set, of what it has.
func (n *Net) Border(x *op.Tensor, border int, mirror bool) *op.Tensor {
	h := x.Dims[0]
	return n.rows(x, h+2*border, func(y int) [2]int {
		y -= border
		if mirror && y < 0 {
			y = min(-y, h-1)
		} else if mirror && y >= h {
			y = max(2*(h-1)-y, 0)
		}
		if y < 0 || y >= h {
			return [2]int{}
		}
		return [2]int{y, y + 1}
	})
}

func (n *Net) rows(x *op.Tensor, height int, from func(y int) [2]int) *op.Tensor {
	a := &op.CallAttr{Func: "rows"}
	for y := range height {
		a.Rows = append(a.Rows, from(y))
	}
	return n.add(&op.Op{
		Kind: op.Call, Call: a, In: []*op.Tensor{x},
		Out: []*op.Tensor{n.tensor(fmt.Sprintf("rows%d", len(n.Graph.Ops)), height, x.Dims[1], x.Dims[2])},
	})
}

// Interleave doubles an image by a convolution for each parity of row and column.
func (n *Net) Interleave(x *op.Tensor, c int) *op.Tensor {
	h, w := x.Dims[0], x.Dims[1]
	root := n.tensor(fmt.Sprintf("phases%d", len(n.Graph.Ops)), h, 2, w, 2, c)
	for p := range 4 {
		t := n.tensor(fmt.Sprintf("phase%d_%d", len(n.Graph.Ops), p), h, w, c)
		t.Base, t.Offset, t.Strides = root, p/2*2*w*c+p%2*c, []int{4 * w * c, 2 * c, 1}
		n.Conv(x, c, 1, 1, 0, t)
	}
	return n.Window(root, 0, 2*h, 2*w, c)
}

// Below is x without its first rows.
func (n *Net) Below(x *op.Tensor, rows int) *op.Tensor {
	t := n.tensor(fmt.Sprintf("%s_from_%d", x.Name, rows), x.Dims[0]-rows, x.Dims[1], x.Dims[2])
	t.Base, t.Offset, t.Strides = x.Root(), x.Offset+rows*x.Strides[0], x.Strides
	return t
}

// Pixels exchanges halves of the channels of x, which are an even number, pixel by pixel.
func (n *Net) Pixels(x *op.Tensor) *op.Tensor {
	h, w, c := x.Dims[0], x.Dims[1], x.Dims[2]
	in := n.tensor(x.Name+"_pixels", h*w, 2, c/2)
	in.Base, in.Offset, in.Strides = x.Root(), x.Offset, []int{x.Strides[1], c / 2, 1}
	out := n.tensor(fmt.Sprintf("copy%d", len(n.Graph.Ops)), h*w, c/2, 2)
	n.add(&op.Op{Kind: op.Copy, Perm: []int{0, 2, 1}, In: []*op.Tensor{in}, Out: []*op.Tensor{out}})
	return n.Window(out, 0, h, w, c)
}

// Image declares a tensor that several ops write windows of.
func (n *Net) Image(name string, dims ...int) *op.Tensor { return n.tensor(name, dims...) }

// Channels is the window on channels [first, first+c) of an image.
func (n *Net) Channels(x *op.Tensor, first, c int) *op.Tensor {
	t := n.tensor(fmt.Sprintf("%s[%d]", x.Name, first), x.Dims[0], x.Dims[1], c)
	t.Base, t.Offset, t.Strides = x.Root(), x.Offset+first, x.Strides
	return t
}

// Window sees x from an element on with other, dense dims.
func (n *Net) Window(x *op.Tensor, offset int, dims ...int) *op.Tensor {
	t := n.tensor(fmt.Sprintf("%s@%d", x.Name, offset), dims...)
	t.Base, t.Offset = x.Root(), x.Offset+offset
	return t
}

// Fire is SqueezeNet's module: a squeeze, and two convolutions into one image.
func (n *Net) Fire(x *op.Tensor, squeeze, expand int) *op.Tensor {
	s := n.Conv(x, squeeze, 1, 1, 0, nil)
	out := n.Image(fmt.Sprintf("fire%d", len(n.Graph.Ops)), s.Dims[0], s.Dims[1], 2*expand)
	n.Conv(s, expand, 1, 1, 0, n.Channels(out, 0, expand))
	n.Conv(s, expand, 3, 1, 1, n.Channels(out, expand, expand))
	return out
}

// Embed picks rows of a table by ids, into an image of one row.
func (n *Net) Embed(words, c, rows int) *op.Tensor {
	ids := n.tensor(fmt.Sprintf("ids%d", len(n.Graph.Inputs)), words)
	ids.Type = op.I32
	in := &op.Op{Kind: op.Input, Out: []*op.Tensor{ids}}
	n.Graph.Inputs = append(n.Graph.Inputs, in)
	n.add(in)
	name := fmt.Sprintf("embed%d", len(n.Graph.Ops))
	table := n.tensor(name+"/table", rows, c)
	table.Const = &op.Const{Name: table.Name, Len: table.Len(), RowLen: c}
	return n.add(&op.Op{
		Kind: op.Call, Name: name, Call: &op.CallAttr{Func: "embed", Ints: []int{words, c, rows}}, In: []*op.Tensor{ids, table},
		Out: []*op.Tensor{n.tensor(name, 1, words, c)}, WorkScratch: (table.Const.PickBytes() + 63) &^ 63,
	})
}

// Random is a small network; pick(k) returns a number below k.
func Random(pick func(k int) int) *op.Graph {
	n := New("random")
	x := n.Input(1+pick(20), 1+pick(6), 1+pick(20))
	if pick(10) == 0 {
		x = n.Embed(1+pick(6), 1+pick(40), 1+pick(60))
	}
	same := x // an earlier tensor, for residual adds
	for range 1 + pick(9) {
		switch pick(21) {
		case 0, 1:
			k, s := []int{1, 3}[pick(2)], 1+pick(2)
			if s > 1 && x.Dims[0]+2 < k {
				s = 1
			}
			x = n.Conv(x, 1+pick(80), k, s, pick(2)*k/2+k/3, nil)
		case 2:
			x = n.Depthwise(x)
		case 3:
			x = n.Pool(x)
		case 4:
			x = n.Map(x)
		case 5:
			x = n.Scale(x)
		case 6:
			x = n.Fire(x, 1+pick(20), 1+pick(40))
		case 7:
			x = n.Call(x, pick(3)*100)
		case 8:
			if pick(2) == 0 {
				x = n.Dense(x, 1+pick(70))
			} else {
				same = x
			}
		case 9:
			x = n.Residual(x, n.Conv(x, 1+pick(40), 1, 1, 0, nil), []int{1, 3}[pick(2)])
		case 10:
			x = n.Shuffle(x)
		case 11:
			if dense := x.Strides[0] == x.Dims[1]*x.Strides[1]; dense && pick(3) == 0 {
				x = n.Window(x, 0, 1, x.Dims[0]*x.Dims[1], x.Dims[2])
			}
			x = n.Adaptive(x, 1+pick(x.Dims[0]), 1+pick(x.Dims[1]))
		case 13:
			x = n.Enlarge(x)
		case 14:
			x = n.Border(x, 1+pick(3), pick(2) == 0)
		case 15:
			x = n.Interleave(x, 1+pick(20))
		case 16:
			if x.Dims[0] > 2 {
				x = n.Below(x, 1+pick(x.Dims[0]-1))
			}
		case 18: // the first windows, and perhaps the last, lie beside the image
			x = n.Conv(x, 1+pick(40), 1, 2, 1+pick(2), nil)
		case 17:
			if dense := x.Strides[0] == x.Dims[1]*x.Strides[1]; dense && x.Dims[2]%2 == 0 {
				x = n.Pixels(x)
			}
		case 19, 20:
			dense := x.Strides[0] == x.Dims[1]*x.Strides[1] && x.Strides[1] == x.Dims[2]
			if tokens := x.Dims[0] * x.Dims[1]; dense && tokens > 1 && tokens <= 40 {
				if pick(3) == 0 {
					y := n.Linear(n.Tokens(x), 1+pick(60), 1+2*pick(2), nil)
					x = n.Window(y, 0, x.Dims[0], x.Dims[1], y.Dims[1])
				} else {
					x = n.Transformer(x, 1+pick(4), []int{4, 8, 16, 24, 32}[pick(5)], 64*pick(9), 1+pick(80))
				}
			}
		case 12:
			x = n.GlobalPool(n.Conv(x, 17+pick(80), 1, 1, 0, nil))
		}
		if fmt.Sprint(x.Dims) == fmt.Sprint(same.Dims) && pick(2) == 0 {
			if x != same && pick(2) == 0 {
				x = n.Map(x, same)
			} else {
				x = n.Residual(x, same, 3)
			}
		}
		if pick(5) == 0 {
			n.Output(x)
		}
	}
	n.Output(x)
	return n.Graph
}

// Squeeze is a network like SqueezeNet at a tenth of its size, with a residual
// add, a depthwise convolution, consts, scratch and windows.
func Squeeze() *op.Graph {
	n := New("squeeze")
	x := n.Input(33, 33, 3)
	x = n.Conv(x, 48, 3, 2, 0, nil)
	x = n.Scale(x)
	x = n.Pool(x)
	x = n.Fire(x, 16, 40)
	y := n.Fire(x, 16, 40)
	x = n.Map(x, y)
	x = n.Depthwise(x)
	x = n.Pool(x)
	x = n.Fire(x, 24, 64)
	x = n.Call(x, 1000)
	x = n.Conv(x, 128, 1, 1, 0, nil)
	x = n.Map(x)
	x = n.Dense(x, 100)
	n.Output(x)
	return n.Graph
}

// Winograd has the 3x3 convolutions of stride 1 work by Winograd's algorithm, whose
// weights may stay in the arena expanded.
func Winograd(g *op.Graph) *op.Graph {
	for _, o := range g.Ops {
		c := o.Conv
		if o.Kind != op.Conv || c.KH != 3 || c.KW != 3 || c.SH != 1 || c.SW != 1 {
			continue
		}
		c.Winograd, c.WinogradTiles, o.RowGrain = 4, 9, 4
		ample, lean := c.WinogradSizes()
		o.Scratch, o.WorkScratch = ample.Shared, ample.PerThread
		o.LeanScratch, o.LeanWorkScratch = lean.Shared, lean.PerThread
	}
	return g
}
