package runtime

import "unsafe"

// winogradKernels are those of one instruction set, by the side m of a tile; the
// products by panels and rows. mr and np are the main product. Where a product is
// nil the portable one is taken.
type winogradKernels struct {
	name               string
	mr, np             int
	positions          bool // products heed winogradArgs.positions
	input, output      [maxWinograd + 1]func(*winogradArgs)
	expand, expandHalf [maxWinograd + 1]func(*winogradArgs) // of weights of 4 bytes, and of 2
	product            [maxWinogradPanels + 1][maxWinogradRows + 1]func(*winogradArgs)
}

// Bounds of kernels on any ISA.
const (
	maxWinograd       = 6
	maxWinogradPanels = 2
	maxWinogradRows   = 12
)

// winograd is the kernels in use. Generated files choose better ones at start.
var winograd = &winogradPortable

// winogradPortable are plain Go, and what the others are tested against.
var winogradPortable = winogradKernels{
	name: "portable",
	mr:   1,
	np:   1,
	input: [maxWinograd + 1]func(*winogradArgs){
		2: func(a *winogradArgs) { winogradInputPortable(a, 2) },
		4: func(a *winogradArgs) { winogradInputPortable(a, 4) },
		6: func(a *winogradArgs) { winogradInputPortable(a, 6) },
	},
	expand: [maxWinograd + 1]func(*winogradArgs){
		2: func(a *winogradArgs) { winogradExpandPortable(a, 2, false) },
		4: func(a *winogradArgs) { winogradExpandPortable(a, 4, false) },
		6: func(a *winogradArgs) { winogradExpandPortable(a, 6, false) },
	},
	expandHalf: [maxWinograd + 1]func(*winogradArgs){
		2: func(a *winogradArgs) { winogradExpandPortable(a, 2, true) },
		4: func(a *winogradArgs) { winogradExpandPortable(a, 4, true) },
		6: func(a *winogradArgs) { winogradExpandPortable(a, 6, true) },
	},
	output: [maxWinograd + 1]func(*winogradArgs){
		2: func(a *winogradArgs) { winogradOutputPortable(a, 2) },
		4: func(a *winogradArgs) { winogradOutputPortable(a, 4) },
		6: func(a *winogradArgs) { winogradOutputPortable(a, 6) },
	},
}

// winogradStep is one slice of a 3x3 convolution of stride and dilation 1 by
// Winograd's algorithm. Its tiles are m x m output pixels, from a row that is a
// multiple of m, and from columns that winogradTiles gives; the cells of a tile that
// no output of the image needs count as zero. With B, G and A the transforms in
// winogradInput1, winogradExpand1 and winogradOutput1, every output is an element of
//
//	act(A x A' + bias), x = the sum over input channels of (B d B') * (G g G')
//
// a chain of fused multiply-adds from zero for each element of x. So the result
// depends neither on how the step is cut into blocks nor on the slice.
//
// The step works through blocks of at most `tiles` tiles. First the inputs of a block
// are transformed. Then a group of panels is taken at a time: their weights are
// expanded, a block of input channels after the other, multiplied, and the sums
// transformed to outputs. So weights are stored as they are, and expanded once per
// block of tiles. Or they are kept expanded between runs.
//
// Where each thread has scratch of its own for inputs, it works on blocks alone, or on
// some of the panels where there are fewer blocks than threads: each of them
// transforms such a block's inputs itself, which costs less than to fetch them from
// another core's cache. Else all threads work on a block at a time.
type winogradStep struct {
	conv     convStep
	expanded bool // the weights are kept so: see expansion
	m        int
	tiles    int
	panels   int // that a thread works on at a time, at most
	scratch  int // arena offset of the step's scratch
	own      bool
	shared   int // bytes of transformed inputs: of all threads, or of each if own
	work     int // bytes of each thread behind them
}

// winogradSplit says how a step is cut for an instruction set and some threads.
type winogradSplit struct {
	n, cells   int // side of a transformed tile, and its positions
	tiles      winogradTiles
	count      int // of tiles
	chans      int // input channels of a block, a multiple of 16
	chanBlocks int
	groups     int // of panels, cut evenly
	blocks     int // of tiles
	shares     int // of panels that a block is cut into, if own
	parts      int // that a block of tiles is cut into, for threads
	inputs     int // arena offset of the transformed inputs
	workAt     int // arena offset of the thread's scratch
}

