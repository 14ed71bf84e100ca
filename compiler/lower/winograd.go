package lower

import "github.com/flexnnc/flexnnc/ir/op"

const (
	// Shares of the time of the next simpler algorithm, in percent, that one must not
	// exceed to be chosen: simpler ones round less, and need less memory.
	winogradShare = 92
	// Bytes of transformed inputs between two expansions of the weights, about, and
	// the bounds of tiles that this may lead to.
	winogradInputs = 3 << 19
	winogradLeast  = 25
	winogradMost   = 48
)

// chooseWinograd decides which convolutions work by Winograd's algorithm.
func chooseWinograd(e *editor) error {
	for _, o := range e.g.Ops {
		if side, tiles := winogradFor(o); side != 0 {
			setWinograd(o, side, tiles)
		}
	}
	return nil
}

// setWinograd has a convolution work on squares of a side.
func setWinograd(o *op.Op, side, tiles int) {
	c := o.Conv
	c.Winograd, c.WinogradTiles = side, tiles
	o.RowGrain = side
	ample, lean := c.WinogradSizes()
	o.Scratch, o.WorkScratch = ample.Shared, ample.PerThread
	o.LeanScratch, o.LeanWorkScratch = lean.Shared, lean.PerThread
}

// Winograd has a convolution that can work on squares of one of op.WinogradSides do so,
// whatever is faster: what measurements compare. It reports whether it can.
func Winograd(o *op.Op, side int) bool {
	if !takesWinograd(o) {
		return false
	}
	count, blocks := winogradBlocks(o.Conv, side)
	setWinograd(o, side, (count+blocks-1)/blocks)
	return true
}

// Direct has a convolution work by the direct algorithm, likewise.
func Direct(o *op.Op) {
	if o.Conv != nil && o.Conv.Winograd != 0 {
		o.Conv.Winograd, o.Conv.WinogradTiles, o.RowGrain = 0, 0, 0
		o.Scratch, o.WorkScratch, o.LeanScratch, o.LeanWorkScratch = 0, 0, 0, 0
	}
}

// takesWinograd tells whether an op is a convolution that the algorithm is for.
func takesWinograd(o *op.Op) bool {
	c := o.Conv
	return o.Kind == op.Conv && c.Depth == nil && o.Panels.Type != op.I8 && c.KH == 3 && c.KW == 3 && max(c.SH, c.SW, c.DH, c.DW) == 1 &&
		len(o.In[0].Dims) == 3 && len(o.Out[0].Dims) == 3
}

// winogradBlocks is how many squares of a side an image has, and in how many blocks
// they are made.
func winogradBlocks(c *op.ConvAttr, side int) (count, blocks int) {
	count = ((c.OutH + side - 1) / side) * ((c.OutW + side - 1) / side)
	cells := (side + 2) * (side + 2)
	chans := (c.InC + 15) &^ 15
	most := max(winogradLeast, min(winogradMost, winogradInputs/(4*cells*chans)))
	return count, (count + most - 1) / most
}

// winogradFor is the fastest algorithm for an op by its shapes; side is 0 for the
// direct one. Weights count as expanded for every block of tiles, though some plan
// may keep them so: the choice depends on no plan.
func winogradFor(o *op.Op) (side, tiles int) {
	c := o.Conv
	if !takesWinograd(o) {
		return 0, 0
	}
	panels := o.Panels.Count()
	time := c.OutH * c.OutW * 9 * c.InC * panels
	for _, s := range op.WinogradSides {
		w := c.WinogradWork(s)
		count, blocks := winogradBlocks(c, s)
		t := count*(w.Tile+w.Panel*panels) + blocks*w.Expand*panels
		if 100*t <= winogradShare*time {
			time, side, tiles = t, s, (count+blocks-1)/blocks
		}
	}
	return side, tiles
}
