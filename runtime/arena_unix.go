//go:build unix

package runtime

import (
	"fmt"
	"syscall"
)

// mapArena maps size bytes of zeroed, page-aligned memory outside Go's heap, so
// that the collector neither scans nor counts it.
func mapArena(size int) ([]byte, error) {
	b, err := syscall.Mmap(-1, 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return nil, fmt.Errorf("mapping an arena of %d bytes: %w", size, err)
	}
	return b, nil
}

func unmapArena(b []byte) error { return syscall.Munmap(b) }
