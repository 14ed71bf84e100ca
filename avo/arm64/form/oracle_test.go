package form_test

import (
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/flexnnc/flexnnc/avo/arm64/form"
	"github.com/flexnnc/flexnnc/avo/arm64/internal/formtest"
	"golang.org/x/arch/arm64/arm64asm"
)

const (
	oracleSeed   = 2
	oracleRounds = 16
)

func tool(t *testing.T, names ...string) string {
	t.Helper()
	for _, n := range names {
		if p, err := exec.LookPath(n); err == nil {
			return p
		}
	}
	t.Skipf("not installed: %s", strings.Join(names, ", "))
	return ""
}

func samples(t *testing.T) []formtest.Instruction {
	t.Helper()
	ss, err := formtest.Samples(oracleSeed, oracleRounds)
	if err != nil {
		t.Fatal(err)
	}
	return ss
}

// TestLLVM assembles the GNU text of random instructions of every form.
func TestLLVM(t *testing.T) {
	mc := tool(t, "llvm-mc-19", "llvm-mc")
	ss := samples(t)
	var src strings.Builder
	for _, s := range ss {
		fmt.Fprintln(&src, s.GNU)
	}
	cmd := exec.Command(mc, "-triple=aarch64", "-mattr=+fullfp16,+dotprod", "-show-encoding")
	cmd.Stdin = strings.NewReader(src.String())
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%.3000s", err, stderr.String())
	}
	ms := regexp.MustCompile(`encoding: \[0x(..),0x(..),0x(..),0x(..)\]`).FindAllStringSubmatch(string(out), -1)
	if len(ms) != len(ss) {
		t.Fatalf("%d encodings for %d instructions", len(ms), len(ss))
	}
	for i, m := range ms {
		w, err := strconv.ParseUint(m[4]+m[3]+m[2]+m[1], 16, 32)
		if err != nil {
			t.Fatal(err)
		}
		if uint32(w) != ss[i].Word {
			t.Errorf("%s: %s: llvm-mc %08x, table %08x", ss[i].Form.Name, ss[i].GNU, w, ss[i].Word)
		}
	}
	t.Logf("%d instructions of %d forms", len(ss), len(form.All()))
}

var (
	hexImm    = regexp.MustCompile(`0x[0-9a-f]+`)
	expNum    = regexp.MustCompile(`#-?[0-9.]+e[-+][0-9]+`)
	carry     = regexp.MustCompile(`^b\.c[sc] |, c[sc]$`)
	testBit   = regexp.MustCompile(`^(tbn?z )w`)
	shifted   = regexp.MustCompile(`^((?:add|sub|adds|subs|cmp) .*#)(\d+), lsl #12$`)
	listRange = regexp.MustCompile(`\{v(\d+)\.(\w+)-v(\d+)\.\w+\}`)
	address   = regexp.MustCompile(`^(b|b\.\w+|cbn?z|tbn?z) `)
)

// normal brings GNU text of the table and of disassemblers to one spelling.
func normal(s string) string {
	s, _, _ = strings.Cut(s, "//")
	s = hexImm.ReplaceAllStringFunc(s, func(h string) string {
		n, err := strconv.ParseUint(h[2:], 16, 64)
		if err != nil {
			return h
		}
		return strconv.FormatInt(int64(n), 10)
	})
	s = expNum.ReplaceAllStringFunc(s, func(e string) string {
		v, err := strconv.ParseFloat(e[1:], 64)
		if err != nil {
			return e
		}
		return "#" + strconv.FormatFloat(v, 'f', -1, 64)
	})
	s = strings.ReplaceAll(strings.ReplaceAll(s, ", ", ","), ",", ", ")
	s = strings.ReplaceAll(strings.ReplaceAll(s, "{ ", "{"), " }", "}")
	s = strings.Join(strings.Fields(s), " ")
	s = strings.ReplaceAll(s, ", #0]", "]")
	s = strings.TrimSuffix(s, ".0")
	s = carry.ReplaceAllStringFunc(s, func(c string) string {
		return strings.Replace(strings.Replace(c, "cs", "hs", 1), "cc", "lo", 1)
	})
	s = testBit.ReplaceAllString(s, "${1}x") // bits below 32 are printed with a W register
	if m := shifted.FindStringSubmatch(s); m != nil {
		n, err := strconv.Atoi(m[2])
		if err == nil {
			s = m[1] + strconv.Itoa(n<<12)
		}
	}
	if m := listRange.FindStringSubmatch(s); m != nil {
		var regs []string
		last, _ := strconv.Atoi(m[3])
		for n, _ := strconv.Atoi(m[1]); ; n = (n + 1) % 32 {
			regs = append(regs, fmt.Sprintf("v%d.%s", n, m[2]))
			if n == last {
				break
			}
		}
		s = strings.Replace(s, m[0], "{"+strings.Join(regs, ", ")+"}", 1)
	}
	return strings.TrimSuffix(s, ", lsl #0")
}

