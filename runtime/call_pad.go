package runtime

import "unsafe"

// callPad surrounds In[0] with a border. ints: mode (0 constant, 1 replicate, 2
// reflect without repeating the edge), in dims, cells before, cells after per
// axis, axis of per-index values (In[1]) or -1; floats: the constant. It makes ranges of rows.
func callPad(t *thread, s *callStep) {
	in, before := s.ints[1:5], s.ints[5:9]
	x, y := &s.in[0], &s.out[0]
	n := y.dims[3]
	var first [4]int
	dims := y.dims
	if s.rows < 3 {
		lo, hi := t.rowRange(dims[s.rows])
		first[s.rows], dims[s.rows] = lo, hi-lo
	}
	block := max(1, copyElements/n)
	perPlane := (dims[2] + block - 1) / block
	for {
		u := t.claim()
		if u >= dims[0]*dims[1]*perPlane {
			return
		}
		var at [4]int
		lo := u % perPlane * block
		end := first[2] + min(lo+block, dims[2])
		u /= perPlane
		at[0], at[1] = first[0]+u/dims[1], first[1]+u%dims[1]
		from0, from1 := padIndex(at[0]-before[0], in[0], s.ints[0]), padIndex(at[1]-before[1], in[1], s.ints[0])
		for at[2] = first[2] + lo; at[2] < end; at[2]++ {
			from2 := padIndex(at[2]-before[2], in[2], s.ints[0])
			to := unsafe.Slice((*float32)(y.row(t, at[0], at[1], at[2])), n)
			if from0 < 0 || from1 < 0 || from2 < 0 {
				padBorder(t, s, to, nil, at, 0, n)
				continue
			}
			row := x.row(t, from0, from1, from2)
			middle := to[before[3]:][:in[3]]
			if x.strides[3] == 4 {
				copy(middle, unsafe.Slice((*float32)(row), in[3]))
			} else {
				for i := range middle {
					middle[i] = get32(row, i*x.strides[3])
				}
			}
			padBorder(t, s, to, row, at, 0, before[3])
			padBorder(t, s, to, row, at, before[3]+in[3], n)
		}
	}
}

// padBorder writes cells lo to hi of a row of the result, which repeat cells of an
// input row where there is one.
func padBorder(t *thread, s *callStep, to []float32, row unsafe.Pointer, at [4]int, lo, hi int) {
	mode, n, before, axis := s.ints[0], s.ints[4], s.ints[8], s.ints[13]
	v := s.floats[0]
	for l := lo; l < hi; l++ {
		if row != nil && mode != 0 {
			v = get32(row, padIndex(l-before, n, mode)*s.in[0].strides[3])
		} else if axis == 3 {
			v = *s.in[1].linear(t, l)
		} else if axis >= 0 {
			v = *s.in[1].linear(t, at[axis])
		}
		to[l] = v
	}
}

const copyElements = 4096 // that one claim covers, about

// padIndex is the index of n that cell i of a padded axis repeats, -1 where it has
// a value of its own.
func padIndex(i, n, mode int) int {
	switch {
	case i >= 0 && i < n:
	case mode == 1:
		return min(max(i, 0), n-1)
	case mode == 2:
		for i < 0 || i >= n {
			if i < 0 {
				i = -i
			} else {
				i = 2*(n-1) - i
			}
		}
	default:
		return -1
	}
	return i
}
