package program

import (
	"fmt"
	"runtime"
	"strings"
)

// Platform is what a binary is built for.
type Platform struct{ OS, Arch string }

// Host is the machine at hand.
func Host() Platform { return Platform{runtime.GOOS, runtime.GOARCH} }

func (p Platform) String() string { return p.OS + "/" + p.Arch }

// ParsePlatform reads "linux/arm64".
func ParsePlatform(s string) (Platform, error) {
	system, arch, ok := strings.Cut(s, "/")
	if !ok || system == "" || arch == "" || strings.Contains(arch, "/") {
		return Platform{}, fmt.Errorf("%q is no platform; write GOOS/GOARCH, as linux/arm64", s)
	}
	return Platform{system, arch}, nil
}
