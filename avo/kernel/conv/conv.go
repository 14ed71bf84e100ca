// Package conv generates the convolution, depthwise and pooling kernels of a
// package: assembly for AVX-512, AVX2 and NEON, and the tables that the runtime's
// drivers choose kernels from. What a kernel computes is written at convArgs,
// depthwiseArgs and poolArgs in the runtime, whose portable kernels are the twins
// of these. It knows nothing of networks and plans.
package conv

import "fmt"

// PanelWidth is the output channels of a weight panel.
const PanelWidth = 16

// ISA is an instruction set that kernels are generated for.
type ISA int

// Instruction sets.
const (
	AVX512 ISA = iota
	AVX2
	NEON
)

func (i ISA) String() string { return [...]string{"AVX512", "AVX2", "NEON"}[i] }

// Pixels is the output pixels of the main tile. With 3 panels of 16 floats
// AVX-512's takes 24 of 32 registers as accumulators, AVX2's 12 of 16. NEON's takes
// 20 of 32: with 24 there would be no room for the loads of several registers at
// once that make it spend the fewest instructions beside multiply-adds.
func (i ISA) Pixels() int { return [...]int{8, 6, 5}[i] }

// Panels is the most panels of a tile with so many pixels: few pixels take more
// panels, to have as many independent sums as the latency of an FMA asks for. NEON's
// tiles of many pixels loop over the panels.
func (i ISA) Panels(pixels int) int {
	switch i {
	case AVX512:
		return [...]int{4, 4, 3, 3, 3, 3, 3, 3}[pixels-1]
	case NEON:
		return [...]int{4, 3, 2, 8, 8}[pixels-1]
	}
	return [...]int{4, 2, 2, 1, 1, 1}[pixels-1]
}

// manyTiles is the fewest pixels of tiles whose kernels compute several in a row.
func (i ISA) manyTiles() int {
	if i == NEON {
		return loopPixels
	}
	return 1
}

// Tile is the shape of a convolution kernel.
type Tile struct {
	ISA            ISA
	Pixels, Panels int
	Half           bool // weights are float16
}

// Name is the kernel's: convF32x8x48AVX512 makes 8 pixels of 48 channels, and
// convF16x8x48AVX512 does so from float16 weights.
func (t Tile) Name() string {
	return fmt.Sprintf("conv%sx%dx%d%s", weightName(t.Half), t.Pixels, PanelWidth*t.Panels, t.ISA)
}

func weightName(half bool) string {
	if half {
		return "F16"
	}
	return "F32"
}

// weightRow is the bytes of a panel's weights for one term of the sums.
func weightRow(half bool) int {
	if half {
		return 2 * PanelWidth
	}
	return 4 * PanelWidth
}

// Tiles are all shapes of an ISA for one form of weights.
func (i ISA) Tiles(half bool) []Tile {
	var ts []Tile
	for m := 1; m <= i.Pixels(); m++ {
		for p := 1; p <= i.Panels(m); p++ {
			ts = append(ts, Tile{i, m, p, half})
		}
	}
	return ts
}

// Offsets of the fields of the runtime's argument structs, and the value of its
// actRelu. A test compares them.
const (
	convBase    = 0
	convInd     = 8
	convTaps    = 16
	convK       = 24
	convW       = 32
	convWStep   = 40
	convOut     = 48
	convOutStep = 56
	convLast    = 64
	convAct     = 72
	convPanels  = 80

	convTiles     = 88
	convTileIn    = 96
	convInOrder   = 112
	convAhead     = 120
	convAheadStep = 128
	convFetch     = 136

	depthwiseBase    = 0
	depthwiseInd     = 8
	depthwiseTaps    = 16
	depthwiseW       = 24
	depthwisePanels  = 32
	depthwiseOut     = 40
	depthwiseOutStep = 48
	depthwiseLast    = 56
	depthwiseAct     = 64
	depthwiseWStep   = 72

	runBase       = 0
	runRows       = 8
	runHeight     = 16
	runW          = 24
	runWStep      = 32
	runChannels   = 40
	runOut        = 48
	runOutStep    = 56
	runPixelsLeft = 64
	runAct        = 72
	runLeft       = 80
	runWidth      = 88

	rowsBase    = 0
	rowsInd     = 8
	rowsRows    = 16
	rowsPixels  = 24
	rowsKH      = 32
	rowsW       = 40
	rowsOut     = 48
	rowsOutStep = 56
	rowsLast    = 64
	rowsAct     = 72
	rowsAt      = 80
	rowsTile    = 88
	rowsLarger  = 96
	rowsLeft    = 104
	rowsRight   = 112
	rowsColumns = 120
	rowsStride  = 128
	rowsPad     = 136

	rowsQuantize = 144

	stripsBase     = 0
	stripsTable    = 8
	stripsRows     = 16
	stripsPixels   = 24
	stripsW        = 32
	stripsOut      = 40
	stripsOutStep  = 48
	stripsChannels = 56
	stripsAct      = 64
	stripsTile     = 72
	stripsLarger   = 80
	stripsColumns  = 88
	stripsPad      = 96
	stripsAhead    = 104
	stripsWStep    = 112
	stripsRow      = 24 // bytes of an entry of the table

	poolBase    = 0
	poolInd     = 8
	poolCells   = 16
	poolFirst   = 24
	poolOut     = 32
	poolChans   = 40
	poolDivide  = 48
	poolDivisor = 56

	transposeOut      = 0
	transposeIn       = 8
	transposeRows     = 16
	transposeCols     = 24
	transposeOutStep  = 32
	transposeInStep   = 40
	transposePlanes   = 48
	transposeOutPlane = 56
	transposeInPlane  = 64

	blendOut       = 0
	blendIn        = 8
	blendAt        = 16
	blendWeights   = 24
	blendPlaces    = 32
	blendTaps      = 40
	blendChans     = 48
	blendInStep    = 56
	blendOutStep   = 64
	blendPlaceStep = 72
	blendTapStep   = 80

	actRelu = 1
)

