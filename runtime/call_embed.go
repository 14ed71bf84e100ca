package runtime

// callEmbed picks rows of a table. In: ids (int32), table [rows,n]. ints: words n
// rows form. Ids outside the table are clamped to it. form says what the table
// holds: float32 (0), float16 (1) or int8 (2); both are widened.
func callEmbed(t *thread, s *callStep) {
	words, n, rows, form := s.ints[0], s.ints[1], s.ints[2], s.ints[3]
	for {
		i := t.claim()
		if i >= words {
			return
		}
		id := min(max(s.in[0].word(t, i), 0), rows-1)
		y := s.out[0].slice(t, i*n, n)
		widenRow(y, s.in[1].row(t, 0, 0, id), form)
	}
}
