package conv

import (
	"fmt"
	"go/format"
	"slices"
	"sort"
	"strings"

	"github.com/flexnnc/flexnnc/avo/amd64"
	"github.com/flexnnc/flexnnc/avo/arm64"
	"github.com/flexnnc/flexnnc/avo/kernel/cpu"
)

// Need says which kernels a package calls.
type Need struct {
	All           bool // every kernel there is
	Convs         []Conv
	Depthwise     bool // with one output channel per input channel
	DepthwiseHalf bool // the same from float16 weights
	Windows       []Depthwise
	PoolMax       bool
	PoolAvg       bool
	Blend         bool // weighted sums of cells
	Transpose     bool // of matrices of more rows than interleaving has kernels for
}

// Depthwise is a depthwise convolution with one output channel per input channel, whose windows have no gaps along a row.
type Depthwise struct {
	Run
	Strips   bool // what kernels of strips ask of windows and pads is so
	Channels int
	Pixels   int // of an output row
}

// Conv is the extent of a convolution step.
type Conv struct {
	// Pixels is output pixels that lie at one distance: all of the step, or those
	// of a row where rows of the output do not follow each other (windows, rings).
	Pixels int
	Panels int
	Last   int  // channels of the last panel
	Half   bool // weights are float16
}

// any reports whether anything is needed.
func (n Need) any() bool {
	return n.All || len(n.Convs) > 0 || n.Transpose || n.Blend || n.Depthwise || n.DepthwiseHalf || n.PoolMax || n.PoolAvg
}

// depthwise tells whether depthwise kernels are needed for a form of weights.
func (n Need) depthwise(half bool) bool {
	return n.All || n.Depthwise && !half || n.DepthwiseHalf && half
}

// runs are the kernels of those that there are, in order, that steps need for which use is true.
func (n Need) runs(half bool, use func(Depthwise) bool) []Run {
	var rs []Run
	for _, r := range Runs(half) {
		if n.All || slices.ContainsFunc(n.Windows, func(w Depthwise) bool { return w.Run == r && use(w) }) {
			rs = append(rs, r)
		}
	}
	return rs
}

// strips tells whether kernels of strips serve a step.
func (w Depthwise) strips() bool { return w.Strips }

// anyWindows is true for every step.
func anyWindows(Depthwise) bool { return true }

// rows tells whether a step needs kernels of rows: for all of it, or for a last panel.
func (w Depthwise) rows(i ISA) bool { return !w.Strips || w.Channels%i.stripChannels() != 0 }

// rowPixels are those of the rows of steps with a kernel.
func (n Need) rowPixels(r Run) []int {
	var ps []int
	for _, w := range n.Windows {
		if w.Run == r {
			ps = append(ps, w.Pixels)
		}
	}
	return ps
}

// tileSizes are the sizes of tiles of kernels of rows, the largest first: rows of
// pixels are cut evenly into tiles of at most so many.
func tileSizes(all bool, rowPixels []int, most int) []int {
	set := map[int]bool{1: true}
	for m := 1; m <= most && all; m++ {
		set[m] = true
	}
	for _, p := range rowPixels {
		tiles := (p + most - 1) / most
		set[p/tiles], set[(p+tiles-1)/tiles] = true, true
	}
	var sizes []int
	for m := most; m > 0; m-- {
		if set[m] {
			sizes = append(sizes, m)
		}
	}
	return sizes
}

// forms are those of weights.
var forms = []bool{false, true}

// tiles are the convolution tiles that n needs of an ISA for a form of weights, by
// the cuts of the runtime's driver: pixels evenly into tiles, panels evenly into
// groups.
func (n Need) tiles(i ISA, half bool) []Tile {
	if n.All {
		return i.Tiles(half)
	}
	set := map[Tile]bool{}
	for _, c := range n.Convs {
		if c.Half != half || c.Pixels < 1 || c.Panels < 1 {
			continue
		}
		tiles := (c.Pixels + i.Pixels() - 1) / i.Pixels()
		lo, hi := c.Pixels/tiles, (c.Pixels+tiles-1)/tiles
		most := min(i.Panels(lo), i.Panels(hi))
		groups := (c.Panels + most - 1) / most
		for _, m := range []int{lo, hi} {
			for _, p := range []int{c.Panels / groups, (c.Panels + groups - 1) / groups} {
				set[Tile{i, m, p, half}] = true
			}
		}
	}
	var ts []Tile
	for t := range set {
		ts = append(ts, t)
	}
	sort.Slice(ts, func(a, b int) bool {
		if ts[a].Pixels != ts[b].Pixels {
			return ts[a].Pixels < ts[b].Pixels
		}
		return ts[a].Panels < ts[b].Panels
	})
	return ts
}

