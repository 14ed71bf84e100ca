package runtime

import "unsafe"

// panelWidth is the output channels of a weight panel: [16]bias, then [K][16]weight.
const panelWidth = 16

// panelBytes is the size of a panel with k weights per channel, of 4 bytes or, if
// half, of 2; biases have 4. Panels start at multiples of 64 bytes.
func panelBytes(k int, half bool) int {
	if half {
		return (4*panelWidth + 2*panelWidth*k + 63) &^ 63
	}
	return 4 * panelWidth * (k + 1)
}

// Activations that the kernels apply before they store.
const (
	actNone = iota
	actRelu // x < 0 ? 0 : x, so NaN and -0 stay
)

// convArgs is what a convolution kernel reads. A kernel of MR pixels and NP
// panels computes, for pixel m and channel n of panel p, with w at panel p,
//
//	acc := w[n]
//	for t := range taps {
//		a := base + ind[t*MR+m]
//		for c := range k {
//			acc = fma32(a[c], w[16+(t*k+c)*16+n], acc)
//		}
//	}
//	out[m*outStep+p*16+n] = act(acc)
//
// and writes no more than last channels of panel NP-1. Kernels for half weights
// find [K][16]float16 behind the biases and widen them, which is exact. The
// assembly knows the fields by their offsets.
type convArgs struct {
	base    unsafe.Pointer
	ind     unsafe.Pointer // [taps][MR]uint32: bytes from base
	taps    int
	k       int // channels per tap, at least 1
	w       unsafe.Pointer
	wstep   int // bytes from panel to panel
	out     unsafe.Pointer
	outStep int // bytes from pixel to pixel
	last    int // channels of the last panel, 1 to 16
	act     int
	panels  int // kernels' own
	// tiles is how many tiles, one behind the other, a kernel of many pixels of a
	// table with manyTiles computes: tileIn bytes apart in the image. 0 counts as 1. Then
	// base, out, ahead and fetch may be those of the last tile when it is done.
	tiles, tileIn int
	// quantize is for kernels of int8: what a result is multiplied by to be int8, or 0.
	quantize float32
	inOrder  int // how NEON kernels load, see inOrder
	// ahead is where the tile will be in the end, that many bytes from pixel to pixel,
	// and fetch weights that a later tile needs: kernels may ask for them to be in
	// cache, a line for each term of the sums, or two where bit 0 is set. Neither need be valid.
	ahead     unsafe.Pointer
	aheadStep int
	fetch     unsafe.Pointer
}

// Bounds of kernel tiles on any ISA.
const (
	maxConvPixels = 8
	maxConvPanels = 8
)

// convKernels are convolution kernels by panels and pixels.
type convKernels [maxConvPanels + 1][maxConvPixels + 1]func(*convArgs)

// kernelTable is the kernels of one instruction set. Where conv[np][mr] is nil
// for the panels and pixels at hand the driver takes smaller tiles; [1][1] must
// be there, as must depthwise[1] and both pools.
type kernelTable struct {
	name                           string
	mr                             int  // pixels of the main convolution tile
	manyTiles                      int  // fewest pixels of tiles whose kernels heed convArgs.tiles; 0 = none does
	fetchesTwo                     bool // kernels of several panels heed bit 0 of convArgs.fetch
	conv                           convKernels
	convHalf                       convKernels // for weights of 2 bytes
	depthwise                      [maxDepthwisePixels + 1]func(*depthwiseArgs)
	depthwiseHalf                  [maxDepthwisePixels + 1]func(*depthwiseArgs)
	depthwiseRun, depthwiseRunHalf depthwiseRuns // where nil, depthwise serves

	depthwiseRows, depthwiseRowsHalf depthwiseRowKernels // preferred where there is one
	rowPixels                        int                 // of their largest tile

	depthwiseStrips, depthwiseStripsHalf depthwiseStripKernels // preferred to those
	stripPixels                          [maxRunWidth + 1]int  // of their widest strip, by the width of windows
	stripChannels                        int                   // what channels for them are a multiple of
	stripRows                            int                   // that they make best of pixels 2 KiB apart, before the next panel

	poolMax func(*poolArgs)
	poolAvg func(*poolArgs)
	blend   func(*blendArgs)

	interleave     [maxInterleave + 1]func(*transposeArgs) // where nil, transpose serves
	transpose      func(*transposeArgs)                    // or nil
	transposeBlock int                                     // what rows and columns for it are multiples of
}

