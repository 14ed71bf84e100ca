//go:build unix

package compiler

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"runtime/metrics"
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
	defer func() {
		if p := recover(); p != nil {
			panicked = fmt.Sprintf("%v\n%s", p, debug.Stack())
		}
	}()
	var warnings diag.List
	g, faults := ncnn.ParseParam("hostile.param", param, &warnings)
	if err := faults.Err(); err != nil {
		return err, nil
	}
	if weights > 0 {
		faults := ncnn.ReadWeights(g, "hostile.bin", zeros{}, weights)
		if err := faults.Err(); err != nil && !strings.Contains(err.Error(), "left over") {
			return err, nil
		}
	}
	lowered, err := Lower(g, Options{Threads: 1})
	if err != nil {
		return err, nil
	}
	for _, o := range []Options{{Threads: 1}, {Threads: 2, Min: true}} {
		if _, err = Plan(lowered, o); err != nil {
			break
		}
	}
	return err, nil
}

// TestHostileParams changes every number of every small network, one at a time.
func TestHostileParams(t *testing.T) {
	var files []string
	for _, dir := range []string{"testdata/nets", filepath.Join(models(), "layers")} {
		filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
			if err == nil && strings.HasSuffix(path, ".param") {
				files = append(files, path)
			}
			return nil
		})
	}
	values := []string{"0", "-1", "-233", "7", "65536", "1073741824", "2147483647", "-2147483648", "1e38", "-0.0"}
	seen := map[string]bool{}
	for n, path := range files {
		if testing.Short() && n%16 != 0 {
			continue
		}
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
				stuck := time.AfterFunc(200*hostileTime, func() { panic("no answer for\n" + change) })
				before, start := allocated(), processorTime()
				err, p := tryParam([]byte(change), weights)
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
				default:
					continue
				}
				break
			}
		}
	}
	t.Logf("%d networks", len(seen))
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