// narrow tells whether an ISA's tiles of so many pixels may end in a panel whose
// channels fill so many quads.
func (n Need) narrow(i ISA, pixels, quads int, half bool) bool {
	if n.All {
		return true
	}
	for _, c := range n.Convs {
		if c.Half != half || (c.Last+3)/4 != quads || c.Pixels < 1 {
			continue
		}
		tiles := (c.Pixels + i.Pixels() - 1) / i.Pixels()
		if pixels == c.Pixels/tiles || pixels == (c.Pixels+tiles-1)/tiles {
			return true
		}
	}
	return false
}

// Generate writes the kernels that package pkg needs, with their declarations and
// the tables that the runtime's drivers use: base name to content. The package
// also needs what cpu.Generate makes. Where nothing is needed there is no file, and
// where no depthwise convolution is there is none for these.
func Generate(pkg string, need Need) (map[string][]byte, error) {
	if !need.any() {
		return nil, nil
	}
	files := map[string][]byte{}
	var err error
	for _, part := range []struct {
		name   string
		needed bool
		x86    func(v *vector, i ISA)
		neon   func(a *arm64.Context)
	}{
		{"conv", true, need.convsX86, need.convsNEON},
		{"depthwise", need.depthwise(false) || need.depthwise(true), need.depthwisesX86, need.depthwisesNEON},
	} {
		if !part.needed {
			continue
		}
		x, a := amd64.New(), arm64.New()
		for _, s := range structs {
			x.Struct(s)
			a.Struct(s)
		}
		ones := make([]uint32, 2*PanelWidth)
		for i := range PanelWidth {
			ones[i] = ^uint32(0)
		}
		mask := x.Words(part.name+"Mask", ones...)
		part.x86(&vector{Context: x, avx512: true, ones: mask}, AVX512)
		part.x86(&vector{Context: x, ones: mask}, AVX2)
		name := "kernels_" + part.name
		if files[name+"_amd64.s"], files[name+"_amd64.go"], err = x.Print(pkg, cpu.AMD64); err != nil {
			return nil, err
		}
		part.neon(a)
		if err := a.Compile(); err != nil {
			return nil, err
		}
		if files[name+"_arm64.s"], files[name+"_arm64.go"], err = a.Print(pkg, cpu.ARM64); err != nil {
			return nil, err
		}
	}
	if files["kernels_conv_table_amd64.go"], err = need.table(pkg, cpu.AMD64, AVX512, AVX2); err != nil {
		return nil, err
	}
	files["kernels_conv_table_arm64.go"], err = need.table(pkg, cpu.ARM64, NEON)
	return files, err
}

// convsX86 generates the kernels of an ISA but for depthwise convolutions.
func (n Need) convsX86(v *vector, i ISA) {
	for _, half := range forms {
		for _, t := range n.tiles(i, half) {
			convX86(v, t, func(quads int) bool { return n.narrow(i, t.Pixels, quads, half) })
		}
	}
	if n.All || n.PoolMax {
		poolX86(v, poolName(i, true), true)
	}
	if n.All || n.PoolAvg {
		poolX86(v, poolName(i, false), false)
	}
	if n.All || n.Blend {
		blendX86(v, i)
	}
	for _, rows := range i.interleaveRows() {
		interleaveX86(v, i, rows)
	}
	switch {
	case !n.All && !n.Transpose:
	case v.avx512:
		transposeAVX512(v)
	default:
		transposeAVX2(v)
	}
}

