package lower

import (
	"fmt"
	"testing"

	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/lane"
	"github.com/flexnnc/flexnnc/ir/op"
)

// net builds operation graphs by hand.
type net struct{ g *op.Graph }

func newNet() *net { return &net{&op.Graph{Name: "net"}} }

func (n *net) tensor(name string, dims ...int) *op.Tensor {
	t := &op.Tensor{ID: len(n.g.Tensors), Name: name, Dims: dims}
	n.g.Tensors = append(n.g.Tensors, t)
	return t
}

func (n *net) add(o *op.Op) *op.Tensor {
	o.Index = len(n.g.Ops)
	n.g.Ops = append(n.g.Ops, o)
	if len(o.Out) == 0 {
		return nil
	}
	o.Out[0].Producer = o
	return o.Out[0]
}

func axes(dims []int) (*ir.Blob, ir.Shape, []int) {
	perm := make([]int, len(dims))
	for i := range perm {
		perm[i] = i
	}
	return &ir.Blob{}, ir.FromAxes(dims), perm
}

func (n *net) input(name string, dims ...int) *op.Tensor {
	b, s, perm := axes(dims)
	t := n.add(&op.Op{Kind: op.Input, Name: name + "/in", Out: []*op.Tensor{n.tensor(name, dims...)}, Port: &op.Port{Blob: b, Shape: s, Perm: perm}})
	n.g.Inputs = append(n.g.Inputs, t.Producer)
	return t
}

func (n *net) output(t *op.Tensor) {
	b, s, perm := axes(t.Dims)
	o := &op.Op{Kind: op.Output, Name: fmt.Sprintf("%s/out%d", t.Name, len(n.g.Outputs)), In: []*op.Tensor{t}, Port: &op.Port{Blob: b, Shape: s, Perm: perm}}
	n.add(o)
	n.g.Outputs = append(n.g.Outputs, o)
}

// conv is a 1x1 convolution over [h,w,c]; the evaluator makes up its weights.
func (n *net) conv(name string, x *op.Tensor, outC int) *op.Tensor {
	h, w, c := x.Dims[0], x.Dims[1], x.Dims[2]
	return n.add(&op.Op{
		Kind: op.Conv, Name: name, In: []*op.Tensor{x}, Out: []*op.Tensor{n.tensor(name, h, w, outC)},
		Conv:   &op.ConvAttr{InH: h, InW: w, InC: c, OutH: h, OutW: w, OutC: outC, KH: 1, KW: 1, SH: 1, SW: 1, DH: 1, DW: 1},
		Panels: &op.Panels{Name: name, N: outC, Taps: 1, Chans: c},
	})
}

func (n *net) mapped(name string, p *lane.Program, in ...*op.Tensor) *op.Tensor {
	return n.add(&op.Op{Kind: op.Map, Name: name, In: in, Out: []*op.Tensor{n.tensor(name, in[0].Dims...)}, Map: &op.MapAttr{Program: p}})
}

func program(name string, inputs int, f func(b *lane.Builder, v []lane.Reg) lane.Reg) *lane.Program {
	b := lane.New(name)
	var v []lane.Reg
	for range inputs {
		v = append(v, b.Vec())
	}
	return b.Return(f(b, v))
}

var (
	reluProgram = program("relu", 1, func(b *lane.Builder, v []lane.Reg) lane.Reg { return b.Max(b.F(0), v[0]) })
	negProgram  = program("neg", 1, func(b *lane.Builder, v []lane.Reg) lane.Reg { return b.Neg(v[0]) })
	subProgram  = program("sub", 2, func(b *lane.Builder, v []lane.Reg) lane.Reg { return b.Sub(v[0], v[1]) })
	fmaProgram  = program("fma", 3, func(b *lane.Builder, v []lane.Reg) lane.Reg { return b.FMA(v[0], v[1], v[2]) })
	sameProgram = program("same", 1, func(b *lane.Builder, v []lane.Reg) lane.Reg { return v[0] })
)

func (n *net) relu(name string, x *op.Tensor) *op.Tensor { return n.mapped(name, reluProgram, x) }
func (n *net) neg(name string, x *op.Tensor) *op.Tensor  { return n.mapped(name, negProgram, x) }
func (n *net) sub(name string, x, y *op.Tensor) *op.Tensor {
	return n.mapped(name, subProgram, x, y)
}

