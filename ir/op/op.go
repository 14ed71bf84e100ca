// Package op is the network at the level of kernels: what the lowering pass
// makes of an ir.Graph, and what slicing, scheduling and code generation work
// on. Tensors are in physical order (innermost axis last and contiguous), all
// fusion, layout and weight packing is decided, and nothing here depends on the
// memory budget or the instruction set. That is what makes answers independent
// of both.
package op

import (
	"github.com/flexnnc/flexnnc/ir"
	"github.com/flexnnc/flexnnc/ir/lane"
)

// Type is an element type.
type Type int

// Element types. Every one of them is 4 bytes in an arena but I8 and F16.
const (
	F32 Type = iota
	I32
	I8
	F16
)

// Bytes is the size of an element.
func (t Type) Bytes() int { return [...]int{4, 4, 1, 2}[t] }

func (t Type) String() string { return [...]string{"f32", "i32", "i8", "f16"}[t] }

// Tensor is an array that operations read and write. Dims are physical: an image
// is [H,W,C] (channels last), a planar one [C,H,W], a matrix [rows,columns], a
// vector [n]. Without a Base it owns a dense buffer; with one it is a window on
// Base's buffer: element (i,j,..) lies at Offset + i*Strides[0] + j*Strides[1]..
// elements from the start of Base. A Base has no Base itself. A Const tensor
// lives in the weights file and is loaded like weights.
type Tensor struct {
	ID      int
	Name    string // the blob's, or the layer's with a suffix
	Type    Type
	Dims    []int
	Base    *Tensor
	Offset  int
	Strides []int // len(Dims); filled by placement for every tensor
	Const   *Const
	// Producer is nil for Const tensors.
	Producer *Op
}

// Len is the number of elements.
func (t *Tensor) Len() int {
	n := 1
	for _, d := range t.Dims {
		n *= d
	}
	return n
}

// Dense reports whether elements with these dims and strides follow each other
// without gaps.
func Dense(dims, strides []int) bool {
	n := 1
	for i := len(dims) - 1; i >= 0; i-- {
		if dims[i] != 1 && strides[i] != n {
			return false
		}
		n *= dims[i]
	}
	return true
}

// Root is the tensor that owns the buffer.
func (t *Tensor) Root() *Tensor {
	if t.Base != nil {
		return t.Base
	}
	return t
}

// Kind is the family of an operation; each has its own attribute struct.
type Kind int

// Operation kinds.
const (
	Input     Kind = iota // user's planar array -> Out[0]; attribute Port
	Output                // In[0] -> user's planar array; attribute Port
	Conv                  // attribute Conv, Panels: convolution, inner product, matrix times constant
	Depthwise             // attribute Conv, Panels (Taps=KH*KW, Chans=1)
	Pool                  // attribute Pool
	Map                   // attribute Map: element-wise program with broadcast
	Rows                  // attribute Rows: passes over each innermost row (softmax, norms)
	Copy                  // In[0] -> Out[0], same element count, any strides; attribute Perm
	Concat                // In... -> Out[0] along Axis; removed by placement (windows) or turned into Copy
	View                  // Out[0] is In[0] seen with other dims, or a window of it (Start); no step
	Call                  // attribute Call: portable kernel of the runtime by name
	Quantize              // In[0] -> Out[0], I8 for F32: rows of In and then zeros up to a multiple of 4 channels; attribute Quantize
)

func (k Kind) String() string {
	return [...]string{"input", "output", "conv", "depthwise", "pool", "map", "rows", "copy", "concat", "view", "call", "quantize"}[k]
}

