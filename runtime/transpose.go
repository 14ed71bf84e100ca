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

func transposeColumns(out, in unsafe.Pointer, rows, cols, outStep, inStep int) {
	for ; rows >= 4; rows -= 4 {
		transpose4(out, in, cols, outStep, inStep)
		in, out = unsafe.Add(in, 4*inStep), unsafe.Add(out, 16)
	}
	switch rows {
	case 1:
		for range cols {
			putf32(out, 0, f32(in, 0))
			in, out = unsafe.Add(in, 4), unsafe.Add(out, outStep)
		}
	case 2: // two groups of channels that are shuffled
		next := unsafe.Add(in, inStep)
		if wordsAnywhere && outStep == 8 {
			// Two columns at a time, as words of two elements.
			for ; cols >= 2; cols -= 2 {
				a, b := *(*uint64)(in), *(*uint64)(next)
				*(*uint64)(out) = a&0xffffffff | b<<32
				*(*uint64)(unsafe.Add(out, 8)) = a>>32 | b&^0xffffffff
				in, next, out = unsafe.Add(in, 8), unsafe.Add(next, 8), unsafe.Add(out, 16)
			}
		}
		for range cols {
			putf32(out, 0, f32(in, 0))
			putf32(out, 1, f32(next, 0))
			in, next, out = unsafe.Add(in, 4), unsafe.Add(next, 4), unsafe.Add(out, outStep)
		}
	case 3: // the channels of a picture
		second, third := unsafe.Add(in, inStep), unsafe.Add(in, 2*inStep)
		for range cols {
			putf32(out, 0, f32(in, 0))
			putf32(out, 1, f32(second, 0))
			putf32(out, 2, f32(third, 0))
			in, second, third, out = unsafe.Add(in, 4), unsafe.Add(second, 4), unsafe.Add(third, 4), unsafe.Add(out, outStep)
		}
	}
}

// transpose4 is transpose for four rows.
func transpose4(out, in unsafe.Pointer, cols, outStep, inStep int) {
	b, c, d := unsafe.Add(in, inStep), unsafe.Add(in, 2*inStep), unsafe.Add(in, 3*inStep)
	for i := range cols {
		v0, v1, v2, v3 := f32(in, i), f32(b, i), f32(c, i), f32(d, i)
		putf32(out, 0, v0)
		putf32(out, 1, v1)
		putf32(out, 2, v2)
		putf32(out, 3, v3)
		out = unsafe.Add(out, outStep)
	}
}