// alias lists disassemblies which name the same instruction otherwise: the
// table's spelling first. A mask, a shift or a move that the architecture
// prints by a shorter name.
func alias(got, want string) bool {
	gm, wm := strings.Fields(got)[0], strings.Fields(want)[0]
	for _, p := range [][2]string{
		{"orr", "mov"}, {"movz", "mov"}, {"movn", "mov"}, {"not", "mvn"}, {"ands", "tst"},
		{"movi", "movi"}, // the 64-bit zero is printed with 16 digits
		{"ins", "mov"}, {"umov", "mov"}, {"dup", "mov"}, {"lsl", "lsr"}, {"csinc", "cinc"},
	} {
		if wm == p[0] && gm == p[1] || wm == p[1] && gm == p[0] {
			return true
		}
	}
	return false
}

// TestObjdump disassembles random instructions of every form with binutils.
func TestObjdump(t *testing.T) {
	objdump := tool(t, "aarch64-linux-gnu-objdump")
	ss := samples(t)
	bin := make([]byte, 4*len(ss))
	for i, s := range ss {
		binary.LittleEndian.PutUint32(bin[4*i:], s.Word)
	}
	file := filepath.Join(t.TempDir(), "words.bin")
	if err := os.WriteFile(file, bin, 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(objdump, "-D", "-z", "-b", "binary", "-m", "aarch64", file).Output()
	if err != nil {
		t.Fatal(err)
	}
	ms := regexp.MustCompile(`(?m)^\s+([0-9a-f]+):\s+([0-9a-f]{8})\s+(.*)$`).FindAllStringSubmatch(string(out), -1)
	if len(ms) != len(ss) {
		t.Fatalf("%d lines for %d instructions", len(ms), len(ss))
	}
	aliases := 0
	for i, m := range ms {
		got, want := normal(m[3]), normal(ss[i].GNU)
		if address.MatchString(got) { // an absolute address in place of the distance
			k := strings.LastIndexByte(got, ' ')
			at, err := strconv.ParseInt(got[k+1:], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			got = got[:k+1] + "#" + strconv.FormatInt(at-int64(4*i), 10)
		}
		switch {
		case got == want:
		case alias(got, want):
			aliases++
		default:
			t.Errorf("%s: objdump %q, table %q", ss[i].Form.Name, got, want)
		}
	}
	t.Logf("%d instructions, %d of them by an alias", len(ss), aliases)
}

// TestGoArch decodes with golang.org/x/arch, which always is at hand but knows
// neither dot products nor FP16 vectors.
func TestGoArch(t *testing.T) {
	unknown := 0
	ss := samples(t)
	var code [4]byte
	for _, s := range ss {
		binary.LittleEndian.PutUint32(code[:], s.Word)
		in, err := arm64asm.Decode(code[:])
		if err != nil {
			unknown++
			continue
		}
		got, want := normal(arm64asm.GNUSyntax(in)), normal(s.GNU)
		gm, wm := strings.Fields(got)[0], strings.Fields(want)[0]
		if gm != wm && !alias(got, want) {
			t.Errorf("%s %08x: x/arch %q, table %q", s.Form.Name, s.Word, got, want)
		}
	}
	if unknown > len(ss)/4 {
		t.Errorf("%d of %d words are unknown to x/arch", unknown, len(ss))
	}
	t.Logf("%d instructions, %d unknown to x/arch", len(ss), unknown)
}
