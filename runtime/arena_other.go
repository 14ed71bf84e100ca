//go:build !unix

package runtime

import "unsafe"

// mapArena takes the arena from Go's heap, aligned to 64 bytes.
func mapArena(size int) ([]byte, error) {
	b := make([]byte, size+64)
	skip := -int(uintptr(unsafe.Pointer(&b[0]))) & 63
	return b[skip : skip+size : skip+size], nil
}

func unmapArena([]byte) error { return nil }
