//go:build linux && (amd64 || arm64)

package runtime

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"unsafe"
)

// releaseText drops the pages in the window around byte at of s, a piece of the
// binary's read-only data, from this process; a later read maps them again. Pages
// without a byte of s stay: they may be of another kind.
func releaseText(s string, at int) {
	page := uintptr(os.Getpagesize())
	base := uintptr(unsafe.Pointer(unsafe.StringData(s)))
	lo := (base + uintptr(at)) &^ (textWindow - 1)
	hi := min(lo+textWindow, (base+uintptr(len(s))+page-1)&^(page-1))
	lo = max(lo, base&^(page-1))
	syscall.Syscall(syscall.SYS_MADVISE, lo, hi-lo, syscall.MADV_DONTNEED)
}

// mappedFile finds the file, and the offset in it, that a piece of the binary's
// read-only data is mapped from.
func mappedFile(s string) (f *os.File, offset int64, ok bool) {
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return nil, 0, false
	}
	lo := uint64(uintptr(unsafe.Pointer(unsafe.StringData(s))))
	for line := range strings.Lines(string(maps)) {
		var from, to, at, inode uint64
		var mode, device string
		if n, _ := fmt.Sscanf(line, "%x-%x %s %x %s %d", &from, &to, &mode, &at, &device, &inode); n < 6 || from > lo || lo >= to {
			continue
		}
		if inode == 0 || lo+uint64(len(s)) > to || mode[1] == 'w' {
			break
		}
		f, err := os.Open("/proc/self/exe")
		return f, int64(at + lo - from), err == nil
	}
	return nil, 0, false
}

// forget tells the kernel that a range of f will not be read again soon.
func forget(f *os.File, off, n int64) {
	const dontNeed = 4 // POSIX_FADV_DONTNEED
	syscall.Syscall6(syscall.SYS_FADVISE64, f.Fd(), uintptr(off), uintptr(n), dontNeed, 0, 0)
}
