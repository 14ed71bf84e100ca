package cost

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestCount counts a loop whose executions are known, twice.
func TestCount(t *testing.T) {
	work, ctx := t.TempDir(), context.Background()
	tools, err := Find(ctx, work)
	var missing *MissingError
	if errors.As(err, &missing) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	const times = 1000
	for name, text := range map[string]string{
		"go.mod":  "module counted\n\ngo 1.24\n",
		"main.go": fmt.Sprintf("package main\n\nimport \"syscall\"\n\nfunc spin(n int)\n\nfunc main() {\n\tfor label := range 2 {\n\t\tspin(%d)\n\t\tsyscall.RawSyscall(syscall.SYS_GETPGID, %#x, uintptr(label), 0)\n\t}\n}\n", times, Mark),
		"spin.s":  "#include \"textflag.h\"\n\nTEXT ·spin(SB), NOSPLIT, $0-8\n\tMOVD n+0(FP), R0\nloop:\n\tVFMLA V0.S4, V1.S4, V2.S4\n\tSUBS $1, R0, R0\n\tBNE loop\n\tRET\n",
	} {
		if err := os.WriteFile(filepath.Join(work, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	program := filepath.Join(work, "counted")
	cmd := exec.Command("go", "build", "-o", program, ".")
	cmd.Dir = work
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH=arm64", "CGO_ENABLED=0", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	code, err := tools.Read(ctx, program, func(n string) bool { return strings.HasPrefix(n, "main.spin") })
	if err != nil {
		t.Fatal(err)
	}
	counts, err := tools.Count(ctx, work, program, code.Lo, code.Hi)
	if err != nil {
		t.Fatal(err)
	}
	c, err := tools.NewModel().Sum(ctx, code, counts, func(string) Kind { return Kernel })
	if err != nil {
		t.Fatal(err)
	}
	for label := range uint64(2) {
		s := c.ByLabel[label]
		if s == nil {
			t.Fatalf("no counts with label %d", label)
		}
		// The loop, and around it a load and a return.
		if n := s.Instructions[Kernel]; n != 3*times+2 {
			t.Errorf("label %d: %d instructions, want %d", label, n, 3*times+2)
		}
		if s.FMLAs != times {
			t.Errorf("label %d: %d multiply-adds, want %d", label, s.FMLAs, times)
		}
		for _, cpu := range CPUs() {
			// Each multiply-add waits for the one before: 2 to 7 cycles.
			if n := s.Cycles[cpu]; n < 2*times || n > 8*times {
				t.Errorf("label %d: %.0f cycles on %s", label, n, cpu)
			}
		}
	}
}
