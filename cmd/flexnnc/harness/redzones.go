package harness

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/flexnnc/flexnnc/ir/plan"
)

// span is bytes [lo,hi) of the arena.
type span struct{ lo, hi int }

// rest is what is left of spans after those of others are taken away.
func rest(spans, others []span) (left []span) {
	slices.SortFunc(others, func(a, b span) int { return a.lo - b.lo })
	for _, s := range spans {
		for _, o := range others {
			if o.lo < s.hi && o.hi > s.lo {
				if o.lo > s.lo {
					left = append(left, span{s.lo, o.lo})
				}
				s.lo = max(s.lo, o.hi)
			}
			if s.lo >= s.hi {
				break
			}
		}
		if s.lo < s.hi {
			left = append(left, s)
		}
	}
	return left
}

// redZones are the bytes that only activations use, each of which a run writes before
// it reads it, and the bytes that nothing uses: between buffers, behind the last
// element of a tensor, at the arena's end.
func redZones(p *plan.Plan) (activations, nothing []span) {
	var held, others []span
	for i := range p.Buffers {
		b := &p.Buffers[i]
		s := span{int(b.Offset), int(b.Offset + b.Size)}
		if b.Kind != plan.Activation {
			others = append(others, s)
			continue
		}
		if b.RingRows == 0 && b.RingPanels == 0 {
			s.hi = s.lo + b.Tensor.Len()*b.Tensor.Type.Bytes()
		}
		held = append(held, s)
	}
	return rest(held, others), rest([]span{{0, int(p.Arena)}}, slices.Concat(held, others))
}

// writeRedZones adds the method RedZones to an emitted package.
func writeRedZones(dir, pkg string, p *plan.Plan) error {
	list := func(spans []span) string {
		var b strings.Builder
		for _, s := range spans {
			fmt.Fprintf(&b, "{%d, %d}, ", s.lo, s.hi)
		}
		return b.String()
	}
	activations, nothing := redZones(p)
	return os.WriteFile(filepath.Join(dir, "redzones.go"), fmt.Appendf(nil, redZonesSource, pkg, list(activations), list(nothing), len(p.Steps)-1), 0o644)
}

const redZonesSource = `package %s

import "fmt"

// RedZones has runs begin with activations that are no numbers, and end with a panic
// where bytes have changed that nothing uses.
func (n *Net) RedZones() {
	activations := [][2]int{%s}
	nothing := [][2]int{%s}
	fill := func(spans [][2]int, v byte) {
		for _, s := range spans {
			for i := s[0]; i < s[1]; i++ {
				n.engine.arena.mem[i] = v
			}
		}
	}
	n.engine.observe = func(step int, complete bool) {
		switch {
		case step == 0 && !complete:
			fill(activations, 0xFF)
			fill(nothing, 0xA5)
		case step == %d && complete:
			for _, s := range nothing {
				for i := s[0]; i < s[1]; i++ {
					if n.engine.arena.mem[i] != 0xA5 {
						panic(fmt.Sprintf("byte %%d of the arena, in a red zone [%%d,%%d), was written", i, s[0], s[1]))
					}
				}
			}
		}
	}
}
`
