package main

import "github.com/urfave/cli/v2"

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
