package runtime

// callFlip reverses axes. ints: four dims, then a flag per axis.
func callFlip(t *thread, s *callStep) {
	d, flip := s.ints[:4], s.ints[4:]
	x, y := &s.in[0], &s.out[0]
	for {
		r := t.claim()
		if r >= d[0]*d[1]*d[2] {
			return
		}
		to := [3]int{r / (d[2] * d[1]), r / d[2] % d[1], r % d[2]}
		from := to
		for i := range from {
			if flip[i] != 0 {
				from[i] = d[i] - 1 - from[i]
			}
		}
		in := x.slice(t, ((from[0]*d[1]+from[1])*d[2]+from[2])*d[3], d[3])
		out := y.slice(t, r*d[3], d[3])
		if flip[3] == 0 {
			copy(out, in)
			continue
		}
		for i, v := range in {
			out[d[3]-1-i] = v
		}
	}
}
