package runner

import "syscall"

// pages is memory in large pages, as the arenas of packages are, or as the system
// gives it.
func pages(bytes int) []byte {
	const hugePage = 14 // MADV_HUGEPAGE
	b, err := syscall.Mmap(-1, 0, bytes, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return make([]byte, bytes)
	}
	syscall.Madvise(b, hugePage)
	return b
}
