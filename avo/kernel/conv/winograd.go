package conv

import (
	"fmt"
	"go/format"
	"sort"
	"strings"

	"github.com/flexnnc/flexnnc/avo/amd64"
	"github.com/flexnnc/flexnnc/avo/arm64"
	"github.com/flexnnc/flexnnc/avo/kernel/cpu"
)

// Winograd is the extent of a step that works by Winograd's algorithm.
type Winograd struct {
	Side        int // of a tile of output pixels: 2, 4 or 6
	Tiles       int // of the step
	Row, Full   int // tiles side by side, and of them those that are as wide as high
	Short       int // of the step's tiles, those before a last row that is less high
	BlockTiles  int // most tiles that are worked on at a time
	Panels      int
	BlockPanels int  // most panels that a thread works on at a time
	Threads     int  // the most
	Own         bool // each has scratch of its own for inputs
	Half        bool // weights are float16
}

// WinogradNeed says which kernels of Winograd's algorithm a package calls.
type WinogradNeed struct {
	All   bool
	Steps []Winograd
}

// WinogradSides are the sides of tiles that there are kernels for.
var WinogradSides = []int{2, 4, 6}

// WinogradRows and WinogradPanels are the main product kernel of an ISA.
func (i ISA) WinogradRows() int { return [...]int{12, 6, 5}[i] }

// WinogradPanels is the panels of that kernel.
func (i ISA) WinogradPanels() int { return [...]int{2, 1, 1}[i] }

// winogradLines is the lines that a product asks for, the runtime's constant of that name.
const winogradLines = 16

// Offsets of the fields of the runtime's winogradArgs, and places in its
// winogradFactors. A test compares them.
const (
	winogradFrom     = 0
	winogradFromStep = 8
	winogradTo       = 16
	winogradToStep   = 24
	winogradInd      = 32
	winogradW        = 40
	winogradWStep    = 48
	winogradTmp      = 56
	winogradFactors  = 64
	winogradN        = 72
	winogradBlocks   = 80
	winogradAdd      = 88
	winogradAct      = 96
	winogradInOrder  = 104

	winogradPositions    = 112
	winogradFromPosition = 120
	winogradToPosition   = 128
	winogradWPosition    = 136
	winogradAhead        = 144

	factorsInput6  = 0
	factorsInput4  = 8
	factorsExpand6 = 16
	factorsExpand4 = 24
	factorsOutput6 = 32
	factorsOutput4 = 48
	factorsOutput2 = 60
	factorsZeros   = 64
)

// WinogradOffsets lists them by field, for that test.
func WinogradOffsets() map[string]int {
	return map[string]int{
		"from": winogradFrom, "fromStep": winogradFromStep, "to": winogradTo, "toStep": winogradToStep, "ind": winogradInd,
		"w": winogradW, "wStep": winogradWStep, "tmp": winogradTmp, "factors": winogradFactors, "n": winogradN,
		"blocks": winogradBlocks, "add": winogradAdd, "act": winogradAct, "inOrder": winogradInOrder,
		"positions": winogradPositions, "fromPosition": winogradFromPosition, "toPosition": winogradToPosition, "wPosition": winogradWPosition, "ahead": winogradAhead,
	}
}

// arith is vector arithmetic of an ISA. factor names a place in winogradFactors;
// last says that acc is not used again.
type arith[V any] interface {
	add(x, y V) V
	sub(x, y V) V // x - y
	mul(x V, factor int) V
	fma(x V, factor int, acc V, last bool) V // x*factor + acc
}

