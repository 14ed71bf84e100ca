// Gen writes the committed package generated/kernels: the runtime's sources with
// every kernel there is, which the kernels' tests run in.
//
//	go run ./avo/kernel/gen
package main

import (
	"log"
	"os"
	"path/filepath"

	"github.com/flexnnc/flexnnc/avo/kernel/lane"
	"github.com/flexnnc/flexnnc/avo/kernel/lane/sample"
	"github.com/flexnnc/flexnnc/avo/kernel/whole"
)

const (
	pkg = "kernels"
	dir = "generated/kernels"
)

func main() {
	log.SetFlags(0)
	files, err := whole.Sources(pkg,
		func() (map[string][]byte, error) { return lane.Generate(pkg, sample.Programs()) },
		func() (map[string][]byte, error) { return lane.Versions(pkg, sample.Programs()) },
	)
	if err != nil {
		log.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		log.Fatal(err)
	}
	for name, b := range files {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			log.Fatal(err)
		}
	}
}
