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
			c := o.Conv
			c.Winograd, c.WinogradTiles = side, tiles
			o.RowGrain = side
			ample, lean := c.WinogradSizes()
			o.WorkScratch = ample.Shared + ample.PerThread // each thread has its own inputs
			o.LeanScratch, o.LeanWorkScratch = lean.Shared, lean.PerThread
		}
	}
	return nil
}

// winogradFor is the fastest algorithm for an op by its shapes; side is 0 for the
// direct one. Weights count as expanded for every block of tiles, though some plan
// may keep them so: the choice depends on no plan.
func winogradFor(o *op.Op) (side, tiles int) {
	c := o.Conv
	if o.Kind != op.Conv || c.Depth != nil || o.Panels.Type == op.I8 || c.KH != 3 || c.KW != 3 || max(c.SH, c.SW, c.DH, c.DW) != 1 ||
		len(o.In[0].Dims) != 3 || len(o.Out[0].Dims) != 3 {
		return 0, 0
	}
	panels := o.Panels.Count()
	time := c.OutH * c.OutW * 9 * c.InC * panels
	for _, s := range op.WinogradSides {
		w := c.WinogradWork(s)
		count := ((c.OutH + s - 1) / s) * ((c.OutW + s - 1) / s)
		cells := (s + 2) * (s + 2)
		chans := (c.InC + 15) &^ 15
		most := max(winogradLeast, min(winogradMost, winogradInputs/(4*cells*chans)))
		blocks := (count + most - 1) / most
		t := count*(w.Tile+w.Panel*panels) + blocks*w.Expand*panels
		if 100*t <= winogradShare*time {
			time, side, tiles = t, s, (count+blocks-1)/blocks
		}
	}
	return side, tiles
}
