package runtime

import "unsafe"

// epilogue is a lane program that a convolution applies to each piece of its
// output while that is in cache: input 0 is the piece, the others are in. Loops 2
// and 3 of an operand are the output's rows and pixels; its elements follow the
// channels of the step's slice, or are splats.
type epilogue struct {
	kernel *func(*mapArgs) // nil = none
	in     []operand
	// aside says that the output lies over one of in: a tile of a convolution comes
	// into being in the thread's scratch, that many bytes from its start, and only
	// the program writes the output. 0 = it is made and changed in place.
	aside int
	first int // channel of the operands that the first of the step goes with
}

// maxTileBytes is the size of the largest tile.
const maxTileBytes = 4 * panelWidth * maxConvPixels * maxConvPanels

// apply runs the program over pixels from (y, x) of an output w pixels wide,
// whose channel `channel` of the first comes from `from` and goes to out.
func (e *epilogue) apply(t *thread, from unsafe.Pointer, fromStep int, out unsafe.Pointer, outStep, w, y, x, pixels, channel, channels int) {
	a := &t.maps
	a.outStep = outStep
	a.inStep[0] = fromStep
	long := e.gapless(fromStep, outStep, w, channels)
	for pixels > 0 {
		run, loop := min(pixels, w-x), 3
		if w == 1 {
			run, loop = e.column(y, pixels), 2
		}
		a.n, a.rows = channels, run
		if long {
			a.n, a.rows = run*channels, 1
		}
		a.out, a.in[0] = out, from
		at := [4]int{2: y, 3: x}
		for i := range e.in {
			in := &e.in[i]
			p := in.at(t, &at, 2)
			if !in.splat {
				p = unsafe.Add(p, 4*(e.first+channel))
			}
			a.in[i+1], a.inStep[i+1] = p, in.step[loop]
		}
		(*e.kernel)(a)
		pixels -= run
		from = unsafe.Add(from, run*fromStep)
		out = unsafe.Add(out, run*outStep)
		if w == 1 {
			y += run
		} else {
			y, x = y+1, 0
		}
	}
}

// gapless tells that pixels follow each other without gaps in all that the program
// reads and writes, so that those of a row are one run for it: whole vectors, where
// channels are few.
func (e *epilogue) gapless(fromStep, outStep, w, channels int) bool {
	loop := 3
	if w == 1 {
		loop = 2
	}
	if fromStep != 4*channels || outStep != 4*channels {
		return false
	}
	for i := range e.in {
		if in := &e.in[i]; in.splat || in.step[loop] != 4*channels {
			return false
		}
	}
	return true
}

// column is how many pixels of an image of one column follow each other from row y on
// in all operands, at most n: what lies in a ring begins anew at its end.
func (e *epilogue) column(y, n int) int {
	for i := range e.in {
		if in := &e.in[i]; in.ring != 0 {
			n = min(n, in.ring-(in.first+y)%in.ring)
		}
	}
	return n
}
