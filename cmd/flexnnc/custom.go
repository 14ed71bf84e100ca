package main

import (
	"go/token"
	"strings"
	"unicode"

	"github.com/urfave/cli/v2"

	"github.com/flexnnc/flexnnc/compiler/layer"
	"github.com/flexnnc/flexnnc/ir"
)

var (
	customFlag = &cli.StringSliceFlag{Name: "custom", Usage: "Go function that computes the layers of a type that is not ncnn's own, `TYPE=import/path.Func`: " +
		"func(out, in [][]float32, shapes [][]int, params map[int][]float64) error; may be repeated"}
	customShapeFlag = &cli.StringSliceFlag{Name: "custom-shape", Usage: "shape of the outputs of such layers, `TYPE=SHAPE`: same (as the first input, the default), " +
		"hint (the file's shape hints) or W,H,C; may be repeated"}
)

// parseCustoms reads the values of --custom and --custom-shape.
func parseCustoms(functions, shapes []string) ([]*ir.Custom, error) {
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
	for _, s := range shapes {
		typ, shape, _ := strings.Cut(s, "=")
		c := find(typ)
		switch {
		case c == nil:
			return nil, usagef("--custom-shape %s: there is no --custom %s=import/path.Func", s, typ)
		case c.Rule != ir.CustomUnsaid:
			return nil, usagef("--custom-shape %s: %s is given twice", s, typ)
		case shape == "same":
			c.Rule = ir.CustomSame
		case shape == "hint":
			c.Rule = ir.CustomHint
		default:
			v, err := parseInput(s)
			if err != nil || v.name != typ {
				return nil, usagef("--custom-shape %s: want TYPE=same, TYPE=hint or TYPE=W,H,C", s)
			}
			c.Rule, c.Shape = ir.CustomFixed, v.shape
		}
	}
	return list, nil
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
