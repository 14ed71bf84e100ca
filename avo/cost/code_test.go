package cost

import (
	"strings"
	"testing"
)

// gemm is a function as llvm-objdump prints it: a prologue, an inner loop and a
// return.
const gemm = `
0000000000001000 <gemm>:
    1000: 	ldr	x1, [x0]
    1004: 	cbz	x1, 0x1024 <gemm+0x24>
    1008: 	ldr	q0, [x2], #0x10
    100c: 	fmla	v8.4s, v1.4s, v0.s[0]
    1010: 	fmla	v9.4s, v1.4s, v0.s[1]
    1014: 	fmla	v10.4s, v1.4s, v0.s[2]
    1018: 	fmla	v11.4s, v1.4s, v0.s[3]
    101c: 	subs	x1, x1, #0x1
    1020: 	b.ne	0x1008 <gemm+0x8>
    1024: 	ret
`

func parsed(text string) (code []Instruction) {
	for _, l := range strings.Split(text, "\n") {
		if in, ok := parseLine(l); ok {
			code = append(code, in)
		}
	}
	return code
}

func TestBlocks(t *testing.T) {
	code := parsed(gemm)
	if len(code) != 10 {
		t.Fatalf("%d instructions, want 10", len(code))
	}
	bs := blocks(&Symbol{"gemm", 0x1000, 0x1028}, code)
	var got []string
	for _, b := range bs {
		s := modelText(b)
		if b.GEMM {
			s = "GEMM: " + s
		}
		got = append(got, s)
	}
	want := []string{
		"ldr x1, [x0]\ncbz x1, 0",
		"GEMM: ldr q0, [x2], #0x10\nfmla v8.4s, v1.4s, v0.s[0]\nfmla v9.4s, v1.4s, v0.s[1]\nfmla v10.4s, v1.4s, v0.s[2]\nfmla v11.4s, v1.4s, v0.s[3]\nsubs x1, x1, #0x1\nb.ne 0",
		"b 0",
	}
	if strings.Join(got, "\n--\n") != strings.Join(want, "\n--\n") {
		t.Errorf("blocks:\n%s\nwant:\n%s", strings.Join(got, "\n--\n"), strings.Join(want, "\n--\n"))
	}
	if n := bs[1].FMLAs(); n != 4 {
		t.Errorf("%d FMLAs, want 4", n)
	}
}

func TestModelTextOfBranches(t *testing.T) {
	for in, want := range map[string]string{
		"10: \ttbz\tw9, #0x0, 0xb76cc <f>":         "tbz w9, #0x0, 0",
		"10: \tadrp\tx1, 0xb7000 <g>":              "adrp x1, 0",
		"10: \tbl\t0xb76cc <f>":                    "b 0",
		"10: \tblr\tx3":                            "b 0",
		"10: \tmov\tx3, #0x10              // =16": "mov x3, #0x10",
	} {
		code := parsed(in)
		if len(code) != 1 {
			t.Errorf("%q is not read as an instruction", in)
			continue
		}
		if got := strings.ReplaceAll(modelText(&Block{Code: code}), "b 0x0", "b 0"); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestReadCounts(t *testing.T) {
	c, err := readCounts(strings.NewReader("3 4096 2 10\n3 4100 1 5\n4 4096 1 1\n"))
	if err != nil {
		t.Fatal(err)
	}
	if c[3][4096] != 10 || c[3][4100] != 15 || c[4][4096] != 1 {
		t.Errorf("counts %v", c)
	}
	for _, bad := range []string{"3 4096 2", "3 x 2 1"} {
		if _, err := readCounts(strings.NewReader(bad)); err == nil {
			t.Errorf("%q is read without an error", bad)
		}
	}
}
