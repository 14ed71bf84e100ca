package runtime

import "unsafe"

// maxRowRegisters is the values per row that passes hand to each other.
const maxRowRegisters = 16

// rowsStep makes several passes over each innermost row of its operands.
type rowsStep struct {
	out    operand
	in     []operand
	dims   [4]int // outer loops
	n      int    // elements of a row
	rows   int    // the loop that a step's range of rows restricts, -1 = none
	passes []rowPass
}

// rowPass is one sweep: a program over the row, or over registers (n is 1).
type rowPass struct {
	kernel *func(*mapArgs)
	in     []rowSource
	to     int  // register for the reduced or scalar result, -1 = none
	scalar bool // runs once, on registers
}

// rowSource is where a pass reads: kind and the number of the input or register.
type rowSource struct {
	kind  int
	index int
}

const (
	rowInput = iota
	rowOutput
	rowRegister
)

// runRows shares the rows among threads.
func runRows(t *thread, s *rowsStep) {
	dims, first := s.dims, 0
	if s.rows >= 0 {
		lo, hi := t.rowRange(dims[s.rows])
		first, dims[s.rows] = lo, hi-lo
	}
	total := dims[0] * dims[1] * dims[2] * dims[3]
	block := max(1, mapTile/4/s.n)
	for {
		_, lo, ok := t.claimNear(1, (total+block-1)/block)
		if !ok {
			return
		}
		lo *= block
		for u := lo; u < min(lo+block, total); u++ {
			at := [4]int{u / (dims[3] * dims[2] * dims[1]), u / (dims[3] * dims[2]) % dims[1], u / dims[3] % dims[2], u % dims[3]}
			if s.rows >= 0 {
				at[s.rows] += first
			}
			s.row(t, &at)
		}
	}
}

// row makes all passes over one row.
func (s *rowsStep) row(t *thread, at *[4]int) {
	var in [maxMapInputs]unsafe.Pointer
	for i := range s.in {
		in[i] = s.in[i].at(t, at, s.rows)
	}
	runPasses(t, s.passes, s.n, &in, s.out.at(t, at, s.rows))
}

// runPasses makes passes over rows of n elements.
func runPasses(t *thread, passes []rowPass, n int, in *[maxMapInputs]unsafe.Pointer, out unsafe.Pointer) {
	a := &t.maps
	for i := range passes {
		p := &passes[i]
		a.n, a.rows = n, 1
		a.out = out
		if p.scalar {
			a.n = 1
			a.out = unsafe.Pointer(&t.registers[p.to])
		}
		for k, src := range p.in {
			switch src.kind {
			case rowInput:
				a.in[k] = in[src.index]
			case rowOutput:
				a.in[k] = out
			default:
				a.in[k] = unsafe.Pointer(&t.registers[src.index])
			}
		}
		(*p.kernel)(a)
		if p.to >= 0 && !p.scalar {
			t.registers[p.to] = a.result
		}
	}
}
