package ir

import (
	"errors"
	"fmt"
	"slices"
)

// Check asserts the invariants of a graph that a reader has accepted: numbering,
// one producer before at most one consumer per blob, complete lists of inputs and
// outputs. What it finds is a mistake of the code that built the graph.
func Check(g *Graph) error {
	c := graphChecker{produced: map[*Blob]bool{}}
	for i, b := range g.Blobs {
		if b.Index != i {
			c.bugf("blob %q has index %d at position %d", b.Name, b.Index, i)
		}
		if b.Producer == nil {
			c.bugf("blob %q has no producer", b.Name)
		}
	}
	for i, l := range g.Layers {
		if l.Index != i {
			c.bugf("layer %q has index %d at position %d", l.Name, l.Index, i)
		}
		c.layer(g, l)
	}
	c.ends(g)
	return errors.Join(c.errs...)
}

type graphChecker struct {
	produced map[*Blob]bool
	errs     []error
}

func (c *graphChecker) bugf(format string, args ...any) {
	c.errs = append(c.errs, fmt.Errorf("BUG: graph: "+format, args...))
}

func (c *graphChecker) layer(g *Graph, l *Layer) {
	for _, b := range l.Inputs {
		if !owned(g, b) {
			c.bugf("layer %q consumes a blob %q that is not the graph's", l.Name, b.Name)
		}
		if !c.produced[b] {
			c.bugf("layer %q consumes blob %q before it is produced", l.Name, b.Name)
		}
		if b.Consumer != l {
			c.bugf("layer %q consumes blob %q, which names another consumer", l.Name, b.Name)
		}
	}
	for _, b := range l.Outputs {
		if !owned(g, b) {
			c.bugf("layer %q produces a blob %q that is not the graph's", l.Name, b.Name)
		}
		if c.produced[b] {
			c.bugf("blob %q is produced twice", b.Name)
		}
		if b.Producer != l {
			c.bugf("layer %q produces blob %q, which names another producer", l.Name, b.Name)
		}
		c.produced[b] = true
	}
	ids := map[int]bool{}
	for i := range l.Params {
		if id := l.Params[i].ID; id < 0 || id > 31 || ids[id] {
			c.bugf("layer %q has parameter id %d out of range or twice", l.Name, id)
		} else {
			ids[id] = true
		}
	}
	if len(l.Hints) != 0 && len(l.Hints) != len(l.Outputs) {
		c.bugf("layer %q has %d shape hints for %d outputs", l.Name, len(l.Hints), len(l.Outputs))
	}
	for _, w := range l.Weights {
		if w.Count < 0 || w.Offset < 0 {
			c.bugf("weight %q of layer %q has %d elements at %d", w.Name, l.Name, w.Count, w.Offset)
		}
	}
}

// ends compares the graph's inputs and outputs with what its blobs say.
func (c *graphChecker) ends(g *Graph) {
	var in, out []*Blob
	names := map[string]bool{}
	for _, b := range g.Blobs {
		if names[b.Name] {
			c.bugf("two blobs are named %q", b.Name)
		}
		names[b.Name] = true
		if b.Producer != nil && b.Producer.Type == "Input" {
			in = append(in, b)
		}
		if b.Consumer == nil {
			out = append(out, b)
			continue
		}
		uses := 0
		for _, x := range b.Consumer.Inputs {
			if x == b {
				uses++
			}
		}
		if uses != 1 {
			c.bugf("blob %q is an input of its consumer %d times", b.Name, uses)
		}
	}
	if !slices.Equal(in, g.Inputs) {
		c.bugf("inputs are %v and not %v", blobList(g.Inputs), blobList(in))
	}
	if !slices.Equal(out, g.Outputs) {
		c.bugf("outputs are %v and not %v", blobList(g.Outputs), blobList(out))
	}
}

func owned(g *Graph, b *Blob) bool {
	return b.Index >= 0 && b.Index < len(g.Blobs) && g.Blobs[b.Index] == b
}
