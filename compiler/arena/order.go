package arena

import (
	"cmp"
	"slices"
)

// A branching order decides, among buffers that can be placed at the same
// offset, which is tried first. Its letters are compared one after the other,
// larger first: the fullest section the buffer crosses (T), lifetime in steps
// (W), in sections (C), size (Z), lifetime times size (A), number of neighbours
// (O).
//
// No order is good on all inputs, and the length of a run is heavy-tailed in
// the order: a run ends either after about one node per buffer or not at all.
// So many short runs with varied orders beat a long one.
var orders = [...]string{"TAW", "TWA", "TCA", "CTA", "OTA", "TZA", "WAT"}

// noises are the widths of the perturbation of an order, as a share of the
// number of buffers.
var noises = [...]float64{0.01, 0.03, 0.1}

// branching sorts buffers for one run.
type branching struct {
	letters string
	noise   []float64 // shift of each buffer in places per buffer, or nil
	full    []int64   // scratch: fullest section
	key     []float64 // scratch: place with noise
}

// set chooses the order of run number r, deterministically.
func (b *branching) set(r int, n int) {
	b.letters = orders[r%len(orders)]
	if r < len(orders) {
		b.noise = b.noise[:0]
		return
	}
	rng := sequence(r)
	b.letters = orders[rng.next()%uint64(len(orders))]
	width := noises[rng.next()%uint64(len(noises))]
	b.noise = slices.Grow(b.noise[:0], n)[:n]
	for i := range b.noise {
		b.noise[i] = width * (rng.float() + rng.float() + rng.float() - 1.5) * 2
	}
}

// sort orders list for branching. The fullest section is that of the unplaced
// buffers, so pieces are ordered anew when a split makes them.
func (b *branching) sort(s *search, list []int32) {
	n := len(s.idx)
	if len(b.full) < n {
		b.full = make([]int64, n)
		b.key = make([]float64, n)
	}
	full := b.full
	for _, i := range list {
		v := int64(0)
		for t := s.lo[i]; t < s.hi[i]; t++ {
			v = max(v, s.total[t])
		}
		full[i] = v
	}
	slices.SortFunc(list, func(x, y int32) int {
		for _, l := range []byte(b.letters) {
			c := 0
			switch l {
			case 'T':
				c = cmp.Compare(full[y], full[x])
			case 'W':
				c = cmp.Compare(s.steps[y], s.steps[x])
			case 'C':
				c = cmp.Compare(s.hi[y]-s.lo[y], s.hi[x]-s.lo[x])
			case 'Z':
				c = cmp.Compare(s.size[y], s.size[x])
			case 'A':
				c = cmp.Compare(s.size[y]*s.steps[y], s.size[x]*s.steps[x])
			case 'O':
				c = cmp.Compare(len(s.near[y]), len(s.near[x]))
			}
			if c != 0 {
				return c
			}
		}
		return int(x - y)
	})
	if len(b.noise) == 0 {
		return
	}
	for k, i := range list {
		b.key[i] = float64(k) + b.noise[i]*float64(len(list))
	}
	slices.SortFunc(list, func(x, y int32) int {
		if c := cmp.Compare(b.key[x], b.key[y]); c != 0 {
			return c
		}
		return int(x - y)
	})
}

// sequence is SplitMix64, seeded with the number of the run: the same runs on
// every machine.
type sequence uint64

func (q *sequence) next() uint64 {
	*q += 0x9E3779B97F4A7C15
	z := uint64(*q)
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}

func (q *sequence) float() float64 { return float64(q.next()>>11) / (1 << 53) }

// luby is the r-th term, r ≥ 0, of 1 1 2 1 1 2 4 …: limits of restarts that are
// within a constant of the best, and without an upper end, so that the search
// stays complete.
func luby(r int) int64 {
	for {
		k := 1
		for 1<<k-1 < r+1 {
			k++
		}
		if 1<<k-1 == r+1 {
			return 1 << (k - 1)
		}
		r -= 1<<(k-1) - 1
	}
}
