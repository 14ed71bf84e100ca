package main

import (
	"fmt"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"github.com/flexnnc/flexnnc/codegen"
	"github.com/flexnnc/flexnnc/compiler"
)

var compileCommand = &cli.Command{
	Name:  "compile",
	Usage: "write a Go package that runs a network within a budget",
	Flags: []cli.Flag{
		paramFlag, binFlag, budgetFlag,
		&cli.StringFlag{Name: "out", Usage: "`DIR` that the package is written to"},
		&cli.StringFlag{Name: "package", Usage: "Go package `NAME`; by default from DIR"},
		inputFlag, outputFlag, threadsFlag, targetFlag, dumpFlag,
	},
	Action: compileAction,
}

func compileAction(c *cli.Context) error {
	if c.String("out") == "" {
		return usagef("compile: --out DIR is needed")
	}
	b, err := parseBudget(c.String("budget"))
	if err != nil {
		return usagef("compile: %v", err)
	}
	p := newProgress(c.App.ErrWriter)
	defer p.done()
	p.say("reading %s", c.String("bin"))
	n, o, err := network(c, true)
	if err != nil {
		return err
	}
	defer n.Close()
	o.Budget, o.Min = b.bytes, b.min
	p.say("planning")
	planned, err := compiler.Compile(n.Graph, o)
	if err != nil {
		return err
	}
	p.say("recording an answer")
	answer, err := recordAnswer(n.Graph, planned)
	if err != nil {
		return err
	}
	dir, err := filepath.Abs(c.String("out"))
	if err != nil {
		return err
	}
	name := c.String("package")
	if name == "" {
		name = codegen.PackageName(filepath.Base(dir))
	}
	r, err := codegen.Emit(planned, codegen.Options{
		Dir: dir, Package: name, Command: commandLine(c, name), Version: version, Answers: []*codegen.Answer{answer},
		Progress: func(done, total int64) { p.say("packing weights: %s of %s", sizeText(done), sizeText(total)) },
	})
	if err != nil {
		return err
	}
	p.done()
	embedded := "embedded"
	if !r.Embedded {
		embedded = "a file of its own: too large to embed"
	}
	fmt.Fprintf(c.App.Writer, "package %s in %s: %d files, weights.bin of %s (%s)\n", r.Package, c.String("out"), len(r.Files), sizeText(r.Weights), embedded)
	printMemory(c.App.Writer, planned)
	return nil
}