// depthwisesX86 generates the kernels of depthwise convolutions of an ISA.
func (n Need) depthwisesX86(v *vector, i ISA) {
	for _, half := range forms {
		if n.depthwise(half) {
			for _, m := range depthwisePixels {
				depthwiseX86(v, depthwiseName(i, m, half), m, half)
			}
		}
		for _, r := range n.runs(half, func(w Depthwise) bool { return w.rows(i) }) {
			depthwiseRowsX86(v, i, r, tileSizes(n.All, n.rowPixels(r), i.rowPixels()))
		}
		for _, r := range n.runs(half, Depthwise.strips) {
			depthwiseStripsX86(v, i, r, tileSizes(n.All, n.rowPixels(r), r.stripPixels(i)))
		}
	}
}

// convsNEON generates the kernels for NEON but for depthwise convolutions.
func (n Need) convsNEON(a *arm64.Context) {
	for _, half := range forms {
		convNEON(a, n.tiles(NEON, half), func(pixels, quads int) bool { return n.narrow(NEON, pixels, quads, half) })
	}
	if n.All || n.PoolMax {
		poolNEON(a, poolName(NEON, true), true)
	}
	if n.All || n.PoolAvg {
		poolNEON(a, poolName(NEON, false), false)
	}
	if n.All || n.Blend {
		blendNEON(a)
	}
	for _, rows := range NEON.interleaveRows() {
		interleaveNEON(a, rows)
	}
	if n.All || n.Transpose {
		transposeNEON(a)
	}
}

// depthwisesNEON generates the kernels of depthwise convolutions for NEON.
func (n Need) depthwisesNEON(a *arm64.Context) {
	for _, half := range forms {
		for _, r := range n.runs(half, anyWindows) {
			depthwiseRunNEON(a, r)
		}
		if n.depthwise(half) {
			for _, m := range depthwisePixels {
				depthwiseNEON(a, depthwiseName(NEON, m, half), m, half)
			}
		}
	}
}

// structs are the types in the kernels' signatures.
var structs = []string{"convArgs", "depthwiseArgs", "depthwiseRunArgs", "depthwiseRowsArgs", "depthwiseStripsArgs", "transposeArgs", "poolArgs", "blendArgs"}

// table is the Go file with the kernel tables of an architecture's ISAs, and the
// choice among them.
func (n Need) table(pkg, buildExpr string, isas ...ISA) ([]byte, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "// Code generated by flexnnc. DO NOT EDIT.\n\n//go:build %s\n\npackage %s\n\n", buildExpr, pkg)
	b.WriteString("func init() {\n")
	for _, i := range isas {
		switch i {
		case AVX512:
			b.WriteString("\tif hasAVX512 {\n\t\tkernels = &kernelsAVX512\n\t\treturn\n\t}\n")
		case AVX2:
			b.WriteString("\tif hasAVX2 {\n\t\tkernels = &kernelsAVX2\n\t}\n")
		case NEON:
			b.WriteString("\tkernels = &kernelsNEON\n")
		}
	}
	b.WriteString("}\n")
	for _, i := range isas {
		fmt.Fprintf(&b, "\nvar kernels%s = kernelTable{\n\tname: %q,\n\tmr:   %d,\n", i, strings.ToLower(i.String()), i.Pixels())
		if i.rowPixels() > 0 {
			fmt.Fprintf(&b, "\trowPixels: %d,\n", i.rowPixels())
		}
		if i != NEON {
			fmt.Fprintf(&b, "\tstripPixels: [maxRunWidth + 1]int{3: %d, 5: %d},\n", Run{Width: 3}.stripPixels(i), Run{Width: 5}.stripPixels(i))
			fmt.Fprintf(&b, "\tstripChannels: %d,\n\tstripRows: %d,\n", i.stripChannels(), i.stripRows())
		}
		if i.fetchesTwo() {
			b.WriteString("\tfetchesTwo: true,\n")
		}
		fmt.Fprintf(&b, "\tmanyTiles: %d,\n", i.manyTiles())
		if rows := i.interleaveRows(); len(rows) > 0 {
			b.WriteString("\tinterleave: [maxInterleave + 1]func(*transposeArgs){\n")
			for _, n := range rows {
				fmt.Fprintf(&b, "\t\t%d: %s,\n", n, interleaveName(i, n))
			}
			b.WriteString("\t},\n")
		}
		if n.All || n.Transpose {
			fmt.Fprintf(&b, "\ttranspose: %s,\n\ttransposeBlock: %d,\n", i.transposeName(), i.transposeBlock())
		}
		for _, half := range forms {
			n.convTable(&b, i, half)
		}
		for _, half := range forms {
			n.depthwiseTable(&b, i, half)
			n.runTable(&b, i, half)
		}
		for _, p := range []struct {
			field string
			max   bool
			need  bool
		}{{"poolMax", true, n.PoolMax}, {"poolAvg", false, n.PoolAvg}} {
			f := p.field + "Portable"
			if n.All || p.need {
				f = poolName(i, p.max)
			}
			fmt.Fprintf(&b, "\t%s: %s,\n", p.field, f)
		}
		blend := "blendPortable"
		if n.All || n.Blend {
			blend = i.blendName()
		}
		fmt.Fprintf(&b, "\tblend: %s,\n", blend)
		b.WriteString("}\n")
	}
	return format.Source([]byte(b.String()))
}

