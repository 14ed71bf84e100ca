package runtime

import "unsafe"

// callMatmul is a product of batches of matrices. ints: outer inner M N K, then
// element strides of a (outer, inner, m, k), of b (outer, inner, k, n) and of y
// (outer, inner, m, n), then panels blocks; floats: a factor. y = factor * (chain
// of fused multiply-adds over k, from zero).
//
// A unit is so many panels of columns of one of the blocks of rows. The thread's
// scratch has the table of multiply, the panels, and where a's terms are no
// neighbours the block's rows.
func callMatmul(t *thread, s *callStep) {
	p := s.ints
	inner, rows, columns, depth := p[1], p[2], p[3], p[4]
	as, bs, ys := p[5:9], p[9:13], p[13:17]
	width, blocks := p[17], p[18]
	a, b, y := &s.in[0], &s.in[1], &s.out[0]
	aNext, aStep, bStep, bNext, yNext := a.step(as[2]), a.step(as[3]), b.step(bs[2]), b.step(bs[3]), y.step(ys[2])
	cuts := evenCuts(columns, width)
	panels := unsafe.Add(t.scratch, productPanels)
	packed := unsafe.Add(panels, 4*panelWidth*width*(depth+1))
	pr := product{depth: depth, panels: panels, aStep: aNext, outStep: yNext}
	for {
		u := t.claim()
		if u >= p[0]*inner*cuts*blocks {
			return
		}
		block := u % blocks
		u /= blocks
		c := u % cuts
		u /= cuts
		o, i := u/inner, u%inner
		lo, hi := rows*block/blocks, rows*(block+1)/blocks
		first, end := cutAt(columns, c, cuts), cutAt(columns, c+1, cuts)
		t.packPanels(panels, b.start(t, o*bs[0]+i*bs[1]+first*bs[3]), end-first, depth, bNext, bStep)
		pr.rows, pr.columns = hi-lo, end-first
		pr.a = a.start(t, o*as[0]+i*as[1]+lo*as[2])
		if depth > 1 && aStep != 4 {
			t.packRows(packed, pr.a, hi-lo, depth, aNext, aStep)
			pr.a, pr.aStep = packed, 4*depth
		}
		pr.out = y.start(t, o*ys[0]+i*ys[1]+lo*ys[2]+first)
		pr.multiply(t)
		if f := s.floats[0]; f != 1 {
			for m := range hi - lo {
				row := unsafe.Slice((*float32)(unsafe.Add(pr.out, m*yNext)), end-first)
				for n := range row {
					row[n] *= f
				}
			}
		}
	}
}

// packRows makes rows dense whose terms are depthStep bytes apart.
func (t *thread) packRows(to, from unsafe.Pointer, rows, depth, rowStep, depthStep int) {
	if rowStep == 4 {
		t.transpose(transposeArgs{out: to, in: from, rows: depth, cols: rows, outStep: 4 * depth, inStep: depthStep, planes: 1})
		return
	}
	for m := range rows {
		for k := range depth {
			putf32(to, m*depth+k, *(*float32)(unsafe.Add(from, m*rowStep+k*depthStep)))
		}
	}
}