// convFor is the table's convolution kernels for a form of weights.
func (tab *kernelTable) convFor(half bool) *convKernels {
	if half {
		return &tab.convHalf
	}
	return &tab.conv
}

// kernels is the table in use. Generated files choose a better one at start.
var kernels = &portableKernels

// part is the slice of a convolution that a step computes, where steps share
// arguments that are of all its channels: some panels, whose weights are at an
// arena offset. Where panels is 0 the arguments are those of the step alone, and
// weights only tells where its weights are, 0 if it has none.
type part struct{ panel, panels, weights uint32 }

// convFollowing is the bytes of the next step's weights that a step asks for: about
// what its first tiles need.
const convFollowing = 128 << 10

// cut makes the arguments of all of an operation, whose output has elements of
// size bytes, those of a part.
func (s *convStep) cut(p part, size int) {
	first := panelWidth * int(p.panel)
	s.out.off += size * first
	s.weights = int(p.weights)
	s.channels = min(panelWidth*int(p.panels), s.channels-first)
	s.epilogue.first = first
}

// convStep is one slice of a convolution: a range of output channels (its
// panels) and of output rows. Or it is what its slices share, see part.
type convStep struct {
	in, out                image // out starts at the slice's first channel
	zeros                  int   // arena offset of inC zero floats, for cells outside the image
	inH, inW, inC          int
	outH, outW             int
	kh, kw, sh, sw, dh, dw int
	padT, padL             int
	depth                  *convDepth // nil: an image
	weights                int        // arena offset of the slice's first panel
	half                   bool
	channels               int // output channels of the slice
	act                    int
	epilogue               epilogue // after act
}

// convScratch is the bytes of per-thread scratch that a convolution or a
// depthwise one with so many taps needs.
func convScratch(taps int) int { return 4 * maxConvPixels * taps }

// convTiling is how a step is cut into tiles and units; every thread computes
// the same one.
type convTiling struct {
	runPixels int // pixels that lie at one distance in the output
	perRun    int // tiles of a run: its pixels cut evenly
	tiles     int
	groups    int // of panels: cut evenly
	chunks    int // of groups: weights that stay in cache
	blocks    int // of tiles
}

const (
	convUnits    = 32        // units of a step, about, where it is large enough
	convUnitMACs = 1 << 18   // smallest unit worth a claim
	convCache    = 384 << 10 // bytes of weights that a core's L2 keeps beside the image

	// Bytes of an image that is read again from L2 for every few panels, so that all
	// weights but those wait in memory and are asked for as late as can be: the bandwidth
	// of memory is what limits such a step.
	convImageCache = 256 << 10
	convFewWeights = 64 << 10 // up to which all groups are made of each tile
	convLongSum    = 1024     // terms, next to which it costs nothing to find a tile's windows again
)

func (s *convStep) tiling(tab *kernelTable, rows int) convTiling {
	var g convTiling
	panels := (s.channels + panelWidth - 1) / panelWidth
	k := s.terms()
	g.runPixels = s.outW
	runs := rows
	if s.out.ring == 0 && s.out.row == s.outW*s.out.pix || rows == 1 {
		g.runPixels *= rows
		runs = 1
	}
	g.perRun = (g.runPixels + tab.mr - 1) / tab.mr
	g.tiles = runs * g.perRun
	most := tab.convFor(s.half).panelsFor(g.runPixels, g.perRun)
	g.groups = (panels + most - 1) / most

	want := min(max(1, rows*s.outW*panels*panelWidth*k/convUnitMACs), convUnits)
	weights := panels * panelBytes(k, s.half)
	g.chunks = min(g.groups, (weights+convCache-1)/convCache)
	if 4*rows*s.outW*s.sh*s.sw*s.inC <= convImageCache && weights > convFewWeights && (weights > convCache || s.kh*s.kw == 1 || k >= convLongSum) {
		g.chunks = g.groups
	}
	g.blocks = min(g.tiles, (want+g.chunks-1)/g.chunks)
	if g.chunks*g.blocks < want {
		g.chunks = min(g.groups, (want+g.blocks-1)/g.blocks)
	}
	return g
}

