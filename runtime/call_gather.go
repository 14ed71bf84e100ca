package runtime

// callGather sums chosen elements. In: x, table (int32). ints: n terms; floats: a
// value. y[i] is x[table[i*terms]] plus those of the following entries of i, in
// order, without the entries of -1; the value where there are no others.
func callGather(t *thread, s *callStep) {
	const block = 256
	n, terms := s.ints[0], s.ints[1]
	x, table, y := &s.in[0], &s.in[1], &s.out[0]
	for {
		lo := t.claim() * block
		if lo >= n {
			return
		}
		for i := lo; i < min(lo+block, n); i++ {
			v, found := s.floats[0], false
			for k := i * terms; k < (i+1)*terms; k++ {
				at := table.word(t, k)
				switch {
				case at < 0:
				case found:
					v += *x.linear(t, at)
				default:
					v, found = *x.linear(t, at), true
				}
			}
			*y.linear(t, i) = v
		}
	}
}
