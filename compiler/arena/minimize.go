package arena

// Minimize finds the smallest height it can within the node limit. The gap to
// the best possible is at most Height-LowerBound; Optimal says that it is zero.
// If fixed offsets contradict each other no placement is valid; the result is
// then Greedy's, not optimal, and fails Check.
func Minimize(bs []Buffer, o Options) Solution {
	sol, ok := greedy(bs)
	if sol.Optimal || !ok {
		return sol
	}
	k := newPacking(bs, o)
	k.adopt(sol.Offsets)
	k.descend()
	return k.solution()
}

// height is the best height so far over all parts.
func (k *packing) height() int64 {
	h := int64(0)
	for _, p := range k.parts {
		h = max(h, p.height)
	}
	return h
}

// descend lowers the best height: first straight to the lower bound, which often
// succeeds; then by bisection, where running out of nodes counts as "too low";
// then in ever smaller steps down from the best with what is left.
func (k *packing) descend() {
	total := k.left
	floor := k.low()
	if k.height() > floor {
		k.attempt(floor, total/8)
	}
	for floor++; k.left > 0; {
		floor = max(floor, k.low())
		high := k.below(k.height() - 1)
		if high < floor {
			break
		}
		mid := max(k.below(floor+(high-floor)/2), k.low())
		if k.attempt(mid, total/16) != solved {
			floor = mid + 1
		}
	}
	for part := int64(8); k.left > 0; {
		high, low := k.below(k.height()-1), k.low()
		if high < low {
			break
		}
		c := max(k.below(high-(high-low)/part), low)
		budget := k.left
		if c < high {
			budget = max(total/32, k.left/4)
		}
		if k.attempt(c, budget) == limited {
			part *= 2
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
