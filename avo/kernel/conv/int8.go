package conv

import (
	"fmt"
	"go/format"
	"slices"
	"strings"

	"github.com/flexnnc/flexnnc/avo/amd64"
	"github.com/flexnnc/flexnnc/avo/arm64"
	"github.com/flexnnc/flexnnc/avo/kernel/cpu"
)

// Unit is a set of instructions that multiply int8 and add up int32. All give the
// same sums, so the same bits.
type Unit int

// Units.
const (
	VNNI Unit = iota // AVX-512 with VPDPBUSD, for activations that 128 was added to
	AVX2Int8
	SDOT // NEON with dot products
	NEONInt8
)

func (u Unit) String() string { return [...]string{"VNNI", "AVX2", "SDOT", "NEON"}[u] }

// Pixels is the output pixels of the main tile. VNNI's takes 24 registers of sums,
// AVX2's 12, SDOT's 24; plain NEON keeps two sums for each channel, of even and of
// odd pairs of products, so that 2 pixels take 16.
func (u Unit) Pixels() int { return [...]int{8, 6, 6, 2}[u] }

// Panels is the most panels of a tile with so many pixels. SDOT's tiles of many pixels loop
// over panels.
func (u Unit) Panels(pixels int) int {
	switch u {
	case VNNI:
		return [...]int{4, 4, 3, 3, 3, 3, 3, 3}[pixels-1]
	case SDOT:
		return [...]int{4, 2, 2, 8, 8, 8}[pixels-1]
	case NEONInt8:
		return [...]int{2, 1}[pixels-1]
	}
	return [...]int{4, 2, 2, 1, 1, 1}[pixels-1]
}

// Int8Tile is the shape of a convolution kernel of int8 images and panels.
type Int8Tile struct {
	Unit           Unit
	Pixels, Panels int
}

// Name is the kernel's: convI8x8x48VNNI makes 8 pixels of 48 channels.
func (t Int8Tile) Name() string {
	return fmt.Sprintf("convI8x%dx%d%s", t.Pixels, PanelWidth*t.Panels, t.Unit)
}

// Offsets into an int8 panel, in bytes; see the runtime's int8.go.
const (
	int8Bias      = 4 * PanelWidth
	int8Offset    = 8 * PanelWidth
	int8Weights   = 12 * PanelWidth
	int8Depthwise = 8 * PanelWidth
	int8Group     = 4 * PanelWidth // weights of four input channels
)

// Offsets of the fields of the runtime's quantizeArgs, and of those of convArgs and
// depthwiseArgs that only kernels of int8 read.
const (
	quantizeN       = 0
	quantizeRows    = 8
	quantizeIn      = 16
	quantizeInStep  = 24
	quantizeOut     = 32
	quantizeOutStep = 40
	quantizePad     = 48
	quantizeScale   = 56

	convQuantize      = 104
	depthwiseQuantize = 80
)

// Numbers of the rounding to int8, by their bits.
const (
	int8Most  = 0x42fe0000 // 127
	int8Least = 0xc2fe0000 // -127
	belowHalf = 0x3effffff // the float32 below 0.5
	signBit   = 0x80000000
)

// NeedInt8 says which kernels of int8 a package calls.
type NeedInt8 struct {
	All       bool
	Convs     []Conv
	Depthwise bool
	Runs      []Run // of depthwise ones: width and stride of 3x3 windows
	RowPixels []int // of the steps of Runs: output pixels of a row
	Quantize  bool
}

// runs are the kernels of rows that n needs.
func (n NeedInt8) runs() []Run {
	var rs []Run
	for _, r := range int8Runs {
		if n.All || slices.Contains(n.Runs, r) {
			rs = append(rs, r)
		}
	}
	return rs
}

// tiles are the convolution tiles that n needs of a unit.
func (n NeedInt8) tiles(u Unit) []Int8Tile {
	var ts []Int8Tile
	for m := 1; m <= u.Pixels(); m++ {
		for p := 1; p <= u.Panels(m); p++ {
			if n.All || n.calls(u, m, p) {
				ts = append(ts, Int8Tile{u, m, p})
			}
		}
	}
	return ts
}

