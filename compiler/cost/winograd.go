package cost

import "github.com/flexnnc/flexnnc/ir/op"

// cached is the bytes of expanded weights that a core finds in its cache when it
// comes to them again.
const cached = 1 << 20

// fetched is the part of the time to expand weights that it takes to fetch them from
// a cache where they are expanded, for each block of tiles.
const fetched = 4

// farAway is the part of the time of Winograd's algorithm that sharing inputs adds where
// cores have caches of their own.
const farAway = 8

// winograd is a convolution by Winograd's algorithm, of which every step transforms
// the inputs of its tiles, a block of them at a time, and comes to all of its
// weights for every block.
type winograd struct {
	work          op.WinogradWork
	side, columns int // of a tile; tiles side by side
	ample, lean   int // the most tiles of a block
}

func newWinograd(o *op.Op) *winograd {
	c := o.Conv
	ample, lean := c.WinogradSizes()
	return &winograd{
		work: c.WinogradWork(c.Winograd), side: c.Winograd, columns: (c.OutW + c.Winograd - 1) / c.Winograd,
		ample: ample.Tiles, lean: lean.Tiles,
	}
}

// blocks is the tiles of so many rows, and the blocks that they are made in.
func (g *winograd) blocks(rows int, lean bool) (tiles, blocks int) {
	tiles = (rows + g.side - 1) / g.side * g.columns
	most := g.ample
	if lean {
		most = g.lean
	}
	return tiles, (tiles + most - 1) / most
}

// units is the work of a step that makes rows of some panels.
func (g *winograd) units(rows, panels int, lean, expanded bool) int64 {
	tiles, blocks := g.blocks(rows, lean)
	n := int64(tiles) * int64(g.work.Tile+g.work.Panel*panels)
	if expand := int64(blocks) * int64(g.work.Expand*panels); expanded {
		n += expand / fetched
	} else {
		n += expand
	}
	return op.PanelWidth * n
}
