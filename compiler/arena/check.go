package arena

import "fmt"

// Check says whether offsets are a valid placement of bs inside capacity bytes.
// It is deliberately naive, byte arithmetic on every pair of buffers, and shares
// nothing with the solver.
func Check(bs []Buffer, offsets []int64, capacity int64) error {
	if len(offsets) != len(bs) {
		return fmt.Errorf("arena: %d offsets for %d buffers", len(offsets), len(bs))
	}
	for i, b := range bs {
		o := offsets[i]
		if b.Fixed != nil && o != *b.Fixed {
			return fmt.Errorf("arena: buffer %q [%d,%d) at %d, fixed at %d", b.ID, b.Lower, b.Upper, o, *b.Fixed)
		}
		if b.Size <= 0 || b.Lower >= b.Upper {
			continue // never occupies a byte
		}
		if o < 0 {
			return fmt.Errorf("arena: buffer %q [%d,%d) at negative offset %d", b.ID, b.Lower, b.Upper, o)
		}
		if b.Align > 1 && o%b.Align != 0 {
			return fmt.Errorf("arena: buffer %q [%d,%d) at %d, not a multiple of %d", b.ID, b.Lower, b.Upper, o, b.Align)
		}
		if o > capacity-b.Size {
			return fmt.Errorf("arena: buffer %q [%d,%d) at %d ends at %d, beyond capacity %d", b.ID, b.Lower, b.Upper, o, o+b.Size, capacity)
		}
		for j, c := range bs[:i] {
			if c.Size <= 0 || c.Lower >= c.Upper {
				continue
			}
			for _, e := range b.extents() {
				for _, f := range c.extents() {
					liveTogether := e.Lower < f.Upper && f.Lower < e.Upper
					shareBytes := o+e.From < offsets[j]+f.To && offsets[j]+f.From < o+e.To
					if liveTogether && shareBytes {
						return fmt.Errorf("arena: buffer %q [%d,%d) bytes %d..%d overlaps buffer %q [%d,%d) bytes %d..%d",
							b.ID, e.Lower, e.Upper, o+e.From, o+e.To, c.ID, f.Lower, f.Upper, offsets[j]+f.From, offsets[j]+f.To)
					}
				}
			}
		}
	}
	return nil
}
