package schedule

import "github.com/flexnnc/flexnnc/ir/plan"

// vectorPanels is the number of panels that the widest kernel tile covers; slices
// are multiples of it where that costs nothing.
const vectorPanels = 3

// slice cuts panels [lo,hi) of each bytes into ranges of at most room bytes: as
// few as possible, and about equal, so that one can load while another computes.
func slice(lo, hi int, each, room plan.Bytes) []plan.Range {
	n := hi - lo
	if n == 0 {
		return nil
	}
	most := max(1, min(int(room/each), n))
	parts := (n + most - 1) / most
	size := (n + parts - 1) / parts
	if parts > 1 {
		if r := (size + vectorPanels - 1) / vectorPanels * vectorPanels; r <= most {
			size = r
		} else if most >= vectorPanels {
			size = most / vectorPanels * vectorPanels
		}
	}
	var rs []plan.Range
	for ; lo < hi; lo += size {
		rs = append(rs, plan.Range{Lo: lo, Hi: min(lo+size, hi)})
	}
	return rs
}