func (n *net) constant(name string, f func(i int) float32, dims ...int) *op.Tensor {
	t := n.tensor(name, dims...)
	t.Const = &op.Const{Name: name, Len: t.Len(), Fill: func(dst []float32) error {
		for i := range dst {
			dst[i] = f(i)
		}
		return nil
	}}
	return t
}

// norm is y = x*(1+c%2) + c over channels c, as a Map and as an Affine.
func (n *net) norm(name string, x *op.Tensor) *op.Tensor {
	c := x.Dims[len(x.Dims)-1]
	scale := n.constant(name+"/scale", func(i int) float32 { return float32(1 + i%2) }, c)
	shift := n.constant(name+"/shift", func(i int) float32 { return float32(i) }, c)
	t := n.mapped(name, fmaProgram, x, scale, shift)
	t.Producer.Affine = func() (a, b []float64, err error) {
		for i := range c {
			a, b = append(a, float64(1+i%2)), append(b, float64(i))
		}
		return a, b, nil
	}
	return t
}

func (n *net) view(name string, x *op.Tensor, dims ...int) *op.Tensor {
	return n.add(&op.Op{Kind: op.View, Name: name, In: []*op.Tensor{x}, Out: []*op.Tensor{n.tensor(name, dims...)}})
}

func (n *net) window(name string, x *op.Tensor, start []int, dims ...int) *op.Tensor {
	return n.add(&op.Op{Kind: op.View, Name: name, In: []*op.Tensor{x}, Out: []*op.Tensor{n.tensor(name, dims...)}, Start: start})
}

func (n *net) transpose(name string, x *op.Tensor, perm ...int) *op.Tensor {
	dims := make([]int, len(perm))
	for i, p := range perm {
		dims[i] = x.Dims[p]
	}
	return n.add(&op.Op{Kind: op.Copy, Name: name, In: []*op.Tensor{x}, Out: []*op.Tensor{n.tensor(name, dims...)}, Perm: perm})
}

func (n *net) concat(name string, axis int, in ...*op.Tensor) *op.Tensor {
	dims := append([]int{}, in[0].Dims...)
	for _, t := range in[1:] {
		dims[axis] += t.Dims[axis]
	}
	return n.add(&op.Op{Kind: op.Concat, Name: name, In: in, Out: []*op.Tensor{n.tensor(name, dims...)}, Axis: axis})
}

// evaluate runs a graph in any state and returns what its outputs hand out, each
// in the order of the user's array. Values are whole numbers, which float32 holds
// exactly in any order of additions.
func evaluate(t *testing.T, g *op.Graph) [][]float32 {
	t.Helper()
	e := &evaluator{t: t, store: map[*op.Tensor][]float32{}}
	made := map[*op.Op][]float32{}
	for _, o := range g.Ops {
		if o.Kind == op.Output {
			made[o] = e.port(o.Port, e.load(o.In[0]), false)
			continue
		}
		e.save(o.Out[0], e.run(o))
	}
	var out [][]float32
	for _, o := range g.Outputs {
		out = append(out, made[o])
	}
	return out
}

type evaluator struct {
	t     *testing.T
	store map[*op.Tensor][]float32 // by root
}

// each visits the elements of t as places in its root's buffer, in order.
func each(t *op.Tensor, visit func(i, at int)) {
	strides := t.Strides
	if strides == nil {
		strides = denseStrides(t.Dims)
	}
	for i := range t.Len() {
		at, rest := t.Offset, i
		for axis := len(t.Dims) - 1; axis >= 0; axis-- {
			at += rest % t.Dims[axis] * strides[axis]
			rest /= t.Dims[axis]
		}
		visit(i, at)
	}
}

func (e *evaluator) load(t *op.Tensor) []float32 {
	v := make([]float32, t.Len())
	if t.Const != nil {
		if err := t.Const.Fill(v); err != nil {
			e.t.Fatal(err)
		}
		return v
	}
	buffer := e.store[t.Root()]
	if buffer == nil {
		e.t.Fatalf("%v is read before it is written", t)
	}
	each(t, func(i, at int) { v[i] = buffer[at] })
	return v
}

