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
	// Shared is the bytes of a step's scratch that all threads share, for the inputs
	// of the tiles, and PerThread those of each thread, for sums and expanded weights.
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
