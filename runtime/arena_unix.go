//go:build unix && !linux

package runtime

import (
	"fmt"
	"syscall"
)

// arena is a net's memory outside Go's heap, so that the collector neither scans
// nor counts it.
type arena struct{ mem []byte }

// openArena maps size bytes of zeroed, page-aligned memory.
func openArena(_, size int, _ bool) (*arena, error) {
	a := new(arena)
	_, err := a.resize(size)
	return a, err
}

// resize maps an arena of another size in place of the one there is, whose
// content is lost. It returns how many bytes from the start kept theirs, also
// where it fails.
func (a *arena) resize(size int) (kept int, err error) {
	b, err := syscall.Mmap(-1, 0, max(size, 1), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return len(a.mem), fmt.Errorf("mapping an arena of %d bytes: %w", size, err)
	}
	if a.mem != nil {
		syscall.Munmap(a.mem)
	}
	a.mem = b
	return 0, nil
}

// close unmaps the arena.
func (a *arena) close() error { return syscall.Munmap(a.mem) }
