package runtime

import "unsafe"

// callAttention is softmax(q*k' * scale + mask) * v per head. In: q, k, v, mask if
// any. ints: heads perGroup rows keys width vWidth, then element strides per head
// and per row of q, k, v, y and mask, then most keyPanels valuePanels scratch byHeads
// kept; head h of q reads head h/perGroup of k and v. Products are chains of fused multiply-adds
// from zero. The passes make a row of products into a row of weights, of the row
// (input and output) and the mask's row (input 1).
//
// A unit is some of a head's rows, as many as its scratch has room for at most. It
// goes through the keys, and then through the columns of v, as many panels at a time as
// there is room for: that many panels come first in the thread's part of the step's
// scratch, and the rows' scores follow those. Where kept is not 0 there is room for all
// panels of a head, those of v that many bytes on: they are packed once for all units of
// a head that the thread makes one after the other.
//
// A step may make a range of the outermost axis of q and y, which is heads or rows;
// these may lie in rings then.
func callAttention(t *thread, s *callStep) {
	p := s.ints
	perGroup, keys, width, vWidth := p[1], p[3], p[4], p[5]
	qs, ks, vs, ys, ms := p[6:8], p[8:10], p[10:12], p[12:14], p[14:16]
	most, keyPanels, valuePanels := p[16], p[17], p[18]
	q, k, v, y := &s.in[0], &s.in[1], &s.in[2], &s.out[0]
	qNext, kNext, vNext, yNext := q.step(qs[1]), k.step(ks[1]), v.step(vs[1]), y.step(ys[1])
	panels := t.at(s.scratch + t.id*p[19])
	kept, packed := p[21], -1 // packed is the head that is
	values := unsafe.Add(panels, kept)
	scores := unsafe.Add(panels, 4*panelWidth*max(keyPanels*(width+1), valuePanels*(keys+1)))
	if kept != 0 {
		scores = unsafe.Add(values, 4*panelWidth*valuePanels*(keys+1))
	}
	scoresNext := (4*keys + 63) &^ 63
	head0, head1, row0, row1 := 0, p[0], 0, p[2]
	byHeads := p[20] != 0
	if byHeads {
		head0, head1 = t.rowRange(head1)
	} else {
		row0, row1 = t.rowRange(row1)
	}
	blocks := (row1 - row0 + most - 1) / most
	for {
		_, u, ok := t.claimNear(1, (head1-head0)*blocks)
		if !ok {
			return
		}
		h, b := head0+u/blocks, u%blocks
		g := h / perGroup
		lo, end := row0+(row1-row0)*b/blocks, row0+(row1-row0)*(b+1)/blocks
		for lo < end {
			hi := end
			if !byHeads { // to where a ring begins anew
				hi = q.until(lo, y.until(lo, hi))
			}
			pr := product{rows: hi - lo, panels: panels}
			pack := kept == 0 || packed != g

			pr.depth, pr.a, pr.aStep, pr.outStep = width, q.ringStart(t, h*qs[0]+lo*qs[1]), qNext, scoresNext
			cuts := evenCuts(keys, keyPanels)
			for c := range cuts {
				first, end := cutAt(keys, c, cuts), cutAt(keys, c+1, cuts)
				if pack {
					t.packPanels(panels, k.start(t, g*ks[0]+first*ks[1]), end-first, width, kNext, 4)
				}
				pr.columns, pr.out = end-first, unsafe.Add(scores, 4*first)
				pr.multiply(t)
			}

			for i := 0; i < hi-lo; {
				n := min(hi-lo-i, sideBySide(keys))
				for r := range n {
					row := unsafe.Add(scores, i*scoresNext)
					t.side.in[r][0], t.side.out[r] = row, row
					if len(s.in) > 3 {
						t.side.in[r][1] = s.in[3].start(t, h*ms[0]+(lo+i)*ms[1])
					}
					i++
				}
				t.side.run(t, s.passes, keys, n)
			}

			pr.panels, pr.depth, pr.a, pr.aStep, pr.outStep = values, keys, scores, scoresNext, yNext
			cuts = evenCuts(vWidth, valuePanels)
			for c := range cuts {
				first, end := cutAt(vWidth, c, cuts), cutAt(vWidth, c+1, cuts)
				if pack {
					t.packPanels(values, v.start(t, g*vs[0]+first), end-first, keys, 4, vNext)
				}
				pr.columns, pr.out = end-first, y.ringStart(t, h*ys[0]+lo*ys[1]+first)
				pr.multiply(t)
			}
			lo, packed = hi, g
		}
	}
}
