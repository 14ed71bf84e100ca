// Package cost predicts how long operations and loads take on a device: linear in
// what they do, with throughputs per class of kernel from a Target. It knows no
// plans and takes no decision. All predictions are integers, so that a plan is the
// same wherever it is made.
package cost

import (
	"github.com/flexnnc/flexnnc/ir/lane"
	"github.com/flexnnc/flexnnc/ir/op"
)

// Class is a family of kernels with one throughput.
type Class string

// Classes. The unit of work is what a throughput counts per second.
const (
	Conv      Class = "conv"      // multiply-adds of convolutions with windows
	Stem      Class = "stem"      // the same with fewer input channels than a vector has lanes
	Pointwise Class = "pointwise" // multiply-adds of 1x1 convolutions and matrix products
	Vector    Class = "vector"    // multiply-adds where every weight is used once: inner products
	Winograd  Class = "winograd"  // multiply-adds of Winograd's algorithm, and what takes as long: its transforms
	Int8      Class = "int8"      // multiply-adds of 8-bit weights
	Depthwise Class = "depthwise" // multiply-adds
	Pool      Class = "pool"      // cells of windows
	Map       Class = "map"       // element-wise operations: instructions of the program, for each element
	Rows      Class = "rows"      // the same for softmax and norms
	Copy      Class = "copy"      // elements, in the order that they have
	Transpose Class = "transpose" // elements, where the innermost axis changes
	Call      Class = "call"      // multiply-adds, or elements read and written, of portable Go code
)

// Classes lists all of them.
func Classes() []Class {
	return []Class{Conv, Stem, Pointwise, Vector, Winograd, Int8, Depthwise, Pool, Map, Rows, Copy, Transpose, Call}
}

// stemChannels is the number of input channels from which Conv does not depend on it.
const stemChannels = 8

// Of int8: multiply-adds in whose time a sum becomes the result of a channel, and the
// instructions that round an element.
const (
	int8Finish    = 32
	quantizeUnits = 10
)

// quantizedElements is the elements that a Quantize rounds, where they are not
// contiguous with what a vector has beyond a pixel's channels.
func quantizedElements(o *op.Op) int64 {
	const lanes = 16
	in, out := o.In[0], o.Out[0]
	last := in.Dims[len(in.Dims)-1]
	n := int64(in.Len())
	if last == out.Dims[len(out.Dims)-1] {
		return n
	}
	return n / int64(last) * int64((last+lanes-1)/lanes*lanes)
}

// Work is what an op does, all of its rows and panels.
type Work struct {
	Class Class
	Units int64 // of Class
	Bytes int64 // of activations, read once and written once
	// Weights come from memory, in units of Vector, whose Units they are themselves.
	Weights int64
}

// Of counts the work of an op.
func Of(o *op.Op) Work {
	w := Work{Class: classOf(o)}
	elements := int64(0)
	for _, list := range [][]*op.Tensor{o.In, o.EpilogueIn, o.Out} {
		for _, x := range list {
			if x.Root().Const == nil {
				w.Bytes += int64(x.Len() * x.Type.Bytes())
				elements += int64(x.Len())
			}
		}
	}
	out := int64(0)
	for _, x := range o.Out {
		out += int64(x.Len())
	}
	switch w.Class {
	case Map:
		if o.Kind == op.Quantize {
			w.Units = quantizeUnits * quantizedElements(o)
			break
		}
		w.Units = out * instructions(o.Map.Program)
	case Rows:
		for _, p := range o.Rows.Passes {
			if !p.Scalar {
				w.Units += out * instructions(p.Program)
			}
		}
	case Pool:
		p := o.Pool
		w.Units = out * int64(p.KH*p.KW)
		if p.Adaptive {
			w.Units = int64(p.InH) * int64(p.InW) * int64(p.C)
		}
	case Copy, Transpose:
		w.Units = max(out, elements/2)
	case Call:
		w.Units = max(elements, CallMultiplyAdds(o.Call))
	default:
		c := o.Conv
		if c == nil {
			w.Units = CallMultiplyAdds(o.Call)
			break
		}
		k := o.Panels.K()
		if w.Class == Int8 {
			k = o.Panels.Taps*op.Fours(o.Panels.Chans) + int8Finish
		}
		w.Units = int64(c.Pixels()) * int64(o.Panels.N) * int64(k)
		if w.Class == Winograd {
			w.Units = newWinograd(o).units(c.OutH, o.Panels.Count(), false, false)
		}
		if w.Class != Vector && w.Class != Depthwise {
			w.Weights = int64(o.Panels.Count()) * int64(o.Panels.PanelBytes()) / 4
		}
	}
	return w
}

