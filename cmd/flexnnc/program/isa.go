package program

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// ISAVariable is the environment variable by which a program that is built uses a
// lesser instruction set than the best that its CPU has.
const ISAVariable = "FLEXNNC_ISA"

// Narrow has the package in a folder heed ISAVariable: "avx2" or "portable" on amd64. It
// has only one set of kernels elsewhere.
func Narrow(dir, pkg string) error {
	path := filepath.Join(dir, "cpu_amd64.go")
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	const detection = "= detectAVX()"
	if !bytes.Contains(text, []byte(detection)) {
		return fmt.Errorf("BUG: %s detects instruction sets in another way", path)
	}
	if err := os.WriteFile(path, bytes.Replace(text, []byte(detection), []byte("= benchAVX()"), 1), 0o644); err != nil {
		return err
	}
	source := strings.NewReplacer("PKG", pkg, "VARIABLE", ISAVariable).Replace(narrowSource)
	return os.WriteFile(filepath.Join(dir, "bench_isa_amd64.go"), []byte(source), 0o644)
}

const narrowSource = `//go:build amd64 && !noasm

package PKG

import "os"

// benchAVX is detectAVX, less what the environment forbids.
func benchAVX() (avx2, avx512 bool) {
	avx2, avx512 = detectAVX()
	switch os.Getenv("VARIABLE") {
	case "avx2":
		avx512 = false
	case "portable":
		avx2, avx512 = false, false
	}
	return avx2, avx512
}
`