// calls tells whether a convolution is cut into tiles of so many pixels and panels.
func (n NeedInt8) calls(u Unit, pixels, panels int) bool {
	for _, c := range n.Convs {
		if c.Pixels < 1 || c.Panels < 1 {
			continue
		}
		tiles := (c.Pixels + u.Pixels() - 1) / u.Pixels()
		lo, hi := c.Pixels/tiles, (c.Pixels+tiles-1)/tiles
		most := min(u.Panels(lo), u.Panels(hi))
		groups := (c.Panels + most - 1) / most
		if (pixels == lo || pixels == hi) && (panels == c.Panels/groups || panels == (c.Panels+groups-1)/groups) {
			return true
		}
	}
	return false
}

// int8Structs are the types in the signatures of kernels of int8.
var int8Structs = []string{"convArgs", "depthwiseArgs", "depthwiseRowsArgs", "quantizeArgs"}

// GenerateInt8 writes the kernels of int8 images that package pkg needs, with
// their declarations and tables, as Generate does.
func GenerateInt8(pkg string, need NeedInt8) (map[string][]byte, error) {
	if !need.All && !need.Depthwise && !need.Quantize && len(need.Convs) == 0 {
		return nil, nil
	}
	files := map[string][]byte{}
	x := amd64.New()
	for _, s := range int8Structs {
		x.Struct(s)
	}
	mask := x.Words("int8ChannelMask", maskWords()...)
	limits := x.Words("int8Limits", limitWords()...)
	wide := &vector{Context: x, avx512: true, ones: mask, limits: limits}
	if len(need.runs()) > 0 {
		wide.transpose = x.Words("int8Transpose", transposeWords()...)
	}
	narrow := &vector{Context: x, ones: mask, limits: limits}
	for _, t := range need.tiles(VNNI) {
		convVNNI(wide, t)
	}
	for _, t := range need.tiles(AVX2Int8) {
		convInt8AVX2(narrow, t)
	}
	for _, r := range need.runs() {
		depthwiseRowsVNNI(wide, r, tileSizes(need.All, need.RowPixels, VNNI.rowPixels()))
	}
	for _, v := range []*vector{wide, narrow} {
		for _, m := range depthwisePixels {
			depthwiseInt8X86(v, depthwiseInt8Name(v.unit(), m), m)
		}
		quantizeX86(v)
	}
	var err error
	if files["kernels_int8_amd64.s"], files["kernels_int8_amd64.go"], err = x.Print(pkg, cpu.AMD64); err != nil {
		return nil, err
	}
	if files["kernels_int8_table_amd64.go"], err = need.table(pkg, cpu.AMD64, detectVNNI, VNNI, AVX2Int8); err != nil {
		return nil, err
	}

	a := arm64.New()
	for _, s := range int8Structs {
		a.Struct(s)
	}
	convSDOT(a, need.tiles(SDOT))
	for _, t := range need.tiles(NEONInt8) {
		convInt8NEON(a, t)
	}
	for _, m := range depthwisePixels {
		depthwiseInt8NEON(a, depthwiseInt8Name(NEONInt8, m), m)
	}
	quantizeNEON(a)
	if err := a.Compile(); err != nil {
		return nil, err
	}
	if files["kernels_int8_arm64.s"], files["kernels_int8_arm64.go"], err = a.Print(pkg, cpu.ARM64); err != nil {
		return nil, err
	}
	files["kernels_int8_table_arm64.go"], err = need.table(pkg, cpu.ARM64, detectSDOT, SDOT, NEONInt8)
	return files, err
}

// maskWords are those of a vector's ones.
func maskWords() []uint32 {
	w := make([]uint32, 2*PanelWidth)
	for i := range PanelWidth {
		w[i] = ^uint32(0)
	}
	return w
}

// limitWords are the numbers of the rounding, a vector of each.
func limitWords() []uint32 {
	var w []uint32
	for _, n := range []uint32{int8Least, int8Most, signBit, belowHalf} {
		for range PanelWidth {
			w = append(w, n)
		}
	}
	return w
}

