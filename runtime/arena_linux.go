package runtime

import (
	"fmt"
	"os"
	"syscall"
)

// arena is a net's memory outside Go's heap, so that the collector neither scans
// nor counts it. Addresses are reserved for the largest plan; only the first
// len(mem) bytes can be touched, so that no huge page reaches beyond them and a
// write beyond a plan's arena is caught.
type arena struct {
	mem      []byte
	reserved []byte
	shrinks  bool // now and then
}

const (
	madvHugePage = 14
	hugeFrom     = 8 << 20 // bytes of an arena that ask for huge pages
)

// openArena reserves addresses and makes the first size bytes usable, all zero.
// shrinks says that it will be resized.
func openArena(reserve, size int, shrinks bool) (*arena, error) {
	b, err := syscall.Mmap(-1, 0, max(reserve, 1), syscall.PROT_NONE, syscall.MAP_ANON|syscall.MAP_PRIVATE|syscall.MAP_NORESERVE)
	if err != nil {
		return nil, fmt.Errorf("reserving addresses for an arena of %d bytes: %w", reserve, err)
	}
	a := &arena{reserved: b, shrinks: shrinks}
	if _, err := a.resize(size); err != nil {
		syscall.Munmap(b)
		return nil, err
	}
	return a, nil
}

// resize gives memory beyond size back to the system at once, or makes more of it
// usable. It returns how many bytes from the start kept their content, also where
// it fails.
func (a *arena) resize(size int) (kept int, err error) {
	page := os.Getpagesize()
	edge := func(n int) int { return min((n+page-1)/page*page, len(a.reserved)) }
	was, now := edge(len(a.mem)), edge(size)
	switch {
	case now > was:
		if err := syscall.Mprotect(a.reserved[was:now], syscall.PROT_READ|syscall.PROT_WRITE); err != nil {
			return len(a.mem), fmt.Errorf("mapping an arena of %d bytes: %w", size, err)
		}
	case now < was:
		tail := a.reserved[now:was]
		if err := syscall.Madvise(tail, syscall.MADV_DONTNEED); err != nil {
			return len(a.mem), fmt.Errorf("giving %d bytes of the arena back: %w", len(tail), err)
		}
		if err := syscall.Mprotect(tail, syscall.PROT_NONE); err != nil {
			return now, fmt.Errorf("closing %d bytes of the arena: %w", len(tail), err)
		}
	}
	if a.shrinks || now >= hugeFrom {
		// Weights that are read once a run take a look-up less per 4 KiB. Taking pages back one by one takes the kernel some 80 ns each, 20 ms for 256 MB:
		// where the arena will shrink it had better have large ones. No page reaches
		// beyond what can be touched. What the kernel answers does not matter.
		syscall.Madvise(a.reserved[:now], madvHugePage)
	}
	kept = min(len(a.mem), size)
	a.mem = a.reserved[:size:size]
	return kept, nil
}

// close unmaps the arena.
func (a *arena) close() error { return syscall.Munmap(a.reserved) }