// inputTransform is the runtime's winogradInput1: it calls out with each element.
func inputTransform[V any](a arith[V], m int, d []V, out func(i int, v V)) {
	pair := func(i int, e, o V) {
		out(i, a.add(e, o))
		out(i+1, a.sub(e, o))
	}
	switch m {
	case 2:
		out(0, a.sub(d[0], d[2]))
		out(1, a.add(d[1], d[2]))
		out(2, a.sub(d[2], d[1]))
		out(3, a.sub(d[3], d[1]))
	case 4:
		const f = factorsInput4
		out(0, a.fma(d[0], f+1, a.fma(d[2], f, d[4], false), true))
		out(5, a.fma(d[1], f+1, a.fma(d[3], f, d[5], true), true))
		pair(1, a.fma(d[2], f+2, d[4], false), a.mul(a.fma(d[1], f+2, d[3], false), f+4))
		pair(3, a.fma(d[2], f+3, d[4], true), a.mul(a.fma(d[1], f+3, d[3], true), f+5))
	case 6:
		const f = factorsInput6
		out(0, a.fma(a.sub(d[4], d[2]), f, a.sub(d[0], d[6]), true))
		out(7, a.fma(a.sub(d[3], d[5]), f, a.sub(d[7], d[1]), true))
		e, o := a.fma(d[4], f+1, a.add(d[2], d[6]), true), a.fma(d[3], f+1, a.add(d[1], d[5]), true)
		out(3, a.sub(e, o))
		out(4, a.add(e, o))
		h := a.mul(d[3], f+6)
		pair(5, a.fma(d[4], f+3, a.fma(d[2], f+2, d[6], false), true), a.fma(d[5], f+7, a.fma(d[1], f+5, h, false), true))
		pair(1, a.fma(a.fma(d[4], f+3, d[2], true), f+4, d[6], true), a.fma(d[5], f+5, a.fma(d[1], f+7, h, true), true))
	}
}

// expandStep makes the next position of expandTransform: a tap times a factor is added.
type expandStep struct {
	tap    int
	factor int // its place, or added or subtracted
}

// Factors of expandStep that are additions and subtractions.
const (
	added      = -1
	subtracted = -2
)

// expandSteps are the positions of winogradExpand1 between the first and the last, each
// made of the one before.
func expandSteps(m int) [][]expandStep {
	const f4, f6 = factorsExpand4, factorsExpand6
	switch m {
	case 2:
		return [][]expandStep{{{2, added}, {1, added}}, {{1, f6 + 7}}}
	case 4:
		return [][]expandStep{{{2, f4}, {1, f4 + 1}}, {{1, f4 + 2}}, {{2, f4 + 4}, {1, f4 + 3}}, {{1, f4 + 5}}}
	}
	return [][]expandStep{
		{{2, f6}, {1, f6 + 1}}, {{1, subtracted}}, {{2, f6 + 3}, {1, f6 + 2}},
		{{1, f6 + 4}}, {{2, f6 + 5}, {1, added}}, {{1, f6 + 6}},
	}
}

// outputTransform is the runtime's winogradOutput1. bias may be nil.
func outputTransform[V any](a arith[V], m int, x []V, bias *V, out func(i int, v V)) {
	plus := func(x V, factor int) V {
		if bias == nil {
			return a.mul(x, factor)
		}
		return a.fma(x, factor, *bias, false)
	}
	first, last := x[0], x[m+1]
	if bias != nil {
		last = a.add(last, *bias)
		if m != 4 {
			first = a.add(first, *bias)
		}
	}
	// sums of the pairs of points p and -p, and differences
	var t, s []V
	for i := 1; i <= m; i += 2 {
		j, k := i, i+1
		if m == 6 && i == 3 {
			j, k = k, j
		}
		t, s = append(t, a.add(x[j], x[k])), append(s, a.sub(x[j], x[k]))
	}
	switch m {
	case 2:
		const f = factorsOutput2
		out(0, a.fma(t[0], f, first, true))
		out(1, a.fma(s[0], f, last, true))
	case 4:
		const f = factorsOutput4
		out(0, a.fma(t[1], f+5, a.fma(t[0], f+1, plus(first, f), true), true))
		out(1, a.fma(s[1], f+6, plus(s[0], f+2), true))
		out(2, a.fma(t[1], f+7, plus(t[0], f+3), true))
		out(3, a.fma(s[1], f+8, a.fma(s[0], f+4, last, true), true))
	case 6:
		const f = factorsOutput6
		rest := func(i int, v []V, acc V) { out(i, a.fma(v[0], f+7+i, a.fma(v[2], f+1+i, acc, true), true)) }
		rest(0, t, a.fma(t[1], f, first, true))
		rest(1, s, plus(s[1], f))
		rest(2, t, plus(t[1], f))
		rest(3, s, plus(s[1], f))
		rest(4, t, plus(t[1], f))
		rest(5, s, a.fma(s[1], f, last, true))
	}
}

// winogradKinds are the transforms, by the fields of the runtime's winogradKernels.
var winogradKinds = []string{"input", "expand", "expandHalf", "output"}

func winogradName(what string, side int, i ISA) string {
	what = strings.ToUpper(what[:1]) + what[1:]
	return fmt.Sprintf("winograd%s%d%s", what, side, i)
}

