package schedule

import (
	"math/rand/v2"
	"testing"

	"github.com/flexnnc/flexnnc/compiler/schedule/sample"
	"github.com/flexnnc/flexnnc/ir/plan"
)

// TestBraidNeeds: no braid of any nodes of random networks, in any number of bands, is
// laid out with fewer bytes than what braidNeeds says that it takes.
func TestBraidNeeds(t *testing.T) {
	braids, exact := 0, 0
	for seed := range 100 {
		r := rand.New(rand.NewPCG(uint64(seed), 11))
		g := sample.Random(func(k int) int { return r.IntN(k) })
		o := Options{Threads: 1 + r.IntN(3), NoInPlace: r.IntN(5) == 0, NoFlow: r.IntN(5) == 0, lean: true}
		o.Speed = o.Speed.withDefaults(o.Threads)
		n, err := newNetwork(g, o)
		if err != nil {
			t.Fatal(err)
		}
		c := newCutter(n, o)
		for lo := range n.nodes {
			for hi := lo + 1; hi <= len(n.nodes) && n.bandable(lo, hi); hi++ {
				need := c.braidNeeds(lo, hi, impossible, nil)
				tallest := 0
				for i := lo; i < hi; i++ {
					tallest = max(tallest, n.nodes[i].grains())
				}
				for bands := 2; bands <= tallest; bands++ {
					s := segment{lo: lo, hi: hi, bands: bands}
					out := c.outline(s)
					f, ok := c.flow(s, out, 0)
					if out.peak == impossible || !ok {
						continue
					}
					braids++
					if f.peak < need {
						t.Fatalf("seed %d: nodes %d to %d in %d bands take %d bytes, the bound is %d\n%v", seed, lo, hi, bands, f.peak, need, g)
					}
					if f.peak < need+plan.Align*plan.Bytes(len(n.roots)) {
						exact++
					}
				}
			}
		}
	}
	t.Logf("%d braids, %d of them about as small as the bound", braids, exact)
	if exact*5 < braids {
		t.Errorf("of %d braids %d are near the bound", braids, exact)
	}
}