// Op is one operation. Const tensors among In are loaded before it runs.
type Op struct {
	Index  int
	Name   string // unique; the layer's name, with a suffix where a layer makes several
	Kind   Kind
	Layers []*ir.Layer // those computed here, in order, the fused ones last
	In     []*Tensor
	Out    []*Tensor

	Port   *Port
	Conv   *ConvAttr
	Pool   *PoolAttr
	Map    *MapAttr
	Rows   *RowsAttr
	Call   *CallAttr
	Panels *Panels // weights of Conv and Depthwise
	Axis   int     // Concat: physical axis
	Perm   []int   // Copy: Out axis i is In axis Perm[i]; nil = same order
	Start  []int   // View: first index per axis of a window with Out's dims; nil = In reinterpreted densely
	// Affine marks a Map that is y = x*scale[c]+shift[c] over the innermost axis
	// (batch norm, scale, bias), which fusion may fold into the Panels before it.
	Affine Affine
	// Epilogue is applied to Out[0] while it is in cache, in place: the fused
	// activation or residual add. Its inputs beyond the first are EpilogueIn.
	Epilogue   *lane.Program
	EpilogueIn []*Tensor
	// Rounded says of an epilogue that its last step makes integers. Nil elsewhere, and of
	// no matter once Epilogue is another program than Rounded.Whole.
	Rounded *Rounded
	// Quantize is what a value is multiplied by before it is rounded to int8 (to the
	// nearest, halves away from zero, within ±127): of a Quantize, and of a Conv or
	// Depthwise whose output is I8, after the epilogue. 0 elsewhere.
	Quantize float32
	// Scratch is bytes live only during a step, shared by all threads; WorkScratch
	// is live as long, per thread, and lies behind it; ThreadScratch bytes per
	// thread are reserved for the whole run.
	Scratch, WorkScratch, ThreadScratch int
	// LeanScratch and LeanWorkScratch are less that the op makes do with, at the cost
	// of time, where memory is short. Where they are 0 it needs the above.
	LeanScratch, LeanWorkScratch int
	// RowGrain says that a step's rows must start at a multiple of it, or the bits
	// would change; 0 and 1 mean anywhere.
	RowGrain int
}

// Rounded is an epilogue that makes integers, held as float32, as a Quantize by Scale
// makes them of what Before leaves; Before may be nil.
type Rounded struct {
	Whole, Before *lane.Program
	Scale         float32
}

// StepScratch is the bytes of a step's scratch buffer for so many threads.
func (o *Op) StepScratch(threads int) int { return o.Scratch + threads*o.WorkScratch }

// OwnStepScratch is that of a step whose threads share none of it.
func (o *Op) OwnStepScratch(threads int) int { return threads * (o.Scratch + o.WorkScratch) }

// LeanStepScratch is the least that it may have.
func (o *Op) LeanStepScratch(threads int) int {
	if o.LeanScratch == 0 && o.LeanWorkScratch == 0 {
		return o.StepScratch(threads)
	}
	return o.LeanScratch + threads*o.LeanWorkScratch
}

// Affine gives per-channel factors; it reads weights, so it may fail.
type Affine func() (scale, shift []float64, err error)

// Port ties an Input or Output op to the emitted package's API.
type Port struct {
	Blob  *ir.Blob
	Shape ir.Shape // the user's array is dense C,D,H,W
	// Count says that the array is one int32 that belongs to the Output of the same
	// blob before it: how many rows of that one, along its first axis, hold results.
	Count bool
	// Perm maps the user's axes (Shape.Axes order) to the tensor's: tensor axis i
	// is user axis Perm[i].
	Perm []int
}

// ConvAttr is a convolution over [H,W,C] tensors. An inner product or a matrix
// product is H=1, W=rows, KH=KW=1. Output pixel (y,x) reads input rows
// y*SH - PadT + ky*DH; cells outside the image count as zero. Every output is
// bias + the sum over ky, kx, c in that order, a chain of fused multiply-adds
// that starts from the bias. Its tensors have dims [H,W,C], or [W,C] where H is
// 1, or [C] where W is 1 too; so have those of a pooling.
type ConvAttr struct {
	InH, InW, InC    int
	OutH, OutW, OutC int
	KH, KW           int
	SH, SW           int
	DH, DW           int
	PadT, PadL       int
	// Mult is, for Depthwise, output channels per input channel (output o reads input o/Mult).
	Mult int
	// Winograd is the side of the square of output pixels that are made at once, of
	// a 3x3 convolution of stride and dilation 1 by Winograd's algorithm (Lavin and
	// Gray, "Fast Algorithms for Convolutional Neural Networks", section 4.1): 2, 4
	// or 6, or 0 for none. The sum above is then made in another order, which the
	// runtime's winogradStep gives. WinogradTiles is the most squares that are made
	// between two expansions of the weights. Both follow from shapes alone.
	Winograd, WinogradTiles int
	// Depth is a third axis, outside the rows, of a Conv over [D,H,W,C] tensors; nil for
	// images. The sum then runs over kz, ky, kx, c. Such an op has no int8 panels, is
	// cut by channels only, and its epilogue reads no other image.
	Depth *Depth
}

