package form_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flexnnc/flexnnc/avo/arm64/form"
	"github.com/flexnnc/flexnnc/avo/arm64/internal/formtest"
)

var update = flag.Bool("update", false, "write testdata/words.txt; run TestLLVM and TestObjdump before committing it")

// TestGolden compares every form, at both ends of its immediates and at a random
// point, with words that llvm-mc and binutils confirmed when they were written.
func TestGolden(t *testing.T) {
	ss, err := formtest.Samples(1, 3)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, s := range ss {
		fmt.Fprintf(&b, "%08x %-16s %s\n", s.Word, s.Form.Name, s.GNU)
	}
	path := filepath.Join("testdata", "words.txt")
	if *update {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	got, lines := strings.Split(b.String(), "\n"), strings.Split(string(want), "\n")
	if len(got) != len(lines) {
		t.Errorf("%d lines, want %d", len(got), len(lines))
	}
	for i := range min(len(got), len(lines)) {
		if got[i] != lines[i] {
			t.Errorf("line %d: got %q, want %q", i+1, got[i], lines[i])
		}
	}
	if n := len(form.All()); len(ss) != 3*n {
		t.Errorf("%d instructions of %d forms", len(ss), n)
	}
}

// TestRanges takes each immediate one step beyond its bounds, and off its step.
func TestRanges(t *testing.T) {
	n := 0
	for _, f := range form.All() {
		for i, o := range f.Operands {
			if o.Kind != form.Imm && o.Kind != form.Label {
				continue
			}
			step := max(o.Step, 1)
			bad := []int64{o.Min - step, o.Max + step, o.Min - 1, o.Max + 1}
			if step > 1 {
				bad = append(bad, o.Min+1)
			}
			for _, v := range bad {
				err := f.CheckValue(i, v)
				if err == nil {
					t.Errorf("%s: %s = %d accepted", f.Name, o.Name, v)
				} else if !strings.Contains(err.Error(), f.Name) || !strings.Contains(err.Error(), o.Name) {
					t.Errorf("error %q names neither form nor operand", err)
				}
				n++
			}
		}
	}
	if n == 0 {
		t.Error("no immediate found")
	}
}

func TestEncodeErrors(t *testing.T) {
	for _, c := range []struct {
		form string
		vals []int64
		want string
	}{
		{"LDPQ", []int64{2048, 0, 1, 2}, "out of range -1024 to 1008"},
		{"LDPQ", []int64{8, 0, 1, 2}, "not a multiple of 16"},
		{"LDPX", []int64{0, 3, 4, 4}, "unpredictable"},
		{"LDRXPost", []int64{8, 5, 5}, "unpredictable"},
		{"STRXPre", []int64{5, 8, 5}, "unpredictable"},
		{"STPXPost", []int64{1, 5, 16, 5}, "unpredictable"},
		{"PRFM", []int64{3, 0}, "not a multiple of 8"},
		{"ADDI", []int64{4097, 0, 0}, "neither below 4096 nor a multiple"},
		{"ANDI", []int64{5, 0, 0}, "no rotated run"},
		{"ANDI", []int64{0, 0, 0}, "all zeros"},
		{"FMOVI", []int64{0, 0}, "no 8-bit floating-point"},
		{"FMLAElem", []int64{0, 4, 0, 0}, "out of range 0 to 3"},
		{"FMLAElem_8H", []int64{16, 0, 0, 0}, "no such register, want 0 to 15"},
		{"LD2_4S", []int64{0, 4, 6}, "the list needs V5"},
		{"CSEL", []int64{14, 0, 0, 0}, "no such condition"},
		{"ADD", []int64{0, 0}, "2 operands, want 3"},
		{"ADD", []int64{31, 0, 0}, "no such register"},
	} {
		_, err := form.ByName(c.form).Encode(c.vals)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %v: error %v, want %q", c.form, c.vals, err, c.want)
		}
	}
}
