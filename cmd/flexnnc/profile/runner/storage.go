package runner

import (
	"fmt"
	"io"
	"os"
	"slices"
	"time"
)

const (
	storageMost  = 128 << 20        // bytes of the file
	storageWrite = 10 * time.Second // and the time that writing it may take
	storageBlock = 1 << 20
	storageReads = 100 // of a page, here and there
)

// storage measures reading of a file that is not in the page cache: large pieces
// one after another, and single pages. The latency is what a read takes before its
// bytes flow.
func storage(dir string) (bytesPerSecond float64, latencyNS int64, how string, err error) {
	f, err := os.CreateTemp(dir, "flexnnc-profile-*")
	if err != nil {
		return 0, 0, "", err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	block := make([]byte, storageBlock)
	seed := uint32(7)
	size := int64(0)
	for start := time.Now(); size < storageMost && (size < 8<<20 || time.Since(start) < storageWrite); size += storageBlock {
		for i := range block { // not compressible
			seed = seed*1664525 + 1013904223
			block[i] = byte(seed >> 24)
		}
		if _, err := f.Write(block); err != nil {
			return 0, 0, "", err
		}
		if size%(16<<20) == 0 {
			if err := f.Sync(); err != nil {
				return 0, 0, "", err
			}
		}
	}
	if err := f.Sync(); err != nil {
		return 0, 0, "", err
	}
	how = fmt.Sprintf("a file of %d MiB, not cached", size>>20)
	if !forget(f) {
		how = fmt.Sprintf("a file of %d MiB that the system may have cached", size>>20)
	}
	from := time.Now()
	for at := int64(0); at < size; at += storageBlock {
		if _, err := f.ReadAt(block, at); err != nil && err != io.EOF {
			return 0, 0, "", err
		}
	}
	bytesPerSecond = perSecond(float64(time.Since(from))/float64(size), 1e12)
	forget(f)
	page := block[:4096]
	var times []int64
	for range storageReads {
		seed = seed*1664525 + 1013904223
		at := int64(seed>>8) % (size >> 12) << 12
		from := time.Now()
		if _, err := f.ReadAt(page, at); err != nil && err != io.EOF {
			return 0, 0, "", err
		}
		times = append(times, int64(time.Since(from)))
	}
	slices.Sort(times)
	return bytesPerSecond, times[len(times)/2], how, nil
}
