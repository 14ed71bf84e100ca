package runtime

import (
	"embed"
	"io/fs"
	"strings"
)

//go:embed *.go
var source embed.FS

// Source returns this package's own source files, tests and this file excepted:
// what an emitted package copies. The map's keys are base names.
func Source() (map[string][]byte, error) {
	names, err := fs.Glob(source, "*")
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for _, n := range names {
		if n == "source.go" || strings.HasSuffix(n, "_test.go") {
			continue
		}
		if files[n], err = source.ReadFile(n); err != nil {
			return nil, err
		}
	}
	return files, nil
}
