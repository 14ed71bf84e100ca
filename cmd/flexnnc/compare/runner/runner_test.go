package runner

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// sleeper is a package whose runs read some bytes and take some time.
func sleeper(name string, d time.Duration, read int) Variant {
	return Variant{Name: name, ArenaBytes: 1000, StreamedBytes: int64(read), Steps: 1, Open: func(_ int, weights io.ReaderAt) (*Session, error) {
		waited := time.Duration(0)
		return &Session{
			Run: func() error {
				start := time.Now()
				if read > 0 {
					if _, err := weights.ReadAt(make([]byte, read), 0); err != nil {
						return err
					}
				}
				waited += time.Since(start)
				time.Sleep(d)
				return nil
			},
			Close:  func() error { return nil },
			Waited: func() time.Duration { return waited },
		}, nil
	}}
}

// TestTurns runs by a clock that only sleeping moves.
func TestTurns(t *testing.T) { synctest.Test(t, turns) }

func turns(t *testing.T) {
	path := filepath.Join(t.TempDir(), "w")
	if err := os.WriteFile(path, make([]byte, 4096), 0o644); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	variants := []Variant{sleeper("slow", 20*time.Millisecond, 0), sleeper("fast", 5*time.Millisecond, 0), sleeper("reads", 5*time.Millisecond, 4000)}
	// 4000 bytes at 100 kB/s take 40 ms.
	if err := run("net", variants, []string{"-rounds", "3", "-pace", "1e5", "-weights", path, "-json"}, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	var r []result
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatal(err)
	}
	if len(r) != 3 || r[0].Ratio != 1 || r[1].Ratio != 0.25 || r[0].MedianMS != 20 {
		t.Errorf("%s", out.String())
	}
	if r[2].MedianMS != 45 || r[2].StallMS != 40 || r[2].IdealMS != 40 {
		t.Errorf("at 100 kB/s: %+v", r[2])
	}
	out.Reset()
	if err := run("net", variants, []string{"-rounds", "1", "-weights", path}, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "page cache") || !strings.Contains(out.String(), "slow") {
		t.Errorf("%s", out.String())
	}
}

func TestFaults(t *testing.T) {
	for _, args := range [][]string{{"-rounds", "0"}, {"-threads", "0"}, {"more"}, {"-weights", "/no/such/file"}} {
		if err := run("net", nil, args, io.Discard, io.Discard); err == nil {
			t.Errorf("%q is accepted", args)
		}
	}
}
