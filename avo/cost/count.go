package cost

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
)

// Mark is the first argument of the system call getpgid with which the program
// that is measured marks an instant; the second is a label. Counts are those of
// the time between two marks, and carry the label of the later one.
const Mark = 0x7f1e7f1e

// Counts is how often the instruction at each address was executed, by label.
type Counts map[uint64]map[uint64]uint64

// Count runs a program under qemu and counts in the address range [lo, hi). Go
// programs run with one thread and without what would disturb the counts. The
// program gets args.
func (t *Tools) Count(ctx context.Context, work, program string, lo, hi uint64, args ...string) (Counts, error) {
	out := filepath.Join(work, "counts")
	arg := fmt.Sprintf("file=%s,lo=%#x,hi=%#x,out=%s", t.Plugin, lo, hi, out)
	cmd := exec.CommandContext(ctx, t.QEMU, append([]string{"-plugin", arg, program}, args...)...)
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1", "GOGC=off", "GODEBUG=asyncpreemptoff=1")
	if text, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("running %s under qemu: %w\n%s", filepath.Base(program), err, text)
	}
	f, err := os.Open(out)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readCounts(f)
}

// readCounts reads lines of label, address of a block, its instructions, runs.
func readCounts(r io.Reader) (Counts, error) {
	c := Counts{}
	s := bufio.NewScanner(r)
	s.Split(bufio.ScanWords)
	for {
		var v [4]uint64
		for i := range v {
			if !s.Scan() {
				if i > 0 {
					return nil, fmt.Errorf("the plugin's counts end in the middle of a line")
				}
				return c, s.Err()
			}
			var err error
			if v[i], err = strconv.ParseUint(s.Text(), 10, 64); err != nil {
				return nil, fmt.Errorf("the plugin's counts: %w", err)
			}
		}
		at := c[v[0]]
		if at == nil {
			at = map[uint64]uint64{}
			c[v[0]] = at
		}
		for i := range v[2] {
			at[v[1]+4*i] += v[3]
		}
	}
}