// shareOut makes as many blocks for each thread: the same part of the image in every step.
func (g *convTiling) shareOut(threads int) {
	if b := evenly(g.blocks, threads); g.blocks > 1 && b <= g.tiles {
		g.blocks = b
	}
}

// panelsFor is the most panels for which there is a kernel at the tile sizes
// that pixels cut evenly into tiles give.
func (c *convKernels) panelsFor(pixels, tiles int) int {
	lo := pixels / tiles
	hi := (pixels + tiles - 1) / tiles
	np := maxConvPanels
	for np > 1 && (c[np][lo] == nil || c[np][hi] == nil) {
		np--
	}
	return np
}

// runConv computes a slice of a convolution.
func runConv(t *thread, s *convStep) {
	tab := kernels
	if t.part.panels != 0 {
		part := *s
		part.cut(t.part, 4)
		s = &part
	}
	row0, row1 := t.rowRange(s.outH)
	if s.in.ring|s.out.ring != 0 {
		straight := s.straight(row0, row1)
		s = &straight
	}
	image, firstRow := s, row0
	if s.pointwise() {
		// Rows follow each other on both sides: the image is one long row.
		line := *s
		line.in.off += row0 * s.in.row
		line.out.off += row0 * s.out.row
		line.inH, line.inW = 1, (row1-row0)*s.inW
		line.outH, line.outW = 1, line.inW
		row0, row1, s = 0, 1, &line
	}
	g := s.tiling(tab, row1-row0)
	g.shareOut(len(t.team.threads))
	panels := (s.channels + panelWidth - 1) / panelWidth
	k := s.terms()
	a := &t.conv
	a.ind = t.scratch
	a.wstep = panelBytes(k, s.half)
	a.outStep = s.out.pix
	a.act = s.act
	a.aheadStep = s.out.pix
	for {
		u, b, ok := t.claimNear(s.planes()*g.chunks, g.blocks)
		if !ok {
			return
		}
		z, c := u/g.chunks, u%g.chunks // plane and chunk
		group0, group1 := g.groups*c/g.chunks, g.groups*(c+1)/g.chunks
		next := g.groups*min(c+1, g.chunks)/g.chunks - group0 // what leads to the groups of the next chunk
		var table convTable
		tiles := 1 // that one call computes
		tile0, last := g.tiles*b/g.blocks, g.tiles*(b+1)/g.blocks
		latest := last - 1 // tile to ask for the beginning of the next chunk, as late as can be
		if len(t.team.threads) == 1 {
			latest = g.tiles - 1
		}
		for i := tile0; i < last; i += tiles {
			run, j := i/g.perRun, i%g.perRun
			p, mr, same := g.tile(j)
			y, x := row0+run+p/s.outW, p%s.outW
			tiles = 1
			if s.depth != nil {
				s.indirectDepth(t, z, y, x, mr)
			} else if s.indirect(t, &table, y, x, mr) && tab.manyTiles != 0 && mr >= tab.manyTiles {
				tiles = s.tilesAtOnce(tab, x, mr, min(same, last-i), group1-group0)
				a.tileIn = mr * s.sw * s.in.pix
			}
			base := a.base
			row := s.plane(z) + s.out.rowOffset(y) + x*s.out.pix
			for n := group0; n < group1; n++ {
				first, end := panels*n/g.groups, panels*(n+1)/g.groups
				channels := min(s.channels-panelWidth*first, panelWidth*(end-first))
				out := t.at(row + 4*panelWidth*first)
				from := out
				if aside := s.epilogue.aside; aside != 0 {
					from, a.outStep = unsafe.Add(t.scratch, aside), 4*channels
				}
				a.base, a.out, a.ahead, a.tiles = base, from, out, tiles
				a.w = t.at(s.weights + first*a.wstep)
				a.fetch = a.w
				at, to := 0, 0
				if m := n + next; m < g.groups {
					at, to = panels*m/g.groups*a.wstep, panels*(m+1)/g.groups*a.wstep
				} else if t.following != 0 {
					at = t.following - s.weights
					to = at + convFollowing
				}
				if at < to && mr > 1 {
					// The next chunk, or the first of the next step, comes while this one is worked off, a part
					// of it with each of the last tiles. A single pixel reads its weights as fast as they come.
					part, two := 64*k, 0 // what a tile asks for
					if g.tiles < 3 && end-first > 1 && tab.fetchesTwo {
						part, two = 2*part, 1
					}
					if at += (latest - (i + tiles - 1)) * part; at < to {
						a.fetch = t.at(s.weights + at + two)
					}
				}
				a.last = channels - panelWidth*(end-first-1)
				tab.runTile(a, mr, end-first, s.half)
				if s.epilogue.kernel != nil {
					p := (y-row0)*s.outW + x
					s.epilogue.apply(t, from, a.outStep, out, s.out.pix, image.outW, firstRow+p/image.outW, p%image.outW,
						tiles*mr, panelWidth*first, channels)
				}
			}
			a.tiles = 0
		}
	}
}

