package runtime

// callCumulativeSum adds up along the middle axis of x [outer,n,inner]: y[i] is
// x[i] + y[i-1]. ints: outer n inner.
func callCumulativeSum(t *thread, s *callStep) {
	outer, n, inner := s.ints[0], s.ints[1], s.ints[2]
	x, y := &s.in[0], &s.out[0]
	run := inner // elements side by side that one unit takes
	if inner > 1 {
		run = x.dims[3]
	}
	pieces := inner / run
	for {
		u := t.claim()
		if u >= outer*pieces {
			return
		}
		o, first := u/pieces, u%pieces*run
		before := y.slice(t, o*n*inner+first, run)
		copy(before, x.slice(t, o*n*inner+first, run))
		for i := 1; i < n; i++ {
			at := (o*n+i)*inner + first
			in, out := x.slice(t, at, run), y.slice(t, at, run)
			for k, v := range in {
				out[k] = v + before[k]
			}
			before = out
		}
	}
}
