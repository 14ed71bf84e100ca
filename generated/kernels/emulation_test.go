package kernels

import (
	"os"
	"os/exec"
	"runtime"
	"testing"
)

// TestArm64 runs this package's tests for arm64 under emulation: the references
// are the same plain Go, so the two give the same bits.
func TestArm64(t *testing.T) {
	if runtime.GOARCH == "arm64" {
		t.Skip("the tests run on arm64 already")
	}
	if testing.Short() {
		t.Skip("-short")
	}
	qemu, err := exec.LookPath("qemu-aarch64")
	if err != nil {
		t.Skip("qemu-aarch64 (Debian package qemu-user) is not installed")
	}
	c := exec.Command("go", "test", "-count=1", "-short", "-exec", qemu, ".")
	c.Env = append(os.Environ(), "GOARCH=arm64", "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// TestPortable vets this package without its assembly, and for an architecture
// that has none, and runs the tests so.
func TestPortable(t *testing.T) {
	if testing.Short() {
		t.Skip("-short")
	}
	args := []string{"test", "-count=1", "-short", "-tags=noasm"}
	if runtime.GOARCH == "arm64" {
		// These tests may run under emulation, which those that go test builds need too.
		if qemu, err := exec.LookPath("qemu-aarch64"); err == nil {
			args = append(args, "-exec", qemu)
		}
	}
	if out, err := exec.Command("go", append(args, ".")...).CombinedOutput(); err != nil {
		t.Fatalf("with the tag noasm: %v\n%s", err, out)
	}
	c := exec.Command("go", "vet", ".")
	c.Env = append(os.Environ(), "GOARCH=riscv64", "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("go vet for riscv64: %v\n%s", err, out)
	}
}
