package runtime

import "unsafe"

// portStep copies between a user's dense array and a window in the arena. Axes
// run from the outermost to the innermost of the window; user[i] is the distance,
// in elements, of axis i in the user's array, arena[i] in bytes in the arena.
type portStep struct {
	port  int
	off   int // arena byte offset of element 0
	dims  [4]int
	user  [4]int
	arena [4]int
}

const portTile = 4096 // elements that one claim covers, about

// each calls row for every innermost row of s that this thread claims.
func (s *portStep) each(t *thread, row func(*portStep, unsafe.Pointer, unsafe.Pointer)) {
	rows := s.dims[0] * s.dims[1] * s.dims[2]
	block := max(1, portTile/max(1, s.dims[3]))
	user := unsafe.Pointer(unsafe.SliceData(t.ports[s.port]))
	for {
		lo := t.claim() * block
		if lo >= rows {
			return
		}
		for r := lo; r < min(lo+block, rows); r++ {
			k := r % s.dims[2]
			j := r / s.dims[2] % s.dims[1]
			i := r / (s.dims[2] * s.dims[1])
			u := unsafe.Add(user, 4*(i*s.user[0]+j*s.user[1]+k*s.user[2]))
			a := t.at(s.off + i*s.arena[0] + j*s.arena[1] + k*s.arena[2])
			row(s, u, a)
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
