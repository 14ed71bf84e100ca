package runtime

import "unsafe"

// winogradTiles says how an image is covered by tiles of m x m pixels. Where the columns of
// an image are no multiple of m, as many tiles at the end of a row as that takes are
// m-1 wide. Sums at the last column of positions go into the last column of a tile's pixels
// only, and those at the last row into the last row. So tiles that do without those pixels
// do without those products.
type winogradTiles struct {
	m        int
	row      int // tiles side by side
	full     int // of them that are m wide; the others are m-1 wide
	firstRow int // of the step, in tiles
	short    int // of the step's tiles, those before a last row that is not m high
}

func newWinogradTiles(m, outH, outW int, rows [2]int) winogradTiles {
	t := winogradTiles{m: m, row: (outW + m - 1) / m, firstRow: rows[0] / m}
	t.full = max(0, outW-t.row*(m-1))
	t.short = (rows[1]/m - t.firstRow) * t.row
	return t
}

// x is the first column of a tile's pixels, counted by tiles side by side, and y the first
// row of the pixels of a tile of the step.
func (t *winogradTiles) x(tile int) int { return tile*(t.m-1) + min(tile, t.full) }
func (t *winogradTiles) y(tile int) int { return (t.firstRow + tile/t.row) * t.m }

// tileSet is some of a block of tiles: the first few, or of those the ones in the first
// few columns.
type tileSet struct {
	tiles, columns int // columns is 0 for all
}

// winogradProducts are the products of a block of tiles, which begins with tile `first` of
// the step, for a group of panels and a block of input channels.
type winogradProducts struct {
	k           *winogradKernels
	np          int
	n           int // side of a transformed tile
	tiles       winogradTiles
	first       int
	from, to, w unsafe.Pointer // of the first position
	step        [2]int         // bytes from tile to tile of from and to
	position    [3]int         // bytes from position to position of from, to and w
	expanded    bool           // weights are kept so: those of the next position are asked for
	ahead       winogradAhead  // else the next weights of the file
}

// whole makes the products of all of a block of so many tiles that pixels need.
func (p *winogradProducts) whole(a *winogradArgs, tiles int) {
	n := p.n
	all := tileSet{tiles: tiles}
	rows := tileSet{tiles: max(0, min(tiles, p.tiles.short-p.first))}
	// Runs of tiles go down the columns; short ones do not pay.
	if full := p.tiles.full; full == p.tiles.row || tiles/p.tiles.row < full {
		p.run(a, 0, n*(n-1), 1, all)
		p.run(a, n*(n-1), n, 1, rows)
		return
	}
	for r := range n - 1 {
		p.run(a, r*n, n-1, 1, all)
	}
	p.run(a, n*(n-1), n-1, 1, rows)
	if full := p.tiles.full; full > 0 {
		p.run(a, n-1, n-1, n, tileSet{all.tiles, full})
		p.run(a, n*n-1, 1, 1, tileSet{rows.tiles, full})
	}
}

// run makes the products of a set of tiles at count positions, each `stride` after the last.
func (p *winogradProducts) run(a *winogradArgs, position, count, stride int, set tileSet) {
	if set.tiles == 0 {
		return
	}
	each := 1
	if p.k.positions && set.columns <= 1 && p.even(set) {
		each = count
	}
	a.positions = each
	a.fromPosition, a.toPosition, a.wPosition = stride*p.position[0], stride*p.position[1], stride*p.position[2]
	for ; count > 0; count -= each {
		from, to := unsafe.Add(p.from, position*p.position[0]), unsafe.Add(p.to, position*p.position[1])
		w := unsafe.Add(p.w, position*p.position[2])
		switch {
		case p.k.positions: // NEON's ask for nothing
		case p.expanded:
			a.ahead = unsafe.Add(w, stride*p.position[2])
		default:
			a.ahead = p.ahead.next()
		}
		if set.columns == 0 {
			p.rows(a, from, to, w, 1, set.tiles)
		}
		for c := range set.columns {
			first, rows := p.column(set, c)
			if rows > 0 {
				p.rows(a, unsafe.Add(from, first*p.step[0]), unsafe.Add(to, first*p.step[1]), w, p.tiles.row, rows)
			}
		}
		position += stride * each
	}
}

// column is the first tile of a set in a column, and how many there are.
func (p *winogradProducts) column(set tileSet, c int) (first, rows int) {
	row := p.tiles.row
	first = (c + row - p.first%row) % row
	return first, max(0, (set.tiles-first+row-1)/row)
}

// even says that the tiles of a set, in a row or in one column, are some runs of the same
// length, for which there is a kernel.
func (p *winogradProducts) even(set tileSet) bool {
	rows := set.tiles
	if set.columns == 1 {
		_, rows = p.column(set, 0)
	}
	runs := max(1, (rows+p.k.mr-1)/p.k.mr)
	return rows%runs == 0 && p.k.product[p.np][rows/runs] != nil
}

// rows makes the products of tiles that are `step` apart.
func (p *winogradProducts) rows(a *winogradArgs, from, to, w unsafe.Pointer, step, rows int) {
	runs := (rows + p.k.mr - 1) / p.k.mr
	mr := rows / runs
	longer := rows - mr*runs // runs of mr+1 rows, which come first
	a.fromStep, a.toStep = step*p.step[0], step*p.step[1]
	a.from, a.to, a.w = from, to, w
	if longer > 0 {
		p.call(a, mr+1, longer)
		a.from = unsafe.Add(from, longer*(mr+1)*a.fromStep)
		a.to = unsafe.Add(to, longer*(mr+1)*a.toStep)
	}
	if longer < runs {
		p.call(a, mr, runs-longer)
	}
}

func (p *winogradProducts) call(a *winogradArgs, mr, runs int) {
	a.blocks = runs
	if f := p.k.product[p.np][mr]; f != nil {
		f(a)
	} else {
		winogradProductPortable(a, mr, p.np)
	}
}
