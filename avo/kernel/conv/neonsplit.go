package conv

import "github.com/flexnnc/flexnnc/avo/arm64"

// splitLoop is the loop over eight terms for cores that issue in order, as
// Cortex-A53 and A55. There a load of a register's 128 bits takes two cycles in which
// nothing else issues, while one of 64 bits goes beside a multiply-add: so registers come
// in halves, the second by way of a general register. On a Cortex-A53 loads into vector
// registers, and moves from general ones, do not go beside multiply-adds, but beside each
// other: they stand in pairs. Weights are loaded two quads ahead, the image up to four
// terms, and what the next eight terms begin with before these end; after the last ones
// it is loaded once more instead, which does no harm.
//
// Weights of float16 come by quads of 64 bits, and are widened a quad ahead.
func (v *tileNEON) splitLoop(a []arm64.GP, n arm64.GP) {
	s := splitNEON{tileNEON: v, a: a, w: v.w[0], more: v.GP(), quad: [2]arm64.GP{v.GP(), v.GP()}, cell: [2]arm64.GP{v.GP(), v.GP()}}
	v.Label(v.prefix + "split")
	s.begin()
	v.Label(v.prefix + "spliteight")
	s.eight(n)
	v.BNE(v.prefix + "spliteight")
	for _, at := range a {
		v.ADDI(32, at, at)
	}
	v.ADDI(weightRow(v.half)*8, s.w, s.w)
	v.B(v.prefix + "four")
}

type splitNEON struct {
	*tileNEON
	a    []arm64.GP
	w    arm64.GP
	more arm64.GP    // 1, but 0 for the last eight terms
	quad [2]arm64.GP // second halves of weights, of quads in turn
	cell [2]arm64.GP // and of the image
}

// splitQuads is the quads of weights of eight terms.
const splitQuads = 8 * 4

// late are the pixels with a single register, for which that is loaded between its last
// use for four terms and its first one for the next.
func (s *splitNEON) late() []int {
	var late []int
	for m, x := range s.x {
		if len(x) == 1 {
			late = append(late, m)
		}
	}
	if len(late) > len(s.cell) {
		panic("BUG: too few registers for the image")
	}
	return late
}

// begin loads what the first terms need.
func (s *splitNEON) begin() {
	for m, x := range s.x {
		if len(x) == 2 {
			s.LDRQ(0, s.a[m], x[0])
		}
	}
	for i, m := range s.late() {
		s.LDRD(0, s.a[m], s.x[m][0])
		s.LDRX(8, s.a[m], s.cell[i])
	}
	for i := range 2 {
		s.low(i)
		s.high(i)
	}
	s.join(0)
}

// low, high and join make a quad of weights: its first half, its second, and the whole.
// Quads from splitQuads on are those of the next terms, to which the pointer then points.
func (s *splitNEON) low(i int) { s.LDRD(weightRow(s.half)/4*(i%splitQuads), s.w, s.b[i%4]) }

func (s *splitNEON) high(i int) {
	if !s.half {
		s.LDRX(16*(i%splitQuads)+8, s.w, s.quad[i%2])
	}
}

func (s *splitNEON) join(i int) {
	if s.half {
		s.FCVTL(s.b[i%4], s.b[i%4])
	} else {
		s.INS_D(s.quad[i%2], 1, s.b[i%4])
	}
}

// image are the loads of the cells of four terms, in the order in which they are to be
// issued, for the first pixels, which have a register to spare: reg of each. Then those of
// the second halves of the others.
func (s *splitNEON) image(off, reg int, advance bool) []func() {
	var f []func()
	move := func(m int) {
		if advance {
			f = append(f, func() { s.ADDLSL(s.more, 5, s.a[m], s.a[m]) })
		}
	}
	before := func() {}
	n := 0
	for m, x := range s.x {
		if len(x) == 1 {
			continue
		}
		move(m)
		half, join := s.cell[n%2], before
		f = append(f, func() { s.LDRX(off+8, s.a[m], half) }, func() {
			s.LDRD(off, s.a[m], x[reg])
			join()
		})
		before = func() { s.INS_D(half, 1, x[reg]) }
		n++
	}
	f = append(f, before)
	for i, m := range s.late() {
		move(m)
		f = append(f, func() { s.LDRX(off+8, s.a[m], s.cell[i]) })
	}
	return f
}

// eight adds eight terms. The flags at its end say whether these were the last.
func (s *splitNEON) eight(n arm64.GP) {
	late := s.late()
	// What is done beside the multiply-adds of each quad, one thing a quad.
	beside := map[int][]func(){}
	queue := func(first, end int, f []func()) {
		for i, g := range f {
			at := first + i*(end-first)/len(f)
			beside[at] = append(beside[at], g)
		}
	}
	queue(1, splitQuads/2-1, append([]func(){
		func() { s.SUBSI(1, n, n) },
		func() { s.CSET(arm64.NE, s.more) },
	}, s.image(16, 1, false)...))
	queue(splitQuads/2+1, splitQuads-1, s.image(0, 0, true))
	for i := range splitQuads {
		first, last := i%(splitQuads/2) == 0, i%(splitQuads/2) == splitQuads/2-1
		order := make([]int, 0, s.pixels)
		if last {
			order = append(order, late...)
		}
		for m := range s.x {
			if !last || len(s.x[m]) == 2 {
				order = append(order, m)
			}
		}
		// When quads of the next terms are loaded, the pointer is there.
		next := i + 2
		if next == splitQuads {
			shift := 9
			if s.half {
				shift = 8
			}
			s.ADDLSL(s.more, shift, s.w, s.w)
		}
		pair := 1 // the place behind which a load of weights and a move stand
		if first || last {
			pair = len(late)
		}
		for at, m := range order {
			s.FMLAElem(s.x[m][i/16%len(s.x[m])], i/4%4, s.b[i%4], s.acc[m][i%4])
			switch {
			case at < len(late) && last:
				off := 16
				if i == splitQuads-1 {
					off = 0
				}
				s.LDRD(off, s.a[m], s.x[m][0])
			case at < len(late) && first:
				s.INS_D(s.cell[at], 1, s.x[late[at]][0])
			}
			if at == pair {
				s.low(next)
				s.join(i + 1)
			}
			if at == 0 && pair == 1 && !first && !last || at == len(order)-1 && (first || last) {
				s.high(next)
			}
			if at == len(order)-2 {
				for _, f := range beside[i] {
					f()
				}
			}
		}
	}
}
