package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/flexnnc/flexnnc/compiler/cases"
	"github.com/flexnnc/flexnnc/ir"
)

// inputSet is one shape of the inputs, in the order in which they were named.
type inputSet []namedShape

type namedShape struct {
	name, sizes string
	shape       ir.Shape
}

func (s inputSet) shapes() map[string]ir.Shape {
	m := map[string]ir.Shape{}
	for _, n := range s {
		m[n.name] = n.shape
	}
	return m
}

// String is the set as --input gives it.
func (s inputSet) String() string {
	var list []string
	for _, n := range s {
		list = append(list, n.name+"="+n.sizes)
	}
	return strings.Join(list, " ")
}

// parseInputSets reads the values of --input. An input that is given several
// times makes several shapes: the n-th values of all inputs are the n-th shape,
// and an input that is given once is the same in all of them.
func parseInputSets(list []string) ([]inputSet, error) {
	values := map[string][]namedShape{}
	var order []string
	sets := 1
	for _, s := range list {
		v, err := parseInput(s)
		if err != nil {
			return nil, err
		}
		if values[v.name] == nil {
			order = append(order, v.name)
		}
		values[v.name] = append(values[v.name], v)
		sets = max(sets, len(values[v.name]))
	}
	out := make([]inputSet, sets)
	for _, name := range order {
		v := values[name]
		if len(v) != 1 && len(v) != sets {
			return nil, usagef("--input %s is given %d times and another input %d times: give each once, or once for every shape", name, len(v), sets)
		}
		for i := range out {
			out[i] = append(out[i], v[min(i, len(v)-1)])
		}
	}
	return out, nil
}

// parseInput reads NAME=W,H,C. Names may contain '=': the last one counts.
func parseInput(s string) (namedShape, error) {
	i := strings.LastIndex(s, "=")
	if i < 1 {
		return namedShape{}, usagef("--input %s: want NAME=W,H,C", s)
	}
	var sizes []int
	for _, d := range strings.Split(s[i+1:], ",") {
		n, err := strconv.Atoi(d)
		if err != nil {
			return namedShape{}, usagef("--input %s: %q is no size; want NAME=W,H,C", s, d)
		}
		sizes = append(sizes, n)
	}
	shape, ok := cases.ParseShape(sizes)
	if !ok {
		return namedShape{}, usagef("--input %s: want 1 to 4 sizes, W or W,H or W,H,C or W,H,D,C, with at most 2^30 elements", s)
	}
	return namedShape{name: s[:i], sizes: strings.Trim(strings.ReplaceAll(fmt.Sprint(sizes), " ", ","), "[]"), shape: shape}, nil
}
