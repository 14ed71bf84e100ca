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
	form     int  // of elements, which are widened: see formBytes
	table    load // where it begins, and how it is summed
	bytes    int  // of it
	scratch  int  // arena offset of a chunk's bytes, rounded up to 64, for each thread
}

// runPick shares the words among threads. What goes wrong is left in t.err.
func runPick(t *thread, s *pickStep) {
	most := int(s.table.chunkBytes)
	room := (most + 63) &^ 63
	chunk := unsafe.Slice((*byte)(t.at(s.scratch+t.id*room)), most)
	size := formBytes(s.form)
	perChunk := most / (size * s.n)
	for {
		i := t.claim()
		if i >= s.words {
			return
		}
		id := min(max(s.ids.word(t, i), 0), s.rows-1)
		c := id / perChunk
		piece := chunk[:min(most, s.bytes-c*most)]
		if err := t.weights.chunk(&s.table, c, piece); err != nil {
			t.err = err
			return
		}
		row := unsafe.Pointer(&piece[size*s.n*(id-c*perChunk)])
		widenRow(s.out.slice(t, i*s.n, s.n), row, s.form)
	}
}