// Depth is the third axis of a convolution, with the meaning of ConvAttr's others.
type Depth struct{ In, Out, K, S, D, Pad int }

// Taps is the cells of a window.
func (a *ConvAttr) Taps() int {
	if a.Depth != nil {
		return a.Depth.K * a.KH * a.KW
	}
	return a.KH * a.KW
}

// Pixels is the output pixels, of all planes.
func (a *ConvAttr) Pixels() int {
	if a.Depth != nil {
		return a.Depth.Out * a.OutH * a.OutW
	}
	return a.OutH * a.OutW
}

// PoolAttr is a pooling over [H,W,C]: per channel, over the window's cells inside the image.
type PoolAttr struct {
	Max            bool // else average: sum of cells in row order / divisor
	InH, InW, C    int
	OutH, OutW     int
	KH, KW, SH, SW int
	PadT, PadL     int
	CountPad       bool // divisor is KH*KW, else the cells inside the image
	Adaptive       bool // windows are floor(i*In/Out) .. ceil((i+1)*In/Out)
}

// MapAttr is Program over the elements of Out[0]; input i has Out's dims, or
// dims of 1 (or missing outer axes) where it is broadcast.
type MapAttr struct{ Program *lane.Program }

// RowsAttr runs Passes in order over each innermost row of In[0]. Registers are
// float32 values per row.
type RowsAttr struct{ Passes []Pass }

// Pass is one sweep over a row, or (with N of 1) scalar arithmetic.
type Pass struct {
	Program *lane.Program
	In      []Source // one per program input
	// To is the register that a reducing or Scalar pass writes; -1 for none.
	To int
	// Scalar says the program runs once on registers, and not over the row.
	Scalar bool
	// Out says whether per-element results go to the output row.
	Out bool
}

// Source is what a Pass reads.
type Source struct {
	Kind  SourceKind
	Index int // Register: number; Input: index into Op.In
}

// SourceKind tells where a Source is.
type SourceKind int

// Sources.
const (
	FromInput    SourceKind = iota // row of Op.In[Index] (Const vectors: the same for all rows)
	FromOutput                     // output row, as left by an earlier pass
	FromRegister                   // value per row
)

// CallAttr names a portable kernel of the runtime, func(*call), with its
// compile-time numbers. In and Out are the op's.
type CallAttr struct {
	Func   string
	Ints   []int
	Floats []float32
	// Passes are programs that the kernel runs over rows of its choosing.
	Passes []Pass
	// Products are the shapes of the matrix products that it makes with the
	// convolution kernels.
	Products []Product
	// LeanInts are the Ints where a step has but the op's least scratch; nil: the same.
	LeanInts []int
	// BlockRows is, of a kernel that makes a range of rows of Out[0] by products of as
	// many rows, the most that it makes at a time; 0: Products says how many.
	BlockRows int
	// HeadWidth is, of an attention whose In[0] to In[2] and Out[0] each hold in every row
	// heads of so many channels side by side, and nothing else, that number: head h of
	// Out[0] is made of head h of each, and a step can make a range of heads. 0 elsewhere.
	HeadWidth int
	// Rows says, of a kernel that can make a range of rows of Out[0], which rows of
	// In[0] it reads for each, [first, end) along the outermost axes; first = end where
	// it reads none. All of the other inputs are read for any row. nil: one step makes
	// everything.
	Rows [][2]int
	// Custom is the layer that a Go function of the user's computes, Func being
	// "custom". Its tensors are dense, in the order of the layer's blobs.
	Custom *ir.Layer
}

// Product is the shape of a matrix product: rows of the left matrix, and panels of
// PanelWidth columns of the right one, the last of which holds Last columns where it is
// the matrix's last, PanelWidth otherwise.
type Product struct{ Rows, Panels, Last int }

// Graph is a lowered network; Ops are in execution order.
type Graph struct {
	Name    string
	Source  *ir.Graph
	Ops     []*Op
	Tensors []*Tensor
	Inputs  []*Op
	Outputs []*Op
}
