package lower

import "github.com/flexnnc/flexnnc/ir/op"

// Per-thread scratch of the runtime's drivers: tables of 4-byte offsets, of the
// cells that a tile of pixels reads (convolutions) or of a window (poolings).
const (
	tilePixels = 8
	poolCells  = 256
	// Depthwise ones have a table for so many rows of pixels.
	depthwiseRows = 16
	// Pixels that the driver of int8 ones makes at a time, to be rounded.
	depthwisePixels = 4
	// A tile whose epilogue reads what lies under the output, or that is to be rounded
	// to int8, is made beside it.
	tileBytes = 4 * tilePixels * 8 * op.PanelWidth
)

// reserveScratch notes what drivers need beside their operands.
func reserveScratch(e *editor) error {
	for _, o := range e.g.Ops {
		switch o.Kind {
		case op.Conv, op.Depthwise:
			n := 4 * tilePixels * o.Conv.Taps()
			if o.Kind == op.Conv && (readsImage(o) || o.Quantize != 0) {
				n = (n+63)&^63 + tileBytes
			} else if o.Quantize != 0 {
				n = (n+63)&^63 + 4*depthwisePixels*op.PanelWidth*o.Panels.Count()
			}
			if o.Kind == op.Depthwise {
				taps := o.Conv.KH
				if len(o.In[0].Dims) == 2 { // a step of some rows of a matrix takes it as a column
					taps = max(taps, o.Conv.KW)
				}
				n = max(n, 8*depthwiseRows*(1+2*taps))
			}
			o.ThreadScratch = max(o.ThreadScratch, n)
		case op.Call:
			for _, t := range o.In {
				if c := t.Const; c != nil {
					o.WorkScratch = max(o.WorkScratch, (c.PickBytes()+63)&^63)
				}
			}
		case op.Pool:
			o.ThreadScratch = max(o.ThreadScratch, 4*poolCells)
		}
	}
	return nil
}

// readsImage says whether the epilogue of o reads another tensor element by element.
func readsImage(o *op.Op) bool {
	for _, t := range o.EpilogueIn {
		if t.Const == nil {
			return true
		}
	}
	return false
}
