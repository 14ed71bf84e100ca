//go:build linux

package kernels

import (
	"math"
	"math/rand"
	"os"
	"syscall"
	"testing"
	"unsafe"
)

// guarded returns n floats that end at a page which may not be touched, behind a
// red zone. They are filled with a pattern that is a NaN.
func guarded(t testing.TB, n int) []float32 {
	page := os.Getpagesize()
	size := (4*(n+redZone) + page - 1) / page * page
	b, err := syscall.Mmap(-1, 0, size+page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Munmap(b) })
	if err := syscall.Mprotect(b[size:], syscall.PROT_NONE); err != nil {
		t.Fatal(err)
	}
	f := unsafe.Slice((*float32)(unsafe.Pointer(&b[0])), size/4)
	fillPattern(f)
	return f[len(f)-n:]
}

const redZone = 64

var pattern = math.Float32frombits(0x7fa5a5a5)

func fillPattern(f []float32) {
	for i := range f {
		f[i] = pattern
	}
}

func isPattern(v float32) bool { return math.Float32bits(v) == 0x7fa5a5a5 }

// red returns the floats before f, which nobody may write.
func red(f []float32) []float32 {
	return unsafe.Slice((*float32)(unsafe.Add(unsafe.Pointer(&f[0]), -4*redZone)), redZone)
}

func checkRed(t *testing.T, what string, f []float32) {
	t.Helper()
	for i, v := range red(f) {
		if !isPattern(v) {
			t.Fatalf("%s: wrote %g, %d floats before its start", what, v, redZone-i)
		}
	}
}

// values fills f with numbers of one of a few kinds; odd kinds have rare hard ones.
func values(r *rand.Rand, f []float32, kind int) {
	for i := range f {
		v := float32(r.NormFloat64())
		switch {
		case kind == 1 && r.Intn(4) == 0:
			v = 0
		case kind == 2: // sums that end below the normal range, and ties
			v = math.Float32frombits(r.Uint32()&0x80f80000 | uint32(40+r.Intn(30))<<23)
		case kind == 3 && r.Intn(50) == 0:
			v = []float32{float32(math.Inf(1)), float32(math.NaN()), float32(math.Copysign(0, -1)), math.MaxFloat32, 1e-45}[r.Intn(5)]
		}
		f[i] = v
	}
}

// same compares bits; any NaN equals any other, as payloads differ by CPU.
func same(a, b float32) bool {
	return math.Float32bits(a) == math.Float32bits(b) || a != a && b != b && !isPattern(a) && !isPattern(b)
}