func classOf(o *op.Op) Class {
	switch o.Kind {
	case op.Conv:
		c := o.Conv
		switch {
		case o.Panels == nil:
			return Call
		case o.Panels.Type == op.I8:
			return Int8
		case c.Winograd != 0:
			return Winograd
		case c.Taps() > 1 && c.InC < stemChannels:
			return Stem
		case c.Taps() > 1 && c.Pixels() > 1:
			return Conv
		case c.Pixels() > 1:
			return Pointwise
		}
		return Vector
	case op.Depthwise:
		return Depthwise
	case op.Pool:
		return Pool
	case op.Map, op.Quantize:
		return Map
	case op.Rows:
		return Rows
	case op.Call:
		if len(o.Call.Products) > 0 {
			return Pointwise // the same kernels
		}
		for _, x := range o.In {
			if x.Const != nil && x.Const.Packed != nil {
				return Vector // likewise, over and over by one row
			}
		}
		return Call
	}
	if transposes(o) {
		return Transpose
	}
	return Copy // Input, Output, Copy
}

// transposes tells whether neighbours of the output are no neighbours of the input.
func transposes(o *op.Op) bool {
	perm, dims := o.Perm, []int(nil)
	switch {
	case o.Port != nil && o.Kind == op.Input:
		perm, dims = o.Port.Perm, o.Out[0].Dims
	case o.Port != nil:
		perm, dims = o.Port.Perm, o.In[0].Dims
	case len(o.Out) > 0:
		dims = o.Out[0].Dims
	}
	last := -1 // axes of one element are no matter
	for i, axis := range perm {
		if i < len(dims) && dims[i] == 1 {
			continue
		}
		if axis < last {
			return true
		}
		last = axis
	}
	return false
}

// instructions of a program that compute.
func instructions(p *lane.Program) int64 {
	n := int64(0)
	for _, i := range p.Insts {
		if i.Code != lane.Const {
			n++
		}
	}
	return max(1, n)
}

// packed is the elements of keys and values that an attention packs, anew for every few
// rows or once for a head: heads perGroup rows keys width vWidth, and behind strides how many rows,
// and whether panels are kept. Half the
// time of a transposition is what that takes, and the softmax.
func packed(v []int) int64 {
	blocks := (v[2] + v[16] - 1) / v[16]
	if v[21] != 0 {
		blocks = 1
	}
	return int64(v[0]) * int64(blocks) * int64(v[3]) * int64(v[4]+v[5])
}

// CallMultiplyAdds reads, of a portable kernel, the sizes that products are called with, 0
// where there is none.
func CallMultiplyAdds(c *op.CallAttr) int64 {
	product := func(v ...int) int64 {
		n := int64(1)
		for _, x := range v {
			n *= int64(x)
		}
		return n
	}
	v := c.Ints
	switch {
	case c.Func == "matmul" && len(v) >= 5: // outer inner M N K
		return product(v[:5]...)
	case c.Func == "attention" && len(v) >= 6: // heads perGroup rows keys width vWidth
		return product(v[0], v[2], v[3], v[4]+v[5])
	case c.Func == "conv_dynamic" && len(v) >= 15: // InH InW InC OutH OutW OutC KH KW SH SW DH DW PadT PadL group
		return product(v[2], v[3], v[4], v[5], v[6], v[7]) / int64(max(1, v[14]))
	case c.Func == "lstm" && len(v) >= 3: // T H P
		return product(4, v[0], v[1], v[2])
	case c.Func == "gru" && len(v) >= 3:
		return product(3, v[0], v[1], v[2])
	case c.Func == "rnn" && len(v) >= 3:
		return product(v[0], v[1], v[2])
	case c.Func == "recurrent_int8" && len(v) >= 5: // T H P reverse kind
		return product([]int{4, 3, 1}[v[4]], v[0], v[1], v[2])
	}
	return 0
}