// convTable writes the table's field of convolution kernels for a form of weights.
func (n Need) convTable(b *strings.Builder, i ISA, half bool) {
	tiles := n.tiles(i, half)
	if len(tiles) == 0 {
		return
	}
	byPanels := map[int][]Tile{}
	most := 0
	for _, t := range tiles {
		byPanels[t.Panels] = append(byPanels[t.Panels], t)
		most = max(most, t.Panels)
	}
	fmt.Fprintf(b, "\tconv%s: convKernels{\n", fieldSuffix(half))
	for p := 1; p <= most; p++ {
		if len(byPanels[p]) == 0 {
			continue
		}
		fmt.Fprintf(b, "\t\t%d: {\n", p)
		for _, t := range byPanels[p] {
			fmt.Fprintf(b, "\t\t\t%d: %s,\n", t.Pixels, t.Name())
		}
		b.WriteString("\t\t},\n")
	}
	b.WriteString("\t},\n")
}

// depthwiseTable writes the field of depthwise kernels for a form of weights.
func (n Need) depthwiseTable(b *strings.Builder, i ISA, half bool) {
	if !n.depthwise(half) {
		fmt.Fprintf(b, "\tdepthwise%s: portableDepthwise%[1]s,\n", fieldSuffix(half))
		return
	}
	fmt.Fprintf(b, "\tdepthwise%s: [maxDepthwisePixels + 1]func(*depthwiseArgs){\n", fieldSuffix(half))
	for _, m := range depthwisePixels {
		fmt.Fprintf(b, "\t\t%d: %s,\n", m, depthwiseName(i, m, half))
	}
	b.WriteString("\t},\n")
}

// runTable writes the field of kernels of runs, or of rows, for a form of weights.
func (n Need) runTable(b *strings.Builder, i ISA, half bool) {
	type field struct {
		field string
		name  func(Run) string
		use   func(Depthwise) bool
	}
	fields := []field{
		{"depthwiseRows%s: depthwiseRowKernels", func(r Run) string { return r.rowsName(i) }, func(w Depthwise) bool { return w.rows(i) }},
		{"depthwiseStrips%s: depthwiseStripKernels", func(r Run) string { return r.stripsName(i) }, Depthwise.strips},
	}
	if i == NEON {
		fields = []field{{"depthwiseRun%s: depthwiseRuns", Run.Name, anyWindows}}
	}
	for _, f := range fields {
		runs := n.runs(half, f.use)
		if len(runs) == 0 {
			continue
		}
		fmt.Fprintf(b, "\t"+f.field+"{\n", fieldSuffix(half))
		for k, r := range runs {
			if k == 0 || runs[k-1].Width != r.Width {
				fmt.Fprintf(b, "\t\t%d: {\n", r.Width)
			}
			fmt.Fprintf(b, "\t\t\t%d: %s,\n", r.Stride, f.name(r))
			if k+1 == len(runs) || runs[k+1].Width != r.Width {
				b.WriteString("\t\t},\n")
			}
		}
		b.WriteString("\t},\n")
	}
}

func fieldSuffix(half bool) string {
	if half {
		return "Half"
	}
	return ""
}
