package runtime

import "unsafe"

// winogradArgs is what the kernels of Winograd's algorithm read, for tiles of m x m
// output pixels and n = m+2. A position is one of the n*n places of a transformed
// tile, counted by rows. Vectors are of 16 floats, channels beside each other.
//
//   - input transforms the n x n cells at from+ind[cell], for n channels each, to
//     to+position*toStep. It may write up to the next multiple of 16 channels.
//
//   - expand transforms the 3x3 cells at from+cell*fromStep, for n vectors each, to
//     to+position*toStep; cells may be float16.
//
//   - product computes, for blocks*MR rows of NP panels, row by row at from+row*fromStep
//     and to+row*toStep, sums over n cells that start at zero or, where add is not 0, at
//     what is there:
//
//     acc = fma32(from[c], w[p*wStep+16*c+lane], acc)
//
//     Those of a table with positions do so that many times, each from another position on:
//     that many bytes from the last one's from, to and w. 0 counts as 1.
//
//   - output transforms the vectors at from+position*fromStep, adds those at w, and
//     writes n of their channels to to+ind[pixel], after act.
//
// tmp is n*n vectors that the transforms may use. The assembly knows the fields by
// their offsets.
type winogradArgs struct {
	from     unsafe.Pointer
	fromStep int
	to       unsafe.Pointer
	toStep   int
	ind      unsafe.Pointer // []uint32: bytes
	w        unsafe.Pointer
	wStep    int
	tmp      unsafe.Pointer
	factors  unsafe.Pointer // winogradFactors
	n        int
	blocks   int
	add      int
	act      int
	inOrder  int // how NEON's products load, see inOrder

	positions, fromPosition, toPosition, wPosition int

	// ahead is what the next tile's cells, or pixels, are relative to: input and output may
	// ask for them to be in cache, and product for winogradLines lines from there on.
	ahead unsafe.Pointer
}

// winogradLines is the lines of weights that a product may ask for.
const winogradLines = 16

// expandPanel makes an expanded panel of one as it is in the file. tmp is
// winogradTmpLen floats. It is set where a package has convolutions that need it.
var expandPanel func(x *expansion, from, to unsafe.Pointer, tmp []float32)

// winogradTmpLen is the floats of tmp.
const winogradTmpLen = 8 * 8 * panelWidth

// winogradFactors are the numbers in the transforms: four at a time, as NEON loads
// them.
var winogradFactors = [80]float32{
	// input, m = 6
	5.25, -4.25, 0.25, -1.25, 4, 0.5, -2.5, 2,
	// input, m = 4
	-(winogradA2 + winogradB2), winogradA2 * winogradB2, -winogradB2, -winogradA2, winogradA, -winogradB, 0, 0,
	// expand: m = 6, where m = 2 has the last, and m = 4
	0.25, 0.5, -0.5, 0.75, 2, 3, -4, -2,
	winogradA2, winogradA, -2 * winogradA, winogradA - winogradB, winogradB2 - winogradA2, 2 * winogradB, 0, 0,
	// output, m = 6: -2/9; 1/90 times 1, 2, 4, .. 32; 1/45 times 32, 16, .. 1
	-2. / 9, 1. / 90, 2. / 90, 4. / 90, 8. / 90, 16. / 90, 32. / 90,
	32. / 45, 16. / 45, 8. / 45, 4. / 45, 2. / 45, 1. / 45, 0, 0, 0,
	// output, m = 4
	1 / (winogradA2 * winogradB2),
	winogradScaleA, winogradScaleA * winogradA, winogradScaleA * winogradA2, winogradScaleA * winogradA2 * winogradA,
	winogradScaleB, -winogradScaleB * winogradB, winogradScaleB * winogradB2, -winogradScaleB * winogradB2 * winogradB, 0, 0, 0,
	// output, m = 2
	0.5, 0, 0, 0,
	// and where products begin
	0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
}

// The points of m = 4 are 0, A, -A, -B, B and infinity. Among pairs whose products
// are float32, this one gives the smallest errors on random data: a third of those
// of 1 and 2, and less than twice those of the direct sum.
const (
	winogradA  = 5. / 8
	winogradB  = 3. / 2
	winogradA2 = winogradA * winogradA
	winogradB2 = winogradB * winogradB

	winogradScaleA = 1 / (2 * winogradA2 * (winogradA2 - winogradB2))
	winogradScaleB = 1 / (2 * winogradB2 * (winogradB2 - winogradA2))
)

// Places in winogradFactors.
const (
	factorsInput6  = 0
	factorsInput4  = 8
	factorsExpand6 = 16
	factorsExpand4 = 24
	factorsOutput6 = 32
	factorsOutput4 = 48
	factorsOutput2 = 60
)