// tile is the first pixel of tile j of a run, its pixels, and how many tiles from it
// on have as many. The longer ones come first.
func (g *convTiling) tile(j int) (first, pixels, same int) {
	pixels = g.runPixels / g.perRun
	longer := g.runPixels - pixels*g.perRun
	if j < longer {
		return j * (pixels + 1), pixels + 1, longer - j
	}
	return j*pixels + longer, pixels, g.perRun - j
}

// What tiles computed at once should have at most: bytes of the image, where its tiles
// meet each panel while that is in L1, or all panels while they are; and of the output
// that an epilogue will change.
const (
	convImageBytes  = 128 << 10
	convTilesBytes  = 16 << 10
	convOutputBytes = 16 << 10
)

// tilesAtOnce is the number of tiles, at most `most`, from column x on whose windows
// lie inside the image, as those of the first do: as many as caches hold, for so many
// groups of panels.
func (s *convStep) tilesAtOnce(tab *kernelTable, x, mr, most, groups int) int {
	n := min(s.outW-x, (s.inW-1-(s.kw-1)*s.dw+s.padL)/s.sw+1-x) / mr
	image := convTilesBytes
	if tab.manyTiles > 1 {
		image = convImageBytes
	}
	n = min(n, most)
	if tab.manyTiles > 1 || groups > 1 {
		n = min(n, image/(mr*s.sw*s.in.pix*s.kh))
	}
	if s.epilogue.kernel != nil {
		output := convOutputBytes
		if s.epilogue.aside != 0 {
			output = maxTileBytes // the room that there is
		}
		n = min(n, output/(mr*4*min(s.channels, panelWidth*maxConvPanels)))
	}
	return max(1, n)
}

// straight is the step for output rows [lo,hi) only, without rings as far as their rows
// follow each other there.
func (s *convStep) straight(lo, hi int) convStep {
	c := *s
	c.in = c.in.straight(max(0, lo*c.sh-c.padT), min(c.inH, (hi-1)*c.sh-c.padT+(c.kh-1)*c.dh+1))
	c.out = c.out.straight(lo, hi)
	return c
}

// pointwise tells that output pixel i of the image is made of input pixel i alone,
// and that both lie at one distance from the next.
func (s *convStep) pointwise() bool {
	return s.depth == nil && s.kh == 1 && s.kw == 1 && s.sh == 1 && s.sw == 1 && s.padT == 0 && s.padL == 0 &&
		s.inW == s.outW && s.outH <= s.inH &&
		s.in.ring == 0 && s.out.ring == 0 && s.in.row == s.inW*s.in.pix && s.out.row == s.outW*s.out.pix
}

