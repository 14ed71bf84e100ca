package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/flexnnc/flexnnc/cmd/flexnnc/random"
	"github.com/flexnnc/flexnnc/codegen"
	"github.com/flexnnc/flexnnc/compiler"
	"github.com/flexnnc/flexnnc/compiler/cases"
	"github.com/flexnnc/flexnnc/compiler/ncnn"
)

// networks are those that the table is of, in the folder synthetic of the models.
var networks = []string{
	"squeezenet", "squeezenet_int8", "mobilenet", "mobilenet_v2", "mobilenet_v3", "shufflenet_v2", "mnasnet", "efficientnet_b0", "googlenet", "resnet18", "resnet50", "resnet152",
	"alexnet", "vgg16", "vgg19", "vision_transformer", "gpt2", "blazeface", "nanodet_m", "yolov4-tiny", "mobilenet_ssd",
}

// code is the bytes of a package.
type code struct {
	source map[string]int // of assembly, by GOARCH
	text   map[string]int // of machine code, by instruction set, and of Go by GOARCH
}

// sizes is the section on sizes of code.
func sizes(ctx context.Context, models string) (string, error) {
	var b strings.Builder
	b.WriteString("| network | .s, amd64 | AVX-512 | AVX2 | Go, amd64 | .s, arm64 | NEON | Go, arm64 |\n|---|---|---|---|---|---|---|---|\n")
	for _, name := range networks {
		c, err := sizesOf(ctx, filepath.Join(models, "synthetic", name))
		if err != nil {
			return "", fmt.Errorf("%s: %w", name, err)
		}
		kilo := func(n int) string { return fmt.Sprintf("%.1f", float64(n)/1e3) }
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s | %s |\n", name, kilo(c.source["amd64"]), kilo(c.text["AVX512"]), kilo(c.text["AVX2"]), kilo(c.text["amd64"]),
			kilo(c.source["arm64"]), kilo(c.text["NEON"]), kilo(c.text["arm64"]))
	}
	return b.String(), nil
}

func sizesOf(ctx context.Context, dir string) (*code, error) {
	suite, err := cases.Read(filepath.Join(dir, "case.json"))
	if err != nil {
		return nil, err
	}
	n, err := ncnn.Open(suite.Param, "")
	if err != nil {
		return nil, err
	}
	defer n.Close()
	random.Weights(n.Graph)
	p, err := compiler.Compile(n.Graph, compiler.Options{Inputs: suite.InputShapes(), Threads: 4})
	if err != nil {
		return nil, err
	}
	files, err := codegen.Sources(p, codegen.Options{Package: "network", Command: "kernelstable", Version: "bench", EmbedLimit: -1})
	if err != nil {
		return nil, err
	}
	work, err := os.MkdirTemp("", "kernelstable")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(work)
	files["go.mod"] = []byte("module network\n\ngo 1.24\n")
	c := &code{source: map[string]int{}, text: map[string]int{}}
	for name, text := range files {
		if base, ok := strings.CutSuffix(name, ".s"); ok {
			c.source[base[strings.LastIndexByte(base, '_')+1:]] += len(text)
		}
		if err := os.WriteFile(filepath.Join(work, name), text, 0o644); err != nil {
			return nil, err
		}
	}
	for _, arch := range []string{"amd64", "arm64"} {
		if err := c.count(ctx, work, arch); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// kernel matches the functions of assembly: their names end in what they are for.
var kernel = regexp.MustCompile(`(AVX512|VNNI|AVX2|NEON|SDOT)(Body\w*)?$`)

// count adds the machine code of a package for an architecture.
func (c *code) count(ctx context.Context, dir, arch string) error {
	archive := filepath.Join(dir, arch+".a")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", archive, ".")
	build.Dir = dir
	build.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off", "GOOS=linux", "GOARCH="+arch, "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("building for %s: %v\n%s", arch, err, bytes.TrimSpace(out))
	}
	nm := exec.CommandContext(ctx, "go", "tool", "nm", "-size", "-type", archive)
	out, err := nm.Output()
	if err != nil {
		return fmt.Errorf("go tool nm: %w", err)
	}
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		f := strings.Fields(lines.Text())
		for i := 1; i+1 < len(f); i++ {
			if f[i] != "T" && f[i] != "t" {
				continue
			}
			size, err := strconv.Atoi(f[i-1])
			if err != nil {
				return fmt.Errorf("go tool nm printed %q", lines.Text())
			}
			isa := arch
			if m := kernel.FindStringSubmatch(f[i+1]); m != nil {
				isa = map[string]string{"VNNI": "AVX512", "SDOT": "NEON"}[m[1]]
				if isa == "" {
					isa = m[1]
				}
			}
			c.text[isa] += size
			break
		}
	}
	return nil
}