// Offsets lists them by struct and field, for that test.
func Offsets() map[string]map[string]int {
	return map[string]map[string]int{
		"conv": {"base": convBase, "ind": convInd, "taps": convTaps, "k": convK, "w": convW, "wstep": convWStep,
			"out": convOut, "outStep": convOutStep, "last": convLast, "act": convAct, "panels": convPanels, "tiles": convTiles,
			"tileIn": convTileIn, "quantize": convQuantize, "inOrder": convInOrder,
			"ahead": convAhead, "aheadStep": convAheadStep, "fetch": convFetch},
		"depthwise": {"base": depthwiseBase, "ind": depthwiseInd, "taps": depthwiseTaps, "w": depthwiseW,
			"panels": depthwisePanels, "out": depthwiseOut, "outStep": depthwiseOutStep, "last": depthwiseLast, "act": depthwiseAct,
			"wstep": depthwiseWStep, "quantize": depthwiseQuantize},
		"run": {"base": runBase, "rows": runRows, "height": runHeight, "w": runW, "wstep": runWStep, "channels": runChannels,
			"out": runOut, "outStep": runOutStep, "pixels": runPixelsLeft, "act": runAct, "left": runLeft, "width": runWidth},
		"rows": {"base": rowsBase, "ind": rowsInd, "rows": rowsRows, "pixels": rowsPixels, "kh": rowsKH,
			"w": rowsW, "out": rowsOut, "outStep": rowsOutStep, "last": rowsLast, "act": rowsAct, "at": rowsAt, "tile": rowsTile, "larger": rowsLarger,
			"left": rowsLeft, "right": rowsRight, "columns": rowsColumns, "stride": rowsStride, "pad": rowsPad, "quantize": rowsQuantize},
		"strips": {"base": stripsBase, "table": stripsTable, "rows": stripsRows, "pixels": stripsPixels, "w": stripsW, "out": stripsOut,
			"outStep": stripsOutStep, "channels": stripsChannels, "act": stripsAct, "tile": stripsTile, "larger": stripsLarger,
			"columns": stripsColumns, "pad": stripsPad, "ahead": stripsAhead, "wstep": stripsWStep},
		"pool": {"base": poolBase, "ind": poolInd, "cells": poolCells, "first": poolFirst, "out": poolOut,
			"chans": poolChans, "divide": poolDivide, "divisor": poolDivisor},
		"blend": {"out": blendOut, "in": blendIn, "at": blendAt, "weights": blendWeights, "places": blendPlaces, "taps": blendTaps,
			"channels": blendChans, "inStep": blendInStep, "outStep": blendOutStep, "placeStep": blendPlaceStep, "tapStep": blendTapStep},
		"quantize": {"n": quantizeN, "rows": quantizeRows, "in": quantizeIn, "inStep": quantizeInStep,
			"out": quantizeOut, "outStep": quantizeOutStep, "pad": quantizePad, "scale": quantizeScale},
		"transpose": {"out": transposeOut, "in": transposeIn, "rows": transposeRows, "cols": transposeCols, "outStep": transposeOutStep,
			"inStep": transposeInStep, "planes": transposePlanes, "outPlane": transposeOutPlane, "inPlane": transposeInPlane},
		"value": {"relu": actRelu},
	}
}