// Per-thread scratch begins with tables of offsets of a tile's cells and pixels,
// where pixels outside of the image go, and vectors between the passes of a
// transform. Zeros for cells outside the image, sums and weights follow.
const (
	winogradPixels = 4 * 8 * 8
	winogradDump   = winogradPixels + 4*8*8
	winogradTmp    = winogradDump + 4*panelWidth*maxWinogradPanels
	winogradZeros  = winogradTmp + 4*winogradTmpLen
)

// winogradChans is the most input channels of a block where weights are kept
// expanded: those of a position then stay in L1 for all tiles.
const winogradChans = 128

func init() {
	expandPanel = func(x *expansion, from, to unsafe.Pointer, tmp []float32) {
		a := winogradArgs{
			from: unsafe.Add(from, 4*panelWidth), fromStep: panelWidth * weightBytes(x.half) * x.chans,
			to: unsafe.Add(to, 4*panelWidth), toStep: 4 * panelWidth * (x.chans + 1),
			n: x.chans, factors: unsafe.Pointer(&winogradFactors), tmp: unsafe.Pointer(unsafe.SliceData(tmp)),
		}
		copy(unsafe.Slice((*byte)(to), 4*panelWidth), unsafe.Slice((*byte)(from), 4*panelWidth))
		if x.half {
			winograd.expandHalf[x.side](&a)
		} else {
			winograd.expand[x.side](&a)
		}
	}
}

func up16(n int) int { return (n + 15) &^ 15 }

// sums is the offset of the sums in a thread's scratch, and weights that of the
// expanded weights.
func (s *winogradStep) sums() int { return winogradZeros + 4*up16(s.conv.inC) }

func (s *winogradStep) weights(cells int) int {
	return s.sums() + cells*4*panelWidth*(s.tiles*s.panels+1)
}

func (s *winogradStep) split(k *winogradKernels, rows [2]int, threads int) winogradSplit {
	c := &s.conv
	g := winogradSplit{n: s.m + 2, tiles: newWinogradTiles(s.m, c.outH, c.outW, rows)}
	g.cells = g.n * g.n
	g.count = ((rows[1]+s.m-1)/s.m - g.tiles.firstRow) * g.tiles.row
	room := (s.work-s.weights(g.cells))/g.cells - 4*panelWidth
	np := min(k.np, s.panels)
	most := max(16, room/(4*panelWidth*np)&^15)
	if s.expanded {
		most = winogradChans
	}
	g.chanBlocks = (c.inC + most - 1) / most
	g.chans = up16((c.inC + g.chanBlocks - 1) / g.chanBlocks)
	g.chanBlocks = (c.inC + g.chans - 1) / g.chans
	panels := (c.channels + panelWidth - 1) / panelWidth
	g.groups = (panels + np - 1) / np
	g.blocks, g.shares, g.parts = (g.count+s.tiles-1)/s.tiles, 1, 1
	if s.own {
		g.blocks, g.shares = winogradCut(g.count, s.tiles, g.groups, np, threads)
	} else if g.groups%threads != 0 && g.groups < 4*threads {
		g.parts = threads
	}
	return g
}

// winogradCut cuts tiles into blocks of at most so many, and groups of np panels into
// shares, of which threads take one of a block at a time: so that the last is done
// soonest. In parts of the time of a tile's products with a panel, ten each, its
// inputs take 6 and the expansion of a panel's weights 35, about.
func winogradCut(count, tiles, groups, np, threads int) (blocks, shares int) {
	blocks, shares = (count+tiles-1)/tiles, 1
	if threads == 1 {
		return blocks, shares
	}
	least, best := blocks, 0
	for n := 1; n <= min(threads, groups); n++ {
		b := least
		for b < count && b*n%threads != 0 {
			b++
		}
		each := (count + b - 1) / b
		time := (b*n + threads - 1) / threads * (6*each + (groups+n-1)/n*np*(10*each+35))
		if best == 0 || time < best {
			best, blocks, shares = time, b, n
		}
	}
	return blocks, shares
}

// places sets where a thread's inputs and its scratch are.
func (g *winogradSplit) places(s *winogradStep, id int) {
	if s.own {
		g.inputs = s.scratch + id*(s.shared+s.work)
		g.workAt = g.inputs + s.shared
	} else {
		g.inputs, g.workAt = s.scratch, s.scratch+s.shared+id*s.work
	}
}

