package runner

import (
	"os"
	"path/filepath"
	"testing"
)

func TestCachesApart(t *testing.T) {
	for _, c := range []struct {
		level, sharing string
		want           bool
	}{
		{"2\n", "0\n", true},
		{"2\n", "0-3\n", false},
		{"3\n", "0\n", false},
		{"", "", false},
	} {
		dir := t.TempDir()
		at := filepath.Join(dir, "cpu0", "cache", "index2")
		if c.level != "" {
			if err := os.MkdirAll(at, 0o755); err != nil {
				t.Fatal(err)
			}
			for name, text := range map[string]string{"level": c.level, "shared_cpu_list": c.sharing} {
				if err := os.WriteFile(filepath.Join(at, name), []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		}
		if got := cachesApart(dir); got != c.want {
			t.Errorf("level %q, shared by %q: %v", c.level, c.sharing, got)
		}
	}
}
