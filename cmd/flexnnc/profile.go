package main

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"github.com/flexnnc/flexnnc/cmd/flexnnc/profile"
	"github.com/flexnnc/flexnnc/cmd/flexnnc/program"
)

var platformFlag = &cli.StringFlag{Name: "platform", Value: program.Host().String(), Usage: "`GOOS/GOARCH` to build for"}

var profileCommand = &cli.Command{
	Name:  "profile",
	Usage: "write the program that measures a device, and prints what --target reads",
	Flags: []cli.Flag{
		platformFlag,
		&cli.StringFlag{Name: "out", Usage: "`FILE` to write the program to; by default flexnnc-profile-GOOS-GOARCH in this folder"},
		&cli.BoolFlag{Name: "run", Usage: "measure this machine, and print its target"},
		&cli.StringFlag{Name: "name", Usage: "with --run, `NAME` of the target; by default the host's"},
		&cli.StringFlag{Name: "dir", Value: ".", Usage: "with --run, `DIR` on the storage that weights will be read from"},
	},
	Action: profileAction,
}

func profileAction(c *cli.Context) error {
	platform, err := program.ParsePlatform(c.String("platform"))
	switch {
	case err != nil:
		return usagef("profile: --platform: %v", err)
	case c.Bool("run") && c.String("out") != "":
		return usagef("profile: --run and --out exclude each other")
	case c.Bool("run") && platform != program.Host():
		return usagef("profile: a program for %s does not run here", platform)
	case !c.Bool("run") && (c.IsSet("name") || c.IsSet("dir")):
		return usagef("profile: --name and --dir go with --run; the program that is written has flags -name and -dir")
	}
	ctx, stop := signal.NotifyContext(c.Context, os.Interrupt)
	defer stop()
	work, err := os.MkdirTemp("", "flexnncprofile")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	out := c.String("out")
	switch {
	case c.Bool("run"):
		out = filepath.Join(work, "profile")
	case out == "":
		out = fmt.Sprintf("flexnnc-profile-%s-%s", platform.OS, platform.Arch)
	}
	p := newProgress(c.App.ErrWriter)
	p.say("building the program")
	err = profile.Build(ctx, platform, version, work, out)
	p.done()
	if err != nil {
		return err
	}
	if !c.Bool("run") {
		_, err := fmt.Fprintf(c.App.Writer, "program for %s in %s: run it on the device, with -dir DIR on the storage of the weights, and keep the JSON that it prints for --target\n", platform, out)
		return err
	}
	args := []string{"-dir", c.String("dir")}
	if c.IsSet("name") {
		args = append(args, "-name", c.String("name"))
	}
	cmd := exec.CommandContext(ctx, out, args...)
	cmd.Stdout, cmd.Stderr = c.App.Writer, c.App.ErrWriter
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("the program failed: %w", err)
	}
	return nil
}
