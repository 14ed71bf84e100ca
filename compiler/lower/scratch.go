package lower

import "github.com/flexnnc/flexnnc/ir/op"

// Per-thread scratch of the runtime's drivers: tables of 4-byte offsets, of the
// cells that a tile of pixels reads (convolutions) or of a window (poolings).
const (
	tilePixels = 8
	poolCells  = 256
)

// reserveScratch notes what drivers need beside their operands.
func reserveScratch(e *editor) error {
	for _, o := range e.g.Ops {
		switch o.Kind {
		case op.Conv, op.Depthwise:
			o.ThreadScratch = max(o.ThreadScratch, 4*tilePixels*o.Conv.KH*o.Conv.KW)
		case op.Pool:
			o.ThreadScratch = max(o.ThreadScratch, 4*poolCells)
		}
	}
	return nil
}
