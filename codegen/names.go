package codegen

import (
	"fmt"
	"strings"
	"unicode"
)

// names hands out Go identifiers for arbitrary layer and blob names, each once.
type names map[string]bool

// exported makes an upper camel case identifier: "fire2/expand3x3" -> "Fire2Expand3x3".
func (n names) exported(s string) string {
	var b strings.Builder
	up := true
	for _, r := range s {
		if r > unicode.MaxASCII || !(unicode.IsLetter(r) || unicode.IsDigit(r)) {
			up = true
			continue
		}
		if b.Len() == 0 && unicode.IsDigit(r) {
			b.WriteByte('N')
		}
		if up {
			r = unicode.ToUpper(r)
			up = false
		}
		b.WriteRune(r)
	}
	if b.Len() == 0 {
		b.WriteString("Blob")
	}
	return n.unique(b.String())
}

// unique returns s, or s with the first free number behind it.
func (n names) unique(s string) string {
	t := s
	for i := 2; n[t]; i++ {
		t = fmt.Sprintf("%s_%d", s, i)
	}
	n[t] = true
	return t
}

// bytesText prints a size for people.
func bytesText(n int64) string {
	switch {
	case n < 10<<10:
		return fmt.Sprintf("%d B", n)
	case n < 10<<20:
		return fmt.Sprintf("%.1f KiB", float64(n)/1024)
	}
	return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
}
