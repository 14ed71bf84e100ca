package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strconv"

	"github.com/urfave/cli/v2"

	"github.com/flexnnc/flexnnc/cmd/flexnnc/kernels"
	"github.com/flexnnc/flexnnc/cmd/flexnnc/program"
	"github.com/flexnnc/flexnnc/compiler/cost"
)

// benchKernels is bench --kernels: the kernels in place of a network.
func benchKernels(c *cli.Context) error {
	for _, name := range []string{"param", "bin", "random", "budget", "input", "output", "custom", "custom-shape", "custom-weights", "weights", "algorithm", "effort", "runs", "against"} {
		if c.IsSet(name) {
			return usagef("bench: --%s is for networks, and --kernels measures kernels", name)
		}
	}
	if c.String("out") != "" && !c.Bool("build-only") {
		return usagef("bench: --out FILE is for --build-only, which writes the benchmark in place of running it")
	}
	platform, err := settled(c)
	if err != nil {
		return err
	}
	only, err := regexp.Compile(c.String("kernel"))
	if err != nil {
		return usagef("bench: --kernel: %v", err)
	}
	target, err := cost.Load(c.String("target"))
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(c.Context, os.Interrupt)
	defer stop()
	work, err := os.MkdirTemp("", "flexnnckernels")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	out := c.String("out")
	switch {
	case out != "":
	case c.Bool("build-only"):
		out = fmt.Sprintf("flexnnc-kernels-%s-%s", platform.OS, platform.Arch)
	default:
		out = filepath.Join(work, "kernels")
	}
	p := newProgress(c.App.ErrWriter)
	p.say("building")
	weights, err := kernels.Build(ctx, platform, kernels.Options{Only: only, Target: target, Version: version, Work: work, Path: out})
	p.done()
	if err != nil {
		return err
	}
	if c.Bool("build-only") {
		return printProgram(c, platform, out, weights)
	}
	return runKernels(ctx, c, out)
}

// runKernels runs the program, whose output becomes the command's.
func runKernels(ctx context.Context, c *cli.Context, path string) error {
	args := []string{"-threads", strconv.Itoa(c.Int("threads")), "-kernel", c.String("kernel")}
	if c.Bool("json") {
		args = append(args, "-json")
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Stdout, cmd.Stderr = c.App.Writer, c.App.ErrWriter
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("the benchmark failed: %w", err)
	}
	return nil
}

// printProgram says what --build-only has written.
func printProgram(c *cli.Context, platform program.Platform, path, weights string) error {
	if c.Bool("json") {
		return json.NewEncoder(c.App.Writer).Encode(struct {
			Platform string `json:"platform"`
			Path     string `json:"path"`
			Weights  string `json:"weights,omitempty"`
		}{platform.String(), path, weights})
	}
	fmt.Fprintf(c.App.Writer, "benchmark for %s in %s, planned for %s\n", platform, path, c.String("target"))
	if weights != "" {
		fmt.Fprintf(c.App.Writer, "its weights, to be kept in the same folder, in %s\n", weights)
	}
	return nil
}
