// Command kernelstable writes the sections of docs/kernels.md that are measured: how
// near kernels are to the machine's limits, with a picture of it, and how much code
// networks take. What stands outside of its sections it leaves alone.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/flexnnc/flexnnc/cmd/flexnnc/kernels"
	"github.com/flexnnc/flexnnc/cmd/flexnnc/kernels/runner"
	"github.com/flexnnc/flexnnc/cmd/flexnnc/program"
	"github.com/flexnnc/flexnnc/compiler/cost"
)

func main() {
	var o options
	flag.StringVar(&o.doc, "out", "docs/kernels.md", "`FILE` whose sections are written")
	flag.StringVar(&o.picture, "picture", "docs/kernels.svg", "`FILE` for the picture")
	flag.StringVar(&o.from, "from", "", "`FILE` that flexnnc bench --kernels --json wrote, in place of measuring this machine")
	flag.StringVar(&o.models, "models", "../shared/models", "`FOLDER` of reference networks")
	flag.BoolVar(&o.size, "size", false, "write the section on sizes of code, and not that on speed")
	flag.Parse()
	if err := o.run(); err != nil {
		fmt.Fprintln(os.Stderr, "kernelstable:", err)
		os.Exit(1)
	}
}

type options struct {
	doc, picture, from, models string
	size                       bool
}

func (o *options) run() error {
	if o.size {
		text, err := sizes(context.Background(), o.models)
		if err != nil {
			return err
		}
		return replace(o.doc, "size", text)
	}
	r, err := o.report()
	if err != nil {
		return err
	}
	if err := os.WriteFile(o.picture, []byte(picture(r)), 0o644); err != nil {
		return err
	}
	return replace(o.doc, "speed", tables(r, filepath.Base(o.picture)))
}

// report reads what was measured, or measures.
func (o *options) report() (*runner.Report, error) {
	var text []byte
	var err error
	if o.from != "" {
		text, err = os.ReadFile(o.from)
	} else {
		text, err = measured(context.Background())
	}
	if err != nil {
		return nil, err
	}
	r := new(runner.Report)
	return r, json.Unmarshal(text, r)
}

// measured builds the program that measures and runs it.
func measured(ctx context.Context) ([]byte, error) {
	work, err := os.MkdirTemp("", "kernelstable")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(work)
	target, err := cost.Load("host")
	if err != nil {
		return nil, err
	}
	path := filepath.Join(work, "kernels")
	if _, err := kernels.Build(ctx, program.Host(), kernels.Options{Target: target, Version: "bench", Work: work, Path: path}); err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, path, "-json")
	cmd.Stderr = os.Stderr
	return cmd.Output()
}

// replace puts text between the marks of a section.
func replace(path, section, text string) error {
	doc, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	first, last := fmt.Appendf(nil, "<!-- %s: written by kernelstable -->\n", section), fmt.Appendf(nil, "<!-- end of %s -->", section)
	before, rest, found := bytes.Cut(doc, first)
	_, after, ended := bytes.Cut(rest, last)
	if !found || !ended {
		return fmt.Errorf("%s has no section %s: it begins with %q and ends with %q", path, section, strings.TrimSpace(string(first)), last)
	}
	return os.WriteFile(path, bytes.Join([][]byte{before, first, []byte("\n" + strings.Trim(text, "\n") + "\n\n"), last, after}, nil), 0o644)
}