// inputAt is where the transformed inputs of a block of channels lie in
// scratch, and the bytes from tile to tile and from position to position.
func (s *winogradStep) inputAt(g *winogradSplit, block int) (at, tile, position int) {
	at = g.inputs + g.cells*block*4*(s.tiles*g.chans+panelWidth)
	tile = 4 * up16(min(g.chans, s.conv.inC-block*g.chans))
	return at, tile, tile*s.tiles + 4*panelWidth
}

// runWinograd computes a slice of a convolution.
func runWinograd(t *thread, s *winogradStep) {
	k := winograd
	if t.part.panels != 0 {
		part := *s
		part.conv.cut(t.part, 4)
		s = &part
	}
	row0, row1 := t.rowRange(s.conv.outH)
	g := s.split(k, [2]int{row0, row1}, len(t.team.threads))
	g.places(s, t.id)
	work := t.at(g.workAt)
	zeros := unsafe.Slice((*float32)(unsafe.Add(work, winogradZeros)), up16(s.conv.inC))
	clear(zeros)
	a := &t.winograd
	a.factors = unsafe.Pointer(&winogradFactors)
	a.tmp = unsafe.Add(work, winogradTmp)
	if s.own {
		s.alone(t, k, &g, work, row1)
		return
	}
	for b := range g.blocks {
		if b > 0 {
			t.team.meet()
		}
		first, end := g.count*b/g.blocks, g.count*(b+1)/g.blocks
		inside := false
		for u := t.claim(); u < (end-first)*g.chanBlocks; u = t.claim() {
			tile := u / g.chanBlocks
			inside = s.transform(t, k, &g, work, first+tile, tile, u%g.chanBlocks, inside)
		}
		t.team.meet()
		parts := min(g.parts, end-first)
		for u := t.claim(); u < g.groups*parts; u = t.claim() {
			part := u % parts
			n := end - first
			s.multiply(t, k, &g, work, row1, first, n*part/parts, n*(part+1)/parts, u/parts, u/parts+len(t.team.threads))
		}
	}
}

// alone works on blocks of tiles whose inputs no other thread needs.
func (s *winogradStep) alone(t *thread, k *winogradKernels, g *winogradSplit, work unsafe.Pointer, endRow int) {
	made := -1 // block whose inputs are there
	for {
		_, u, ok := t.claimNear(1, g.blocks*g.shares)
		if !ok {
			return
		}
		b, share := u/g.shares, u%g.shares
		first, end := g.count*b/g.blocks, g.count*(b+1)/g.blocks
		if b != made {
			made = b
			inside := false
			for tile := range end - first {
				for block := range g.chanBlocks {
					inside = s.transform(t, k, g, work, first+tile, tile, block, inside)
				}
			}
		}
		for group := g.groups * share / g.shares; group < g.groups*(share+1)/g.shares; group++ {
			next := group + 1
			if next == g.groups*(share+1)/g.shares {
				next = 0
			}
			s.multiply(t, k, g, work, endRow, first, 0, end-first, group, next)
		}
	}
}

// transform computes the inputs of a tile, for one block of channels, as the
// slot-th of its block of tiles. inside says that the table of cells is that of a
// tile which lies inside the image, and whether it is afterwards.
func (s *winogradStep) transform(t *thread, k *winogradKernels, g *winogradSplit, work unsafe.Pointer, tile, slot, block int, inside bool) bool {
	c, a := &s.conv, &t.winograd
	y0, x0 := g.tiles.y(tile)-c.padT, g.tiles.x(tile%g.tiles.row)-c.padL
	// What lies below or to the right of the last window is not read.
	h, w := min(c.inH, c.outH+2-c.padT), min(c.inW, c.outW+2-c.padL)
	ind := unsafe.Slice((*uint32)(work), g.cells)
	a.from, a.ind = t.arena, work
	if c.in.ring == 0 && y0 >= 0 && y0+g.n <= h && x0 >= 0 && x0+g.n <= w {
		if !inside {
			square(ind, g.n, c.in.row, c.in.pix)
		}
		inside = true
		a.from = t.at(c.in.rowOffset(y0) + x0*c.in.pix + 4*block*g.chans)
	} else {
		inside = false
		zeros := uint32(uintptr(work) - uintptr(t.arena) + winogradZeros)
		for i := range g.n {
			y := y0 + i
			row := 0
			if y >= 0 && y < h {
				row = c.in.rowOffset(y) + 4*block*g.chans
			}
			for j := range g.n {
				at := zeros
				if x := x0 + j; y >= 0 && y < h && x >= 0 && x < w {
					at = uint32(row + x*c.in.pix)
				}
				ind[i*g.n+j] = at
			}
		}
	}
	at, step, position := s.inputAt(g, block)
	a.to, a.toStep = t.at(at+slot*step), position
	a.n = min(g.chans, c.inC-block*g.chans)
	a.ahead = unsafe.Add(a.from, s.toNext(g, tile, &c.in))
	k.input[s.m](a)
	return inside
}

