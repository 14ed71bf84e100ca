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

// maxInterleave is the most rows that there are kernels for.
const maxInterleave = 4

// interleaveArgs is what a kernel reads that transposes few rows to rows without
// gaps. A kernel of R rows computes
//
//	for c := range cols {
//		for r := range R {
//			out[c*R+r] = (in + r*inStep)[c]
//		}
//	}
type interleaveArgs struct {
	out, in unsafe.Pointer
	cols    int
	inStep  int // bytes
}

// transpose is the function transpose, by a kernel where there is one.
func (t *thread) transpose(out, in unsafe.Pointer, rows, cols, outStep, inStep int) {
	if rows > maxInterleave || outStep != 4*rows || kernels.interleave[rows] == nil {
		transpose(out, in, rows, cols, outStep, inStep)
		return
	}
	t.interleave = interleaveArgs{out, in, cols, inStep}
	kernels.interleave[rows](&t.interleave)
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
