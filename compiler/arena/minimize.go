package arena

// Minimize finds the smallest height it can within the node limit. The gap to
// the best possible is at most Height-LowerBound; Optimal says that it is zero.
// If fixed offsets contradict each other no placement is valid; the result is
// then Greedy's, not optimal, and fails Check. Buffers with shapes are packed by
// heuristics and, as if all of their bytes were in use throughout, by the search.
func Minimize(bs []Buffer, o Options) Solution {
	if shaped(bs) {
		sol := packShaped(bs, o.nodes()/shapedNodes)
		if sol.Optimal {
			return sol
		}
		if box := Minimize(boxes(bs), o); box.Height < sol.Height {
			box.LowerBound, box.Optimal = sol.LowerBound, box.Height == sol.LowerBound
			return box
		}
		return sol
	}
	sol, ok := greedy(bs)
	if sol.Optimal || !ok {
		return sol
	}
	k := newPacking(bs, o)
	k.adopt(sol.Offsets)
	k.descend()
	return k.solution()
}

// shapedNodes is what one packing of buffers with shapes counts for, in nodes.
const shapedNodes = 500

// height is the best height so far over all parts.
func (k *packing) height() int64 {
	h := int64(0)
	for _, p := range k.parts {
		h = max(h, p.height)
	}
	return h
}

// descend lowers the best height: first straight to the lower bound, which often
// succeeds, then by steps down that halve the gap, shorter after an attempt that
// ran out of nodes and longer again after a success. An order that led to one
// success is preferred in the next attempts.
func (k *packing) descend() {
	total := k.left
	// An attempt below one node per buffer cannot succeed.
	budget := max(total/16, 3*int64(len(k.bs)))
	if c := k.low(); k.height() > c {
		k.attempt(c, budget)
	}
	for part := int64(2); k.left > 0; {
		high, low := k.below(k.height()-1), k.low()
		if high < low {
			break
		}
		c := max(k.below(high-(high-low)/part), low)
		switch k.attempt(c, budget) {
		case limited:
			part = min(part*2, 1<<40)
		case solved:
			part = max(2, part/2)
		}
	}
}

// below is the largest height ≤ c that a placement can have.
func (k *packing) below(c int64) int64 {
	best := int64(0)
	for _, r := range k.rest {
		best = max(best, floorDiv(c-r, k.unit)*k.unit+r)
	}
	return best
}

// next is the smallest height > c that a placement can have.
func (k *packing) next(c int64) int64 {
	best := int64(-1)
	for _, r := range k.rest {
		if h := (floorDiv(c-r, k.unit)+1)*k.unit + r; best < 0 || h < best {
			best = h
		}
	}
	return max(best, 0)
}