// toNext is the bytes from a tile's place in an image to that of the next tile.
func (s *winogradStep) toNext(g *winogradSplit, tile int, i *image) int {
	if x := tile % g.tiles.row; x < g.tiles.row-1 {
		return (g.tiles.x(x+1) - g.tiles.x(x)) * i.pix
	}
	return s.m*i.row - g.tiles.x(g.tiles.row-1)*i.pix
}

// square fills a table with the places of n x n pixels from the first one.
func square(ind []uint32, n, row, pix int) {
	for i := range n {
		for j := range n {
			ind[i*n+j] = uint32(i*row + j*pix)
		}
	}
}

// multiply computes tiles [lo,hi) of the block that starts at tile first, for one
// group of panels. next is the group that this thread takes next, about: its first
// weights are asked for when those of this one are used up.
func (s *winogradStep) multiply(t *thread, k *winogradKernels, g *winogradSplit, work unsafe.Pointer, endRow, first, lo, hi, group, next int) {
	c, a := &s.conv, &t.winograd
	panels := (c.channels + panelWidth - 1) / panelWidth
	panel, end := panels*group/g.groups, panels*(group+1)/g.groups
	np := end - panel
	expand, row, panelStride := k.expand[s.m], panelWidth*weightBytes(c.half), panelBytes(9*c.inC, c.half)
	if c.half {
		expand = k.expandHalf[s.m]
	}
	if s.expanded {
		panelStride = 4 * panelWidth * (1 + g.cells*(c.inC+1))
	}
	given := t.at(c.weights + panel*panelStride)
	sums, weights := unsafe.Add(work, s.sums()), unsafe.Add(work, s.weights(g.cells))
	sumRow := 4 * panelWidth * np
	sumPosition := sumRow*(hi-lo) + 4*panelWidth
	p := winogradProducts{k: k, np: np, n: g.n, tiles: g.tiles, first: first + lo, expanded: s.expanded}
	for block := range g.chanBlocks {
		chans := min(g.chans, c.inC-block*g.chans)
		a.n = chans
		w, panelStep, position := weights, 4*panelWidth*chans, 4*panelWidth*(chans*np+1)
		if s.expanded {
			w, panelStep, position = unsafe.Add(given, 4*panelWidth*(1+block*g.chans)), panelStride, 4*panelWidth*(c.inC+1)
		} else {
			a.toStep, a.fromStep = position, row*c.inC
			for p := range np {
				a.from = unsafe.Add(given, p*panelStride+4*panelWidth+row*block*g.chans)
				a.to = unsafe.Add(w, p*panelStep)
				expand(a)
			}
		}
		at, tile, inputPosition := s.inputAt(g, block)
		raw := unsafe.Add(given, 4*panelWidth+row*(block+1)*g.chans)
		if block == g.chanBlocks-1 {
			raw = t.at(c.weights + panels*(next%g.groups)/g.groups*panelStride + 4*panelWidth)
		}
		p.ahead = winogradAhead{at: raw, panel: panelStride, cell: row * c.inC, bytes: row * chans, positions: max(1, g.cells/(9*np)), cells: 9 * np}
		p.from, p.to, p.w = t.at(at+lo*tile), sums, w
		p.step, p.position = [2]int{tile, sumRow}, [3]int{inputPosition, sumPosition, position}
		a.wStep, a.add, a.inOrder = panelStep, min(block, 1), inOrder
		p.whole(a, hi-lo)
	}
	a.fromStep, a.act, a.ind = sumPosition, c.act, unsafe.Add(work, winogradPixels)
	channels := min(panelWidth*np, c.channels-panelWidth*panel)
	output := func(to unsafe.Pointer, tile, next int) {
		for p := range np {
			a.from = unsafe.Add(sums, (tile-lo)*sumRow+4*panelWidth*p)
			a.w = unsafe.Add(given, p*panelStride)
			a.to = unsafe.Add(to, 4*panelWidth*p)
			a.n = min(panelWidth, channels-panelWidth*p)
			a.ahead = unsafe.Add(a.to, next)
			k.output[s.m](a)
		}
	}
	if c.epilogue.kernel == nil {
		inside := false
		for i := lo; i < hi; i++ {
			var to unsafe.Pointer
			to, inside = s.pixels(t, g, work, endRow, first+i, panel, inside)
			output(to, i, s.toNext(g, first+i, &c.out))
		}
		return
	}
	// An epilogue reads tiles that lie side by side where the weights were, which are used
	// up, and writes the output, which may lie over what else it reads.
	most := max(1, (s.work-s.weights(g.cells))/(s.m*s.m*sumRow))
	for i, n := lo, 0; i < hi; i += n {
		x := (first + i) % g.tiles.row
		n = min(hi-i, g.tiles.row-x, most)
		square(unsafe.Slice((*uint32)(a.ind), s.m*s.m), s.m, n*s.m*sumRow, sumRow)
		for j := range n { // what a tile has too much is where the next one writes
			output(unsafe.Add(weights, (g.tiles.x(x+j)-g.tiles.x(x))*sumRow), i+j, 0)
		}
		s.finish(t, g, weights, sumRow, endRow, first+i, n, panel, channels)
	}
}

