package main

import (
	"fmt"
	"io"
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/flexnnc/flexnnc/compiler"
	"github.com/flexnnc/flexnnc/ir/op"
	"github.com/flexnnc/flexnnc/ir/plan"
)

var algorithmFlag = &cli.StringFlag{
	Name: "algorithm", Value: "auto",
	Usage: "`FAMILY` of algorithms: auto, or direct for convolutions without Winograd's, which may fit smaller budgets; the last bits of answers differ",
}

// directOnly reads --algorithm.
func directOnly(c *cli.Context) (bool, error) {
	switch a := c.String("algorithm"); a {
	case "auto", "":
		return false, nil
	case "direct":
		return true, nil
	default:
		return false, usagef("--algorithm %s: auto or direct", a)
	}
}

// directFloor is the smallest budget that works with --algorithm direct, where the
// plan for the smallest one without it takes more; else 0.
func directFloor(c *cli.Context, p *plan.Plan) (plan.Bytes, error) {
	if !slices.ContainsFunc(p.Graph.Ops, func(o *op.Op) bool { return o.Conv != nil && o.Conv.Winograd != 0 }) {
		return 0, nil
	}
	sets, err := parseInputSets(c.StringSlice("input"))
	if err != nil {
		return 0, err
	}
	n, o, err := openNetwork(c, sets[0], false, false)
	if err != nil {
		return 0, err
	}
	defer n.Close()
	o.Direct, o.Min, o.Dump = true, true, nil
	direct, err := compiler.Compile(n.Graph, o)
	if err != nil || direct.Arena >= p.Arena {
		return 0, err
	}
	return direct.Arena, nil
}

func printDirectFloor(w io.Writer, floor plan.Bytes) {
	if floor > 0 {
		fmt.Fprintf(w, "direct     with --algorithm direct the smallest budget that works is %d bytes (%s)\n", floor, sizeText(int64(floor)))
	}
}
