package runtime

import "unsafe"

// portStep copies between a user's dense array and a window in the arena. Axes
// run from the outermost to the innermost of the window; user[i] is the distance,
// in elements, of axis i in the user's array, arena[i] in bytes in the arena.
// Axes that the tensor lacks come first and have length one; rows is the
// tensor's outermost axis, of which the step's row range is taken and of which
// only ring indices exist in the arena at a time, where ring is not 0: index y lies
// at (first+y) mod ring.
type portStep struct {
	port  int
	off   int // arena byte offset of element 0
	dims  [4]int
	user  [4]int
	arena [4]int
	rows  int
	ring  int
	first int
}

const portTile = 4096 // elements that one claim covers, about

// each calls move for runs of n rows, neighbours on axis 2, that this thread claims.
func (s *portStep) each(t *thread, move func(t *thread, s *portStep, user, arena unsafe.Pointer, n int)) {
	lo, hi := t.rowRange(s.dims[s.rows])
	dims := s.dims
	dims[s.rows] = hi - lo
	if s.rows == 3 { // a vector has no rows but its elements
		lo, dims = 0, s.dims
	}
	block := max(1, portTile/max(1, dims[3]))
	if s.rows == 2 && s.ring != 0 {
		block = 1 // neighbours may be apart
	}
	perPlane := (dims[2] + block - 1) / block
	user := unsafe.Pointer(unsafe.SliceData(t.ports[s.port]))
	for {
		_, c, ok := t.claimNear(1, dims[0]*dims[1]*perPlane)
		if !ok {
			return
		}
		p, first := c/perPlane, c%perPlane*block
		at := [3]int{p / dims[1], p % dims[1], first}
		u, a := 0, s.off
		for i := range at {
			y := at[i]
			if i == s.rows {
				y += lo
			}
			u += y * s.user[i]
			if i == s.rows && s.ring != 0 {
				y = (s.first + y) % s.ring
			}
			a += y * s.arena[i]
		}
		move(t, s, unsafe.Add(user, 4*u), t.at(a), min(block, dims[2]-first))
	}
}

func runInput(t *thread, s *portStep) { s.each(t, inputRows) }

func inputRows(t *thread, s *portStep, u, a unsafe.Pointer, n int) {
	if s.arena[3] == 4 && s.user[2] == 1 && s.user[3] != 1 {
		t.transpose(transposeArgs{out: a, in: u, rows: s.dims[3], cols: n, outStep: s.arena[2], inStep: 4 * s.user[3], planes: 1})
		return
	}
	for range n {
		if s.arena[3] == 4 && s.user[3] == 1 {
			copy(unsafe.Slice((*float32)(a), s.dims[3]), unsafe.Slice((*float32)(u), s.dims[3]))
		} else {
			for i := range s.dims[3] {
				*(*float32)(unsafe.Add(a, i*s.arena[3])) = f32(u, i*s.user[3])
			}
		}
		u, a = unsafe.Add(u, 4*s.user[2]), unsafe.Add(a, s.arena[2])
	}
}

func runOutput(t *thread, s *portStep) { s.each(t, outputRows) }

func outputRows(t *thread, s *portStep, u, a unsafe.Pointer, n int) {
	if s.arena[3] == 4 && s.user[2] == 1 && s.user[3] != 1 {
		t.transpose(transposeArgs{out: u, in: a, rows: n, cols: s.dims[3], outStep: 4 * s.user[3], inStep: s.arena[2], planes: 1})
		return
	}
	for range n {
		if s.arena[3] == 4 && s.user[3] == 1 {
			copy(unsafe.Slice((*float32)(u), s.dims[3]), unsafe.Slice((*float32)(a), s.dims[3]))
		} else {
			for i := range s.dims[3] {
				putf32(u, i*s.user[3], *(*float32)(unsafe.Add(a, i*s.arena[3])))
			}
		}
		u, a = unsafe.Add(u, 4*s.user[2]), unsafe.Add(a, s.arena[2])
	}
}

// wordsAsFloats sees int32 values as the 32-bit words that the arena holds.
func wordsAsFloats(v []int32) []float32 {
	return unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(v))), len(v))
}

// wordAsFloats is the same for a single value.
func wordAsFloats(v *int32) []float32 {
	return unsafe.Slice((*float32)(unsafe.Pointer(v)), 1)
}