// winogradAhead goes through the weights of a block of channels as they are in the file:
// a part of a cell's for each position of the products, so that all come
// while the block before is multiplied.
type winogradAhead struct {
	at                 unsafe.Pointer // the first cell's
	panel, cell, bytes int            // from panel to panel, from cell to cell, of a cell
	positions, cells   int            // for each cell, and of all panels
	i                  int            // position
}

// next is where the next part begins.
func (w *winogradAhead) next() unsafe.Pointer {
	cell, part := min(w.i/w.positions, w.cells-1), w.i%w.positions
	w.i++
	return unsafe.Add(w.at, cell/9*w.panel+cell%9*w.cell+part*w.bytes/w.positions)
}

// pixels fills the table of the places of a tile's pixels, and returns what they are
// relative to for a panel. Those outside of the image go where nobody reads. inside
// is that of transform, for pixels.
func (s *winogradStep) pixels(t *thread, g *winogradSplit, work unsafe.Pointer, endRow, tile, panel int, inside bool) (unsafe.Pointer, bool) {
	c := &s.conv
	ind := unsafe.Slice((*uint32)(unsafe.Add(work, winogradPixels)), s.m*s.m)
	y0, x0 := g.tiles.y(tile), g.tiles.x(tile%g.tiles.row)
	endX := min(c.outW, g.tiles.x(tile%g.tiles.row+1))
	if c.out.ring == 0 && y0+s.m <= endRow && x0+s.m <= endX {
		if !inside {
			square(ind, s.m, c.out.row, c.out.pix)
		}
		return t.at(c.out.rowOffset(y0) + x0*c.out.pix + 4*panelWidth*panel), true
	}
	dump := uint32(uintptr(work) - uintptr(t.arena) + winogradDump)
	for i := range s.m {
		row := 0
		if y0+i < endRow {
			row = c.out.rowOffset(y0+i) + 4*panelWidth*panel
		}
		for j := range s.m {
			at := dump
			if y0+i < endRow && x0+j < endX {
				at = uint32(row + (x0+j)*c.out.pix)
			}
			ind[i*s.m+j] = at
		}
	}
	return t.arena, false
}

// finish applies the epilogue to the pixels of tiles side by side, which lie at from.
func (s *winogradStep) finish(t *thread, g *winogradSplit, from unsafe.Pointer, fromStep, endRow, tile, tiles, panel, channels int) {
	c := &s.conv
	x0, y0 := g.tiles.x(tile%g.tiles.row), g.tiles.y(tile)
	pixels := min(c.outW, g.tiles.x(tile%g.tiles.row+tiles)) - x0
	for y := y0; y < min(endRow, y0+s.m); y++ {
		out := t.at(c.out.rowOffset(y) + x0*c.out.pix + 4*panelWidth*panel)
		c.epilogue.apply(t, from, fromStep, out, c.out.pix, c.outW, y, x0, pixels, panelWidth*panel, channels)
		from = unsafe.Add(from, tiles*s.m*fromStep)
	}
}

// meet returns once all threads have called it, within a step that all of them
// run; tiles are claimed from the first again.
func (m *team) meet() {
	round := m.round.Load()
	if m.met.Add(1) == int64(len(m.threads)) {
		m.met.Store(0)
		m.tiles.Store(0)
		m.round.Add(1)
		return
	}
	for spin := 1; m.round.Load() == round; spin++ {
		if spin%64 == 0 {
			yield()
		}
	}
}
