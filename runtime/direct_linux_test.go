package runtime

import (
	"bytes"
	"errors"
	"io"
	"math/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestDirect reads pieces of all alignments, up to the end of the file and beyond.
func TestDirect(t *testing.T) {
	r := rand.New(rand.NewSource(1))
	data := make([]byte, 3*directBuffer+777)
	r.Read(data)
	path := filepath.Join(t.TempDir(), "w.bin")
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	d, err := openDirect(path)
	if err != nil {
		t.Skipf("the file system of the temporary folder cannot read directly: %v", err)
	}
	defer d.close()
	for range 300 {
		at := r.Intn(len(data) + 5000)
		p := make([]byte, 1+r.Intn(directBuffer*3/2))
		n, err := d.ReadAt(p, int64(at))
		want := min(len(p), max(0, len(data)-at))
		if n != want || n > 0 && !bytes.Equal(p[:n], data[at:at+n]) {
			t.Fatalf("%d of %d bytes at %d, want %d", n, len(p), at, want)
		}
		if (n < len(p)) != errors.Is(err, io.EOF) {
			t.Fatalf("%d of %d bytes at %d: error %v", n, len(p), at, err)
		}
	}
}

// TestDirectNeedsFile says so where the weights are none.
func TestDirectNeedsFile(t *testing.T) {
	p, file := sumProgram(t)
	for _, o := range []Options{
		{Direct: true, Weights: bytes.NewReader(file)},
		{Direct: true, WeightsPath: filepath.Join(t.TempDir(), "none")},
	} {
		if _, err := runSum(p, o); err == nil || !strings.Contains(err.Error(), "Options.Direct") {
			t.Errorf("error %v", err)
		}
	}
}
