//go:build linux && (amd64 || arm64)

package runtime

import (
	"os"
	"syscall"
	"unsafe"
)

// releaseText drops the pages that back s, a piece of the binary's read-only
// data, from this process; a later read maps them again.
func releaseText(s string) {
	page := uintptr(os.Getpagesize())
	lo := uintptr(unsafe.Pointer(unsafe.StringData(s)))
	hi := lo + uintptr(len(s))
	lo, hi = lo&^(page-1), (hi+page-1)&^(page-1)
	syscall.Syscall(syscall.SYS_MADVISE, lo, hi-lo, syscall.MADV_DONTNEED)
}

// forget tells the kernel that a range of f will not be read again soon.
func forget(f *os.File, off, n int64) {
	const dontNeed = 4 // POSIX_FADV_DONTNEED
	syscall.Syscall6(syscall.SYS_FADVISE64, f.Fd(), uintptr(off), uintptr(n), dontNeed, 0, 0)
}
