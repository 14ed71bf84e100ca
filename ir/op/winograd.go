package op

// Sizes of the runtime's driver, in floats.
const (
	winogradTables  = 160             // offsets of cells and pixels, and a place for pixels outside
	winogradPasses  = 64 * PanelWidth // a tile between two passes of a transform
	winogradPanels  = 2               // whose sums and weights are held at a time
	winogradWeights = 32              // input channels of the weights that are expanded at a time
	winogradFew     = 4               // tiles between two expansions of the weights, where memory is short
)

// WinogradSize is the memory that Winograd's algorithm works in. What it makes does
// not depend on it.
type WinogradSize struct {
	Tiles, Panels int // that are held at a time
	// Shared is the bytes of a step's scratch that all threads share, or that each has, for
	// the inputs of the tiles, and PerThread those of each for sums and expanded weights.
	Shared, PerThread int
}

// WinogradSizes are the memory for WinogradTiles at a time, which is little enough
// for a core's L2, and the least.
func (c *ConvAttr) WinogradSizes() (ample, lean WinogradSize) {
	of := func(tiles, panels, weights int) WinogradSize {
		cells := (c.Winograd + 2) * (c.Winograd + 2)
		chans := (c.InC + 15) &^ 15
		work := winogradTables + winogradPasses + chans + cells*PanelWidth*(panels*tiles+1) + cells*PanelWidth*(panels*min(chans, weights)+1)
		return WinogradSize{tiles, panels, 4 * cells * chans * (tiles + 1), 4 * work}
	}
	return of(c.WinogradTiles, winogradPanels, winogradWeights), of(min(c.WinogradTiles, winogradFew), 1, PanelWidth)
}

// ExpandedPanelBytes is the size of a panel whose weights are expanded for
// Winograd's algorithm: [16]bias, then for each cell of a tile [InC][16]weight and 64
// bytes that keep cells from the same places in a cache. Cells are in float32.
func (c *ConvAttr) ExpandedPanelBytes() int {
	cells := (c.Winograd + 2) * (c.Winograd + 2)
	return 4 * PanelWidth * (1 + cells*(c.InC+1))
}

// ExpandedBytes is the size of a buffer of so many panels that are kept expanded:
// behind them is room for one as the file has it, from which each is made.
func (o *Op) ExpandedBytes(panels int) int {
	return panels*o.Conv.ExpandedPanelBytes() + o.Panels.PanelBytes()
}

// WinogradWork is what a convolution by Winograd's algorithm does, in the time of
// one fused multiply-add of 16 output channels: for each tile, whose inputs are
// transformed; for each tile and panel, products and the transform of the sums; and
// for each panel whenever its weights are expanded. The numbers are near those of
// instructions that the kernels execute, with what loads and stores cost in addition;
// AVX-512 and NEON agree well enough.
type WinogradWork struct{ Tile, Panel, Expand int }

// WinogradSides are the sides of tiles that there are kernels for, the simplest first.
var WinogradSides = []int{2, 4, 6}

// WinogradWork is that of tiles of a side.
func (c *ConvAttr) WinogradWork(side int) WinogradWork {
	input, output, expand := 120, 100, 60
	switch side {
	case 4:
		input, output, expand = 300, 270, 130
	case 6:
		input, output, expand = 750, 600, 220
	}
	return WinogradWork{
		Tile:   input * ((c.InC + 15) &^ 15) / 16,
		Panel:  (side+2)*(side+2)*c.InC + output,
		Expand: expand * c.InC,
	}
}
