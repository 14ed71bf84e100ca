package runtime

import (
	"io"
	"os"
	"sync"
	"syscall"
)

const (
	// directAlign is what offsets, lengths and addresses of direct reads are
	// multiples of: no common storage has larger blocks.
	directAlign  = 4096
	directBuffer = 128 << 10
)

// directFile reads a file around the page cache, through a buffer: places in the
// arena and in the file are not aligned as the kernel wants them.
type directFile struct {
	file *os.File
	mu   sync.Mutex
	buf  []byte
}

// openDirect opens a file for direct reads.
func openDirect(path string) (*directFile, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_DIRECT, 0)
	if err != nil {
		return nil, err
	}
	// Mapped memory begins with a page, and is none of the collector's.
	buf, err := syscall.Mmap(-1, 0, directBuffer, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		f.Close()
		return nil, err
	}
	return &directFile{file: f, buf: buf}, nil
}

// ReadAt implements io.ReaderAt.
func (d *directFile) ReadAt(p []byte, at int64) (n int, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for n < len(p) {
		skip := int(at % directAlign)
		want := min(len(d.buf), (skip+len(p)-n+directAlign-1)&^(directAlign-1))
		got, err := syscall.Pread(int(d.file.Fd()), d.buf[:want], at-int64(skip))
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return n, &os.PathError{Op: "read", Path: d.file.Name(), Err: err}
		}
		if got <= skip {
			return n, io.EOF
		}
		c := copy(p[n:], d.buf[skip:got])
		n, at = n+c, at+int64(c)
	}
	return n, nil
}

func (d *directFile) close() {
	d.file.Close()
	syscall.Munmap(d.buf)
}