func productName(t Tile) string {
	return fmt.Sprintf("winogradProduct%dx%d%s", t.Pixels, PanelWidth*t.Panels, t.ISA)
}

// sides are the sides that n needs.
func (n WinogradNeed) sides() []int {
	var sides []int
	for _, m := range WinogradSides {
		needed := n.All
		for _, w := range n.Steps {
			needed = needed || w.Side == m
		}
		if needed {
			sides = append(sides, m)
		}
	}
	return sides
}

// expands says whether weights of float32, or of float16, are expanded.
func (n WinogradNeed) expands(half bool) bool {
	needed := n.All
	for _, w := range n.Steps {
		needed = needed || w.Half == half
	}
	return needed
}

// NewWinograd is the extent of a step that makes rows of an image of some columns; the
// runtime's winogradTiles has the same.
func NewWinograd(side, rows, columns int) Winograd {
	w := Winograd{Side: side, Row: (columns + side - 1) / side}
	w.Tiles, w.Full = (rows+side-1)/side*w.Row, max(0, columns-w.Row*(side-1))
	w.Short = rows / side * w.Row
	return w
}

// runs are the numbers of rows that the runtime's winogradProducts takes at a time for tiles
// from the first one on.
func (w *Winograd) runs(first, tiles, rows int) map[int]bool {
	set := map[int]bool{}
	add := func(n int) {
		if n > 0 {
			runs := (n + rows - 1) / rows
			set[n/runs], set[(n+runs-1)/runs] = true, true
		}
	}
	before := max(0, min(tiles, w.Short-first))
	add(tiles)
	add(before)
	if w.Full < w.Row && tiles/w.Row >= w.Full {
		for c := range w.Full {
			at := (c + w.Row - first%w.Row) % w.Row
			add((tiles - at + w.Row - 1) / w.Row)
			add((before - at + w.Row - 1) / w.Row)
		}
	}
	return set
}

// Products are the product kernels that n needs of an ISA, by the cuts of the
// runtime's driver: tiles evenly into blocks, those into parts for threads, where
// there are few groups of panels, and parts into runs of rows.
func (n WinogradNeed) Products(i ISA) []Tile {
	set := map[Tile]bool{}
	if n.All {
		for m := 1; m <= i.WinogradRows(); m++ {
			for p := 1; p <= i.WinogradPanels(); p++ {
				set[Tile{ISA: i, Pixels: m, Panels: p}] = true
			}
		}
	}
	for _, w := range n.Steps {
		most := min(i.WinogradPanels(), w.BlockPanels)
		groups := (w.Panels + most - 1) / most
		for threads := 1; threads <= w.Threads; threads++ {
			blocks, parts := (w.Tiles+w.BlockTiles-1)/w.BlockTiles, 1
			if w.Own {
				blocks, _ = WinogradCut(w.Tiles, w.BlockTiles, groups, most, threads)
			} else if groups%threads != 0 && groups < 4*threads {
				parts = threads
			}
			for b := range blocks {
				first, end := w.Tiles*b/blocks, w.Tiles*(b+1)/blocks
				n := end - first
				parts := min(parts, n)
				for p := range parts {
					lo, hi := n*p/parts, n*(p+1)/parts
					for m := range w.runs(first+lo, hi-lo, i.WinogradRows()) {
						set[Tile{ISA: i, Pixels: m, Panels: w.Panels / groups}] = true
						set[Tile{ISA: i, Pixels: m, Panels: (w.Panels + groups - 1) / groups}] = true
					}
				}
			}
		}
	}
	var ts []Tile
	for t := range set {
		ts = append(ts, t)
	}
	sort.Slice(ts, func(a, b int) bool {
		if ts[a].Panels != ts[b].Panels {
			return ts[a].Panels < ts[b].Panels
		}
		return ts[a].Pixels < ts[b].Pixels
	})
	return ts
}

