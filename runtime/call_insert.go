package runtime

// callInsert is x with a part of it replaced by In[1]. ints: four dims of x, four
// of the part, the part's first index per axis.
func callInsert(t *thread, s *callStep) {
	d, part, first := s.ints[:4], s.ints[4:8], s.ints[8:12]
	for {
		r := t.claim()
		if r >= d[0]*d[1]*d[2] {
			return
		}
		out := s.out[0].slice(t, r*d[3], d[3])
		copy(out, s.in[0].slice(t, r*d[3], d[3]))
		at := [3]int{r / (d[2] * d[1]), r / d[2] % d[1], r % d[2]}
		inside := true
		row := 0
		for i := range at {
			at[i] -= first[i]
			inside = inside && at[i] >= 0 && at[i] < part[i]
			row = row*part[i] + at[i]
		}
		if inside {
			copy(out[first[3]:], s.in[1].slice(t, row*part[3], part[3]))
		}
	}
}
