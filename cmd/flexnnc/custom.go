package main

import (
	"fmt"
	"go/token"
	"strings"
	"unicode"

	"github.com/urfave/cli/v2"

	"github.com/flexnnc/flexnnc/compiler/layer"
	"github.com/flexnnc/flexnnc/ir"
)

// Flags of layers that are not ncnn's own, for every command that reads a network.
var (
	customFlag = &cli.StringSliceFlag{Name: "custom", Usage: "Go function that computes the layers of a type that is not ncnn's own, `TYPE=import/path.Func`; may be repeated"}

	customShapeFlag = &cli.StringSliceFlag{Name: "custom-shape", Usage: "shape of the outputs of such layers, `TYPE=SHAPE`: same (as the first input, the default), " +
		"hint (the file's shape hints) or W,H,C as formulas of parameters p0 and the input's w h d c; several outputs' shapes apart by ;"}

	customWeightsFlag = &cli.StringSliceFlag{Name: "custom-weights", Usage: "what such layers load from the .bin, `TYPE=COUNT,COUNT`, as formulas of parameters p0: COUNT:0 as mb.load(n, 0), else as mb.load(n, 1)"}
)

// customsOf reads the flags of custom layers.
func customsOf(c *cli.Context) ([]*ir.Custom, error) {
	return parseCustoms(c.StringSlice("custom"), c.StringSlice("custom-shape"), c.StringSlice("custom-weights"))
}

// parseCustoms reads the values of --custom, --custom-shape and --custom-weights.
func parseCustoms(functions, shapes, weights []string) ([]*ir.Custom, error) {
	var list []*ir.Custom
	find := func(typ string) *ir.Custom {
		for _, c := range list {
			if c.Type == typ {
				return c
			}
		}
		return nil
	}
	for _, s := range functions {
		typ, function, _ := strings.Cut(s, "=")
		dot := strings.LastIndex(function, ".")
		if typ == "" || dot < 1 {
			return nil, usagef("--custom %s: want TYPE=import/path.Func", s)
		}
		c := &ir.Custom{Type: typ, Import: function[:dot], Func: function[dot+1:]}
		switch {
		case !importable(c.Import):
			return nil, usagef("--custom %s: %q is no import path", s, c.Import)
		case !token.IsIdentifier(c.Func) || !token.IsExported(c.Func):
			return nil, usagef("--custom %s: %q is no exported Go function", s, c.Func)
		case layer.Lookup(typ) != nil:
			return nil, usagef("--custom %s: %s is a layer of ncnn's own", s, typ)
		case find(typ) != nil:
			return nil, usagef("--custom %s: %s is given twice", s, typ)
		}
		list = append(list, c)
	}
	// of finds the type that another flag is about.
	of := func(flag, s string) (*ir.Custom, string, error) {
		typ, value, _ := strings.Cut(s, "=")
		c := find(typ)
		if c == nil {
			return nil, "", usagef("--%s %s: there is no --custom %s=import/path.Func", flag, s, typ)
		}
		return c, value, nil
	}
	for _, s := range shapes {
		c, value, err := of("custom-shape", s)
		if err != nil {
			return nil, err
		}
		if c.Shapes != nil {
			return nil, usagef("--custom-shape %s: %s is given twice", s, c.Type)
		}
		for _, text := range strings.Split(value, ";") {
			shape, err := parseCustomShape(text)
			if err != nil {
				return nil, usagef("--custom-shape %s: want TYPE=same, TYPE=hint or TYPE=W,H,C: %v", s, err)
			}
			c.Shapes = append(c.Shapes, shape)
		}
	}
	for _, s := range weights {
		c, value, err := of("custom-weights", s)
		if err != nil {
			return nil, err
		}
		if c.Weights != nil {
			return nil, usagef("--custom-weights %s: %s is given twice", s, c.Type)
		}
		for _, text := range strings.Split(value, ",") {
			count, load, _ := strings.Cut(text, ":")
			if _, err := layer.ParseFormula(count, false); err != nil {
				return nil, usagef("--custom-weights %s: want TYPE=COUNT,COUNT: %v", s, err)
			}
			if load != "" && load != "0" && load != "1" {
				return nil, usagef("--custom-weights %s: %q is neither COUNT:0, for what is loaded with its storage tag, nor COUNT:1", s, text)
			}
			c.Weights = append(c.Weights, ir.CustomWeight{Count: count, Tagged: load == "0"})
		}
	}
	return list, nil
}

// parseCustomShape reads the shape of one output.
func parseCustomShape(text string) (ir.CustomShape, error) {
	switch text {
	case "same":
		return ir.CustomShape{Rule: ir.CustomSame}, nil
	case "hint":
		return ir.CustomShape{Rule: ir.CustomHint}, nil
	}
	sizes := strings.Split(text, ",")
	if len(sizes) > 4 {
		return ir.CustomShape{}, fmt.Errorf("%d sizes, and shapes have up to 4", len(sizes))
	}
	for _, f := range sizes {
		if _, err := layer.ParseFormula(f, true); err != nil {
			return ir.CustomShape{}, err
		}
	}
	return ir.CustomShape{Rule: ir.CustomSizes, Sizes: sizes}, nil
}

// importable tells whether the emitted source can name a package so; whether
// there is one the Go tool says.
func importable(path string) bool {
	for _, part := range strings.Split(path, "/") {
		if part == "" || part == "." || part == ".." {
			return false
		}
	}
	return !strings.ContainsFunc(path, func(r rune) bool {
		return unicode.IsSpace(r) || !unicode.IsPrint(r) || strings.ContainsRune("!\"#$%&'()*,:;<=>?[\\]^`{|}\uFFFD", r)
	})
}

// customsUsed reports a type that no layer has.
func customsUsed(g *ir.Graph, list []*ir.Custom) error {
	for _, c := range list {
		if !hasCustom(g, c) {
			return usagef("--custom %s=%s.%s: the network has no layer of that type", c.Type, c.Import, c.Func)
		}
	}
	return nil
}

func hasCustom(g *ir.Graph, c *ir.Custom) bool {
	for _, l := range g.Layers {
		if l.Custom == c {
			return true
		}
	}
	return false
}

// firstCustom is the first layer that a function of the user's computes, or nil.
func firstCustom(g *ir.Graph) *ir.Layer {
	for _, l := range g.Layers {
		if l.Custom != nil {
			return l
		}
	}
	return nil
}
