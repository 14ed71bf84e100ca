package schedule

import (
	"slices"
	"testing"

	"github.com/flexnnc/flexnnc/ir/plan"
	"pgregory.net/rapid"
)

// TestGaps compares gaps with an array of one number per address.
func TestGaps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const n = 30
		g := newGaps(0, n)
		var from [n]int
		draw := func(name string, lo, hi int) int { return rapid.IntRange(lo, hi).Draw(t, name) }
		now := 0
		for range draw("operations", 1, 25) {
			switch lo := draw("lo", 0, n); draw("what", 0, 2) {
			case 0:
				hi, v := draw("hi", lo, n), draw("from", 0, 9)
				if v == 9 {
					v = never
				}
				g.set(plan.Bytes(lo), plan.Bytes(hi), v)
				for i := lo; i < hi; i++ {
					from[i] = v
				}
			case 1:
				now = max(now, draw("now", 0, 4))
				g.merge(now)
				for i := range from {
					from[i] = max(from[i], now)
				}
			case 2:
				at, size := g.widest()
				best := 0
				for i, run := 0, 0; i < n; i++ {
					if run++; from[i] == never {
						run = 0
					}
					best = max(best, run)
				}
				if int(size) != best {
					t.Fatalf("widest %d at %d, want %d", size, at, best)
				}
			}
			size, by := draw("size", 1, 12), now+draw("by", 0, 9)
			best := by + 1
			for i := 0; i+size <= n; i++ {
				m := now
				for _, v := range from[i : i+size] {
					m = max(m, v)
				}
				best = min(best, m)
			}
			at, start, ok := g.earliest(plan.Bytes(size), now, by)
			if ok != (best <= by) || ok && start != best {
				t.Fatalf("size %d, steps %d to %d: %d at %d (%v), want %d; %v", size, now, by, start, at, ok, best, from)
			}
			if ok {
				for _, v := range from[at : int(at)+size] {
					if v > start {
						t.Fatalf("bytes at %d are free from %d, not %d", at, v, start)
					}
				}
			}
			hot := -1
			for i := 0; i+size <= n; i++ {
				if w := from[i : i+size]; slices.Max(w) <= by {
					hot = max(hot, slices.Min(w))
				}
			}
			at, start, ok = g.hottest(plan.Bytes(size), by)
			if ok != (hot >= 0) || ok && (slices.Min(from[at:int(at)+size]) != hot || slices.Max(from[at:int(at)+size]) != start) {
				t.Fatalf("size %d, by step %d: hottest %d (%v) free from %d, want one in use until %d; %v", size, by, at, ok, start, hot, from)
			}
		}
	})
}

func TestSlice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lo := rapid.IntRange(0, 5).Draw(t, "lo")
		hi := lo + rapid.IntRange(0, 70).Draw(t, "n")
		room := plan.Bytes(rapid.IntRange(0, 90).Draw(t, "room"))
		rs := slice(lo, hi, 1, room)
		at := lo
		for _, r := range rs {
			if r.Lo != at || r.Hi <= r.Lo || r.Len() > max(1, int(room)) {
				t.Fatalf("[%d,%d) in slices of at most %d: %v", lo, hi, room, rs)
			}
			at = r.Hi
		}
		if at != hi {
			t.Fatalf("[%d,%d) in slices of at most %d: %v", lo, hi, room, rs)
		}
		if most := max(1, int(room)); len(rs) > (hi-lo+most-1)/most+(hi-lo)/most {
			t.Fatalf("%d slices of %d panels, %d fit at a time", len(rs), hi-lo, most)
		}
	})
}

// TestResidents: what is kept fits the room and leaves less of it than what is missing,
// or a vector of panels, would take.
func TestResidents(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tl := randomTimeline(t)
		room := plan.Bytes(rapid.IntRange(0, 400).Draw(t, "room")) * plan.Align * 4
		for how := early; how <= large; how++ {
			k := tl.residents(room, how, Speed{}.withDefaults(1), nil)
			left := room - k.bytes(tl)
			if left < 0 {
				t.Fatalf("%d bytes kept in %d", k.bytes(tl), room)
			}
			for i := range k {
				n, each := tl.parts(i)
				if k[i] < 0 || k[i] > n {
					t.Fatalf("%d of %d parts kept", k[i], n)
				}
				if more := plan.Bytes(min(n-k[i], vectorPanels)); more > 0 && up(more*each) <= left {
					t.Fatalf("%d bytes are left, a part has %d, of which %d are missing", left, each, n-k[i])
				}
			}
		}
	})
}
