package schedule

import (
	"cmp"
	"slices"

	"github.com/flexnnc/flexnnc/ir/plan"
)

// keep says how much of each file item stays in the arena between runs: the
// first keep[i] panels, or 1 for a const. Runs visit the weights in the same
// order every time, so what to keep is a knapsack and not a cache.
type keep []int

// parts is the number of pieces of an item that may stay, and the size of each.
// What is loaded in one piece stays in one.
func (t *timeline) parts(i int) (n int, each plan.Bytes) {
	if p := t.n.file.Items[i].Panels; p != nil && !t.atomic[i] {
		return p.Count(), plan.Bytes(p.PanelBytes())
	}
	return 1, t.n.file.Items[i].Bytes
}

// bytes is what k takes in the arena, one buffer per item.
func (k keep) bytes(t *timeline) (n plan.Bytes) {
	for i := range k {
		_, each := t.parts(i)
		n += up(plan.Bytes(k[i]) * each)
	}
	return n
}

// demand is an item that a run reads so many times at least unless it stays.
type demand struct{ item, times int }

// findDemand fills demand, reading and after.
func (t *timeline) findDemand() {
	t.after, t.reading = make([]int64, len(t.units)), make([]plan.Bytes, len(t.units)+1)
	for i := len(t.units) - 1; i > 0; i-- {
		t.after[i-1] = t.after[i] + t.units[i].compute
	}
	for i := range t.n.file.Items {
		if c := t.n.file.Items[i].Const; c == nil || c.RowLen == 0 {
			t.demand = append(t.demand, demand{i, max(1, t.times[i])})
			t.reading[t.first[i]+1] += t.n.file.Items[i].Bytes
		}
	}
	for i := range t.units {
		t.reading[i+1] += t.reading[i]
	}
	slices.SortStableFunc(t.demand, func(a, b demand) int { return cmp.Compare(b.times, a.times) })
}

// reads is the bytes that a run reads at least where k stays.
func (t *timeline) reads(k keep) (bytes plan.Bytes) {
	for _, d := range t.demand {
		_, each := t.parts(d.item)
		bytes += (t.n.file.Items[d.item].Bytes - plan.Bytes(k[d.item])*each) * plan.Bytes(d.times)
	}
	return bytes
}

// leastReads is the same, of whatever stays within room bytes.
func (t *timeline) leastReads(room plan.Bytes) (bytes plan.Bytes) {
	for _, d := range t.demand {
		size := t.n.file.Items[d.item].Bytes
		kept := max(0, min(size, room))
		room -= kept
		bytes += (size - kept) * plan.Bytes(d.times)
	}
	return bytes
}

// everything keeps all weights.
func (t *timeline) everything() keep {
	k := make(keep, len(t.n.file.Items))
	for i := range k {
		k[i], _ = t.parts(i)
	}
	return k
}

// residentOrder is how room is handed out once the small items are in.
type residentOrder int

// Orders. A byte kept is a byte less to read, whichever it is; they differ in
// where the reads that remain fall.
const (
	early residentOrder = iota // the first used stay: the rest can load behind them
	paced                      // what remains is spread in proportion to compute
	large                      // the largest items stay, each whole: fewest steps
)

