package runtime

import (
	"runtime"
	"unsafe"
)

// transpose writes element (r,c) of a matrix to (c,r) of another: in has rows
// rows, inStep bytes apart, of cols neighbouring elements; out has cols rows,
// outStep bytes apart, of rows neighbours. It works on so many columns at a time
// that lines of out stay in L1 until they are full.
func transpose(out, in unsafe.Pointer, rows, cols, outStep, inStep int) {
	for cols > transposeTile {
		transposeColumns(out, in, rows, transposeTile, outStep, inStep)
		cols -= transposeTile
		in, out = unsafe.Add(in, 4*transposeTile), unsafe.Add(out, transposeTile*outStep)
	}
	transposeColumns(out, in, rows, cols, outStep, inStep)
}

// maxInterleave is the most rows that there are kernels for that make rows without gaps.
const maxInterleave = 4

// transposeArgs is what a kernel of the transposition of some matrices reads. It
// computes
//
//	for p := range planes {
//		for r := range rows {
//			for c := range cols {
//				(out + p*outPlane + c*outStep)[r] = (in + p*inPlane + r*inStep)[c]
//			}
//		}
//	}
//
// A kernel that interleaves R rows takes R for rows and 4*R for outStep. The one for
// any size takes 1 for planes, and rows and columns in multiples of transposeBlock.
// Counts are at least 1.
type transposeArgs struct {
	out, in           unsafe.Pointer
	rows, cols        int
	outStep, inStep   int // bytes
	planes            int
	outPlane, inPlane int // bytes
}

// transpose is the function transpose for a number of matrices, by kernels where there
// are such.
func (t *thread) transpose(a transposeArgs) {
	if a.rows <= maxInterleave && a.outStep == 4*a.rows && kernels.interleave[a.rows] != nil {
		t.transposed = a
		kernels.interleave[a.rows](&t.transposed)
		return
	}
	b := kernels.transposeBlock
	for p := range a.planes {
		out, in := unsafe.Add(a.out, p*a.outPlane), unsafe.Add(a.in, p*a.inPlane)
		if kernels.transpose == nil || a.rows < b || a.cols < b {
			transpose(out, in, a.rows, a.cols, a.outStep, a.inStep)
			continue
		}
		// What is beyond the last whole block belongs to one that lies over it.
		for r := 0; r < a.rows; {
			r0, rows := blocksFrom(r, a.rows, b)
			for c := 0; c < a.cols; {
				c0, cols := blocksFrom(c, a.cols, b)
				t.transposed = transposeArgs{out: unsafe.Add(out, c0*a.outStep+4*r0), in: unsafe.Add(in, r0*a.inStep+4*c0),
					rows: rows, cols: cols, outStep: a.outStep, inStep: a.inStep}
				kernels.transpose(&t.transposed)
				c = c0 + cols
			}
			r = r0 + rows
		}
	}
}

// blocksFrom is the range of whole blocks of b that goes on from at: all there are, or
// the last one, which ends at n.
func blocksFrom(at, n, b int) (first, count int) {
	if n-at < b {
		return n - b, b
	}
	return at, (n - at) / b * b
}

const transposeTile = 128

// wordsAnywhere tells that words of 8 bytes may lie at any multiple of 4, and have
// the first of two neighbours as their lower half.
const wordsAnywhere = runtime.GOARCH == "amd64" || runtime.GOARCH == "arm64"

// Positions are kept as bytes from the start: a pointer beyond the last element might
// be one into something else.
func transposeColumns(out, in unsafe.Pointer, rows, cols, outStep, inStep int) {
	r := 0
	for ; r+4 <= rows; r += 4 {
		transpose4(unsafe.Add(out, 4*r), unsafe.Add(in, r*inStep), cols, outStep, inStep)
	}
	if r == rows || cols == 0 {
		return
	}
	in, out = unsafe.Add(in, r*inStep), unsafe.Add(out, 4*r)
	to := 0
	switch rows - r {
	case 1:
		for c := range cols {
			putf32(unsafe.Add(out, to), 0, f32(in, c))
			to += outStep
		}
	case 2: // two groups of channels that are shuffled
		second, c := unsafe.Add(in, inStep), 0
		if wordsAnywhere && outStep == 8 {
			// Two columns at a time, as words of two elements.
			for ; c+2 <= cols; c += 2 {
				a, b := *(*uint64)(unsafe.Add(in, 4*c)), *(*uint64)(unsafe.Add(second, 4*c))
				*(*uint64)(unsafe.Add(out, to)) = a&0xffffffff | b<<32
				*(*uint64)(unsafe.Add(out, to+8)) = a>>32 | b&^0xffffffff
				to += 16
			}
		}
		for ; c < cols; c++ {
			putf32(unsafe.Add(out, to), 0, f32(in, c))
			putf32(unsafe.Add(out, to), 1, f32(second, c))
			to += outStep
		}
	case 3: // the channels of a picture
		second, third := unsafe.Add(in, inStep), unsafe.Add(in, 2*inStep)
		for c := range cols {
			at := unsafe.Add(out, to)
			putf32(at, 0, f32(in, c))
			putf32(at, 1, f32(second, c))
			putf32(at, 2, f32(third, c))
			to += outStep
		}
	}
}

// transpose4 is transpose for four rows.
func transpose4(out, in unsafe.Pointer, cols, outStep, inStep int) {
	b, c, d := unsafe.Add(in, inStep), unsafe.Add(in, 2*inStep), unsafe.Add(in, 3*inStep)
	to := 0
	for i := range cols {
		at := unsafe.Add(out, to)
		v0, v1, v2, v3 := f32(in, i), f32(b, i), f32(c, i), f32(d, i)
		putf32(at, 0, v0)
		putf32(at, 1, v1)
		putf32(at, 2, v2)
		putf32(at, 3, v3)
		to += outStep
	}
}
