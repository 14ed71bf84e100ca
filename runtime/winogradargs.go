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
}

// winogradFactors are the numbers in the transforms: four at a time, as NEON loads
// them.
var winogradFactors = [48]float32{
	// input, m = 6
	5.25, -4.25, 0.25, -1.25, 4, 0.5, -2.5, 2,
	// input, m = 4
	-1.25, 0.25, -4, -5, 4, 0, 0, 0,
	// expand
	4, 0, 0, 0,
	// output, m = 6: -2/9; 1/90 times 1, 2, 4, .. 32; 1/180 times 32, 16, .. 1
	-2. / 9, 1. / 90, 2. / 90, 4. / 90, 8. / 90, 16. / 90, 32. / 90,
	32. / 180, 16. / 180, 8. / 180, 4. / 180, 2. / 180, 1. / 180, 0, 0, 0,
	// output, m = 4: -1/6; 1/24 times 1, 2, 4, 8
	-1. / 6, 1. / 24, 2. / 24, 4. / 24, 8. / 24, 0, 0, 0,
	// output, m = 2
	0.5, 0, 0, 0,
}

// Places in winogradFactors.
const (
	factorsInput6  = 0
	factorsInput4  = 8
	factorsExpand  = 16
	factorsOutput6 = 20
	factorsOutput4 = 36
	factorsOutput2 = 44
)
