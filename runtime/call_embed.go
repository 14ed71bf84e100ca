package runtime

// callEmbed picks rows of a table. In: ids (int32), table [rows,n]. ints: words n
// rows. Ids outside the table are clamped to it.
func callEmbed(t *thread, s *callStep) {
	words, n, rows := s.ints[0], s.ints[1], s.ints[2]
	for {
		i := t.claim()
		if i >= words {
			return
		}
		id := min(max(s.in[0].word(t, i), 0), rows-1)
		copy(s.out[0].slice(t, i*n, n), s.in[1].slice(t, id*n, n))
	}
}
