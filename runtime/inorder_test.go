package runtime

import (
	"strings"
	"testing"
)

func TestAllInOrder(t *testing.T) {
	for parts, want := range map[string]bool{
		"":                   false,
		"0xd03 0xd03":        true,
		"0xd05 0xd05":        true,
		"0xd05 0xd05 0xd0b":  false, // big and little
		"0xd08":              false,
		"0xd03 0xd03 0xd0c0": false,
	} {
		var b strings.Builder
		for i, p := range strings.Fields(parts) {
			b.WriteString("processor\t: " + string(rune('0'+i)) + "\nCPU implementer\t: 0x41\nCPU part\t: " + p + "\n\n")
		}
		if got := allInOrder([]byte(b.String())); got != want {
			t.Errorf("%q: %v, want %v", parts, got, want)
		}
	}
}
