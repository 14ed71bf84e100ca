package runtime

import "unsafe"

// maxRowRegisters is the values per row that passes hand to each other.
const maxRowRegisters = 16

// Passes are made over a few rows side by side: a pass over one does not wait for what the
// one before it reduced another row to. Their elements stay in L1.
const (
	maxSideRows  = 8
	sideElements = 4096
)

// sideRows are rows that passes are made over side by side.
type sideRows struct {
	in        [maxSideRows][maxMapInputs]unsafe.Pointer
	out       [maxSideRows]unsafe.Pointer
	registers [maxSideRows][maxRowRegisters]float32
}

// sideBySide is how many rows of n elements are.
func sideBySide(n int) int { return min(maxSideRows, max(1, sideElements/n)) }

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
		for u, end := lo, min(lo+block, total); u < end; {
			n := min(end-u, sideBySide(s.n))
			for i := range n {
				at := [4]int{u / (dims[3] * dims[2] * dims[1]), u / (dims[3] * dims[2]) % dims[1], u / dims[3] % dims[2], u % dims[3]}
				if s.rows >= 0 {
					at[s.rows] += first
				}
				for k := range s.in {
					t.side.in[i][k] = s.in[k].at(t, &at, s.rows)
				}
				t.side.out[i] = s.out.at(t, &at, s.rows)
				u++
			}
			t.side.run(t, s.passes, s.n, n)
		}
	}
}

// runPasses makes passes over one row of n elements.
func runPasses(t *thread, passes []rowPass, n int, in *[maxMapInputs]unsafe.Pointer, out unsafe.Pointer) {
	t.side.in[0], t.side.out[0] = *in, out
	t.side.run(t, passes, n, 1)
}

// run makes passes over the first so many rows of n elements.
func (r *sideRows) run(t *thread, passes []rowPass, n, rows int) {
	a := &t.maps
	for i := range passes {
		p := &passes[i]
		for row := range rows {
			registers := &r.registers[row]
			a.n, a.rows = n, 1
			a.out = r.out[row]
			if p.scalar {
				a.n = 1
				a.out = unsafe.Pointer(&registers[p.to])
			}
			for k, src := range p.in {
				switch src.kind {
				case rowInput:
					a.in[k] = r.in[row][src.index]
				case rowOutput:
					a.in[k] = r.out[row]
				default:
					a.in[k] = unsafe.Pointer(&registers[src.index])
				}
			}
			(*p.kernel)(a)
			if p.to >= 0 && !p.scalar {
				registers[p.to] = a.result
			}
		}
	}
}
