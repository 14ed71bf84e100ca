package op

import (
	"github.com/flexnnc/flexnnc/ir"
)

// PanelWidth is the output channels of a weight panel, on every ISA: three
// panels make the AVX-512 8x48 tile, one the AVX2 and NEON 6x16.
const PanelWidth = 16

// Panels are the weights of a Conv or Depthwise op, packed in panels of
// PanelWidth output channels. A panel is [16]bias, then for k = 0..K-1 [16]weight,
// with k running over taps (ky, kx) outside and input channels inside; channels
// beyond N are zero. Panels are contiguous, so any range of them is one load.
type Panels struct {
	Name   string
	N      int // output channels
	Taps   int // KH*KW
	Chans  int // input channels per output channel
	Type   Type
	Weight *ir.Weight
	First  int // element of Weight where output channel 0 starts
	Order  Order
	Bias   *ir.Weight // nil: zero
	BiasAt int        // element of Bias for output channel 0
	// Fold lists batch norms and scales that follow, innermost first: weight and
	// bias are multiplied and shifted in float64 and rounded once.
	Fold []Affine
	// BiasScale multiplies Bias (Gemm's beta); WeightScale multiplies Weight (alpha). 0 means 1.
	BiasScale, WeightScale float64
}

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
func (p *Panels) PanelBytes() int { return PanelWidth*4 + PanelWidth*p.K()*p.Type.Bytes() }

// Const is an array in the weights file that is not packed in panels: slopes,
// norms, tables, MemoryData.
type Const struct {
	Name string
	Type Type
	Len  int
	// Fill writes the elements (I32 as bit patterns).
	Fill func(dst []float32) error
}

// Bytes is the size in the arena, rounded up to 64.
func (c *Const) Bytes() int { return (c.Len*c.Type.Bytes() + 63) &^ 63 }
