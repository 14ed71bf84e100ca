package op

import (
	"github.com/flexnnc/flexnnc/ir"
)

// PanelWidth is the output channels of a weight panel, on every ISA: three
// panels make the AVX-512 8x48 tile, one the AVX2 and NEON 6x16.
const PanelWidth = 16

// Panels are the weights of a Conv or Depthwise op, packed in panels of
// PanelWidth output channels. A panel is [16]bias in float32, then for k = 0..K-1
// [16]weight of Type, with k running over taps (ky, kx) outside and input channels
// inside; channels beyond N are zero, and so is what is missing to a multiple of 64
// bytes. Panels are contiguous, so any range of them is one load. Those of int8
// weights differ; see Int8.
type Panels struct {
	Name   string
	N      int  // output channels
	Taps   int  // KH*KW
	Chans  int  // input channels per output channel
	Type   Type // F32, or F16 where that loses nothing or was asked for
	Weight *ir.Weight
	First  int // element of Weight where output channel 0 starts
	Order  Order
	Bias   *ir.Weight // nil: zero
	BiasAt int        // element of Bias for output channel 0
	// Fold lists batch norms and scales that follow, innermost first: weight and
	// bias are multiplied and shifted in float64 and rounded once.
	Fold []Affine
	// Int8 belongs to panels of Type I8.
	Int8 *Int8
	// BiasScale multiplies Bias (Gemm's beta); WeightScale multiplies Weight (alpha). 0 means 1.
	BiasScale, WeightScale float64
}

// Int8 is what panels of int8 weights have beside those: a sum of products of int8
// is float32(sum)*factor + bias, where a channel's factor is 1 over the scale of the
// activations times that of its weights, or 0 where that is 0. A panel is
// [16]factor, [16]bias (-0 where there is none), and for Conv [16]int32, -128 times the
// sum of the channel's weights, then for each group of four input channels
// [16][4]int8, with channels of a tap padded to a multiple of four; for Depthwise
// [K][16]int8.
type Int8 struct {
	Input     float32    // scale of the activations
	Scales    *ir.Weight // of weights: one for all, or one per Per output channels; nil: 1
	Per       int
	First     int // number of output channel 0 among all that Scales are for
	Depthwise bool
}

// Fours rounds a number of channels up to a multiple of four, as they lie in int8
// tensors that convolutions read.
func Fours(channels int) int { return (channels + 3) &^ 3 }

// Order is how Weight lies in the file.
type Order int

// Orders of a weight blob.
const (
	OutChanTap Order = iota // [N][Chans][Taps]: convolution, inner product
	ChanTapOut              // [Chans*Taps][N]: Gemm's untransposed B
	ChanOutTap              // [Chans][N][Taps]
)

// K is the length of the reduction.
func (p *Panels) K() int { return p.Taps * p.Chans }

// Count is the number of panels.
func (p *Panels) Count() int { return (p.N + PanelWidth - 1) / PanelWidth }

// PanelBytes is the size of one panel; a multiple of 64.
func (p *Panels) PanelBytes() int {
	if p.Int8 != nil {
		if p.Int8.Depthwise {
			return (2*PanelWidth*4 + PanelWidth*p.K() + 63) &^ 63
		}
		return 3*PanelWidth*4 + PanelWidth*p.Taps*Fours(p.Chans)
	}
	return (PanelWidth*4 + PanelWidth*p.K()*p.Type.Bytes() + 63) &^ 63
}

// AsStored reports whether weights are packed as the numbers that the file holds:
// no factor is multiplied in.
func (p *Panels) AsStored() bool {
	return len(p.Fold) == 0 && (p.WeightScale == 0 || p.WeightScale == 1)
}

// Const is an array in the weights file that is not packed in panels: slopes,
// norms, tables, MemoryData.
type Const struct {
	Name string
	Type Type
	Len  int
	Half bool // the elements are float16 in the file: as F16 they stay the same numbers
	// HalfInt is the number of the integer of the one Call that reads the array, by which
	// its kernel knows float16 (1) from float32 (0). 0 where it cannot.
	HalfInt int
	// Packed is panels that a Call reads with the kernels of convolutions: all of them, as
	// I8 elements. Fill is nil then.
	Packed *Panels
	// RowLen is the elements of a row, where one operation alone reads the array and
	// picks rows of it by ids that are its first input; else 0.
	RowLen int
	// Fill writes the elements (I32 as bit patterns).
	Fill func(dst []float32) error
}

// Bytes is the size in the arena, rounded up to 64.
func (c *Const) Bytes() int { return (c.Len*c.Type.Bytes() + 63) &^ 63 }

// pickedBytes is what is read of the file for a row, about: reading less saves no
// time, and every piece has a checksum.
const pickedBytes = 16 << 10

// PickBytes is the whole rows that are read from the file where only one of them
// is wanted, in bytes; 0 where rows are not picked.
func (c *Const) PickBytes() int {
	row := c.RowLen * c.Type.Bytes()
	if row == 0 {
		return 0
	}
	return min(c.Len*c.Type.Bytes(), max(1, pickedBytes/row)*row)
}