func (e *evaluator) save(t *op.Tensor, v []float32) {
	root := t.Root()
	if e.store[root] == nil {
		e.store[root] = make([]float32, root.Len())
	}
	each(t, func(i, at int) { e.store[root][at] = v[i] })
}

func (e *evaluator) run(o *op.Op) []float32 {
	out := o.Out[0]
	switch o.Kind {
	case op.Input:
		user := make([]float32, out.Len())
		for i := range user {
			user[i] = float32((i*5+len(o.Name))%7 - 3)
		}
		return e.port(o.Port, user, true)
	case op.Conv:
		v := e.conv(o)
		if o.Epilogue == nil {
			return v
		}
		in := [][]float32{v}
		for _, t := range o.EpilogueIn {
			in = append(in, e.broadcast(t, out))
		}
		return e.apply(o.Epilogue, in, out)
	case op.Map:
		var in [][]float32
		for _, t := range o.In {
			in = append(in, e.broadcast(t, out))
		}
		return e.apply(o.Map.Program, in, out)
	case op.Copy, op.View:
		x := o.In[0]
		strides, at := denseStrides(x.Dims), 0
		if o.Perm != nil {
			dense := strides
			strides = nil
			for _, p := range o.Perm {
				strides = append(strides, dense[p])
			}
		} else if o.Start == nil {
			strides = denseStrides(out.Dims)
		}
		for i, s := range o.Start {
			at += s * strides[i]
		}
		from, v := e.load(x), make([]float32, out.Len())
		each(&op.Tensor{Dims: out.Dims, Offset: at, Strides: strides}, func(i, at int) { v[i] = from[at] })
		return v
	case op.Concat:
		v, at := make([]float32, out.Len()), 0
		strides := denseStrides(out.Dims)
		for _, x := range o.In {
			from := e.load(x)
			each(&op.Tensor{Dims: x.Dims, Offset: at, Strides: strides}, func(i, to int) { v[to] = from[i] })
			at += x.Dims[o.Axis] * strides[o.Axis]
		}
		return v
	}
	e.t.Fatalf("%v cannot be evaluated here", o)
	return nil
}

// port reorders the elements of a user's array to a tensor's, or back.
func (e *evaluator) port(p *op.Port, v []float32, in bool) []float32 {
	user := denseStrides(p.Shape.Axes())
	var dims, strides []int
	for _, a := range p.Perm {
		dims = append(dims, p.Shape.Axes()[a])
		strides = append(strides, user[a])
	}
	out := make([]float32, len(v))
	each(&op.Tensor{Dims: dims, Strides: strides}, func(i, at int) {
		if in {
			out[i] = v[at]
		} else {
			out[at] = v[i]
		}
	})
	return out
}

// conv gives output channel o a bias and two weights that depend on the name of
// the panels.
func (e *evaluator) conv(o *op.Op) []float32 {
	x, n, k := e.load(o.In[0]), o.Panels.N, o.Panels.K()
	seed := 0
	for _, c := range o.Panels.Name {
		seed = seed*31 + int(c)
	}
	v := make([]float32, 0, len(x)/k*n)
	for p := range len(x) / k {
		for c := range n {
			s := float64(x[p*k+(seed+c)%k]) - float64(x[p*k+(seed+3*c+1)%k]) + float64((seed+c)%3)
			for _, f := range o.Panels.Fold {
				scale, shift, err := f()
				if err != nil || len(scale) != n {
					e.t.Fatalf("%d factors for %d channels: %v", len(scale), n, err)
				}
				s = s*scale[c] + shift[c]
			}
			v = append(v, float32(s))
		}
	}
	return v
}

func (e *evaluator) broadcast(t, out *op.Tensor) []float32 {
	from, v := e.load(t), make([]float32, out.Len())
	skip := len(out.Dims) - len(t.Dims)
	strides := make([]int, len(out.Dims))
	for i, s := range denseStrides(t.Dims) {
		if t.Dims[i] != 1 {
			strides[skip+i] = s
		}
	}
	each(&op.Tensor{Dims: out.Dims, Strides: strides}, func(i, at int) { v[i] = from[at] })
	return v
}

func (e *evaluator) apply(p *lane.Program, in [][]float32, out *op.Tensor) []float32 {
	v := make([]float32, out.Len())
	if _, err := p.Eval(len(v), in, v); err != nil {
		e.t.Fatal(err)
	}
	return v
}
