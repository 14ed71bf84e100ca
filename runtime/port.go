package runtime

import "unsafe"

// portStep copies between a user's dense array and a window in the arena. Axes
// run from the outermost to the innermost of the window; user[i] is the distance,
// in elements, of axis i in the user's array, arena[i] in bytes in the arena.
// Axes that the tensor lacks come first and have length one; rows is the
// tensor's outermost axis, of which the step's row range is taken and of which
// only ring indices exist in the arena at a time, where ring is not 0.
type portStep struct {
	port  int
	off   int // arena byte offset of element 0
	dims  [4]int
	user  [4]int
	arena [4]int
	rows  int
	ring  int
}

const portTile = 4096 // elements that one claim covers, about

// each calls row for every innermost row of s that this thread claims.
func (s *portStep) each(t *thread, row func(s *portStep, user, arena unsafe.Pointer)) {
	lo, hi := t.rowRange(s.dims[s.rows])
	dims := s.dims
	dims[s.rows] = hi - lo
	if s.rows == 3 { // a vector has no rows but its elements
		lo, dims = 0, s.dims
	}
	rows := dims[0] * dims[1] * dims[2]
	block := max(1, portTile/max(1, dims[3]))
	user := unsafe.Pointer(unsafe.SliceData(t.ports[s.port]))
	for {
		first := t.claim() * block
		if first >= rows {
			return
		}
		for r := first; r < min(first+block, rows); r++ {
			at := [3]int{r / (dims[2] * dims[1]), r / dims[2] % dims[1], r % dims[2]}
			u, a := 0, s.off
			for i := range at {
				y := at[i]
				if i == s.rows {
					y += lo
				}
				u += y * s.user[i]
				if i == s.rows && s.ring != 0 {
					y %= s.ring
				}
				a += y * s.arena[i]
			}
			row(s, unsafe.Add(user, 4*u), t.at(a))
		}
	}
}

func runInput(t *thread, s *portStep) { s.each(t, inputRow) }

func inputRow(s *portStep, u, a unsafe.Pointer) {
	du, da := 4*s.user[3], s.arena[3]
	for i := range s.dims[3] {
		*(*float32)(unsafe.Add(a, i*da)) = *(*float32)(unsafe.Add(u, i*du))
	}
}

func runOutput(t *thread, s *portStep) { s.each(t, outputRow) }

func outputRow(s *portStep, u, a unsafe.Pointer) {
	du, da := 4*s.user[3], s.arena[3]
	for i := range s.dims[3] {
		*(*float32)(unsafe.Add(u, i*du)) = *(*float32)(unsafe.Add(a, i*da))
	}
}

// wordsAsFloats sees int32 values as the 32-bit words that the arena holds.
func wordsAsFloats(v []int32) []float32 {
	return unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(v))), len(v))
}
