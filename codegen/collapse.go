package codegen

import "slices"

// nest is a loop nest over several operands: dims from the outermost to the
// innermost loop, and for each operand the bytes between neighbours of each.
type nest struct {
	dims    []int
	strides [][]int // per operand, as long as dims
}

// collapse drops loops of length one and joins neighbours that every operand
// walks through as one. The last loop stays the last: what is joined into it has
// the stride of the innermost elements.
func collapse(dims []int, strides [][]int) nest {
	n := nest{strides: make([][]int, len(strides))}
	add := func(i int) {
		n.dims = append(n.dims, dims[i])
		for k := range strides {
			n.strides[k] = append(n.strides[k], strides[k][i])
		}
	}
	for i := len(dims) - 1; i >= 0; i-- { // built from the innermost loop outwards
		if dims[i] == 1 {
			continue
		}
		last := len(n.dims) - 1
		joined := last >= 0
		for k := range strides {
			if last >= 0 && strides[k][i] != n.strides[k][last]*n.dims[last] {
				joined = false
			}
		}
		if joined {
			n.dims[last] *= dims[i]
		} else {
			add(i)
		}
	}
	if len(n.dims) == 0 { // a single element
		n.dims = []int{1}
		for k := range n.strides {
			n.strides[k] = []int{4}
		}
	}
	slices.Reverse(n.dims)
	for _, s := range n.strides {
		slices.Reverse(s)
	}
	return n
}

// outer pads a nest to four outer loops and an inner run.
func (n nest) outer() (dims [4]int, run int, ok bool) {
	k := len(n.dims) - 1
	if k > 4 {
		return dims, 0, false
	}
	for i := range dims {
		dims[i] = 1
	}
	copy(dims[4-k:], n.dims[:k])
	return dims, n.dims[k], true
}

// nearest moves the loop in which operand k is contiguous to the last place but
// one, so that a transposition works on small blocks of both operands.
func (n nest) nearest(k int) {
	last := len(n.dims) - 1
	for i := range last - 1 {
		if n.strides[k][i] != 4 {
			continue
		}
		for _, v := range append([][]int{n.dims}, n.strides...) {
			at := v[i]
			copy(v[i:], v[i+1:last])
			v[last-1] = at
		}
		return
	}
}
