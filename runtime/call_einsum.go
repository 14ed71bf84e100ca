package runtime

import "unsafe"

// einsumLetters is the most axes that an equation can name.
const einsumLetters = 16

// callEinsum sums products of its inputs. ints: letters, letters of the result,
// the letters' sizes, then per input an element stride per letter. y is, over its
// letters in row-major order, a chain of fused multiply-adds from zero over the
// other letters, the last of them fastest; of more than two factors all but the
// last are multiplied first.
func callEinsum(t *thread, s *callStep) {
	letters, outs := s.ints[0], s.ints[1]
	e := einsumCall{t: t, s: s, size: s.ints[2 : 2+letters], outs: outs, dense: true}
	results := 1
	for _, n := range e.size[:outs] {
		results *= n
	}
	for i := range s.in {
		e.dense = e.dense && s.in[i].dense()
	}
	// Neighbouring results share one of two factors: four chains at a time.
	e.shared = -1
	if outs > 0 && letters > outs && len(s.in) == 2 && e.dense {
		for i := range 2 {
			if e.stride(i, outs-1) == 0 {
				e.shared = i
			}
		}
	}
	run := 1
	if e.shared >= 0 {
		run = e.size[outs-1]
	}
	for {
		u := t.claim()
		if u >= results/run {
			return
		}
		rest := u * run
		for l := outs - 1; l >= 0; l-- {
			e.index[l] = rest % e.size[l]
			rest /= e.size[l]
		}
		for l := outs; l < letters; l++ {
			e.index[l] = 0
		}
		if e.shared < 0 {
			*s.out[0].linear(t, u) = e.chain()
			continue
		}
		for n := 0; n < run; n += 4 {
			sum := e.chains(n)
			for k := range min(4, run-n) {
				*s.out[0].linear(t, u*run+n+k) = sum[k]
			}
		}
	}
}

// einsumCall is one thread's state: the letters' present indices.
type einsumCall struct {
	t      *thread
	s      *callStep
	size   []int
	outs   int
	dense  bool // all inputs
	shared int  // the input that the last letter of the result is not in, -1 = none
	index  [einsumLetters]int
}

// stride is the element stride of a letter in an input.
func (e *einsumCall) stride(input, letter int) int {
	return e.s.ints[2+len(e.size)*(1+input)+letter]
}

// at is the present element of an input.
func (e *einsumCall) at(input int) unsafe.Pointer {
	n := 0
	for l := range e.size {
		n += e.index[l] * e.stride(input, l)
	}
	if c := &e.s.in[input]; e.dense {
		return e.t.at(c.off + 4*n)
	}
	return e.s.in[input].start(e.t, n)
}

// next moves on among the letters from outs to end; false, with all indices zero,
// after the last.
func (e *einsumCall) next(end int) bool {
	for l := end - 1; l >= e.outs; l-- {
		if e.index[l]++; e.index[l] < e.size[l] {
			return true
		}
		e.index[l] = 0
	}
	return false
}

// chain is one result.
func (e *einsumCall) chain() float32 {
	sum := float32(0)
	for {
		factor, last := float32(1), len(e.s.in)-1
		for i := range last {
			factor = float32(factor * get32(e.at(i), 0))
		}
		sum = fma32(factor, get32(e.at(last), 0), sum)
		if !e.next(len(e.size)) {
			return sum
		}
	}
}

// chains is four results from number n of the last letter of the result on.
func (e *einsumCall) chains(n int) (sum [4]float32) {
	inner, across := len(e.size)-1, e.outs-1
	other := 1 - e.shared
	e.index[across] = 0
	for {
		b := fourFrom(e.at(other), 4*e.stride(other, across), n, e.size[across])
		chains4(e.at(e.shared), 4*e.stride(e.shared, inner), b, 4*e.stride(other, inner), e.size[inner], &sum)
		if !e.next(inner) {
			return sum
		}
	}
}
