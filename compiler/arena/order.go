package arena

import (
	"cmp"
	"slices"
)

// A branching order decides, among buffers that can be placed at the same
// offset, which is tried first. Its letters are compared one after the other,
// larger first: the fullest section the buffer crosses (T), the one that was
// most often overfull in this run and those before (F), lifetime in steps (W), in
// sections (C), size (Z), lifetime times size (A), number of neighbours (O).
//
// No order is good on all inputs, and the length of a run is heavy-tailed in
// the order: a run ends either after about one node per buffer or not at all.
// So many short runs with varied orders beat a long one.
var orders = [...]string{"TAW", "TWA", "TCA", "CTA", "OTA", "TZA", "WAT", "FWA", "FCA", "FAW", "CFA", "WFA"}

// noises are the widths of the perturbation of an order, as a share of the
// number of buffers.
var noises = [...]float64{0.005, 0.01, 0.02, 0.04}

// branching sorts buffers for one run.
type branching struct {
	letters string
	noise   []float64        // shift of each buffer in places per buffer, or empty
	number  int              // of the order in use
	wins    [len(orders)]int // runs solved with each order
	full    []int64          // scratch: fullest section
	fail    []float64        // scratch: failures of the worst section
	key     []float64        // scratch: place with noise
}

// set chooses the order of run number r, deterministically: first every order as
// it is, then orders drawn with a preference for those that have solved a run,
// with noise.
func (b *branching) set(r int, n int) {
	b.number = r % len(orders)
	b.letters = orders[b.number]
	b.noise = b.noise[:0]
	if r < len(orders) {
		return
	}
	rng := sequence(r)
	sum := 0
	for _, w := range b.wins {
		sum += 1 + preference*w
	}
	pick := int(rng.next() % uint64(sum))
	for k, w := range b.wins {
		if pick -= 1 + preference*w; pick < 0 {
			b.number = k
			break
		}
	}
	b.letters = orders[b.number]
	width := noises[rng.next()%uint64(len(noises))]
	b.noise = slices.Grow(b.noise, n)[:n]
	for i := range b.noise {
		b.noise[i] = width * (rng.float() + rng.float() + rng.float() - 1.5) * 2
	}
}

// preference is the weight of a solved run when orders are drawn; an order
// without any has weight one.
const preference = 2

// sort orders list for branching. The fullest section is that of the unplaced
// buffers, so pieces are ordered anew when a split makes them.
func (b *branching) sort(s *search, list []int32) {
	n := len(s.idx)
	if len(b.full) < n {
		b.full = make([]int64, n)
		b.key = make([]float64, n)
		b.fail = make([]float64, n)
	}
	full := b.full
	for _, i := range list {
		v, f := int64(0), 0.0
		for t := s.lo[i]; t < s.hi[i]; t++ {
			v = max(v, s.total[t])
			f = max(f, s.fails[t])
		}
		full[i], b.fail[i] = v, f
	}
	slices.SortFunc(list, func(x, y int32) int {
		for _, l := range []byte(b.letters) {
			c := 0
			switch l {
			case 'T':
				c = cmp.Compare(full[y], full[x])
			case 'F':
				c = cmp.Compare(b.fail[y], b.fail[x])
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
		// The conversion keeps arm64 from fusing the two, so that every machine
		// sorts alike.
		b.key[i] = float64(k) + float64(b.noise[i]*float64(len(list)))
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