// WinogradCut is the runtime's winogradCut; a test compares them.
func WinogradCut(count, tiles, groups, np, threads int) (blocks, shares int) {
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

// GenerateWinograd writes the kernels of Winograd's algorithm that package pkg
// needs, with their declarations and the tables that the runtime's driver uses: base
// name to content. Where nothing is needed there is no file.
func GenerateWinograd(pkg string, n WinogradNeed) (map[string][]byte, error) {
	sides := n.sides()
	if len(sides) == 0 {
		return nil, nil
	}
	files := map[string][]byte{}
	x := amd64.New()
	x.Struct("winogradArgs")
	lanes := make([]uint32, 2*PanelWidth)
	for i := range PanelWidth {
		lanes[i] = ^uint32(0)
	}
	mask := x.Words("winogradMask", lanes...)
	for _, i := range []ISA{AVX512, AVX2} {
		v := &vector{Context: x, avx512: i == AVX512, ones: mask}
		for _, m := range sides {
			winogradInputX86(v, winogradName("input", m, i), m)
			if n.expands(false) {
				winogradExpandX86(v, winogradName("expand", m, i), m, false)
			}
			if n.expands(true) {
				winogradExpandX86(v, winogradName("expandHalf", m, i), m, true)
			}
			winogradOutputX86(v, winogradName("output", m, i), m)
		}
		for _, t := range n.Products(i) {
			winogradProductX86(v, t)
		}
	}
	var err error
	if files["kernels_winograd_amd64.s"], files["kernels_winograd_amd64.go"], err = x.Print(pkg, cpu.AMD64); err != nil {
		return nil, err
	}
	if files["kernels_winograd_table_amd64.go"], err = n.table(pkg, cpu.AMD64, AVX512, AVX2); err != nil {
		return nil, err
	}

	a := arm64.New()
	a.Struct("winogradArgs")
	for _, m := range sides {
		winogradInputNEON(a, winogradName("input", m, NEON), m)
		if n.expands(false) {
			winogradExpandNEON(a, winogradName("expand", m, NEON), m, false)
		}
		if n.expands(true) {
			winogradExpandNEON(a, winogradName("expandHalf", m, NEON), m, true)
		}
		winogradOutputNEON(a, winogradName("output", m, NEON), m)
	}
	for _, t := range n.Products(NEON) {
		winogradProductNEON(a, t)
	}
	if err := a.Compile(); err != nil {
		return nil, err
	}
	if files["kernels_winograd_arm64.s"], files["kernels_winograd_arm64.go"], err = a.Print(pkg, cpu.ARM64); err != nil {
		return nil, err
	}
	files["kernels_winograd_table_arm64.go"], err = n.table(pkg, cpu.ARM64, NEON)
	return files, err
}

// table is the Go file with the kernels of an architecture's ISAs, and the
// choice among them.
func (n WinogradNeed) table(pkg, buildExpr string, isas ...ISA) ([]byte, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "// Code generated by flexnnc. DO NOT EDIT.\n\n//go:build %s\n\npackage %s\n\nfunc init() {\n", buildExpr, pkg)
	switch isas[0] {
	case AVX512:
		b.WriteString("\tif hasAVX512 {\n\t\twinograd = &winogradAVX512\n\t} else if hasAVX2 {\n\t\twinograd = &winogradAVX2\n\t}\n")
	default:
		b.WriteString("\twinograd = &winogradNEON\n")
	}
	b.WriteString("}\n")
	for _, i := range isas {
		fmt.Fprintf(&b, "\nvar winograd%s = winogradKernels{\n\tname: %q,\n\tmr:   %d,\n\tnp:   %d,\n", i, strings.ToLower(i.String()), i.WinogradRows(), i.WinogradPanels())
		if i == NEON {
			b.WriteString("\tpositions: true,\n")
		}
		for _, what := range winogradKinds {
			if strings.HasPrefix(what, "expand") && !n.expands(what == "expandHalf") {
				continue
			}
			fmt.Fprintf(&b, "\t%s: [maxWinograd + 1]func(*winogradArgs){\n", what)
			for _, m := range n.sides() {
				fmt.Fprintf(&b, "\t\t%d: %s,\n", m, winogradName(what, m, i))
			}
			b.WriteString("\t},\n")
		}
		b.WriteString("\tproduct: [maxWinogradPanels + 1][maxWinogradRows + 1]func(*winogradArgs){\n")
		panels := 0
		for _, t := range n.Products(i) {
			if t.Panels != panels {
				if panels > 0 {
					b.WriteString("\t\t},\n")
				}
				panels = t.Panels
				fmt.Fprintf(&b, "\t\t%d: {\n", panels)
			}
			fmt.Fprintf(&b, "\t\t\t%d: %s,\n", t.Pixels, productName(t))
		}
		b.WriteString("\t\t},\n\t},\n}\n")
	}
	return format.Source([]byte(b.String()))
}
