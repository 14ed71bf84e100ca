package runtime

import (
	"bytes"
	"os"
	"runtime"
)

// inOrder is 1 where every core of an arm64 machine is known to issue in order: NEON
// kernels then load by halves of registers, which go beside multiply-adds there.
// Results do not depend on it.
var inOrder = coresInOrder()

func coresInOrder() int {
	if runtime.GOARCH != "arm64" {
		return 0
	}
	b, err := os.ReadFile("/proc/cpuinfo")
	if err != nil || !allInOrder(b) {
		return 0
	}
	return 1
}

// allInOrder reads Linux's description of the CPUs: the part numbers are those of
// Arm's main identification register.
func allInOrder(cpuinfo []byte) bool {
	found := false
	for _, line := range bytes.Split(cpuinfo, []byte("\n")) {
		name, value, ok := bytes.Cut(line, []byte(":"))
		if !ok || string(bytes.TrimSpace(name)) != "CPU part" {
			continue
		}
		switch string(bytes.TrimSpace(value)) {
		case "0xd03", "0xd04", "0xd05": // Cortex-A53, A35, A55
			found = true
		default:
			return false
		}
	}
	return found
}
