package runtime

import "unsafe"

// pickStep reads rows of a table from the weights file, as ids say, into the rows
// of its output. Ids outside the table are clamped to it. A table is summed in
// chunks of whole rows: the chunk with the row is read, checked, and the row taken.
type pickStep struct {
	ids, out callTensor
	words    int
	n        int  // elements of a row
	rows     int  // of the table
	half     bool // elements are float16, and are widened
	table    load // all of it
	scratch  int  // arena offset of chunkBytes, rounded up to 64, for each thread
}

// runPick shares the words among threads. What goes wrong is left in t.err.
func runPick(t *thread, s *pickStep) {
	room := (s.table.chunkBytes + 63) &^ 63
	chunk := unsafe.Slice((*byte)(t.at(s.scratch+t.id*room)), s.table.chunkBytes)
	size := 4
	if s.half {
		size = 2
	}
	perChunk := s.table.chunkBytes / (size * s.n)
	for {
		i := t.claim()
		if i >= s.words {
			return
		}
		id := min(max(s.ids.word(t, i), 0), s.rows-1)
		c := id / perChunk
		piece := chunk[:min(s.table.chunkBytes, s.table.bytes-c*s.table.chunkBytes)]
		if err := t.weights.chunk(&s.table, c, piece); err != nil {
			t.err = err
			return
		}
		row := unsafe.Pointer(&piece[size*s.n*(id-c*perChunk)])
		y := s.out.slice(t, i*s.n, s.n)
		for k := range y {
			y[k] = weight(row, k, s.half)
		}
	}
}