func (v *vector) unit() Unit {
	if v.avx512 {
		return VNNI
	}
	return AVX2Int8
}

func depthwiseInt8Name(u Unit, pixels int) string {
	if u == SDOT {
		u = NEONInt8 // products of single channels are no dot products
	}
	return fmt.Sprintf("depthwiseI8x%dx%d%s", pixels, PanelWidth, u)
}

// table is the Go file with the tables of an architecture's units, the better one
// first, and the choice among them.
func (n NeedInt8) table(pkg, buildExpr, detect string, units ...Unit) ([]byte, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "// Code generated by flexnnc. DO NOT EDIT.\n\n//go:build %s\n\npackage %s\n\n%s", buildExpr, pkg, detect)
	for _, u := range units {
		fmt.Fprintf(&b, "\nvar int8Kernels%s = kernelTable{\n\tname: %q,\n\tmr: %d,\n\tconv: convKernels{\n", u, strings.ToLower(u.String()), u.Pixels())
		tiles := n.tiles(u)
		for p := 1; p <= maxPanels; p++ {
			first := true
			for _, t := range tiles {
				if t.Panels != p {
					continue
				}
				if first {
					fmt.Fprintf(&b, "%d: {\n", p)
					first = false
				}
				fmt.Fprintf(&b, "%d: %s,\n", t.Pixels, t.Name())
			}
			if !first {
				b.WriteString("},\n")
			}
		}
		b.WriteString("},\n\tdepthwise: [maxDepthwisePixels + 1]func(*depthwiseArgs){\n")
		for _, m := range depthwisePixels {
			fmt.Fprintf(&b, "%d: %s,\n", m, depthwiseInt8Name(u, m))
		}
		b.WriteString("},\n")
		if runs := n.runs(); len(runs) > 0 && u.rowPixels() > 0 {
			fmt.Fprintf(&b, "rowPixels: %d,\ndepthwiseRows: depthwiseRowKernels{3: {\n", u.rowPixels())
			for _, r := range runs {
				fmt.Fprintf(&b, "%d: %s,\n", r.Stride, r.int8RowsName(u))
			}
			b.WriteString("}},\n")
		}
		b.WriteString("}\n")
	}
	return format.Source([]byte(b.String()))
}

// maxPanels is the most panels of any tile.
const maxPanels = 8

// detectVNNI needs what cpu.Generate makes.
const detectVNNI = `
// hasVNNI says that the CPU has AVX-512's dot products of bytes.
var hasVNNI = hasAVX512 && detectVNNI()

func detectVNNI() bool {
	var r [4]uint32
	cpuid(7, 0, &r)
	return r[2]&(1<<11) != 0
}

func init() {
	switch {
	case hasVNNI:
		int8Kernels, quantizeKernel = &int8KernelsVNNI, quantizeAVX512
	case hasAVX2:
		int8Kernels, quantizeKernel = &int8KernelsAVX2, quantizeAVX2
	}
}
`

const detectSDOT = `import (
	"encoding/binary"
	"os"
	"runtime"
)

// hasSDOT says that the CPU has dot products of bytes.
var hasSDOT = detectSDOT()

// detectSDOT asks the kernel's auxiliary vector, pairs of 64-bit words. All Macs
// with this architecture have the instruction.
func detectSDOT() bool {
	if runtime.GOOS == "darwin" {
		return true
	}
	const hwcap, asimddp = 16, 1 << 20
	auxv, _ := os.ReadFile("/proc/self/auxv") // what cannot be read tells of nothing
	for ; len(auxv) >= 16; auxv = auxv[16:] {
		if binary.LittleEndian.Uint64(auxv) == hwcap {
			return binary.LittleEndian.Uint64(auxv[8:])&asimddp != 0
		}
	}
	return false
}

func init() {
	int8Kernels, quantizeKernel = &int8KernelsNEON, quantizeNEON
	if hasSDOT {
		int8Kernels = &int8KernelsSDOT
	}
}
`
