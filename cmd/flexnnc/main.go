// Command flexnnc compiles ncnn networks into Go packages that run within a
// memory budget. It parses flags, prints, and chooses exit codes; everything else
// is in the packages it calls.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/flexnnc/flexnnc/compiler/schedule"
	"github.com/flexnnc/flexnnc/ir/diag"
)

// version is recorded in every emitted package.
const version = "0.1.0"

// Exit codes.
const (
	exitOK       = 0
	exitInput    = 1  // the network, its files or the machine are at fault
	exitUsage    = 2  // the command line is
	exitTooSmall = 3  // nothing fits the budget
	exitBug      = 70 // flexnnc is
)

func main() {
	os.Exit(run(os.Args, os.Stdout, os.Stderr))
}

// usageError is a command line that cannot be understood.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

func usagef(format string, args ...any) error {
	return &usageError{fmt.Sprintf(format, args...)}
}

// errPrinted is an error that has been printed already; only the exit code is left.
var errPrinted = errors.New("printed")

// run is the whole program but for the exit.
func run(args []string, stdout, stderr io.Writer) int {
	showStack := false
	app := newApp(stdout, stderr)
	app.Before = func(c *cli.Context) error {
		showStack = c.Bool("debug")
		return nil
	}
	return protect(stderr, func() bool { return showStack }, func() error { return app.Run(args) })
}

// protect runs the program, and makes a panic an exit code.
func protect(stderr io.Writer, showStack func() bool, program func() error) (code int) {
	defer func() {
		if p := recover(); p != nil {
			fmt.Fprintf(stderr, "flexnnc: internal error: %v\n%s\n", p, reportText)
			if showStack() {
				stderr.Write(debug.Stack())
			} else {
				fmt.Fprintln(stderr, "flexnnc --debug COMMAND ... shows where it happened.")
			}
			code = exitBug
		}
	}()
	return explain(program(), stderr)
}

const reportText = "This is a mistake in flexnnc and not in your network. Please report it, with the command and the .param file."

// explain prints an error and says how to exit.
func explain(err error, stderr io.Writer) int {
	var usage *usageError
	var small *schedule.InfeasibleError
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errPrinted):
		return exitInput
	case errors.As(err, &usage):
		fmt.Fprintf(stderr, "flexnnc: %s\n", usage.text)
		return exitUsage
	case strings.Contains(err.Error(), "BUG:"):
		fmt.Fprintf(stderr, "flexnnc: %v\n%s\n", err, reportText)
		return exitBug
	case errors.As(err, &small):
		printInfeasible(stderr, small)
		return exitTooSmall
	}
	if d, ok := diag.As(err); ok {
		fmt.Fprintln(stderr, d)
		return exitInput
	}
	fmt.Fprintf(stderr, "flexnnc: %v\n", err)
	return exitInput
}

func printInfeasible(w io.Writer, e *schedule.InfeasibleError) {
	fmt.Fprintf(w, "flexnnc: a budget of %s is too small; the smallest that works is %d bytes (%s)\n",
		sizeText(int64(e.Budget)), e.Smallest, sizeText(int64(e.Smallest)))
	fmt.Fprintf(w, "\tin the way, during %s:\n", e.At)
	for _, b := range e.Blocking {
		fmt.Fprintf(w, "\t\t%s\n", b)
	}
}

func newApp(stdout, stderr io.Writer) *cli.App {
	app := &cli.App{
		Name:                      "flexnnc",
		Usage:                     "compile ncnn networks into Go packages that run within a memory budget",
		Version:                   version,
		HideVersion:               true, // there is a command
		Writer:                    stdout,
		ErrWriter:                 stderr,
		DisableSliceFlagSeparator: true, // --input data=227,227,3
		Flags:                     []cli.Flag{&cli.BoolFlag{Name: "debug", Usage: "show a stack when flexnnc itself fails"}},
		Commands:                  []*cli.Command{compileCommand, planCommand, profileCommand, benchCommand, compareCommand, inspectCommand, verifyCommand, versionCommand},
		ExitErrHandler:            func(*cli.Context, error) {}, // run decides
		OnUsageError:              onUsageError,
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return usagef("there is no command %q; flexnnc --help lists them", c.Args().First())
			}
			return usagef("which command? flexnnc --help lists them")
		},
	}
	for _, c := range app.Commands {
		c.OnUsageError = onUsageError
		c.HideHelpCommand = true
		action := c.Action
		c.Action = func(c *cli.Context) error {
			if c.Args().Present() {
				return usagef("%s takes no argument %q: everything is a flag, such as --param FILE", c.Command.Name, c.Args().First())
			}
			return action(c)
		}
	}
	return app
}

func onUsageError(c *cli.Context, err error, _ bool) error {
	if c.Command != nil && c.Command.Name != "" && c.Command.Name != "flexnnc" {
		return usagef("%s: %v; flexnnc %s --help lists the flags", c.Command.Name, err, c.Command.Name)
	}
	return usagef("%v; flexnnc --help lists the commands", err)
}

var versionCommand = &cli.Command{
	Name:  "version",
	Usage: "print the version",
	Action: func(c *cli.Context) error {
		_, err := fmt.Fprintf(c.App.Writer, "flexnnc %s\n", version)
		return err
	},
}
