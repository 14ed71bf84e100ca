package arena

import (
	"testing"

	"pgregory.net/rapid"
)

// TestShapes: placements of buffers with shapes hold by the naive check, are no higher
// than those of their boxes, and no lower than the bound.
func TestShapes(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		var bs []Buffer
		for range rapid.IntRange(1, 12).Draw(r, "buffers") {
			b := Buffer{Lower: rapid.IntRange(0, 9).Draw(r, "lower"), Align: 64}
			at := b.Lower
			for range rapid.IntRange(1, 4).Draw(r, "extents") {
				n := rapid.IntRange(1, 3).Draw(r, "time")
				from := 64 * int64(rapid.IntRange(0, 4).Draw(r, "from"))
				to := from + 64*int64(rapid.IntRange(1, 6).Draw(r, "size"))
				b.Shape = append(b.Shape, Extent{at, at + n, from, to})
				b.Size = max(b.Size, to)
				at += n
			}
			if b.Upper = at; len(b.Shape) == 1 {
				b.Shape = nil
			}
			bs = append(bs, b)
		}
		box := Minimize(boxes(bs), Options{})
		for _, sol := range []Solution{Minimize(bs, Options{}), Greedy(bs)} {
			if err := Check(bs, sol.Offsets, sol.Height); err != nil {
				r.Fatal(err)
			}
			if sol.Height < sol.LowerBound || sol.LowerBound != LowerBound(bs) || sol.Optimal && sol.Height > sol.LowerBound {
				r.Fatalf("%+v", sol)
			}
		}
		if sol := Minimize(bs, Options{}); sol.Height > box.Height {
			r.Fatalf("height %d, of boxes %d", sol.Height, box.Height)
		}
	})
}

// TestChain: what drifts through memory is packed by the places that it leaves.
func TestChain(t *testing.T) {
	bs := []Buffer{
		{ID: "drifting", Lower: 0, Upper: 3, Size: 3, Shape: []Extent{{0, 1, 2, 3}, {1, 2, 1, 2}, {2, 3, 0, 1}}},
		{ID: "first", Lower: 0, Upper: 1, Size: 2},
		{ID: "last", Lower: 2, Upper: 3, Size: 2},
	}
	if sol := Minimize(bs, Options{}); sol.Height != 3 || !sol.Optimal {
		t.Errorf("%+v", sol)
	}
}
