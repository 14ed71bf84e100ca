package op

// Sizes of the runtime's driver, in floats.
const (
	winogradTables  = 160             // offsets of cells and pixels, and a place for pixels outside
	winogradPasses  = 64 * PanelWidth // a tile between two passes of a transform
	winogradPanels  = 2               // whose sums and weights are held at a time
	winogradWeights = 32              // input channels of the weights that are expanded at a time
)

// WinogradScratch is the bytes of a step's scratch that all threads share, for the
// inputs of so many tiles of side x side outputs, and those of each thread, for sums
// and expanded weights: few enough to stay in a core's L2.
func WinogradScratch(side, tiles, inC int) (shared, perThread int) {
	cells := (side + 2) * (side + 2)
	chans := (inC + 15) &^ 15
	sums := cells * PanelWidth * (winogradPanels*tiles + 1)
	weights := cells * PanelWidth * (winogradPanels*min(chans, winogradWeights) + 1)
	return 4 * cells * chans * (tiles + 1), 4 * (winogradTables + winogradPasses + chans + sums + weights)
}
