package plan

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// What a cell of the picture shows, by what covers most of it.
const (
	freeCell = iota
	activationCell
	otherActivationCell // of the next buffer, so that neighbours can be told apart
	residentCell
	weightsCell // in use by the step
	waitingCell // being loaded, or loaded and waiting for its step
	reservedCell
	cellKinds
)

var cellRunes = [cellKinds]rune{' ', '█', '▓', '═', '▒', '░', '·'}

// Picture draws the arena in characters: addresses upward in at most rows lines,
// steps to the right in at most columns characters, all equally wide. A legend
// follows.
func Picture(w io.Writer, p *Plan, rows, columns int) error {
	b := bufio.NewWriter(w)
	if len(p.Steps) == 0 || p.Arena == 0 || rows < 1 || columns < 1 {
		fmt.Fprintf(b, "an empty arena\n")
		return b.Flush()
	}
	if n := len(p.Steps); n < columns {
		columns -= columns % n
	}
	rows = int(min(Bytes(rows), (p.Arena+Align-1)/Align))
	area := coverage(p, rows, columns)
	for y := rows - 1; y >= 0; y-- {
		top := p.Arena * Bytes(y+1) / Bytes(rows)
		var line strings.Builder
		for x := range columns {
			line.WriteRune(cellRunes[area[y][x]])
		}
		fmt.Fprintf(b, "%9s ┤%s│\n", megabytes(top), line.String())
	}
	fmt.Fprintf(b, "%9s └%s┘\n", "0", strings.Repeat("─", columns))
	last := fmt.Sprintf("%d steps", len(p.Steps))
	fmt.Fprintf(b, "%9s  %s%s\n", "", strings.Repeat(" ", max(0, columns-len(last))), last)
	fmt.Fprintf(b, "%9s  █▓ activations  ▒ weights in use  ░ loading or waiting  ═ resident weights  · scratch, zeros\n", "")
	return b.Flush()
}

// coverage finds, for every cell, the kind that covers most of it.
func coverage(p *Plan, rows, columns int) [][]int {
	area := make([][][cellKinds]float64, rows)
	kinds := make([][]int, rows)
	for y := range area {
		area[y] = make([][cellKinds]float64, columns)
		kinds[y] = make([]int, columns)
	}
	used := map[int]Range{} // steps that use a Weights buffer
	use := func(buffer, step int) {
		r, ok := used[buffer]
		if !ok {
			r.Lo = step
		}
		r.Hi = step + 1
		used[buffer] = r
	}
	for i := range p.Steps {
		if n := p.Steps[i].Weights; n >= 0 {
			use(n, i)
		}
		for _, n := range p.Steps[i].Consts {
			use(n, i)
		}
	}
	steps := len(p.Steps)
	// add covers bytes [lo,hi) during steps r.
	add := func(kind int, lo, hi Bytes, r Range) {
		for y := int(lo * Bytes(rows) / p.Arena); y < rows; y++ {
			a := max(lo, p.Arena*Bytes(y)/Bytes(rows))
			b := min(hi, p.Arena*Bytes(y+1)/Bytes(rows))
			if b <= a {
				break
			}
			for x := r.Lo * columns / steps; x < columns; x++ {
				// in units of 1/columns of a step
				s, e := max(r.Lo*columns, x*steps), min(r.Hi*columns, (x+1)*steps)
				if e <= s {
					break
				}
				area[y][x][kind] += float64(b-a) * float64(e-s)
			}
		}
	}
	shade := 0
	for i := range p.Buffers {
		u := &p.Buffers[i]
		lo, hi, life := u.Offset, u.Offset+u.Size, Range{u.First, u.Last + 1}
		switch {
		case u.Kind == Activation:
			if u.SharesWith >= 0 { // the step of both is drawn once
				life.Lo = min(life.Hi, p.Buffers[u.SharesWith].Last+1)
			}
			add(activationCell+shade, lo, hi, life)
			shade = 1 - shade
		case u.Kind != Weights:
			add(reservedCell, lo, hi, life)
		case u.Resident:
			add(residentCell, lo, hi, life)
		default:
			r := used[u.ID]
			add(waitingCell, lo, hi, Range{u.First, r.Lo})
			add(weightsCell, lo, hi, r)
		}
	}
	for y := range area {
		for x := range area[y] {
			// What is free must outweigh everything: a cell shows something if half of it is covered.
			total := float64(p.Arena) / float64(rows) * float64(steps)
			best, most, sum := freeCell, 0.0, 0.0
			for kind := 1; kind < cellKinds; kind++ {
				sum += area[y][x][kind]
				if area[y][x][kind] > most {
					best, most = kind, area[y][x][kind]
				}
			}
			if sum*2 >= total {
				kinds[y][x] = best
			}
		}
	}
	return kinds
}

// megabytes prints a size in units of 1e6 or 1e3 bytes.
func megabytes(n Bytes) string {
	if n >= 1e6 {
		return fmt.Sprintf("%.2f MB", float64(n)/1e6)
	}
	return fmt.Sprintf("%.1f kB", float64(n)/1e3)
}
