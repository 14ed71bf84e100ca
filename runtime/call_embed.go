package runtime

// callEmbed picks rows of a table. In: ids (int32), table [rows,n]. ints: words n
// rows half. Ids outside the table are clamped to it. half is 1 where the table
// holds float16, which are widened.
func callEmbed(t *thread, s *callStep) {
	words, n, rows, half := s.ints[0], s.ints[1], s.ints[2], s.ints[3] != 0
	for {
		i := t.claim()
		if i >= words {
			return
		}
		id := min(max(s.in[0].word(t, i), 0), rows-1)
		y := s.out[0].slice(t, i*n, n)
		if !half {
			copy(y, s.in[1].slice(t, id*n, n))
			continue
		}
		row := s.in[1].start(t, id*n)
		for k := range y {
			y[k] = weight(row, k, true)
		}
	}
}
