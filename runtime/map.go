package runtime

import "unsafe"

// Sizes that the kernels of lane programs share with their callers.
const (
	maxMapInputs = 8
	mapRoomBytes = (maxMapInputs+1)*64 + 32*64
)

// mapArgs is what the kernel of a lane program reads: rows runs of n elements,
// each operand stepping by its own distance from run to run. A program that
// reduces works on one run and leaves its value in result. The assembly knows the
// fields by their offsets, and uses room as it likes.
type mapArgs struct {
	n       int
	rows    int
	out     unsafe.Pointer
	outStep int // bytes
	in      [maxMapInputs]unsafe.Pointer
	inStep  [maxMapInputs]int
	result  float32
	_       [3]float32
	room    [mapRoomBytes]byte
}

// operand is an array in the arena under a loop nest: bytes to its first element
// and from index to index of each loop. Where ring is not 0, index y of the row
// loop lies at (first+y) mod ring.
type operand struct {
	off   int
	step  [4]int
	ring  int
	first int
	// splat says that a run reads one element for all of its own.
	splat bool
}

// at is the address of element (i,j,k,l), where the row loop is number rows.
func (o *operand) at(t *thread, at *[4]int, rows int) unsafe.Pointer {
	p := o.off
	for i, y := range at {
		if i == rows && o.ring != 0 {
			y = (o.first + y) % o.ring
		}
		p += y * o.step[i]
	}
	return t.at(p)
}

// mapStep applies a lane program to arrays: four outer loops, outermost first,
// and runs of n elements. Loop number rows is the one that a step's range of rows
// restricts; -1 = none.
type mapStep struct {
	kernel *func(*mapArgs)
	out    operand
	in     []operand
	dims   [4]int
	n      int
	rows   int
}

// mapTile is the elements that one claim covers, about; whole groups of 16.
const mapTile = 8192

// runMap shares the runs among threads: whole ones of the innermost loop, or
// pieces where they are long.
func runMap(t *thread, s *mapStep) {
	dims, first := s.dims, 0
	if s.rows >= 0 {
		lo, hi := t.rowRange(dims[s.rows])
		first, dims[s.rows] = lo, hi-lo
	}
	piece := min(s.n, mapTile)
	pieces := (s.n + piece - 1) / piece
	block := 1 // runs that one call of the kernel covers
	if pieces == 1 && s.rows != 3 {
		block = max(1, mapTile/max(1, s.n))
	}
	blocks := (dims[3] + block - 1) / block
	a := &t.maps
	for {
		_, u, ok := t.claimNear(1, dims[0]*dims[1]*dims[2]*blocks*pieces)
		if !ok {
			return
		}
		lo := u % pieces * piece
		u /= pieces
		at := [4]int{3: u % blocks * block}
		a.rows = min(block, dims[3]-at[3])
		u /= blocks
		at[2] = u % dims[2]
		u /= dims[2]
		at[1], at[0] = u%dims[1], u/dims[1]
		if s.rows >= 0 {
			at[s.rows] += first
		}
		a.n = min(piece, s.n-lo)
		a.out = unsafe.Add(s.out.at(t, &at, s.rows), 4*lo)
		a.outStep = s.out.step[3]
		for i := range s.in {
			in := &s.in[i]
			a.in[i] = in.at(t, &at, s.rows)
			if !in.splat {
				a.in[i] = unsafe.Add(a.in[i], 4*lo)
			}
			a.inStep[i] = in.step[3]
		}
		(*s.kernel)(a)
	}
}
