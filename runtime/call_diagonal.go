package runtime

// callDiagonal takes the diagonal of a matrix, or makes a matrix that is zero
// elsewhere of it. ints: row and column where it begins, and whether y is the
// matrix.
func callDiagonal(t *thread, s *callStep) {
	row, column := s.ints[0], s.ints[1]
	x, y := &s.in[0], &s.out[0]
	if s.ints[2] == 0 {
		if t.claim() == 0 {
			for i := range y.len() {
				*y.linear(t, i) = *x.at(t, 0, 0, row+i, column+i)
			}
		}
		return
	}
	for {
		r := t.claim()
		if r >= y.dims[2] {
			return
		}
		for c := range y.dims[3] {
			*y.at(t, 0, 0, r, c) = 0
		}
		if i := r - row; i >= 0 && i < x.len() {
			*y.at(t, 0, 0, r, column+i) = *x.linear(t, i)
		}
	}
}
