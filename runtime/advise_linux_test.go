package runtime

import (
	"bytes"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"unsafe"
)

// TestEmbeddedPages reads an embedded file in pieces of all kinds: little of it
// may stay mapped, or it would be in memory beside the arena.
func TestEmbeddedPages(t *testing.T) {
	const size = 4<<20 - 1000
	r := rand.New(rand.NewSource(1))
	data := make([]byte, size)
	r.Read(data)
	path := filepath.Join(t.TempDir(), "w.bin")
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	e := embeddedWeights(mapped(t, path, size))
	if first := mappedRSS(t, string(e)); first < 0 {
		t.Skip("/proc/self/smaps does not list the mapping")
	}
	buf := make([]byte, 300<<10)
	for at := 0; at < size; {
		piece := buf[:min(1+r.Intn(len(buf)), size-at)]
		if n, err := e.ReadAt(piece, int64(at)); n != len(piece) || !bytes.Equal(piece, data[at:at+n]) {
			t.Fatalf("read %d of %d bytes at %d: %v", n, len(piece), at, err)
		}
		at += len(piece)
	}
	if n := mappedRSS(t, string(e)); n > textWindow {
		t.Errorf("%d bytes of the file are still mapped", n)
	}
}

// mappedRSS is how much of the mapping that begins with s is resident, -1 where
// that is not told.
func mappedRSS(t *testing.T, s string) int {
	t.Helper()
	text, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		return -1
	}
	_, rest, ok := strings.Cut(string(text), fmt.Sprintf("%08x-", unsafe.StringData(s)))
	if !ok {
		return -1
	}
	_, rest, _ = strings.Cut(rest, "\nRss:")
	n, err := strconv.Atoi(strings.TrimSpace(rest[:strings.Index(rest, "kB")]))
	if err != nil {
		t.Fatal(err)
	}
	return n << 10
}