// runTile runs the kernel for mr pixels and np panels, or several smaller ones
// that together make the tile.
func (tab *kernelTable) runTile(a *convArgs, mr, np int, half bool) {
	a.inOrder = inOrder
	c := tab.convFor(half)
	if f := c[np][mr]; f != nil {
		f(a)
		return
	}
	last, out, w := a.last, a.out, a.w
	tiles := max(1, a.tiles)
	a.tiles = 0
	for range tiles {
		a.w = w
		for p := range np {
			a.last = panelWidth
			if p == np-1 {
				a.last = last
			}
			a.out = unsafe.Add(out, 4*panelWidth*p)
			if f := c[1][mr]; f != nil {
				f(a)
			} else {
				convPortable(a, mr, 1, half)
			}
			a.w = unsafe.Add(a.w, a.wstep)
		}
		a.base, out = unsafe.Add(a.base, a.tileIn), unsafe.Add(out, mr*a.outStep)
	}
	a.last, a.w = last, w
}

// convTable says which tile the table of offsets is for, where it can serve
// others: that of mr pixels from (y, x) on, all windows inside the image. The
// zero convTable is for none.
type convTable struct{ y, x, mr int }

// indirect sets base, table and taps for the tile of mr output pixels that starts
// at (y,x), and tells whether every cell of every window lies inside the image.
// Where so, and the cells of a window's row are contiguous, such a row counts as
// one tap.
func (s *convStep) indirect(t *thread, table *convTable, y, x, mr int) bool {
	a := &t.conv
	y0, x0 := y*s.sh-s.padT, x*s.sw-s.padL
	if y0 < 0 || x0 < 0 || x+mr > s.outW || y0+(s.kh-1)*s.dh >= s.inH || x0+(mr-1)*s.sw+(s.kw-1)*s.dw >= s.inW {
		table.mr = 0
		a.base = t.arena
		s.indirectAny(t, y0, x0, x, mr)
		return false
	}
	if y == table.y && mr == table.mr {
		a.base = t.at((x - table.x) * s.sw * s.in.pix)
		return true
	}
	*table = convTable{y, x, mr}
	a.base = t.arena
	taps := 1 // of a row
	a.k = s.kw * s.inC
	if s.kw > 1 && (s.dw > 1 || s.in.pix != 4*s.inC) {
		taps, a.k = s.kw, s.inC
	}
	a.taps = s.kh * taps
	ind := unsafe.Slice((*uint32)(t.scratch), a.taps*mr)
	for ky := range s.kh {
		off := s.in.rowOffset(y0+ky*s.dh) + x0*s.in.pix
		for range taps {
			at := off
			for m := range mr {
				ind[m] = uint32(at)
				at += s.sw * s.in.pix
			}
			ind = ind[mr:]
			off += s.dw * s.in.pix
		}
	}
	return true
}

// indirectAny fills the table of a tile that crosses rows, or whose windows reach
// beyond the image. Its first window starts at (y0, x0).
func (s *convStep) indirectAny(t *thread, y0, x0, x, mr int) {
	a := &t.conv
	a.taps, a.k = s.kh*s.kw, s.inC
	ind := unsafe.Slice((*uint32)(t.scratch), a.taps*mr)
	for m := range mr {
		at := m
		for ky := range s.kh {
			iy := y0 + ky*s.dh
			off, inside := 0, iy >= 0 && iy < s.inH
			if inside {
				off = s.in.rowOffset(iy)
			}
			switch {
			case !inside:
				for range s.kw {
					ind[at] = uint32(s.zeros)
					at += mr
				}
				continue
			case x0 >= 0 && x0+(s.kw-1)*s.dw < s.inW:
				off += x0 * s.in.pix
				for range s.kw {
					ind[at] = uint32(off)
					at += mr
					off += s.dw * s.in.pix
				}
				continue
			}
			ix := x0
			for range s.kw {
				v := s.zeros
				if ix >= 0 && ix < s.inW {
					v = off + ix*s.in.pix
				}
				ind[at] = uint32(v)
				at += mr
				ix += s.dw
			}
		}
		x0 += s.sw
		if x++; x == s.outW {
			x, x0 = 0, -s.padL
			y0 += s.sh
		}
	}
}
