package arm64

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// kernModule writes a module with the printed functions and the given Go files.
func kernModule(t *testing.T, c *Context, pkg string, files map[string]string) string {
	t.Helper()
	if err := c.Compile(); err != nil {
		t.Fatal(err)
	}
	asm, stubs, err := c.Print(pkg, "arm64 && !noasm")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name string, data []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("go.mod", []byte("module kern\n\ngo 1.26\n"))
	write("kern.s", asm)
	write("kern.go", stubs)
	for n, s := range files {
		write(n, []byte(s))
	}
	return dir
}

// goTool runs the go command for linux/arm64 in dir.
func goTool(t *testing.T, dir string, args ...string) ([]byte, error) {
	t.Helper()
	cmd := exec.Command("go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOARCH=arm64", "GOOS=linux", "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off", "GOPROXY=off")
	return cmd.CombinedOutput()
}

// everyNative uses all forms and pseudo instructions that cmd/asm expands.
func everyNative(c *Context) {
	c.Function("everyNative", "func(n int, b bool, i8 int8, u8 uint8, i16 int16, u16 uint16, i32 int32, u32 uint32, f float32, d float64, p *float32, s []byte) (r uint64, w uint32, h float32)")
	table := c.Data("table", 0x3f800000, 0xdeadbeef, 3)
	var last GP
	for _, name := range []string{"b", "i8", "u8", "i16", "u16", "i32", "u32", "f", "d", "p", "s_base", "s_len", "s_cap"} {
		last = c.Load(name)
	}
	n, f, a := c.Load("n"), c.LoadS("f"), c.GP()
	c.Addr(table, a)
	c.LDRX(0, a, a)
	c.Align(16)
	c.Label("top")
	c.SUBSI(1, n, n)
	for _, branch := range []func(string){c.BEQ, c.BNE, c.BHS, c.BLO, c.BMI, c.BPL, c.BVS, c.BVC, c.BHI, c.BLS, c.BGE, c.BLT, c.BGT, c.BLE} {
		branch("top")
	}
	c.CBZ(n, "end")
	c.CBNZ(last, "end")
	c.CBZW(n, "end")
	c.CBNZW(last, "end")
	c.TBZ(0, n, "end")
	c.TBZ(63, n, "end")
	c.TBNZ(31, n, "top")
	c.TBNZ(32, n, "top")
	c.B("top")
	c.Label("end")
	c.Store(a, "r")
	c.Store(a, "w")
	c.StoreS(f, "h")
	c.RET()
}

// TestAssemble assembles printed files with cmd/asm, checks frame offsets with
// vet, and compares the object code with the listing: words must come out as
// they are and branches as the table encodes them.
func TestAssemble(t *testing.T) {
	c := New()
	axpy(c)
	everyNative(c)
	dir := kernModule(t, c, "kern", nil)
	if out, err := goTool(t, dir, "vet", "."); err != nil {
		t.Fatalf("vet: %v\n%s", err, out)
	}
	goroot, err := goTool(t, dir, "env", "GOROOT")
	if err != nil {
		t.Fatal(err)
	}
	obj := filepath.Join(dir, "kern.o")
	if out, err := goTool(t, dir, "tool", "asm", "-p", "kern", "-I", filepath.Join(strings.TrimSpace(string(goroot)), "pkg", "include"), "-o", obj, "kern.s"); err != nil {
		t.Fatalf("asm: %v\n%s", err, out)
	}
	dump, err := goTool(t, dir, "tool", "objdump", obj)
	if err != nil {
		t.Fatalf("objdump: %v\n%s", err, dump)
	}
	code := map[string][]uint32{}
	fn := ""
	for _, l := range strings.Split(string(dump), "\n") {
		if m := regexp.MustCompile(`^TEXT (?:kern\.)?(\w+)\(SB\)`).FindStringSubmatch(l); m != nil {
			fn = m[1]
		}
		if m := regexp.MustCompile(`\s0x[0-9a-f]+\s+([0-9a-f]{8})\s`).FindStringSubmatch(l); m != nil {
			b, err := hex.DecodeString(m[1])
			if err != nil {
				t.Fatal(err)
			}
			code[fn] = append(code[fn], binary.BigEndian.Uint32(b))
		}
	}
	for _, fn := range c.Functions() {
		want, mask := assembleListing(t, c.Listing(fn))
		got := code[fn]
		if len(got) < len(want) {
			t.Fatalf("%s: %d words of object code, want %d", fn, len(got), len(want))
		}
		for i := range want {
			if got[i]&mask[i] != want[i] {
				t.Errorf("%s: word %d: cmd/asm %08x, table %08x", fn, i, got[i], want[i])
			}
		}
	}
}

// assembleListing lays out a listing with llvm-mc; relocated bits are masked.
func assembleListing(t *testing.T, ls []Line) (words, mask []uint32) {
	t.Helper()
	mc, err := exec.LookPath("llvm-mc-19")
	if err != nil {
		if mc, err = exec.LookPath("llvm-mc"); err != nil {
			t.Skip("not installed: llvm-mc-19, llvm-mc")
		}
	}
	var src bytes.Buffer
	for _, l := range ls {
		src.WriteString(l.GNU + "\n")
	}
	obj := filepath.Join(t.TempDir(), "ref.o")
	cmd := exec.Command(mc, "-triple=aarch64", "-filetype=obj", "-mattr=+fullfp16,+dotprod", "-o", obj)
	cmd.Stdin = &src
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	objdump, err := exec.LookPath("aarch64-linux-gnu-objdump")
	if err != nil {
		t.Skip("not installed: aarch64-linux-gnu-objdump")
	}
	out, err := exec.Command(objdump, "-d", "-z", obj).Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)^\s+[0-9a-f]+:\s+([0-9a-f]{8})\s+(\S+)(.*)$`).FindAllStringSubmatch(string(out), -1) {
		b, err := hex.DecodeString(m[1])
		if err != nil {
			t.Fatal(err)
		}
		w, k := binary.BigEndian.Uint32(b), ^uint32(0)
		if m[2] == "adrp" {
			k = 0x9f00001f
		}
		words, mask = append(words, w&k), append(mask, k)
	}
	return words, mask
}