// residents chooses what to keep within room bytes, beside items that are kept
// expanded in other room; nil stands for none of those.
func (t *timeline) residents(room plan.Bytes, how residentOrder, s Speed, expanded []bool) keep {
	k := make(keep, len(t.n.file.Items))
	var order, tables []int
	for i := range k {
		switch c := t.n.file.Items[i].Const; {
		case expanded != nil && expanded[i]:
			k[i], _ = t.parts(i)
		case c != nil && c.RowLen > 0:
			tables = append(tables, i)
		default:
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(t.first[a], t.first[b]) })
	left := room
	add := func(i, n int) {
		total, each := t.parts(i)
		n = min(n, total-k[i], int((left+up(plan.Bytes(k[i])*each))/each)-k[i])
		for n > 0 && up(plan.Bytes(k[i]+n)*each)-up(plan.Bytes(k[i])*each) > left {
			n--
		}
		if rest := (k[i] + n) % vectorPanels; k[i]+n < total && n > rest {
			n -= rest // tiles of whole vectors, for what stays and for what does not
		}
		if n <= 0 {
			return
		}
		left -= up(plan.Bytes(k[i]+n)*each) - up(plan.Bytes(k[i])*each)
		k[i] += n
	}
	// Items whose reading is mostly the cost of a call bring most per byte.
	for _, i := range order {
		if s.Read*int64(t.n.file.Items[i].Bytes) <= 2*s.Load {
			n, _ := t.parts(i)
			add(i, n)
		}
	}
	// A byte that flows is read at every turn.
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(t.times[b], t.times[a]) })
	for _, i := range order {
		if n, _ := t.parts(i); t.times[i] > 1 {
			add(i, n)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(t.first[a], t.first[b]) })
	switch how {
	case paced:
		rate := t.pace(order, k, left, s)
		for _, i := range order {
			add(i, t.surplus(i, k[i], rate, s))
		}
	case large:
		slices.SortStableFunc(order, func(a, b int) int {
			return cmp.Compare(t.n.file.Items[b].Bytes, t.n.file.Items[a].Bytes)
		})
		for _, i := range order {
			if n, each := t.parts(i); up(plan.Bytes(n)*each) <= left {
				add(i, n)
			}
		}
	}
	// A table saves no more than the few rows that are picked from it.
	for _, i := range append(order, tables...) {
		n, _ := t.parts(i)
		add(i, n)
	}
	return k
}

// surplus is how many more pieces of item i must stay for its reads to take at
// most rate/1024 of the compute time of the unit that uses it.
func (t *timeline) surplus(i, kept int, rate int64, s Speed) int {
	n, each := t.parts(i)
	time := t.units[t.first[i]].compute / 1024 * rate
	stream := int(time / (s.Read * int64(each)))
	return max(0, n-kept-stream)
}

// pace is the least rate, of reads to compute and in 1/1024, for which the
// surplus of the items fits room.
func (t *timeline) pace(order []int, k keep, room plan.Bytes, s Speed) int64 {
	lo, hi := int64(0), int64(1)<<30
	for lo < hi {
		mid := (lo + hi) / 2
		var n plan.Bytes
		for _, i := range order {
			_, each := t.parts(i)
			n += up(plan.Bytes(t.surplus(i, k[i], mid, s)) * each)
		}
		if n <= room {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	return lo
}

// choice is a way to use room for residents.
type choice struct {
	kept     keep
	expanded []bool
	raw      plan.Bytes // of them as they are in the file: what need not be read
	used     plan.Bytes // of the arena
	saved    int64      // picoseconds at most, by what is expanded
}

// choices are the ways to use room that are worth planning: for each order what is
// kept as it is in the file, and what is left for expanding some of it; and, where
// reading is not what takes the time, with expanded weights first.
func (t *timeline) choices(room plan.Bytes, o Options) (list []choice) {
	none := make(keep, len(t.n.file.Items))
	if o.NoResidents {
		return []choice{{kept: none}}
	}
	add := func(k keep, expanded []bool) {
		c := choice{kept: k, raw: k.bytes(t), expanded: expanded}
		c.used = c.raw
		for _, x := range t.expansions {
			if expanded[x.item] {
				_, each := t.parts(x.item)
				c.used += x.bytes - up(plan.Bytes(k[x.item])*each)
				c.saved += x.saved
			}
		}
		list = append(list, c)
	}
	for how := early; how <= large; how++ {
		k := t.residents(room, how, o.Speed, nil)
		used := k.bytes(t)
		expanded, _ := t.expand(room-used, k, false)
		if add(k, expanded); used == 0 {
			break
		}
	}
	if expanded, used := t.expand(room, none, true); used > 0 {
		for how := early; how <= paced; how++ {
			add(t.residents(room-used, how, o.Speed, expanded), expanded)
		}
	}
	return list
}
