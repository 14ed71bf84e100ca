//go:build unix

package compiler

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/flexnnc/flexnnc/compiler/ncnn"
	"github.com/flexnnc/flexnnc/ir/diag"
)

// zeros is a weights file of any size.
type zeros struct{}

func (zeros) ReadAt(p []byte, _ int64) (int, error) {
	clear(p)
	return len(p), nil
}

var _ io.ReaderAt = zeros{}

const (
	hostileTime  = time.Second
	hostileBytes = 64 << 20 // that the compiler may allocate on the way to an error
	hugeBytes    = 1 << 30  // in all, on the way to plans of a huge network that is none
)

// tryParam compiles a parameter file, as far as the plans for the largest and the
// smallest budget. Whatever it says, an answer has to come soon, and without a panic.
func tryParam(param []byte, weights int64) (err error, panicked any) {
	err, panicked, _ = tryFiles(param, zeros{}, weights)
	return err, panicked
}

// tryFiles does so with a weights file. ok says that the file was what the network
// needs, whatever became of it then.
func tryFiles(param []byte, bin io.ReaderAt, weights int64) (err error, panicked any, ok bool) {
	defer func() {
		if p := recover(); p != nil {
			panicked = fmt.Sprintf("%v\n%s", p, debug.Stack())
		}
	}()
	var warnings diag.List
	g, faults := ncnn.ParseParam("hostile.param", param, &warnings)
	if err := faults.Err(); err != nil {
		return err, nil, false
	}
	ok = true
	if weights > 0 {
		faults := ncnn.ReadWeights(g, "hostile.bin", bin, weights)
		err := faults.Err()
		if ok = err == nil; err != nil && !strings.Contains(err.Error(), "left over") {
			return err, nil, false
		}
	}
	lowered, err := Lower(g, Options{Threads: 1})
	if err != nil {
		return err, nil, ok
	}
	for _, o := range []Options{{Threads: 1}, {Threads: 2, Min: true}} {
		if _, err = Plan(lowered, o); err != nil {
			break
		}
	}
	return err, nil, ok
}

// hostile tries files, and reports what must not be: no answer within a second, much
// memory, a panic, a fault of the compiler's own.
func hostile(t *testing.T, path, change string, bin io.ReaderAt, weights int64) (ok bool) {
	t.Helper()
	stuck := time.AfterFunc(10*time.Minute, func() { panic("no answer for\n" + change) })
	before, start := allocated(), processorTime()
	err, p, ok := tryFiles([]byte(change), bin, weights)
	took, bytes := processorTime()-start, allocated()-before
	stuck.Stop()
	switch {
	case p != nil:
		t.Errorf("%s: panic: %v\n%s", path, p, change)
	case err != nil && strings.Contains(err.Error(), "BUG"):
		t.Errorf("%s: %v\n%s", path, err, change)
	case took > hostileTime:
		t.Errorf("%s: %v (%v)\n%s", path, took, err, change)
	case bytes > hostileBytes && err != nil || bytes > hugeBytes:
		t.Errorf("%s: %d bytes (%v)\n%s", path, bytes, err, change)
	}
	return ok
}

// smallNetworks lists the parameter files of networks with a few layers; the short
// suite takes one in sixteen.
func smallNetworks() (files []string) {
	n := 0
	for _, dir := range []string{"testdata/nets", filepath.Join(models(), "layers")} {
		filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
			if err == nil && strings.HasSuffix(path, ".param") {
				if n++; n%16 == 1 || !testing.Short() {
					files = append(files, path)
				}
			}
			return nil
		})
	}
	return files
}

// TestHostileParams changes every number of every small network, one at a time.
func TestHostileParams(t *testing.T) {
	values := []string{"0", "-1", "-233", "7", "65536", "1073741824", "2147483647", "-2147483648", "1e38", "-0.0"}
	seen := map[string]bool{}
	for _, path := range smallNetworks() {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, change := range changes(string(data), values) {
			if seen[change] {
				continue
			}
			seen[change] = true
			for _, weights := range []int64{0, 1 << 16, 1 << 40} {
				hostile(t, path, change, zeros{}, weights)
			}
		}
	}
	t.Logf("%d networks", len(seen))
}

