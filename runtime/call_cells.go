package runtime

import "unsafe"

// cellTable has the places and the weights of the cells that a call of the kernel of
// weighted sums reads: of each place that it makes `taps` of them, which may lie
// anywhere in the arena. They are in the thread's scratch, and behind them a cell of
// zeros, for those that there are none of.
type cellTable struct {
	at      []uint32 // in words from the arena's start
	weights []float32
	nowhere uint32
}

// blendCells has the thread's kernel arguments, but for what it makes, read such a table.
func blendCells(t *thread, places, taps, channels int) cellTable {
	n := places * taps
	c := cellTable{at: unsafe.Slice((*uint32)(t.scratch), n), weights: unsafe.Slice((*float32)(unsafe.Add(t.scratch, 4*n)), n)}
	zeros := unsafe.Add(t.scratch, 8*n)
	clear(unsafe.Slice((*float32)(zeros), channels))
	c.nowhere = uint32((uintptr(zeros) - uintptr(t.arena)) / 4)
	t.blended = blendArgs{in: t.arena, at: t.scratch, weights: unsafe.Add(t.scratch, 4*n), places: places, taps: taps,
		channels: channels, inStep: 4, placeStep: 4 * taps, tapStep: 4}
	return c
}

// set has number i be the cell off bytes from the arena's start.
func (c *cellTable) set(i, off int, weight float32) { c.at[i], c.weights[i] = uint32(off/4), weight }

// none has number i be zeros.
func (c *cellTable) none(i int) { c.at[i], c.weights[i] = c.nowhere, 0 }

// between has the four numbers from i on be the cells around (y,x) of an image of h
// rows of w, by their distances from it times a factor.
func (c *cellTable) between(img *callTensor, i, h, w int, y, x, factor float32) {
	// Positions far outside, or NaN, touch no cell.
	if !(y > -1 && x > -1 && y < float32(h) && x < float32(w)) {
		for j := range 4 {
			c.none(i + j)
		}
		return
	}
	fy, fx := floor32(y), floor32(x)
	y0, x0 := int(fy), int(fx)
	highY, highX := y-fy, x-fx
	low, high, lowX := float32((1-highY)*factor), float32(highY*factor), 1-highX
	weights := [4]float32{float32(low * lowX), float32(low * highX), float32(high * lowX), float32(high * highX)}
	row, pix := img.strides[1], img.strides[2]
	off := img.off + y0*row + x0*pix
	if y0 >= 0 && x0 >= 0 && y0+1 < h && x0+1 < w {
		at := (*[4]uint32)(c.at[i : i+4])
		at[0], at[1], at[2], at[3] = uint32(off/4), uint32((off+pix)/4), uint32((off+row)/4), uint32((off+row+pix)/4)
		*(*[4]float32)(c.weights[i : i+4]) = weights
		return
	}
	for j, v := range weights {
		if y, x := y0+j/2, x0+j%2; y < 0 || x < 0 || y >= h || x >= w {
			c.none(i + j)
		} else {
			c.set(i+j, off+j/2*row+j%2*pix, v)
		}
	}
}
