package kernels

// loops are the functions over those of conv.Peak that program.Peak has none for, by GOARCH.
var loops = map[string]string{
	"amd64": `//go:build amd64 && !noasm

package PKG

// BenchISAs are the instruction sets of the CPU that there are kernels for, the best first.
func BenchISAs() []string {
	switch avx2, avx512 := detectAVX(); {
	case avx512:
		return []string{"avx512", "avx2"}
	case avx2:
		return []string{"avx2"}
	}
	return []string{"portable"}
}

// BenchPeakInt8 runs n iterations of products of bytes on registers and returns how many
// operations that were, 0 where there is no such loop.
func BenchPeakInt8(n int) float64 {
	switch {
	case hasVNNI:
		peakVNNI(n)
		return float64(n) * 96 * 64 * 2
	case hasAVX2:
		peakInt8AVX2(n)
		return float64(n) * 32 * 32 * 2
	}
	return 0
}

// BenchRead reads n times 512 bytes.
func BenchRead(p *byte, n int) {
	switch {
	case hasAVX512:
		readAVX512(p, n)
	case hasAVX2:
		readAVX2(p, n)
	default:
		readWords(p, n)
	}
}

// BenchCopy copies n times 512 bytes, and tells whether there is a loop that does.
func BenchCopy(to, from *byte, n int) bool {
	switch {
	case hasAVX512:
		copyAVX512(to, from, n)
	case hasAVX2:
		copyAVX2(to, from, n)
	default:
		return false
	}
	return true
}
`,
	"arm64": `//go:build arm64 && !noasm

package PKG

// BenchISAs are the instruction sets of the CPU that there are kernels for, the best first.
func BenchISAs() []string { return []string{"neon"} }

// BenchPeakInt8 runs n iterations of products of bytes on registers and returns how many
// operations that were.
func BenchPeakInt8(n int) float64 {
	if hasSDOT {
		peakSDOT(n)
		return float64(n) * 96 * 16 * 2
	}
	peakInt8NEON(n)
	return float64(n) * 32 * 16 * 2
}

// BenchRead reads n times 512 bytes.
func BenchRead(p *byte, n int) { readNEON(p, n) }

// BenchCopy copies n times 512 bytes, and tells whether there is a loop that does.
func BenchCopy(to, from *byte, n int) bool {
	copyNEON(to, from, n)
	return true
}
`,
	"other": `//go:build noasm || !amd64 && !arm64

package PKG

// BenchISAs are the instruction sets that there are kernels for.
func BenchISAs() []string { return []string{"portable"} }

// BenchPeakInt8 returns 0: there is no such loop.
func BenchPeakInt8(n int) float64 { return 0 }

// BenchRead reads n times 512 bytes.
func BenchRead(p *byte, n int) { readWords(p, n) }

// BenchCopy has no loop of its own.
func BenchCopy(to, from *byte, n int) bool { return false }
`,
}