// TestDamagedFiles cuts and reorders both files of every small network. Weights that
// are cut or too many are always told; a parameter file may be cut or reordered and be
// another network.
func TestDamagedFiles(t *testing.T) {
	count := 0
	for _, path := range smallNetworks() {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		bin, err := os.ReadFile(strings.TrimSuffix(path, ".param") + ".bin")
		if err != nil {
			bin = nil // the networks of testdata have none
		}
		text := string(data)
		for _, change := range damaged(text) {
			hostile(t, path, change, bytes.NewReader(bin), int64(len(bin)))
			count++
		}
		if len(bin) == 0 || !hostile(t, path, text, bytes.NewReader(bin), int64(len(bin))) {
			continue
		}
		for _, n := range []int{1, 2, 3, 4, 5, 8, len(bin) / 3, len(bin) / 2, len(bin) - 5, len(bin) - 4, len(bin) - 1} {
			if n > 0 && n < len(bin) && hostile(t, path, text, bytes.NewReader(bin[:n]), int64(n)) {
				t.Errorf("%s: %d of %d bytes of the weights pass for all", path, n, len(bin))
			}
		}
		if longer := append(bytes.Clone(bin), 0); hostile(t, path, text, bytes.NewReader(longer), int64(len(longer))) {
			t.Errorf("%s: a byte too many is not told", path)
		}
		swapped := bytes.Clone(bin)
		for i := 0; i+8 <= len(swapped); i += 8 { // words change places in pairs, tags too
			first := bytes.Clone(swapped[i : i+4])
			copy(swapped[i:], swapped[i+4:i+8])
			copy(swapped[i+4:], first)
		}
		hostile(t, path, text, bytes.NewReader(swapped), int64(len(swapped)))
		count++
	}
	t.Logf("%d files", count)
}

// damaged cuts a parameter file at many places, drops, doubles and swaps its lines.
func damaged(text string) (list []string) {
	for n := 0; n < len(text); n += 1 + len(text)/60 {
		list = append(list, text[:n], text[n:])
	}
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	for i := range lines {
		for j := range i {
			swapped := slices.Clone(lines)
			swapped[i], swapped[j] = swapped[j], swapped[i]
			list = append(list, strings.Join(swapped, "\n")+"\n")
		}
		list = append(list, strings.Join(slices.Delete(slices.Clone(lines), i, i+1), "\n")+"\n",
			strings.Join(slices.Insert(slices.Clone(lines), i, lines[i]), "\n")+"\n")
	}
	return list
}

// changes puts each of the values in the place of each number of a parameter file.
func changes(text string, values []string) []string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	var list []string
	for i, line := range lines {
		if i < 2 {
			continue
		}
		words := strings.Fields(line)
		for w, word := range words {
			key, value, ok := strings.Cut(word, "=")
			if !ok || w < 4 {
				continue
			}
			parts := strings.Split(value, ",")
			for p, old := range parts {
				if _, err := strconv.ParseFloat(old, 64); err != nil {
					continue
				}
				for _, v := range values {
					if v == old || strings.HasPrefix(key, "-") && p == 0 {
						continue
					}
					parts[p] = v
					words[w] = key + "=" + strings.Join(parts, ",")
					lines[i] = strings.Join(words, " ")
					list = append(list, strings.Join(lines, "\n")+"\n")
				}
				parts[p] = old
			}
			words[w] = word
		}
		lines[i] = line
	}
	return list
}

func models() string {
	if dir := os.Getenv("FLEXNNC_MODELS"); dir != "" {
		return dir
	}
	return filepath.Join("..", "..", "shared", "models")
}

// allocated counts the bytes that were ever allocated.
func allocated() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

// processorTime is what the process has used: on a busy machine the clock says
// little.
func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
